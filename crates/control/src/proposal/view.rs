//! What people are shown of a proposal.

use super::{agents, lines, reach, settle::versions};
use crate::{ControlError, Op, approval::view::vote_view, diff};
use provost_api::{
    approval::MissingView,
    plan::{PlanStep, PlanWords},
    proposal::{AskedView, BrokenView, ProposalSummary, ProposalView},
};
use provost_domain::{
    Directory, Object, ObjectKey, Proposal, Timestamp,
    proposal::{ProposalStatus, Step},
};
use provost_lifecycle::proposal as life;

pub(super) fn summary(row: &Proposal, directory: &Directory) -> ProposalSummary {
    ProposalSummary {
        id: row.id.clone(),
        author: row.author.clone(),
        person: row.person.clone(),
        reason: row.reason.clone(),
        status: row.status.as_str().to_owned(),
        gates: row.gates.keys().cloned().collect(),
        agents: agents(row).collect(),
        environments: life::environments(row, directory).into_iter().collect(),
        rows: row.steps.len(),
        made: row.made.into(),
        until: row.expires.into(),
    }
}

/// The proposal, whole.
///
/// # Errors
/// When the store fails.
pub(crate) async fn view(op: &Op, row: &Proposal) -> Result<ProposalView, ControlError> {
    let plane = &op.plane;
    let (view, now) = (plane.replica.latest(), plane.now());
    let directory = &view.directory;
    let history = plane.store.history(&ObjectKey::proposal(&row.id), HISTORY_MAX).await?;
    let applied = matches!(row.status, ProposalStatus::Applied { .. });
    let waits = !row.is_over();
    let before = before(op, row).await?;
    let digest = row.digest().map_err(|error| ControlError::us("a proposal has no digest", error))?;
    Ok(ProposalView {
        summary: summary(row, directory),
        digest: digest.to_string(),
        steps: row.steps.iter().map(step).collect(),
        asks: row
            .gates
            .iter()
            .map(|(gate, asked)| AskedView {
                gate: gate.clone(),
                rows: asked.rows.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        signed: life::wants_signature(row, directory),
        missing: if waits { missing(row, directory, now) } else { Vec::new() },
        votes: row.votes.iter().map(vote_view).collect(),
        moved: if waits {
            moved(op, row).await?.iter().map(ToString::to_string).collect()
        } else {
            Vec::new()
        },
        reach: reach::reach(op, row, &before, directory),
        diffs: lines::diffs(row, &before),
        broken: row.broken.as_ref().map(|broken| BrokenView {
            by: broken.by.clone(),
            person: broken.person.clone(),
            reason: broken.reason.clone(),
            at: broken.at.into(),
        }),
        applied: history.first().filter(|_newest| applied).map(|record| record.seq.0),
        over: over(&row.status),
        history: diff::history(history).into_iter().map(without_lines).collect(),
    })
}

/// Each gate that still wants answers, and whose yes would count.
pub(crate) fn missing(row: &Proposal, directory: &Directory, now: Timestamp) -> Vec<MissingView> {
    let missing = life::missing(row, directory, now).into_iter();
    let view = |(gate, more): (String, u32)| {
        let approvers = life::approvers(row, directory, &gate, now);
        MissingView { gate, more, approvers }
    };
    missing.map(view).collect()
}

/// The rows that have moved since it was made.
pub(super) async fn moved(op: &Op, row: &Proposal) -> Result<Vec<ObjectKey>, ControlError> {
    let versions = versions(op, row).await?;
    Ok(life::moved(row, |key| versions.get(key).copied().unwrap_or(0)))
}

/// Each row that is written, as it stood when the proposal was made.
async fn before(op: &Op, row: &Proposal) -> Result<Vec<Option<Object>>, ControlError> {
    let mut rows = Vec::with_capacity(row.writes.len());
    for write in &row.writes {
        let found = match write.base() {
            0 => None,
            base => {
                let history = op.plane.store.history(&write.key(), HISTORY_MAX).await?;
                history.into_iter().find(|record| record.version == base).and_then(|record| record.after)
            }
        };
        rows.push(found);
    }
    Ok(rows)
}

fn over(status: &ProposalStatus) -> Option<String> {
    match status {
        ProposalStatus::Withdrawn { by, why, .. } => Some(format!("{by}: {why}")),
        ProposalStatus::Stale { why, .. } => Some(why.clone()),
        _ => None,
    }
}

fn step(step: &Step) -> PlanStep {
    let words = step.words.iter();
    PlanStep {
        verb: step.verb.clone(),
        kind: step.key.kind.as_str().to_owned(),
        key: step.key.key.clone(),
        words: words
            .map(|words| PlanWords { text: words.text.clone(), reach: words.reach.clone() })
            .collect(),
        reach: step.reach.clone(),
    }
}

/// A proposal holds whole rows: what changed in it is told by its votes.
fn without_lines(change: provost_api::agent::ChangeView) -> provost_api::agent::ChangeView {
    provost_api::agent::ChangeView { summary: Vec::new(), ..change }
}

const HISTORY_MAX: usize = 100;
