//! The promises of the store, kept by SQLite.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use async_trait::async_trait;
use provost_domain::limits::Limits;
use provost_store::{
    Store,
    conformance::{Contradiction, Ground},
};
use provost_store_sqlite::SqliteStore;
use std::{path::Path, sync::Arc};

provost_store::suite!(File);

/// One file in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

#[async_trait]
impl Ground for File {
    const NODES: usize = 1;

    async fn fresh() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    async fn open(&self, limits: &Limits) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.folder.path().join("provost.db"), limits).expect("opens"))
    }

    async fn open_backup(&self, backup: &Path) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(backup, &Limits::default()).expect("a backup opens"))
    }

    async fn plant(&self, contradiction: Contradiction) {
        let db = rusqlite::Connection::open(self.folder.path().join("provost.db")).unwrap();
        let sql = match contradiction {
            Contradiction::ObjectVersion => "UPDATE object SET version = 7 WHERE kind = 'person'",
            Contradiction::MissingChange => "DELETE FROM change WHERE seq = 2",
            Contradiction::ChangeRecord => {
                "UPDATE journal SET record = replace(record, 'maria', 'marie') WHERE id = 'change-1'"
            }
            Contradiction::MissingClaim => "DELETE FROM claim WHERE kind = 'agent'",
            Contradiction::DecisionColumn => "UPDATE decision SET subject = 'other' WHERE verdict = 'deny'",
            Contradiction::LostCompletion => "UPDATE decision SET completion = NULL",
            Contradiction::LostLabel => "UPDATE task_state SET labels = '[]'",
            Contradiction::MissingTile => "DELETE FROM tile",
        };
        assert!(db.execute(sql, []).unwrap() > 0, "{contradiction:?} touched nothing");
    }
}
