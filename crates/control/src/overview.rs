//! What whoever keeps watch sees first: what runs, what was refused or held, what is wrong, what changed.

use crate::{Action, ControlError, Op, care, decision, diff, tally};
use provost_api::{
    agent::ChangeView,
    decision::{DecisionQuery, DecisionSummary, TallyQuery, TallyView, VerdictWord},
    plane::Status,
};
use provost_domain::{
    AgentStatus, Approval, Directory, DurationMs, Kind, Minted, Name, Object, Seq, Severity, Task, TaskId,
    Timestamp, approval::ApprovalStatus,
};
use provost_store::ChangeRecord;
use std::collections::BTreeMap;

/// The plane at one glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// How the plane is.
    pub status: Status,
    /// Agents with tasks that run, those with most first, at most 12.
    pub running: Vec<Running>,
    /// The last that were refused, newest first, at most 6.
    pub denied: Vec<DecisionSummary>,
    /// The last that were held, newest first, at most 6.
    pub held: Vec<DecisionSummary>,
    /// Approvals that wait for a person's answer.
    pub waiting: usize,
    /// Orders that stop something.
    pub contained: usize,
    /// Findings that nobody has dealt with, by severity.
    pub findings: BTreeMap<Severity, usize>,
    /// How many decisions there were in the last hours.
    pub pace: TallyView,
    /// What a person has to look at, worst first; empty when all is well.
    pub wrong: Vec<Wrong>,
    /// The newest changes of the organisation, newest first, at most 10.
    pub changes: Vec<ChangeView>,
}

/// An agent that has tasks running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Which agent.
    pub agent: Name,
    /// How many of its tasks run.
    pub tasks: usize,
    /// The newest of them.
    pub newest: TaskId,
    /// What that one is for.
    pub purpose: String,
}

/// Something a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Whether the plane's promise is broken, or something only waits for a person.
    pub alarm: bool,
    /// What.
    pub what: String,
    /// What it means, or what to do.
    pub means: String,
    /// The row it is about.
    pub about: About,
}

/// What something is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The plane.
    Plane,
    /// Agents in this state.
    Agents(AgentStatus),
    /// A task.
    Task(TaskId),
    /// A decision.
    Decision(provost_domain::DecisionId),
    /// A system.
    System(Name),
}

/// The plane at one glance.
///
/// # Errors
/// When the operator may not look at the plane, its decisions and its tasks, or the store fails.
pub async fn show(op: &Op) -> Result<Overview, ControlError> {
    op.authorize(Action::TaskRead)?;
    let status = care::status(op).await?;
    let view = op.plane.replica.latest();
    let now = op.plane.now();
    let newest = newest(op, now).await?;
    let records = recent_changes(op, view.directory.seq).await?;
    let mut wrong = of_the_plane(op, &status).await;
    wrong.extend(of_trials(op, &records));
    wrong.extend(of_calls(op, &newest, now).await?);
    wrong.extend(of_minted(&view.directory, now));
    wrong.extend(of_agents(&status));
    // Who signs in and out is no change of the organisation.
    let changes =
        records.into_iter().rev().filter(|record| record.key.kind != Kind::Session).take(CHANGES_MAX);
    Ok(Overview {
        running: running(&view.directory, now),
        denied: last(op, VerdictWord::Deny).await?,
        held: last(op, VerdictWord::Hold).await?,
        waiting: waiting(&view.directory, now),
        contained: view.directory.containments.len(),
        findings: crate::finding::waiting(op),
        pace: tally::show(op, &TallyQuery::default()).await?,
        wrong,
        changes: changes.flat_map(|record| diff::history(vec![record])).collect(),
        status,
    })
}

