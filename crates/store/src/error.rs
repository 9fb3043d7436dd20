//! What can go wrong at the door, split by who is to blame.

use provost_domain::{ObjectKey, TaskState};

/// The store could not do it; nothing was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or is gone.
    #[error("the {backend} store failed to {doing}")]
    Backend {
        /// `SQLite` or `PostgreSQL`.
        backend: &'static str,
        /// What was being done, as a verb.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk is full; nothing was lost, nothing new is accepted.
    #[error(
        "the disk that holds the store is full: free space, then try again; until then every call is refused"
    )]
    DiskFull,
    /// A stored row does not read back.
    #[error("a stored {what} cannot be read: {why}; run `provost fsck`")]
    Corrupt {
        /// Which row.
        what: String,
        /// In what way.
        why: String,
    },
    /// The commit was sent and no answer came: it may or may not have happened.
    #[error("the store lost its connection in the middle of a commit: whether it happened is not known")]
    Uncertain,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// This backend cannot do that, and says what can.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// A change that was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the row first.
    #[error(
        "{key} was changed by somebody else: it stands at version {found}, not {expected}; read it again"
    )]
    Conflict {
        /// Which row.
        key: ObjectKey,
        /// Its version, 0 when there is none.
        found: u64,
        /// The version the caller had seen.
        expected: u64,
    },
    /// The claim belongs to another row (REQUIREMENTS.md A3).
    #[error("{claim} is already taken by {by}")]
    Taken {
        /// What was claimed.
        claim: String,
        /// Who holds it.
        by: ObjectKey,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A decision that was not recorded, and so gives no permit.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A budget has not enough left: decide again, with it exhausted. Nothing was written or taken.
    #[error("the budget {key} has {left} left, and the call needs {needed}")]
    Exhausted {
        /// [`crate::WindowKey::key`].
        key: String,
        /// What is left.
        left: i64,
        /// What was asked.
        needed: i64,
    },
    /// The task has read something meanwhile: decide again on this state. Nothing was written or taken.
    #[error("the task's state moved to version {}", .0.version)]
    TaskMoved(TaskState),
    /// Too many decisions wait to be written: refuse the call.
    #[error("the journal queue is full: the limit `journal_queue_max` or `journal_buffered_max` is reached")]
    QueueFull,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}
