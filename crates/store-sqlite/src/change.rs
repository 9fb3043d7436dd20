//! Changes: the row, its claims and its record in one transaction, numbered without gaps.

use crate::{
    error::{corrupt, failed, limit, signed, unsigned},
    ledger, objects, task,
    writer::Tx,
};
use provost_domain::{Kind, Object, ObjectKey, Seq};
use provost_store::{
    ChangeReceipt, ChangeRecord, ChangeSet, CommitError, StoreError,
    driver::{Draft, RowState, admit, decode},
};
use rusqlite::{Connection, OptionalExtension as _, Params};

/// The position of the last change.
pub(crate) fn head(db: &Connection) -> Result<Seq, StoreError> {
    db.prepare_cached("SELECT coalesce(max(seq), 0) FROM change")
        .and_then(|mut read| read.query_row([], |row| row.get(0)))
        .map(|seq: i64| Seq(unsigned(seq)))
        .map_err(failed("read the head"))
}

/// Changes after a position.
pub(crate) fn tail(db: &Connection, after: Seq, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
    records(db, TAIL, (signed(after.0), limit(max)))
}

/// Changes of one row, newest first.
pub(crate) fn history(db: &Connection, key: &ObjectKey, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
    records(db, HISTORY, (key.kind.as_str(), &key.key, limit(max)))
}

/// Makes every write of the set, or refuses the set before anything is written.
pub(crate) fn commit(
    tx: &mut Tx<'_>,
    set: &ChangeSet,
) -> Result<Result<ChangeReceipt, CommitError>, StoreError> {
    let before = head(tx.db)?;
    let db = tx.db;
    let records = match admit(set, before, |key| objects::standing(db, key), |claim| holder(db, claim)) {
        Ok(records) => records,
        Err(CommitError::Store(error)) => return Err(error),
        Err(refused) => return Ok(Err(refused)),
    };
    for record in &records {
        put(tx, record)?;
    }
    Ok(Ok(ChangeReceipt { seq: records.last().map_or(before, |last| last.seq) }))
}

fn put(tx: &mut Tx<'_>, record: &ChangeRecord) -> Result<(), StoreError> {
    let (kind, key) = (record.key.kind.as_str(), &record.key.key);
    let version = signed(record.version);
    let given_up = given_up(tx.db, record)?;
    let row = ledger::journal(tx, &Draft::change(record)?)?;
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        tx.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(failed("write a change"))
    };
    run(CHANGE, &[&signed(record.seq.0), &kind, key, &version, &row])?;
    let state = RowState::of(record.after.as_ref());
    run(OBJECT, &[&kind, key, &version, &state.as_str(), &row])?;
    for claim in given_up {
        run(LET_GO, &[&claim, &kind, key])?;
    }
    for claim in record.after.iter().flat_map(Object::claims) {
        run(CLAIM, &[&claim, &kind, key])?;
    }
    if record.key.kind == Kind::Task && state != RowState::Live {
        task::end(tx, key)?;
    }
    Ok(())
}

/// The claims that the row lets go of with this change, which is not made yet.
fn given_up(db: &Connection, record: &ChangeRecord) -> Result<Vec<String>, StoreError> {
    if record.version == 1 || !record.key.kind.lets_go() {
        return Ok(Vec::new());
    }
    let before = history(db, &record.key, 1)?.pop().and_then(|last| last.after);
    Ok(before.map(|before| before.given_up(record.after.as_ref())).unwrap_or_default())
}

fn holder(db: &Connection, claim: &str) -> Result<Option<ObjectKey>, StoreError> {
    let found: Option<(String, String)> = db
        .prepare_cached("SELECT kind, key FROM claim WHERE claim = ?1")
        .and_then(|mut read| read.query_row([claim], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(failed("read a claim"))?;
    found
        .map(|(kind, key)| match Kind::from_word(&kind) {
            Some(kind) => Ok(ObjectKey { kind, key }),
            None => Err(corrupt("claim", format!("`{kind}` is not a kind"))),
        })
        .transpose()
}

fn records(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<ChangeRecord>, StoreError> {
    let failed = || failed("read changes");
    let mut statement = db.prepare_cached(sql).map_err(failed())?;
    let mut rows = statement.query(params).map_err(failed())?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(failed())? {
        let record = row.get_ref(0).and_then(|text| Ok(text.as_str()?)).map_err(failed())?;
        records.push(decode("change", record)?);
    }
    Ok(records)
}

const TAIL: &str = "SELECT journal.record
FROM change JOIN journal ON journal.row = change.row
WHERE change.seq > ?1
ORDER BY change.seq
LIMIT ?2";

const HISTORY: &str = "SELECT journal.record
FROM change JOIN journal ON journal.row = change.row
WHERE change.kind = ?1 AND change.key = ?2
ORDER BY change.version DESC
LIMIT ?3";

const CHANGE: &str = "INSERT INTO change (seq, kind, key, version, row)
VALUES (?1, ?2, ?3, ?4, ?5)";

const OBJECT: &str = "INSERT INTO object (kind, key, version, state, row)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, state = excluded.state, row = excluded.row";

const LET_GO: &str = "DELETE FROM claim WHERE claim = ?1 AND kind = ?2 AND key = ?3";

const CLAIM: &str = "INSERT INTO claim (claim, kind, key)
VALUES (?1, ?2, ?3)
ON CONFLICT (claim) DO NOTHING";
