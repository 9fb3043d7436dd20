//! Checkpoints: the signed head of the tree (c2sp.org/tlog-checkpoint in a c2sp.org/signed-note).
//!
//! ```text
//! <origin>
//! <size>
//! <root in base64>
//!
//! — <origin> <base64 of key id and signature>
//! — <witness> <base64 of key id, time and signature>
//! ```

use std::fmt;

use serde::Serialize;
use signed_note::{Note, NoteError, VerifierList};

use crate::hash::Hash;
use crate::key::{KeyUse, LogSigner, SigningKey, VerifierKey, WitnessSigner, split_cosignature};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, TREE_SIZE_MAX};

/// The head of a tree. Sign only the head of a tree that extends every one signed before under the same origin: two
/// heads that are not prefixes of each other are a fork, and anybody who holds both can show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: Box<str>,
    /// Leaves.
    pub size: u64,
    /// The root hash.
    pub root: Hash,
}

/// A witness that saw a checkpoint and found it to extend the ones it had seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cosignature {
    /// The name of the witness.
    pub witness: Box<str>,
    /// When it signed: seconds since 1970-01-01 UTC, by its own clock.
    pub time_s: u64,
}

/// A checkpoint whose signature holds, and the trusted witnesses that confirm it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// What the log signed.
    pub checkpoint: Checkpoint,
    /// One for each witness asked for that signed.
    pub cosignatures: Vec<Cosignature>,
}

impl Checkpoint {
    /// Signs the head of a tree as the log named `key.name()`, and returns the note.
    ///
    /// # Errors
    /// A key of a witness, or a size over the limit.
    pub fn sign(size: u64, root: Hash, key: &SigningKey) -> Result<String, CheckpointError> {
        if key.key_use() != KeyUse::Log {
            return Err(CheckpointError::KeyUse { name: key.name().into() });
        }
        if size > TREE_SIZE_MAX {
            return Err(CheckpointError::Body("the size is over the limit (tree_size_max)"));
        }
        let checkpoint = Checkpoint { origin: key.name().into(), size, root };
        let mut note = Note::new(checkpoint.to_string().as_bytes(), &[])?;
        note.add_sigs(&[&LogSigner(key)])?;
        into_text(&note)
    }

    /// Verifies the signature of the log `key` and returns what it signed. Signatures of others are ignored.
    ///
    /// # Errors
    /// A note that is malformed or not signed by `key`, or a head that is none of its log.
    pub fn verify(note: &[u8], key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
        Ok(Self::verify_witnessed(note, key, &[])?.checkpoint)
    }

    /// Verifies the signature of the log and those of the given witnesses that are present. How many witnesses are
    /// enough is for the caller to say.
    ///
    /// # Errors
    /// As [`Checkpoint::verify`]; also when a given witness signed, but its signature does not hold.
    pub fn verify_witnessed(
        note: &[u8],
        key: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<Verified, CheckpointError> {
        if key.key_use() != KeyUse::Log {
            return Err(CheckpointError::KeyUse { name: key.name().into() });
        }
        let note = parse_note(note)?;
        let (trusted, _) = note.verify(&known_keys(key, witnesses))?;
        let mut cosignatures = Vec::new();
        let mut signed_by_log = false;
        for signature in &trusted {
            signed_by_log |= signature.name() == key.name() && signature.id() == key.id();
            let is_witness = |known: &&VerifierKey| {
                known.key_use() == KeyUse::Witness
                    && known.name() == signature.name()
                    && known.id() == signature.id()
            };
            if let (Some(known), Some((time_s, _))) =
                (witnesses.iter().find(is_witness), split_cosignature(signature.signature()))
            {
                cosignatures.push(Cosignature { witness: known.name().into(), time_s });
            }
        }
        if !signed_by_log {
            return Err(CheckpointError::NotSigned);
        }
        let checkpoint = Self::parse_body(note.text())?;
        if *checkpoint.origin != *key.name() {
            return Err(CheckpointError::Origin { origin: checkpoint.origin, key: key.name().into() });
        }
        Ok(Verified { checkpoint, cosignatures })
    }

    /// Reads what a note claims without asking who signed it: for naming faults, never for trusting.
    ///
    /// # Errors
    /// A note or a body that is malformed.
    pub fn dangerous_parse_unverified(note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        Self::parse_body(parse_note(note)?.text())
    }

    fn parse_body(text: &[u8]) -> Result<Self, CheckpointError> {
        let text = str::from_utf8(text).map_err(|_| CheckpointError::Note)?;
        let mut lines = text.lines();
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let origin = line().ok_or(CheckpointError::Body("the origin is missing"))?;
        let size_text = line().ok_or(CheckpointError::Body("the size is missing"))?;
        let size: u64 = size_text.parse().map_err(|_| CheckpointError::Body("the size is no number"))?;
        if size_text != size.to_string() {
            return Err(CheckpointError::Body("the size is not written in its shortest form"));
        }
        if size > TREE_SIZE_MAX {
            return Err(CheckpointError::Body("the size is over the limit (tree_size_max)"));
        }
        let root = line().and_then(Hash::from_base64);
        let root = root.ok_or(CheckpointError::Body("the root is not 32 bytes in base64"))?;
        if size == 0 && root != Hash::EMPTY {
            return Err(CheckpointError::Body("the root of an empty tree must be the hash of nothing"));
        }
        // Extension lines are signed, and mean nothing here; an empty one would end the body.
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Body("an extension line is empty"));
        }
        Ok(Self { origin: origin.into(), size, root })
    }
}

