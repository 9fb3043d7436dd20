//! Drills: the kill switch, tried before it is needed. A canary twin of an agent gets the same charter under a name of its own;
//! it asks harmless questions at the plane's own faces, over a real socket; an order at `off` about it is given, measured, proven
//! like any other, and taken back.
//!
//! ```text
//! twin active ─▶ task ─▶ asks and listens ─▶ order ─▶ first refusal, end of what was in flight ─▶ proof ─▶ restored
//! ```
//!
//! Nothing real is touched: the twin's token never leaves this node, it calls no tool, and what it asks is whether it might call
//! one that only reads. A node that dies in a drill leaves a row that says `running`, a suspended or contained twin, and an order
//! about nobody else; the next drill of the agent takes all of it up.

mod measure;

use crate::{
    Action, ControlError, Op, Operator,
    access::Authorised,
    change::{Change, Draft},
    containment, finding,
    page::page,
    plane::Plane,
};
use provost_api::{
    Page,
    drill::{DrillQuery, DrillRun, DrillView, MeasuredView},
};
use provost_domain::{
    Agent, AgentStatus, Digest, Directory, Drill, DurationMs, Kind, Name, Object, ObjectKey, Severity,
    Sighting, Timestamp,
    agent::Provenance,
    containment::Who,
    drill::{DrillPlan, DrillState, Measured, SOURCE},
    finding::About,
    ids::AgentId,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Carries out a drill, and answers when everything is restored.
///
/// # Errors
/// When the operator may not, nobody has that name, or it has nothing harmless to ask. What went wrong on the way is no error but
/// a drill that failed.
pub async fn run(op: &Op, wanted: DrillRun) -> Result<DrillView, ControlError> {
    op.authorize(Action::DrillRun)?;
    let by = containment::who(op, None)?;
    let target = wanted.target.map_or(TARGET, |target| target.0);
    let op = op.clone();
    // Also when whoever asked hangs up: a drill is never left half-way.
    let carried_out = tokio::spawn(async move { carry_out(&op, &wanted.agent, None, (by, target)).await });
    let drill = carried_out.await.map_err(|error| ControlError::us("a drill broke down", error))??;
    Ok(view(&drill))
}

/// Drills, newest first.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: DrillQuery) -> Result<Page<DrillView>, ControlError> {
    op.authorize(Action::DrillRead)?;
    let view_of_plane = op.plane.replica.latest();
    let wanted = |drill: &Drill| query.agent.as_ref().is_none_or(|agent| drill.agent == *agent);
    let rows = view_of_plane.directory.drills.values().filter(|drill| wanted(drill));
    let newest = |drill: &Drill| i64::MAX.saturating_sub(drill.at.as_millis());
    let rows = rows.map(|drill| (format!("{:020}/{}", newest(drill), drill.id), drill)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |drill| view(drill))
}

/// One drill.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<DrillView, ControlError> {
    op.authorize(Action::DrillRead)?;
    let found = op.plane.replica.latest().directory.drills.get(id).cloned();
    found
        .map(|drill| view(&drill))
        .ok_or_else(|| ControlError::unknown("drill", &id.chars().take(80).collect::<String>()))
}

