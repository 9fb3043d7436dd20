//! Pages of an export: first the heads, then the tiles, then 256 records at a time. Every page is made from the
//! cursor alone, so that nothing is held between requests, and all are of the size the first one said.
//!
//! ```text
//! (no cursor)      vkey, checkpoint, previous-checkpoints
//! <size>.t.<n>     256 tiles, from the n-th on
//! <size>.r.<n>     bundle n: records/<n>.jsonl and tile/entries/<n>
//! ```

use crate::{ControlError, ledger::signed, plane::Plane, sequencer::entry};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use provost_api::ledger::{ExportPage, ExportPiece};
use provost_ledger::{
    Entry, TILE_WIDTH, TileId, entries_path,
    export::{Piece, head_pieces, tile_piece},
    records_path, tiles_of_tree, write_bundle, write_line,
};
use provost_store::TileKey;

pub(crate) async fn page(plane: &Plane, cursor: Option<&str>) -> Result<ExportPage, ControlError> {
    match cursor {
        None => heads(plane).await,
        Some(cursor) => match parse(cursor)? {
            Place { size, part: Part::Tiles, number } => tiles(plane, size, number).await,
            Place { size, part: Part::Records, number } => records(plane, size, number).await,
        },
    }
}

async fn heads(plane: &Plane) -> Result<ExportPage, ControlError> {
    let head = plane.store.ledger_head().await?;
    if head.size == 0 {
        return Err(ControlError::refused("the ledger is empty: there is nothing to export")
            .cure("wait until the first record is sequenced"));
    }
    let mut earlier = plane.store.checkpoints(EARLIER_MAX).await?;
    // Newest first in the store, oldest first in the file; and none that is not older than the head.
    earlier.reverse();
    let mut older = Vec::with_capacity(earlier.len());
    for note in earlier {
        if signed(plane, &note)?.size < head.size {
            older.push(note);
        }
    }
    let pieces = head_pieces(&plane.ledger_key.verifier(), &head.checkpoint, &older);
    Ok(answer(head.size, 0, pieces, Some(Place { size: head.size, part: Part::Tiles, number: 0 })))
}

async fn tiles(plane: &Plane, size: u64, from: u64) -> Result<ExportPage, ControlError> {
    let skip = usize::try_from(from).unwrap_or(usize::MAX);
    let mut wanted = tiles_of_tree(size).skip(skip);
    let mut pieces = Vec::new();
    for tile in wanted.by_ref().take(TILES_PER_PAGE) {
        pieces.push(stored_tile(plane, tile).await?);
    }
    let done = from.saturating_add(TILES_PER_PAGE as u64);
    let next = match wanted.next() {
        Some(_more) => Place { size, part: Part::Tiles, number: done },
        None => Place { size, part: Part::Records, number: 0 },
    };
    Ok(answer(size, 0, pieces, Some(next)))
}

async fn stored_tile(plane: &Plane, tile: TileId) -> Result<Piece, ControlError> {
    let stored = plane.store.tile(TileKey { level: tile.level(), index: tile.index() }).await?;
    tile_piece(tile, &stored.unwrap_or_default())
        .map_err(|error| ControlError::us("a stored tile cannot be read; run `provost fsck`", error))
}

async fn records(plane: &Plane, size: u64, bundle: u64) -> Result<ExportPage, ControlError> {
    let first = bundle.saturating_mul(TILE_WIDTH);
    let wanted = size.saturating_sub(first).min(TILE_WIDTH);
    let leaves = plane.store.leaves(first, usize::try_from(wanted).unwrap_or(0)).await?;
    let (mut lines, mut commitments) = (String::new(), Vec::new());
    for (index, leaf) in (first..).zip(&leaves) {
        let entry: Entry =
            entry(&leaf.row).map_err(|error| ControlError::us("a stored record cannot be read", error))?;
        if leaf.index != index {
            return Err(missing(index));
        }
        lines.push_str(&write_line(index, &entry));
        lines.push('\n');
        commitments.push(entry.commitment());
    }
    let done = first.saturating_add(leaves.len() as u64);
    let Some(path) = entries_path(bundle, size).filter(|_| leaves.len() as u64 == wanted) else {
        return Err(missing(done));
    };
    let pieces = vec![
        Piece { path: records_path(bundle), bytes: lines.into_bytes() },
        Piece { path, bytes: write_bundle(&commitments) },
    ];
    let next = Place { size, part: Part::Records, number: bundle.saturating_add(1) };
    Ok(answer(size, done, pieces, (done < size).then_some(next)))
}

fn missing(index: u64) -> ControlError {
    ControlError::Us {
        text: format!("leaf {index} is missing from the store; run `provost fsck`").into(),
        source: None,
    }
}

fn answer(size: u64, done: u64, pieces: Vec<Piece>, next: Option<Place>) -> ExportPage {
    let pieces = pieces.into_iter();
    ExportPage {
        size,
        done,
        pieces: pieces
            .map(|piece| ExportPiece { path: piece.path, base64: STANDARD.encode(piece.bytes) })
            .collect(),
        next: next.map(|place| place.to_string()),
    }
}

/// Where an export goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    size: u64,
    part: Part,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Tiles,
    Records,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = match self.part {
            Part::Tiles => 't',
            Part::Records => 'r',
        };
        write!(f, "{}.{part}.{}", self.size, self.number)
    }
}

fn parse(cursor: &str) -> Result<Place, ControlError> {
    let mut parts = cursor.split('.');
    let place = (|| {
        let size = parts.next()?.parse().ok()?;
        let part = match parts.next()? {
            "t" => Part::Tiles,
            "r" => Part::Records,
            _ => return None,
        };
        Some(Place { size, part, number: parts.next()?.parse().ok()? })
    })();
    place.ok_or_else(|| {
        ControlError::caller("`cursor` is not one of ours").cure("take it from `next` of the page before")
    })
}

const EARLIER_MAX: usize = 1_000;
const TILES_PER_PAGE: usize = 256;
