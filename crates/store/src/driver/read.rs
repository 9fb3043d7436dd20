//! Stored text back into values.

use crate::StoreError;
use provost_domain::{Kind, Label, Object, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Reads a stored record.
///
/// # Errors
/// [`StoreError::Corrupt`] with what it should have been.
pub fn decode<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| corrupt(what, &source))
}

/// The row after a change, from the change's record. Reads the body straight into its type: the general way holds
/// every member in memory first, which a million agents would feel.
///
/// # Errors
/// [`StoreError::Corrupt`] when the record is not a change's.
pub fn after(record: &str) -> Result<Option<Object>, StoreError> {
    #[derive(Deserialize)]
    struct After<'a> {
        #[serde(borrow)]
        after: Option<Row<'a>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        kind: Kind,
        #[serde(borrow)]
        body: &'a RawValue,
    }
    let read: After<'_> = serde_json::from_str(record).map_err(|source| corrupt("change", &source))?;
    let Some(Row { kind, body }) = read.after else { return Ok(None) };
    let body = body.get();
    let object = match kind {
        Kind::Organisation => serde_json::from_str(body).map(Object::Organisation),
        Kind::Person => serde_json::from_str(body).map(Object::Person),
        Kind::Workload => serde_json::from_str(body).map(Object::Workload),
        Kind::System => serde_json::from_str(body).map(Object::System),
        Kind::Tool => serde_json::from_str(body).map(Object::Tool),
        Kind::Policy => serde_json::from_str(body).map(Object::Policy),
        Kind::Application => serde_json::from_str(body).map(Object::Application),
        Kind::Agent => serde_json::from_str(body).map(Object::Agent),
        Kind::Task => serde_json::from_str(body).map(Object::Task),
    };
    object.map(Some).map_err(|source| corrupt(kind.as_str(), &source))
}

/// A task's labels as stored: a JSON list, sorted.
#[must_use]
pub fn labels_text(labels: &BTreeSet<Label>) -> String {
    let quoted: Vec<String> = labels.iter().map(|label| format!("\"{label}\"")).collect();
    format!("[{}]", quoted.join(","))
}

/// A task's labels from their stored text.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not a list of labels.
pub fn labels(text: &str) -> Result<BTreeSet<Label>, StoreError> {
    decode("task state", text)
}

/// A text for a column that decisions are found by: PostgreSQL text holds no NUL, and an outside subject id may.
#[must_use]
pub fn hides_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Where a page of decisions starts: before this moment, and within it before this row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The moment of the last decision seen.
    pub at: Timestamp,
    /// Its row.
    pub row: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_millis(), self.row)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (at, row) = text.split_once('.').unwrap_or((text, ""));
        match (at.parse(), row.parse()) {
            (Ok(at), Ok(row)) => Ok(Self { at: Timestamp::from_millis(at), row }),
            _ => Err(StoreError::Unsupported("the cursor is not one that this plane gave out: start again")),
        }
    }
}

fn corrupt(what: &str, source: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), why: source.to_string() }
}
