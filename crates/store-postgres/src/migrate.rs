//! The schema, brought forward step by step in one transaction, by one node at a time.

use crate::connection::{Connections, Transaction};
use provost_store::StoreError;

/// Name and text of every step, in order; the SQLite driver has the same names.
pub(crate) const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_spine", include_str!("../migrations/0001_spine.sql")),
    ("0002_credentials", include_str!("../migrations/0002_credentials.sql")),
    ("0003_more_kinds", include_str!("../migrations/0003_more_kinds.sql")),
    ("0004_kept", include_str!("../migrations/0004_kept.sql")),
    ("0005_task_memory", include_str!("../migrations/0005_task_memory.sql")),
];

/// Makes the schema current.
///
/// # Errors
/// When it is of a newer Provost, the server does not sync, or the database refuses.
pub(crate) async fn migrate(connections: &Connections) -> Result<(), StoreError> {
    let mut client = connections.get().await?;
    let synced = client.query_one("SHOW fsync", &[]).await.map_err(crate::error::failed(DOING))?;
    if synced.try_get::<_, &str>(0).map_err(crate::error::failed(DOING))? != "on" {
        return Err(StoreError::Unsupported(
            "the PostgreSQL server runs with fsync=off, so it cannot promise that anything is kept: set fsync=on",
        ));
    }
    let step = Transaction::begin(&mut client).await?;
    step.execute(DOING, "SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    step.batch(DOING, TABLE).await?;
    let done: i64 = step
        .one(DOING, "SELECT count(*) FROM schema_version", &[])
        .await?
        .try_get(0)
        .map_err(crate::error::failed(DOING))?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(StoreError::Unsupported(
            "the database was made by a newer Provost: start that one, or restore a backup of this one",
        ));
    }
    for (name, sql) in MIGRATIONS.iter().skip(done) {
        step.batch(DOING, sql).await?;
        step.execute(DOING, "INSERT INTO schema_version (name) VALUES ($1)", &[name]).await?;
    }
    step.commit().await
}

const DOING: &str = "bring the schema forward";
const LOCK: i64 = 0x7072_6f76_6f73_7400;
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    step BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
)";
