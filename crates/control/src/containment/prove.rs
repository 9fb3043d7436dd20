//! It cannot lie: for every order at level `off`, system by system, what was shown and when. Nothing is called contained before
//! the plane has tried it; what could not be asked stays `unknown`, is asked again, and is told to people.
//!
//! ```text
//! ordered ─▶ delivered ─▶ confirmed ─▶ probed
//!   │          │            │            └ contained: the system refused what was taken back, or nothing but the plane leads there
//!   │          │            │              partial:   the plane's way is shut and was tried; nobody has said that it is the only one
//!   │          │            └ what was made at the system is gone, or there was nothing
//!   │          └ nothing is left to end, no call is under way; the system was asked to take back what was made there
//!   └ tasks still to be ended, calls still under way
//! ```
//!
//! | tried | by whom | where it stands |
//! |---|---|---|
//! | tokens of tasks that the order ended, at every face of the plane | `gone` | the task's row |
//! | roles and tokens made at the system: listed no more, and let in no more | the broker's sweep | the row of what was made |
//! | the decision point: an allowed call of each agent, asked again | here | the order's row |
//!
//! What is claimed in the order's row is in the ledger like every row, so it verifies offline and stays.

use super::{
    hits,
    judge::{Asked, Facts, Minted, Tried},
    outward, put,
};
use crate::{Action, ControlError, Op, Operator, change::Change, finding, plane::Plane};
use provost_domain::{
    Agent, Containment, Digest, Directory, DurationMs, Name, Object, ObjectKey, Restraint, Severity,
    Sighting, System, Task, TaskId, TaskState, Timestamp, Tool,
    containment::{Proof, Reached, Scope, Seen, Stage, SystemEvidence},
    finding::About,
    minted::MintedStatus,
    system::Connection,
    task::{ProbeAnswer, TaskStatus},
};
use provost_store::DecisionFilter;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// Looks after orders for as long as the node lives.
pub async fn run(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    let mut moves = plane.replica.moves();
    while !*stop.borrow() {
        moves.mark_unchanged();
        if let Err(error) = once(&plane).await {
            tracing::warn!(%error, "what orders have proven could not be looked at; it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            moved = moves.changed() => {
                if moved.is_err() { return }
                tokio::time::sleep(GATHER).await;
            }
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Looks once at every order that is due. Gives how many rows were changed.
///
/// # Errors
/// When the store fails; what was not looked at stays due.
pub async fn once(plane: &Arc<Plane>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "proof".to_owned(), plane: Arc::clone(plane) };
    let view = plane.replica.latest();
    let orders: Vec<Arc<Containment>> = view.directory.containments.values().map(Arc::clone).collect();
    drop(view);
    let mut changed = 0;
    for order in orders.iter().filter(|order| order.level == Restraint::Off) {
        changed += usize::from(look(&op, order).await?);
    }
    Ok(changed)
}

/// What an order's row begins with: every system that those it is about reach, and what the plane has made for them there, so
/// that its end is part of the proof however fast it comes.
pub(super) fn begin(order: &Containment, directory: &Directory) -> BTreeMap<Name, SystemEvidence> {
    if order.level != Restraint::Off {
        return BTreeMap::new();
    }
    let about = Reach::read(order, directory, order.at);
    let begun = |name: &Name| {
        let made =
            directory.minted.values().filter(|row| row.system == *name && about.names.contains(&row.agent));
        let made: Vec<String> = made.map(|row| row.id.clone()).collect();
        SystemEvidence {
            stage: Stage::Ordered,
            proof: Proof::Unknown,
            because: "it was just ordered".to_owned(),
            at: order.at,
            confirmed: None,
            last_accepted: None,
            first_refused: None,
            minted_more: count(made.len().saturating_sub(MINTED_MAX)),
            minted: made.into_iter().take(MINTED_MAX).collect(),
            accounts: Reached::default(),
            rounds: 0,
        }
    };
    about.systems.iter().map(|name| (name.clone(), begun(name))).collect()
}

/// Looks at one order; whether its row was changed.
async fn look(op: &Op, order: &Containment) -> Result<bool, ControlError> {
    let plane = &op.plane;
    let now = plane.now();
    let view = plane.replica.latest();
    let about = Reach::read(order, &view.directory, now);
    let due = |name: &&Name| order.systems.get(*name).is_none_or(|known| is_due(known, order, now));
    let systems: Vec<Name> = about.systems.iter().filter(due).cloned().collect();
    let told = outward::told(order, &view.directory);
    // What is on its way is counted while systems are looked at, and once more when it is all over.
    let told_over = told.values().all(|told| told.waits() == 0) && told != order.told;
    if systems.is_empty() && !told_over {
        return Ok(false);
    }
    // Of several nodes one looks.
    let rounds: u32 = order.systems.values().map(|known| known.rounds).sum();
    let over: u64 = told.values().map(|told| told.done.saturating_add(told.given_up)).sum();
    let over = if told_over { over } else { 0 };
    let claim = Digest::of(format!("proof {} {rounds} {} {over}", order.id, order.ended.tasks).as_bytes());
    if !plane.store.remember(claim, now.plus(CLAIMED_FOR), now).await? {
        return Ok(false);
    }
    let tried = tried(plane, order).await?;
    let (calls, calls_more) = calls_under_way(plane, order, &view.directory, now).await?;
    let mut found = BTreeMap::new();
    for name in systems {
        let Some(system) = view.directory.systems.get(&name) else { continue };
        let known = order.systems.get(&name);
        let minted = minted(plane, order, &about, known, &name).await?;
        let asked = asked(plane, &about, system, now).await;
        let accounts = outward::accounts(plane, order, &about.agents, system, &view.directory).await?;
        let facts = Facts {
            ends: order.scope.is_about_agents(),
            left: about.tasks_left,
            calls: calls.get(&name).copied().unwrap_or_default(),
            tried: &tried,
            calls_more,
            asked: &asked,
            only_way: only_way(system),
            minted: &minted,
            accounts,
        };
        let (stage, proof, because) = facts.judge();
        let last_accepted = last_accepted(plane, order, &name, &view.directory).await?;
        let first_refused = match known.and_then(|known| known.first_refused) {
            Some(seen) => Some(seen),
            None => first_refused(plane, order, &name, &view.directory).await?,
        };
        let confirmed = known.and_then(|known| known.confirmed);
        let confirmed = confirmed.or_else(|| (stage >= Stage::Confirmed).then_some(now));
        let rounds = known.map_or(0, |known| known.rounds).saturating_add(1);
        found.insert(
            name,
            SystemEvidence {
                stage,
                proof,
                because,
                at: now,
                confirmed,
                last_accepted,
                first_refused,
                minted_more: minted.more,
                minted: minted.ids,
                accounts,
                rounds,
            },
        );
    }
    write(op, order, (found, told)).await
}

async fn write(
    op: &Op,
    order: &Containment,
    (found, told): (BTreeMap<Name, SystemEvidence>, BTreeMap<String, Reached>),
) -> Result<bool, ControlError> {
    for (system, evidence) in found.iter().filter(|(_, evidence)| evidence.proof == Proof::Unknown) {
        if evidence.rounds >= ALARM_AFTER_ROUNDS || evidence.accounts.given_up > 0 {
            let what = format!(
                "it is not known whether {system} is contained by {}: {}",
                order.id, evidence.because
            );
            let about = About { agent: order.scope.agent.clone(), ..About::system(system) };
            let key = format!("{}/{system}", order.id);
            let sighting = Sighting::new("containment-unknown", key, Severity::Critical, what);
            finding::try_raise(op, &sighting.about(about).evidence([order.id.as_str()])).await;
            tracing::error!(order = %order.id, %system, because = %evidence.because, "ALARM: it is not known whether this is contained");
        }
    }
    let authorised = op.authorize(Action::ContainmentEnd)?;
    let key = ObjectKey::containment(&order.id);
    let (_seq, changed) = authorised
        .change(&[key], "what could be shown of an order in force", |seen| {
            let Some(row) = seen.directory.containments.get(&order.id) else {
                return Ok(Change { drafts: Vec::new(), what: String::new(), answer: false });
            };
            let mut row = row.as_ref().clone();
            row.systems.extend(found.clone());
            row.told.clone_from(&told);
            let said = found.iter().map(|(name, evidence)| format!("{name} {}", evidence.proof.as_str()));
            let said: Vec<String> = said.take(SAID_MAX).collect();
            let what = format!("{}: {}", order.id, said.join(", "));
            Ok(Change { drafts: vec![put(row)], what, answer: true })
        })
        .await?;
    Ok(changed)
}

/// Whom an order is about, and what they reach.
struct Reach {
    agents: Vec<Arc<Agent>>,
    names: BTreeSet<Name>,
    systems: BTreeSet<Name>,
    tasks_left: usize,
    scope: Scope,
}

impl Reach {
    fn read(order: &Containment, directory: &Directory, now: Timestamp) -> Self {
        let organisation = directory.organisation.as_deref();
        let agents = directory.agents.values().filter(|agent| order.scope.has_agent(agent, organisation));
        let agents: Vec<Arc<Agent>> = agents.map(Arc::clone).collect();
        let names: BTreeSet<Name> = agents.iter().map(|agent| agent.name.clone()).collect();
        let on = |system: &&Name| order.scope.system.as_ref().is_none_or(|wanted| wanted == *system);
        let systems = agents.iter().flat_map(|agent| agent.charter.systems()).filter(on).cloned().collect();
        // Calls of one system or tool are refused while their tasks go on with others.
        let ends = order.scope.is_about_agents();
        let left = |task: &&Arc<Task>| ends && task.is_live(now) && names.contains(&task.agent);
        let tasks_left = directory.tasks.values().filter(left).count();
        Self { tasks_left, agents, names, systems, scope: order.scope.clone() }
    }
}

/// Why nothing but the plane leads to a system, if its file says so. The plane holds the credential and hands it to nobody; that
/// there is no other credential and no way around is what whoever declared the system answers for.
fn only_way(system: &System) -> Option<&'static str> {
    match (&system.connection, system.only_through_plane) {
        // The wrapper beside the agent enforces there.
        (Connection::McpLocal, _) | (_, false) => None,
        (_, true) => {
            Some("its file says that only the plane leads there, and the plane holds the credential")
        }
    }
}

/// Asks the decision point of this node about calls that charters grant.
async fn asked(plane: &Plane, about: &Reach, system: &System, now: Timestamp) -> Asked {
    let view = plane.replica.latest();
    let mut asked = Asked::default();
    let mut count = 0_usize;
    for agent in about.agents.iter().filter(|agent| agent.charter.systems().contains(&system.name)) {
        let task = Task {
            id: TaskId::from_bytes([0; 16]),
            agent: agent.name.clone(),
            purpose: "tried by the plane".into(),
            requester: agent.charter.owner.clone(),
            scope: None,
            started: now,
            expires: now.plus(DurationMs::from_secs(60)),
            status: TaskStatus::Running,
            parent: None,
            revoked: BTreeSet::new(),
            for_person: false,
            refresh: None,
            trial: None,
            inputs: Default::default(),
            bill: None,
        };
        let tools = view.directory.tools_of(&system.name);
        let stopped = |tool: &Tool| about.scope.has_call(&system.name, Some(&tool.name));
        let granted = |tool: &Tool| agent.charter.grants_tool(&system.name, &tool.name);
        for tool in tools.filter(|tool| granted(tool) && stopped(tool)) {
            count = count.saturating_add(1);
            if count > ASKED_MAX {
                asked.more = asked.more.saturating_add(1);
                continue;
            }
            // For no arguments whatever: one that is refused for its arguments alone would show nothing.
            let state = TaskState::default();
            if view.pdp.could_allow(agent, &task, &state, system, tool, true, now) {
                asked.let_through.push(format!("{} by {}", tool.path(), agent.name));
            }
            if count.is_multiple_of(ASKED_BETWEEN) {
                tokio::task::yield_now().await;
            }
        }
    }
    asked
}

/// What became of the tokens of tasks that the order ended, as far as they are remembered.
async fn tried(plane: &Plane, order: &Containment) -> Result<Tried, ControlError> {
    let more = order.ended.tasks.saturating_sub(count(order.ended.some.len()));
    let mut tried = Tried { more, ..Tried::default() };
    for id in &order.ended.some {
        let last = plane.store.history(&ObjectKey::task(*id), 1).await?.pop();
        let Some(Object::Task(task)) = last.and_then(|record| record.after) else { continue };
        match task.trial {
            None => tried.waiting += 1,
            Some(trial) if trial.is_gone() => tried.refused += 1,
            Some(trial) if trial.probes.iter().any(|probe| probe.answer == ProbeAnswer::Accepted) => {
                tried.accepted += 1;
            }
            Some(_unreachable) => tried.waiting += 1,
        }
    }
    Ok(tried)
}

/// What was made at a system: what is owed now, and what became of what was owed before.
async fn minted(
    plane: &Plane,
    order: &Containment,
    about: &Reach,
    known: Option<&SystemEvidence>,
    system: &Name,
) -> Result<Minted, ControlError> {
    let view = plane.replica.latest();
    let theirs = view
        .directory
        .minted
        .values()
        .filter(|row| row.system == *system && about.names.contains(&row.agent));
    // Where tasks go on, so does what was made for them since, for calls that were let through.
    let (owed, since): (Vec<_>, Vec<_>) =
        theirs.partition(|row| order.scope.is_about_agents() || row.made <= order.at);
    let mut found = Minted { owed: owed.len(), since: since.len(), ..Minted::default() };
    found.ids = known.map(|known| known.minted.clone()).unwrap_or_default();
    let fresh: Vec<String> =
        owed.iter().map(|row| row.id.clone()).filter(|id| !found.ids.contains(id)).collect();
    let place = MINTED_MAX.saturating_sub(found.ids.len());
    let known_more = known.map_or(0, |known| known.minted_more);
    found.more = known_more.max(count(fresh.len().saturating_sub(place)));
    found.ids.extend(fresh.into_iter().take(place));
    for id in &found.ids {
        let key = ObjectKey::new(provost_domain::Kind::Minted, id.as_str());
        let last = plane.store.history(&key, 1).await?.pop().and_then(|record| record.after);
        match last {
            Some(Object::Minted(row)) if matches!(row.status, MintedStatus::Gone { .. }) => found.gone += 1,
            Some(Object::Minted(row)) if matches!(row.status, MintedStatus::Expired { .. }) => {
                found.expired += 1;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Calls that were allowed and are not over, by system; and whether there are more on this plane than were looked at.
async fn calls_under_way(
    plane: &Plane,
    order: &Containment,
    directory: &Directory,
    now: Timestamp,
) -> Result<(BTreeMap<Name, usize>, bool), ControlError> {
    let mut calls = BTreeMap::new();
    let open = plane.store.unfinished(None, now, CALLS_MAX).await?;
    let more = open.len() >= CALLS_MAX;
    for id in open {
        let Some(stored) = plane.store.decision(id).await? else { continue };
        if hits::is_about(&order.scope, &stored.decision, directory) {
            *calls.entry(stored.decision.system.clone()).or_default() += 1;
        }
    }
    Ok((calls, more))
}

async fn last_accepted(
    plane: &Plane,
    order: &Containment,
    system: &Name,
    directory: &Directory,
) -> Result<Option<Seen>, ControlError> {
    let filter = DecisionFilter {
        agent: order.scope.agent.clone(),
        system: Some(system.clone()),
        verdict: Some("allow".to_owned()),
        max: PAGE,
        ..DecisionFilter::default()
    };
    let page = plane.store.decisions(&filter).await?;
    let ours = page.decisions.iter().find(|stored| hits::is_about(&order.scope, &stored.decision, directory));
    Ok(ours.map(|stored| Seen { decision: stored.decision.id, at: stored.decision.at }))
}

async fn first_refused(
    plane: &Plane,
    order: &Containment,
    system: &Name,
    directory: &Directory,
) -> Result<Option<Seen>, ControlError> {
    let mut filter = DecisionFilter {
        agent: order.scope.agent.clone(),
        system: Some(system.clone()),
        verdict: Some("deny".to_owned()),
        since: Some(order.at),
        max: PAGE,
        ..DecisionFilter::default()
    };
    let mut first = None;
    for _page in 0..PAGES_MAX {
        let page = plane.store.decisions(&filter).await?;
        let mut ours =
            page.decisions.iter().filter(|stored| hits::is_about(&order.scope, &stored.decision, directory));
        first = ours
            .next_back()
            .map(|stored| Seen { decision: stored.decision.id, at: stored.decision.at })
            .or(first);
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => break,
        }
    }
    Ok(first)
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// Whether a system is to be looked at again. What is unknown is asked again, at growing distances.
fn is_due(known: &SystemEvidence, order: &Containment, now: Timestamp) -> bool {
    let wait = match (known.proof, known.rounds) {
        (Proof::Unknown, 0) => DurationMs(0),
        (Proof::Unknown, 1..=9) => DurationMs::from_secs(1),
        (Proof::Unknown, 10..=30) => DurationMs::from_secs(10),
        (Proof::Unknown, _) => DurationMs::from_mins(2),
        // The first refused call comes when it comes.
        (_, 0..=30) if known.first_refused.is_none() => DurationMs::from_secs(10),
        _ => DurationMs::from_mins(60),
    };
    now >= known.at.plus(wait) && order.is_in_force()
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const GATHER: Duration = Duration::from_millis(100);
const CLAIMED_FOR: DurationMs = DurationMs::from_secs(30);
const ALARM_AFTER_ROUNDS: u32 = 10;
const SAID_MAX: usize = 8;
/// Operations the decision point is asked about in one look at one system; what is beyond is said.
const ASKED_MAX: usize = 50_000;
/// Asked in a row before others get their turn.
const ASKED_BETWEEN: usize = 200;
const MINTED_MAX: usize = 1_000;
const CALLS_MAX: usize = 1_000;
const PAGE: usize = 200;
const PAGES_MAX: usize = 50;
