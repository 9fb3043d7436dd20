//! Stored text back into values.

use crate::StoreError;
use provost_domain::{Kind, Label, Object, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Reads a stored record.
///
/// # Errors
/// [`StoreError::Corrupt`] with what it should have been.
pub fn decode<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| corrupt(what, &source))
}

/// The row after a change, from the record of a change of this kind of row. Reads the body straight into its type: the
/// general way holds every member in memory first, which a million agents would feel.
///
/// # Errors
/// [`StoreError::Corrupt`] when the record is not of such a change.
pub fn after(kind: Kind, record: &str) -> Result<Option<Object>, StoreError> {
    Ok(match kind {
        Kind::Organisation => body(kind, record)?.map(Object::Organisation),
        Kind::Person => body(kind, record)?.map(Object::Person),
        Kind::Workload => body(kind, record)?.map(Object::Workload),
        Kind::System => body(kind, record)?.map(Object::System),
        Kind::Tool => body(kind, record)?.map(Object::Tool),
        Kind::Policy => body(kind, record)?.map(Object::Policy),
        Kind::Application => body(kind, record)?.map(Object::Application),
        Kind::Agent => body(kind, record)?.map(Object::Agent),
        Kind::Task => body(kind, record)?.map(Object::Task),
        Kind::Issuer => body(kind, record)?.map(Object::Issuer),
        Kind::Session => body(kind, record)?.map(Object::Session),
        Kind::Account => body(kind, record)?.map(Object::Account),
        Kind::Minted => body(kind, record)?.map(Object::Minted),
        Kind::Proposal => body(kind, record)?.map(|row| Object::Proposal(Box::new(row))),
        Kind::Approval => body(kind, record)?.map(|row| Object::Approval(Box::new(row))),
        Kind::Envelope => body(kind, record)?.map(|row| Object::Envelope(Box::new(row))),
        Kind::Passkey => body(kind, record)?.map(|row| Object::Passkey(Box::new(row))),
        Kind::Invite => body(kind, record)?.map(Object::Invite),
        Kind::Finding => body(kind, record)?.map(|row| Object::Finding(Box::new(row))),
        Kind::Channel => body(kind, record)?.map(Object::Channel),
        Kind::Delivery => body(kind, record)?.map(|row| Object::Delivery(Box::new(row))),
        Kind::Containment => body(kind, record)?.map(|row| Object::Containment(Box::new(row))),
        Kind::Drill => body(kind, record)?.map(|row| Object::Drill(Box::new(row))),
        Kind::Stream => body(kind, record)?.map(Object::Stream),
        Kind::Baseline => body(kind, record)?.map(|row| Object::Baseline(Box::new(row))),
        Kind::Review => body(kind, record)?.map(|row| Object::Review(Box::new(row))),
        Kind::Connector => body(kind, record)?.map(Object::Connector),
        Kind::Roster => body(kind, record)?.map(Object::Roster),
    })
}

fn body<T: DeserializeOwned>(wanted: Kind, record: &str) -> Result<Option<T>, StoreError> {
    #[derive(Deserialize)]
    struct After<T> {
        after: Option<Row<T>>,
    }
    #[derive(Deserialize)]
    struct Row<T> {
        kind: Kind,
        body: T,
    }
    let read: After<T> = decode(wanted.as_str(), record)?;
    match read.after {
        Some(Row { kind, .. }) if kind != wanted => Err(StoreError::Corrupt {
            what: wanted.as_str().to_owned(),
            why: format!("its record is of a row of kind {}", kind.as_str()),
        }),
        row => Ok(row.map(|row| row.body)),
    }
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
