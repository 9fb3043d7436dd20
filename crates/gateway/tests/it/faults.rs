//! A store that fails when a test says so, in front of the real one.

use async_trait::async_trait;
use provost_domain::{
    Completion, DecisionId, Digest, DurationMs, Name, NodeId, Object, ObjectKey, Seq, TaskId, TaskState,
    Timestamp, decision::Refused,
};
use provost_store::{
    Balance, ChangeReceipt, ChangeRecord, ChangeSet, CommitError, DecisionFilter, DecisionPage, Fault,
    Intent, JournalKind, JournalRow, LedgerHead, Receipt, RecordError, Sequenced, Store, StoreError,
    StoredDecision, StoredLeaf, TileKey, WindowKey, Write,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What fails now.
#[derive(Default)]
pub struct Faults {
    /// Following the store, and reading a task's state.
    pub reads: AtomicBool,
    /// Recording decisions.
    pub record: AtomicBool,
    /// Decisions are recorded once nobody holds this.
    pub recording: tokio::sync::RwLock<()>,
    /// Recording outcomes.
    pub complete: AtomicBool,
    /// Marking approvals as used: what a crash right after the record leaves undone.
    pub marks: AtomicBool,
    /// Hearing that a change was made: it is made all the same.
    pub unheard: AtomicBool,
}

impl Faults {
    pub fn set(&self, fault: &AtomicBool) {
        fault.store(true, Ordering::SeqCst);
    }

    pub fn heal(&self) {
        for fault in self.all() {
            fault.store(false, Ordering::SeqCst);
        }
    }

    fn all(&self) -> [&AtomicBool; 5] {
        [&self.reads, &self.record, &self.complete, &self.marks, &self.unheard]
    }

    fn check(&self, fault: &AtomicBool) -> Result<(), StoreError> {
        if fault.load(Ordering::SeqCst) { Err(StoreError::DiskFull) } else { Ok(()) }
    }
}

/// The real store behind [`Faults`].
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn Store>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn head(&self) -> Result<Seq, StoreError> {
        self.faults.check(&self.faults.reads)?;
        self.inner.head().await
    }

    async fn load(&self, row: &mut (dyn FnMut(Object) + Send)) -> Result<Seq, StoreError> {
        self.inner.load(row).await
    }

    async fn load_at(&self, seq: Seq, keys: &[ObjectKey]) -> Result<Vec<Object>, StoreError> {
        self.inner.load_at(seq, keys).await
    }

    async fn load_shared_at(&self, seq: Seq) -> Result<Vec<Object>, StoreError> {
        self.inner.load_shared_at(seq).await
    }

    async fn tail(&self, after: Seq, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        self.faults.check(&self.faults.reads)?;
        self.inner.tail(after, max).await
    }

    async fn history(&self, key: &ObjectKey, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        self.inner.history(key, max).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<ChangeReceipt, CommitError> {
        let marks = set.writes.iter().any(|write| match write {
            Write::Put { object: Object::Approval(row), .. } => row.status.as_str() == "used",
            _ => false,
        });
        if marks {
            self.faults.check(&self.faults.marks)?;
        }
        let made = self.inner.commit(set).await?;
        self.faults.check(&self.faults.unheard)?;
        Ok(made)
    }

    async fn version(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        self.inner.version(key).await
    }

    async fn record(&self, intent: Intent) -> Result<Receipt, RecordError> {
        self.faults.check(&self.faults.record)?;
        let _free = self.faults.recording.read().await;
        self.inner.record(intent).await
    }

    async fn record_buffered(&self, intent: Intent) -> Result<(), RecordError> {
        self.inner.record_buffered(intent).await
    }

    async fn complete(&self, completion: Completion, task: Option<TaskId>) -> Result<TaskState, StoreError> {
        self.faults.check(&self.faults.complete)?;
        self.inner.complete(completion, task).await
    }

    async fn complete_remembering(
        &self,
        completion: Completion,
        task: TaskId,
        chunk: Vec<u8>,
    ) -> Result<TaskState, StoreError> {
        self.faults.check(&self.faults.complete)?;
        self.inner.complete_remembering(completion, task, chunk).await
    }

    async fn task_memory(&self, task: TaskId, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.inner.task_memory(task, after).await
    }

    async fn unfinished(
        &self,
        node: Option<NodeId>,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<DecisionId>, StoreError> {
        self.inner.unfinished(node, before, max).await
    }

    async fn refused(&self, refused: Refused) -> Result<(), StoreError> {
        self.inner.refused(refused).await
    }

    async fn task_state(&self, task: TaskId) -> Result<TaskState, StoreError> {
        self.faults.check(&self.faults.reads)?;
        self.inner.task_state(task).await
    }

    async fn balances(&self, keys: &[WindowKey], now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        self.inner.balances(keys, now).await
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
        self.inner.decision(id).await
    }

    async fn decisions(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        self.inner.decisions(filter).await
    }

    async fn put_sealed(&self, name: &Name, sealed: &[u8]) -> Result<(), StoreError> {
        self.inner.put_sealed(name, sealed).await
    }

    async fn sealed(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.sealed(name).await
    }

    async fn put_meta(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.inner.put_meta(key, value).await
    }

    async fn remember(&self, word: Digest, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.remember(word, until, now).await
    }

    async fn keep(
        &self,
        word: Digest,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<u8>, StoreError> {
        self.inner.keep(word, value, until, now).await
    }

    async fn kept(&self, word: Digest, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.kept(word, now).await
    }

    async fn put_meta_if_absent(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.inner.put_meta_if_absent(key, value).await
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.meta(key).await
    }

    async fn unsequenced(&self, max: usize) -> Result<Vec<JournalRow>, StoreError> {
        self.inner.unsequenced(max).await
    }

    async fn sequence(&self, sequenced: Sequenced) -> Result<bool, StoreError> {
        self.inner.sequence(sequenced).await
    }

    async fn ledger_head(&self) -> Result<LedgerHead, StoreError> {
        self.inner.ledger_head().await
    }

    async fn tile(&self, key: TileKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.tile(key).await
    }

    async fn leaves(&self, from: u64, max: usize) -> Result<Vec<StoredLeaf>, StoreError> {
        self.inner.leaves(from, max).await
    }

    async fn leaf_of(&self, kind: JournalKind, id: &str) -> Result<Option<StoredLeaf>, StoreError> {
        self.inner.leaf_of(kind, id).await
    }

    async fn checkpoints(&self, max: usize) -> Result<Vec<String>, StoreError> {
        self.inner.checkpoints(max).await
    }

    async fn check(&self) -> Result<Vec<Fault>, StoreError> {
        self.inner.check().await
    }

    async fn backup(&self, to: &std::path::Path) -> Result<(), StoreError> {
        self.inner.backup(to).await
    }

    async fn sweep(&self, now: Timestamp, window_max: DurationMs) -> Result<u64, StoreError> {
        self.inner.sweep(now, window_max).await
    }

    async fn close(&self) {
        self.inner.close().await
    }
}
