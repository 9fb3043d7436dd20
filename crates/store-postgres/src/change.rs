//! Changes: the rows, their claims and their records in one transaction, numbered under the lock of the head row.

use crate::{
    connection::{Connections, Transaction},
    error::{corrupt, failed, limit, signed, unsigned},
};
use provost_domain::{Kind, Object, ObjectKey, Seq, TaskId};
use provost_store::{
    ChangeReceipt, ChangeRecord, ChangeSet, CommitError, StoreError, Write,
    driver::{Draft, RowState, Standing, admit, decode},
};
use std::collections::HashMap;
use tokio_postgres::{Row, types::ToSql};

/// The position of the last change.
pub(crate) async fn head(connections: &Connections) -> Result<Seq, StoreError> {
    let doing = "read the head";
    let row = connections.query_opt(doing, "SELECT seq FROM head", &[]).await?;
    row.map_or(Ok(Seq(0)), |row| row.try_get(0).map(|seq| Seq(unsigned(seq))).map_err(failed(doing)))
}

/// Changes after a position.
pub(crate) async fn tail(
    connections: &Connections,
    after: Seq,
    max: usize,
) -> Result<Vec<ChangeRecord>, StoreError> {
    records(connections, TAIL, &[&signed(after.0), &limit(max)]).await
}

/// Changes of one row, newest first.
pub(crate) async fn history(
    connections: &Connections,
    key: &ObjectKey,
    max: usize,
) -> Result<Vec<ChangeRecord>, StoreError> {
    records(connections, HISTORY, &[&key.kind.as_str(), &key.key, &limit(max)]).await
}

/// Makes every write of the set, or none.
pub(crate) async fn commit(connections: &Connections, set: &ChangeSet) -> Result<ChangeReceipt, CommitError> {
    let mut client = connections.get().await?;
    let tx = Transaction::begin(&mut client).await?;
    let doing = "lock the head";
    let locked = tx.one(doing, "SELECT seq FROM head FOR UPDATE", &[]).await?;
    let before = Seq(unsigned(locked.try_get(0).map_err(failed(doing))?));
    let standings = standings(&tx, set).await?;
    let holders = holders(&tx, set).await?;
    let records =
        admit(set, before, |key| Ok(standings.get(key).copied()), |claim| Ok(holders.get(claim).cloned()))?;
    let seq = records.last().map_or(before, |last| last.seq);
    write(&tx, &records).await?;
    end_tasks(&tx, &records).await?;
    tx.execute("write a change", "UPDATE head SET seq = $1", &[&signed(seq.0)]).await?;
    tx.commit().await?;
    Ok(ChangeReceipt { seq })
}

async fn standings(
    tx: &Transaction<'_>,
    set: &ChangeSet,
) -> Result<HashMap<ObjectKey, Standing>, StoreError> {
    let doing = "read versions";
    let keys: Vec<ObjectKey> = set.writes.iter().map(Write::key).collect();
    let kinds: Vec<&str> = keys.iter().map(|key| key.kind.as_str()).collect();
    let names: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
    let mut standings = HashMap::with_capacity(keys.len());
    for row in tx.query(doing, STANDINGS, &[&kinds, &names]).await? {
        let read = || -> Result<_, tokio_postgres::Error> {
            let version = unsigned(row.try_get(2)?);
            Ok((row.try_get(0)?, row.try_get(1)?, Standing { version, removed: row.try_get(3)? }))
        };
        let (kind, key, standing) = read().map_err(failed(doing))?;
        standings.insert(object_key(kind, key)?, standing);
    }
    Ok(standings)
}

