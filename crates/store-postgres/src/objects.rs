//! The rows of the organisation, now and at earlier positions. Their bodies are in the records of their changes.

use crate::{
    connection::{Connections, Transaction},
    error::{corrupt, failed, signed, unsigned},
};
use futures::TryStreamExt as _;
use provost_domain::{Kind, Object, ObjectKey, Pool, Seq};
use provost_store::{StoreError, driver::after};
use tokio_postgres::types::ToSql;

/// Hands over every live row, in the order in which rows may refer to earlier ones.
pub(crate) async fn load(
    connections: &Connections,
    row: &mut (dyn FnMut(Object) + Send),
) -> Result<Seq, StoreError> {
    let mut client = connections.get().await?;
    let snapshot = Transaction::snapshot(&mut client).await?;
    let mut pool = Pool::default();
    let share = &mut |mut object| {
        pool.share(&mut object);
        row(object);
    };
    for kind in Kind::ALL {
        read(&snapshot, LIVE, &[&kind.as_str()], share).await?;
    }
    let head = snapshot.one("read the head", "SELECT seq FROM head", &[]).await?;
    Ok(Seq(unsigned(head.try_get(0).map_err(failed("read the head"))?)))
}

/// These rows as they stood.
pub(crate) async fn load_at(
    connections: &Connections,
    seq: Seq,
    keys: &[ObjectKey],
) -> Result<Vec<Object>, StoreError> {
    let mut client = connections.get().await?;
    let snapshot = Transaction::snapshot(&mut client).await?;
    let kinds: Vec<&str> = keys.iter().map(|key| key.kind.as_str()).collect();
    let names: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
    let mut objects = Vec::with_capacity(keys.len());
    read(&snapshot, AT, &[&kinds, &names, &signed(seq.0)], &mut |object| objects.push(object)).await?;
    Ok(objects)
}

/// What every decision may read, as it stood.
pub(crate) async fn load_shared_at(connections: &Connections, seq: Seq) -> Result<Vec<Object>, StoreError> {
    let mut client = connections.get().await?;
    let snapshot = Transaction::snapshot(&mut client).await?;
    let mut objects = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_shared()) {
        read(&snapshot, ALL_AT, &[&kind.as_str(), &signed(seq.0)], &mut |object| objects.push(object))
            .await?;
    }
    Ok(objects)
}

/// The version of a row; 0 when there is none.
pub(crate) async fn version(connections: &Connections, key: &ObjectKey) -> Result<u64, StoreError> {
    let doing = "read a version";
    let found = connections.query_opt(doing, VERSION, &[&key.kind.as_str(), &key.key]).await?;
    found.map_or(Ok(0), |row| row.try_get(0).map(unsigned).map_err(failed(doing)))
}

async fn read(
    snapshot: &Transaction<'_>,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
    each: &mut (dyn FnMut(Object) + Send),
) -> Result<(), StoreError> {
    let doing = "load rows";
    let rows = snapshot.stream(doing, sql, params).await?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(failed(doing))? {
        let kind: &str = row.try_get(0).map_err(failed(doing))?;
        let kind =
            Kind::from_word(kind).ok_or_else(|| corrupt("object", format!("`{kind}` is not a kind")))?;
        after(kind, row.try_get(1).map_err(failed(doing))?)?.into_iter().for_each(&mut *each);
    }
    Ok(())
}

const LIVE: &str = "SELECT object.kind, journal.record
FROM object JOIN journal ON journal.row = object.row
WHERE object.kind = $1 AND object.state = 'live'
ORDER BY object.row";

const AT: &str = "SELECT asked.kind, journal.record
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (kind, key, place)
CROSS JOIN LATERAL (
    SELECT row FROM change
    WHERE change.kind = asked.kind AND change.key = asked.key AND change.seq <= $3
    ORDER BY version DESC
    LIMIT 1
) AS change
JOIN journal ON journal.row = change.row
ORDER BY asked.place";

const ALL_AT: &str = "SELECT object.kind, journal.record
FROM object
CROSS JOIN LATERAL (
    SELECT row FROM change
    WHERE change.kind = object.kind AND change.key = object.key AND change.seq <= $2
    ORDER BY version DESC
    LIMIT 1
) AS change
JOIN journal ON journal.row = change.row
WHERE object.kind = $1
ORDER BY object.key";

const VERSION: &str = "SELECT version
FROM object
WHERE kind = $1 AND key = $2 AND state <> 'removed'";
