//! One line of `records/*.jsonl`: an entry and its place in the tree, in canonical JSON.
//!
//! ```text
//! {"at_ms":1,"id":"dec_1","index":0,"kind":"decision","record":{..},"salt":"<32 hex digits>"}
//! {"at_ms":1,"digest":"<64 hex digits>","erased":true,"id":"dec_1","index":0,"kind":"decision"}
//! ```

use std::str::FromStr as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::entry::{Content, Entry, EntryError, EntryKind};
use crate::limits::{LINE_BYTES_MAX, TREE_SIZE_MAX};

/// Writes the line of `entry` at leaf `index`, without the line feed.
#[must_use]
pub fn write_line(index: u64, entry: &Entry) -> String {
    let (at_ms, id, kind) = (entry.at_ms(), entry.id(), entry.kind());
    match entry.content() {
        Content::Kept { salt, body } => {
            let salt = hex::encode(salt);
            format!(
                r#"{{"at_ms":{at_ms},"id":"{id}","index":{index},"kind":"{kind}","record":{body},"salt":"{salt}"}}"#
            )
        }
        Content::Erased { digest } => {
            let digest = hex::encode(digest);
            format!(
                r#"{{"at_ms":{at_ms},"digest":"{digest}","erased":true,"id":"{id}","index":{index},"kind":"{kind}"}}"#
            )
        }
    }
}

/// Reads a line: the leaf index and the entry. The members may be in any order; the body is kept byte for byte.
///
/// # Errors
/// A line over its limit, not JSON, with a member too many or missing, or with a value out of bounds.
pub fn parse_line(line: &str) -> Result<(u64, Entry), LineError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(LineError::TooLong { bytes: line.len() });
    }
    let wire: Wire<'_> = serde_json::from_str(line).map_err(LineError::Json)?;
    if wire.index >= TREE_SIZE_MAX {
        return Err(LineError::Index { index: wire.index });
    }
    let kind = EntryKind::from_str(wire.kind)?;
    let entry = match (wire.erased, wire.record, wire.salt, wire.digest) {
        (None, Some(body), Some(salt), None) => {
            Entry::from_canonical(kind, wire.id, wire.at_ms, body.get(), hex_bytes("salt", salt)?)?
        }
        (Some(true), None, None, Some(digest)) => {
            Entry::erased(kind, wire.id, wire.at_ms, hex_bytes("digest", digest)?)?
        }
        _ => return Err(LineError::Shape),
    };
    Ok((wire.index, entry))
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Longer than [`LINE_BYTES_MAX`].
    #[error("the line has {bytes} bytes, more than the limit of {LINE_BYTES_MAX} (line_bytes_max)")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not the JSON object that is expected.
    #[error("not a record line: {0}")]
    Json(serde_json::Error),
    /// Neither record and salt, nor erased and digest.
    #[error("a line has either `record` and `salt`, or `erased: true` and `digest`")]
    Shape,
    /// No lower-case hexadecimal of the right length.
    #[error("`{member}` must be {digits} lower-case hexadecimal digits")]
    Hex {
        /// The name of the member.
        member: &'static str,
        /// How many digits it must have.
        digits: usize,
    },
    /// No tree is that large.
    #[error("the index {index} is over the limit of {TREE_SIZE_MAX} (tree_size_max)")]
    Index {
        /// The refused index.
        index: u64,
    },
    /// The header or the body is out of bounds.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    at_ms: i64,
    id: &'a str,
    index: u64,
    kind: &'a str,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
    salt: Option<&'a str>,
    digest: Option<&'a str>,
    erased: Option<bool>,
}

fn hex_bytes<const N: usize>(member: &'static str, text: &str) -> Result<[u8; N], LineError> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) if lower => Ok(bytes),
        _ => Err(LineError::Hex { member, digits: 2 * N }),
    }
}
