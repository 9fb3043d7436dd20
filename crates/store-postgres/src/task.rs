//! What tasks have read, and what windows have left.

use crate::{
    connection::Connections,
    error::{backend, failed, signed, unsigned},
};
use provost_domain::{TaskId, TaskState, Timestamp};
use provost_store::{Balance, StoreError, WindowKey, driver::labels};

/// The state of a task.
pub(crate) async fn state(connections: &Connections, task: TaskId) -> Result<TaskState, StoreError> {
    let doing = "read a task's state";
    let sql = "SELECT version, labels FROM task_state WHERE task = $1";
    let Some(row) = connections.query_opt(doing, sql, &[&task.as_bytes().as_slice()]).await? else {
        return Ok(TaskState::default());
    };
    let version = unsigned(row.try_get(0).map_err(failed(doing))?);
    Ok(TaskState { version, labels: labels(row.try_get(1).map_err(failed(doing))?)? })
}

/// What results brought into a task after a version.
pub(crate) async fn memory(
    connections: &Connections,
    task: TaskId,
    after: u64,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let doing = "read what a task has read";
    let rows = connections.query(doing, MEMORY, &[&task.as_bytes().as_slice(), &signed(after)]).await?;
    let chunk = |row: &tokio_postgres::Row| {
        let version = unsigned(row.try_get(0).map_err(failed(doing))?);
        Ok((version, row.try_get(1).map_err(failed(doing))?))
    };
    rows.iter().map(chunk).collect()
}

/// What windows have left.
pub(crate) async fn balances(
    connections: &Connections,
    windows: &[WindowKey],
    now: Timestamp,
) -> Result<Vec<Balance>, StoreError> {
    let doing = "read balances";
    let keys: Vec<&str> = windows.iter().map(|window| window.key.as_str()).collect();
    let after: Vec<i64> = windows.iter().map(|window| window.counts_after(now).as_millis()).collect();
    let rows = connections.query(doing, USED, &[&keys, &after]).await?;
    if rows.len() != windows.len() {
        return Err(backend(doing, "it answered for another number of windows"));
    }
    let balance = |(window, row): (&WindowKey, &tokio_postgres::Row)| {
        Ok(Balance { window: window.clone(), used: row.try_get(0).map_err(failed(doing))? })
    };
    windows.iter().zip(&rows).map(balance).collect()
}

/// Forgets some charges of slots that ended at or before this moment; says how many.
pub(crate) async fn sweep(connections: &Connections, before: Timestamp) -> Result<u64, StoreError> {
    let swept = connections.execute("sweep charges", SWEEP, &[&before.as_millis()]).await?;
    forget_ended(connections).await?;
    Ok(swept)
}

/// Forgets what calls brought into tasks that had ended by then; of some tasks, the oldest first.
async fn forget_ended(connections: &Connections) -> Result<(), StoreError> {
    let doing = "forget what ended tasks have read";
    let rows = connections.query(doing, REMEMBERED, &[]).await?;
    let id = |row: &tokio_postgres::Row| row.try_get::<_, Vec<u8>>(0).map_err(failed(doing));
    let tasks = rows.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    let key = |task: &Vec<u8>| task.as_slice().try_into().map(|id| TaskId::from_bytes(id).to_string());
    let keys = tasks.iter().map(key).collect::<Result<Vec<String>, _>>();
    let keys = keys.map_err(|_length| backend(doing, "an id of another length"))?;
    connections.execute(doing, FORGET_ENDED, &[&tasks, &keys]).await.map(drop)
}

/// What each of these keys used after each of these moments, in their order. A sum beyond 64 bits is as large as can be.
pub(crate) const USED: &str = "SELECT least(coalesce(sum(charge.amount), 0), 9223372036854775807)::bigint
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (key, after, place)
LEFT JOIN charge ON charge.key = asked.key AND charge.slot > asked.after
GROUP BY asked.place
ORDER BY asked.place";

const MEMORY: &str = "SELECT version, chunk
FROM task_memory
WHERE task = $1 AND version > $2
ORDER BY version";

const REMEMBERED: &str = "SELECT DISTINCT task FROM task_memory ORDER BY task LIMIT 500";

const FORGET_ENDED: &str = "DELETE FROM task_memory
USING unnest($1::bytea[], $2::text[]) AS known (task, key)
JOIN object ON object.kind = 'task' AND object.key = known.key AND object.state <> 'live'
WHERE task_memory.task = known.task";

const SWEEP: &str = "DELETE FROM charge
WHERE (key, slot) IN (SELECT key, slot FROM charge WHERE slot <= $1 ORDER BY slot LIMIT 5000)";
