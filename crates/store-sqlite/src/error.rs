//! What SQLite says, in the words of the store.

use provost_store::StoreError;
use rusqlite::{Error, ErrorCode};

/// Turns an error of SQLite into the store's, naming what was being done.
pub(crate) fn failed(doing: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { what: "database file".to_owned(), why: error.to_string() }
        }
        _ => backend(doing, error),
    }
}

/// An error of something beside SQLite: the file system, a thread.
pub(crate) fn backend(
    doing: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Backend { backend: "SQLite", doing, source: source.into() }
}

/// A stored value that is not what the schema promises.
pub(crate) fn corrupt(what: &str, why: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), why: why.into() }
}

/// A count or position as SQLite keeps it. Beyond 2^63 nothing is ever counted.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or position back from SQLite; the schema lets none be negative.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A bound on rows, as SQLite takes it.
pub(crate) fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}
