//! The kill switch: one order takes power from whoever it matches. It is one row; nothing has to reach an agent, since every
//! decision asks which orders match it. When an operation here answers, it binds on this node; everywhere else within the
//! lease.
//!
//! | file | what |
//! |---|---|
//! | `hits` | whom and what an order is about, now |
//! | `calls` | calls it cut half-way |
//! | `clean` | what ends because of it, in the background: tasks, approvals, envelopes |
//! | `prove` | what was shown of each system, and when |
//! | `sign` | what the second person signs |
//! | `evidence` | all of it with receipts of the ledger |

mod calls;
pub mod clean;
pub mod evidence;
mod hits;
pub mod prove;
mod sign;

pub use sign::statement;

use crate::{
    Action, ControlError, Op, Operator,
    access::{Authorised, allows},
    change::{Change, Draft},
    diff,
    page::page,
    reason::reason,
};
use provost_api::{
    Page,
    containment::{
        ContainedSystem, ContainmentAnswer, ContainmentHits, ContainmentOrder, ContainmentQuery,
        ContainmentSettle, ContainmentSummary, ContainmentView, EndedView, LiftView, SeenCall,
    },
};
use provost_domain::{
    AgentStatus, Containment, Directory, Name, Object, ObjectKey, Restraint, Role, Timestamp,
    containment::{ContainmentStatus, Proof, Scope, Seen, Settled, SystemEvidence, Who},
};
use provost_lifecycle::containment::{self as life, ASKED_FOR, Move, MoveError};

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
    };
    Ok(put(begun(&fresh, directory)))
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

/// Orders in force, in order of their ids.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
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
    let rows = directory.containments.values().filter(|row| wanted(row));
    let rows = rows.map(|row| (row.id.clone(), row)).collect();
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

async fn view_of(op: &Op, row: &Containment) -> Result<ContainmentView, ControlError> {
    let plane = &op.plane;
    let moment = |at: provost_domain::Timestamp| at.into();
    let (waits, lift) = match &row.status {
        ContainmentStatus::InForce => (None, None),
        ContainmentStatus::LiftAsked { by, at, reason } => {
            (Some(at.plus(ASKED_FOR)), Some((by, at, reason, None)))
        }
        ContainmentStatus::Lifted { by, at, reason, asked, .. } => {
            (None, Some((by, at, reason, asked.as_ref())))
        }
    };
    let lift = lift.map(|(by, at, reason, asked)| LiftView {
        by: by.to_string(),
        at: moment(*at),
        reason: reason.clone(),
        asked: asked.map(ToString::to_string),
        until: waits.map(moment),
        digest: sign::digest(row, &plane.replica.latest().directory),
    });
    let key = ObjectKey::containment(&row.id);
    Ok(ContainmentView {
        summary: summary(row),
        about: row.scope.clone(),
        shown_by: row.by.shown_by.clone(),
        lift,
        ended: EndedView {
            tasks: row.ended.tasks,
            approvals: row.ended.approvals,
            envelopes: row.ended.envelopes,
            done: row.ended.done.map(moment),
        },
        hits: hits::of(plane, &row.scope).await?,
        systems: row.systems.iter().map(|(name, evidence)| system(name, evidence)).collect(),
        unknown: calls::cut(plane, row).await?,
        history: diff::history(plane.store.history(&key, HISTORY_MAX).await?),
    })
}

fn summary(row: &Containment) -> ContainmentSummary {
    ContainmentSummary {
        id: row.id.clone(),
        scope: row.scope.words(),
        level: row.level.to_string(),
        reason: row.reason.clone(),
        by: row.by.to_string(),
        at: row.at.into(),
        status: row.status.as_str().to_owned(),
        proof: (row.level == Restraint::Off).then(|| proof(row).as_str().to_owned()),
    }
}

/// The least that may be said of any system; nothing was looked at yet, if there is none.
fn proof(row: &Containment) -> Proof {
    let proofs = || row.systems.values().map(|evidence| evidence.proof);
    let ending = row.scope.is_about_agents() && row.ended.done.is_none();
    if ending || proofs().any(|proof| proof == Proof::Unknown) {
        return Proof::Unknown;
    }
    if proofs().any(|proof| proof == Proof::Partial) { Proof::Partial } else { Proof::Contained }
}

fn system(name: &Name, evidence: &SystemEvidence) -> ContainedSystem {
    let seen = |seen: Seen| SeenCall { decision: seen.decision, at: seen.at.into() };
    ContainedSystem {
        system: name.clone(),
        proof: evidence.proof.as_str().to_owned(),
        stage: evidence.stage.as_str().to_owned(),
        because: evidence.because.clone(),
        at: evidence.at.into(),
        confirmed: evidence.confirmed.map(Into::into),
        last_accepted: evidence.last_accepted.map(seen),
        first_refused: evidence.first_refused.map(seen),
        rounds: evidence.rounds,
    }
}

/// What a request is about.
fn scope(wanted: &ContainmentOrder) -> Result<Scope, ControlError> {
    let given = Scope {
        agent: wanted.agent.clone(),
        owner: wanted.owner.clone(),
        group: wanted.group.clone(),
        like: wanted.like.clone(),
        model: wanted.model.clone(),
        environment: wanted.environment,
        system: wanted.system.clone(),
        tool: wanted.tool.clone(),
    };
    if given.is_everything() != wanted.everything {
        return Err(ControlError::caller(
            "say what is to be stopped: something in particular, or everything",
        )
        .cure(
            "name an agent, owner, group, pattern, model, environment, system or tool; or say `everything`",
        ));
    }
    if given.tool.is_some() && given.system.is_none() {
        return Err(ControlError::caller("a tool belongs to a system").cure("name the system too"));
    }
    let texts = given.like.iter().chain(&given.model);
    if texts.clone().any(|text| text.trim().is_empty() || text.len() > PATTERN_BYTES_MAX) {
        return Err(ControlError::caller("a pattern is empty or too long")
            .cure(format!("write 1 to {PATTERN_BYTES_MAX} bytes, such as invoice-*")));
    }
    Ok(given)
}

