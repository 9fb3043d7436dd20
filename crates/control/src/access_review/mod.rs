//! Access reviews on behaviour: what an agent is granted beside what it did, a proposal to narrow with what that would have changed,
//! its owner's answer, and what was carried out, tried afterwards.
//!
//! ```text
//! campaign, or something happened ─▶ open ──answers──▶ carried out ─▶ tried ─▶ done
//!                                      └──due, no answer: as proposed──▲
//! ```

mod carry;
mod look;
mod view;

pub(crate) use carry::settle;

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    page::page,
    upkeep::speaker,
};
use provost_api::{
    Page,
    access_review::{ReviewAnswer, ReviewOpen, ReviewOpened, ReviewQuery, ReviewSummary, ReviewView},
};
use provost_domain::{
    AccessReview, Agent, AgentStatus, Directory, DurationMs, Name, Object, ObjectKey, Role, Severity,
    Sighting,
    finding::{About, finding_id},
};
use provost_lifecycle::access_review::{self as life, Rest};
use std::collections::BTreeSet;

/// Reviews, the soonest due first; those that the operator may see.
///
/// # Errors
/// When the operator may not, the state is none, or the cursor is not one of ours.
pub async fn list(op: &Op, query: ReviewQuery) -> Result<Page<ReviewSummary>, ControlError> {
    op.authorize(Action::ReviewRead)?;
    let open = match query.state.as_deref() {
        None | Some("open") => Some(true),
        Some("done") => Some(false),
        Some("all") => None,
        Some(_) => return Err(ControlError::caller("a state is one of open, done, all")),
    };
    let view = op.plane.replica.latest();
    let directory = &view.directory;
    let wanted = |row: &&AccessReview| {
        open.is_none_or(|open| row.is_open() == open)
            && query.agent.as_ref().is_none_or(|agent| row.agent == *agent)
            && query.owner.as_ref().is_none_or(|owner| answers(directory, row) == Some(owner))
            && may_see(op, directory, row)
    };
    let rows = directory.reviews.values().map(AsRef::as_ref).filter(wanted);
    let rows = rows.map(|row| (format!("{:020}{}", row.due.as_millis(), row.id), row)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |row| view::summary(row, directory))
}

/// One review, those that are on record only too.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<ReviewView, ControlError> {
    op.authorize(Action::ReviewRead)?;
    let directory = op.plane.replica.latest().directory.clone();
    let row = find(op, &directory, id).await?;
    let history = op.plane.store.history(&ObjectKey::review(id), HISTORY_MAX).await?;
    Ok(view::whole(&row, &directory, history))
}

/// Opens a review of every agent of a scope that has none open, a bounded part of them.
///
/// # Errors
/// When the operator may not, the scope says nothing, or the time is none.
pub async fn open(op: &Op, wanted: ReviewOpen) -> Result<ReviewOpened, ControlError> {
    op.authorize(Action::ReviewOpen)?;
    let why = crate::reason::reason(&wanted.reason)?.to_owned();
    let says_nothing = wanted.agent.is_none() && wanted.owner.is_none() && wanted.environment.is_none();
    if says_nothing && !wanted.all {
        return Err(ControlError::caller("say whose grants: an agent, an owner, an environment, or all"));
    }
    let (due, since) = (wanted.due.0, wanted.since.map_or(LOOKED_BACK, |since| since.0));
    if due.0 == 0 || due > TIME_MAX || since.0 == 0 || since > TIME_MAX {
        return Err(ControlError::caller("`due` and `since` are from a moment to a year"));
    }
    let directory = op.plane.replica.latest().directory.clone();
    let open = open_ones(&directory);
    let mut agents: Vec<Name> = directory
        .agents
        .values()
        .filter(|agent| {
            may_be_reviewed(&open, agent)
                && wanted.agent.as_ref().is_none_or(|name| agent.name == *name)
                && wanted.owner.as_ref().is_none_or(|owner| agent.answers() == owner)
                && wanted.environment.is_none_or(|environment| agent.charter.environment == environment)
        })
        .map(|agent| agent.name.clone())
        .collect();
    agents.sort();
    let left = agents.len().saturating_sub(AT_ONCE);
    let mut opened = Vec::new();
    for name in agents.into_iter().take(AT_ONCE) {
        opened.extend(open_one(op, &name, &why, (since, due)).await?);
    }
    let directory = op.plane.replica.latest().directory.clone();
    Ok(ReviewOpened { opened: opened.iter().map(|row| view::summary(row, &directory)).collect(), left })
}

