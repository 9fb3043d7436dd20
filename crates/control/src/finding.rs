//! Findings: what a person should know, raised by the plane, answered by people. The rules are `provost-lifecycle`'s.

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    diff,
    page::page,
};
use provost_api::{
    Page,
    finding::{FindingAnswer, FindingQuery, FindingSummary, FindingSuppress, FindingView},
};
use provost_domain::{
    Directory, Finding, Name, Object, ObjectKey, Role, Severity, Sighting, Timestamp, finding::FindingState,
};
use provost_lifecycle::finding::{self as life, AnswerError, Answerer};
use std::collections::BTreeMap;

/// Puts on record what was seen, as the plane's own word, whoever's operation it was seen in. `None` when that says nothing new.
///
/// # Errors
/// When the store fails.
pub async fn raise(op: &Op, sighting: &Sighting) -> Result<Option<Finding>, ControlError> {
    let plane = &op.plane;
    let directory = plane.replica.latest().directory.clone();
    let raised =
        provost_store::raise_finding(plane.store.as_ref(), &directory, sighting, plane.now()).await?;
    if raised.is_some() {
        plane.replica.catch_up().await?;
    }
    Ok(raised)
}

/// As [`raise`], where what was done stands whether or not anybody hears of it: a failure is in the log.
pub async fn try_raise(op: &Op, sighting: &Sighting) {
    if let Err(error) = raise(op, sighting).await {
        tracing::warn!(request = %op.request_id, %error, kind = sighting.kind, "a finding could not be raised");
    }
}

/// Findings, the worst first, of those the last opened; filed ones are on record only.
///
/// # Errors
/// When the operator may not, the state is none, or the cursor is not one of ours.
pub async fn list(op: &Op, query: FindingQuery) -> Result<Page<FindingSummary>, ControlError> {
    op.authorize(Action::FindingRead)?;
    let state = query.state.as_deref();
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(ControlError::caller(format!("a state is one of {}", STATES.join(", "))));
    }
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let is = |wanted: &Option<Name>, name: &Option<Name>| wanted.is_none() || wanted == name;
    let wanted = |row: &&Finding| {
        let stands = row.state_at(now).as_str();
        let in_state = match state {
            None => row.is_unanswered(now),
            Some("all") => true,
            Some(state) => stands == state,
        };
        in_state
            && query.severity.is_none_or(|least| row.severity >= least)
            && query.kind.as_ref().is_none_or(|kind| row.kind == *kind)
            && is(&query.agent, &row.about.agent)
            && is(&query.person, &row.about.person)
            && is(&query.system, &row.about.system)
            && is(&query.owner, &row.owner)
            && may_see(op, row, directory)
    };
    let rows = directory.findings.values().map(AsRef::as_ref).filter(wanted);
    let rows = rows.map(|row| (place(row), row)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |row| summary(row, now))
}

/// One finding, closed and filed ones too.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<FindingView, ControlError> {
    op.authorize(Action::FindingRead)?;
    let found = provost_store::finding(op.plane.store.as_ref(), id).await?;
    let row =
        found.map(|(_version, row)| row).filter(|row| may_see(op, row, &op.plane.replica.latest().directory));
    let row = row.ok_or_else(|| ControlError::unknown("finding", id))?;
    view_of(op, &row).await
}

/// Somebody is at it.
///
/// # Errors
/// When the operator may not answer it, or it is closed.
pub async fn acknowledge(op: &Op, id: &str, answer: FindingAnswer) -> Result<FindingView, ControlError> {
    let who = answerer(op, answer.person)?;
    let now = op.plane.now();
    answered(op, id, &answer.reason, "acknowledged", |row, directory| {
        life::acknowledge(row, directory, &who, now)
    })
    .await
}

