//! What people are shown of an approval.

use crate::{ControlError, Op, diff};
use provost_api::approval::{ApprovalSummary, ApprovalView, CheckView, MissingView, VoteView};
use provost_domain::{
    Approval, ObjectKey,
    approval::{ApprovalStatus, Vote, approval_id},
    decision::tool_path,
};
use provost_lifecycle::approval as life;

pub(super) fn summary(row: &Approval) -> ApprovalSummary {
    let until = match row.status {
        ApprovalStatus::Granted { until, .. } => until,
        _ => row.expires,
    };
    ApprovalSummary {
        id: row.id.clone(),
        agent: row.agent.clone(),
        task: row.task,
        purpose: row.purpose.clone(),
        tool: tool_path(&row.system, &row.tool),
        args: row.args.clone(),
        gates: row.gates.iter().cloned().collect(),
        status: row.status.as_str().to_owned(),
        asked: row.asked.into(),
        until: until.into(),
    }
}

pub(super) async fn view_of(op: &Op, row: &Approval) -> Result<ApprovalView, ControlError> {
    let plane = &op.plane;
    let (view, now) = (plane.replica.latest(), plane.now());
    let waits = row.status == ApprovalStatus::Waiting;
    let missing = life::missing(row, &view.directory).into_iter().filter(|_gate| waits);
    let missing = missing.map(|(gate, more)| {
        let approvers = life::approvers(row, &view.directory, &gate, now);
        MissingView { gate, more, approvers }
    });
    let (used_by, edited_to) = match &row.status {
        ApprovalStatus::Used { decision, .. } => (*decision, None),
        ApprovalStatus::Edited { to, .. } => (None, Some(to.clone())),
        _ => (None, None),
    };
    let key = ObjectKey::approval(&row.id);
    Ok(ApprovalView {
        summary: summary(row),
        action: row.action.to_string(),
        reasons: row.reasons.clone(),
        revision: row.bound.revision,
        pin: row.bound.pin.to_string(),
        policies: row.bound.policies.to_string(),
        decision: row.decision,
        used_by,
        askers: row.askers.iter().cloned().collect(),
        votes: row.votes.iter().map(vote_view).collect(),
        signed: waits && super::sign::wanted(row, &view.directory),
        missing: missing.collect(),
        edited_from: row.edited_from.clone(),
        edited_to,
        check: row.check.as_ref().map(|check| CheckView {
            flaw: check.flaw.as_str().to_owned(),
            what: check.flaw.words().to_owned(),
            outcome: check.outcome.as_str().to_owned(),
            proof: row.mark.is_some_and(|mark| check.opens(&mark)).then(|| check.secret.clone()),
        }),
        before: before(op, row).await?,
        history: diff::history(plane.store.history(&key, HISTORY_MAX).await?),
    })
}

/// What became of the same action before: an approver should see that it was done already.
async fn before(op: &Op, row: &Approval) -> Result<Vec<String>, ControlError> {
    let mut before = Vec::new();
    for nth in 0..BEFORE_MAX {
        let id = approval_id(&row.action, nth);
        if id == row.id {
            break;
        }
        let Some((_version, earlier)) = provost_store::approval(op.plane.store.as_ref(), &id).await? else {
            break;
        };
        before.push(format!("{id} {}", earlier.status.as_str()));
    }
    Ok(before)
}

pub(crate) fn vote_view(vote: &Vote) -> VoteView {
    VoteView {
        person: vote.person.clone(),
        yes: vote.yes,
        gates: vote.gates.iter().cloned().collect(),
        at: vote.at.into(),
        reason: vote.reason.clone(),
        on_behalf_of: vote.on_behalf_of.clone(),
        shown_by: vote.shown_by.clone(),
        break_glass: vote.break_glass,
        passkey: vote.signature.as_ref().map(|signature| signature.passkey.clone()),
        hurried: vote.hurried,
        warned: vote.warned,
    }
}

const HISTORY_MAX: usize = 100;

const BEFORE_MAX: u32 = 20;
