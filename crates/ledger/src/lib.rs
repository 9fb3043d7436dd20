//! The ledger: the tamper-evident record of every change, decision and completion.
//!
//! ```text
//! record --salt--> commitment --> leaf --> tiles --> root --> signed checkpoint --> witnesses
//! entry.rs         hash.rs        tree.rs  tile.rs            checkpoint.rs, key.rs
//! ```
//!
//! [`Tree`] grows by batches and says which tiles to store; [`Checkpoint`] signs its head; [`inclusion_proof`] and
//! [`Receipt`] prove one record to anybody; [`export`] writes everything out, and [`verify_export`] reads it back
//! from files alone and names what is wrong.
//!
//! ```
//! use provost_ledger::{Checkpoint, Entry, EntryKind, Receipt, SigningKey, Tree, inclusion_proof};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let salt = [0; 16]; // from a random source, fresh for every record
//! let body = serde_json::json!({"verdict": "allow", "tool": "bank.transfer"});
//! let entry = Entry::new(EntryKind::Decision, "dec_1", 1_780_000_000_000, &body, salt)?;
//!
//! let mut tree = Tree::empty();
//! let grown = tree.append(&[entry.commitment()])?; // store grown.tiles
//! let key = SigningKey::log("ledger.example.com", &[0; 32])?;
//! let checkpoint = Checkpoint::sign(grown.new_size, grown.root, &key)?;
//!
//! let stored = |tile| Ok(grown.tiles.iter().find(|(id, _)| *id == tile).ok_or("no such tile")?.1.clone());
//! let receipt = Receipt::with_record(0, &entry, inclusion_proof(0, 1, stored)?, checkpoint);
//! receipt.verify(&entry.commitment(), &key.verifier(), &[])?;
//! # Ok(())
//! # }
//! ```
//!
//! **Invariant.** Nothing here reads a clock, a random source, a file or a socket: times, salts, seeds and tiles are
//! handed in, bytes are handed out.
//!
//! Notes are parsed and signed by `signed_note`. Tiles and proofs are our own: `tlog_tiles` names tiles as Go's
//! checksum database does, not as c2sp.org/tlog-tiles, and panics on a store that answers wrongly; it and
//! `ct-merkle` are the oracles of the tests.
mod checkpoint;
mod entry;
pub mod export;
mod hash;
mod key;
pub mod limits;
mod line;
mod proof;
mod receipt;
mod tile;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, Cosignature, Verified, add_signatures, cosign};
pub use entry::{Content, Entry, EntryError, EntryKind, SALT_BYTES, canonical};
pub use hash::{Commitment, HASH_BYTES, Hash};
pub use key::{KeyError, KeyUse, SigningKey, VerifierKey};
pub use line::{LineError, parse_line, write_line};
pub use proof::{
    ProofError, consistency_proof, consistency_tiles, inclusion_proof, inclusion_tiles, verify_consistency,
    verify_inclusion,
};
pub use receipt::{Receipt, ReceiptError};
pub use tile::{
    BUNDLE_BYTES_MAX, TILE_LEVELS, TILE_WIDTH, TileId, entries_path, parse_bundle, records_path, tiles_grown,
    tiles_of_tree, write_bundle,
};
pub use tree::{Appended, ReadError, Tree, TreeError};
pub use verify::{
    ChangesInSequence, ChecksWereMarked, CompletionsFollowDecisions, Fault, Options, Place, RecordCheck,
    Report, SeenRecord, Source, verify_export,
};
