//! What one leaf of the ledger stands for: a record, its salt, and the commitment to both.
//!
//! ```text
//! digest     = SHA-256( salt (16 bytes) || body (canonical JSON) )
//! commitment = SHA-256( {"at_ms":A,"digest":"<hex>","id":"I","kind":"K"} )
//! leaf hash  = SHA-256( 0x00 || commitment )
//! ```
//!
//! The tree holds only the commitment, so a body can be erased and every proof still holds. Two steps instead of one
//! because kind, id and time must stay bound after the erasure: an erased entry keeps its digest, and with it anybody
//! can still recompute the commitment from the header. The salt keeps a guessable body from being found by trial.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hash::{Commitment, HASH_BYTES};
use crate::limits::{AT_MS_MAX, ID_BYTES_MAX, RECORD_BYTES_MAX, RECORD_DEPTH_MAX};

/// Bytes of a salt; they come from a random source of the caller, fresh for every record.
pub const SALT_BYTES: usize = 16;

/// Which journal a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A change of administered state.
    Change,
    /// A verdict, recorded before the action.
    Decision,
    /// The known or unknown outcome of an allowed action.
    Completion,
    /// Something a person must know, such as a policy that errors.
    Alarm,
}

impl EntryKind {
    /// The word used in records and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EntryKind::Change => "change",
            EntryKind::Decision => "decision",
            EntryKind::Completion => "completion",
            EntryKind::Alarm => "alarm",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EntryKind {
    type Err = EntryError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "change" => Ok(EntryKind::Change),
            "decision" => Ok(EntryKind::Decision),
            "completion" => Ok(EntryKind::Completion),
            "alarm" => Ok(EntryKind::Alarm),
            _ => Err(EntryError::Kind),
        }
    }
}

/// A record ready to be committed to, or one whose body was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    kind: EntryKind,
    id: Box<str>,
    at_ms: i64,
    content: Content,
}

/// What is left of the record.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The whole record.
    Kept {
        /// 16 random bytes, secret as long as the body is.
        salt: [u8; SALT_BYTES],
        /// Canonical JSON (RFC 8785).
        body: Box<str>,
    },
    /// The body and its salt are gone; the digest keeps the commitment computable.
    Erased {
        /// `SHA-256(salt || body)`.
        digest: [u8; HASH_BYTES],
    },
}

/// Shows no body: a record may hold personal data, and debug output ends in logs.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Kept { body, .. } => write!(f, "Kept({} bytes)", body.len()),
            Content::Erased { digest } => write!(f, "Erased({})", hex::encode(digest)),
        }
    }
}

impl Entry {
    /// Makes an entry from a value, writing it as canonical JSON.
    ///
    /// # Errors
    /// A header out of bounds, a value that JSON cannot hold, or a body over its limits.
    pub fn new(
        kind: EntryKind,
        id: &str,
        at_ms: i64,
        body: &impl Serialize,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self, EntryError> {
        let body = serde_json_canonicalizer::to_string(body).map_err(EntryError::NotJson)?;
        Self::from_canonical(kind, id, at_ms, body, salt)
    }

    /// Takes a body that is already canonical JSON: stored rows, or bytes made by [`canonical`]. The tree takes the
    /// bytes as they are; a body that is not canonical will be named by the verifier.
    ///
    /// # Errors
    /// A header out of bounds, or a body over its limits.
    pub fn from_canonical(
        kind: EntryKind,
        id: &str,
        at_ms: i64,
        body: impl Into<Box<str>>,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self, EntryError> {
        let body = body.into();
        if body.len() > RECORD_BYTES_MAX {
            return Err(EntryError::BodyTooLong { bytes: body.len() });
        }
        if !body.starts_with('{') {
            return Err(EntryError::BodyNotObject);
        }
        check_depth(&body)?;
        Self::with_content(kind, id, at_ms, Content::Kept { salt, body })
    }

    /// An entry whose body was erased earlier.
    ///
    /// # Errors
    /// A header out of bounds.
    pub fn erased(
        kind: EntryKind,
        id: &str,
        at_ms: i64,
        digest: [u8; HASH_BYTES],
    ) -> Result<Self, EntryError> {
        Self::with_content(kind, id, at_ms, Content::Erased { digest })
    }

    fn with_content(kind: EntryKind, id: &str, at_ms: i64, content: Content) -> Result<Self, EntryError> {
        check_id(id)?;
        if !(-AT_MS_MAX..=AT_MS_MAX).contains(&at_ms) {
            return Err(EntryError::Time { at_ms });
        }
        Ok(Self { kind, id: id.into(), at_ms, content })
    }

    /// Which journal it comes from.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The id of the record, unique in the ledger.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was recorded: milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// The record, or what is left of it.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The canonical JSON of the record, unless it was erased.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match &self.content {
            Content::Kept { body, .. } => Some(body),
            Content::Erased { .. } => None,
        }
    }

