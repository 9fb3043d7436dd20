//! How connections are made: what holds for each session, and a pool of them.

use crate::error::{backend, commit_failed, failed};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use provost_domain::NodeId;
use provost_store::StoreError;
use std::time::Duration;
use tokio_postgres::{Config, IsolationLevel, NoTls, Row, RowStream, types::ToSql};

/// Connections to the database.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pool: Pool,
    /// A database that says nothing for longer is given up.
    pub(crate) silence_max: Duration,
}

impl Connections {
    /// Prepares to connect; connects nowhere yet.
    pub(crate) fn new(url: &str, node: NodeId) -> Result<Self, StoreError> {
        // The text may hold a password, so it is in no error.
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            backend("read its connection string", format!("{error}: write postgres://user@host/database"))
        })?;
        let options = [config.get_options().unwrap_or_default(), SESSION].join(" ");
        config.options(options).application_name(format!("provost {node}"));
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        let silence_max = *config.get_tcp_user_timeout().unwrap_or(&SILENCE_MAX);
        config.tcp_user_timeout(silence_max);
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let timeouts =
            Timeouts { wait: Some(WAIT_MAX), create: Some(CONNECT_MAX), recycle: Some(CONNECT_MAX) };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| backend("prepare its connections", error))?;
        Ok(Self { pool, silence_max })
    }

    /// A connection, given back when dropped.
    pub(crate) async fn get(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| backend("connect", error))
    }

    /// The rows of one question.
    pub(crate) async fn query(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.get().await?;
        let statement = client.prepare_cached(sql).await.map_err(failed(doing))?;
        client.query(&statement, params).await.map_err(failed(doing))
    }

    /// The one row of a question that may have one.
    pub(crate) async fn query_opt(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(doing, sql, params).await?.pop())
    }

    /// A write of one statement, which is its own transaction.
    pub(crate) async fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let client = self.get().await?;
        let statement = client.prepare_cached(sql).await.map_err(failed(doing))?;
        client.execute(&statement, params).await.map_err(commit_failed)
    }
}

/// A transaction that is its caller's until it says [`Transaction::commit`]; dropped before, it never happened.
pub(crate) struct Transaction<'a>(deadpool_postgres::Transaction<'a>);

impl<'a> Transaction<'a> {
    /// For writing; each statement sees what was committed before it.
    pub(crate) async fn begin(client: &'a mut Object) -> Result<Self, StoreError> {
        client.transaction().await.map(Self).map_err(failed("begin a transaction"))
    }

    /// For reading all of one moment, for as long as it takes.
    pub(crate) async fn snapshot(client: &'a mut Object) -> Result<Self, StoreError> {
        let begin =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let snapshot = Self(begin.start().await.map_err(failed("begin to read"))?);
        snapshot.0.batch_execute(PATIENT).await.map_err(failed("begin to read"))?;
        Ok(snapshot)
    }

    pub(crate) async fn query(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.0.prepare_cached(sql).await.map_err(failed(doing))?;
        self.0.query(&statement, params).await.map_err(failed(doing))
    }

    pub(crate) async fn one(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, StoreError> {
        let row = self.query(doing, sql, params).await?.pop();
        row.ok_or_else(|| crate::error::corrupt("table", format!("it has no row to {doing}")))
    }

    /// Rows as they come, for what may not fit into memory twice.
    pub(crate) async fn stream(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream, StoreError> {
        let statement = self.0.prepare_cached(sql).await.map_err(failed(doing))?;
        self.0.query_raw(&statement, params.iter().copied()).await.map_err(failed(doing))
    }

    pub(crate) async fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let statement = self.0.prepare_cached(sql).await.map_err(failed(doing))?;
        self.0.execute(&statement, params).await.map_err(failed(doing))
    }

    /// Several statements without parameters.
    pub(crate) async fn batch(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.0.batch_execute(sql).await.map_err(failed(doing))
    }

    /// Makes it so. [`StoreError::Uncertain`] when the connection was lost before the answer.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await.map_err(commit_failed)
    }
}

/// For each session, after whatever the connection string says: what was promised is synced, and nothing lasts for ever. A
/// transaction of ours never pauses, so one that does belongs to a node that is cut off, and its locks are in everybody's way.
const SESSION: &str = "-c synchronous_commit=on -c statement_timeout=30000 -c lock_timeout=10000 \
                       -c idle_in_transaction_session_timeout=2000 -c default_transaction_isolation=read\\ committed";
/// What reads everything of one moment takes its time, and is in nobody's way.
const PATIENT: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '60s'";
const CONNECTIONS_MAX: usize = 12;
const CONNECT_MAX: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Longer than a lock is waited for. `tcp_user_timeout` of the connection string says otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(15);