/// Carries out what files say is due, for as long as the node lives. Of several nodes one does it.
pub async fn follow(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        for (name, plan) in due(&plane) {
            let op =
                Op { subject: Operator::Plane, request_id: "drill".to_owned(), plane: Arc::clone(&plane) };
            if let Err(error) = by_plan(&op, &name, &plan).await {
                let what = format!("a drill of {} is due and could not be carried out: {error}", plan.agent);
                tell(&op, "drill-missed", name.as_str(), &plan.agent, what).await;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY.to_std()) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

async fn by_plan(op: &Op, name: &Name, plan: &DrillPlan) -> Result<(), ControlError> {
    op.authorize(Action::DrillRun)?;
    let (plane, now) = (&op.plane, op.plane.now());
    let last = last_of(&plane.replica.latest().directory, name).unwrap_or(Timestamp::from_millis(0));
    let claim = Digest::of(format!("drill {name} {}", last.as_millis()).as_bytes());
    if !plane.store.remember(claim, now.plus(CLAIMED_FOR), now).await? {
        return Ok(());
    }
    let by = Who { person: None, shown_by: op.subject.to_string() };
    let drill = carry_out(op, &plan.agent, Some(name.clone()), (by, plan.target)).await?;
    if drill.passed() == Some(false) {
        let why = view(&drill).why.join("; ");
        tell(op, "drill-failed", name.as_str(), &plan.agent, format!("{} failed: {why}", drill.id)).await;
    }
    Ok(())
}

/// A drill that was missed or failed is something that people should know.
async fn tell(op: &Op, kind: &str, key: &str, agent: &Name, what: String) {
    tracing::error!(%agent, what, "ALARM: a drill");
    let sighting = Sighting::new(kind, key, Severity::High, what).about(About::agent(agent));
    finding::try_raise(op, &sighting).await;
}

/// The plans whose time has come.
fn due(plane: &Plane) -> Vec<(Name, DrillPlan)> {
    let view = plane.replica.latest();
    let now = plane.now();
    let plans = view.directory.organisation.as_deref().map(|all| all.drills.clone()).unwrap_or_default();
    let is_due = |(name, plan): &(Name, DrillPlan)| {
        last_of(&view.directory, name).is_none_or(|last| now >= last.plus(plan.every))
    };
    plans.into_iter().filter(is_due).collect()
}

fn last_of(directory: &Directory, plan: &Name) -> Option<Timestamp> {
    let ours = directory.drills.values().filter(|drill| drill.plan.as_ref() == Some(plan));
    ours.map(|drill| drill.at).max()
}

async fn carry_out(
    op: &Op,
    agent: &Name,
    plan: Option<Name>,
    (by, target): (Who, DurationMs),
) -> Result<Drill, ControlError> {
    let authorised = op.authorize(Action::DrillRun)?;
    let id = format!("drill_{}", hex::encode(op.plane.random::<12>()));
    let state = DrillState::Running;
    let drill = Drill { id, agent: agent.clone(), plan, by, at: op.plane.now(), target, state };
    let twin = prepare(&authorised, &drill).await?;
    let measured = measure::measure(&authorised, &drill, &twin).await;
    let restored = restore(&authorised, &drill, &twin.name).await;
    let state = match (measured, restored) {
        (Ok(measured), Ok(())) => DrillState::Done(Measured { at: op.plane.now(), ..measured }),
        (Err(error), _) | (Ok(_), Err(error)) => DrillState::Failed {
            at: op.plane.now(),
            why: error.to_string().chars().take(WHY_CHARS_MAX).collect(),
        },
    };
    let drill = Drill { state, ..drill };
    let key = ObjectKey::drill(&drill.id);
    let what = format!("drill of {agent} {}", if drill.passed() == Some(true) { "passed" } else { "failed" });
    authorised
        .change(&[key], "what it measured", |_seen| {
            let drafts = vec![Draft::Put(Object::Drill(Box::new(drill.clone())))];
            Ok(Change { drafts, what: what.clone(), answer: () })
        })
        .await?;
    Ok(drill)
}

/// The twin, as its agent is now, and the row of the drill.
async fn prepare(authorised: &Authorised<'_>, drill: &Drill) -> Result<Agent, ControlError> {
    let plane = &authorised.op.plane;
    let name = twin_of(&drill.agent)?;
    let keys = [agent_key(&name), ObjectKey::drill(&drill.id)];
    let (_seq, twin) = authorised
        .change(&keys, &format!("drill of {}", drill.agent), |seen| {
            let agent = seen.directory.agents.get(&drill.agent);
            let agent = agent.ok_or_else(|| ControlError::unknown("agent", drill.agent.as_str()))?;
            if agent.status == AgentStatus::Decommissioned || is_twin(agent) {
                return Err(ControlError::refused(format!("{} is nothing to be drilled", agent.name)));
            }
            let mut charter = agent.charter.clone();
            charter.purpose =
                format!("Canary of {}: is stopped in drills, and does nothing else", agent.name).into();
            let twin = match seen.directory.agents.get(&name) {
                Some(twin) if !is_twin(twin) => {
                    return Err(ControlError::conflict(format!(
                        "`{name}` is the name of an agent that is no canary"
                    ))
                    .cure("rename that agent; names of canaries begin with `canary-`"));
                }
                Some(twin) => {
                    let mut twin = twin.as_ref().clone();
                    if twin.charter != charter {
                        twin.revision = twin.revision.saturating_add(1);
                    }
                    Agent { status: AgentStatus::Active, charter, ..twin }
                }
                None => Agent {
                    id: AgentId::new(plane.now(), plane.random()),
                    name: name.clone(),
                    status: AgentStatus::Active,
                    level: Default::default(),
                    revision: 1,
                    charter,
                    provenance: Provenance {
                        created_by: drill.by.to_string().into(),
                        created_at: plane.now(),
                        source: SOURCE.into(),
                        revised: None,
                    },
                    loosening: None,
                    proofs: Vec::new(),
                    life: None,
                },
            };
            let drafts = vec![
                Draft::Put(Object::Agent(twin.clone())),
                Draft::Put(Object::Drill(Box::new(drill.clone()))),
            ];
            Ok(Change { drafts, what: format!("{name} made ready"), answer: twin })
        })
        .await?;
    Ok(twin)
}

/// Everything as before: the order about the twin lifted, the twin asleep, its tasks over.
async fn restore(authorised: &Authorised<'_>, drill: &Drill, twin: &Name) -> Result<(), ControlError> {
    let view = authorised.op.plane.replica.latest();
    let mut keys = vec![agent_key(twin)];
    let ours = |row: &&Arc<provost_domain::Containment>| row.drill && row.scope.agent.as_ref() == Some(twin);
    keys.extend(view.directory.containments.values().filter(ours).map(|row| ObjectKey::containment(&row.id)));
    let tasks = view.directory.tasks.values().filter(|task| task.agent == *twin);
    keys.extend(tasks.map(|task| ObjectKey::task(task.id)));
    drop(view);
    let now = authorised.op.plane.now();
    authorised
        .change(&keys, &format!("{} is over", drill.id), |seen| {
            let mut drafts = Vec::new();
            for key in &keys {
                match seen.directory.get(key) {
                    Some(Object::Agent(row)) if row.status == AgentStatus::Active => {
                        let status = AgentStatus::Suspended;
                        drafts.push(Draft::Put(Object::Agent(Agent { status, ..row })));
                    }
                    Some(Object::Task(row)) => {
                        drafts.push(Draft::Put(Object::Task(provost_lifecycle::task::end(&row))));
                    }
                    Some(Object::Containment(row)) => {
                        drafts.push(containment::restored(&row, &drill.id, now)?)
                    }
                    _ => {}
                }
            }
            Ok(Change { drafts, what: format!("{twin} restored"), answer: () })
        })
        .await
        .map(drop)
}

/// The canary of an agent.
fn twin_of(agent: &Name) -> Result<Name, ControlError> {
    let name: String = format!("canary-{agent}").chars().take(NAME_CHARS_MAX).collect();
    name.parse().map_err(|error: provost_domain::NameError| ControlError::caller(error.to_string()))
}

/// Whether an agent is a canary.
#[must_use]
pub fn is_twin(agent: &Agent) -> bool {
    agent.provenance.source.as_ref() == SOURCE
}

fn agent_key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Agent, name.as_str())
}

