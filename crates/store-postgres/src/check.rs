//! Looking for rows that contradict each other, all in one snapshot.

use crate::{
    connection::{Connections, Transaction},
    error::{failed, sixteen},
};
use futures::TryStreamExt as _;
use provost_domain::{NodeId, TaskId, Timestamp};
use provost_store::{
    Fault, StoreError,
    driver::{
        CHECK_FAULTS_MAX, DecisionColumns, change_fault, completion_fault, decision_columns_fault, labels,
    },
};
use tokio_postgres::Row;

/// Every contradiction that the tables show.
pub(crate) async fn tables(connections: &Connections) -> Result<Vec<Fault>, StoreError> {
    let mut client = connections.get().await?;
    let snapshot = Transaction::snapshot(&mut client).await?;
    let mut faults = Vec::new();
    for (check, sql) in CONTRADICTIONS {
        let limited = format!("{sql}\nLIMIT {CHECK_FAULTS_MAX}");
        scan(&snapshot, check, &limited, &mut faults, |row| text(row, 0).map(Some)).await?;
    }
    scan(&snapshot, "change-record", CHANGES, &mut faults, change).await?;
    scan(&snapshot, "decision-record", DECISIONS, &mut faults, decision).await?;
    scan(&snapshot, "completion-record", COMPLETIONS, &mut faults, completion).await?;
    Ok(faults)
}

async fn scan(
    snapshot: &Transaction<'_>,
    check: &str,
    sql: &str,
    faults: &mut Vec<Fault>,
    look: impl Fn(&Row) -> Result<Option<String>, StoreError>,
) -> Result<(), StoreError> {
    let rows = snapshot.stream(DOING, sql, &[]).await?;
    let mut rows = std::pin::pin!(rows);
    let mut found = 0;
    while found < CHECK_FAULTS_MAX {
        let Some(row) = rows.try_next().await.map_err(failed(DOING))? else { break };
        let detail = match look(&row) {
            Ok(None) => continue,
            Ok(Some(detail)) => detail,
            Err(unreadable) => unreadable.to_string(),
        };
        found += 1;
        faults.push(Fault { check: check.to_owned(), detail });
    }
    Ok(())
}

fn change(row: &Row) -> Result<Option<String>, StoreError> {
    let number = |at: usize| row.try_get(at).map_err(failed(DOING));
    Ok(change_fault(number(0)?, &text(row, 1)?, &text(row, 2)?, number(3)?, &text(row, 4)?))
}

fn decision(row: &Row) -> Result<Option<String>, StoreError> {
    let task: Option<&[u8]> = row.try_get(5).map_err(failed(DOING))?;
    let columns = DecisionColumns {
        id: text(row, 0)?,
        at: Timestamp::from_millis(row.try_get(1).map_err(failed(DOING))?),
        node: NodeId::from_bytes(sixteen(row.try_get(2).map_err(failed(DOING))?, "decision")?),
        face: text(row, 3)?,
        subject: text(row, 4)?,
        task: task.map(|task| sixteen(task, "decision").map(TaskId::from_bytes)).transpose()?,
        system: text(row, 6)?,
        verdict: text(row, 7)?,
    };
    Ok(decision_columns_fault(&columns, &text(row, 8)?))
}

fn completion(row: &Row) -> Result<Option<String>, StoreError> {
    let (of_task, has): (bool, Option<&str>) =
        (row.try_get(2).map_err(failed(DOING))?, row.try_get(3).map_err(failed(DOING))?);
    let has = of_task.then(|| has.map_or_else(|| Ok(Default::default()), labels)).transpose()?;
    Ok(completion_fault(&text(row, 0)?, &text(row, 1)?, has.as_ref()))
}

fn text(row: &Row, at: usize) -> Result<String, StoreError> {
    row.try_get(at).map_err(failed(DOING))
}

const DOING: &str = "check the tables";

const CHANGES: &str = "SELECT change.seq, change.kind, change.key, change.version, journal.record
FROM change JOIN journal ON journal.row = change.row
ORDER BY change.seq";

const DECISIONS: &str = "SELECT journal.id, decision.at, decision.node, decision.face, decision.subject,
    decision.task, decision.system, decision.verdict, journal.record
