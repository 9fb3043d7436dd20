//! How a connection is opened: the same for the writer and every reader, but for what each may do.

use crate::error::{backend, failed};
use provost_store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::{fs::File, path::Path, time::Duration};

/// The writer's connection. Makes the file, readable by its owner only, if there is none.
pub(crate) fn writer(path: &Path, synced: bool) -> Result<Connection, StoreError> {
    make_private(path).map_err(|error| backend("create its file", error))?;
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let apply = |sql: &str| db.execute_batch(sql).map_err(failed("prepare its file"));
    apply("PRAGMA journal_mode = WAL")?;
    apply(if synced { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = OFF" })?;
    // A checkpoint stops the writer, so it is done seldom; 16 MB of WAL are replayed in a blink.
    apply("PRAGMA wal_autocheckpoint = 4000")?;
    apply("PRAGMA journal_size_limit = 67108864")?;
    Ok(db)
}

/// A reader's connection.
pub(crate) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.execute_batch("PRAGMA query_only = ON").map_err(failed("prepare a reader"))?;
    Ok(db)
}

/// The lock that keeps a second plane out, held as long as the file lives.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = path.with_added_extension("lock");
    make_private(&beside).map_err(|error| backend("create its lock file", error))?;
    let file =
        File::options().write(true).open(&beside).map_err(|error| backend("open its lock file", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(backend(
            "open its file",
            format!("another plane has {} open: stop it first, or ask it instead", path.display()),
        )),
        Err(std::fs::TryLockError::Error(error)) => Err(backend("lock its file", error)),
    }
}

/// A new file for a copy, that must not be there yet.
pub(crate) fn fresh(path: &Path) -> Result<Connection, StoreError> {
    make_private(path).map_err(|error| backend("create a copy", error))?;
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed("create a copy"))
}

fn open(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed("open its file"))?;
    db.busy_timeout(BUSY).map_err(failed("open its file"))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384")
        .map_err(failed("open its file"))?;
    Ok(db)
}

fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// How long somebody else's lock is waited for before the store says so.
const BUSY: Duration = Duration::from_secs(2);
const STATEMENTS_MAX: usize = 128;
