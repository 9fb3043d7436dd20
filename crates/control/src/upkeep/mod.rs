//! What becomes of agents by itself: the worker that finds what is due (`provost-lifecycle` says what), and what people answer.
//!
//! Everything is derived from rows and the time. A step is decided again on the newest row when it is written, so that of several
//! nodes one writes it, and a crash between the row and the finding is made up for by the next look.

mod accounts;
mod sweep;
mod worker;

pub use worker::{once, run};

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft, Seen},
    finding,
    reason::of_plane,
};
use provost_api::{
    agent::AgentView,
    upkeep::{Accept, Attest},
};
use provost_domain::{
    Agent, AgentStatus, Directory, Kind, Name, Object, ObjectKey, Sighting, Timestamp,
    agent::{Revised, RevisedHow},
    finding::{About, finding_id},
};
use provost_lifecycle::{
    finding::Answerer,
    upkeep::{self as life, Due, NotAsked, Step, Told},
};
use std::sync::Arc;

/// An owner, or who answers in their place, confirms that an agent is still wanted as it is.
///
/// # Errors
/// When the operator may not, nobody has that name, it is over, or whoever says it does not answer for the agent.
pub async fn attest(op: &Op, name: &Name, wanted: Attest) -> Result<AgentView, ControlError> {
    let authorised = op.authorize_on(Action::AgentAttest, name)?;
    let (person, by) = speaker(op, wanted.person)?;
    let asked = op.plane.replica.latest().directory.agents.get(name).and_then(asked);
    let finding = asked.map(|since| finding_id(life::ATTESTATION, &key_of(name, since)));
    let mut keys = vec![key(name)];
    keys.extend(finding.as_deref().map(ObjectKey::finding));
    authorised
        .change(&keys, &wanted.reason, |seen| {
            let agent = find(seen, name)?;
            if agent.status == AgentStatus::Decommissioned {
                return Err(ControlError::refused(format!(
                    "{name} was decommissioned: nothing is left to confirm"
                )));
            }
            check_answers(agent, &person)?;
            let row = life::attested(agent, &by, op.plane.now());
            let mut drafts = vec![Draft::Put(Object::Agent(row))];
            drafts.extend(closed(seen, finding.as_deref(), &by, op.plane.now()));
            Ok(Change { drafts, what: format!("{person} confirms {name}"), answer: () })
        })
        .await?;
    crate::agent::show(op, name).await
}

/// Whoever is asked to answer for an agent whose owner has left says that they do: a new revision of its charter.
///
/// # Errors
/// When the operator may not, nobody has that name, or somebody else is asked.
pub async fn accept(op: &Op, name: &Name, wanted: Accept) -> Result<AgentView, ControlError> {
    let authorised = op.authorize(Action::AgentAccept)?;
    let (person, by) = speaker(op, wanted.person)?;
    let since = op.plane.replica.latest().directory.agents.get(name).and_then(heir_since);
    let finding = since.map(|since| finding_id(life::OWNERLESS, &key_of(name, since)));
    let mut keys = vec![key(name)];
    keys.extend(finding.as_deref().map(ObjectKey::finding));
    authorised
        .change(&keys, &wanted.reason, |seen| {
            let agent = find(seen, name)?;
            let mut row = life::accepted(agent, &person)?;
            row.provenance.revised = Some(Arc::new(Revised {
                by: by.as_str().into(),
                at: op.plane.now(),
                how: RevisedHow::Approved,
                why: wanted.reason.trim().into(),
                approvers: vec![person.clone()],
                proposal: None,
            }));
            let mut drafts = vec![Draft::Put(Object::Agent(row))];
            drafts.extend(closed(seen, finding.as_deref(), &by, op.plane.now()));
            Ok(Change { drafts, what: format!("{person} answers for {name}"), answer: () })
        })
        .await?;
    crate::access_review::open_for(op, name, "it has another owner").await;
    crate::agent::show(op, name).await
}

