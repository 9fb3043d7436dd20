//! Proposals: changes of the organisation that wait for people. The rules are `provost-lifecycle`'s; they are made where a
//! change is applied (`plan/gate.rs`). The last yes writes the rows: in the same transaction, on the versions they were made
//! on, or not at all.
//!
//! | file | what it does |
//! |---|---|
//! | `answer` | yes, no, taking it back; writing the rows |
//! | `sign` | what a person signs when they say yes |
//! | `settle` | what housekeeping does |
//! | `view`, `reach`, `lines` | what people are shown: words, what becomes reachable, the rows side by side |

mod answer;
mod lines;
mod reach;
mod settle;
mod sign;
mod view;

pub use answer::{approve, refuse, withdraw};
pub(crate) use settle::settle;
pub use sign::statement;
pub(crate) use view::{missing, view};

use crate::{Action, ControlError, Op, Operator, page::page};
use provost_api::{
    Page,
    approval::EligibleView,
    proposal::{ProposalQuery, ProposalSummary, ProposalView},
};
use provost_domain::{Directory, Kind, Name, Object, ObjectKey, Proposal, Seq, Timestamp};
use provost_lifecycle::proposal as life;
use std::{collections::BTreeMap, sync::Arc};

/// Proposals that wait, in order of their ids; those that are over too, if asked for, as far as they are among the newest changes.
///
/// # Errors
/// When the operator may not, the status is none, or the cursor is not one of ours.
pub async fn list(op: &Op, query: ProposalQuery) -> Result<Page<ProposalSummary>, ControlError> {
    op.authorize(Action::ProposalRead)?;
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let status = query.status.as_deref().unwrap_or(WAITING);
    if !STATUSES.contains(&status) {
        return Err(ControlError::caller(format!("`{}` is no status of a proposal", status.escape_debug()))
            .cure(format!("use one of {}", STATUSES.join(", "))));
    }
    let may_answer = |row: &Proposal| {
        let Some(person) = &query.person else { return true };
        let missing = life::missing(row, directory, now);
        let stands = life::standing(row, directory, person, now);
        stands.gates.keys().any(|gate| missing.contains_key(gate))
    };
    let wanted = |row: &Proposal| {
        (row.is_over() || now < row.expires)
            && (status == ALL || row.status.as_str() == status)
            && query.agent.as_ref().is_none_or(|agent| agents(row).any(|name| name == *agent))
            && may_answer(row)
            && may_see(op, row, directory, now)
    };
    let waiting = directory.proposals.iter().map(|(id, row)| (id.clone(), Arc::clone(row)));
    let over = if status == WAITING { BTreeMap::new() } else { over(op).await? };
    let rows: BTreeMap<String, Arc<Proposal>> = over.into_iter().chain(waiting).collect();
    let rows = rows.iter().filter(|(_id, row)| wanted(row)).map(|(id, row)| (id.clone(), row)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |row| view::summary(row, directory))
}

/// Those that are over, among the newest changes.
async fn over(op: &Op) -> Result<BTreeMap<String, Arc<Proposal>>, ControlError> {
    let store = &op.plane.store;
    let head = store.head().await?;
    let (mut from, mut found) = (Seq(head.0.saturating_sub(LOOKED_AT_MAX)), BTreeMap::new());
    loop {
        let records = store.tail(from, PAGE).await?;
        let Some(last) = records.last() else { return Ok(found) };
        from = last.seq;
        for record in records {
            if let Some(Object::Proposal(row)) = record.after.filter(Object::is_over) {
                found.insert(row.id.clone(), Arc::from(row));
            }
        }
    }
}

/// One proposal, over ones too.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<ProposalView, ControlError> {
    op.authorize(Action::ProposalRead)?;
    op.plane.replica.catch_up().await?;
    let row = find(op, id).await?;
    view(op, &row).await
}

/// How a person stands to a proposal, in words.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn eligible(op: &Op, id: &str, person: &Name) -> Result<EligibleView, ControlError> {
    op.authorize(Action::ProposalRead)?;
    let row = find(op, id).await?;
    let stands = life::standing(&row, &op.plane.replica.latest().directory, person, op.plane.now());
    Ok(EligibleView {
        person: person.clone(),
        gates: stands.gates.keys().cloned().collect(),
        on_behalf_of: stands.on_behalf_of(),
        why_not: stands.not,
    })
}

/// A proposal, over ones too.
async fn find(op: &Op, id: &str) -> Result<Proposal, ControlError> {
    let unknown = || ControlError::unknown("proposal", id);
    let history = op.plane.store.history(&ObjectKey::proposal(id), 1).await?;
    let row = history.into_iter().find_map(|record| match record.after {
        Some(Object::Proposal(row)) => Some(*row),
        _ => None,
    });
    let row = row.ok_or_else(unknown)?;
    let view = op.plane.replica.latest();
    if may_see(op, &row, &view.directory, op.plane.now()) { Ok(row) } else { Err(unknown()) }
}

/// A proposal that waits, that the operator may know of.
fn waiting(op: &Op, directory: &Directory, id: &str) -> Result<Proposal, ControlError> {
    let row = directory.proposals.get(id).filter(|row| may_see(op, row, directory, op.plane.now()));
    row.map(|row| row.as_ref().clone()).ok_or_else(|| {
        ControlError::conflict(format!("{id} does not wait for an answer"))
            .because("it was answered or taken back, or there is no such proposal")
            .cure(format!("look at it with `provost proposal show {id}`"))
    })
}

/// People see what they wrote, what they may answer, what changes an agent they answer for, and what their roles show them.
fn may_see(op: &Op, row: &Proposal, directory: &Directory, now: Timestamp) -> bool {
    let Operator::Person(person, roles) = &op.subject else { return true };
    let answers = |name: &Name| {
        directory
            .agents
            .get(name)
            .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person))
    };
    !roles.is_empty()
        || row.person.as_ref() == Some(person)
        || row.votes.iter().any(|vote| vote.person == *person)
        || !life::standing(row, directory, person, now).gates.is_empty()
        || agents(row).any(|name| answers(&name))
}

/// The agents whose rows it writes.
fn agents(row: &Proposal) -> impl Iterator<Item = Name> + '_ {
    let keys = row.steps.iter().map(|step| &step.key).filter(|key| key.kind == Kind::Agent);
    keys.filter_map(|key| key.key.parse().ok())
}

const WAITING: &str = "waiting";
const ALL: &str = "all";
const STATUSES: [&str; 7] = [WAITING, "applied", "refused", "expired", "withdrawn", "stale", ALL];
/// Changes looked through for those that are over.
const LOOKED_AT_MAX: u64 = 20_000;
const PAGE: usize = 500;
