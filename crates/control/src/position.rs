//! How far a worker has read the changes: a number in the store under a name of its own, whichever node reads on.

use crate::{ControlError, plane::Plane};
use provost_domain::Seq;

/// From where the worker has not read yet. A plane begins with what happens from now on.
///
/// # Errors
/// When the store fails, or what it keeps is no number: `doing` says in words what stands still then.
pub(crate) async fn remembered(plane: &Plane, place: &str, doing: &str) -> Result<Seq, ControlError> {
    let head = plane.store.head().await?;
    let kept = plane.store.put_meta_if_absent(place, head.0.to_string().as_bytes()).await?;
    let kept = String::from_utf8(kept).ok().and_then(|text| text.parse().ok());
    kept.map(Seq)
        .ok_or_else(|| ControlError::us(format!("the position up to which {doing} cannot be read"), Damaged))
}

#[derive(Debug, thiserror::Error)]
#[error("it is not a number")]
struct Damaged;
