//! A decision anywhere withdraws the other prompts: what had gone out is followed by how it ended, on the same lane; what had not
//! is withdrawn (pump.rs). Unmarking the one and owing the other is one transaction.

use super::{derive, notice, put, route::Lane, scim};
use crate::{ControlError, access::Authorised};
use provost_domain::{
    Delivery, Directory, Kind, Object, ObjectKey, approval::ApprovalStatus, channel::Event,
};
use provost_store::CommitError;
use std::{collections::BTreeMap, sync::Arc};

/// Whether what a delivery is about still wants it: an approval waits, an agent is stopped.
pub(super) fn still_waits(delivery: &Delivery, directory: &Directory) -> bool {
    let Some(about) = &delivery.about else { return true };
    match about.kind {
        Kind::Approval => {
            directory.approvals.get(&about.key).is_some_and(|row| row.status == ApprovalStatus::Waiting)
        }
        Kind::Proposal => directory.proposals.get(&about.key).is_some_and(|row| !row.is_over()),
        // Who may act again keeps its accounts.
        Kind::Agent => directory.agents.get(about.key.as_str()).is_none_or(|row| !scim::runs(row)),
        _ => true,
    }
}

/// Follows everything that is over; gives how many were.
pub(super) async fn all(authorised: &Authorised<'_>, directory: &Directory) -> Result<usize, ControlError> {
    let over = directory.deliveries.values().filter(|row| row.followed && !row.is_due());
    let over: Vec<&Arc<Delivery>> =
        over.filter(|row| !still_waits(row, directory)).take(AT_ONCE_MAX).collect();
    for row in &over {
        one(authorised, row, directory).await?;
    }
    Ok(over.len())
}

async fn one(authorised: &Authorised<'_>, row: &Delivery, directory: &Directory) -> Result<(), ControlError> {
    let plane = &authorised.op.plane;
    let settled = Delivery { followed: false, ..row.clone() };
    let mut drafts = vec![put(settled)];
    if went_out(row)
        && let Some(follow_up) = follow_up(authorised, row, directory).await?
    {
        drafts.push(put(follow_up));
    }
    // The version the directory has: whoever was faster wrote the same.
    let keys: Vec<ObjectKey> = drafts.iter().map(crate::change::Draft::key).collect();
    let versions: BTreeMap<ObjectKey, u64> = authorised.versions(&keys).await?;
    plane.replica.catch_up().await?;
    let unchanged = plane.replica.latest().directory.deliveries.get(&row.id).is_some_and(|now| **now == *row);
    if !unchanged {
        return Ok(());
    }
    match authorised.commit(drafts, &versions, "what it asked for is over", &row.lane).await {
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
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
    let (Some(about), Some(lane)) = (&row.about, Lane::read(&row.lane)) else { return Ok(None) };
    let heard = directory.channels.get(&lane.channel).is_some_and(|channel| channel.hears(Event::Decided));
    if !heard {
        return Ok(None);
    }
    let now = plane.now();
    let newest = plane.store.history(about, 1).await?.pop().and_then(|record| record.after);
    let notice = match newest {
        Some(Object::Approval(approval)) => notice::decided(&plane.issuer, &approval, now),
        Some(Object::Proposal(proposal)) => notice::proposal_over(&plane.issuer, &proposal, now),
        _ => return Ok(None),
    };
    let cause = format!("{} {}", Event::Decided.as_str(), row.id);
    Ok(derive::delivery(&cause, &lane, directory.seq.0.max(row.order), &notice, Some(about.clone()), now))
}

const AT_ONCE_MAX: usize = 500;