fn view(drill: &Drill) -> DrillView {
    let (measured, why) = match &drill.state {
        DrillState::Running => (None, Vec::new()),
        DrillState::Failed { why, .. } => (None, vec![why.clone()]),
        DrillState::Done(measured) => (Some(measured), failures(measured, drill.target)),
    };
    let result = match drill.passed() {
        None => "running",
        Some(true) => "passed",
        Some(false) => "failed",
    };
    DrillView {
        id: drill.id.clone(),
        agent: drill.agent.clone(),
        plan: drill.plan.clone(),
        by: drill.by.to_string(),
        at: drill.at.into(),
        target: drill.target.into(),
        result: result.to_owned(),
        why,
        measured: measured.map(|measured| MeasuredView {
            order: measured.order.clone(),
            acknowledged: measured.acknowledged.into(),
            first_refused: measured.first_refused.into(),
            last_ended: measured.last_ended.into(),
            calls: measured.calls,
            late: measured.late,
            systems: measured
                .systems
                .iter()
                .map(|(name, proof)| format!("{name} {}", proof.as_str()))
                .collect(),
        }),
    }
}

fn failures(measured: &Measured, target: DurationMs) -> Vec<String> {
    let mut why = Vec::new();
    if measured.late > 0 {
        why.push(format!("{} calls that began after the acknowledgement were let through", measured.late));
    }
    for (what, took) in [
        ("the first refusal", measured.first_refused),
        ("the end of what was in flight", measured.last_ended),
    ] {
        if took > target {
            why.push(format!("{what} took {took}, and the target is {target}"));
        }
    }
    let unknown =
        measured.systems.iter().filter(|(_, proof)| **proof == provost_domain::containment::Proof::Unknown);
    why.extend(unknown.map(|(name, _)| format!("it is not known whether {name} was contained")));
    why
}

const TARGET: DurationMs = DurationMs::from_secs(1);
const NAME_CHARS_MAX: usize = 64;
const WHY_CHARS_MAX: usize = 500;
const LOOK_EVERY: DurationMs = DurationMs::from_mins(1);
/// Longer than a drill lasts.
const CLAIMED_FOR: DurationMs = DurationMs::from_mins(10);
