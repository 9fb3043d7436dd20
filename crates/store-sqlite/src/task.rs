//! What tasks have read, what calls came to, and what they took from budgets.

use crate::{
    error::{failed, signed, unsigned},
    ledger,
    writer::Tx,
};
use provost_domain::{Completion, TaskId, TaskState, Timestamp};
use provost_store::{
    Balance, StoreError, WindowKey,
    driver::{Draft, gain, labels, labels_text},
};
use rusqlite::{Connection, OptionalExtension as _};

/// The state of a task.
pub(crate) fn state(db: &Connection, task: TaskId) -> Result<TaskState, StoreError> {
    let found: Option<(i64, String)> = db
        .prepare_cached("SELECT version, labels FROM task_state WHERE task = ?1")
        .and_then(|mut read| {
            read.query_row([task.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failed("read a task's state"))?;
    found.map_or_else(
        || Ok(TaskState::default()),
        |(version, text)| Ok(TaskState { version: unsigned(version), labels: labels(&text)? }),
    )
}

/// Completes a decision, and gives its task the labels of the result.
pub(crate) fn complete(
    tx: &mut Tx<'_>,
    draft: &Draft,
    completion: &Completion,
    task: Option<TaskId>,
    chunk: &[u8],
) -> Result<Result<TaskState, StoreError>, StoreError> {
    let found: Option<(i64, String, Option<i64>)> = tx
        .db
        .prepare_cached(DECISION)
        .and_then(|mut read| {
            read.query_row([&draft.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .map_err(failed("complete a decision"))?;
    match found {
        None => {
            return Ok(Err(StoreError::Unsupported(
                "a decision that was never recorded cannot be completed",
            )));
        }
        Some((_, verdict, _)) if verdict != "allow" => {
            return Ok(Err(StoreError::Unsupported("a decision that allowed nothing cannot be completed")));
        }
        Some((_, _, Some(_first))) => {}
        Some((decision, _, None)) => {
            let row = ledger::journal(tx, draft)?;
            tx.db
                .prepare_cached("UPDATE decision SET completion = ?1 WHERE row = ?2")
                .and_then(|mut update| update.execute((row, decision)))
                .map_err(failed("complete a decision"))?;
        }
    }
    let Some(task) = task else { return Ok(Ok(TaskState::default())) };
    let before = state(tx.db, task)?;
    let Some(after) = gain(&before, &completion.labels, !chunk.is_empty()) else { return Ok(Ok(before)) };
    tx.db
        .prepare_cached(GAIN)
        .and_then(|mut put| put.execute((task.as_bytes(), signed(after.version), labels_text(&after.labels))))
        .map_err(failed("write a task's state"))?;
    if !chunk.is_empty() {
        tx.db
            .prepare_cached("INSERT INTO task_memory (task, version, chunk) VALUES (?1, ?2, ?3)")
            .and_then(|mut put| put.execute((task.as_bytes(), signed(after.version), chunk)))
            .map_err(failed("remember what a task has read"))?;
    }
    Ok(Ok(after))
}

/// What results brought into a task after a version.
pub(crate) fn memory(db: &Connection, task: TaskId, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let read = || -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        db.prepare_cached(MEMORY)?
            .query_map((task.as_bytes(), signed(after)), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    let rows = read().map_err(failed("read what a task has read"))?;
    Ok(rows.into_iter().map(|(version, chunk)| (unsigned(version), chunk)).collect())
}

/// What windows have left.
pub(crate) fn balances(
    db: &Connection,
    keys: Vec<WindowKey>,
    now: Timestamp,
) -> Result<Vec<Balance>, StoreError> {
    let mut balances = Vec::with_capacity(keys.len());
    for window in keys {
        let used = db
            .prepare_cached("SELECT coalesce(sum(amount), 0) FROM charge WHERE key = ?1 AND slot > ?2")
            .and_then(|mut sum| {
                sum.query_row((&window.key, window.counts_after(now).as_millis()), |row| row.get(0))
            })
            .map_err(failed("read a balance"))?;
        balances.push(Balance { window, used });
    }
    Ok(balances)
}

/// Ends the charges of a task that is over, and forgets what it has read.
pub(crate) fn end(tx: &mut Tx<'_>, task: &str) -> Result<(), StoreError> {
    // `0` is the byte after `/`: everything that starts with `task/<id>/`.
    let (from, to) = (format!("task/{task}/"), format!("task/{task}0"));
    let ended = tx
        .db
        .prepare_cached("DELETE FROM charge WHERE key >= ?1 AND key < ?2")
        .and_then(|mut delete| delete.execute([from, to]))
        .map_err(failed("end a task's charges"))?;
    if ended > 0 {
        tx.balances.forget();
    }
    if let Ok(task) = task.parse::<TaskId>() {
        tx.db
            .prepare_cached("DELETE FROM task_memory WHERE task = ?1")
            .and_then(|mut delete| delete.execute([task.as_bytes()]))
            .map_err(failed("forget what a task has read"))?;
    }
    Ok(())
}

/// Forgets some charges of slots that ended at or before this moment; says how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<i64, StoreError> {
    let swept = tx
        .db
        .prepare_cached(SWEEP)
        .and_then(|mut delete| delete.execute([before.as_millis()]))
        .map_err(failed("sweep charges"))?;
    if swept > 0 {
        tx.balances.forget();
    }
    forget_ended(tx)?;
    Ok(i64::try_from(swept).unwrap_or(i64::MAX))
}

/// Forgets what calls brought into tasks that had ended by then; of some tasks, the oldest first.
fn forget_ended(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let read = || -> rusqlite::Result<Vec<[u8; 16]>> {
        tx.db.prepare_cached(REMEMBERED)?.query_map([], |row| row.get(0))?.collect()
    };
    for task in read().map_err(failed("find what ended tasks have read"))? {
        let key = TaskId::from_bytes(task).to_string();
        tx.db
            .prepare_cached(FORGET_ENDED)
            .and_then(|mut delete| delete.execute((&task[..], key)))
            .map_err(failed("forget what ended tasks have read"))?;
    }
    Ok(())
}

const REMEMBERED: &str = "SELECT DISTINCT task FROM task_memory ORDER BY task LIMIT 500";

const FORGET_ENDED: &str = "DELETE FROM task_memory
WHERE task = ?1 AND EXISTS (SELECT 1 FROM object WHERE kind = 'task' AND key = ?2 AND state <> 'live')";

const DECISION: &str = "SELECT decision.row, decision.verdict, decision.completion
FROM journal JOIN decision ON decision.row = journal.row
WHERE journal.kind = 'decision' AND journal.id = ?1";

const GAIN: &str = "INSERT INTO task_state (task, version, labels)
VALUES (?1, ?2, ?3)
ON CONFLICT (task) DO UPDATE SET version = excluded.version, labels = excluded.labels";

const MEMORY: &str = "SELECT version, chunk
FROM task_memory
WHERE task = ?1 AND version > ?2
ORDER BY version";

const SWEEP: &str = "DELETE FROM charge
WHERE (key, slot) IN (SELECT key, slot FROM charge WHERE slot <= ?1 ORDER BY slot LIMIT 5000)";