fn running(directory: &Directory, now: Timestamp) -> Vec<Running> {
    let mut by_agent: BTreeMap<&Name, (usize, &Task)> = BTreeMap::new();
    for task in directory.tasks.values().filter(|task| task.is_live(now)) {
        let entry = by_agent.entry(&task.agent).or_insert((0, task));
        entry.0 = entry.0.saturating_add(1);
        if task.id > entry.1.id {
            entry.1 = task;
        }
    }
    let mut rows: Vec<Running> = by_agent
        .into_iter()
        .map(|(agent, (tasks, newest))| Running {
            agent: agent.clone(),
            tasks,
            newest: newest.id,
            purpose: newest.purpose.to_string(),
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.tasks, row.newest)));
    rows.truncate(RUNNING_MAX);
    rows
}

fn waiting(directory: &Directory, now: Timestamp) -> usize {
    let waits = |row: &&Approval| matches!(row.status, ApprovalStatus::Waiting) && now < row.expires;
    directory.approvals.values().map(AsRef::as_ref).filter(waits).count()
}

async fn last(op: &Op, verdict: VerdictWord) -> Result<Vec<DecisionSummary>, ControlError> {
    let query = DecisionQuery { verdict: Some(verdict), limit: Some(LAST_MAX), ..DecisionQuery::default() };
    Ok(decision::list(op, query).await?.items)
}

async fn newest(op: &Op, now: Timestamp) -> Result<Vec<DecisionSummary>, ControlError> {
    let since = Timestamp::from_millis(now.as_millis().saturating_sub(LOOKED_AT));
    let query =
        DecisionQuery { since: Some(since.into()), limit: Some(NEWEST_MAX), ..DecisionQuery::default() };
    Ok(decision::list(op, query).await?.items)
}

async fn of_the_plane(op: &Op, status: &Status) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let alarm =
        |what: String, means: &str| Wrong { alarm: true, what, means: means.to_owned(), about: About::Plane };
    if !status.deciding {
        wrong.push(alarm(
            format!(
                "this node last heard of the store {} ago; at most {} is allowed",
                status.age, status.staleness_max
            ),
            "every call through it is refused until the store answers again",
        ));
    }
    let checks = care::readiness(&op.plane).await.checks;
    for check in checks.into_iter().filter(|check| !check.ok && check.name != "lease") {
        wrong.push(alarm(format!("{}: {}", check.name, check.detail), "look at the node's log"));
    }
    wrong
}

/// What the plane met when it tried tasks that had ended.
fn of_trials(op: &Op, records: &[ChangeRecord]) -> Vec<Wrong> {
    let mut found: BTreeMap<TaskId, Wrong> = BTreeMap::new();
    for record in records {
        let Some(Object::Task(task)) = &record.after else { continue };
        let Some(trial) = task.trial.as_deref() else { continue };
        if trial.is_gone() {
            found.remove(&task.id);
            continue;
        }
        let alarm = trial.probes.iter().any(|probe| probe.answer.as_str() == "accepted");
        let faces = trial.probes.iter().filter(|probe| probe.answer.as_str() != "refused");
        let faces: Vec<&str> = faces.map(|probe| probe.face.as_str()).collect();
        let (what, means) = if alarm {
            ("still answered after the end of a task", "a token that must be worth nothing was not refused")
        } else {
            ("could not be asked whether they refuse an ended task", "the plane tries again by itself")
        };
        let what = format!("{} {what} of {}", faces.join(", "), task.agent);
        found.insert(task.id, Wrong { alarm, what, means: means.to_owned(), about: About::Task(task.id) });
    }
    let mut wrong: Vec<Wrong> = found.into_values().rev().take(EACH_MAX).collect();
    let still = op.plane.metrics.still_answering();
    if still > 0 && !wrong.iter().any(|wrong| wrong.alarm) {
        wrong.push(Wrong {
            alarm: true,
            what: format!("{still} tries of ended tasks were answered since this node started"),
            means: "look for `trial` in the history of the tasks that ended".to_owned(),
            about: About::Plane,
        });
    }
    wrong.sort_by_key(|wrong| !wrong.alarm);
    wrong
}

