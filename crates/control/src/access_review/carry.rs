//! What was answered, or proposed and not answered in time, carried out: a narrower revision of the charter in the transaction that
//! ends the review, and afterwards each tool that was taken is asked for at the decision point.

use super::{asks, life};
use crate::{
    Action, ControlError, Op,
    access::Authorised,
    change::{Change, Draft},
    finding,
};
use provost_domain::{
    AccessReview, Directory, DurationMs, Kind, Name, Object, ObjectKey, Severity, Sighting, TaskId,
    TaskState, ToolName, Verdict,
    access_review::{ReviewStatus, Verified},
    agent::{Revised, RevisedHow},
    finding::About,
};
use provost_lifecycle::finding::Answerer;
use provost_policy::{Question, running};
use std::sync::Arc;

/// Carries a review out, if it is ripe, and tries what was taken.
///
/// # Errors
/// When the store fails; what was carried out by then stays.
pub(super) async fn carry_out(
    authorised: &Authorised<'_>,
    id: &str,
    by: &str,
    why: &str,
) -> Result<(), ControlError> {
    let op = authorised.op;
    let Some(known) = op.plane.replica.latest().directory.reviews.get(id).cloned() else { return Ok(()) };
    let agent_key = ObjectKey::new(Kind::Agent, known.agent.as_str());
    let now = op.plane.now();
    let keys = [ObjectKey::review(id), agent_key, ObjectKey::finding(&asks(&known))];
    let (_seq, carried) = authorised
        .change(&keys, why, |seen| {
            let nothing = Change { drafts: Vec::new(), what: String::new(), answer: false };
            let Some(row) = seen.directory.reviews.get(id).filter(|row| life::is_ripe(row, now)) else {
                return Ok(nothing);
            };
            let agent = seen.directory.agents.get(&row.agent);
            let narrowed = agent.and_then(|agent| life::carried_out(agent, row, now));
            let narrowed = narrowed.map(|mut agent| {
                agent.provenance.revised = Some(Arc::new(Revised {
                    by: by.into(),
                    at: now,
                    how: RevisedHow::Narrower,
                    why: format!("{id}: {why}").into(),
                    approvers: Vec::new(),
                    proposal: None,
                }));
                agent
            });
            let revision =
                narrowed.as_ref().or(agent.map(AsRef::as_ref)).map_or(row.revision, |agent| agent.revision);
            let done = life::done(row, by, revision, now);
            let mut drafts = vec![Draft::Put(Object::Review(Box::new(done)))];
            drafts.extend(narrowed.map(|agent| Draft::Put(Object::Agent(agent))));
            drafts.extend(closed(seen.directory, &asks(row), by, now));
            Ok(Change { drafts, what: format!("{id} of {} carried out", row.agent), answer: true })
        })
        .await?;
    if carried { verify(authorised, id, why).await } else { Ok(()) }
}

/// What the worker does: those whose time is over, those that were carried out and not tried, those that are over for long.
///
/// # Errors
/// When the store fails.
pub(crate) async fn settle(op: &Op) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::ReviewSettle)?;
    let directory = op.plane.replica.latest().directory.clone();
    let now = op.plane.now();
    for row in directory.reviews.values() {
        match &row.status {
            ReviewStatus::Open if life::is_ripe(row, now) => {
                carry_out(&authorised, &row.id, "plane", "nobody answered in time").await?;
                let what =
                    format!("nobody answered {} of {} in time: what is proposed was done", row.id, row.agent);
                let sighting = Sighting::new("review-lapsed", row.id.clone(), Severity::Medium, what)
                    .about(About::agent(&row.agent));
                finding::raise(op, &sighting).await?;
            }
            ReviewStatus::Done { verified: None, .. } => {
                verify(&authorised, &row.id, "it was carried out").await?
            }
            ReviewStatus::Done { at, .. } if now.since(*at) >= LISTED_FOR => file(&authorised, row).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Asks for each tool that was taken, as the agent would, and writes down what was said.
async fn verify(authorised: &Authorised<'_>, id: &str, why: &str) -> Result<(), ControlError> {
    let op = authorised.op;
    let view = op.plane.replica.latest();
    let Some(row) = view.directory.reviews.get(id).cloned() else { return Ok(()) };
    let mut verified = Verified::default();
    for (system, tool) in life::revoked(&row) {
        let path = format!("{system}/{tool}");
        let list = match is_refused(op, &row, system, tool) {
            true => &mut verified.refused,
            false => &mut verified.still,
        };
        list.push(path);
    }
    if !verified.still.is_empty() {
        let what = format!(
            "{id} took tools from {} that are still let through: {}",
            row.agent,
            verified.still.join(", ")
        );
        let sighting =
            Sighting::new("review-unverified", id, Severity::Critical, what).about(About::agent(&row.agent));
        finding::raise(op, &sighting).await?;
    }
    authorised
        .change(&[ObjectKey::review(id)], why, |seen| {
            let row = seen.directory.reviews.get(id).map(|row| row.as_ref().clone());
            let drafts = row.and_then(|mut row| match &mut row.status {
                ReviewStatus::Done { verified: open @ None, .. } => {
                    *open = Some(verified.clone());
                    Some(Draft::Put(Object::Review(Box::new(row))))
                }
                _ => None,
            });
            Ok(Change {
                drafts: drafts.into_iter().collect(),
                what: format!("what {id} took was asked for"),
                answer: (),
            })
        })
        .await
        .map(drop)
}

/// Whether the decision point of this node denies a call of it. A tool or agent that is gone is called by nobody.
fn is_refused(op: &Op, row: &AccessReview, system: &Name, tool: &ToolName) -> bool {
    let (view, now) = (op.plane.replica.latest(), op.plane.now());
    let directory = &view.directory;
    let agent = directory.agents.get(&row.agent);
    let tool = directory.tools.get(&(system.clone(), tool.clone()));
    let (Some(agent), Some(tool), Some(system)) = (agent, tool, directory.systems.get(system)) else {
        return true;
    };
    let task = running(agent, TaskId::from_bytes([0; 16]), agent.charter.owner.clone(), now);
    let evaluation = view.pdp.decide(&Question {
        agent,
        task: &task,
        state: &TaskState::default(),
        system,
        tool,
        pinned: true,
        args: &serde_json::Map::new(),
        approvals: &[],
        exhausted: &[],
        args_from: &provost_domain::origin::NOTHING,
        chain: &[],
        now,
    });
    matches!(evaluation.verdict, Verdict::Deny { .. })
}

/// Out of the directory; it stays on record.
async fn file(authorised: &Authorised<'_>, row: &AccessReview) -> Result<(), ControlError> {
    authorised
        .change(&[ObjectKey::review(&row.id)], "it was done long ago", |seen| {
            let row = seen.directory.reviews.get(&row.id).map(|row| row.as_ref().clone());
            let row = row.map(|row| AccessReview { filed: true, ..row });
            let drafts = row.map(|row| Draft::Put(Object::Review(Box::new(row)))).into_iter().collect();
            Ok(Change { drafts, what: "a review filed".to_owned(), answer: () })
        })
        .await
        .map(drop)
}

fn closed(directory: &Directory, id: &str, by: &str, now: provost_domain::Timestamp) -> Option<Draft> {
    let row = directory.findings.get(id)?;
    let who = Answerer { person: None, by: by.to_owned(), every: true };
    let row = provost_lifecycle::finding::close(row, directory, &who, "the review is done", now).ok()?;
    Some(Draft::Put(Object::Finding(Box::new(row))))
}

const LISTED_FOR: DurationMs = DurationMs::from_mins(180 * 24 * 60);
