//! Sealed credentials and small named values: kept as given, never looked into; and words that count once.

use crate::{connection::Connections, error::failed};
use provost_domain::{Digest, Name, Timestamp};
use provost_store::StoreError;

pub(crate) async fn put_sealed(
    connections: &Connections,
    name: &Name,
    sealed: &[u8],
) -> Result<(), StoreError> {
    connections.execute(PUT, PUT_SEALED, &[&name.as_str(), &sealed]).await.map(drop)
}

pub(crate) async fn sealed(connections: &Connections, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
    read(connections, "SELECT value FROM sealed WHERE name = $1", name.as_str()).await
}

pub(crate) async fn put_meta(connections: &Connections, key: &str, value: &[u8]) -> Result<(), StoreError> {
    connections.execute(PUT, PUT_META, &[&key, &value]).await.map(drop)
}

pub(crate) async fn put_meta_if_absent(
    connections: &Connections,
    key: &str,
    value: &[u8],
) -> Result<Vec<u8>, StoreError> {
    connections.execute(PUT, PUT_META_IF_ABSENT, &[&key, &value]).await?;
    Ok(meta(connections, key).await?.unwrap_or_default())
}

pub(crate) async fn meta(connections: &Connections, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    read(connections, "SELECT value FROM meta WHERE key = $1", key).await
}

/// Remembers a word, unless it is remembered; forgets a few whose time has passed.
pub(crate) async fn remember(
    connections: &Connections,
    word: Digest,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    connections.execute("forget words", FORGET, &[&now.as_millis()]).await?;
    let word = word.as_bytes().as_slice();
    Ok(connections.execute("remember a word", REMEMBER, &[&word, &until.as_millis()]).await? == 1)
}

/// Keeps a value under a word, unless one stands there; forgets a few whose time has passed. Gives what stands.
pub(crate) async fn keep(
    connections: &Connections,
    word: Digest,
    value: &[u8],
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<u8>, StoreError> {
    connections.execute("forget kept values", DROP_KEPT, &[&now.as_millis()]).await?;
    let bytes = word.as_bytes().as_slice();
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&bytes, &value, &until.as_millis(), &now.as_millis()];
    connections.execute("keep a value for a while", KEEP, &params).await?;
    Ok(kept(connections, word, now).await?.unwrap_or_default())
}

pub(crate) async fn kept(
    connections: &Connections,
    word: Digest,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, StoreError> {
    let doing = "read a kept value";
    let row = connections.query_opt(doing, KEPT, &[&word.as_bytes().as_slice(), &now.as_millis()]).await?;
    row.map(|row| row.try_get(0).map_err(failed(doing))).transpose()
}

async fn read(connections: &Connections, sql: &str, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let doing = "read a named value";
    let row = connections.query_opt(doing, sql, &[&name]).await?;
    row.map(|row| row.try_get(0).map_err(failed(doing))).transpose()
}

const PUT: &str = "keep a named value";

const KEEP: &str = "INSERT INTO kept (word, value, upto)
VALUES ($1, $2, $3)
ON CONFLICT (word) DO UPDATE SET value = excluded.value, upto = excluded.upto
WHERE kept.upto <= $4";

const KEPT: &str = "SELECT value FROM kept WHERE word = $1 AND upto > $2";

const DROP_KEPT: &str = "DELETE FROM kept
WHERE word IN (SELECT word FROM kept WHERE upto <= $1 LIMIT 8 FOR UPDATE SKIP LOCKED)";

const REMEMBER: &str = "INSERT INTO remembered (word, upto)
VALUES ($1, $2)
ON CONFLICT (word) DO NOTHING";

const FORGET: &str = "DELETE FROM remembered
WHERE word IN (SELECT word FROM remembered WHERE upto <= $1 LIMIT 8 FOR UPDATE SKIP LOCKED)";

const PUT_SEALED: &str = "INSERT INTO sealed (name, value)
VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const PUT_META: &str = "INSERT INTO meta (key, value)
VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const PUT_META_IF_ABSENT: &str = "INSERT INTO meta (key, value)
VALUES ($1, $2)
ON CONFLICT (key) DO NOTHING";