/// The body that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

/// Adds the signature of a witness to a note and returns the longer note. The witness must have verified the log's
/// signature and that the tree extends the last one it signed (c2sp.org/tlog-witness).
///
/// # Errors
/// A malformed note, or the key of a log.
pub fn cosign(note: &[u8], witness: &SigningKey, time_s: u64) -> Result<String, CheckpointError> {
    if witness.key_use() != KeyUse::Witness {
        return Err(CheckpointError::KeyUse { name: witness.name().into() });
    }
    let mut note = parse_note(note)?;
    note.add_sigs(&[&WitnessSigner(witness, time_s)])?;
    into_text(&note)
}

/// Adds the signature lines that witnesses answered to a note, as they are. Verify the result before it is kept.
///
/// # Errors
/// A malformed note or line, or more signatures than a note may have.
pub fn add_signatures(note: &[u8], lines: &str) -> Result<String, CheckpointError> {
    parse_note(note)?;
    let mut text = note.to_vec();
    for line in lines.lines() {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    into_text(&parse_note(&text)?)
}

/// Why a note is no checkpoint, or not one to trust.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes, more than the limit of {NOTE_BYTES_MAX} (note_bytes_max)")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More signature lines than [`NOTE_SIGNATURES_MAX`].
    #[error(
        "the note has {count} signatures, more than the limit of {NOTE_SIGNATURES_MAX} (note_signatures_max)"
    )]
    TooManySignatures {
        /// How many.
        count: usize,
    },
    /// Not text, an empty line, and signature lines.
    #[error("not a signed note")]
    Note,
    /// The text of the note is no checkpoint.
    #[error("not a checkpoint: {0}")]
    Body(&'static str),
    /// None of the signatures is by the key asked for.
    #[error(
        "the checkpoint is not signed by the key of this log; check that the verifier key is the right one"
    )]
    NotSigned,
    /// The key asked for signed something else.
    #[error("the signature of {name} does not hold: the checkpoint was changed")]
    BadSignature {
        /// The name of the key.
        name: Box<str>,
    },
    /// The log signed a head under another name.
    #[error("the checkpoint is of `{origin}`, not of `{key}`")]
    Origin {
        /// What the checkpoint says.
        origin: Box<str>,
        /// The name of the key.
        key: Box<str>,
    },
    /// A log's key where a witness's is needed, or the reverse, or two keys alike.
    #[error(
        "the key {name} cannot be used here; logs have keys of type 0x01, witnesses of type 0x04, each once"
    )]
    KeyUse {
        /// The name of the key.
        name: Box<str>,
    },
}

impl From<NoteError> for CheckpointError {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::InvalidSignature { name, .. } => CheckpointError::BadSignature { name: name.into() },
            NoteError::UnverifiedNote => CheckpointError::NotSigned,
            NoteError::VerificationError(
                signed_note::VerificationError::AmbiguousKey { name, .. }
                | signed_note::VerificationError::UnknownKey { name, .. },
            ) => CheckpointError::KeyUse { name: name.into() },
            _ => CheckpointError::Note,
        }
    }
}

fn known_keys(key: &VerifierKey, witnesses: &[VerifierKey]) -> VerifierList {
    let mut known: Vec<&VerifierKey> = vec![key];
    for witness in witnesses {
        if !known.contains(&witness) {
            known.push(witness);
        }
    }
    VerifierList::new(
        known.into_iter().map(|key| Box::new(key.clone()) as Box<dyn signed_note::Verifier>).collect(),
    )
}

fn parse_note(note: &[u8]) -> Result<Note, CheckpointError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(CheckpointError::TooLong { bytes: note.len() });
    }
    let text = str::from_utf8(note).map_err(|_| CheckpointError::Note)?;
    let (_, signatures) = text.rsplit_once("\n\n").ok_or(CheckpointError::Note)?;
    let count = signatures.lines().count();
    if count > NOTE_SIGNATURES_MAX {
        return Err(CheckpointError::TooManySignatures { count });
    }
    Ok(Note::from_bytes(note)?)
}

fn into_text(note: &Note) -> Result<String, CheckpointError> {
    String::from_utf8(note.to_bytes()).map_err(|_| CheckpointError::Note)
}
