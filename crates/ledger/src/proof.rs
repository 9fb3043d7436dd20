//! Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4): made from tiles, verified from nothing.
//!
//! Readers of tiles that wait (a database) are not called from here: ask for the names of the tiles first
//! ([`inclusion_tiles`], [`consistency_tiles`]), fetch them, and hand the bytes in.

use std::collections::HashMap;

use crate::hash::{Hash, join, perfect_root};
use crate::limits::{PROOF_HASHES_MAX, TREE_SIZE_MAX};
use crate::tile::{TILE_WIDTH, TileId};
use crate::tree::{ReadError, TreeError, read_hashes};

/// Proves that leaf `index` is in the tree of `size` leaves: the siblings on the way up, the leaf's own first.
///
/// # Errors
/// A leaf outside the tree, or a tile that cannot be read or has the wrong length.
pub fn inclusion_proof(
    index: u64,
    size: u64,
    mut read_tile: impl FnMut(TileId) -> Result<Vec<u8>, ReadError>,
) -> Result<Vec<Hash>, TreeError> {
    if index >= size {
        return Err(TreeError::OutsideTree { index, size });
    }
    let mut nodes = Nodes::of(size, &mut read_tile)?;
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(nodes.range(middle, high)?);
            high = middle;
        } else {
            path.push(nodes.range(low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proves that the tree of `old` leaves is a prefix of the tree of `new` leaves. Empty for equal sizes and for an
/// empty older tree.
///
/// # Errors
/// An older tree that is larger, or a tile that cannot be read or has the wrong length.
pub fn consistency_proof(
    old: u64,
    new: u64,
    mut read_tile: impl FnMut(TileId) -> Result<Vec<u8>, ReadError>,
) -> Result<Vec<Hash>, TreeError> {
    if old > new {
        return Err(TreeError::SizesReversed { old, new });
    }
    let mut nodes = Nodes::of(new, &mut read_tile)?;
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    let (mut low, mut high) = (0, new);
    while old != high {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(nodes.range(middle, high)?);
            high = middle;
        } else {
            path.push(nodes.range(low, middle)?);
            low = middle;
        }
    }
    // The older tree itself is known to the verifier; any other common subtree is not.
    if low != 0 {
        path.push(nodes.range(low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// The tiles that [`inclusion_proof`] will read, each once.
///
/// # Errors
/// A leaf outside the tree.
pub fn inclusion_tiles(index: u64, size: u64) -> Result<Vec<TileId>, TreeError> {
    let mut wanted = Vec::new();
    inclusion_proof(index, size, |tile| Ok(note_and_feign(tile, &mut wanted)))?;
    Ok(wanted)
}

/// The tiles that [`consistency_proof`] will read, each once.
///
/// # Errors
/// An older tree that is larger.
pub fn consistency_tiles(old: u64, new: u64) -> Result<Vec<TileId>, TreeError> {
    let mut wanted = Vec::new();
    consistency_proof(old, new, |tile| Ok(note_and_feign(tile, &mut wanted)))?;
    Ok(wanted)
}

/// Verifies an inclusion proof (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// What does not hold.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    check_length(proof)?;
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    let (mut fnode, mut snode) = (index, size - 1);
    let mut hash = leaf;
    for &sibling in proof {
        if snode == 0 {
            return Err(ProofError::Length);
        }
        if fnode & 1 == 1 || fnode == snode {
            hash = Hash::node(sibling, hash);
            climb_left_edge(&mut fnode, &mut snode);
        } else {
            hash = Hash::node(hash, sibling);
        }
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    if snode != 0 {
        return Err(ProofError::Length);
    }
    if hash == root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that the tree `(old_size, old_root)` is a prefix of the tree `(new_size, new_root)` (RFC 9162, section
/// 2.1.4.2). Everything is consistent with the empty tree.
///
/// # Errors
/// What does not hold.
pub fn verify_consistency(
    (old_size, old_root): (u64, Hash),
    (new_size, new_root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    check_length(proof)?;
    if old_size > new_size {
        return Err(ProofError::SizesReversed { old: old_size, new: new_size });
    }
    if old_size == 0 || old_size == new_size {
        let same = if old_size == 0 { old_root == Hash::EMPTY } else { old_root == new_root };
        return match (proof.is_empty(), same) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    let (mut fnode, mut snode) = (old_size - 1, new_size - 1);
    while fnode & 1 == 1 {
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    // An older tree that is perfect is a node of the newer one, and left out of the proof.
    let (first, rest) = match proof.split_first() {
        _ if old_size.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return Err(ProofError::Length),
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for &hash in rest {
        if snode == 0 {
            return Err(ProofError::Length);
        }
        if fnode & 1 == 1 || fnode == snode {
            old_hash = Hash::node(hash, old_hash);
            new_hash = Hash::node(hash, new_hash);
            climb_left_edge(&mut fnode, &mut snode);
        } else {
            new_hash = Hash::node(new_hash, hash);
        }
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    if snode != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == old_root && new_hash == new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// Why a proof does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in a tree of that size.
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
    /// More or fewer hashes than the sizes demand.
    #[error("the proof has the wrong number of hashes for these sizes")]
    Length,
    /// The hashes lead elsewhere.
    #[error("the proof does not lead to the signed root: the record or the history is another one")]
    Root,
}

/// Nodes of one tree, computed from tiles that are read once.
struct Nodes<'r> {
    size: u64,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
    read_tile: &'r mut dyn FnMut(TileId) -> Result<Vec<u8>, ReadError>,
}

impl<'r> Nodes<'r> {
    fn of(
        size: u64,
        read_tile: &'r mut dyn FnMut(TileId) -> Result<Vec<u8>, ReadError>,
    ) -> Result<Self, TreeError> {
        if size > TREE_SIZE_MAX {
            return Err(TreeError::TooLarge { size });
        }
        Ok(Self { size, tiles: HashMap::new(), read_tile })
    }

    /// The hash over the leaves `low..high`, where `low` is a multiple of every subtree that the range splits into.
    fn range(&mut self, low: u64, high: u64) -> Result<Hash, TreeError> {
        let mut peaks = Vec::new();
        let mut at = low;
        while let Some(power) = (high - at).checked_ilog2() {
            peaks.push(self.perfect(at, power)?);
            at += 1 << power;
        }
        join(&peaks).ok_or(TreeError::OutsideTree { index: low, size: self.size })
    }

    /// The root of the perfect subtree of `2^power` leaves that begins with leaf `at`.
    fn perfect(&mut self, at: u64, power: u32) -> Result<Hash, TreeError> {
        let outside = TreeError::OutsideTree { index: at, size: self.size };
        let Ok(level) = u8::try_from(power / 8) else { return Err(outside) };
        let first = at >> (8 * level);
        let (index, offset) = (first / TILE_WIDTH, (first % TILE_WIDTH) as usize);
        let hashes = self.tile(level, index)?;
        let nodes = hashes.get(offset..).and_then(|rest| rest.get(..1 << (power % 8)));
        nodes.and_then(perfect_root).ok_or(outside)
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], TreeError> {
        if !self.tiles.contains_key(&(level, index)) {
            let outside = TreeError::OutsideTree { index, size: self.size };
            let id = TileId::of_tree(level, index, self.size).ok_or(outside)?;
            let hashes = read_hashes(id, self.read_tile)?;
            self.tiles.insert((level, index), hashes);
        }
        Ok(self.tiles.get(&(level, index)).map_or(&[], Vec::as_slice))
    }
}

/// The largest power of two below `n`, for `n` over one.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// RFC 9162, section 2.1.3.2, step 4b: skips the levels where the node is a left edge without a sibling.
fn climb_left_edge(fnode: &mut u64, snode: &mut u64) {
    while *fnode & 1 == 0 && *fnode != 0 {
        (*fnode, *snode) = (*fnode >> 1, *snode >> 1);
    }
}

fn check_length(proof: &[Hash]) -> Result<(), ProofError> {
    if proof.len() > PROOF_HASHES_MAX { Err(ProofError::Length) } else { Ok(()) }
}

/// Which tiles a proof reads does not depend on what is in them.
fn note_and_feign(tile: TileId, wanted: &mut Vec<TileId>) -> Vec<u8> {
    wanted.push(tile);
    vec![0; tile.bytes_len()]
}
