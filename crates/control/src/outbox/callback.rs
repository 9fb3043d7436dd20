//! Word to whoever asked for access how that ended (AuthZEN Access Request and Approval Profile, callback). The gateway puts on
//! record that it is owed; here it gets its turn once every approval behind it is over, and is sent, signed. It says where to look
//! and enforces nothing: no result goes along.

use super::put;
use crate::{ControlError, access::Authorised, plane::Plane};
use provost_domain::{
    Delivery, Directory, ObjectKey, Timestamp,
    approval::ApprovalStatus,
    callback::{Owed, of_lane},
    delivery::DeliveryState,
};
use provost_lifecycle::{
    approval::{PENDING, request_aggregate, request_status},
    delivery::{Came, withdraw},
};
use provost_store::CommitError;
use serde_json::json;
use std::sync::Arc;

/// Gives those their turn whose request is over, and withdraws what its receiver does not want to hear.
pub(super) async fn ready(authorised: &Authorised<'_>, directory: &Directory) -> Result<(), ControlError> {
    let plane = &authorised.op.plane;
    let now = plane.now();
    let untried = directory.deliveries.values().filter(|row| row.is_due() && row.attempts == 0);
    let asked = untried.filter_map(|row| Some((row, Owed::of(row)?)));
    let over = asked.filter(|(_row, owed)| !waits(owed, directory, now)).take(AT_ONCE_MAX);
    let over: Vec<(&Arc<Delivery>, Owed)> = over.collect();
    for (row, owed) in over {
        let ended = status(plane, &owed).await?;
        let next = if ended == PENDING {
            continue;
        } else if !owed.hears(ended) {
            withdraw(row, &format!("it ended as {ended}, which is not to be told"), now)
        } else if row.next().is_some_and(|next| next > now) {
            Some(Delivery { state: DeliveryState::Due { next: now }, ..row.as_ref().clone() })
        } else {
            None
        };
        let Some(next) = next else { continue };
        let key = ObjectKey::delivery(&row.id);
        let versions = authorised.versions(std::slice::from_ref(&key)).await?;
        plane.replica.catch_up().await?;
        let unchanged =
            plane.replica.latest().directory.deliveries.get(&row.id).is_some_and(|now| now == row);
        if !unchanged {
            continue;
        }
        let why = format!("{} ended as {ended}", owed.task);
        match authorised.commit(vec![put(next)], &versions, "what was asked for is over", &why).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// One attempt.
///
/// # Errors
/// When the store or the sealing key fails; nothing was sent then.
pub(super) async fn attempt(
    plane: &Plane,
    directory: &Directory,
    delivery: &Delivery,
    workload: &str,
) -> Result<Came, ControlError> {
    let refused = |why: &str| Ok(Came::Refused { why: why.to_owned() });
    let Some(owed) = Owed::of(delivery) else { return refused("what is to be told cannot be read") };
    let workload = directory.workloads.get(workload).filter(|row| row.is_told_at(&owed.endpoint));
    let Some(callbacks) = workload.and_then(|row| row.callbacks.as_ref()) else {
        return refused("the workload is not told there any more");
    };
    let sealed = plane.store.sealed(&callbacks.secret).await?.filter(|sealed| !sealed.is_empty());
    let Some(sealed) = sealed else {
        let why = format!("its signing secret is not set; run `provost credential set {}`", callbacks.secret);
        return Ok(Came::Failed { why, wait: None });
    };
    let secret = plane.sealing_key.open(callbacks.secret.as_str(), &sealed);
    let secret =
        secret.map_err(|error| ControlError::us("a secret of a callback cannot be opened", error))?;
    let ended = status(plane, &owed).await?;
    let mut body = json!({
        "task": {"id": owed.task, "status": ended, "status_endpoint": owed.status_endpoint},
    });
    if let (Some(state), Some(members)) = (&owed.state, body.as_object_mut()) {
        members.insert("state".to_owned(), json!(state));
    }
    let named = (delivery.id.as_str(), plane.now());
    Ok(provost_notify::carry::signed(&plane.upstreams, &owed.endpoint, &[secret], named, body.to_string())
        .await)
}

/// The workload that a lane leads to.
pub(super) fn workload(lane: &str) -> Option<&str> {
    of_lane(lane)
}

/// Whether one of its approvals is known to wait, without asking the store.
fn waits(owed: &Owed, directory: &Directory, now: Timestamp) -> bool {
    owed.approvals.iter().any(|id| {
        let row = directory.approvals.get(id.as_str());
        row.is_some_and(|row| row.status == ApprovalStatus::Waiting && now < row.expires)
    })
}

async fn status(plane: &Plane, owed: &Owed) -> Result<&'static str, ControlError> {
    let mut statuses = Vec::with_capacity(owed.approvals.len());
    for id in &owed.approvals {
        let (row, granted) = provost_store::approval_granted(plane.store.as_ref(), id).await?;
        statuses.push(request_status(row.as_ref(), granted.is_some(), plane.now()));
    }
    Ok(request_aggregate(statuses.into_iter()))
}

const AT_ONCE_MAX: usize = 500;