/// Calls of which nobody knows whether they happened.
async fn of_calls(op: &Op, newest: &[DecisionSummary], now: Timestamp) -> Result<Vec<Wrong>, ControlError> {
    let unknown = newest.iter().filter(|decision| decision.outcome == "unknown");
    let mut wrong: Vec<Wrong> = unknown
        .take(EACH_MAX)
        .map(|decision| Wrong {
            alarm: true,
            what: format!(
                "{} of {} was sent, and nobody knows what came of it",
                decision.tool, decision.subject
            ),
            means: "it may have happened: look at the system before it is tried again".to_owned(),
            about: About::Decision(decision.id),
        })
        .collect();
    let before = Timestamp::from_millis(now.as_millis().saturating_sub(UNFINISHED_AFTER));
    for id in op.plane.store.unfinished(None, before, EACH_MAX).await? {
        wrong.push(Wrong {
            alarm: false,
            what: "an allowed call has no outcome after five minutes".to_owned(),
            means: "it is under way still, or its node stopped and will say `unknown` when it is back"
                .to_owned(),
            about: About::Decision(id),
        });
    }
    Ok(wrong)
}

/// What was made at systems and should be gone.
fn of_minted(directory: &Directory, now: Timestamp) -> Vec<Wrong> {
    let over = |minted: &&Minted| {
        minted.is_owed() && !directory.tasks.get(&minted.task).is_some_and(|task| task.is_live(now))
    };
    let mut by_system: BTreeMap<&Name, (usize, bool)> = BTreeMap::new();
    for minted in directory.minted.values().map(AsRef::as_ref).filter(over) {
        let entry = by_system.entry(&minted.system).or_default();
        entry.0 = entry.0.saturating_add(1);
        entry.1 |= now.since(minted.made) > OWED_LONG;
    }
    let wrong = by_system.into_iter().map(|(system, (count, long))| Wrong {
        alarm: long,
        what: format!("{count} credentials made at {system} for tasks that are over are still to be dropped"),
        means: "the plane goes on trying; if it stays, see whether the system can be reached".to_owned(),
        about: About::System(system.clone()),
    });
    wrong.collect()
}

/// Agents that wait for a person.
fn of_agents(status: &Status) -> Vec<Wrong> {
    let states = [
        (
            AgentStatus::Unmanaged,
            "unmanaged",
            "they were seen and nobody answers for them: adopt or decommission them",
        ),
        (
            AgentStatus::PendingReapproval,
            "stopped until somebody approves them again",
            "what they are made of changed",
        ),
        (AgentStatus::Proposed, "proposed", "somebody has to look at their charter and activate them"),
    ];
    // Counted once, with the plane's status: there may be a hundred thousand.
    let count = |of: AgentStatus| status.agents.get(of.as_str()).copied().unwrap_or_default();
    let found = states.into_iter().map(|(status, words, means)| (status, count(status), words, means));
    found
        .filter(|(_, count, _, _)| *count > 0)
        .map(|(status, count, words, means)| {
            let agents = if count == 1 { "1 agent is".to_owned() } else { format!("{count} agents are") };
            Wrong {
                alarm: false,
                what: format!("{agents} {words}"),
                means: means.to_owned(),
                about: About::Agents(status),
            }
        })
        .collect()
}

async fn recent_changes(op: &Op, head: Seq) -> Result<Vec<ChangeRecord>, ControlError> {
    let after = Seq(head.0.saturating_sub(u64::try_from(LOOKED_BACK).unwrap_or_default()));
    Ok(op.plane.store.tail(after, LOOKED_BACK).await?)
}

/// Calls of the last hour are looked through for lost outcomes.
const LOOKED_AT: i64 = 60 * 60_000;
const NEWEST_MAX: usize = 500;
const LAST_MAX: usize = 6;
const RUNNING_MAX: usize = 12;
const CHANGES_MAX: usize = 10;
const EACH_MAX: usize = 5;
/// Changes that are looked through for tries of ended tasks.
const LOOKED_BACK: usize = 300;
const UNFINISHED_AFTER: i64 = 5 * 60_000;
const OWED_LONG: DurationMs = DurationMs::from_mins(5);