async fn holders(tx: &Transaction<'_>, set: &ChangeSet) -> Result<HashMap<String, ObjectKey>, StoreError> {
    let doing = "read claims";
    let claims: Vec<String> = set
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::Put { object, .. } => Some(object.claims()),
            Write::Remove { .. } | Write::Keep { .. } => None,
        })
        .flatten()
        .collect();
    let mut holders = HashMap::with_capacity(claims.len());
    for row in tx.query(doing, HOLDERS, &[&claims]).await? {
        let read = || -> Result<_, tokio_postgres::Error> {
            Ok((row.try_get::<_, String>(0)?, row.try_get(1)?, row.try_get(2)?))
        };
        let (claim, kind, key) = read().map_err(failed(doing))?;
        holders.insert(claim, object_key(kind, key)?);
    }
    Ok(holders)
}

async fn write(tx: &Transaction<'_>, records: &[ChangeRecord]) -> Result<(), StoreError> {
    let doing = "write a change";
    let given_up = given_up(tx, records).await?;
    let drafts: Vec<Draft> = records.iter().map(Draft::change).collect::<Result<_, _>>()?;
    let ids: Vec<&str> = drafts.iter().map(|draft| draft.id.as_str()).collect();
    let ats: Vec<i64> = drafts.iter().map(|draft| draft.at.as_millis()).collect();
    let salts: Vec<&[u8]> = drafts.iter().map(|draft| draft.salt.as_slice()).collect();
    let texts: Vec<&str> = drafts.iter().map(|draft| draft.record.as_str()).collect();
    let seqs: Vec<i64> = records.iter().map(|record| signed(record.seq.0)).collect();
    let kinds: Vec<&str> = records.iter().map(|record| record.key.kind.as_str()).collect();
    let keys: Vec<&str> = records.iter().map(|record| record.key.key.as_str()).collect();
    let versions: Vec<i64> = records.iter().map(|record| signed(record.version)).collect();
    let states: Vec<&str> =
        records.iter().map(|record| RowState::of(record.after.as_ref()).as_str()).collect();
    tx.execute(doing, CHANGES, &[&ids, &ats, &salts, &texts, &seqs, &kinds, &keys, &versions]).await?;
    tx.execute(doing, OBJECTS, &[&seqs, &kinds, &keys, &versions, &states]).await?;
    let words: Vec<&str> = given_up.iter().map(|(claim, _)| claim.as_str()).collect();
    let keys: Vec<&str> = given_up.iter().map(|(_, key)| key.as_str()).collect();
    tx.execute(doing, LET_GO, &[&words, &keys]).await?;
    let claims: Vec<(String, &ObjectKey)> = records
        .iter()
        .flat_map(|record| record.after.iter().flat_map(Object::claims).map(|claim| (claim, &record.key)))
        .collect();
    let words: Vec<&str> = claims.iter().map(|(claim, _)| claim.as_str()).collect();
    let kinds: Vec<&str> = claims.iter().map(|(_, key)| key.kind.as_str()).collect();
    let keys: Vec<&str> = claims.iter().map(|(_, key)| key.key.as_str()).collect();
    tx.execute(doing, CLAIMS, &[&words, &kinds, &keys]).await.map(drop)
}

/// The claims that rows let go of with these changes, which are not made yet, and who held them.
async fn given_up(
    tx: &Transaction<'_>,
    records: &[ChangeRecord],
) -> Result<Vec<(String, String)>, StoreError> {
    let moved = records.iter().filter(|record| record.version > 1 && record.key.kind.lets_go());
    // Of several changes of one row in a set, the last says what is kept.
    let last: HashMap<&ObjectKey, &ChangeRecord> = moved.map(|record| (&record.key, record)).collect();
    if last.is_empty() {
        return Ok(Vec::new());
    }
    let doing = "read rows before a change";
    let kinds: Vec<&str> = last.keys().map(|key| key.kind.as_str()).collect();
    let keys: Vec<&str> = last.keys().map(|key| key.key.as_str()).collect();
    let mut given_up = Vec::new();
    for row in tx.query(doing, STANDING_RECORDS, &[&kinds, &keys]).await? {
        let before: ChangeRecord = decode("change", row.try_get(0).map_err(failed(doing))?)?;
        let after = last.get(&before.key).and_then(|record| record.after.as_ref());
        let claims = before.after.map(|before| before.given_up(after)).unwrap_or_default();
        given_up.extend(claims.into_iter().map(|claim| (claim, before.key.key.clone())));
    }
    Ok(given_up)
}

