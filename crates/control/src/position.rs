//! Workers that read the changes: how far each has read is a number in the store under a name of its own, whichever node reads on.

use crate::{ControlError, plane::Plane};
use provost_domain::Seq;
use provost_store::ChangeRecord;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// A worker that reads every change once, in order; after a crash some of them again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    /// What its position is called in the store.
    pub(crate) place: &'static str,
    /// What stands still when it cannot read on: `rules were followed`.
    pub(crate) doing: &'static str,
}

/// Some changes, and where the last of them stands.
pub(crate) struct Page {
    pub(crate) records: Vec<ChangeRecord>,
    at: Seq,
    last: bool,
}

impl Reader {
    /// The next changes from the position on; from what the store remembers, if this node has not read yet.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn page(&self, plane: &Plane, position: Option<Seq>) -> Result<Page, ControlError> {
        let from = match position {
            Some(position) => position,
            None => remembered(plane, self.place, self.doing).await?,
        };
        let records = plane.store.tail(from, PAGE).await?;
        let at = records.last().map_or(from, |record| record.seq);
        let last = records.len() < PAGE;
        Ok(Page { records, at, last })
    }

    /// Remembers that a page is done with; whether it was the last.
    ///
    /// # Errors
    /// When the store fails: the page is read again then.
    pub(crate) async fn done(
        &self,
        plane: &Plane,
        page: &Page,
        position: &mut Option<Seq>,
    ) -> Result<bool, ControlError> {
        if !page.records.is_empty() {
            plane.store.put_meta(self.place, page.at.0.to_string().as_bytes()).await?;
        }
        *position = Some(page.at);
        Ok(page.last)
    }
}

/// Calls a worker whenever something changed, for as long as the node lives; what fails is tried again.
pub(crate) async fn follow(
    plane: Arc<Plane>,
    mut stop: watch::Receiver<bool>,
    doing: &'static str,
    mut once: impl AsyncFnMut(&Arc<Plane>, &mut Option<Seq>) -> Result<usize, ControlError>,
) {
    let mut moves = plane.replica.moves();
    let mut position = None;
    while !*stop.borrow() {
        moves.mark_unchanged();
        if let Err(error) = once(&plane, &mut position).await {
            tracing::error!(%error, "{doing} could not be followed; it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            moved = moves.changed() => if moved.is_err() { return },
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// From where the worker has not read yet. A plane begins with what happens from now on.
///
/// # Errors
/// When the store fails, or what it keeps is no number: `doing` says in words what stands still then.
pub(crate) async fn remembered(plane: &Plane, place: &str, doing: &str) -> Result<Seq, ControlError> {
    let head = plane.store.head().await?;
    let kept = plane.store.put_meta_if_absent(place, head.0.to_string().as_bytes()).await?;
    let kept = String::from_utf8(kept).ok().and_then(|text| text.parse().ok());
    kept.map(Seq).ok_or_else(|| {
        ControlError::us(format!("the position up to which {doing} cannot be read"), Damaged)
            .cure("put the newest backup back (`provost restore`): what was done since is found again")
    })
}

#[derive(Debug, thiserror::Error)]
#[error("it is not a number")]
struct Damaged;

const PAGE: usize = 500;
const LOOK_EVERY: Duration = Duration::from_secs(5);
