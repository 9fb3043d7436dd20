//! Gone, not dormant (REQUIREMENTS.md B5), also long after: agents that are over are tried on schedule. Of each the newest task is
//! presented again at the node's own faces, by the machinery of [`crate::gone`], and what was minted for it must be gone. What
//! still answers is a finding; the row says when it was tried.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    finding, gone,
};
use provost_domain::{
    Agent, AgentStatus, Directory, DurationMs, Kind, Name, Object, ObjectKey, Severity, Sighting, Task,
    TaskId, Timestamp,
    finding::About,
    task::{ProbeAnswer, TaskStatus},
};
use provost_store::DecisionFilter;

/// Tries those whose time has come, a bounded part. Gives how many.
///
/// # Errors
/// When the store fails.
pub(super) async fn once(op: &Op) -> Result<usize, ControlError> {
    // A node that does not listen has no faces to try.
    let Some(door) = op.plane.door.get().cloned() else { return Ok(0) };
    let directory = op.plane.replica.latest().directory.clone();
    let due: Vec<Name> = due(&directory, op.plane.now()).take(AT_ONCE).collect();
    for name in &due {
        let mut alive: Vec<String> = owed(&directory, name, op.plane.now());
        if let Some(task) = last_task(op, name).await? {
            for probe in gone::try_all(&op.plane, &door, &task).await? {
                op.plane.metrics.tried(probe.answer);
                if probe.answer == ProbeAnswer::Accepted {
                    alive.push(format!("{} takes a token of {}", probe.face, task.id));
                }
            }
        }
        if !alive.is_empty() {
            let what = format!("{name} is over, and something of it still answers: {}", alive.join("; "));
            let sighting = Sighting::new(KIND, name.to_string(), Severity::Critical, what)
                .about(About::agent(name))
                .evidence(alive);
            finding::raise(op, &sighting).await?;
        }
        swept(op, name).await?;
    }
    Ok(due.len())
}

/// Agents that are over and were not tried for as long as the organisation says.
fn due(directory: &Directory, now: Timestamp) -> impl Iterator<Item = Name> {
    let every = provost_lifecycle::upkeep::rules(directory).swept;
    let due = move |agent: &Agent| {
        let last = agent.life.as_ref().and_then(|life| life.swept);
        is_over(agent, now) && last.is_none_or(|last| now.since(last) >= every)
    };
    directory.agents.values().filter(move |agent| due(agent)).map(|agent| agent.name.clone())
}

/// Ended for ever, or expired.
pub(super) fn is_over(agent: &Agent, now: Timestamp) -> bool {
    let canary = agent.provenance.source.as_ref() == provost_domain::drill::SOURCE;
    let expired = agent.charter.retirement.expires.is_some_and(|expires| now >= expires);
    let stopped = agent.status == AgentStatus::Suspended && expired;
    !canary && (agent.status == AgentStatus::Decommissioned || stopped)
}

/// What was minted for it and should have been dropped by now.
fn owed(directory: &Directory, name: &Name, now: Timestamp) -> Vec<String> {
    let minted = directory.minted.values().filter(|row| row.agent == *name && row.is_owed());
    let late = minted.filter(|row| now.since(row.made) >= DROPPED_WITHIN);
    late.map(|row| format!("{} {} at {} was not seen to be gone", row.what, row.id, row.system)).collect()
}

/// The newest task that it decided anything in, once that has ended. One that never decided anything has no task that could be
/// found by it: it is tried with one that never was, which every face must refuse as it refuses one that ended.
async fn last_task(op: &Op, name: &Name) -> Result<Option<Task>, ControlError> {
    let filter = DecisionFilter { agent: Some(name.clone()), max: 1, ..DecisionFilter::default() };
    let page = op.plane.store.decisions(&filter).await?;
    let id: Option<TaskId> = page.decisions.first().and_then(|stored| stored.decision.subject.task);
    let Some(id) = id else { return Ok(never_was(op, name)) };
    let last = op.plane.store.history(&ObjectKey::task(id), 1).await?.pop();
    Ok(match last.and_then(|record| record.after) {
        Some(Object::Task(task)) if task.status == TaskStatus::Ended => Some(task),
        _ => None,
    })
}

fn never_was(op: &Op, name: &Name) -> Option<Task> {
    let now = op.plane.now();
    let agent = op.plane.replica.latest().directory.agents.get(name).cloned()?;
    let mut task = provost_policy::running(
        &agent,
        TaskId::new(now, op.plane.random()),
        agent.charter.owner.clone(),
        now,
    );
    task.status = TaskStatus::Ended;
    Some(task)
}

/// That it was tried, on its row, so that no node does it again at once.
async fn swept(op: &Op, name: &Name) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::AgentKeep)?;
    let now = op.plane.now();
    authorised
        .change(&[ObjectKey::new(Kind::Agent, name.as_str())], "it is over, and must be gone", |seen| {
            let row = seen.directory.agents.get(name).map(|row| row.as_ref().clone());
            let row = row.map(|row| row.living(|life| life.swept = Some(now)));
            let drafts = row.map(|row| Draft::Put(Object::Agent(row))).into_iter().collect();
            Ok(Change { drafts, what: format!("{name} tried after its end"), answer: () })
        })
        .await
        .map(drop)
}

pub(super) const KIND: &str = "agent-zombie";
/// Agents that are tried in one look.
const AT_ONCE: usize = 20;
/// What is minted is dropped within minutes of the end of its task.
const DROPPED_WITHIN: DurationMs = DurationMs::from_mins(60);
