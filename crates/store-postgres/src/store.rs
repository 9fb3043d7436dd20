//! The store: connecting and closing it, and the contract, each method handed to the file of its noun.

use crate::{
    change, check,
    connection::Connections,
    decision, ledger, migrate, objects, secret, task,
    writer::{Command, Writer},
};
use async_trait::async_trait;
use provost_domain::{
    Completion, DecisionId, Digest, DurationMs, Name, NodeId, Object, ObjectKey, Seq, TaskId, TaskState,
    Timestamp, decision::Refused, limits::Limits,
};
use provost_store::{
    Balance, ChangeReceipt, ChangeRecord, ChangeSet, CommitError, DecisionFilter, DecisionPage, Fault,
    Intent, JournalKind, JournalRow, LedgerHead, Receipt, RecordError, Sequenced, Store, StoreError,
    StoredDecision, StoredLeaf, Tally, TileKey, WindowKey, danger,
    driver::{DecisionDraft, Draft, RecordBytesMax, Room},
};
use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// A plane's state in a PostgreSQL database, shared with the other nodes of the plane.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    writer: mpsc::Sender<Command>,
    task: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
    /// Bytes of records on their way to the writer.
    queued_bytes: Room,
    /// Buffered decisions on their way to the writer.
    buffered: Room,
    record_bytes_max: RecordBytesMax,
}

impl PostgresStore {
    /// Connects to the database of a plane, as one of its nodes, and makes its tables if there are none. `url` is
    /// `postgres://user:password@host:port/database`, or the `key=value` form.
    ///
    /// # Errors
    /// When the server cannot be reached, does not sync (`fsync=off`), asks for TLS, or the database was made by a
    /// newer Provost.
    pub async fn connect(url: &str, limits: &Limits, node: NodeId) -> Result<Self, StoreError> {
        let connections = Connections::new(url, node)?;
        migrate::migrate(&connections).await?;
        let (writer, inbox) = mpsc::channel(limits.journal_queue_max.max(1));
        let task = tokio::spawn(Writer::new(connections.clone(), inbox).run());
        Ok(Self {
            connections,
            writer,
            task: Mutex::new(Some(task)),
            closed: AtomicBool::new(false),
            queued_bytes: Room::of(QUEUED_BYTES_MAX),
            buffered: Room::of(limits.journal_buffered_max),
            record_bytes_max: limits.into(),
        })
    }

    async fn send(&self, command: Command) -> Result<(), StoreError> {
        self.open_only()?;
        self.writer.send(command).await.map_err(|_gone| StoreError::Closed)
    }

