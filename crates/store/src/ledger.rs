//! What the sequencer reads and writes. The tree itself is computed by `provost-ledger`.

use provost_domain::Timestamp;

/// The kinds of journal row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalKind {
    /// A [`crate::ChangeRecord`]; id `change-<seq>`.
    Change,
    /// A `provost_domain::Decision`; its id.
    Decision,
    /// A `provost_domain::Completion`; the id of its decision.
    Completion,
    /// A `provost_domain::decision::Refused`; id made by the store.
    Refused,
}

impl JournalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Change, Self::Decision, Self::Completion, Self::Refused];

    /// The word used in records and exports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Decision => "decision",
            Self::Completion => "completion",
            Self::Refused => "refused",
        }
    }

    /// Back from that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A record as journalled: what the ledger commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// The store's own handle; passed back in [`Sequenced`].
    pub row: i64,
    /// Which shape `record` has.
    pub kind: JournalKind,
    /// Unique inside the kind.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// Random bytes that hide what the record says from who sees only its commitment. Drawn by the driver.
    pub salt: [u8; 16],
    /// Canonical JSON (RFC 8785).
    pub record: String,
}

/// A journal row with its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLeaf {
    /// From 0.
    pub index: u64,
    /// The record.
    pub row: JournalRow,
}

/// A tile of the tree (C2SP tlog-tiles): level 0 holds leaf hashes, level 1 the roots of full level-0 tiles, and so
/// on; `entries` bundles are not stored, they follow from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileKey {
    /// 0-7.
    pub level: u8,
    /// From 0.
    pub index: u64,
}

/// One step of the sequencer.
#[derive(Debug, Clone)]
pub struct Sequenced {
    /// The tree's size before.
    pub expected_size: u64,
    /// Handles of the rows that become leaves `expected_size`, `expected_size + 1`, …
    pub rows: Vec<i64>,
    /// Tiles that grew, whole.
    pub tiles: Vec<(TileKey, Vec<u8>)>,
    /// The signed checkpoint of the tree after it (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// When.
    pub at: Timestamp,
}

/// The tree as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerHead {
    /// Leaves.
    pub size: u64,
    /// The signed checkpoint; empty at size 0.
    pub checkpoint: String,
    /// Rows still to be sequenced.
    pub waiting: u64,
}
