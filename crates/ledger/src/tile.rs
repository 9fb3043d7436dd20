//! Tiles and entry bundles: how the tree lies in files (c2sp.org/tlog-tiles).
//!
//! A tile of level `L` and index `N` holds up to 256 hashes, each the root of a perfect subtree of `256^L` leaves,
//! beginning with leaf `N * 256^(L+1)`. An entry bundle holds the data of up to 256 leaves.

use std::fmt;

use crate::hash::{Commitment, HASH_BYTES, Hash};
use crate::limits::TREE_SIZE_MAX;

/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// Levels that a tree within [`TREE_SIZE_MAX`] can have.
pub const TILE_LEVELS: u8 = 8;

/// The name of a tile. Only full tiles and the newest partial one of a level are ever needed, so a store may replace
/// a tile by a wider one of the same level and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

impl TileId {
    /// The tile `index` of `level`, as wide as a tree of `size` leaves makes it. `None` when that tree has no such
    /// tile.
    #[must_use]
    pub fn of_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        if level >= TILE_LEVELS || size > TREE_SIZE_MAX {
            return None;
        }
        let nodes = size >> (8 * level);
        let width = nodes.checked_sub(index.checked_mul(TILE_WIDTH)?)?.min(TILE_WIDTH);
        let width = u16::try_from(width).ok()?;
        (width > 0).then_some(Self { level, index, width })
    }

    /// 0 for hashes of leaves, up to 7.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The place within the level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes in the tile: 1 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile will never change again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// Bytes of the tile.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// Where the tile lies: `tile/<L>/<N>[.p/<W>]`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}{}", self.level, number_path(self.index), partial(self.width))
    }

    /// The hashes of this tile from the bytes of a tile that may be wider. `None` when the bytes are fewer than
    /// needed, more than a full tile, or no multiple of a hash.
    #[must_use]
    pub fn hashes(&self, bytes: &[u8]) -> Option<Vec<Hash>> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() || hashes.len() as u64 > TILE_WIDTH {
            return None;
        }
        Some(hashes.get(..usize::from(self.width))?.iter().copied().map(Hash::from_bytes).collect())
    }

    /// Reads a path that [`TileId::path`] wrote. `None` for anything else.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, 256),
        };
        let tile = Self { level: level.parse().ok()?, index: parse_number(number)?, width };
        // One spelling only, so that two paths never mean one tile.
        (tile.level < TILE_LEVELS && (1..=256).contains(&width) && tile.path() == path).then_some(tile)
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// Every tile of a tree of `size` leaves, full ones and the newest partial one of each level, from the leaves up.
pub fn tiles_of_tree(size: u64) -> impl Iterator<Item = TileId> {
    (0..TILE_LEVELS).flat_map(move |level| (0..).map_while(move |index| TileId::of_tree(level, index, size)))
}

/// The tiles that change when a tree grows from `old` to `new` leaves: the ones completed, and the newest partial
/// one of every level that changed (tlog-tiles, "Partial Tiles").
pub fn tiles_grown(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    (0..TILE_LEVELS).flat_map(move |level| {
        let changed = old >> (8 * level) != new >> (8 * level);
        let first = (old >> (8 * level)) / TILE_WIDTH;
        (first..).map_while(move |index| TileId::of_tree(level, index, new).filter(|_| changed))
    })
}

/// Where the entry bundle `index` lies in an export of a tree of `size` leaves: `tile/entries/<N>[.p/<W>]`.
#[must_use]
pub fn entries_path(index: u64, size: u64) -> Option<String> {
    let width = TileId::of_tree(0, index, size)?.width;
    Some(format!("tile/entries/{}{}", number_path(index), partial(width)))
}

/// Where the records of the entry bundle `index` lie: `records/<N>.jsonl`, the same 256 leaves.
#[must_use]
pub fn records_path(index: u64) -> String {
    format!("records/{}.jsonl", number_path(index))
}

/// Bytes of the length before each entry of a bundle.
const ENTRY_LENGTH_BYTES: usize = 2;

/// Bytes of one entry of a bundle with its length.
const ENTRY_BYTES: usize = ENTRY_LENGTH_BYTES + HASH_BYTES;

/// Bytes of a full entry bundle.
pub const BUNDLE_BYTES_MAX: usize = ENTRY_BYTES * 256;

/// Writes an entry bundle: each commitment after its length, 32, in two bytes, big endian.
#[must_use]
pub fn write_bundle(commitments: &[Commitment]) -> Vec<u8> {
    let length = (HASH_BYTES as u16).to_be_bytes();
    commitments.iter().flat_map(|entry| length.iter().chain(entry.as_bytes()).copied()).collect()
}

/// Reads an entry bundle. `None` unless it is a whole number of entries of 32 bytes, 256 at most.
#[must_use]
pub fn parse_bundle(bytes: &[u8]) -> Option<Vec<Commitment>> {
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() || bytes.len() > BUNDLE_BYTES_MAX {
        return None;
    }
    entries.iter().map(parse_bundle_entry).collect()
}

fn parse_bundle_entry(entry: &[u8; ENTRY_BYTES]) -> Option<Commitment> {
    let (length, data) = entry.split_first_chunk::<ENTRY_LENGTH_BYTES>()?;
    let data: [u8; HASH_BYTES] = data.try_into().ok()?;
    (usize::from(u16::from_be_bytes(*length)) == HASH_BYTES).then_some(Commitment::from_bytes(data))
}

/// Groups of three digits, all but the last marked with `x`: 1234067 is `x001/x234/067`.
fn number_path(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn parse_number(path: &str) -> Option<u64> {
    path.split('/').try_fold(0_u64, |number, group| {
        let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        number.checked_mul(1000)?.checked_add(group)
    })
}

fn partial(width: u16) -> String {
    if u64::from(width) == TILE_WIDTH { String::new() } else { format!(".p/{width}") }
}