/// It is dealt with.
///
/// # Errors
/// As [`acknowledge`]; when no reason is given.
pub async fn close(op: &Op, id: &str, answer: FindingAnswer) -> Result<FindingView, ControlError> {
    let who = answerer(op, answer.person)?;
    let now = op.plane.now();
    answered(op, id, &answer.reason, "closed", |row, directory| {
        life::close(row, directory, &who, &answer.reason, now)
    })
    .await
}

/// Nobody wants to hear of it for a while, unless it gets worse.
///
/// # Errors
/// As [`close`]; when the while is too long.
pub async fn suppress(op: &Op, id: &str, wanted: FindingSuppress) -> Result<FindingView, ControlError> {
    let who = answerer(op, wanted.person)?;
    let now = op.plane.now();
    answered(op, id, &wanted.reason, "suppressed", |row, directory| {
        life::suppress(row, directory, &who, (&wanted.reason, wanted.lasts.0), now)
    })
    .await
}

async fn answered(
    op: &Op,
    id: &str,
    why: &str,
    word: &str,
    answer: impl Fn(&Finding, &Directory) -> Result<Finding, AnswerError>,
) -> Result<FindingView, ControlError> {
    let authorised = op.authorize(Action::FindingAnswer)?;
    if let Some(row) = op.plane.replica.latest().directory.findings.get(id) {
        crate::review::check_answer(op, row).await?;
    }
    let (_seq, row) = authorised
        .change(&[ObjectKey::finding(id)], why, |seen| {
            let row = seen.directory.findings.get(id).filter(|row| may_see(op, row, seen.directory));
            let row = row.ok_or_else(|| ControlError::unknown("finding that is open", id))?;
            let row = answer(row, seen.directory)?;
            let drafts = vec![Draft::Put(Object::Finding(Box::new(row.clone())))];
            Ok(Change { drafts, what: format!("{id} {word}"), answer: row })
        })
        .await?;
    view_of(op, &row).await
}

/// What housekeeping does: suppressions end, and what was closed long ago leaves the listing. A bounded part.
pub(crate) async fn settle(op: &Op) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::FindingSettle)?;
    let view = op.plane.replica.latest();
    for next in life::settle(&view.directory, SETTLED_MAX, op.plane.now()) {
        let (id, known) = (next.id.as_str(), view.directory.findings.get(&next.id));
        let why = if next.filed { "it was closed long ago" } else { "its suppression is over" };
        authorised
            .change(&[ObjectKey::finding(id)], why, |seen| {
                let same = seen.directory.findings.get(id) == known;
                let draft = same.then(|| Draft::Put(Object::Finding(Box::new(next.clone()))));
                Ok(Change { drafts: draft.into_iter().collect(), what: format!("{id} settled"), answer: () })
            })
            .await?;
    }
    Ok(())
}