/// Something happened after which somebody should look at what an agent may do. What was done stands whether or not that comes
/// about: a failure is in the log.
pub(crate) async fn open_for(op: &Op, name: &Name, because: &str) {
    let directory = op.plane.replica.latest().directory.clone();
    if !directory.agents.get(name).is_some_and(|agent| may_be_reviewed(&open_ones(&directory), agent)) {
        return;
    }
    let op = Op { subject: Operator::Plane, ..op.clone() };
    if let Err(error) = open_one(&op, name, because, (LOOKED_BACK, BY_EVENT)).await {
        tracing::warn!(agent = %name, %error, because, "a review could not be opened");
    }
}

async fn open_one(
    op: &Op,
    name: &Name,
    because: &str,
    (since, due): (DurationMs, DurationMs),
) -> Result<Option<AccessReview>, ControlError> {
    let authorised = op.authorize(Action::ReviewOpen)?;
    let row = look::look(op, name, because, (since, due)).await?;
    let key = ObjectKey::review(&row.id);
    let asks = sighting(&row);
    let (_seq, row) = authorised
        .change(&[key], because, |seen| {
            // Another node, or the same campaign twice.
            let agent = seen.directory.agents.get(name);
            let fresh = agent.filter(|agent| may_be_reviewed(&open_ones(seen.directory), agent));
            let drafts: Vec<Draft> = fresh.map_or_else(Vec::new, |agent| {
                let finding =
                    provost_lifecycle::finding::first_seen(&asks, Some(agent.answers()), row.opened);
                vec![
                    Draft::Put(Object::Review(Box::new(row.clone()))),
                    Draft::Put(Object::Finding(Box::new(finding))),
                ]
            });
            let answer = (!drafts.is_empty()).then(|| row.clone());
            Ok(Change { drafts, what: format!("{} of {name} opened", row.id), answer })
        })
        .await?;
    Ok(row)
}

/// What asks its owner, in the transaction that opens it.
fn sighting(row: &AccessReview) -> Sighting {
    let unused = row.lines.iter().filter(|line| line.used == 0 && line.held == 0).count();
    let what = format!(
        "what {} may do is to be reviewed ({}): {unused} of {} tools were never used, and go without an answer by {}",
        row.agent,
        row.because,
        row.lines.len(),
        provost_api::Moment(row.due)
    );
    Sighting::new(KIND, row.id.clone(), Severity::Low, what)
        .about(About::agent(&row.agent))
        .evidence([format!("/console/reviews/{}", row.id)])
}

/// Answers some lines of a review, or all. When none is left without an answer it is carried out and tried.
///
/// # Errors
/// When the operator may not, does not answer for the agent, or the review is done or has no such line.
pub async fn answer(op: &Op, id: &str, wanted: ReviewAnswer) -> Result<ReviewView, ControlError> {
    let authorised = op.authorize(Action::ReviewAnswer)?;
    let (person, by) = speaker(op, wanted.person)?;
    let rest = match wanted.rest.as_deref() {
        None => None,
        Some("proposed") => Some(Rest::Proposed),
        Some("keep") => Some(Rest::Keep),
        Some(_) => return Err(ControlError::caller("`rest` is proposed or keep")),
    };
    if wanted.lines.is_empty() && rest.is_none() {
        return Err(ControlError::caller("answer a line, or say what becomes of the rest"));
    }
    authorised
        .change(&[ObjectKey::review(id)], &wanted.reason, |seen| {
            let row = seen.directory.reviews.get(id).ok_or_else(|| ControlError::unknown("review", id))?;
            check_answers(seen.directory, row, &person)?;
            let row = life::answered(row, &wanted.lines, rest)?;
            let what = format!("{person} answers {id}");
            Ok(Change { drafts: vec![Draft::Put(Object::Review(Box::new(row)))], what, answer: () })
        })
        .await?;
    carry::carry_out(&authorised, id, &by, &wanted.reason).await?;
    show(op, id).await
}

