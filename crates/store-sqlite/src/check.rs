//! Looking for rows that contradict each other, and copying the file while it is in use.

use crate::{
    error::{backend, corrupt, failed},
    task,
    writer::Tx,
};
use provost_domain::{NodeId, TaskId, Timestamp};
use provost_store::{
    Fault, StoreError,
    driver::{CHECK_FAULTS_MAX, DecisionColumns, change_fault, completion_fault, decision_columns_fault},
};
use rusqlite::{Connection, MAIN_DB, Row};
use std::{fs::File, path::Path};

/// Every contradiction that the tables show.
pub(crate) fn tables(db: &Connection) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    for (check, sql) in CONTRADICTIONS {
        let limited = format!("{sql}\nLIMIT {CHECK_FAULTS_MAX}");
        scan(db, check, &limited, &mut faults, |row| Ok(Some(row.get(0)?)))?;
    }
    scan(db, "change-record", CHANGES, &mut faults, |row| {
        let (kind, key, record): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(4)?);
        Ok(change_fault(row.get(0)?, &kind, &key, row.get(3)?, &record))
    })?;
    scan(db, "decision-record", DECISIONS, &mut faults, |row| {
        let columns = DecisionColumns {
            id: row.get(0)?,
            at: Timestamp::from_millis(row.get(1)?),
            node: NodeId::from_bytes(row.get(2)?),
            face: row.get(3)?,
            subject: row.get(4)?,
            task: row.get::<_, Option<[u8; 16]>>(5)?.map(TaskId::from_bytes),
            system: row.get(6)?,
            verdict: row.get(7)?,
        };
        let record: String = row.get(8)?;
        Ok(decision_columns_fault(&columns, &record))
    })?;
    scan(db, "completion-record", COMPLETIONS, &mut faults, |row| {
        let (id, record): (String, String) = (row.get(0)?, row.get(1)?);
        let task = row.get::<_, Option<[u8; 16]>>(2)?.map(TaskId::from_bytes);
        Ok(match task.map(|task| task::state(db, task)).transpose() {
            Ok(state) => completion_fault(&id, &record, state.as_ref().map(|state| &state.labels)),
            Err(unreadable) => Some(format!("completion of {id}: {unreadable}")),
        })
    })?;
    Ok(faults)
}

/// Where the writer's memory differs from the tables.
pub(crate) fn remembered(tx: &mut Tx<'_>) -> Result<Vec<Fault>, StoreError> {
    let found = tx.balances.differences(tx.db)?;
    Ok(found.into_iter().map(|detail| Fault { check: "balance".to_owned(), detail }).collect())
}

/// Copies the file as this reader sees it, into a file that appears whole or not at all.
pub(crate) fn backup(db: &Connection, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Err(backend(
            "write a backup",
            format!("{} is there already: choose another name", to.display()),
        ));
    }
    let partial = to.with_added_extension("partial");
    let copied = copy(db, &partial).and_then(|()| publish(&partial, to));
    if copied.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    copied
}

fn copy(db: &Connection, partial: &Path) -> Result<(), StoreError> {
    let mut file = crate::connection::fresh(partial)?;
    let copying = rusqlite::backup::Backup::new_with_names(db, MAIN_DB, &mut file, MAIN_DB)
        .map_err(failed("write a backup"))?;
    match copying.step(EVERY_PAGE).map_err(failed("write a backup"))? {
        rusqlite::backup::StepResult::Done => {}
        other => return Err(backend("write a backup", format!("SQLite stopped early: {other:?}"))),
    }
    drop(copying);
    file.close().map_err(|(_file, error)| failed("write a backup")(error))
}