FROM decision JOIN journal ON journal.row = decision.row";

const COMPLETIONS: &str = "SELECT made.id, done.record, decision.task IS NOT NULL, task_state.labels
FROM decision
JOIN journal AS made ON made.row = decision.row
JOIN journal AS done ON done.row = decision.completion
LEFT JOIN task_state ON task_state.task = decision.task";

/// A check's name, and a question whose every answer is a fault in words.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "change-order",
        "SELECT 'changes between ' || before || ' and ' || seq || ' are missing'
FROM (SELECT seq, lag(seq, 1, 0::bigint) OVER (ORDER BY seq) AS before FROM change) AS changes
WHERE seq <> before + 1",
    ),
    (
        "change-order",
        "SELECT 'the head is at ' || head.seq || ' and the last change is ' || newest.seq
FROM head, (SELECT coalesce(max(seq), 0) AS seq FROM change) AS newest
WHERE head.seq <> newest.seq",
    ),
    (
        "change-order",
        "SELECT kind || ' ' || key || ': a version before ' || version || ' is missing'
FROM (SELECT kind, key, version, lag(version, 1, 0::bigint) OVER (PARTITION BY kind, key ORDER BY version) AS before
    FROM change) AS changes
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
LEFT JOIN (SELECT DISTINCT ON (kind, key) kind, key, version, row FROM change ORDER BY kind, key, version DESC)
    AS newest USING (kind, key)
WHERE newest.version IS DISTINCT FROM object.version OR newest.row IS DISTINCT FROM object.row",
    ),
    (
        "object-change",
        "SELECT change.kind || ' ' || change.key || ' has changes and no row'
FROM change
WHERE change.version = 1
    AND NOT EXISTS (SELECT 1 FROM object WHERE object.kind = change.kind AND object.key = change.key)",
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
        "journal-order",
        "SELECT journal.kind || ' ' || journal.id || ' neither has a place in the tree nor waits for one'
FROM journal
WHERE NOT EXISTS (SELECT 1 FROM leaf WHERE leaf.row = journal.row)
    AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.row = journal.row)",
    ),
    (
        "journal-order",
        "SELECT 'leaves between ' || before || ' and ' || index || ' are missing'
FROM (SELECT index, lag(index, 1, -1::bigint) OVER (ORDER BY index) AS before FROM leaf) AS leaves
WHERE index <> before + 1",
    ),
    (
        "journal-order",
        "SELECT 'leaf ' || leaf.index || ' stands on a row that is not in the journal, or waits too'
FROM leaf
LEFT JOIN journal USING (row)
LEFT JOIN waiting USING (row)
WHERE journal.row IS NULL OR waiting.row IS NOT NULL",
    ),
    (
        "ledger",
        "SELECT 'the ledger says ' || ledger.placed || ' places and there are ' || leaves.count
FROM ledger, (SELECT count(*) FROM leaf) AS leaves
WHERE ledger.placed <> leaves.count",
    ),
    (
        "ledger",
        "SELECT 'the tree has ' || ledger.size || ' leaves and its newest checkpoint says ' || newest.size
FROM ledger, (SELECT coalesce(max(size), 0) AS size FROM checkpoint) AS newest
WHERE ledger.size <> newest.size",
    ),
    (
        "ledger",
        "SELECT 'checkpoint ' || serial || ' is not larger than the one before'
FROM (SELECT serial, size, lag(size, 1, 0::bigint) OVER (ORDER BY serial) AS before FROM checkpoint) AS checkpoints
WHERE size <= before",
    ),
    (
        "tile",
        "SELECT 'tile ' || place || ' of level 0 has not the bytes that a tree of ' || size || ' leaves gives it'
FROM tile, ledger
WHERE level = 0 AND length(bytes) <> 32 * greatest(0, least(256, size - 256 * place))",
    ),
    (
        "tile",
        "SELECT 'level 0 has ' || count(place) || ' tiles, and a tree of ' || size || ' leaves has ' || (size + 255) / 256
FROM ledger LEFT JOIN tile ON level = 0
GROUP BY size
HAVING count(place) <> (size + 255) / 256",
    ),
];