    fn try_send(&self, command: Command) -> Result<(), RecordError> {
        self.open_only()?;
        self.writer.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RecordError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => RecordError::Store(StoreError::Closed),
        })
    }

    fn open_only(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    fn writing(&self) -> Result<&Connections, StoreError> {
        self.open_only()?;
        Ok(&self.connections)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn head(&self) -> Result<Seq, StoreError> {
        change::head(&self.connections).await
    }

    async fn load(&self, row: &mut (dyn FnMut(Object) + Send)) -> Result<Seq, StoreError> {
        objects::load(&self.connections, row).await
    }

    async fn load_at(&self, seq: Seq, keys: &[ObjectKey]) -> Result<Vec<Object>, StoreError> {
        objects::load_at(&self.connections, seq, keys).await
    }

    async fn load_shared_at(&self, seq: Seq) -> Result<Vec<Object>, StoreError> {
        objects::load_shared_at(&self.connections, seq).await
    }

    async fn tail(&self, after: Seq, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        change::tail(&self.connections, after, max).await
    }

    async fn history(&self, key: &ObjectKey, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        change::history(&self.connections, key, max).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<ChangeReceipt, CommitError> {
        change::commit(self.writing()?, &set).await
    }

    async fn version(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        objects::version(&self.connections, key).await
    }

    async fn record(&self, intent: Intent) -> Result<Receipt, RecordError> {
        let draft = DecisionDraft::new(intent, self.record_bytes_max)?;
        let held = Box::new(self.queued_bytes.hold(draft.draft.record.len())?);
        let id = draft.id;
        let (reply, answer) = oneshot::channel();
        self.try_send(Command::Record { draft, reply, held })?;
        // No answer at all: the writer died between taking the command and answering it.
        answer.await.unwrap_or(Err(RecordError::Store(StoreError::Uncertain)))?;
        Ok(danger::receipt_after_commit(id))
    }

    async fn record_buffered(&self, intent: Intent) -> Result<(), RecordError> {
        let draft = DecisionDraft::buffered(intent, self.record_bytes_max)?;
        let held = Box::new((self.queued_bytes.hold(draft.draft.record.len())?, self.buffered.hold(1)?));
        // Nobody waits for the answer; an error of the transaction is logged by the writer.
        let (reply, _answer) = oneshot::channel();
        self.try_send(Command::Record { draft, reply, held })
    }

    async fn complete(&self, completion: Completion, task: Option<TaskId>) -> Result<TaskState, StoreError> {
        let draft = Draft::completion(&completion)?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Complete { draft, completion, task, chunk: Vec::new(), reply }).await?;
        answer.await.unwrap_or(Err(StoreError::Uncertain))
    }

    async fn complete_remembering(
        &self,
        completion: Completion,
        task: TaskId,
        chunk: Vec<u8>,
    ) -> Result<TaskState, StoreError> {
        let draft = Draft::completion(&completion)?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Complete { draft, completion, task: Some(task), chunk, reply }).await?;
        answer.await.unwrap_or(Err(StoreError::Uncertain))
    }

    async fn task_memory(&self, task: TaskId, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        task::memory(&self.connections, task, after).await
    }

    async fn unfinished(
        &self,
        node: Option<NodeId>,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<DecisionId>, StoreError> {
        decision::unfinished(&self.connections, node, before, max).await
    }

    async fn refused(&self, refused: Refused) -> Result<(), StoreError> {
        let draft = Draft::refused(&refused)?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Refused { draft, reply }).await?;
        answer.await.unwrap_or(Err(StoreError::Uncertain))
    }

    async fn task_state(&self, task: TaskId) -> Result<TaskState, StoreError> {
        task::state(&self.connections, task).await
    }

    async fn balances(&self, keys: &[WindowKey], now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        task::balances(&self.connections, keys, now).await
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
        decision::one(&self.connections, id).await
    }

    async fn decisions(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        decision::page(&self.connections, filter).await
    }

    async fn tally(&self, since: Timestamp, step: DurationMs, max: usize) -> Result<Tally, StoreError> {
        decision::tally(&self.connections, since, step, max).await
    }

    async fn put_sealed(&self, name: &Name, sealed: &[u8]) -> Result<(), StoreError> {
        secret::put_sealed(self.writing()?, name, sealed).await
    }

    async fn sealed(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        secret::sealed(&self.connections, name).await
    }

    async fn put_meta(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        secret::put_meta(self.writing()?, key, value).await
    }

    async fn put_meta_if_absent(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        secret::put_meta_if_absent(self.writing()?, key, value).await
    }

    async fn remember(&self, word: Digest, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        secret::remember(self.writing()?, word, until, now).await
    }

    async fn keep(
        &self,
        word: Digest,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<u8>, StoreError> {
        secret::keep(self.writing()?, word, value, until, now).await
    }

    async fn kept(&self, word: Digest, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        secret::kept(&self.connections, word, now).await
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        secret::meta(&self.connections, key).await
    }

    async fn unsequenced(&self, max: usize) -> Result<Vec<JournalRow>, StoreError> {
        ledger::unsequenced(&self.connections, max).await
    }

    async fn sequence(&self, sequenced: Sequenced) -> Result<bool, StoreError> {
        ledger::sequence(self.writing()?, &sequenced).await
    }

    async fn ledger_head(&self) -> Result<LedgerHead, StoreError> {
        ledger::head(&self.connections).await
    }

    async fn tile(&self, key: TileKey) -> Result<Option<Vec<u8>>, StoreError> {
        ledger::tile(&self.connections, key).await
    }

    async fn leaves(&self, from: u64, max: usize) -> Result<Vec<StoredLeaf>, StoreError> {
        ledger::leaves(&self.connections, from, max).await
    }

    async fn leaf_of(&self, kind: JournalKind, id: &str) -> Result<Option<StoredLeaf>, StoreError> {
        ledger::leaf_of(&self.connections, kind, id).await
    }

    async fn checkpoints(&self, max: usize) -> Result<Vec<String>, StoreError> {
        ledger::checkpoints(&self.connections, max).await
    }

    async fn check(&self) -> Result<Vec<Fault>, StoreError> {
        check::tables(&self.connections).await
    }

    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unsupported(
            "a plane on PostgreSQL is backed up with PostgreSQL's own tools: `pg_dump` for one copy, \
             or continuous archiving for every moment",
        ))
    }

    async fn sweep(&self, now: Timestamp, window_max: DurationMs) -> Result<u64, StoreError> {
        task::sweep(self.writing()?, now.minus(window_max)).await
    }

    async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(self.writer.send(Command::Stop).await);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the store's writer did not stop in order");
        }
    }
}

/// Bytes of records that may wait for the writer together.
const QUEUED_BYTES_MAX: usize = 256 << 20;
