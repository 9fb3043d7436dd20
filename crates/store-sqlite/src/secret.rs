//! Sealed credentials and small named values: kept as given, never looked into; and words that count once.

use crate::{error::failed, writer::Tx};
use provost_domain::{Digest, Name, Timestamp};
use provost_store::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

pub(crate) fn put_sealed(tx: &mut Tx<'_>, name: &Name, sealed: &[u8]) -> Result<(), StoreError> {
    write(tx, PUT_SEALED, name.as_str(), sealed)
}

pub(crate) fn sealed(db: &Connection, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
    read(db, "SELECT value FROM sealed WHERE name = ?1", name.as_str())
}

pub(crate) fn put_meta(tx: &mut Tx<'_>, key: &str, value: &[u8]) -> Result<(), StoreError> {
    write(tx, PUT_META, key, value)
}

pub(crate) fn put_meta_if_absent(tx: &mut Tx<'_>, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    write(tx, PUT_META_IF_ABSENT, key, value)?;
    Ok(meta(tx.db, key)?.unwrap_or_default())
}

pub(crate) fn meta(db: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    read(db, "SELECT value FROM meta WHERE key = ?1", key)
}

/// Remembers a word, unless it is remembered; forgets a few whose time has passed.
pub(crate) fn remember(
    tx: &mut Tx<'_>,
    word: Digest,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        tx.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(failed("remember a word"))
    };
    run(FORGET, &[&now.as_millis()])?;
    Ok(run(REMEMBER, &[word.as_bytes(), &until.as_millis()])? == 1)
}

/// Keeps a value under a word, unless one stands there; forgets a few whose time has passed. Gives what stands.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    word: Digest,
    value: &[u8],
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<u8>, StoreError> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        tx.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(failed("keep a value for a while"))
    };
    run(DROP_KEPT, &[&now.as_millis()])?;
    run(KEEP, &[word.as_bytes(), &value, &until.as_millis(), &now.as_millis()])?;
    Ok(kept(tx.db, word, now)?.unwrap_or_default())
}

pub(crate) fn kept(db: &Connection, word: Digest, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
    db.prepare_cached(KEPT)
        .and_then(|mut read| read.query_row((word.as_bytes(), now.as_millis()), |row| row.get(0)).optional())
        .map_err(failed("read a kept value"))
}

fn write(tx: &Tx<'_>, sql: &str, name: &str, value: &[u8]) -> Result<(), StoreError> {
    tx.db
        .prepare_cached(sql)
        .and_then(|mut put| put.execute((name, value)))
        .map(drop)
        .map_err(failed("keep a named value"))
}

fn read(db: &Connection, sql: &str, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut read| read.query_row([name], |row| row.get(0)).optional())
        .map_err(failed("read a named value"))
}

const REMEMBER: &str = "INSERT INTO remembered (word, upto)
VALUES (?1, ?2)
ON CONFLICT (word) DO NOTHING";

const FORGET: &str = "DELETE FROM remembered
WHERE word IN (SELECT word FROM remembered WHERE upto <= ?1 LIMIT 8)";

const KEEP: &str = "INSERT INTO kept (word, value, upto)
VALUES (?1, ?2, ?3)
ON CONFLICT (word) DO UPDATE SET value = excluded.value, upto = excluded.upto
WHERE kept.upto <= ?4";

const KEPT: &str = "SELECT value FROM kept WHERE word = ?1 AND upto > ?2";

const DROP_KEPT: &str = "DELETE FROM kept
WHERE word IN (SELECT word FROM kept WHERE upto <= ?1 LIMIT 8)";

const PUT_SEALED: &str = "INSERT INTO sealed (name, value)
VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const PUT_META: &str = "INSERT INTO meta (key, value)
VALUES (?1, ?2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const PUT_META_IF_ABSENT: &str = "INSERT INTO meta (key, value)
VALUES (?1, ?2)
ON CONFLICT (key) DO NOTHING";