/// How many wait for an answer, by severity; those that the operator may see.
#[must_use]
pub fn waiting(op: &Op) -> BTreeMap<Severity, usize> {
    let view = op.plane.replica.latest();
    let now = op.plane.now();
    let mut counts = BTreeMap::new();
    let open = view.directory.findings.values().filter(|row| row.is_unanswered(now));
    for row in open.filter(|row| may_see(op, row, &view.directory)) {
        let count: &mut usize = counts.entry(row.severity).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// Whether this operator may answer it, and if not, why not.
///
/// # Errors
/// When nobody knows it.
pub fn may_answer(op: &Op, id: &str) -> Result<(), ControlError> {
    op.authorize(Action::FindingAnswer)?;
    let view = op.plane.replica.latest();
    let row = view.directory.findings.get(id).ok_or_else(|| ControlError::unknown("open finding", id))?;
    Ok(life::may_answer(row, &view.directory, &answerer(op, None)?)?)
}

/// Whose answer it is, and whether every finding is theirs.
fn answerer(op: &Op, person: Option<Name>) -> Result<Answerer, ControlError> {
    let (person, by, every) = match (&op.subject, person) {
        (Operator::Person(signed_in, _), Some(named)) if named != *signed_in => {
            return Err(ControlError::refused(format!("{signed_in} answers in their own name only")));
        }
        (Operator::Person(signed_in, roles), _) => {
            let every = roles.contains(&Role::Operator) || roles.contains(&Role::Administrator);
            (Some(signed_in.clone()), op.subject.to_string(), every)
        }
        (Operator::LocalAdministrator, Some(person)) => {
            let by = format!("local administrator for {person}");
            (Some(person), by, true)
        }
        (Operator::LocalAdministrator, None) => (None, op.subject.to_string(), true),
        (other, _) => return Err(ControlError::refused(format!("{other} answers no findings"))),
    };
    let here = |name: &Name| {
        op.plane.replica.latest().directory.people.get(name).is_some_and(|person| person.active)
    };
    match person.as_ref().filter(|name| !here(name)) {
        Some(nobody) => Err(ControlError::unknown("person", nobody.as_str())),
        None => Ok(Answerer { person, by, every }),
    }
}

/// Who has a role sees all of them; others those of the agents they answer for, and theirs.
fn may_see(op: &Op, row: &Finding, directory: &Directory) -> bool {
    match &op.subject {
        Operator::LocalAdministrator | Operator::Plane => true,
        Operator::Person(person, roles) => !roles.is_empty() || life::is_of(row, directory, person),
        Operator::Workload(_) | Operator::Agent(_) | Operator::Connector(_) => false,
    }
}

/// Where it stands in a listing: the worst first, then the last opened.
fn place(row: &Finding) -> String {
    let severity = Severity::ALL.len().saturating_sub(row.severity as usize);
    let opened = i64::MAX.saturating_sub(row.opened.as_millis());
    format!("{severity}{opened:020}{}", row.id)
}

fn summary(row: &Finding, now: Timestamp) -> FindingSummary {
    FindingSummary {
        id: row.id.clone(),
        kind: row.kind.clone(),
        severity: row.severity,
        what: row.what.clone(),
        about: row.about.clone(),
        state: row.state_at(now).as_str().to_owned(),
        response: row.response,
        owner: row.owner.clone(),
        first: row.first.into(),
        last: row.last.into(),
        count: row.count,
    }
}

async fn view_of(op: &Op, row: &Finding) -> Result<FindingView, ControlError> {
    let now = op.plane.now();
    let (by, why, at, until) = match row.state_at(now) {
        FindingState::Open => (None, None, None, None),
        FindingState::Acknowledged { at, by } => (Some(by), None, Some(*at), None),
        FindingState::Suppressed { at, by, why, until } => (Some(by), Some(why), Some(*at), Some(*until)),
        FindingState::Closed { at, by, why } => (Some(by), Some(why), Some(*at), None),
    };
    let key = ObjectKey::finding(&row.id);
    Ok(FindingView {
        summary: summary(row, now),
        evidence: row.evidence.clone(),
        by_another: row.by_another,
        by: by.cloned(),
        why: why.cloned(),
        at: at.map(Into::into),
        until: until.map(Into::into),
        history: diff::history(op.plane.store.history(&key, HISTORY_MAX).await?),
    })
}

impl From<AnswerError> for ControlError {
    fn from(error: AnswerError) -> Self {
        let text = error.to_string();
        match error {
            AnswerError::Closed(_) => Self::conflict(text),
            AnswerError::Own(_) | AnswerError::NotYours(_) => {
                Self::refused(text).cure("ask an operator, or the owner of the agent it is about")
            }
            AnswerError::Nobody => Self::caller(text).cure("name the person: --as PERSON, or `person`"),
            AnswerError::Reason | AnswerError::Unbounded => Self::caller(text),
        }
    }
}

const STATES: [&str; 5] = ["open", "acknowledged", "suppressed", "closed", "all"];
const HISTORY_MAX: usize = 100;
const SETTLED_MAX: usize = 200;
