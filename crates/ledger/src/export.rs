//! The writing side of an export: pieces of `(path, bytes)` for the caller to put on disk, in constant memory.
//!
//! ```text
//! vkey                          the verifier key of the log
//! checkpoint                    the signed head
//! previous-checkpoints          earlier signed heads, an empty line after each
//! tile/<L>/<N>[.p/<W>]          the tree
//! tile/entries/<N>[.p/<W>]      the commitments, 256 in a bundle
//! records/<N>.jsonl             the records themselves, the same 256
//! ```
//!
//! Call [`Exporter::push`] for every leaf in order, then [`Exporter::finish`], and write [`tile_piece`] for every tile
//! of [`tiles_of_tree`](crate::tiles_of_tree) and [`head_pieces`] once.

use crate::entry::Entry;
use crate::hash::Commitment;
use crate::key::VerifierKey;
use crate::line::write_line;
use crate::tile::{TILE_WIDTH, TileId, entries_path, records_path, write_bundle};
use crate::tree::{TreeError, tile_bytes};

/// The path of the signed head.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// The path of the verifier key.
pub const VKEY_PATH: &str = "vkey";

/// The path of the earlier signed heads.
pub const EARLIER_PATH: &str = "previous-checkpoints";

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it belongs, relative, with `/` between folders.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Writes records and entry bundles, 256 leaves at a time.
#[derive(Debug)]
pub struct Exporter {
    size: u64,
    next: u64,
    lines: String,
    bundle: Vec<Commitment>,
}

impl Exporter {
    /// An export of the first `size` leaves: the size of the checkpoint that goes with it.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { size, next: 0, lines: String::new(), bundle: Vec::new() }
    }

    /// Adds the next leaf; returns the two files of a bundle when it was the last of one.
    ///
    /// # Errors
    /// A leaf beyond the size.
    pub fn push(&mut self, entry: &Entry) -> Result<Vec<Piece>, TreeError> {
        if self.next >= self.size {
            return Err(TreeError::OutsideTree { index: self.next, size: self.size });
        }
        self.lines.push_str(&write_line(self.next, entry));
        self.lines.push('\n');
        self.bundle.push(entry.commitment());
        self.next += 1;
        Ok(if self.next.is_multiple_of(TILE_WIDTH) || self.next == self.size {
            self.flush()
        } else {
            Vec::new()
        })
    }

    /// Ends the export.
    ///
    /// # Errors
    /// Fewer leaves than the checkpoint has.
    pub fn finish(self) -> Result<(), TreeError> {
        if self.next == self.size {
            return Ok(());
        }
        Err(TreeError::OutsideTree { index: self.next, size: self.size })
    }

    fn flush(&mut self) -> Vec<Piece> {
        let index = (self.next - 1) / TILE_WIDTH;
        let lines = Piece { path: records_path(index), bytes: std::mem::take(&mut self.lines).into_bytes() };
        let bytes = write_bundle(&std::mem::take(&mut self.bundle));
        let bundle = entries_path(index, self.size).map(|path| Piece { path, bytes });
        std::iter::once(lines).chain(bundle).collect()
    }
}

/// A tile, cut to the width that the exported tree has: a store may hold a wider one already.
///
/// # Errors
/// A stored tile that is narrower or no tile.
pub fn tile_piece(tile: TileId, stored: &[u8]) -> Result<Piece, TreeError> {
    let hashes = tile.hashes(stored).ok_or(TreeError::TileLength { tile, bytes: stored.len() })?;
    Ok(Piece { path: tile.path(), bytes: tile_bytes(&hashes) })
}

/// The key, the signed head, and the earlier heads, oldest first.
#[must_use]
pub fn head_pieces(key: &VerifierKey, checkpoint: &str, earlier: &[String]) -> Vec<Piece> {
    let mut pieces = vec![
        Piece { path: VKEY_PATH.to_owned(), bytes: format!("{key}\n").into_bytes() },
        Piece { path: CHECKPOINT_PATH.to_owned(), bytes: checkpoint.as_bytes().to_vec() },
    ];
    if !earlier.is_empty() {
        let bytes = earlier.iter().flat_map(|note| note.bytes().chain([b'\n'])).collect();
        pieces.push(Piece { path: EARLIER_PATH.to_owned(), bytes });
    }
    pieces
}

/// The notes in a file of earlier heads: text, empty line, signatures, empty line, and so on.
pub fn split_notes(file: &str) -> impl Iterator<Item = String> {
    let mut blocks = file.split("\n\n").filter(|block| !block.trim().is_empty());
    std::iter::from_fn(move || {
        let text = blocks.next()?;
        let signatures = blocks.next().unwrap_or_default();
        Some(format!("{}\n\n{}\n", text.trim_start_matches('\n'), signatures.trim_end_matches('\n')))
    })
}
