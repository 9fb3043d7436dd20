//! Checkpoints signed earlier: each must be a prefix of the tree of today.

use std::collections::BTreeSet;

use crate::checkpoint::Checkpoint;
use crate::export::{EARLIER_PATH, split_notes};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::limits::{EARLIER_CHECKPOINTS_BYTES_MAX, EARLIER_CHECKPOINTS_MAX};

use super::Source;
use super::candidates::Candidate;
use super::fault::{Fault, Faults};

/// The heads signed before, by size. One size twice with two roots is a fork, and stays so here.
pub(super) struct Earlier {
    heads: BTreeSet<(u64, Hash)>,
    count: u64,
}

impl Earlier {
    /// Reads and verifies the earlier checkpoints of the export and the ones handed in.
    pub(super) fn read(
        source: &impl Source,
        known: &[String],
        key: Option<&VerifierKey>,
        signed: &Checkpoint,
        faults: &mut Faults,
    ) -> Self {
        let mut earlier = Self { heads: BTreeSet::new(), count: 0 };
        let Some(key) = key else { return earlier };
        let exported = exported_notes(source, faults);
        for (number, note) in (1..).zip(exported.iter().chain(known)) {
            match Checkpoint::verify(note.as_bytes(), key) {
                Ok(head) => earlier.add(&head, signed, faults),
                Err(error) => faults.push(Fault::EarlierUntrusted { number, reason: error.to_string() }),
            }
        }
        earlier
    }

    fn add(&mut self, head: &Checkpoint, signed: &Checkpoint, faults: &mut Faults) {
        self.count += 1;
        if head.size > signed.size {
            faults.push(Fault::CheckpointOlder { size: signed.size, newer: head.size });
        } else if head.size > 0 {
            self.heads.insert((head.size, head.root));
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// The sizes at which the roots are needed, ascending, each once.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.heads.iter().map(|(size, _)| *size).collect();
        sizes.dedup();
        sizes
    }

    /// Names every earlier head that is no prefix of the tree.
    pub(super) fn compare(&self, tree: &Candidate, faults: &mut Faults) {
        for (size, signed, computed) in self.beside(tree) {
            if signed != computed {
                faults.push(Fault::HistoryRewritten { size, signed, computed });
            }
        }
    }

    /// The largest earlier head that still is a prefix of the tree.
    pub(super) fn intact_until(&self, tree: &Candidate) -> Option<u64> {
        self.beside(tree).filter(|(_, signed, computed)| signed == computed).map(|(size, ..)| size).max()
    }

    /// Each head that was reached: size, signed root, computed root.
    fn beside(&self, tree: &Candidate) -> impl Iterator<Item = (u64, Hash, Hash)> {
        let roots: std::collections::BTreeMap<u64, Hash> = tree.roots().collect();
        self.heads.iter().filter_map(move |(size, signed)| Some((*size, *signed, *roots.get(size)?)))
    }
}

fn exported_notes(source: &impl Source, faults: &mut Faults) -> Vec<String> {
    let malformed = |reason: String| Fault::FileMalformed { path: EARLIER_PATH.to_owned(), reason };
    let text = match source.read(EARLIER_PATH, EARLIER_CHECKPOINTS_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes.unwrap_or_default()),
        Err(error) => {
            faults.push(Fault::FileUnreadable { path: EARLIER_PATH.to_owned(), reason: error.to_string() });
            return Vec::new();
        }
    };
    let Ok(text) = text else {
        faults.push(malformed("it is not UTF-8".to_owned()));
        return Vec::new();
    };
    let mut notes: Vec<String> = split_notes(&text).take(EARLIER_CHECKPOINTS_MAX + 1).collect();
    if notes.len() > EARLIER_CHECKPOINTS_MAX {
        faults.push(malformed(format!("it has more than {EARLIER_CHECKPOINTS_MAX} checkpoints")));
        notes.truncate(EARLIER_CHECKPOINTS_MAX);
    }
    notes
}
