//! The journal and the tree over it. Row `n` of the journal is leaf `n - 1`: the one writer numbers rows without gaps,
//! so the order of the tree needs no table of its own.

use crate::{
    error::{corrupt, failed, limit, signed, unsigned},
    writer::Tx,
};
use provost_domain::Timestamp;
use provost_store::{
    JournalKind, JournalRow, LedgerHead, Sequenced, StoreError, StoredLeaf, TileKey,
    driver::{Draft, serials_to_forget, thinned},
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

/// Writes a record that must be new; says its row.
pub(crate) fn journal(tx: &mut Tx<'_>, draft: &Draft) -> Result<i64, StoreError> {
    journal_once(tx, draft)?
        .ok_or_else(|| corrupt("journal", format!("a {} {} is there already", draft.kind.as_str(), draft.id)))
}

/// Writes a record, unless there is one of its kind and id; says its row.
pub(crate) fn journal_once(tx: &mut Tx<'_>, draft: &Draft) -> Result<Option<i64>, StoreError> {
    let written = tx
        .db
        .prepare_cached(INSERT)
        .and_then(|mut insert| {
            insert.execute((draft.kind.as_str(), &draft.id, draft.at.as_millis(), draft.salt, &draft.record))
        })
        .map_err(failed("write a record"))?;
    Ok((written == 1).then(|| tx.db.last_insert_rowid()))
}

/// The text of a record.
pub(crate) fn stored_record(
    db: &Connection,
    kind: JournalKind,
    id: &str,
) -> Result<Option<String>, StoreError> {
    db.prepare_cached("SELECT record FROM journal WHERE kind = ?1 AND id = ?2")
        .and_then(|mut read| read.query_row((kind.as_str(), id), |row| row.get(0)).optional())
        .map_err(failed("read a record"))
}

/// Leaves in the tree.
pub(crate) fn size(db: &Connection) -> Result<u64, StoreError> {
    Ok(newest(db)?.map_or(0, |newest| newest.size))
}

/// The tree as it stands.
pub(crate) fn head(db: &Connection) -> Result<LedgerHead, StoreError> {
    let rows: i64 = db
        .prepare_cached("SELECT coalesce(max(row), 0) FROM journal")
        .and_then(|mut read| read.query_row([], |row| row.get(0)))
        .map_err(failed("read the ledger's head"))?;
    let Newest { size, note, .. } = newest(db)?.unwrap_or_default();
    Ok(LedgerHead { size, checkpoint: note, waiting: unsigned(rows).saturating_sub(size) })
}

/// Rows without a leaf, in their order for ever: later rows have later numbers.
pub(crate) fn unsequenced(db: &Connection, max: usize) -> Result<Vec<JournalRow>, StoreError> {
    rows(db, FROM, (signed(size(db)?), limit(max)))
}

/// Appends to the tree, if it still has the size that was expected.
pub(crate) fn sequence(tx: &mut Tx<'_>, step: &Sequenced) -> Result<Result<bool, StoreError>, StoreError> {
    let newest = newest(tx.db)?.unwrap_or_default();
    if newest.size != step.expected_size || step.rows.is_empty() {
        return Ok(Ok(false));
    }
    let new_size = step.expected_size.saturating_add(step.rows.len() as u64);
    let in_order = step.rows.iter().zip(step.expected_size..).all(|(row, leaf)| unsigned(*row) == leaf + 1);
    let last: i64 = tx
        .db
        .prepare_cached("SELECT coalesce(max(row), 0) FROM journal")
        .and_then(|mut read| read.query_row([], |row| row.get(0)))
        .map_err(failed("append to the ledger"))?;
    if !in_order || unsigned(last) < new_size {
        return Ok(Err(StoreError::Unsupported(
            "rows become leaves in the order in which they were returned, and none is left out",
        )));
    }
    for (key, bytes) in &step.tiles {
        tx.db
            .prepare_cached(TILE)
            .and_then(|mut put| put.execute((key.level, signed(key.index), bytes)))
            .map_err(failed("write a tile"))?;
    }
    let serial = newest.serial.saturating_add(1);
    tx.db
        .prepare_cached("INSERT INTO checkpoint (serial, size, at, note) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut put| {
            put.execute((signed(serial), signed(new_size), step.at.as_millis(), &step.checkpoint))
        })
        .map_err(failed("write a checkpoint"))?;
    for old in serials_to_forget(serial) {
        tx.db
            .prepare_cached("DELETE FROM checkpoint WHERE serial = ?1")
            .and_then(|mut delete| delete.execute([signed(old)]))
            .map_err(failed("thin out checkpoints"))?;
    }
    Ok(Ok(true))
}