    /// `SHA-256(salt || body)`: what a store must keep when it erases salt and body.
    #[must_use]
    pub fn digest(&self) -> [u8; HASH_BYTES] {
        match &self.content {
            Content::Kept { salt, body } => {
                Sha256::new().chain_update(salt).chain_update(body.as_bytes()).finalize().into()
            }
            Content::Erased { digest } => *digest,
        }
    }

    /// The same entry without salt and body. Its commitment stays the same.
    #[must_use]
    pub fn erase(self) -> Self {
        let digest = self.digest();
        Self { content: Content::Erased { digest }, ..self }
    }

    /// The bytes that stand for this entry in the tree.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let digest = hex::encode(self.digest());
        // Canonical by hand: keys in order, and an id needs no escape (`check_id`).
        let header = format!(
            r#"{{"at_ms":{},"digest":"{digest}","id":"{}","kind":"{}"}}"#,
            self.at_ms, self.id, self.kind
        );
        Commitment::from_bytes(Sha256::digest(header).into())
    }
}

/// Writes a value as canonical JSON (RFC 8785), the only form of a body.
///
/// # Errors
/// A value that JSON cannot hold, such as a map with keys that are no strings.
pub fn canonical(value: &impl Serialize) -> Result<String, EntryError> {
    serde_json_canonicalizer::to_string(value).map_err(EntryError::NotJson)
}

/// Why a record cannot become an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The kind is none of the four words.
    #[error("unknown kind of record; use change, decision, completion or alarm")]
    Kind,
    /// The id is empty, too long, or has a character that is not allowed.
    #[error("the record id must be 1 to {ID_BYTES_MAX} visible ASCII characters without quote and backslash")]
    Id,
    /// The time cannot be written exactly in canonical JSON.
    #[error("the time {at_ms} ms is out of range; it must be within {AT_MS_MAX} ms of 1970-01-01")]
    Time {
        /// The refused time.
        at_ms: i64,
    },
    /// The body is longer than [`RECORD_BYTES_MAX`].
    #[error("the record has {bytes} bytes, more than the limit of {RECORD_BYTES_MAX} (record_bytes_max)")]
    BodyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The body is a bare value.
    #[error("the record is not a JSON object; wrap the value in one")]
    BodyNotObject,
    /// The body is nested deeper than [`RECORD_DEPTH_MAX`].
    #[error("the record is nested deeper than {RECORD_DEPTH_MAX} (record_depth_max); flatten it")]
    BodyTooDeep,
    /// The value has no JSON form.
    #[error("the record cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
}

fn check_id(id: &str) -> Result<(), EntryError> {
    let good = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(good) {
        return Err(EntryError::Id);
    }
    Ok(())
}

/// Counts open brackets outside strings, so that no reader of the record has to recurse deeper than the limit.
fn check_depth(body: &str) -> Result<(), EntryError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > RECORD_DEPTH_MAX {
            return Err(EntryError::BodyTooDeep);
        }
    }
    Ok(())
}
