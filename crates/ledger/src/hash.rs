//! SHA-256 in the three roles it has in the tree (RFC 9162, section 2.1.1): leaf, node, and commitment.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A hash of the Merkle tree: of a leaf, of a node, or the root. Printed in base64, as C2SP does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// The root of a tree without leaves: SHA-256 of nothing.
    pub const EMPTY: Hash = Hash([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// The hash of a leaf: `SHA256(0x00 || data)`.
    #[must_use]
    pub fn leaf(data: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0x00]).chain_update(data).finalize().into())
    }

    /// The hash of a node: `SHA256(0x01 || left || right)`.
    #[must_use]
    pub fn node(left: Hash, right: Hash) -> Self {
        Self(Sha256::new().chain_update([0x01]).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// A hash computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Reads what [`Display`](fmt::Display) writes: 44 characters of standard base64. `None` for anything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        if text.len() != 44 {
            return None;
        }
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The 32 bytes that stand for a record in the tree: the data of its leaf, and its entry in an entry bundle. Made by
/// [`Entry::commitment`](crate::Entry::commitment); printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commitment([u8; HASH_BYTES]);

impl Commitment {
    /// A commitment that was stored or received.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// The hash of the leaf that holds it.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        Hash::leaf(&self.0)
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}

/// The root of a perfect subtree, from its `2^n` nodes on one level. `None` when their number is no power of two.
pub(crate) fn perfect_root(nodes: &[Hash]) -> Option<Hash> {
    if !nodes.len().is_power_of_two() {
        return None;
    }
    let mut level = nodes.to_vec();
    while level.len() > 1 {
        let (pairs, _) = level.as_chunks::<2>();
        level = pairs.iter().map(|&[left, right]| Hash::node(left, right)).collect();
    }
    level.first().copied()
}

/// Joins neighbouring subtrees, given from left to right, the larger ones first: `MTH` of their concatenation.
pub(crate) fn join(peaks: &[Hash]) -> Option<Hash> {
    peaks.iter().rev().copied().reduce(|right, left| Hash::node(left, right))
}
