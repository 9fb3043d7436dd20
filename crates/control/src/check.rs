//! Seeded checks: now and then the plane asks people for something that must be refused. When one is due, what is wrong with it and
//! how it ends are the rules of `provost-lifecycle`; here is where the shape comes from, and who may be asked.
//!
//! Whether an approval is a check is read from its mark with the plane's key, by every node, and written down nowhere else before it
//! is over. A real answer draws one (`approvals = { checks = "1 in 50" }`), some minutes to two hours later; nobody is shown
//! more than one in 20 hours.

use crate::{ControlError, Op, finding, plane::Plane, quality};
use async_trait::async_trait;
use provost_connect::Marks;
use provost_domain::{
    Action, Approval, Digest, Directory, DurationMs, Name, Severity, Sighting, Task, TaskId, Timestamp,
    ToolName, Verdict,
    approval::ApprovalStatus,
    check::CheckOutcome,
    decision::tool_path,
    finding::{About, Response},
};
use provost_lifecycle::{
    approval as life,
    check::{self as rules, Boldness, Known},
    quality::Told,
};
use provost_policy::{Link, Question};
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};
use tokio::sync::watch;

/// Asks for something as if an agent had called it. The gateway does, through its own pipeline.
#[async_trait]
pub trait Planter: Send + Sync + 'static {
    /// Asks; `false` when such a call would not be held.
    ///
    /// # Errors
    /// Why it could not be asked.
    async fn plant(&self, wanted: Planting) -> Result<bool, String>;
}

/// What is to be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Planting {
    /// In which running task.
    pub task: TaskId,
    /// On which system.
    pub system: Name,
    /// By which operation.
    pub tool: ToolName,
    /// With which arguments.
    pub args: Map<String, Value>,
    /// Through which face it would have come.
    pub face: String,
    /// Says that it is a check, to who has the plane's key.
    pub mark: Digest,
}

/// Who asks, once somebody does.
#[derive(Default)]
pub struct Checks {
    planter: OnceLock<Arc<dyn Planter>>,
}

impl Checks {
    /// States who asks. The first one stays.
    pub fn ask_through(&self, planter: Arc<dyn Planter>) {
        let _first_stays = self.planter.set(planter);
    }
}

/// Puts up checks that are due, for as long as the node lives. At moments nobody foresees: what comes with the beat of a clock is
/// known by it.
pub async fn run(plane: Arc<Plane>, every: DurationMs, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let chance = u64::from_be_bytes(plane.random::<8>());
        let pause = DurationMs(every.0 / 2 + chance.checked_rem(every.0.max(1)).unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(pause.to_std()) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
        if let Err(error) = once(&plane).await {
            tracing::warn!(%error, "what is due could not be looked for; it is tried again");
        }
    }
}

/// Puts up what is due now, a bounded part; gives how many.
///
/// # Errors
/// When the store fails.
pub async fn once(plane: &Arc<Plane>) -> Result<usize, ControlError> {
    let view = plane.replica.latest();
    let Some(one_in) = life::rules(&view.directory).checks else { return Ok(0) };
    let (marks, now) = (marks(plane)?, plane.now());
    let due = |told: &Told| -> Vec<(String, Name)> {
        let said = told.said.iter().filter(|_said| told.check.is_none() && !told.of_edit);
        let due = said.filter(|said| {
            let word = format!("{} {}", told.id, said.person);
            let wait = rules::drawn(marks.chance(&word), one_in);
            now.since(said.at) < rules::DUE_FOR && wait.is_some_and(|wait| now >= said.at.plus(wait))
        });
        due.map(|said| (told.id.clone(), said.person.clone())).collect()
    };
    let (due, shapes) = quality::with(plane, |window| {
        let due: Vec<_> = window.newest().take(LOOKED_AT).flat_map(due).take(DUE_MAX).collect();
        let shapes: Vec<Told> = if due.is_empty() { Vec::new() } else { shapes(window.newest()) };
        (due, shapes)
    })
    .await?;
    let mut planted = 0_usize;
    for (approval, person) in due {
        let word = Digest::of(format!("check drawn {approval} {person}").as_bytes());
        // One node does, once, whether or not it finds something to ask.
        if plane.store.remember(word, now.plus(REMEMBERED), now).await? {
            planted = planted.saturating_add(usize::from(put_up(plane, &person, &shapes).await?));
        }
    }
    Ok(planted)
}

/// Puts up a check for a person now, if there is something to ask in the shape of what was asked for lately.
///
/// # Errors
/// When the store fails.
pub async fn put_up_for(plane: &Arc<Plane>, person: &Name) -> Result<bool, ControlError> {
    let shapes = quality::with(plane, |window| shapes(window.newest())).await?;
    put_up(plane, person, &shapes).await
}

/// Real ones that are over, the newest first.
fn shapes<'a>(newest: impl Iterator<Item = &'a Told>) -> Vec<Told> {
    let real = newest.filter(|told| told.check.is_none() && told.end.is_some());
    real.take(LOOKED_AT).cloned().collect()
}

