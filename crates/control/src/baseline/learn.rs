//! Learning what is usual, from the records alone: when a task has ended, its decisions and outcomes are read back, held against
//! what is usual so far, and counted; or put aside, if something was found about them.
//!
//! ```text
//! a change ends a task ─▶ its run, read from the records ─▶ notable, or found about? ─▶ put aside, and people are told
//! a charter changes ────▶ nothing is usual until a person looked              └ no ──▶ counted, if the day has room
//! ```
//!
//! How far the changes were read stands in the store; a row says up to which change it has counted, so nothing is counted twice,
//! whichever node does it and whatever stops in between.

use super::{changed, tell};
use crate::{
    Action, ControlError, Op, Operator, access_review,
    change::{Change, Draft},
    finding,
    plane::Plane,
};
use provost_domain::{
    Agent, Baseline, BaselineOf, Digest, Directory, DurationMs, Kind, Label, Object, ObjectKey, Seq, Task,
    Timestamp, Usual,
    finding::{About, FindingState},
    task::TaskStatus,
    usual::USUAL_RUNS_MIN,
};
use provost_store::{ChangeRecord, DecisionFilter, StoredDecision};
use provost_watch::{
    baseline, drift, kind,
    record::Recorded,
    run::{Ended, Marker, Run, STEPS_MAX},
    unusual::{self, Whose},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Learns for as long as the node lives. Of several nodes one does, in turns.
pub async fn follow(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match turn(&plane).await {
            Ok(_counted) => {}
            Err(error) => tracing::warn!(%error, "what is usual could not be learned; it is made up for"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

async fn turn(plane: &Arc<Plane>) -> Result<usize, ControlError> {
    let now = plane.now();
    let slot = now.as_millis().div_euclid(SLOT_MS);
    let claim = Digest::of(format!("baseline turn {slot}").as_bytes());
    if !plane.store.remember(claim, now.plus(CLAIMED_FOR), now).await? {
        return Ok(0);
    }
    once(plane).await
}

/// Reads what changed since the last time, and learns from it. Gives how many runs were counted or put aside.
///
/// # Errors
/// When the store fails: from the last position on it is read again.
pub async fn once(plane: &Arc<Plane>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "baseline".to_owned(), plane: Arc::clone(plane) };
    let mut position = crate::position::remembered(plane, POSITION, "runs were learned").await?;
    let mut learned = 0;
    loop {
        let records = plane.store.tail(position, PAGE).await?;
        let from = position;
        for record in &records {
            match &record.after {
                // Outcomes of calls that were under way when it ended are on their way still.
                Some(Object::Task(task))
                    if has_ended(task) && plane.now().since(record.at) < SETTLED_AFTER =>
                {
                    remember(plane, from, position).await?;
                    return Ok(learned);
                }
                Some(Object::Task(task)) if has_ended(task) => {
                    learned += usize::from(learn(&op, task, record).await?);
                }
                Some(Object::Agent(agent)) => heed(&op, agent, record).await?,
                _ => {}
            }
            position = record.seq;
        }
        remember(plane, from, position).await?;
        if records.len() < PAGE {
            return Ok(learned);
        }
    }
}

/// Whether this row says so first: what is written into it afterwards is not another end.
fn has_ended(task: &Task) -> bool {
    task.status == TaskStatus::Ended && task.trial.is_none()
}

async fn remember(plane: &Plane, before: Seq, after: Seq) -> Result<(), ControlError> {
    if after > before {
        plane.store.put_meta(POSITION, after.0.to_string().as_bytes()).await?;
    }
    Ok(())
}

/// Counts the run of a task that ended, or puts it aside. False when there was nothing to count, or no room.
async fn learn(op: &Op, task: &Task, record: &ChangeRecord) -> Result<bool, ControlError> {
    let plane = &op.plane;
    plane.replica.catch_up().await?;
    let view = plane.replica.latest();
    let directory = &view.directory;
    let Some(agent) = directory.agents.get(&task.agent) else { return Ok(false) };
    if *agent.provenance.source == *provost_domain::drill::SOURCE {
        return Ok(false);
    }
    let whose = whose(directory, agent, task);
    let room = |of: &BaselineOf| {
        directory
            .baseline(of)
            .is_none_or(|row| row.learned < record.seq && baseline::has_room(&row.usual, record.at))
    };
    if !whose.iter().any(room) {
        return Ok(false);
    }
    let recorded = read(plane, directory, agent, task).await?;
    if recorded.run.steps.is_empty() {
        return Ok(false);
    }
    let notable = measured(op, (agent, task), &recorded).await;
    let found = notable || is_found(directory, task, record.at);
    let count = |row: &mut Baseline| match found {
        true => baseline::put_aside(&mut row.usual, &recorded.run, record.at),
        false => baseline::learn(&mut row.usual, &recorded.run, record.at),
    };
    let of_agent = BaselineOf::Agent { agent: agent.name.clone() };
    let first = directory.baseline(&of_agent).and_then(|row| first_use(&row.usual, &recorded.run));
    let counted = commit(op, &whose, record, count).await?;
    if let Some(first) = first.filter(|_| counted) {
        access_review::open_for(op, &agent.name, &first).await;
    }
    Ok(counted)
}

/// A tool or data that a run used and no run before it, of an agent whose ways are known: whoever answers for it looks at what it
/// may do (REQUIREMENTS.md H2).
fn first_use(usual: &Usual, run: &Run) -> Option<String> {
    if usual.reference.runs < USUAL_RUNS_MIN {
        return None;
    }
    let counts = [&usual.reference, &usual.recent, &usual.aside];
    let mut done = run.steps.iter().filter(|step| matches!(step.ended, Ended::Done | Ended::Failed));
    done.find_map(|step| {
        let known = counts.iter().any(|counts| counts.tools.contains_key(&step.tool));
        let new = |label: &&Label| !counts.iter().any(|counts| counts.labels.contains_key(*label));
        match known {
            false => Some(format!("it used {} for the first time", step.tool)),
            true => {
                step.labels.iter().find(new).map(|label| format!("it read {label} data for the first time"))
            }
        }
    })
}

/// For whom the run counts; an agent has only so many kinds of task, what is beyond counts as its own alone.
fn whose(directory: &Directory, agent: &Agent, task: &Task) -> Vec<BaselineOf> {
    let mut whose = kind::whose(agent, task);
    let full = directory.baselines_of(&agent.name).count() > KINDS_MAX;
    whose.retain(|of| !full || !matches!(of, BaselineOf::Kind { .. }) || directory.baseline(of).is_some());
    whose
}

async fn commit(
    op: &Op,
    whose: &[BaselineOf],
    record: &ChangeRecord,
    count: impl Fn(&mut Baseline) -> bool,
) -> Result<bool, ControlError> {
    let authorised = op.authorize(Action::BaselineLearn)?;
    let keys: Vec<ObjectKey> = whose.iter().map(|of| ObjectKey::new(Kind::Baseline, of.key())).collect();
    let (_seq, rows) = authorised
        .change(&keys, "a task ended", |seen| {
            let mut rows = Vec::new();
            for of in whose {
                let known = seen.directory.baseline(of).map(|row| row.as_ref().clone());
                let mut row = known.unwrap_or_else(|| Baseline::begun(of.clone(), record.at));
                if row.learned < record.seq && count(&mut row) {
                    (row.learned, row.last) = (record.seq, record.at);
                    rows.push(row);
                }
            }
            let drafts = rows.iter().map(|row| Draft::Put(Object::Baseline(Box::new(row.clone()))));
            let drafts: Vec<Draft> = drafts.collect();
            Ok(Change { drafts, what: "what is usual".to_owned(), answer: rows })
        })
        .await?;
    for row in &rows {
        tell::shift(op, row).await;
        tell::unlike(op, row).await;
    }
    Ok(!rows.is_empty())
}

/// The run of a task, from its decisions and outcomes; the first so many calls.
async fn read(
    plane: &Plane,
    directory: &Directory,
    agent: &Agent,
    task: &Task,
) -> Result<Recorded, ControlError> {
    let mut decisions: Vec<StoredDecision> = Vec::new();
    let mut filter =
        DecisionFilter { task: Some(task.id), max: plane.limits.page_size_max, ..DecisionFilter::default() };
    loop {
        let page = plane.store.decisions(&filter).await?;
        decisions.extend(page.decisions);
        filter.cursor = page.next;
        if filter.cursor.is_none() || decisions.len() >= READ_MAX {
            break;
        }
    }
    let marker = Marker::of(agent.name.as_str());
    let mut recorded = Recorded::begun(task.started);
    for stored in decisions.iter().rev().take(STEPS_MAX) {
        let what = (&stored.decision, stored.completion.as_ref());
        recorded.read(what, (directory, &agent.charter), &marker);
    }
    Ok(recorded)
}

/// How unusual the whole run was, as no single node may have seen it. Says whether people were told.
async fn measured(op: &Op, (agent, task): (&Agent, &Task), recorded: &Recorded) -> bool {
    let view = op.plane.replica.latest();
    let known = |of: BaselineOf| view.directory.baseline(&of).cloned();
    let kind = kind::of(&task.purpose);
    let of_kind = kind.clone().and_then(|kind| known(BaselineOf::Kind { agent: agent.name.clone(), kind }));
    let of_agent = known(BaselineOf::Agent { agent: agent.name.clone() });
    let peers = kind::of(&agent.charter.purpose).and_then(|purpose| known(BaselineOf::Purpose { purpose }));
    let against = drift::Against {
        kind: of_kind.as_ref().map(|row| &row.usual),
        agent: of_agent.as_ref().map(|row| &row.usual),
        peers: peers.as_ref().map(|row| &row.usual),
    };
    let drift = drift::drift(&recorded.run, &task.purpose, &against);
    if drift.score < drift::NOTABLE {
        return false;
    }
    let whose =
        Whose { agent: &agent.name, task: task.id, kind: kind.as_deref(), runs: against.runs().unwrap_or(0) };
    let shown = unusual::evidence(&drift, &recorded.decisions);
    if let Some(sighting) = unusual::sighting(whose, &drift, &shown) {
        finding::try_raise(op, &sighting).await;
    }
    true
}

/// Whether something was found about this run: about the task itself, or about its agent while it ran.
fn is_found(directory: &Directory, task: &Task, ended: Timestamp) -> bool {
    let of_task = |about: &About, last: Timestamp| {
        about.task == Some(task.id)
            || about.agent.as_ref() == Some(&task.agent) && last >= task.started && last <= ended
    };
    directory.findings.values().any(|row| {
        let dismissed = matches!(row.state, FindingState::Closed { .. });
        !dismissed && !OWN_KINDS.contains(&row.kind.as_str()) && of_task(&row.about, row.last)
    })
}

/// A charter that lets the agent do more, or makes it of something else, is a proposal to change what is usual.
async fn heed(op: &Op, agent: &Agent, record: &ChangeRecord) -> Result<(), ControlError> {
    let before = before(op, record).await?;
    let Some(before) = before else { return Ok(()) };
    let made_of = provost_lifecycle::bill::is_remade(&before, agent);
    if before.revision == agent.revision && !made_of {
        return Ok(());
    }
    let more = !provost_lifecycle::narrower::charter(&before.charter, &agent.charter);
    let what = match (made_of, more) {
        (true, _) => "changes what the agent is made of",
        (false, true) => "lets the agent do something else",
        (false, false) => return Ok(()),
    };
    let what = format!("charter revision {} {what}", agent.revision);
    if changed(op, &agent.name, &what).await? > 0 {
        tell::proposed(op, &agent.name, &what).await;
    }
    Ok(())
}

/// The row as it was before this change.
async fn before(op: &Op, record: &ChangeRecord) -> Result<Option<Agent>, ControlError> {
    let Some(version) = record.version.checked_sub(1).filter(|version| *version > 0) else { return Ok(None) };
    let history = op.plane.store.history(&record.key, HISTORY_MAX).await?;
    let found = history.into_iter().find(|earlier| earlier.version == version);
    Ok(found.and_then(|earlier| match earlier.after {
        Some(Object::Agent(agent)) => Some(agent),
        _ => None,
    }))
}

/// Tasks that ended by here are learned.
const POSITION: &str = "baseline-position";
/// What these findings say is no reason to put a run aside.
const OWN_KINDS: [&str; 3] = ["baseline-proposed", "baseline-shift", "baseline-unlike"];
const PAGE: usize = 500;
const HISTORY_MAX: usize = 100;
/// Decisions of one task that are read.
const READ_MAX: usize = 4 * STEPS_MAX;
/// Kinds of task that an agent has.
const KINDS_MAX: usize = 16;
const LOOK_EVERY: Duration = Duration::from_secs(5);
const SLOT_MS: i64 = 5_000;
const CLAIMED_FOR: DurationMs = DurationMs::from_secs(30);
/// So long after its end the outcomes of a task's last calls are on record.
const SETTLED_AFTER: DurationMs = DurationMs::from_secs(5);