fn level(wanted: &ContainmentOrder) -> Result<Restraint, ControlError> {
    let effects = wanted.effects.iter().copied().collect::<std::collections::BTreeSet<_>>();
    let word = wanted.level.as_deref().unwrap_or(if effects.is_empty() { "off" } else { "without" });
    let level = match word {
        "observe" => Restraint::Observe,
        "approvals-only" => Restraint::ApprovalsOnly,
        "read-only" => Restraint::ReadOnly,
        "off" => Restraint::Off,
        "without" if effects.is_empty() => {
            return Err(ControlError::caller("say which effects are withheld").cure("name them in `effects`"));
        }
        "without" => return Ok(Restraint::Without { effects }),
        other => {
            return Err(ControlError::caller(format!("`{}` is no level", other.escape_debug()))
                .cure("use observe, without, approvals-only, read-only or off"));
        }
    };
    if effects.is_empty() {
        return Ok(level);
    }
    Err(ControlError::caller("effects go with level `without` only")
        .cure("leave out `effects`, or say `without`"))
}

/// A name that nobody has stops nobody: better to say so while there is time to look again.
fn check_known(scope: &Scope, by: Option<&Name>, directory: &Directory) -> Result<(), ControlError> {
    let unknown = |what: &str, name: &str| Err(ControlError::unknown(what, name));
    check_person(by, directory)?;
    if let Some(agent) = scope.agent.as_ref().filter(|name| !directory.agents.contains_key(*name)) {
        return unknown("agent", agent.as_str());
    }
    if let Some(owner) = scope.owner.as_ref().filter(|name| !directory.people.contains_key(*name)) {
        return unknown("person", owner.as_str());
    }
    let groups = directory.organisation.as_deref().map(|all| &all.groups);
    if let Some(group) = &scope.group
        && !groups.is_some_and(|groups| groups.contains_key(group))
    {
        return unknown("group", group.as_str());
    }
    let Some(system) = &scope.system else { return Ok(()) };
    if !directory.systems.contains_key(system) {
        return unknown("system", system.as_str());
    }
    match &scope.tool {
        Some(tool) if provost_policy::find_tool(directory, system, tool).is_none() => {
            unknown("tool", &format!("{system}/{tool}"))
        }
        _ => Ok(()),
    }
}

fn check_person(person: Option<&Name>, directory: &Directory) -> Result<(), ControlError> {
    let Some(person) = person else { return Ok(()) };
    match directory.people.get(person) {
        Some(row) if row.active => Ok(()),
        _ => Err(ControlError::unknown("person", person.as_str())),
    }
}

/// Any operator stops anything; an owner, or a deputy, stops their own agents.
fn check_say(op: &Op, scope: &Scope, directory: &Directory) -> Result<(), ControlError> {
    let Operator::Person(person, roles) = &op.subject else { return Ok(()) };
    let operates = roles.contains(&Role::Operator) || roles.contains(&Role::Administrator);
    if operates || is_own(person, scope, directory) {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} answers for none or not all of what this is about"))
        .because("operators stop anything; an owner stops their own agents")
        .cure("name one of your agents, or ask an operator"))
}

fn is_own(person: &Name, scope: &Scope, directory: &Directory) -> bool {
    let answers = |agent: &Name| {
        directory
            .agents
            .get(agent)
            .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person))
    };
    scope.owner.as_ref() == Some(person) || scope.agent.as_ref().is_some_and(answers)
}

/// People see what their roles show them, and what is about their own agents.
fn may_see(op: &Op, row: &Containment, directory: &Directory) -> bool {
    let Operator::Person(person, roles) = &op.subject else { return true };
    !roles.is_empty()
        || row.by.person.as_ref() == Some(person)
        || is_own(person, &row.scope, directory)
        || directory.agents.values().any(|agent| {
            agent.charter.owner == *person && row.scope.has_agent(agent, directory.organisation.as_deref())
        })
}

/// Who acts, and how the plane knows.
pub(crate) fn who(op: &Op, person: Option<Name>) -> Result<Who, ControlError> {
    let (person, shown_by) = match (&op.subject, person) {
        (Operator::Person(signed_in, _), None) => {
            (Some(signed_in.clone()), format!("{signed_in}, signed in"))
        }
        (Operator::Person(signed_in, _), Some(named)) if named == *signed_in => {
            (Some(named), format!("{signed_in}, signed in"))
        }
        (Operator::LocalAdministrator, Some(person)) => {
            let shown_by = format!("local administrator for {person}");
            (Some(person), shown_by)
        }
        (subject @ (Operator::LocalAdministrator | Operator::Plane), None) => (None, subject.to_string()),
        (other, _) => return Err(ControlError::refused(format!("{other} speaks in nobody's name"))),
    };
    Ok(Who { person, shown_by })
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
        }
    }
}

const HISTORY_MAX: usize = 100;
const SETTLED_MAX: usize = 4_096;
const PATTERN_BYTES_MAX: usize = 128;
const ID_CHARS_MAX: usize = 80;
