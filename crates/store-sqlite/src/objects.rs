//! The rows of the organisation, now and at earlier positions. Their bodies are in the records of their changes.

use crate::{
    change,
    error::{failed, signed, unsigned},
};
use provost_domain::{Kind, Object, ObjectKey, Pool, Seq};
use provost_store::{
    StoreError,
    driver::{Standing, after},
};
use rusqlite::{Connection, OptionalExtension as _, Params};
use tokio::sync::mpsc;

/// Sends every live row, in portions, in the order in which rows may refer to earlier ones.
pub(crate) fn load(db: &Connection, portions: &mpsc::Sender<Vec<Object>>) -> Result<Seq, StoreError> {
    // When nobody listens any more, the load was given up, and the answer goes nowhere.
    let send = |portion| portions.blocking_send(portion).map_err(|_given_up| StoreError::Closed);
    // Shared out on the thread that reads: what one thread frees of another's, most allocators are slow to take back.
    let (mut portion, mut pool) = (Vec::with_capacity(PORTION_ROWS), Pool::default());
    for kind in Kind::ALL {
        read(db, kind, LIVE, [kind.as_str()], |mut object| {
            pool.share(&mut object);
            portion.push(object);
            if portion.len() < PORTION_ROWS {
                return Ok(());
            }
            send(std::mem::replace(&mut portion, Vec::with_capacity(PORTION_ROWS)))
        })?;
    }
    send(portion)?;
    let seq = change::head(db)?;
    // The pages of so many rows, read once, would stay with the connection.
    db.execute_batch("PRAGMA shrink_memory").map_err(failed("load rows"))?;
    Ok(seq)
}

/// These rows as they stood.
pub(crate) fn load_at(db: &Connection, seq: Seq, keys: &[ObjectKey]) -> Result<Vec<Object>, StoreError> {
    let mut objects = Vec::with_capacity(keys.len());
    for key in keys {
        let asked = (key.kind.as_str(), &key.key, signed(seq.0));
        read(db, key.kind, AT, asked, |object| {
            objects.push(object);
            Ok(())
        })?;
    }
    Ok(objects)
}

/// What every decision may read, as it stood.
pub(crate) fn load_shared_at(db: &Connection, seq: Seq) -> Result<Vec<Object>, StoreError> {
    let mut objects = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_shared()) {
        read(db, kind, ALL_AT, (kind.as_str(), signed(seq.0)), |object| {
            objects.push(object);
            Ok(())
        })?;
    }
    Ok(objects)
}

/// The version of a row; 0 when there is none.
pub(crate) fn version(db: &Connection, key: &ObjectKey) -> Result<u64, StoreError> {
    Ok(standing(db, key)?.filter(|standing| !standing.removed).map_or(0, |standing| standing.version))
}

/// Where a row stands, gone or not.
pub(crate) fn standing(db: &Connection, key: &ObjectKey) -> Result<Option<Standing>, StoreError> {
    db.prepare_cached(STANDING)
        .and_then(|mut read| {
            read.query_row((key.kind.as_str(), &key.key), |row| {
                Ok(Standing { version: unsigned(row.get(0)?), removed: row.get(1)? })
            })
            .optional()
        })
        .map_err(failed("read a version"))
}

fn read(
    db: &Connection,
    kind: Kind,
    sql: &str,
    params: impl Params,
    mut each: impl FnMut(Object) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = || failed("load rows");
    let mut statement = db.prepare_cached(sql).map_err(failed())?;
    let mut rows = statement.query(params).map_err(failed())?;
    while let Some(row) = rows.next().map_err(failed())? {
        let record = row.get_ref(0).and_then(|text| Ok(text.as_str()?)).map_err(failed())?;
        after(kind, record)?.map_or(Ok(()), &mut each)?;
    }
    Ok(())
}

const LIVE: &str = "SELECT journal.record
FROM object JOIN journal ON journal.row = object.row
WHERE object.kind = ?1 AND object.state = 'live'
ORDER BY object.row";

const AT: &str = "SELECT journal.record
FROM change JOIN journal ON journal.row = change.row
WHERE change.kind = ?1 AND change.key = ?2 AND change.seq <= ?3
ORDER BY change.version DESC
LIMIT 1";

const ALL_AT: &str = "SELECT journal.record
FROM object
JOIN change ON change.kind = object.kind AND change.key = object.key AND change.version = (
    SELECT max(version) FROM change AS earlier
    WHERE earlier.kind = object.kind AND earlier.key = object.key AND earlier.seq <= ?2
)
JOIN journal ON journal.row = change.row
WHERE object.kind = ?1
ORDER BY object.key";

const STANDING: &str = "SELECT version, state = 'removed'
FROM object
WHERE kind = ?1 AND key = ?2";

/// Rows that are handed over together.
const PORTION_ROWS: usize = 256;
