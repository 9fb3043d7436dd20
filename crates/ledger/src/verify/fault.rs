//! Everything that can be wrong with an export, each with a name and a place.

use std::fmt;

use serde::Serialize;

use crate::entry::{Entry, EntryKind};
use crate::hash::Hash;
use crate::key::VerifierKey;

/// Which record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The leaf.
    pub index: u64,
    /// The kind that the record states.
    pub kind: EntryKind,
    /// The id that the record states.
    pub id: Box<str>,
}

impl Place {
    pub(super) fn of(index: u64, entry: &Entry) -> Self {
        Self { index, kind: entry.kind(), id: entry.id().into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} ({} {})", self.index, self.kind, self.id)
    }
}

/// A fault of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// A file that must be there is not.
    #[error("the file {path} is missing")]
    FileMissing {
        /// Which one.
        path: String,
    },
    /// The source could not read a file.
    #[error("the file {path} cannot be read: {reason}")]
    FileUnreadable {
        /// Which one.
        path: String,
        /// What the source said.
        reason: String,
    },
    /// A file has the wrong length or form.
    #[error("the file {path} is malformed: {reason}")]
    FileMalformed {
        /// Which one.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are records in a file after the last signed leaf.
    #[error(
        "the file {path} lies beyond the {size} signed records: added, or the checkpoint is an older one"
    )]
    FileBeyond {
        /// Which one.
        path: String,
        /// Signed leaves.
        size: u64,
    },
    /// The export brings another key than the trusted one.
    #[error("the export carries the key {exported}, the trusted one is {trusted}")]
    KeyDiffers {
        /// In the export.
        exported: VerifierKey,
        /// Handed in.
        trusted: VerifierKey,
    },
    /// The signature of the head does not hold.
    #[error("the checkpoint is not to be trusted: {reason}")]
    CheckpointUntrusted {
        /// Why.
        reason: String,
    },
    /// A larger tree was signed before: the export was cut, or an older one was put in its place.
    #[error("the checkpoint has {size} records, but one of {newer} was signed already: the end was cut off")]
    CheckpointOlder {
        /// Leaves of the checkpoint of this export.
        size: u64,
        /// Leaves of the larger one.
        newer: u64,
    },
    /// Neither tiles nor entries nor records lead to the signed root.
    #[error(
        "the {size} records have the root {computed}, but {signed} was signed: history was rewritten{}",
        after(*.intact)
    )]
    RootDiffers {
        /// Leaves.
        size: u64,
        /// The root in the checkpoint.
        signed: Hash,
        /// The root of what is there.
        computed: Hash,
        /// The largest earlier checkpoint that still holds.
        intact: Option<u64>,
    },
    /// An earlier checkpoint cannot be used.
    #[error("earlier checkpoint {number} is not to be trusted: {reason}")]
    EarlierUntrusted {
        /// Its place, from 1.
        number: u64,
        /// Why.
        reason: String,
    },
    /// An earlier checkpoint is no prefix of this tree.
    #[error(
        "the first {size} records have the root {computed}, but {signed} was signed for them: history was rewritten"
    )]
    HistoryRewritten {
        /// Leaves of the earlier checkpoint.
        size: u64,
        /// The root in it.
        signed: Hash,
        /// The root of the first leaves now.
        computed: Hash,
    },
    /// A tile of hashes of leaves differs from the signed tree.
    #[error("{path} was changed: its hash of leaf {index} is not in the signed tree")]
    TileChanged {
        /// Which tile.
        path: String,
        /// Which leaf.
        index: u64,
    },
    /// A tile of hashes of nodes differs from the signed tree, or is missing.
    #[error("{path} does not hold the hashes of the tree below it")]
    UpperTileChanged {
        /// Which tile.
        path: String,
    },
    /// A commitment in an entry bundle differs from the signed tree.
    #[error("{path} was changed: its entry of leaf {index} is not in the signed tree")]
    EntryChanged {
        /// Which bundle.
        path: String,
        /// Which leaf.
        index: u64,
    },
    /// A record is not the one that was committed to.
    #[error(
        "{place} is not the one committed to: its body, salt, id, kind or time was changed, or it was forged"
    )]
    RecordChanged {
        /// Which one.
        place: Place,
    },
    /// A record lies where another one was committed to.
    #[error("{place} belongs at {from}: records were moved or swapped")]
    RecordMoved {
        /// The record, and where it lies.
        place: Place,
        /// Where it belongs.
        from: u64,
    },
    /// There is no record for a leaf.
    #[error("record {index} is missing: it was dropped, or the line lost")]
    RecordMissing {
        /// Which leaf.
        index: u64,
    },
    /// A whole bundle is gone; what follows was not looked at.
    #[error(
        "record {from} and the ones after it have no file at all; the rest of the {size} was not looked at"
    )]
    RecordsMissing {
        /// The first leaf that is missing.
        from: u64,
        /// Signed leaves.
        size: u64,
    },
    /// There is a record after the last signed leaf.
    #[error("{place} lies beyond the {size} signed records: added, or the checkpoint is an older one")]
    RecordBeyond {
        /// Which one.
        place: Place,
        /// Signed leaves.
        size: u64,
    },
    /// Two lines claim one leaf.
    #[error("{path} line {line}: {place} has the index of another line: duplicated or added")]
    IndexTwice {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
        /// The second record.
        place: Place,
    },
    /// A line stands where its index does not belong.
    #[error("{path} line {line}: {place} is out of order: lines were moved")]
    OutOfOrder {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
        /// The record.
        place: Place,
    },
    /// A line is no record.
    #[error("{path} line {line} (record {index} by its place) is malformed: {reason}")]
    LineMalformed {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
        /// The leaf, if no line before it is missing.
        index: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// An id is used again by a record of the same kind.
    #[error("{place} has the id of record {first}: duplicated")]
    IdTwice {
        /// The later record.
        place: Place,
        /// The leaf of the earlier one.
        first: u64,
    },
    /// The body is not canonical JSON.
    #[error("{place} is not canonical JSON (RFC 8785)")]
    NotCanonical {
        /// Which one.
        place: Place,
    },
    /// A record contradicts the others.
    #[error("{place}: {reason}")]
    Meaning {
        /// Which one.
        place: Place,
        /// What the check found.
        reason: String,
    },
    /// More leaves differ than are explained one by one.
    #[error("{count} more leaves differ; they were not explained one by one")]
    MoreDiffer {
        /// How many.
        count: u64,
    },
}

fn after(intact: Option<u64>) -> String {
    intact.map_or_else(String::new, |size| format!(" after the first {size}"))
}

/// Faults up to a bound, and the count of all.
pub(super) struct Faults {
    list: Vec<Fault>,
    total: u64,
    max: usize,
}

impl Faults {
    pub(super) fn bounded(max: usize) -> Self {
        Self { list: Vec::new(), total: 0, max }
    }

    pub(super) fn push(&mut self, fault: Fault) {
        self.total += 1;
        if self.list.len() < self.max {
            self.list.push(fault);
        }
    }

    /// Puts later faults behind these.
    pub(super) fn append(&mut self, later: Faults) {
        let room = self.max.saturating_sub(self.list.len());
        self.list.extend(later.list.into_iter().take(room));
        self.total += later.total;
    }

    pub(super) fn into_parts(self) -> (Vec<Fault>, u64) {
        (self.list, self.total)
    }
}