/// Carries out what is due for one agent, and tells people. Gives what it was.
///
/// # Errors
/// When the store fails.
async fn carry_out(op: &Op, name: &Name, last: Option<Timestamp>) -> Result<Option<Step>, ControlError> {
    let authorised = op.authorize(Action::AgentKeep)?;
    let now = op.plane.now();
    let found = op.plane.replica.latest().directory.clone();
    let Some(due) = found.agents.get(name).and_then(|agent| life::due(&found, agent, last, now)) else {
        return Ok(None);
    };
    let why = of_plane(due.told.as_ref().map_or("its owner is here", |told| told.what.as_str()));
    let due: Option<Due> = match due.row {
        None => Some(due),
        Some(_) => {
            let (_seq, due) = authorised
                .change(&[key(name)], &why, |seen| {
                    let due = seen
                        .directory
                        .agents
                        .get(name)
                        .and_then(|agent| life::due(seen.directory, agent, last, now));
                    let row = due.as_ref().and_then(|due| due.row.clone());
                    let drafts = row.map(|row| Draft::Put(Object::Agent(row))).into_iter().collect();
                    Ok(Change { drafts, what: format!("upkeep of {name}"), answer: due })
                })
                .await?;
            due
        }
    };
    let Some(due) = due else { return Ok(None) };
    if let Some(told) = &due.told {
        tell(op, name, told).await?;
    }
    if due.step == Step::IdleNear {
        crate::access_review::open_for(op, name, "it was not used for long").await;
    }
    Ok(Some(due.step))
}

/// Whether nothing is left to do about something that is due: people were told, and there is nothing to write.
fn is_told(directory: &Directory, name: &Name, due: &Due) -> bool {
    let told = due.told.as_ref().filter(|_| due.row.is_none());
    told.is_some_and(|told| {
        let id = finding_id(told.kind, &key_of(name, told.since));
        directory.findings.get(&id).is_some_and(|known| known.severity >= told.severity)
    })
}

/// Told once for each time it comes about, and again only when it is worse.
async fn tell(op: &Op, name: &Name, told: &Told) -> Result<(), ControlError> {
    let key = key_of(name, told.since);
    let known = op.plane.replica.latest().directory.findings.get(&finding_id(told.kind, &key)).cloned();
    if known.is_some_and(|known| known.severity >= told.severity) {
        return Ok(());
    }
    let sighting = Sighting::new(told.kind, key, told.severity, told.what.clone()).about(About::agent(name));
    finding::raise(op, &sighting).await.map(drop)
}

/// What makes one time another one than the next.
fn key_of(name: &Name, since: Timestamp) -> String {
    format!("{name}/{}", since.as_millis())
}

fn asked(agent: &Arc<Agent>) -> Option<Timestamp> {
    agent.life.as_ref()?.asked
}

fn heir_since(agent: &Arc<Agent>) -> Option<Timestamp> {
    Some(agent.life.as_ref()?.heir.as_ref()?.asked)
}

/// The finding that asked for it, closed: it is answered.
fn closed(seen: &Seen<'_>, finding: Option<&str>, by: &str, now: Timestamp) -> Option<Draft> {
    let row = seen.directory.findings.get(finding?)?;
    let who = Answerer { person: None, by: by.to_owned(), every: true };
    let row = provost_lifecycle::finding::close(row, seen.directory, &who, "it was answered", now).ok()?;
    Some(Draft::Put(Object::Finding(Box::new(row))))
}

/// Whose word it is, and as records say it.
pub(crate) fn speaker(op: &Op, person: Option<Name>) -> Result<(Name, String), ControlError> {
    let here = |name: &Name| {
        let view = op.plane.replica.latest();
        view.directory.people.get(name).is_some_and(|row| row.active)
    };
    match (&op.subject, person) {
        (Operator::Person(own, _), None) => Ok((own.clone(), op.subject.to_string())),
        (Operator::Person(own, _), Some(named)) if *own == named => Ok((named, op.subject.to_string())),
        (Operator::LocalAdministrator, Some(named)) if here(&named) => {
            let by = format!("{} for {named}", op.subject);
            Ok((named, by))
        }
        (Operator::LocalAdministrator, None) => {
            Err(ControlError::caller("say whose word it is: --as PERSON, or `person` in the request"))
        }
        (Operator::LocalAdministrator, Some(named)) => {
            Err(ControlError::unknown("person who is here", named.as_str()))
        }
        (other, _) => Err(ControlError::refused(format!("{other} answers in nobody else's name"))),
    }
}

fn check_answers(agent: &Agent, person: &Name) -> Result<(), ControlError> {
    let charter = &agent.charter;
    if charter.owner == *person || charter.deputies.contains(person) || agent.answers() == person {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} does not answer for {}", agent.name))
        .cure(format!("ask {} to say it", agent.answers())))
}

fn find<'d>(seen: &Seen<'d>, name: &Name) -> Result<&'d Agent, ControlError> {
    let agent = seen.directory.agents.get(name).map(AsRef::as_ref);
    agent.ok_or_else(|| ControlError::unknown("agent", name.as_str()))
}

fn key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Agent, name.as_str())
}

impl From<NotAsked> for ControlError {
    fn from(error: NotAsked) -> Self {
        Self::refused(error.to_string())
    }
}
