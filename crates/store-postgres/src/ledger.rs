//! The journal and the tree over it. Whoever gives places or appends locks the ledger's one row first.

use crate::{
    connection::{Connections, Transaction},
    error::{corrupt, failed, limit, signed, sixteen, unsigned},
};
use provost_domain::Timestamp;
use provost_store::{
    JournalKind, JournalRow, LedgerHead, Sequenced, StoreError, StoredLeaf, TileKey,
    driver::{serials_to_forget, thinned},
};
use tokio_postgres::Row;

/// The tree as it stands.
pub(crate) async fn head(connections: &Connections) -> Result<LedgerHead, StoreError> {
    let doing = "read the ledger's head";
    let row = connections.query_opt(doing, HEAD, &[]).await?;
    row.map_or_else(
        || Err(corrupt("ledger", "its one row is missing")),
        |row| {
            let read = || -> Result<_, tokio_postgres::Error> {
                let (size, waiting) = (unsigned(row.try_get(0)?), unsigned(row.try_get(1)?));
                Ok(LedgerHead { size, waiting, checkpoint: row.try_get(2)? })
            };
            read().map_err(failed(doing))
        },
    )
}

/// Rows without a leaf. Those seen for the first time get their places now, after all that have one: rows committed
/// later come later, whatever their numbers.
pub(crate) async fn unsequenced(
    connections: &Connections,
    max: usize,
) -> Result<Vec<JournalRow>, StoreError> {
    let doing = "give rows their places";
    let mut client = connections.get().await?;
    let tx = Transaction::begin(&mut client).await?;
    let (size, placed) = lock(&tx).await?;
    let short = limit(max).saturating_sub(placed.saturating_sub(size));
    if short > 0 {
        tx.execute(doing, PLACE, &[&short, &placed]).await?;
    }
    let rows = tx.query(doing, UNSEQUENCED, &[&size, &limit(max)]).await?;
    // Only a place that is committed is kept, so it is told after the commit.
    tx.commit().await?;
    rows.iter().map(|row| journal_row(row, 0)).collect()
}

/// Appends to the tree, if it still has the size that was expected.
pub(crate) async fn sequence(connections: &Connections, step: &Sequenced) -> Result<bool, StoreError> {
    let doing = "append to the ledger";
    let mut client = connections.get().await?;
    let tx = Transaction::begin(&mut client).await?;
    let (size, _placed) = lock(&tx).await?;
    if unsigned(size) != step.expected_size || step.rows.is_empty() {
        return Ok(false);
    }
    let rows = tx.query(doing, PLACED, &[&size, &limit(step.rows.len())]).await?;
    let placed: Vec<i64> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed(doing))?;
    if placed != step.rows {
        return Err(StoreError::Unsupported(
            "rows become leaves in the order in which they were returned, and none is left out",
        ));
    }
    let new_size = size.saturating_add(limit(step.rows.len()));
    let levels: Vec<i32> = step.tiles.iter().map(|(key, _)| i32::from(key.level)).collect();
    let places: Vec<i64> = step.tiles.iter().map(|(key, _)| signed(key.index)).collect();
    let bytes: Vec<&[u8]> = step.tiles.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    tx.execute(doing, TILES, &[&levels, &places, &bytes]).await?;
    let serial = tx.one(doing, "SELECT coalesce(max(serial), 0) + 1 FROM checkpoint", &[]).await?;
    let serial: i64 = serial.try_get(0).map_err(failed(doing))?;
    tx.execute(doing, CHECKPOINT, &[&serial, &new_size, &step.at.as_millis(), &step.checkpoint]).await?;
    let old: Vec<i64> = serials_to_forget(unsigned(serial)).map(signed).collect();
    tx.execute(doing, "DELETE FROM checkpoint WHERE serial = ANY($1)", &[&old]).await?;
    tx.execute(doing, "UPDATE ledger SET size = $1", &[&new_size]).await?;
    tx.commit().await?;
    Ok(true)
}

/// The bytes of a tile.
pub(crate) async fn tile(connections: &Connections, key: TileKey) -> Result<Option<Vec<u8>>, StoreError> {
    let doing = "read a tile";
    let sql = "SELECT bytes FROM tile WHERE level = $1 AND place = $2";
    let row = connections.query_opt(doing, sql, &[&i32::from(key.level), &signed(key.index)]).await?;
    row.map(|row| row.try_get(0).map_err(failed(doing))).transpose()
}

