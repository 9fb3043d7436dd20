//! An incident takes an agent's trust at once: the worker follows findings and orders, each once on each plane.
//!
//! How far the changes were read stands in the store. A demotion is decided on the rows as they are, so that a second node, or
//! the same one after a crash, finds nothing left to take.

use super::rules;
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    finding,
    plane::Plane,
    position::{self, Reader},
};
use provost_domain::{
    AgentStatus, Autonomy, Directory, Name, Object, ObjectKey, Restraint, Seq, Severity, Sighting,
    finding::{About, FindingState},
};
use provost_lifecycle::autonomy as life;
use provost_store::ChangeRecord;
use std::sync::Arc;
use tokio::sync::watch;

/// Takes trust for as long as the node lives.
pub async fn follow(plane: Arc<Plane>, stop: watch::Receiver<bool>) {
    position::follow(plane, stop, "incidents", once).await;
}

/// Reads what changed since the position, and takes trust from whom it is about. Gives how many were demoted.
///
/// # Errors
/// When the store fails: from the position on it is read again.
pub async fn once(plane: &Arc<Plane>, position: &mut Option<Seq>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "autonomy".to_owned(), plane: Arc::clone(plane) };
    let mut demoted = 0;
    loop {
        let page = READER.page(plane, *position).await?;
        for record in &page.records {
            demoted += incident(&op, record).await?;
            if let Some((agent, because)) = became(plane, record).await? {
                crate::access_review::open_for(&op, agent, because).await;
            }
        }
        if READER.done(plane, &page, position).await? {
            return Ok(demoted);
        }
    }
}

/// Takes trust from whom a change takes it, and has what they may do looked at.
async fn incident(op: &Op, record: &ChangeRecord) -> Result<usize, ControlError> {
    let directory = op.plane.replica.latest().directory.clone();
    let Some((agents, evidence, why)) = taken(record, &directory) else { return Ok(0) };
    let because = crate::reason::of_plane(&format!("an incident: {evidence}"));
    let mut demoted = 0;
    for (nth, agent) in agents.iter().enumerate() {
        // A look at the row as it is spares a change that would say nothing.
        if row(&directory, agent).is_some_and(|row| row.charter.autonomy > Autonomy::Probation) {
            demoted += usize::from(demote(op, agent, evidence, &why).await?);
        }
        if nth < REVIEWS_MAX {
            crate::access_review::open_for(op, agent, &because).await;
        }
    }
    Ok(demoted)
}

/// Whom a change takes trust from: the agents, what shows it, and why. An order takes it from those it is about by anything that
/// is said of agents, when it is given; what is about everything, or about calls of a system whoever makes them, says nothing of
/// any agent.
fn taken<'r>(record: &'r ChangeRecord, directory: &Directory) -> Option<(Vec<Name>, &'r str, String)> {
    match record.after.as_ref()? {
        Object::Finding(row) if row.state == FindingState::Open && !row.filed && life::is_incident(row) => {
            let agent = row.about.agent.clone()?;
            Some((vec![agent], row.id.as_str(), format!("{}: {}", row.kind, row.what)))
        }
        Object::Containment(order)
            if record.version == 1 && !order.drill && order.level != Restraint::Observe =>
        {
            if !order.scope.names_agents() {
                return None;
            }
            let organisation = directory.organisation.as_deref();
            let about = directory.agents.values().filter(|agent| order.scope.has_agent(agent, organisation));
            let mut agents: Vec<Name> = about.map(|agent| agent.name.clone()).collect();
            agents.sort();
            Some((agents, order.id.as_str(), format!("contained: {}", order.reason)))
        }
        _ => None,
    }
}

/// An agent that a change gave to somebody else, or made of something else.
async fn became<'r>(
    plane: &Plane,
    record: &'r ChangeRecord,
) -> Result<Option<(&'r Name, &'static str)>, ControlError> {
    let Some(Object::Agent(row)) = record.after.as_ref().filter(|_| record.version > 1) else {
        return Ok(None);
    };
    let history = plane.store.history(&record.key, HISTORY_MAX).await?;
    let before = history.iter().find(|older| older.seq < record.seq).and_then(|older| older.after.as_ref());
    let Some(Object::Agent(before)) = before else { return Ok(None) };
    let moved = before.charter.owner != row.charter.owner;
    let remade = provost_lifecycle::bill::is_remade(before, row);
    let because = match (moved, remade) {
        (true, _) => Some("it has another owner"),
        (false, true) => Some("it is made of something else"),
        (false, false) => None,
    };
    Ok(because.map(|because| (&row.name, because)))
}

async fn demote(op: &Op, name: &Name, evidence: &str, why: &str) -> Result<bool, ControlError> {
    let authorised = op.authorize(Action::AgentDemote)?;
    let key = ObjectKey::new(provost_domain::Kind::Agent, name.as_str());
    let now = op.plane.now();
    let why = crate::reason::of_plane(why);
    let (_seq, from) = authorised
        .change(&[key], &why, |seen| {
            let row = row(seen.directory, name).filter(|_| rules(seen.directory).graduated);
            let demoted =
                row.and_then(|row| life::demoted(&rules(seen.directory), row, Autonomy::Probation, now));
            let from = row.filter(|_| demoted.is_some()).map(|row| row.charter.autonomy);
            let drafts = demoted.map(|row| Draft::Put(Object::Agent(row))).into_iter().collect();
            Ok(Change { drafts, what: format!("{name} demoted to probation"), answer: from })
        })
        .await?;
    let Some(from) = from else { return Ok(false) };
    let what = format!("{name} was trusted as {from} and is in probation again: {why}");
    let sighting = Sighting::new("agent-demoted", name.to_string(), Severity::Medium, what)
        .about(About::agent(name))
        .evidence([evidence]);
    finding::try_raise(op, &sighting).await;
    Ok(true)
}

/// Canaries of drills earn nothing, and what is over loses nothing.
fn row<'d>(directory: &'d Directory, name: &Name) -> Option<&'d provost_domain::Agent> {
    let row = directory.agents.get(name).map(AsRef::as_ref)?;
    let canary = row.provenance.source.as_ref() == provost_domain::drill::SOURCE;
    (row.status != AgentStatus::Decommissioned && !canary).then_some(row)
}

const READER: Reader = Reader { place: "autonomy-position", doing: "incidents were followed" };
/// Reviews that one order opens: those of the first agents by name. People read no more at once.
const REVIEWS_MAX: usize = 100;
/// Changes of an agent among which the one before is looked for.
const HISTORY_MAX: usize = 20;
