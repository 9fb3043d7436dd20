//! The schema, brought forward step by step, each in one transaction.

use crate::error::failed;
use provost_store::StoreError;
use rusqlite::{Connection, TransactionBehavior};

/// Name and text of every step, in order; the PostgreSQL driver has the same names.
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
/// When it is of a newer Provost, or the database refuses.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    let failed = || failed("bring the schema forward");
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed())?;
    step.execute_batch(TABLE).map_err(failed())?;
    let done: i64 =
        step.query_row("SELECT count(*) FROM schema_version", [], |row| row.get(0)).map_err(failed())?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(StoreError::Unsupported(
            "the database was made by a newer Provost: start that one, or restore a backup of this one",
        ));
    }
    for (name, sql) in MIGRATIONS.iter().skip(done) {
        step.execute_batch(sql).map_err(failed())?;
        step.execute("INSERT INTO schema_version (name) VALUES (?1)", [name]).map_err(failed())?;
    }
    step.commit().map_err(failed())
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    step INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT";