fn publish(partial: &Path, to: &Path) -> Result<(), StoreError> {
    let io = |error: std::io::Error| backend("write a backup", error);
    File::open(partial).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(partial, to).map_err(io)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

fn scan(
    db: &Connection,
    check: &str,
    sql: &str,
    faults: &mut Vec<Fault>,
    mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<String>>,
) -> Result<(), StoreError> {
    let failed = || failed("check the tables");
    let mut statement = db.prepare(sql).map_err(failed())?;
    let mut rows = statement.query([]).map_err(failed())?;
    let mut found = 0;
    while found < CHECK_FAULTS_MAX {
        let Some(row) = rows.next().map_err(failed())? else { break };
        let detail = match look(row) {
            Ok(None) => continue,
            Ok(Some(detail)) => detail,
            Err(error) => corrupt(check, error.to_string()).to_string(),
        };
        found += 1;
        faults.push(Fault { check: check.to_owned(), detail });
    }
    Ok(())
}

const EVERY_PAGE: i32 = -1;

const CHANGES: &str = "SELECT change.seq, change.kind, change.key, change.version, journal.record
FROM change JOIN journal ON journal.row = change.row
ORDER BY change.seq";

const DECISIONS: &str = "SELECT journal.id, decision.at, decision.node, decision.face, decision.subject,
    decision.task, decision.system, decision.verdict, journal.record
FROM decision JOIN journal ON journal.row = decision.row
ORDER BY decision.row";

const COMPLETIONS: &str = "SELECT made.id, done.record, decision.task
FROM decision
JOIN journal AS made ON made.row = decision.row
JOIN journal AS done ON done.row = decision.completion
ORDER BY decision.row";

/// A check's name, and a question whose every answer is a fault in words.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "database",
        "SELECT integrity_check FROM pragma_integrity_check
WHERE integrity_check <> 'ok'",
    ),
    (
        "database",
        "SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there'
FROM pragma_foreign_key_check",
    ),
    (
        "journal-order",
        "SELECT 'journal rows between ' || before || ' and ' || row || ' are missing'
FROM (SELECT row, lag(row, 1, 0) OVER (ORDER BY row) AS before FROM journal)
WHERE row <> before + 1",
    ),
    (
        "change-order",
        "SELECT 'changes between ' || before || ' and ' || seq || ' are missing'
FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM change)
WHERE seq <> before + 1",
    ),
    (
        "change-order",
        "SELECT kind || ' ' || key || ': a version before ' || version || ' is missing'
FROM (SELECT kind, key, version, lag(version, 1, 0) OVER (PARTITION BY kind, key ORDER BY version) AS before
    FROM change)
WHERE version <> before + 1",
    ),
    (
        "change-journal",
        "SELECT 'change ' || change.seq || ' stands on a journal row of ' || journal.kind || ' ' || journal.id
FROM change JOIN journal ON journal.row = change.row
WHERE journal.kind <> 'change' OR journal.id <> 'change-' || change.seq",
    ),
    (
        "change-journal",
        "SELECT journal.id || ' is in the journal and not among the changes'
FROM journal
WHERE journal.kind = 'change' AND NOT EXISTS (SELECT 1 FROM change WHERE change.row = journal.row)",
    ),
    (
        "object-change",
        "SELECT object.kind || ' ' || object.key || ' is not what its newest change made it'
FROM object
LEFT JOIN change ON change.kind = object.kind AND change.key = object.key AND change.version = (
    SELECT max(version) FROM change AS newest WHERE newest.kind = object.kind AND newest.key = object.key
)
WHERE change.seq IS NULL OR change.version <> object.version OR change.row <> object.row",
    ),
    (
        "object-change",
        "SELECT change.kind || ' ' || change.key || ' has changes and no row'
FROM change
WHERE change.version = 1
    AND NOT EXISTS (SELECT 1 FROM object WHERE object.kind = change.kind AND object.key = change.key)",
    ),
    (
        "object-state",
        "SELECT object.kind || ' ' || object.key || ' is ' || object.state || ', which its record denies'
FROM object JOIN journal ON journal.row = object.row
WHERE object.state <> CASE
    WHEN json_extract(journal.record, '$.after') IS NULL THEN 'removed'
    WHEN object.kind = 'task' AND json_extract(journal.record, '$.after.body.status') = 'ended' THEN 'ended'
    WHEN object.kind = 'session' AND json_extract(journal.record, '$.after.body.ended') THEN 'ended'
    WHEN object.kind = 'approval' AND json_extract(journal.record, '$.after.body.status.is')
        IN ('refused', 'expired', 'withdrawn', 'used') THEN 'ended'
    WHEN object.kind = 'envelope' AND json_extract(journal.record, '$.after.body.status.is') <> 'open' THEN 'ended'
    WHEN object.kind = 'proposal' AND json_extract(journal.record, '$.after.body.status.is') <> 'waiting' THEN 'ended'
    WHEN object.kind = 'finding' AND json_extract(journal.record, '$.after.body.filed') THEN 'ended'
    WHEN object.kind = 'passkey' AND json_extract(journal.record, '$.after.body.removed') IS NOT NULL THEN 'ended'
    WHEN object.kind = 'invite' AND json_extract(journal.record, '$.after.body.used') IS NOT NULL THEN 'ended'
    WHEN object.kind = 'minted' AND json_extract(journal.record, '$.after.body.status.is') <> 'owed' THEN 'ended'
    WHEN object.kind = 'containment' AND json_extract(journal.record, '$.after.body.status.is') = 'lifted' THEN 'ended'
    WHEN object.kind = 'delivery' AND json_extract(journal.record, '$.after.body.state.is') <> 'due'
        AND json_extract(journal.record, '$.after.body.followed') IS NULL THEN 'ended'
    ELSE 'live'
END",
    ),
    (
        "claim",
        "SELECT object.kind || ' ' || object.key || ' does not hold its name'
FROM object
WHERE object.kind IN ('person', 'workload', 'agent') AND NOT EXISTS (
    SELECT 1 FROM claim
    WHERE claim.claim = 'identity:' || object.key AND claim.kind = object.kind AND claim.key = object.key
)",
    ),
    (
        "decision-journal",
        "SELECT 'the journal row of a decision is ' || journal.kind || ' ' || journal.id
FROM decision JOIN journal ON journal.row = decision.row
WHERE journal.kind <> 'decision'",
    ),
    (
        "decision-journal",
        "SELECT journal.id || ' is in the journal and not among the decisions'
FROM journal
WHERE journal.kind = 'decision' AND NOT EXISTS (SELECT 1 FROM decision WHERE decision.row = journal.row)",
    ),
    (
        "completion-decision",
        "SELECT made.id || ' is completed by ' || done.kind || ' ' || done.id
FROM decision
JOIN journal AS made ON made.row = decision.row
JOIN journal AS done ON done.row = decision.completion
WHERE done.kind <> 'completion' OR done.id <> made.id",
    ),
    (
        "completion-decision",
        "SELECT 'the completion of ' || journal.id || ' belongs to no decision'
FROM journal
LEFT JOIN journal AS made ON made.kind = 'decision' AND made.id = journal.id
LEFT JOIN decision ON decision.row = made.row AND decision.completion = journal.row
WHERE journal.kind = 'completion' AND decision.row IS NULL",
    ),
    (
        "ledger",
        "SELECT 'the tree has ' || size || ' leaves and the journal only ' || rows || ' rows'
FROM (SELECT max(size) AS size FROM checkpoint), (SELECT coalesce(max(row), 0) AS rows FROM journal)
WHERE size > rows",
    ),
    (
        "ledger",
        "SELECT 'checkpoint ' || serial || ' is not larger than the one before'
FROM (SELECT serial, size, lag(size, 1, 0) OVER (ORDER BY serial) AS before FROM checkpoint)
WHERE size <= before",
    ),
    (
        "tile",
        "SELECT 'tile ' || place || ' of level 0 has not the bytes that a tree of ' || size || ' leaves gives it'
FROM tile, (SELECT coalesce(max(size), 0) AS size FROM checkpoint)
WHERE level = 0 AND length(bytes) <> 32 * max(0, min(256, size - 256 * place))",
    ),
    (
        "tile",
        "SELECT 'level 0 has ' || count(*) || ' tiles, and a tree of ' || size || ' leaves has ' || ((size + 255) / 256)
FROM (SELECT coalesce(max(size), 0) AS size FROM checkpoint) LEFT JOIN tile ON level = 0
GROUP BY size
HAVING count(place) <> (size + 255) / 256",
    ),
];
