//! Changes: the row, its claims and its record in one transaction, numbered without gaps.

use crate::{
    error::{corrupt, failed, limit, signed, unsigned},
    ledger, objects, task,
    writer::Tx,
};
use provost_domain::{Kind, Object, ObjectKey, Seq, TaskId, task::TaskStatus};
use provost_store::{
    ChangeReceipt, ChangeRecord, ChangeSet, CommitError, StoreError, Write,
    driver::{Draft, decode},
};
use rusqlite::{Connection, OptionalExtension as _, Params};
use std::collections::HashMap;

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
    let versions = match admit(tx.db, set)? {
        Ok(versions) => versions,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut seq = head(tx.db)?;
    for (write, version) in set.writes.iter().zip(versions) {
        seq = Seq(seq.0.saturating_add(1));
        let after = match write {
            Write::Put { object, .. } => Some(object.clone()),
            Write::Remove { .. } => None,
        };
        let record =
            ChangeRecord { v: 1, seq, at: set.at, by: set.by.clone(), key: write.key(), version, after };
        put(tx, &record)?;
    }
    Ok(Ok(ChangeReceipt { seq }))
}

/// Compares every expectation and claim with what stands, in the order of the writes; says the version each row is at
/// afterwards. Writes nothing.
fn admit(db: &Connection, set: &ChangeSet) -> Result<Result<Vec<u64>, CommitError>, StoreError> {
    let mut moved: HashMap<ObjectKey, objects::Standing> = HashMap::new();
    let mut claimed: HashMap<String, ObjectKey> = HashMap::new();
    let mut versions = Vec::with_capacity(set.writes.len());
    for write in &set.writes {
        let key = write.key();
        let standing = match moved.remove(&key) {
            Some(standing) => Some(standing),
            None => objects::standing(db, &key)?,
        };
        let found = standing.as_ref().filter(|standing| !standing.removed).map_or(0, |s| s.version);
        let (expected, claims, removed) = match write {
            Write::Put { object, expected } => (*expected, object.claims(), false),
            Write::Remove { expected, .. } => (*expected, Vec::new(), true),
        };
        // There is nothing to remove where nothing stands, whatever was expected.
        if found != expected || (removed && found == 0) {
            return Ok(Err(CommitError::Conflict { key, found, expected }));
        }
        for claim in claims {
            let holder = match claimed.get(&claim) {
                Some(holder) => Some(holder.clone()),
                None => holder(db, &claim)?,
            };
            match holder {
                Some(by) if by != key => return Ok(Err(CommitError::Taken { claim, by })),
                _ => drop(claimed.insert(claim, key.clone())),
            }
        }
        let version = standing.map_or(0, |standing| standing.version).saturating_add(1);
        moved.insert(key, objects::Standing { version, removed });
        versions.push(version);
    }
    Ok(Ok(versions))
}

fn put(tx: &mut Tx<'_>, record: &ChangeRecord) -> Result<(), StoreError> {
    let (kind, key) = (record.key.kind.as_str(), &record.key.key);
    let version = signed(record.version);
    let row = ledger::journal(tx, &Draft::change(record)?)?;
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        tx.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(failed("write a change"))
    };
    run(CHANGE, &[&signed(record.seq.0), &kind, key, &version, &row])?;
    run(OBJECT, &[&kind, key, &version, &state(record.after.as_ref()), &row])?;
    for claim in record.after.iter().flat_map(Object::claims) {
        run(CLAIM, &[&claim, &kind, key])?;
    }
    let over = state(record.after.as_ref()) != LIVE;
    if record.key.kind == Kind::Task && over && key.parse::<TaskId>().is_ok() {
        task::end(tx, key)?;
    }
    Ok(())
}

fn state(after: Option<&Object>) -> &'static str {
    match after {
        None => "removed",
        Some(Object::Task(task)) if task.status == TaskStatus::Ended => "ended",
        Some(_) => LIVE,
    }
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

const LIVE: &str = "live";

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

const CLAIM: &str = "INSERT INTO claim (claim, kind, key)
VALUES (?1, ?2, ?3)
ON CONFLICT (claim) DO NOTHING";
