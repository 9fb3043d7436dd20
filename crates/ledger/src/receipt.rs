//! Audit receipts: one file that proves, offline, that a record is in the ledger (c2sp.org/tlog-proof).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64 of the record line>
//! index <n>
//! <base64 hash>
//! ..
//!
//! <signed checkpoint>
//! ```
//!
//! The extra data is the line of `records/*.jsonl`, so a receipt explains itself. It is not trusted: the commitment is
//! computed from it, and the proof says whether that is what was signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, Verified};
use crate::entry::Entry;
use crate::hash::{Commitment, Hash};
use crate::key::VerifierKey;
use crate::limits::{PROOF_HASHES_MAX, RECEIPT_BYTES_MAX, TREE_SIZE_MAX};
use crate::line::{LineError, parse_line, write_line};
use crate::proof::{ProofError, verify_inclusion};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof that a leaf is in a signed tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Data that goes along, unauthenticated: here the record line.
    pub extra: Option<Vec<u8>>,
    /// The leaf.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl Receipt {
    /// A receipt that carries its record.
    #[must_use]
    pub fn with_record(index: u64, entry: &Entry, proof: Vec<Hash>, checkpoint: String) -> Self {
        Self { extra: Some(write_line(index, entry).into_bytes()), index, proof, checkpoint }
    }

    /// Reads a `.tlog-proof` file.
    ///
    /// # Errors
    /// A file over its limits or not in the format.
    pub fn parse(file: &[u8]) -> Result<Self, ReceiptError> {
        if file.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { bytes: file.len() });
        }
        let text = str::from_utf8(file).map_err(|_| ReceiptError::Format("it is not UTF-8"))?;
        let rest =
            line_after(text, FIRST_LINE).ok_or(ReceiptError::Format("the first line is another one"))?;
        let (head, checkpoint) =
            rest.split_once("\n\n").ok_or(ReceiptError::Format("the checkpoint is missing"))?;
        let mut lines = head.split('\n').peekable();
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(parse_extra(line)?),
            None => None,
        };
        let index = lines
            .next()
            .and_then(parse_index)
            .ok_or(ReceiptError::Format("the index is missing or wrong"))?;
        let proof: Option<Vec<Hash>> = lines.map(Hash::from_base64).collect();
        let proof = proof.ok_or(ReceiptError::Format("a hash is not 32 bytes in base64"))?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(ReceiptError::Format("the proof is longer than any tree needs (proof_hashes_max)"));
        }
        Ok(Self { extra, index, proof, checkpoint: checkpoint.to_owned() })
    }

    /// The entry that the receipt carries, if any.
    ///
    /// # Errors
    /// Extra data that is no record line, or one of another leaf.
    pub fn entry(&self) -> Result<Option<Entry>, ReceiptError> {
        let Some(extra) = &self.extra else { return Ok(None) };
        let line = str::from_utf8(extra).map_err(|_| ReceiptError::Format("the extra data is not UTF-8"))?;
        let (index, entry) = parse_line(line)?;
        if index != self.index {
            return Err(ReceiptError::OtherLeaf { record: index, index: self.index });
        }
        Ok(Some(entry))
    }

    /// Verifies that a commitment is the leaf that this receipt proves.
    ///
    /// # Errors
    /// A checkpoint that `key` did not sign, or a proof that does not lead from the commitment to its root.
    pub fn verify(
        &self,
        commitment: &Commitment,
        key: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<Verified, ReceiptError> {
        let verified = Checkpoint::verify_witnessed(self.checkpoint.as_bytes(), key, witnesses)?;
        let (size, root) = (verified.checkpoint.size, verified.checkpoint.root);
        verify_inclusion(commitment.leaf_hash(), self.index, size, root, &self.proof)?;
        Ok(verified)
    }
}

/// The bytes of the file.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than [`RECEIPT_BYTES_MAX`].
    #[error("the receipt has {bytes} bytes, more than the limit of {RECEIPT_BYTES_MAX} (receipt_bytes_max)")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a `.tlog-proof` file.
    #[error("not a tlog-proof file: {0}")]
    Format(&'static str),
    /// The record inside is of another leaf.
    #[error("the receipt is for leaf {index}, the record in it for leaf {record}")]
    OtherLeaf {
        /// The index in the record line.
        record: u64,
        /// The index of the receipt.
        index: u64,
    },
    /// The extra data is no record line.
    #[error("the record in the receipt cannot be read")]
    Line(#[from] LineError),
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint in the receipt does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not lead to the root.
    #[error("the inclusion proof does not hold")]
    Proof(#[from] ProofError),
}

fn line_after<'t>(text: &'t str, first: &str) -> Option<&'t str> {
    text.split_once('\n').filter(|(line, _)| *line == first).map(|(_, rest)| rest)
}

fn parse_extra(line: &str) -> Result<Vec<u8>, ReceiptError> {
    let wrong = ReceiptError::Format("the extra data is not base64");
    line.strip_prefix("extra ").and_then(|base64| STANDARD.decode(base64).ok()).ok_or(wrong)
}

fn parse_index(line: &str) -> Option<u64> {
    let digits = line.strip_prefix("index ")?;
    let index: u64 = digits.parse().ok()?;
    (digits == index.to_string() && index < TREE_SIZE_MAX).then_some(index)
}
