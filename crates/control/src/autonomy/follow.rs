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
};
use provost_domain::{
    AgentStatus, Autonomy, Directory, Name, Object, ObjectKey, Restraint, Seq, Severity, Sighting,
    finding::{About, FindingState},
};
use provost_lifecycle::autonomy as life;
use provost_store::ChangeRecord;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Takes trust for as long as the node lives.
pub async fn follow(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    let mut moves = plane.replica.moves();
    let mut position = None;
    while !*stop.borrow() {
        moves.mark_unchanged();
        if let Err(error) = once(&plane, &mut position).await {
            tracing::error!(%error, "incidents could not be followed; it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            moved = moves.changed() => if moved.is_err() { return },
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Reads what changed since the position, and takes trust from whom it is about. Gives how many were demoted.
///
/// # Errors
/// When the store fails: from the position on it is read again.
pub async fn once(plane: &Arc<Plane>, position: &mut Option<Seq>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "autonomy".to_owned(), plane: Arc::clone(plane) };
    let mut from = match *position {
        Some(position) => position,
        None => crate::position::remembered(plane, POSITION, "incidents were followed").await?,
    };
    let mut demoted = 0;
    loop {
        let records = plane.store.tail(from, PAGE).await?;
        for record in &records {
            if let Some((agent, evidence, why)) = incident(record) {
                demoted += usize::from(demote(&op, agent, evidence, &why).await?);
                let because = crate::reason::of_plane(&format!("an incident: {evidence}"));
                crate::access_review::open_for(&op, agent, &because).await;
            }
            if let Some(agent) = another_owner(plane, record).await? {
                crate::access_review::open_for(&op, agent, "it has another owner").await;
            }
            from = record.seq;
        }
        let last = records.len() < PAGE;
        if !records.is_empty() {
            plane.store.put_meta(POSITION, from.0.to_string().as_bytes()).await?;
        }
        *position = Some(from);
        if last {
            return Ok(demoted);
        }
    }
}

/// Whom a change takes trust from: the agent, what shows it, and why.
fn incident(record: &ChangeRecord) -> Option<(&Name, &str, String)> {
    match record.after.as_ref()? {
        Object::Finding(row) if row.state == FindingState::Open && !row.filed && life::is_incident(row) => {
            Some((row.about.agent.as_ref()?, row.id.as_str(), format!("{}: {}", row.kind, row.what)))
        }
        Object::Containment(order)
            if order.is_in_force() && !order.drill && order.level != Restraint::Observe =>
        {
            Some((order.scope.agent.as_ref()?, order.id.as_str(), format!("contained: {}", order.reason)))
        }
        _ => None,
    }
}

/// An agent that a change gave to somebody else.
async fn another_owner<'r>(
    plane: &Plane,
    record: &'r ChangeRecord,
) -> Result<Option<&'r Name>, ControlError> {
    let Some(Object::Agent(row)) = record.after.as_ref().filter(|_| record.version > 1) else {
        return Ok(None);
    };
    let history = plane.store.history(&record.key, HISTORY_MAX).await?;
    let before = history.iter().find(|older| older.seq < record.seq).and_then(|older| older.after.as_ref());
    let moved = matches!(before, Some(Object::Agent(before)) if before.charter.owner != row.charter.owner);
    Ok(moved.then_some(&row.name))
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

/// Changes up to here were read.
const POSITION: &str = "autonomy-position";
const PAGE: usize = 500;
/// Changes of an agent among which the one before is looked for.
const HISTORY_MAX: usize = 20;
const LOOK_EVERY: Duration = Duration::from_secs(5);