async fn end_tasks(tx: &Transaction<'_>, records: &[ChangeRecord]) -> Result<(), StoreError> {
    for record in records {
        let over = RowState::of(record.after.as_ref()) != RowState::Live;
        if record.key.kind == Kind::Task && over {
            // `0` is the byte after `/`: everything that starts with `task/<id>/`.
            let (from, to) = (format!("task/{}/", record.key.key), format!("task/{}0", record.key.key));
            tx.execute("end a task's charges", END, &[&from, &to]).await?;
            if let Ok(task) = record.key.key.parse::<TaskId>() {
                let doing = "forget what a task has read";
                tx.execute(doing, FORGET, &[&task.as_bytes().as_slice()]).await?;
            }
        }
    }
    Ok(())
}

async fn records(
    connections: &Connections,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<ChangeRecord>, StoreError> {
    let doing = "read changes";
    let rows = connections.query(doing, sql, params).await?;
    let read = |row: &Row| decode("change", row.try_get(0).map_err(failed(doing))?);
    rows.iter().map(read).collect()
}

fn object_key(kind: &str, key: String) -> Result<ObjectKey, StoreError> {
    let kind = Kind::from_word(kind).ok_or_else(|| corrupt("row", format!("`{kind}` is not a kind")))?;
    Ok(ObjectKey { kind, key })
}

const TAIL: &str = "SELECT journal.record
FROM change JOIN journal ON journal.row = change.row
WHERE change.seq > $1
ORDER BY change.seq
LIMIT $2";

const HISTORY: &str = "SELECT journal.record
FROM change JOIN journal ON journal.row = change.row
WHERE change.kind = $1 AND change.key = $2
ORDER BY change.version DESC
LIMIT $3";

const STANDINGS: &str = "SELECT object.kind, object.key, object.version, object.state = 'removed'
FROM object
JOIN (SELECT DISTINCT kind, key FROM unnest($1::text[], $2::text[]) AS asked (kind, key)) AS asked
    USING (kind, key)";

const STANDING_RECORDS: &str = "SELECT journal.record
FROM object
JOIN unnest($1::text[], $2::text[]) AS asked (kind, key) USING (kind, key)
JOIN journal ON journal.row = object.row";

const LET_GO: &str = "DELETE FROM claim
USING unnest($1::text[], $2::text[]) AS gone (claim, key)
WHERE claim.claim = gone.claim AND claim.key = gone.key";

const HOLDERS: &str = "SELECT claim, kind, key
FROM claim
WHERE claim = ANY($1)";

const CHANGES: &str = "WITH made AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[], $6::text[], $7::text[],
        $8::bigint[]) AS made (id, at, salt, record, seq, kind, key, version)
), kept AS (
    INSERT INTO journal (kind, id, at, salt, record)
    SELECT 'change', id, at, salt, record FROM made ORDER BY seq
    RETURNING row, id
), waits AS (
    INSERT INTO waiting (row) SELECT row FROM kept
)
INSERT INTO change (seq, kind, key, version, row)
SELECT made.seq, made.kind, made.key, made.version, kept.row
FROM made JOIN kept USING (id)";

const OBJECTS: &str = "INSERT INTO object (kind, key, version, state, row)
SELECT DISTINCT ON (made.kind, made.key) made.kind, made.key, made.version, made.state, change.row
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS made (seq, kind, key, version, state)
JOIN change ON change.seq = made.seq
ORDER BY made.kind, made.key, made.version DESC
ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, state = excluded.state, row = excluded.row";

const CLAIMS: &str = "INSERT INTO claim (claim, kind, key)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (claim) DO NOTHING";

const END: &str = "DELETE FROM charge
WHERE key >= $1 AND key < $2";

const FORGET: &str = "DELETE FROM task_memory
WHERE task = $1";
