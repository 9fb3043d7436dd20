//! Reads the three tellings of up to 256 leaves: tile, entry bundle, records.

use crate::entry::Entry;
use crate::hash::Hash;
use crate::limits::LINE_BYTES_MAX;
use crate::line::parse_line;
use crate::tile::{BUNDLE_BYTES_MAX, TILE_WIDTH, TileId, entries_path, parse_bundle, records_path};

use super::fault::{Fault, Faults, Place};
use super::{Source, read_required};

/// Up to 256 leaves as the files tell them.
pub(super) struct Bundle {
    pub(super) leaves: Vec<Leaf>,
    any_file: bool,
}

/// One leaf, told up to three times.
pub(super) struct Leaf {
    pub(super) index: u64,
    /// The hash in the tile.
    pub(super) tile: Option<Hash>,
    /// The hash of the commitment in the entry bundle.
    pub(super) bundle: Option<Hash>,
    /// The hash of the commitment to the record.
    pub(super) record: Option<Hash>,
    /// The record.
    pub(super) entry: Option<Entry>,
    /// The commitments of further lines with this index.
    pub(super) repeated: Vec<Hash>,
    /// A line in this place could not be read, and was reported.
    pub(super) malformed: bool,
}

impl Leaf {
    pub(super) fn agrees(&self) -> bool {
        self.tile.is_some() && self.tile == self.bundle && self.tile == self.record
    }
}

impl Bundle {
    pub(super) fn read(source: &impl Source, index: u64, size: u64, faults: &mut Faults) -> Self {
        let first = index * TILE_WIDTH;
        let width = (size - first).min(TILE_WIDTH);
        let empty = |index| Leaf {
            index,
            tile: None,
            bundle: None,
            record: None,
            entry: None,
            repeated: Vec::new(),
            malformed: false,
        };
        let mut bundle = Self { leaves: (first..first + width).map(empty).collect(), any_file: false };
        bundle.read_tile(source, index, size, faults);
        bundle.read_entries(source, index, size, faults);
        bundle.read_records(source, index, size, faults);
        bundle
    }

    /// Whether none of the three files exists.
    pub(super) fn is_absent(&self) -> bool {
        !self.any_file
    }

    fn read_tile(&mut self, source: &impl Source, index: u64, size: u64, faults: &mut Faults) {
        let Some(tile) = TileId::of_tree(0, index, size) else { return };
        let Some(bytes) = read_required(source, &tile.path(), BUNDLE_BYTES_MAX, faults) else { return };
        self.any_file = true;
        match tile.hashes(&bytes) {
            Some(hashes) if bytes.len() == tile.bytes_len() => {
                for (leaf, hash) in self.leaves.iter_mut().zip(hashes) {
                    leaf.tile = Some(hash);
                }
            }
            _ => {
                let reason = format!("it has {} bytes, not {}", bytes.len(), tile.bytes_len());
                faults.push(Fault::FileMalformed { path: tile.path(), reason });
            }
        }
    }

    fn read_entries(&mut self, source: &impl Source, index: u64, size: u64, faults: &mut Faults) {
        let Some(path) = entries_path(index, size) else { return };
        let Some(bytes) = read_required(source, &path, BUNDLE_BYTES_MAX, faults) else { return };
        self.any_file = true;
        match parse_bundle(&bytes) {
            Some(entries) if entries.len() == self.leaves.len() => {
                for (leaf, commitment) in self.leaves.iter_mut().zip(entries) {
                    leaf.bundle = Some(commitment.leaf_hash());
                }
            }
            Some(entries) => {
                let reason = format!("it has {} entries, not {}", entries.len(), self.leaves.len());
                faults.push(Fault::FileMalformed { path, reason });
            }
            None => {
                let reason = "it is no sequence of entries of 32 bytes".to_owned();
                faults.push(Fault::FileMalformed { path, reason });
            }
        }
    }

    fn read_records(&mut self, source: &impl Source, index: u64, size: u64, faults: &mut Faults) {
        let path = records_path(index);
        let bytes_max = LINE_BYTES_MAX.saturating_mul(TILE_WIDTH as usize);
        let Some(bytes) = read_required(source, &path, bytes_max, faults) else { return };
        self.any_file = true;
        let first = index * TILE_WIDTH;
        let mut expected = first;
        let lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n');
        for (line, bytes) in (1_u64..).zip(lines) {
            let parsed = str::from_utf8(bytes)
                .map_err(|_| "it is not UTF-8".to_owned())
                .and_then(|text| parse_line(text).map_err(|error| error.to_string()));
            match parsed {
                Ok((index, entry)) => {
                    let place = Place::of(index, &entry);
                    if index < expected && index >= first {
                        faults.push(Fault::OutOfOrder { path: path.clone(), line, place: place.clone() });
                    }
                    expected = expected.max(index.saturating_add(1));
                    self.take_record(entry, place, size, &path, line, faults);
                }
                Err(reason) => {
                    faults.push(Fault::LineMalformed { path: path.clone(), line, index: expected, reason });
                    if let Some(leaf) = self.leaf_mut(expected) {
                        leaf.malformed = true;
                    }
                    expected = expected.saturating_add(1);
                }
            }
        }
    }

    fn take_record(
        &mut self,
        entry: Entry,
        place: Place,
        size: u64,
        path: &str,
        line: u64,
        faults: &mut Faults,
    ) {
        let path = path.to_owned();
        match self.leaf_mut(place.index) {
            Some(leaf) if leaf.entry.is_none() => {
                leaf.record = Some(entry.commitment().leaf_hash());
                leaf.entry = Some(entry);
            }
            Some(leaf) => {
                leaf.repeated.push(entry.commitment().leaf_hash());
                faults.push(Fault::IndexTwice { path, line, place });
            }
            None if place.index >= size => faults.push(Fault::RecordBeyond { place, size }),
            None => faults.push(Fault::OutOfOrder { path, line, place }),
        }
    }

    fn leaf_mut(&mut self, index: u64) -> Option<&mut Leaf> {
        let first = self.leaves.first()?.index;
        self.leaves.get_mut(usize::try_from(index.checked_sub(first)?).ok()?)
    }
}
