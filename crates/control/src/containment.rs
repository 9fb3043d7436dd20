//! The kill switch: one order takes power from whoever it matches. It is one row; nothing has to reach an agent, since every
//! decision asks which orders match it. When an operation here answers, it binds on this node; everywhere else within the
//! lease.
//!
//! | file | what |
//! |---|---|
//! | `hits` | whom and what an order is about, now |
//! | `asked` | what a request is about, and who may order that |
//! | `shown` | an order as people see it |
//! | `calls` | calls it cut half-way |
//! | `clean` | what ends because of it, in the background: tasks, approvals, envelopes |
//! | `prove` | what was shown of each system, and when |
//! | `judge` | what may be said of a system by that |
//! | `lifted` | orders that bind nobody any more, to be looked at |
//! | `sign` | what the second person signs |
//! | `outward` | how far what it leads to outside has got |
//! | `evidence` | all of it with receipts of the ledger |

mod asked;
mod calls;
pub mod clean;
pub mod evidence;
mod hits;
mod judge;
mod lifted;
mod outward;
pub mod prove;
mod shown;
mod sign;

pub use lifted::Lifted;
pub use sign::statement;

pub(crate) use asked::{check_person, who};

use crate::{
    Action, ControlError, Op,
    access::{Authorised, allows},
    change::{Change, Draft},
    page::page,
    reason::reason,
};
use asked::{check_known, check_say, level, may_see, scope};
use provost_api::{
    Page,
    containment::{
        ContainmentAnswer, ContainmentHits, ContainmentOrder, ContainmentQuery, ContainmentSettle,
        ContainmentSummary, ContainmentView,
    },
};
use provost_domain::{
    AgentStatus, Containment, Directory, Name, Object, ObjectKey, Restraint, Timestamp,
    containment::{ContainmentStatus, Proof, Scope, Settled, Who},
};
use provost_lifecycle::containment::{self as life, Move, MoveError};
use shown::{proof, summary, view_of};

/// Stops what an order is about. The same order in force is not given twice.
///
/// # Errors
/// When the operator may not stop that, it names nobody, or says nothing.
pub async fn order(op: &Op, wanted: ContainmentOrder) -> Result<ContainmentView, ControlError> {
    let authorised = op.authorize(Action::ContainmentOrder)?;
    let why = reason(&wanted.reason)?.to_owned();
    let by = who(op, wanted.person.clone())?;
    let (scope, level) = (scope(&wanted)?, level(&wanted)?);
    let row = give(&authorised, (scope, level), &why, (by, false)).await?;
    tracing::warn!(id = %row.id, scope = %row.scope.words(), level = %row.level, by = %row.by, "CONTAINED");
    view_of(op, &row).await
}

/// Puts an order in force; the same one, if it is already.
pub(crate) async fn give(
    authorised: &Authorised<'_>,
    (scope, level): (Scope, Restraint),
    why: &str,
    (by, drill): (Who, bool),
) -> Result<Containment, ControlError> {
    let op = authorised.op;
    let what = format!("{} contained at level {level}", scope.words());
    let fresh = Containment {
        id: format!("containment_{}", hex::encode(op.plane.random::<12>())),
        scope,
        level,
        reason: why.to_owned(),
        by,
        at: op.plane.now(),
        status: ContainmentStatus::InForce,
        drill,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    };
    let (_seq, row) = authorised
        // Nobody has this id: there is no version to read.
        .change(&[], why, |seen| {
            check_say(op, &fresh.scope, seen.directory)?;
            check_known(&fresh.scope, fresh.by.person.as_ref(), seen.directory)?;
            let same = |row: &&std::sync::Arc<Containment>| {
                row.scope == fresh.scope
                    && row.level == fresh.level
                    && row.drill == drill
                    && row.status == ContainmentStatus::InForce
            };
            if let Some(row) = seen.directory.containments.values().find(same) {
                let row = row.as_ref().clone();
                return Ok(Change { drafts: Vec::new(), what: what.clone(), answer: row });
            }
            let row = begun(&fresh, seen.directory);
            Ok(Change { drafts: vec![put(row.clone())], what: what.clone(), answer: row })
        })
        .await?;
    Ok(row)
}

/// An order as it first stands.
fn begun(fresh: &Containment, directory: &Directory) -> Containment {
    Containment { systems: prove::begin(fresh, directory), ..fresh.clone() }
}

/// The order that goes with the decommissioning of an agent, in the same change: what it had ends, and what is proven of that is
/// on record, as with any other.
pub(crate) fn for_ever(
    op: &Op,
    agent: &Name,
    why: &str,
    directory: &Directory,
) -> Result<Draft, ControlError> {
    let fresh = Containment {
        id: format!("containment_{}", hex::encode(op.plane.random::<12>())),
        scope: Scope { agent: Some(agent.clone()), ..Scope::default() },
        level: Restraint::Off,
        reason: format!("decommissioned: {why}"),
        by: who(op, None)?,
        at: op.plane.now(),
        status: ContainmentStatus::InForce,
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    };
    Ok(put(begun(&fresh, directory)))
}