async fn put_up(plane: &Arc<Plane>, person: &Name, shapes: &[Told]) -> Result<bool, ControlError> {
    let Some(planter) = plane.checks.planter.get() else { return Ok(false) };
    let mut tried: BTreeSet<(&Name, &str)> = BTreeSet::new();
    for told in shapes {
        if !tried.insert((&told.agent, &told.tool)) {
            continue;
        }
        if tried.len() > KINDS_MAX {
            break;
        }
        let alike = shapes.iter().filter(|other| other.agent == told.agent && other.tool == told.tool);
        let ids: Vec<&str> = alike.take(ALIKE_MAX).map(|other| other.id.as_str()).collect();
        let Some((planting, shown_to)) = draft(plane, person, told, &ids).await? else { continue };
        if !has_room(plane, person, &shown_to).await? {
            return Ok(false);
        }
        return planter
            .plant(planting)
            .await
            .map_err(|error| ControlError::unavailable("a check could not be asked for").because(error));
    }
    Ok(false)
}

/// What would be asked for, and who would see it; `None` where it would be known for what it is, or nothing is to be wrong.
async fn draft(
    plane: &Plane,
    person: &Name,
    told: &Told,
    alike: &[&str],
) -> Result<Option<(Planting, BTreeSet<Name>)>, ControlError> {
    let mut rows: Vec<Approval> = Vec::new();
    for id in alike {
        rows.extend(provost_store::approval(plane.store.as_ref(), id).await?.map(|(_version, row)| row));
    }
    let Some(shape) = rows.first() else { return Ok(None) };
    let seen: Vec<&Map<String, Value>> = rows.iter().map(|row| &row.args).collect();
    let view = plane.replica.latest();
    let (directory, now) = (&view.directory, plane.now());
    let Some(task) = running(directory, told, now) else { return Ok(None) };
    let has_envelope = directory
        .envelopes_of(&told.agent)
        .any(|row| row.is_open(now) && row.system == shape.system && row.tool == shape.tool);
    if has_envelope || !has_space(plane, directory, task) {
        return Ok(None);
    }
    let state = plane.store.task_state(task.id).await?;
    let held = Boldness::ALL.into_iter().find_map(|boldness| {
        let chance = || u64::from_be_bytes(plane.random::<8>());
        let (args, flaw) = rules::flawed(&shape.args, &seen, boldness, chance)?;
        let (agent, system, tool) = (told.agent.clone(), shape.system.clone(), shape.tool.clone());
        let action = Action { agent, task: task.id, system, tool, args };
        let gates = gates(plane, &action, task, &state)?;
        Some((action, flaw, gates))
    });
    let Some((action, flaw, gates)) = held else { return Ok(None) };
    let digest = action.digest().map_err(|error| ControlError::caller(error.to_string()))?;
    if provost_store::newest_approval(plane.store.as_ref(), &digest).await?.is_some() {
        return Ok(None);
    }
    let would_be = Approval {
        task: task.id,
        askers: life::askers(directory, task.id),
        gates,
        asked: now,
        votes: Vec::new(),
        status: ApprovalStatus::Waiting,
        ..shape.clone()
    };
    let shown_to: BTreeSet<Name> =
        would_be.gates.iter().flat_map(|gate| life::approvers(&would_be, directory, gate, now)).collect();
    let face = plane.store.decision(shape.decision).await?.map(|stored| stored.decision.face);
    let face = face.filter(|face| FACES.contains(&face.as_str()) && shown_to.contains(person));
    let Some(face) = face else { return Ok(None) };
    let mark = marks(plane)?.mark(&digest, flaw);
    let Action { task, system, tool, args, .. } = action;
    Ok(Some((Planting { task, system, tool, args, face, mark }, shown_to)))
}

/// The task it would have been called in: the same as last time, or the newest that runs.
fn running<'d>(directory: &'d Directory, told: &Told, now: Timestamp) -> Option<&'d Task> {
    let lasts = |task: &Task| task.is_live(now) && task.expires.since(now) > LASTS_MIN;
    let same = directory.tasks.get(&told.task).map(AsRef::as_ref).filter(|task| lasts(task));
    let others = directory.tasks.values().map(AsRef::as_ref);
    let newest = || others.filter(|task| task.agent == told.agent && lasts(task)).max_by_key(|task| task.id);
    same.or_else(newest)
}

/// Whether the agent can still ask for as much again: a check must stand in nobody's way.
fn has_space(plane: &Plane, directory: &Directory, task: &Task) -> bool {
    let waiting = directory.approvals.values().filter(|row| row.agent == task.agent && !row.is_over());
    let (mut of_agent, mut of_task) = (0_usize, 0_usize);
    for row in waiting {
        of_agent = of_agent.saturating_add(1);
        of_task = of_task.saturating_add(usize::from(row.task == task.id));
    }
    of_agent < plane.limits.approvals_per_agent_max / 2 && of_task < plane.limits.approvals_per_task_max / 2
}

