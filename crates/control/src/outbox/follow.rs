//! A decision anywhere withdraws the other prompts: what had gone out is followed by how it ended, on the same lane; what had not
//! is withdrawn (pump.rs). So is an account that an order made inactive, by its being made active, once the agent may act again.
//! Unmarking the one and owing the other is one transaction, of many at once.

use super::{
    derive, notice, put,
    route::Lane,
    scim::{self, Back},
};
use crate::{ControlError, access::Authorised, change::Draft, finding};
use provost_domain::{
    AgentStatus, Delivery, Directory, Kind, Name, Object, ObjectKey, Severity, Sighting,
    approval::ApprovalStatus, channel::Event, finding::About,
};
use provost_store::CommitError;
use std::{collections::BTreeMap, sync::Arc};

/// Whether what a delivery is about still wants it: an approval waits, an agent is stopped, an order is in force.
pub(super) fn still_waits(delivery: &Delivery, directory: &Directory) -> bool {
    let Some(about) = &delivery.about else { return true };
    match about.kind {
        Kind::Approval => {
            directory.approvals.get(&about.key).is_some_and(|row| row.status == ApprovalStatus::Waiting)
        }
        Kind::Proposal => directory.proposals.get(&about.key).is_some_and(|row| !row.is_over()),
        // Who may act again keeps its accounts.
        Kind::Agent => directory
            .agents
            .get(about.key.as_str())
            .is_none_or(|agent| scim::is_wanted(delivery, agent, directory)),
        Kind::Containment => directory.containments.get(&about.key).is_some(),
        _ => true,
    }
}

/// Whether nothing can follow it any more: who is decommissioned never acts again.
fn is_for_ever(delivery: &Delivery, directory: &Directory) -> bool {
    let about = delivery.about.as_ref().filter(|about| about.kind == Kind::Agent);
    let agent = about.and_then(|about| directory.agents.get(about.key.as_str()));
    agent.is_some_and(|agent| agent.status == AgentStatus::Decommissioned)
}

/// Follows everything that is over; gives how many were.
pub(super) async fn all(authorised: &Authorised<'_>, directory: &Directory) -> Result<usize, ControlError> {
    let over = directory.deliveries.values().filter(|row| row.followed && !row.is_due());
    let over: Vec<&Arc<Delivery>> = over
        .filter(|row| !still_waits(row, directory) || is_for_ever(row, directory))
        .take(AT_ONCE_MAX)
        .collect();
    for rows in over.chunks(BATCH) {
        if !followed(authorised, rows, directory).await? {
            // Somebody was faster with one of them: each by itself.
            for row in rows {
                followed(authorised, std::slice::from_ref(row), directory).await?;
            }
        }
    }
    Ok(over.len())
}

/// Unmarks some, and owes what follows them; false when one of them has moved.
async fn followed(
    authorised: &Authorised<'_>,
    rows: &[&Arc<Delivery>],
    directory: &Directory,
) -> Result<bool, ControlError> {
    let plane = &authorised.op.plane;
    let mut drafts = Vec::new();
    for row in rows {
        drafts.push(put(Delivery { followed: false, ..row.as_ref().clone() }));
        if went_out(row)
            && let Some(follow_up) = follow_up(authorised, row, directory).await?
        {
            drafts.push(put(follow_up));
        }
    }
    // The version the directory has: whoever was faster wrote the same.
    let keys: Vec<ObjectKey> = drafts.iter().map(Draft::key).collect();
    let versions: BTreeMap<ObjectKey, u64> = authorised.versions(&keys).await?;
    plane.replica.catch_up().await?;
    let now = plane.replica.latest();
    let same = |row: &&Arc<Delivery>| now.directory.deliveries.get(&row.id).is_some_and(|now| now == *row);
    if !rows.iter().all(same) {
        return Ok(false);
    }
    match authorised.commit(drafts, &versions, "what it asked for is over", &lanes(rows)).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn lanes(rows: &[&Arc<Delivery>]) -> String {
    let mut lanes: Vec<&str> = rows.iter().map(|row| row.lane.as_str()).collect();
    lanes.dedup();
    lanes.truncate(LANES_SAID_MAX);
    lanes.join(", ")
}

/// Somebody may have it. An attempt that failed may have arrived all the same.
fn went_out(row: &Delivery) -> bool {
    row.attempts > 0
}

async fn follow_up(
    authorised: &Authorised<'_>,
    row: &Delivery,
    directory: &Directory,
) -> Result<Option<Delivery>, ControlError> {
    let plane = &authorised.op.plane;
    let now = plane.now();
    if let Some(system) = scim::of_lane(&row.lane) {
        if is_for_ever(row, directory) {
            return Ok(None);
        }
        return Ok(match scim::back(row, directory, now) {
            Back::Owed(owed) => Some(*owed),
            Back::Nothing => None,
            Back::Unclear => {
                unclear(authorised, row, system).await;
                None
            }
        });
    }
    let (Some(about), Some(lane)) = (&row.about, Lane::read(&row.lane)) else { return Ok(None) };
    let heard = directory.channels.get(&lane.channel).is_some_and(|channel| channel.hears(Event::Decided));
    if !heard {
        return Ok(None);
    }
    let newest = plane.store.history(about, 1).await?.pop().and_then(|record| record.after);
    let notice = match newest {
        Some(Object::Approval(approval)) => notice::decided(&plane.issuer, &approval, now),
        Some(Object::Proposal(proposal)) => notice::proposal_over(&plane.issuer, &proposal, now),
        _ => return Ok(None),
    };
    let cause = format!("{} {}", Event::Decided.as_str(), row.id);
    Ok(derive::delivery(&cause, &lane, directory.seq.0.max(row.order), &notice, Some(about.clone()), now))
}

/// The agent may act again, and nobody knows whether its account was made inactive by the order: people are told.
async fn unclear(authorised: &Authorised<'_>, row: &Delivery, system: &str) {
    let agent: Option<Name> = row.about.as_ref().and_then(|about| about.key.parse().ok());
    let whose = agent.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = format!(
        "{whose} may act again, and its account at {system} may have been left inactive by an order: look there"
    );
    let about = About { agent, system: system.parse().ok(), ..About::default() };
    let sighting = Sighting::new("account-left-inactive", row.id.clone(), Severity::Medium, what);
    finding::try_raise(authorised.op, &sighting.about(about).evidence([row.id.clone()])).await;
}

const AT_ONCE_MAX: usize = 500;
/// Rows unmarked in one transaction; as many may follow them.
const BATCH: usize = 100;
const LANES_SAID_MAX: usize = 5;