/// The order that takes the place of an agent's own level `off` where starting again takes a signature: somebody has asked that it
/// be lifted, and the second person signs that. The agent is left nothing meanwhile.
pub(crate) fn instead_of_level(
    op: &Op,
    agent: &Name,
    why: &str,
    by: &Who,
    directory: &Directory,
) -> Containment {
    let at = op.plane.now();
    let fresh = Containment {
        id: format!("containment_{}", hex::encode(op.plane.random::<12>())),
        scope: Scope { agent: Some(agent.clone()), ..Scope::default() },
        level: Restraint::Off,
        reason: format!("in place of the agent's own level off, which is asked to end: {why}"),
        by: by.clone(),
        at,
        status: ContainmentStatus::LiftAsked { by: by.clone(), at, reason: why.to_owned() },
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    };
    begun(&fresh, directory)
}

/// The order of a drill, lifted with it.
pub(crate) fn restored(row: &Containment, drill: &str, now: Timestamp) -> Result<Draft, ControlError> {
    let by = Who { person: None, shown_by: "plane".to_owned() };
    let event = life::decide(row, &Move::Restore, &by, now)?;
    Ok(put(life::apply(row, &event, &by, &format!("{drill} is over"), now)))
}

/// What an order would hit. Changes nothing.
///
/// # Errors
/// As [`order`].
pub async fn dry_run(op: &Op, wanted: ContainmentOrder) -> Result<ContainmentHits, ControlError> {
    op.authorize(Action::ContainmentOrder)?;
    let scope = scope(&wanted)?;
    level(&wanted)?;
    let view = op.plane.replica.latest();
    check_say(op, &scope, &view.directory)?;
    check_known(&scope, None, &view.directory)?;
    hits::of(&op.plane, &scope).await
}

/// Starts again: lifts an order, or, at level `off`, asks that it be lifted or agrees as the second person.
///
/// # Errors
/// When the operator may not, it is not in force, or the same person would be both.
pub async fn lift(op: &Op, id: &str, answer: ContainmentAnswer) -> Result<ContainmentView, ControlError> {
    step(op, id, answer, Move::Lift).await
}

/// Keeps an order although somebody asked that it be lifted.
///
/// # Errors
/// As [`lift`].
pub async fn keep(op: &Op, id: &str, answer: ContainmentAnswer) -> Result<ContainmentView, ControlError> {
    step(op, id, answer, Move::Keep).await
}

async fn step(
    op: &Op,
    id: &str,
    answer: ContainmentAnswer,
    wanted: Move,
) -> Result<ContainmentView, ControlError> {
    let authorised = op.authorize(Action::ContainmentLift)?;
    let why = reason(&answer.reason)?.to_owned();
    let (by, signature) = sign::with(op, who(op, answer.person)?, answer.signed).await?;
    let signer = by.person.as_ref().zip(signature.as_deref());
    let keys: Vec<ObjectKey> =
        [ObjectKey::containment(id)].into_iter().chain(crate::sign::key(signer)).collect();
    let (_seq, row) = authorised
        .change(&keys, &why, |seen| {
            let row = in_force(op, id, seen.directory)?;
            check_person(by.person.as_ref(), seen.directory)?;
            let now = op.plane.now();
            let event = life::decide(&row, &wanted, &by, now)?;
            sign::check(op, &row, (&event, &by), signature.as_deref(), seen.directory)?;
            let moved = life::signed(life::apply(&row, &event, &by, &why, now), signature.clone());
            let word = match &moved.status {
                ContainmentStatus::InForce => "kept in force",
                ContainmentStatus::LiftAsked { .. } => "asked to be lifted",
                ContainmentStatus::Lifted { .. } => "lifted",
            };
            let change =
                Change { drafts: vec![put(moved.clone())], what: format!("{id} {word}"), answer: moved };
            sign::concluded(op, seen, signer, change)
        })
        .await?;
    let row = crate::sign::told(op, signer, row).await?;
    tracing::warn!(id = %row.id, status = row.status.as_str(), by = %by, "containment");
    view_of(op, &row).await
}

/// Puts on record what became of a call that an order cut half-way.
///
/// # Errors
/// When the operator may not, or the order did not cut that call.
pub async fn settle(op: &Op, id: &str, wanted: ContainmentSettle) -> Result<ContainmentView, ControlError> {
    let authorised = op.authorize(Action::ContainmentSettle)?;
    let found = reason(&wanted.found)?.to_owned();
    let by = who(op, wanted.person)?;
    let known = find(op, id).await?;
    if !calls::cut(&op.plane, &known).await?.iter().any(|call| call.decision == wanted.decision) {
        return Err(ControlError::unknown("call that this order cut", &wanted.decision.to_string()));
    }
    let (_seq, row) = authorised
        .change(&[ObjectKey::containment(id)], &found, |seen| {
            // What was cut stays to be looked into after the order was lifted.
            let row =
                seen.directory.containments.get(id).map_or_else(|| known.clone(), |row| row.as_ref().clone());
            check_person(by.person.as_ref(), seen.directory)?;
            if row.settled.len() >= SETTLED_MAX {
                return Err(ControlError::refused(format!(
                    "{id} has {SETTLED_MAX} calls looked into already"
                )));
            }
            let mut row = row;
            let settled = Settled { by: by.clone(), at: op.plane.now(), found: found.clone() };
            row.settled.insert(wanted.decision, settled);
            let what = format!("{} looked into", wanted.decision);
            Ok(Change { drafts: vec![put(row.clone())], what, answer: row })
        })
        .await?;
    view_of(op, &row).await
}

