//! Approvals: what waits for people, what they say, and who may say it. The rules are `provost-lifecycle`'s; what a yes was
//! given to is checked again when it is used.
//!
//! | file | what it does |
//! |---|---|
//! | `answer` | yes, no, other arguments, taking it back |
//! | `together` | several that are alike, shown and answered together |
//! | `envelope` | constraints instead of one exact action |
//! | `away` | who stands in for somebody |
//! | `sign` | what a person signs when they say yes, and whether it is what they say |
//! | `settle` | what housekeeping does |
//! | `view` | what people are shown |

mod answer;
mod away;
mod envelope;
mod pace;
mod settle;
mod sign;
mod together;
pub(crate) mod view;

pub use answer::{approve, edit, refuse, withdraw};
pub(crate) use answer::{ballot, why as answer_why};
pub use away::away;
pub use envelope::{envelopes, grant as grant_envelope, revoke as revoke_envelope};
pub use pace::warning;
pub(crate) use settle::settle;
pub use sign::statement;
pub use together::{answer_all, groups};

use crate::{Action, ControlError, Op, Operator, page::page};
use provost_api::{
    Page,
    approval::{ApprovalQuery, ApprovalSummary, ApprovalView, EligibleView},
};
use provost_domain::{Approval, Directory, Name, Timestamp};
use provost_lifecycle::approval as life;
use view::{summary, view_of};

/// Approvals that something can still come of, in order of their ids.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: ApprovalQuery) -> Result<Page<ApprovalSummary>, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    // What an agent was told of a moment ago, its approver finds.
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let rows = directory.approvals.iter().filter(|(_id, row)| is_wanted(op, &query, row, directory, now));
    let rows = rows.map(|(id, row)| (id.clone(), row)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| summary(row))
}

/// Whether a listing that asks for this shows an approval.
fn is_wanted(op: &Op, query: &ApprovalQuery, row: &Approval, directory: &Directory, now: Timestamp) -> bool {
    directory.tasks.get(&row.task).is_some_and(|task| task.is_live(now))
        && life::expire(row, now).is_none()
        && query.agent.as_ref().is_none_or(|agent| row.agent == *agent)
        && query.status.as_ref().is_none_or(|status| row.status.as_str() == status)
        && query
            .person
            .as_ref()
            .is_none_or(|person| !life::standing(row, directory, person, now).gates.is_empty())
        && may_see(op, row, directory, now)
}

/// One approval, over ones too.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<ApprovalView, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    let row = find(op, id).await?;
    view_of(op, &row).await
}

/// How a person stands to an approval, in words.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn eligible(op: &Op, id: &str, person: &Name) -> Result<EligibleView, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    let row = find(op, id).await?;
    let stands = life::standing(&row, &op.plane.replica.latest().directory, person, op.plane.now());
    Ok(EligibleView {
        person: person.clone(),
        gates: stands.gates.keys().cloned().collect(),
        on_behalf_of: stands.on_behalf_of(),
        why_not: stands.not,
    })
}

/// An approval that something can still come of, that the operator may know of.
fn waiting(op: &Op, directory: &Directory, id: &str) -> Result<Approval, ControlError> {
    let row = directory.approvals.get(id).filter(|row| may_see(op, row, directory, op.plane.now()));
    row.map(|row| row.as_ref().clone()).ok_or_else(|| {
        ControlError::conflict(format!("{id} does not wait for an answer"))
            .because("it was answered, used or missed, or there is no such approval")
            .cure(format!("look at it with `provost approvals show {id}`"))
    })
}

/// An approval, over ones too.
async fn find(op: &Op, id: &str) -> Result<Approval, ControlError> {
    let unknown = || ControlError::unknown("approval", id);
    let found = provost_store::approval(op.plane.store.as_ref(), id).await?;
    let (_version, row) = found.ok_or_else(unknown)?;
    let view = op.plane.replica.latest();
    if may_see(op, &row, &view.directory, op.plane.now()) { Ok(row) } else { Err(unknown()) }
}

/// People see what they may answer, what they asked for, what they answer for, and what their roles show them.
fn may_see(op: &Op, row: &Approval, directory: &Directory, now: Timestamp) -> bool {
    let Operator::Person(person, roles) = &op.subject else { return true };
    !roles.is_empty()
        || row.askers.contains(person)
        || answers_for(person, &row.agent, directory)
        || !life::standing(row, directory, person, now).gates.is_empty()
}

fn answers_for(person: &Name, agent: &Name, directory: &Directory) -> bool {
    directory
        .agents
        .get(agent)
        .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person))
}
