//! Calls that were allowed, and whose outcome nobody recorded because the node stopped in between. They may have
//! happened: their outcome is `unknown`, never `success`.

use crate::plane::Plane;
use provost_domain::{Completion, DecisionId, Outcome};
use provost_store::StoreError;

/// Completes what this node left unfinished before it started. Called once at start, before anything is served.
/// Returns how many there were. Doing it twice changes nothing: the first outcome of a decision stands.
///
/// # Errors
/// When the store fails; what was completed by then stays so.
pub async fn mark_unknown(plane: &Plane) -> Result<u64, StoreError> {
    let started = plane.now();
    let mut marked: u64 = 0;
    loop {
        let left = plane.store.unfinished(Some(plane.node), started, BATCH_MAX).await?;
        for id in &left {
            mark(plane, *id).await?;
            marked = marked.saturating_add(1);
        }
        if left.len() < BATCH_MAX {
            return Ok(marked);
        }
    }
}

async fn mark(plane: &Plane, id: DecisionId) -> Result<(), StoreError> {
    let Some(stored) = plane.store.decision(id).await? else { return Ok(()) };
    let completion = Completion {
        v: 1,
        decision: id,
        at: plane.now(),
        outcome: Outcome::Unknown { error: NODE_STOPPED.to_owned() },
        took_ms: 0,
        labels: Default::default(),
        result: None,
    };
    plane.store.complete(completion, stored.decision.subject.task).await?;
    Ok(())
}

/// What is said of such a call.
pub(crate) const NODE_STOPPED: &str = "the node stopped before an outcome was recorded";
const BATCH_MAX: usize = 1_000;
