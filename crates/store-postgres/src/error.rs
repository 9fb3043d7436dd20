//! What PostgreSQL says, in the words of the store.

use provost_store::StoreError;
use tokio_postgres::{
    Error,
    error::{Severity, SqlState},
};

/// Turns an error of PostgreSQL into the store's, naming what was being done.
pub(crate) fn failed(doing: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => StoreError::DiskFull,
        _ => backend(doing, error),
    }
}

/// Turns an error of a `COMMIT`. An answer of the server is a plain no; without one, nobody knows.
pub(crate) fn commit_failed(error: Error) -> StoreError {
    if is_answer(&error) { failed("commit")(error) } else { StoreError::Uncertain }
}

/// Whether the server itself says that a statement failed. A server that is stopping ends its sessions with a fatal
/// error, which may stand in the place of the answer to a `COMMIT` that was made.
pub(crate) fn is_answer(error: &Error) -> bool {
    error.as_db_error().is_some_and(|answer| {
        !matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic) | None)
    })
}

/// An error of something beside the protocol.
pub(crate) fn backend(
    doing: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Backend { backend: "PostgreSQL", doing, source: source.into() }
}

/// A stored value that is not what the schema promises.
pub(crate) fn corrupt(what: &str, why: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), why: why.into() }
}

/// A count or position as PostgreSQL keeps it. Beyond 2^63 nothing is ever counted.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or position back from PostgreSQL; the schema lets none be negative.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A bound on rows, as PostgreSQL takes it.
pub(crate) fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

/// Sixteen stored bytes.
pub(crate) fn sixteen(bytes: &[u8], what: &str) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_other_length| corrupt(what, "an id or salt has not sixteen bytes"))
}
