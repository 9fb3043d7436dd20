//! The promises of the store, kept by PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use async_trait::async_trait;
use provost_domain::{NodeId, limits::Limits};
use provost_store::{
    Store,
    conformance::{Contradiction, Ground},
};
use provost_store_postgres::PostgresStore;
use std::{path::Path, sync::Arc};
use support::Database;

provost_store::suite!(Shared);

/// One database in the cluster of the tests.
struct Shared {
    database: Database,
}

#[async_trait]
impl Ground for Shared {
    const NODES: usize = 2;

    async fn fresh() -> Self {
        Self { database: Database::fresh().await }
    }

    async fn open(&self, limits: &Limits) -> Arc<dyn Store> {
        let node = NodeId::from_bytes([7; 16]);
        Arc::new(PostgresStore::connect(&self.database.url, limits, node).await.expect("connects"))
    }

    async fn open_backup(&self, _backup: &Path) -> Arc<dyn Store> {
        panic!("a backup is `pg_dump`'s")
    }

    async fn plant(&self, contradiction: Contradiction) {
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
        assert!(self.database.plant(sql).await > 0, "{contradiction:?} touched nothing");
    }
}
