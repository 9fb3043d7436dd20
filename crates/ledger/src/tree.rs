//! The growing edge of the tree: all that a sequencer must hold to append.
//!
//! Hashing is RFC 9162, section 2.1. The edge is, for each level, the hashes of the tile that is not full yet; at most
//! 255 hashes on each of eight levels, whatever the size of the tree.

use std::collections::VecDeque;

use crate::hash::{Commitment, HASH_BYTES, Hash, perfect_root};
use crate::limits::TREE_SIZE_MAX;
use crate::tile::{TILE_LEVELS, TILE_WIDTH, TileId, tiles_grown};

/// What a reader of tiles may fail with; kept as the source of [`TreeError::Read`].
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// The right edge of a Merkle tree. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    edge: [Vec<Hash>; TILE_LEVELS as usize],
}

/// What an append made. Persist all of it, and the new checkpoint, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Leaves before.
    pub old_size: u64,
    /// Leaves now.
    pub new_size: u64,
    /// The root now.
    pub root: Hash,
    /// The tiles that are new or wider than before, each to replace its predecessor of the same level and index.
    pub tiles: Vec<(TileId, Vec<u8>)>,
}

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: 0, edge: Default::default() }
    }

    /// Takes up a tree of `size` leaves from its stored tiles; reads the partial ones of the right edge, at most one
    /// for each level ([`Tree::edge_tiles`]). Compare [`Tree::root`] with the signed checkpoint before appending.
    ///
    /// # Errors
    /// A size over the limit, a tile that cannot be read, or one of the wrong length.
    pub fn open(
        size: u64,
        mut read_tile: impl FnMut(TileId) -> Result<Vec<u8>, ReadError>,
    ) -> Result<Self, TreeError> {
        let mut tree = Self::empty();
        for tile in Self::edge_tiles(size)? {
            if let Some(edge) = tree.edge.get_mut(usize::from(tile.level())) {
                *edge = read_hashes(tile, &mut read_tile)?;
            }
        }
        tree.size = size;
        Ok(tree)
    }

    /// The partial tiles that [`Tree::open`] reads, for callers that fetch first and open after.
    ///
    /// # Errors
    /// A size over the limit.
    pub fn edge_tiles(size: u64) -> Result<Vec<TileId>, TreeError> {
        if size > TREE_SIZE_MAX {
            return Err(TreeError::TooLarge { size });
        }
        let newest = |level: u8| TileId::of_tree(level, (size >> (8 * level)) / TILE_WIDTH, size);
        Ok((0..TILE_LEVELS).filter_map(newest).collect())
    }

    /// Leaves of the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash (RFC 9162, section 2.1.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        // From the smallest subtree on the right to the largest on the left.
        let right_to_left = self.edge.iter().flat_map(|tile| peaks(tile).into_iter().rev());
        right_to_left.reduce(|right, left| Hash::node(left, right)).unwrap_or(Hash::EMPTY)
    }

    /// Appends leaves in order. The tree in memory moves at once: append to a clone, and put it in place of the old
    /// one when the transaction has committed; after a failed one, the old tree is still right.
    ///
    /// # Errors
    /// A tree that would grow over the limit; nothing is appended then.
    pub fn append(&mut self, batch: &[Commitment]) -> Result<Appended, TreeError> {
        let leaves: Vec<Hash> = batch.iter().map(Commitment::leaf_hash).collect();
        self.append_leaves(&leaves)
    }

    /// Appends leaves whose hashes are known. See [`Tree::append`].
    ///
    /// # Errors
    /// A tree that would grow over the limit; nothing is appended then.
    pub fn append_leaves(&mut self, leaves: &[Hash]) -> Result<Appended, TreeError> {
        let old_size = self.size;
        let new_size = old_size.saturating_add(leaves.len() as u64);
        if new_size > TREE_SIZE_MAX {
            return Err(TreeError::TooLarge { size: new_size });
        }
        let mut filled = Filled::default();
        for leaf in leaves {
            self.push(*leaf, &mut filled);
        }
        self.size = new_size;
        let tiles = self.grown(old_size, filled);
        Ok(Appended { old_size, new_size, root: self.root(), tiles })
    }

    /// The partial tiles of the right edge.
    pub(crate) fn edge(&self) -> impl Iterator<Item = (TileId, Vec<u8>)> {
        (0..TILE_LEVELS).zip(&self.edge).filter_map(|(level, hashes)| {
            let tile = TileId::of_tree(level, (self.size >> (8 * level)) / TILE_WIDTH, self.size)?;
            Some((tile, tile_bytes(hashes)))
        })
    }

    /// Puts a hash on the lowest level; a tile that fills up moves its root one level up.
    fn push(&mut self, leaf: Hash, filled: &mut Filled) {
        let mut hash = leaf;
        for (edge, filled) in self.edge.iter_mut().zip(filled) {
            edge.push(hash);
            if (edge.len() as u64) < TILE_WIDTH {
                return;
            }
            let tile = std::mem::take(edge);
            let Some(root) = perfect_root(&tile) else { return };
            filled.push_back(tile);
            hash = root;
        }
    }

    /// Pairs the names of the tiles that changed with their hashes.
    fn grown(&self, old_size: u64, mut filled: Filled) -> Vec<(TileId, Vec<u8>)> {
        let mut tiles = Vec::new();
        for id in tiles_grown(old_size, self.size) {
            let level = usize::from(id.level());
            let completed = filled.get_mut(level).and_then(VecDeque::pop_front);
            if let Some(hashes) = completed.as_ref().or_else(|| self.edge.get(level)) {
                tiles.push((id, tile_bytes(hashes)));
            }
        }
        tiles
    }
}