/// Leaves from an index on.
pub(crate) async fn leaves(
    connections: &Connections,
    from: u64,
    max: usize,
) -> Result<Vec<StoredLeaf>, StoreError> {
    let rows = connections.query("read leaves", LEAVES, &[&signed(from), &limit(max)]).await?;
    rows.iter().map(stored_leaf).collect()
}

/// The leaf of one record.
pub(crate) async fn leaf_of(
    connections: &Connections,
    kind: JournalKind,
    id: &str,
) -> Result<Option<StoredLeaf>, StoreError> {
    let row = connections.query_opt("read a leaf", LEAF_OF, &[&kind.as_str(), &id]).await?;
    row.as_ref().map(stored_leaf).transpose()
}

/// Earlier checkpoints.
pub(crate) async fn checkpoints(connections: &Connections, max: usize) -> Result<Vec<String>, StoreError> {
    let doing = "read checkpoints";
    let rows = connections.query(doing, "SELECT note FROM checkpoint ORDER BY serial DESC", &[]).await?;
    let all: Vec<String> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed(doing))?;
    Ok(thinned(all, max))
}

/// Size of the tree, and how many places are given, both still until this transaction ends.
async fn lock(tx: &Transaction<'_>) -> Result<(i64, i64), StoreError> {
    let doing = "lock the ledger";
    let row = tx.one(doing, "SELECT size, placed FROM ledger FOR UPDATE", &[]).await?;
    Ok((row.try_get(0).map_err(failed(doing))?, row.try_get(1).map_err(failed(doing))?))
}

fn stored_leaf(row: &Row) -> Result<StoredLeaf, StoreError> {
    let index = unsigned(row.try_get(0).map_err(failed("read a leaf"))?);
    Ok(StoredLeaf { index, row: journal_row(row, 1)? })
}

fn journal_row(row: &Row, from: usize) -> Result<JournalRow, StoreError> {
    let failed = failed("read the journal");
    let kind: &str = row.try_get(from + 1).map_err(&failed)?;
    Ok(JournalRow {
        row: row.try_get(from).map_err(&failed)?,
        kind: JournalKind::from_word(kind)
            .ok_or_else(|| corrupt("journal row", format!("`{kind}` is not a kind of record")))?,
        id: row.try_get(from + 2).map_err(&failed)?,
        at: Timestamp::from_millis(row.try_get(from + 3).map_err(&failed)?),
        salt: sixteen(row.try_get(from + 4).map_err(&failed)?, "journal row")?,
        record: row.try_get(from + 5).map_err(&failed)?,
    })
}

const HEAD: &str = "SELECT size, placed - size + (SELECT count(*) FROM waiting),
    coalesce((SELECT note FROM checkpoint ORDER BY serial DESC LIMIT 1), '')
FROM ledger";

const PLACE: &str = "WITH seen AS (
    DELETE FROM waiting
    WHERE row IN (SELECT row FROM waiting ORDER BY row LIMIT $1)
    RETURNING row
), put AS (
    INSERT INTO leaf (index, row)
    SELECT $2 + row_number() OVER (ORDER BY row) - 1, row FROM seen
)
UPDATE ledger SET placed = placed + (SELECT count(*) FROM seen)
WHERE EXISTS (SELECT 1 FROM seen)";

const UNSEQUENCED: &str =
    "SELECT journal.row, journal.kind, journal.id, journal.at, journal.salt, journal.record
FROM leaf JOIN journal ON journal.row = leaf.row
WHERE leaf.index >= $1
ORDER BY leaf.index
LIMIT $2";

const PLACED: &str = "SELECT row
FROM leaf
WHERE index >= $1
ORDER BY index
LIMIT $2";

const TILES: &str = "INSERT INTO tile (level, place, bytes)
SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bytea[])
ON CONFLICT (level, place) DO UPDATE SET bytes = excluded.bytes";

const CHECKPOINT: &str = "INSERT INTO checkpoint (serial, size, at, note)
VALUES ($1, $2, $3, $4)";

const LEAVES: &str =
    "SELECT leaf.index, journal.row, journal.kind, journal.id, journal.at, journal.salt, journal.record
FROM leaf JOIN journal ON journal.row = leaf.row
WHERE leaf.index >= $1 AND leaf.index < (SELECT size FROM ledger)
ORDER BY leaf.index
LIMIT $2";

const LEAF_OF: &str =
    "SELECT leaf.index, journal.row, journal.kind, journal.id, journal.at, journal.salt, journal.record
FROM journal JOIN leaf ON leaf.row = journal.row
WHERE journal.kind = $1 AND journal.id = $2 AND leaf.index < (SELECT size FROM ledger)";
