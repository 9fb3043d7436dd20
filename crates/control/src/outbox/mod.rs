//! What is owed to somebody outside, and paying it (ARCHITECTURE.md, "What is owed").
//!
//! ```text
//! a change ─▶ derive.rs: whom it concerns, on which lanes ─▶ a row that is due ─▶ pump.rs: its turn, claimed, sent, marked
//! an approval is over ─▶ follow.rs: what had gone out is followed by how it ended; what had not is withdrawn
//! nobody answers ─▶ escalate.rs: those who may answer now
//! an access request is over ─▶ callback.rs: whoever asked for it is told
//! ```
//!
//! | the plane goes down | what is then |
//! |---|---|
//! | before a change is read | the position is behind it: it is read again |
//! | between the row and the position | it is read again, and the row is there: its id follows from the cause |
//! | between the claim and the request | the claim runs out, and it is sent |
//! | between the request and the mark | the claim runs out, and it is sent again under the same id |
//! | after the mark | it is over |
//!
//! Of several nodes each does all of this: a row is made at version 0, an attempt is claimed in the store, a mark is a change
//! at the version that was read.

mod busy;
mod callback;
mod carriers;
mod derive;
mod escalate;
mod follow;
pub(crate) mod notice;
mod pump;
mod recent;
pub(crate) mod route;
pub(crate) mod scim;

pub use pump::{once, run};
pub use recent::Recent;

use crate::{ControlError, access::Authorised, change::Draft};
use provost_domain::{Delivery, Object, ObjectKey, Timestamp};
use provost_notify::Notice;
use provost_store::CommitError;
use std::collections::BTreeMap;

/// Puts a delivery on record, unless it is: false then.
pub(crate) async fn owe(
    authorised: &Authorised<'_>,
    delivery: Delivery,
    why: &str,
) -> Result<bool, ControlError> {
    let key = ObjectKey::delivery(&delivery.id);
    let versions = authorised.versions(std::slice::from_ref(&key)).await?;
    if versions.get(&key).is_some_and(|version| *version > 0) {
        return Ok(false);
    }
    put_new(authorised, vec![delivery], why).await
}

/// Puts many deliveries of one cause on record, some hundred in a transaction; those that are there already stay as they are.
/// Whether there was anything new.
pub(crate) async fn owe_all(
    authorised: &Authorised<'_>,
    deliveries: Vec<Delivery>,
    why: &str,
) -> Result<bool, ControlError> {
    let mut made = false;
    for batch in deliveries.chunks(BATCH) {
        if batch.len() > 1 && put_new(authorised, batch.to_vec(), why).await? {
            made = true;
            continue;
        }
        // One of them was there: a node read the same, or this one did before it died.
        for delivery in batch {
            made |= owe(authorised, delivery.clone(), why).await?;
        }
    }
    Ok(made)
}

/// Puts rows on record that nobody has; false, and none of them, when one is there.
async fn put_new(
    authorised: &Authorised<'_>,
    deliveries: Vec<Delivery>,
    why: &str,
) -> Result<bool, ControlError> {
    let Some(first) = deliveries.first() else { return Ok(false) };
    let what = match deliveries.len() {
        1 => format!("{} is owed to {}", first.kind, first.lane),
        many => format!("{many} deliveries are owed, the first to {}", first.lane),
    };
    // At version 0: who is not there.
    let drafts = deliveries.into_iter().map(put).collect();
    match authorised.commit(drafts, &BTreeMap::new(), &what, why).await {
        Ok(_seq) => Ok(true),
        Err(CommitError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A message on a lane that is due now, and about no row.
pub(crate) fn message(
    cause: &str,
    lane: &route::Lane,
    order: u64,
    notice: &Notice,
    now: Timestamp,
) -> Option<Delivery> {
    derive::delivery(cause, lane, order, notice, None, now)
}

pub(crate) fn put(delivery: Delivery) -> Draft {
    Draft::Put(Object::Delivery(Box::new(delivery)))
}

/// Deliveries in one transaction.
const BATCH: usize = 200;