/// Orders: those in force in order of their ids, then, if they are wanted, those lifted, the last first.
///
/// # Errors
/// When the operator may not, the state is none, or the cursor is not one of ours.
pub async fn list(op: &Op, query: ContainmentQuery) -> Result<Page<ContainmentSummary>, ControlError> {
    op.authorize(Action::ContainmentRead)?;
    let view = op.plane.replica.latest();
    let directory = &view.directory;
    let agent = query
        .agent
        .as_ref()
        .map(|name| directory.agents.get(name).ok_or_else(|| ControlError::unknown("agent", name.as_str())));
    let agent = agent.transpose()?;
    let about = |row: &Containment| {
        agent.is_none_or(|agent| row.scope.has_agent(agent, directory.organisation.as_deref()))
    };
    // What was decommissioned stays so, and its orders with it: they are shown while something of them is not known.
    let for_ever = |row: &Containment| {
        let agent = row.scope.agent.as_ref().and_then(|name| directory.agents.get(name));
        agent.is_some_and(|agent| agent.status == AgentStatus::Decommissioned) && proof(row) != Proof::Unknown
    };
    let wanted =
        |row: &Containment| about(row) && (query.all || !for_ever(row)) && may_see(op, row, directory);
    let (in_force, over) = match query.state.as_deref() {
        None | Some("in-force") => (true, false),
        Some("lifted") => (false, true),
        Some("all") => (true, true),
        Some(_other) => {
            return Err(ControlError::caller("no such state").cure("use in-force, lifted or all"));
        }
    };
    let lifted = if over { op.plane.lifted.all(&op.plane).await? } else { Vec::new() };
    let mut rows: Vec<(String, &std::sync::Arc<Containment>)> = Vec::new();
    if in_force {
        let binding = directory.containments.values().filter(|row| wanted(row));
        rows.extend(binding.map(|row| (row.id.clone(), row)));
    }
    let seen = lifted.iter().filter(|row| about(row) && may_see(op, row, directory));
    rows.extend(seen.map(|row| {
        let ago = i64::MAX.saturating_sub(row.since().as_millis());
        (format!("{LIFTED}{ago:020} {}", row.id), row)
    }));
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| summary(row))
}

/// One order, lifted ones too.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<ContainmentView, ControlError> {
    op.authorize(Action::ContainmentRead)?;
    op.plane.replica.catch_up().await?;
    let row = find(op, id).await?;
    view_of(op, &row).await
}

fn in_force(op: &Op, id: &str, directory: &Directory) -> Result<Containment, ControlError> {
    let row = directory.containments.get(id).filter(|row| may_see(op, row, directory));
    let row = row.ok_or_else(|| {
        ControlError::conflict(format!("{id} is not in force"))
            .because("it was lifted, or there is no such order")
            .cure("see `provost kill list`")
    })?;
    check_say(op, &row.scope, directory)?;
    Ok(row.as_ref().clone())
}

/// An order, lifted ones too.
async fn find(op: &Op, id: &str) -> Result<Containment, ControlError> {
    let unknown = || ControlError::unknown("containment", &id.chars().take(ID_CHARS_MAX).collect::<String>());
    let view = op.plane.replica.latest();
    let row = match view.directory.containments.get(id) {
        Some(row) => row.as_ref().clone(),
        None => {
            match op.plane.store.history(&ObjectKey::containment(id), 1).await?.pop().and_then(|r| r.after) {
                Some(Object::Containment(row)) => *row,
                _ => return Err(unknown()),
            }
        }
    };
    if may_see(op, &row, &view.directory) { Ok(row) } else { Err(unknown()) }
}

/// Whether somebody at a page may order at all.
#[must_use]
pub fn may_order(op: &Op) -> bool {
    allows(&op.subject, Action::ContainmentOrder)
}

fn put(row: Containment) -> Draft {
    Draft::Put(Object::Containment(Box::new(row)))
}

impl From<MoveError> for ControlError {
    fn from(error: MoveError) -> Self {
        let text = error.to_string();
        match error {
            MoveError::Lifted | MoveError::NotAsked => Self::conflict(text),
            MoveError::Nobody => {
                Self::caller(text).cure("name the person: --as PERSON, or `person` in the request")
            }
            MoveError::SamePerson | MoveError::Orderer | MoveError::NoDrill => {
                Self::refused(text).cure("ask somebody else to lift it")
            }
            MoveError::SameHand => Self::refused(text).cure("the person signs in and agrees in the console"),
        }
    }
}

/// After `containment_…` in a listing.
const LIFTED: &str = "lifted ";
const SETTLED_MAX: usize = 4_096;
const ID_CHARS_MAX: usize = 80;