async fn find(op: &Op, directory: &Directory, id: &str) -> Result<AccessReview, ControlError> {
    let unknown = || ControlError::unknown("review", &id.chars().take(80).collect::<String>());
    let row = match directory.reviews.get(id) {
        Some(row) => row.as_ref().clone(),
        None => {
            let last = op.plane.store.history(&ObjectKey::review(id), 1).await?.pop();
            match last.and_then(|record| record.after) {
                Some(Object::Review(row)) => *row,
                _ => return Err(unknown()),
            }
        }
    };
    if may_see(op, directory, &row) { Ok(row) } else { Err(unknown()) }
}

/// Agents that have a review open: one pass over all of them, however many agents are asked for.
fn open_ones(directory: &Directory) -> BTreeSet<&Name> {
    directory.reviews.values().filter(|row| row.is_open()).map(|row| &row.agent).collect()
}

fn may_be_reviewed(open: &BTreeSet<&Name>, agent: &Agent) -> bool {
    let canary = agent.provenance.source.as_ref() == provost_domain::drill::SOURCE;
    let alive = !matches!(agent.status, AgentStatus::Decommissioned | AgentStatus::Unmanaged);
    alive && !canary && !open.contains(&agent.name) && !agent.charter.grants.is_empty()
}

/// Who is asked.
fn answers<'d>(directory: &'d Directory, row: &AccessReview) -> Option<&'d Name> {
    directory.agents.get(&row.agent).map(|agent| agent.answers())
}

/// Who has a role sees all of them; others those of agents they answer for.
fn may_see(op: &Op, directory: &Directory, row: &AccessReview) -> bool {
    match &op.subject {
        Operator::LocalAdministrator | Operator::Plane => true,
        Operator::Person(person, roles) => !roles.is_empty() || is_theirs(directory, row, person),
        Operator::Workload(_) | Operator::Agent(_) | Operator::Connector(_) => false,
    }
}

fn is_theirs(directory: &Directory, row: &AccessReview, person: &Name) -> bool {
    directory.agents.get(&row.agent).is_some_and(|agent| {
        agent.charter.owner == *person || agent.charter.deputies.contains(person) || agent.answers() == person
    })
}

fn check_answers(directory: &Directory, row: &AccessReview, person: &Name) -> Result<(), ControlError> {
    let administrator = directory
        .people
        .get(person)
        .is_some_and(|row| directory.roles_of(row).contains(&Role::Administrator));
    if administrator || is_theirs(directory, row, person) {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} does not answer for {}", row.agent))
        .cure("ask its owner, a deputy, or an administrator"))
}

/// The id of the finding that asks for an answer.
fn asks(row: &AccessReview) -> String {
    finding_id(KIND, &row.id)
}

impl From<life::AnswerError> for ControlError {
    fn from(error: life::AnswerError) -> Self {
        let text = error.to_string();
        match error {
            life::AnswerError::Done(_) => Self::conflict(text),
            life::AnswerError::NoLine(_) | life::AnswerError::NoLimits(_) => Self::caller(text),
        }
    }
}

const KIND: &str = "review-open";
const HISTORY_MAX: usize = 100;
/// Agents of one request.
const AT_ONCE: usize = 100;
const LOOKED_BACK: DurationMs = DurationMs::from_mins(30 * 24 * 60);
/// How long one waits that was opened because something happened.
const BY_EVENT: DurationMs = DurationMs::from_mins(14 * 24 * 60);
const TIME_MAX: DurationMs = DurationMs::from_mins(366 * 24 * 60);