/// The tiles that an append filled, for each level in order.
type Filled = [VecDeque<Vec<Hash>>; TILE_LEVELS as usize];

/// Why the tree cannot be taken up, grown, or asked.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Over [`TREE_SIZE_MAX`].
    #[error("a tree of {size} leaves is over the limit of {TREE_SIZE_MAX} (tree_size_max)")]
    TooLarge {
        /// The refused size.
        size: u64,
    },
    /// The store did not return a tile.
    #[error("cannot read {tile}")]
    Read {
        /// Which one.
        tile: TileId,
        /// What the store said.
        #[source]
        source: ReadError,
    },
    /// A tile has fewer hashes than the size of the tree demands, or is no tile at all.
    #[error("{tile} has {bytes} bytes, not {} as a tree of this size has; verify the store", tile.bytes_len())]
    TileLength {
        /// Which one.
        tile: TileId,
        /// What was read.
        bytes: usize,
    },
    /// The leaf asked for is not in the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    OutsideTree {
        /// The leaf.
        index: u64,
        /// The tree.
        size: u64,
    },
    /// The older tree is the larger one.
    #[error("the older tree of {old} leaves is larger than the newer one of {new}")]
    SizesReversed {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
}

pub(crate) fn read_hashes(
    tile: TileId,
    read_tile: &mut dyn FnMut(TileId) -> Result<Vec<u8>, ReadError>,
) -> Result<Vec<Hash>, TreeError> {
    let bytes = read_tile(tile).map_err(|source| TreeError::Read { tile, source })?;
    tile.hashes(&bytes).ok_or(TreeError::TileLength { tile, bytes: bytes.len() })
}

pub(crate) fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}

/// The roots of the largest perfect subtrees of a partial tile, from left to right: one for each bit of its width.
fn peaks(tile: &[Hash]) -> Vec<Hash> {
    let mut roots = Vec::new();
    let mut rest = tile;
    while let Some(width) = rest.len().checked_ilog2() {
        let Some((subtree, after)) = rest.split_at_checked(1 << width) else { break };
        roots.extend(perfect_root(subtree));
        rest = after;
    }
    roots
}