/// The bytes of a tile.
pub(crate) fn tile(db: &Connection, key: TileKey) -> Result<Option<Vec<u8>>, StoreError> {
    db.prepare_cached("SELECT bytes FROM tile WHERE level = ?1 AND place = ?2")
        .and_then(|mut read| read.query_row((key.level, signed(key.index)), |row| row.get(0)).optional())
        .map_err(failed("read a tile"))
}

/// Leaves from an index on.
pub(crate) fn leaves(db: &Connection, from: u64, max: usize) -> Result<Vec<StoredLeaf>, StoreError> {
    let left = size(db)?.saturating_sub(from);
    let max = usize::try_from(left).unwrap_or(usize::MAX).min(max);
    let rows = rows(db, FROM, (signed(from), limit(max)))?;
    Ok(rows.into_iter().zip(from..).map(|(row, index)| StoredLeaf { index, row }).collect())
}

/// The leaf of one record.
pub(crate) fn leaf_of(
    db: &Connection,
    kind: JournalKind,
    id: &str,
) -> Result<Option<StoredLeaf>, StoreError> {
    let size = size(db)?;
    let found = rows(db, BY_ID, (kind.as_str(), id))?.pop();
    Ok(found
        .map(|row| StoredLeaf { index: unsigned(row.row.saturating_sub(1)), row })
        .filter(|leaf| leaf.index < size))
}

/// Earlier checkpoints.
pub(crate) fn checkpoints(db: &Connection, max: usize) -> Result<Vec<String>, StoreError> {
    let all = db
        .prepare_cached("SELECT note FROM checkpoint ORDER BY serial DESC")
        .and_then(|mut read| read.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>())
        .map_err(failed("read checkpoints"))?;
    Ok(thinned(all, max))
}

#[derive(Default)]
struct Newest {
    serial: u64,
    size: u64,
    note: String,
}

fn newest(db: &Connection) -> Result<Option<Newest>, StoreError> {
    db.prepare_cached("SELECT serial, size, note FROM checkpoint ORDER BY serial DESC LIMIT 1")
        .and_then(|mut read| {
            read.query_row([], |row| {
                Ok(Newest { serial: unsigned(row.get(0)?), size: unsigned(row.get(1)?), note: row.get(2)? })
            })
            .optional()
        })
        .map_err(failed("read the ledger's head"))
}

fn rows(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<JournalRow>, StoreError> {
    let failed = || failed("read the journal");
    let mut statement = db.prepare_cached(sql).map_err(failed())?;
    let mut rows = statement.query(params).map_err(failed())?;
    let mut read = Vec::new();
    while let Some(row) = rows.next().map_err(failed())? {
        let (kind, journal_row) = from_row(row).map_err(failed())?;
        let kind = JournalKind::from_word(&kind)
            .ok_or_else(|| corrupt("journal row", format!("`{kind}` is not a kind of record")))?;
        read.push(JournalRow { kind, ..journal_row });
    }
    Ok(read)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(String, JournalRow)> {
    let read = JournalRow {
        row: row.get(0)?,
        kind: JournalKind::Refused,
        id: row.get(2)?,
        at: Timestamp::from_millis(row.get(3)?),
        salt: row.get(4)?,
        record: row.get(5)?,
    };
    Ok((row.get(1)?, read))
}

const INSERT: &str = "INSERT INTO journal (kind, id, at, salt, record)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id, kind) DO NOTHING";

const FROM: &str = "SELECT row, kind, id, at, salt, record
FROM journal
WHERE row > ?1
ORDER BY row
LIMIT ?2";

const BY_ID: &str = "SELECT row, kind, id, at, salt, record
FROM journal
WHERE kind = ?1 AND id = ?2";

const TILE: &str = "INSERT INTO tile (level, place, bytes)
VALUES (?1, ?2, ?3)
ON CONFLICT (level, place) DO UPDATE SET bytes = excluded.bytes";
