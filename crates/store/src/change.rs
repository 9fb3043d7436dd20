//! Changes of the organisation and their records.

use provost_domain::{Object, ObjectKey, Seq, Timestamp};
use serde::{Deserialize, Serialize};

/// Writes that happen together or not at all.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// Who did it and why.
    pub by: Attribution,
    /// When.
    pub at: Timestamp,
    /// In the order in which their records are numbered.
    pub writes: Vec<Write>,
}

/// Who changed something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The person, workload or part of the plane.
    pub actor: String,
    /// In words, for the record.
    pub why: String,
}

/// One row written or removed.
#[derive(Debug, Clone)]
pub enum Write {
    /// The row stands as given afterwards.
    Put {
        /// The row.
        object: Object,
        /// The version it is expected to stand at now; 0 for a row that must not exist yet.
        expected: u64,
    },
    /// The row is gone afterwards; its history stays.
    Remove {
        /// Which row.
        key: ObjectKey,
        /// The version it is expected to stand at now.
        expected: u64,
    },
    /// The row is not written, and still stands at this version when the others are: what they were decided on. It leaves no
    /// record.
    Keep {
        /// Which row.
        key: ObjectKey,
        /// The version it is expected to stand at now; 0 for a row that must not exist.
        expected: u64,
    },
}

impl Write {
    /// The key of the row.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Put { object, .. } => object.key(),
            Self::Remove { key, .. } | Self::Keep { key, .. } => key.clone(),
        }
    }
}

/// One change as recorded, hashed into the ledger in its canonical JSON (RFC 8785).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// Shape of this record; 1.
    pub v: u8,
    /// Its place in the strict order; no gaps.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who and why.
    #[serde(flatten)]
    pub by: Attribution,
    /// Which row.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// The row's version afterwards, from 1; a removal counts as one too.
    pub version: u64,
    /// The row afterwards; `null` when it was removed.
    pub after: Option<Object>,
}

/// Proof that changes are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeReceipt {
    /// Position of the last change of the set.
    pub seq: Seq,
}
