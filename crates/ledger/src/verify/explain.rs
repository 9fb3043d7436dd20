//! Turns leaves that are told differently into faults, once it is known which telling was signed.

use std::collections::{HashMap, HashSet};

use crate::hash::Hash;
use crate::limits::DIVERGENCES_MAX;
use crate::tile::{TILE_WIDTH, TileId, entries_path};

use super::bundle::Leaf;
use super::candidates::Telling;
use super::fault::{Fault, Faults, Place};

/// A leaf whose tile, entry and record do not agree.
pub(super) struct Divergence {
    index: u64,
    tile: Option<Hash>,
    bundle: Option<Hash>,
    record: Option<(Hash, Place)>,
    /// Records on further lines with this index.
    repeated: Vec<Hash>,
    malformed: bool,
}

impl Divergence {
    pub(super) fn of(leaf: &Leaf) -> Self {
        let place = leaf.entry.as_ref().map(|entry| Place::of(leaf.index, entry));
        Self {
            index: leaf.index,
            tile: leaf.tile,
            bundle: leaf.bundle,
            record: leaf.record.zip(place),
            repeated: leaf.repeated.clone(),
            malformed: leaf.malformed,
        }
    }

    fn truth(&self, telling: Telling) -> Option<Hash> {
        telling.of(self.tile, self.bundle, self.record.as_ref().map(|(hash, _)| *hash))
    }
}

/// All of them, up to a bound.
#[derive(Default)]
pub(super) struct Divergences {
    list: Vec<Divergence>,
    more: u64,
}

impl Divergences {
    pub(super) fn push(&mut self, divergence: Divergence) {
        if self.list.len() < DIVERGENCES_MAX {
            self.list.push(divergence);
        } else {
            self.more += 1;
        }
    }

    /// Names what differs from the signed telling.
    pub(super) fn explain(&self, telling: Telling, size: u64, faults: &mut Faults) {
        let belongs: HashMap<Hash, u64> =
            self.list.iter().filter_map(|leaf| Some((leaf.truth(telling)?, leaf.index))).collect();
        // Leaves whose record lies somewhere else.
        let elsewhere: HashSet<u64> = self
            .list
            .iter()
            .filter_map(|leaf| leaf.record.as_ref().and_then(|(hash, _)| belongs.get(hash)))
            .copied()
            .collect();
        for leaf in &self.list {
            let truth = leaf.truth(telling);
            explain_files(leaf, truth, size, faults);
            explain_record(leaf, truth, &belongs, &elsewhere, faults);
        }
        if self.more > 0 {
            faults.push(Fault::MoreDiffer { count: self.more });
        }
    }
}

fn explain_files(leaf: &Divergence, truth: Option<Hash>, size: u64, faults: &mut Faults) {
    let number = leaf.index / TILE_WIDTH;
    if leaf.tile.is_some() && leaf.tile != truth {
        let path = TileId::of_tree(0, number, size).map(|tile| tile.path()).unwrap_or_default();
        faults.push(Fault::TileChanged { path, index: leaf.index });
    }
    if leaf.bundle.is_some() && leaf.bundle != truth {
        let path = entries_path(number, size).unwrap_or_default();
        faults.push(Fault::EntryChanged { path, index: leaf.index });
    }
}

fn explain_record(
    leaf: &Divergence,
    truth: Option<Hash>,
    belongs: &HashMap<Hash, u64>,
    elsewhere: &HashSet<u64>,
    faults: &mut Faults,
) {
    let index = leaf.index;
    match &leaf.record {
        None if leaf.malformed || elsewhere.contains(&index) => {}
        None => faults.push(Fault::RecordMissing { index }),
        Some((hash, _)) if Some(*hash) == truth => {}
        Some((hash, place)) => match belongs.get(hash) {
            Some(&from) => {
                faults.push(Fault::RecordMoved { place: place.clone(), from });
                // Another one lies in its place, and its own is nowhere.
                let repeated = truth.is_some_and(|truth| leaf.repeated.contains(&truth));
                if !elsewhere.contains(&index) && !repeated {
                    faults.push(Fault::RecordMissing { index });
                }
            }
            None => faults.push(Fault::RecordChanged { place: place.clone() }),
        },
    }
}