/// Who would have to agree, if such a call would be held.
fn gates(
    plane: &Plane,
    action: &Action,
    task: &Task,
    state: &provost_domain::TaskState,
) -> Option<BTreeSet<String>> {
    let view = plane.replica.latest();
    let directory = &view.directory;
    let mut chain = Vec::new();
    let mut next = task.parent;
    while let Some(id) = next {
        let above = directory.tasks.get(&id)?;
        chain.push(Link { agent: directory.agents.get(&above.agent)?, task: above });
        next = above.parent;
    }
    let question = Question {
        agent: directory.agents.get(&action.agent)?,
        task,
        state,
        system: directory.systems.get(&action.system)?,
        tool: directory.tools.get(&(action.system.clone(), action.tool.clone()))?,
        pinned: true,
        args: &action.args,
        approvals: &[],
        exhausted: &[],
        args_from: &provost_domain::origin::NOTHING,
        chain: &chain,
        now: plane.now(),
    };
    match view.pdp.decide(&question).verdict {
        Verdict::Hold { approvers, .. } => Some(approvers.into_iter().collect()),
        Verdict::Allow { .. } | Verdict::Deny { .. } => None,
    }
}

/// Whether everybody who would see it has seen none for a while; they have, from now on.
async fn has_room(plane: &Plane, person: &Name, shown_to: &BTreeSet<Name>) -> Result<bool, ControlError> {
    let (view, now) = (plane.replica.latest(), plane.now());
    let marks = marks(plane)?;
    let waiting = view.directory.approvals.values().filter(|row| marks.known(row).is_some());
    for row in waiting {
        let sees = |gate: &String| life::approvers(row, &view.directory, gate, now);
        if row.gates.iter().flat_map(sees).any(|name| shown_to.contains(&name)) {
            return Ok(false);
        }
    }
    let word = |name: &Name| Digest::of(format!("check shown {name}").as_bytes());
    if !plane.store.remember(word(person), now.plus(APART), now).await? {
        return Ok(false);
    }
    for name in shown_to.iter().filter(|name| *name != person) {
        let _seen_by_others_too = plane.store.remember(word(name), now.plus(APART), now).await?;
    }
    Ok(true)
}

/// What is wrong with an approval, if it is a check.
///
/// # Errors
/// Never in practice.
pub(crate) fn known(plane: &Plane, row: &Approval) -> Result<Option<Known>, ControlError> {
    Ok(marks(plane)?.known(row).map(|(flaw, secret)| Known { flaw, secret }))
}

/// That an approval that is over was a check, if it was.
pub(crate) fn missed(plane: &Plane, over: Approval) -> Result<Approval, ControlError> {
    Ok(match known(plane, &over)? {
        Some(known) if over.is_over() && over.check.is_none() => rules::missed(over, &known),
        _ => over,
    })
}

/// What follows from an answer to a check: who said yes is told by the answer itself; here others are.
pub(crate) async fn told(op: &Op, row: &Approval) {
    let Some(check) = row.check.as_ref().filter(|check| check.outcome == CheckOutcome::Approved) else {
        return;
    };
    let Some(vote) = row.votes.last() else { return };
    let tool = tool_path(&row.system, &row.tool);
    let what = format!(
        "{} said yes to a check that had to be refused: {tool} with {}",
        vote.person,
        check.flaw.words()
    );
    let about = About { tool: Some(row.tool.clone()), ..About::person(&vote.person) };
    let sighting = Sighting::new("check-approved", vote.person.as_str(), Severity::Medium, what)
        .about(About { agent: Some(row.agent.clone()), system: Some(row.system.clone()), ..about })
        .evidence([row.id.clone(), row.decision.to_string()])
        .response(Response::Notify)
        .by_another();
    finding::try_raise(op, &sighting).await;
}

fn marks(plane: &Plane) -> Result<Marks, ControlError> {
    Marks::of(&plane.sealing_key).map_err(|error| ControlError::us("the marks cannot be made", error))
}

/// Approvals that are looked through for answers that draw a check, and for shapes.
const LOOKED_AT: usize = 500;
const DUE_MAX: usize = 5;
/// Through which the plane itself stands in the way of a call.
const FACES: [&str; 3] = ["mcp", "wrap", "proxy"];
/// Kinds of call that are tried for a shape.
const KINDS_MAX: usize = 12;
const ALIKE_MAX: usize = 20;
/// A task that ends sooner would end the check before anybody reads it.
const LASTS_MIN: DurationMs = DurationMs::from_mins(10);
/// Nobody is shown two within.
const APART: DurationMs = DurationMs::from_mins(20 * 60);
const REMEMBERED: DurationMs = DurationMs::from_mins(24 * 60);
