//! The store: opening and closing it, and the contract, each method handed to the file of its noun.

use crate::{
    change, check, connection, decision,
    error::{backend, unsigned},
    ledger, migrate, objects,
    pool::Readers,
    secret, task,
    writer::{Company, Job, Message, Tx, Writer},
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
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};
use tokio::sync::mpsc;

/// A plane's state in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Readers,
    writer: mpsc::Sender<Message>,
    company: Arc<Company>,
    thread: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
    /// Bytes of records on their way to the writer.
    queued_bytes: Room,
    /// Buffered decisions on their way to the writer.
    buffered: Room,
    record_bytes_max: RecordBytesMax,
    /// Keeps a second plane out.
    _lock: File,
    /// Holds the file of a store that vanishes.
    _scratch: Option<tempfile::TempDir>,
    #[cfg(test)]
    pub(crate) faults: crate::writer::fault::Faults,
}

impl SqliteStore {
    /// Opens the store in this file, making it if there is none. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// When another plane has it open, it was made by a newer Provost, or the disk or file is not in order.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, StoreError> {
        Self::start(path, limits, true, None)
    }

    /// A store that vanishes with this value, for tests: nothing in it is durable.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn open_in_memory(limits: &Limits) -> Result<Self, StoreError> {
        let scratch = tempfile::tempdir().map_err(|error| backend("make a temporary directory", error))?;
        let path = scratch.path().join("provost.db");
        Self::start(&path, limits, false, Some(scratch))
    }

    fn start(
        path: &Path,
        limits: &Limits,
        synced: bool,
        scratch: Option<tempfile::TempDir>,
    ) -> Result<Self, StoreError> {
        let lock = connection::lock(path)?;
        let mut db = connection::writer(path, synced)?;
        migrate::migrate(&mut db)?;
        let readers = Readers::open(path)?;
        let (writer, inbox) = mpsc::channel(limits.journal_queue_max.max(1));
        let company = Arc::new(Company::new());
        #[cfg(test)]
        let faults = crate::writer::fault::Faults::default();
        let work = Writer::new(
            db,
            inbox,
            Arc::clone(&company),
            #[cfg(test)]
            faults.clone(),
        );
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work.run())
            .map_err(|error| backend("start its writer", error))?;
        Ok(Self {
            readers,
            writer,
            company,
            thread: Mutex::new(Some(thread)),
            closed: AtomicBool::new(false),
            queued_bytes: Room::of(QUEUED_BYTES_MAX),
            buffered: Room::of(limits.journal_buffered_max),
            record_bytes_max: limits.into(),
            _lock: lock,
            _scratch: scratch,
            #[cfg(test)]
            faults,
        })
    }

    /// Has the writer do this, waiting for a place in its queue, and waits until it is durable.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, answer) = Job::command(work);
        self.open_only()?;
        self.writer.send(Message::Do(job)).await.map_err(|_gone| StoreError::Closed)?;
        // No answer at all: the writer died between taking the command and answering it.
        answer.await.unwrap_or(Err(StoreError::Uncertain))
    }

    /// As [`Self::write`], in company: nobody waits for it.
    async fn write_in_company<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, answer) = Job::command(work);
        self.open_only()?;
        self.company.join(job, &self.writer)?;
        answer.await.unwrap_or(Err(StoreError::Uncertain))
    }

    async fn try_write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let (job, answer) = Job::command(work);
        self.try_send(Message::Do(job))?;
        answer.await.unwrap_or(Err(StoreError::Uncertain)).map_err(RecordError::Store)
    }

    fn try_send(&self, message: Message) -> Result<(), RecordError> {
        self.open_only()?;
        self.writer.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RecordError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => RecordError::Store(StoreError::Closed),
        })
    }

    fn open_only(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The thread ends by itself once nobody can send; the file is folded and unlocked after that. A drop may
        // happen on an asynchronous thread, so it is not waited for here: `close` waits.
        self.closed.store(true, Ordering::Release);
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn head(&self) -> Result<Seq, StoreError> {
        self.readers.read(change::head).await
    }

    async fn load(&self, row: &mut (dyn FnMut(Object) + Send)) -> Result<Seq, StoreError> {
        let (portions, mut inbox) = mpsc::channel(PORTIONS_AHEAD);
        let reading = self.readers.read(move |db| objects::load(db, &portions));
        // What is read is taken in while more is read.
        let taking_in = async {
            while let Some(portion) = inbox.recv().await {
                portion.into_iter().for_each(&mut *row);
            }
        };
        tokio::join!(reading, taking_in).0
    }

    async fn load_at(&self, seq: Seq, keys: &[ObjectKey]) -> Result<Vec<Object>, StoreError> {
        let keys = keys.to_vec();
        self.readers.read(move |db| objects::load_at(db, seq, &keys)).await
    }

    async fn load_shared_at(&self, seq: Seq) -> Result<Vec<Object>, StoreError> {
        self.readers.read(move |db| objects::load_shared_at(db, seq)).await
    }

    async fn tail(&self, after: Seq, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        self.readers.read(move |db| change::tail(db, after, max)).await
    }

    async fn history(&self, key: &ObjectKey, max: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        let key = key.clone();
        self.readers.read(move |db| change::history(db, &key, max)).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<ChangeReceipt, CommitError> {
        self.write(move |tx| change::commit(tx, &set)).await?
    }

    async fn version(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let key = key.clone();
        self.readers.read(move |db| objects::version(db, &key)).await
    }

    async fn record(&self, intent: Intent) -> Result<Receipt, RecordError> {
        let draft = DecisionDraft::new(intent, self.record_bytes_max)?;
        let _held = self.queued_bytes.hold(draft.draft.record.len())?;
        let id = draft.id;
        self.try_write(move |tx| decision::record(tx, &draft)).await??;
        Ok(danger::receipt_after_commit(id))
    }

    async fn record_buffered(&self, intent: Intent) -> Result<(), RecordError> {
        let draft = DecisionDraft::buffered(intent, self.record_bytes_max)?;
        let held = (self.queued_bytes.hold(draft.draft.record.len())?, self.buffered.hold(1)?);
        // Nobody waits for the answer; an error of the transaction is logged by the writer.
        let (job, _answer) = Job::command(move |tx: &mut Tx<'_>| {
            let _held = &held;
            decision::record(tx, &draft).map(drop)
        });
        self.open_only()?;
        self.company.join(job, &self.writer).map_err(RecordError::Store)
    }

    async fn complete(&self, completion: Completion, task: Option<TaskId>) -> Result<TaskState, StoreError> {
        let draft = Draft::completion(&completion)?;
        self.write(move |tx| task::complete(tx, &draft, &completion, task, &[])).await?
    }

    async fn complete_remembering(
        &self,
        completion: Completion,
        task: TaskId,
        chunk: Vec<u8>,
    ) -> Result<TaskState, StoreError> {
        let draft = Draft::completion(&completion)?;
        self.write(move |tx| task::complete(tx, &draft, &completion, Some(task), &chunk)).await?
    }

    async fn task_memory(&self, task: TaskId, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.readers.read(move |db| task::memory(db, task, after)).await
    }

    async fn complete_in_company(
        &self,
        completion: Completion,
        task: Option<TaskId>,
    ) -> Result<TaskState, StoreError> {
        let draft = Draft::completion(&completion)?;
        self.write_in_company(move |tx| task::complete(tx, &draft, &completion, task, &[])).await?
    }

    async fn unfinished(
        &self,
        node: Option<NodeId>,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<DecisionId>, StoreError> {
        self.readers.read(move |db| decision::unfinished(db, node, before, max)).await
    }

    async fn refused(&self, refused: Refused) -> Result<(), StoreError> {
        let draft = Draft::refused(&refused)?;
        self.write_in_company(move |tx| ledger::journal(tx, &draft).map(drop)).await
    }

    async fn task_state(&self, task: TaskId) -> Result<TaskState, StoreError> {
        self.readers.read(move |db| task::state(db, task)).await
    }

    async fn balances(&self, keys: &[WindowKey], now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        let keys = keys.to_vec();
        self.readers.read(move |db| task::balances(db, keys, now)).await
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
        self.readers.read(move |db| decision::one(db, id)).await
    }

    async fn decisions(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db| decision::page(db, &filter)).await
    }

    async fn tally(&self, since: Timestamp, step: DurationMs, max: usize) -> Result<Tally, StoreError> {
        self.readers.read(move |db| decision::tally(db, since, step, max)).await
    }

    async fn put_sealed(&self, name: &Name, sealed: &[u8]) -> Result<(), StoreError> {
        let (name, sealed) = (name.clone(), sealed.to_vec());
        self.write(move |tx| secret::put_sealed(tx, &name, &sealed)).await
    }

    async fn sealed(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.clone();
        self.readers.read(move |db| secret::sealed(db, &name)).await
    }

    async fn put_meta(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_vec());
        self.write(move |tx| secret::put_meta(tx, &key, &value)).await
    }

    async fn put_meta_if_absent(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (key, value) = (key.to_owned(), value.to_vec());
        self.write(move |tx| secret::put_meta_if_absent(tx, &key, &value)).await
    }

    async fn remember(&self, word: Digest, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |tx| secret::remember(tx, word, until, now)).await
    }

    async fn keep(
        &self,
        word: Digest,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<u8>, StoreError> {
        let value = value.to_vec();
        self.write(move |tx| secret::keep(tx, word, &value, until, now)).await
    }

    async fn kept(&self, word: Digest, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        self.readers.read(move |db| secret::kept(db, word, now)).await
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        self.readers.read(move |db| secret::meta(db, &key)).await
    }

    async fn unsequenced(&self, max: usize) -> Result<Vec<JournalRow>, StoreError> {
        self.readers.read(move |db| ledger::unsequenced(db, max)).await
    }

    async fn sequence(&self, sequenced: Sequenced) -> Result<bool, StoreError> {
        self.write_in_company(move |tx| ledger::sequence(tx, &sequenced)).await?
    }

    async fn ledger_head(&self) -> Result<LedgerHead, StoreError> {
        self.readers.read(ledger::head).await
    }

    async fn tile(&self, key: TileKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.readers.read(move |db| ledger::tile(db, key)).await
    }

    async fn leaves(&self, from: u64, max: usize) -> Result<Vec<StoredLeaf>, StoreError> {
        self.readers.read(move |db| ledger::leaves(db, from, max)).await
    }

    async fn leaf_of(&self, kind: JournalKind, id: &str) -> Result<Option<StoredLeaf>, StoreError> {
        let id = id.to_owned();
        self.readers.read(move |db| ledger::leaf_of(db, kind, &id)).await
    }

    async fn checkpoints(&self, max: usize) -> Result<Vec<String>, StoreError> {
        self.readers.read(move |db| ledger::checkpoints(db, max)).await
    }

    async fn check(&self) -> Result<Vec<Fault>, StoreError> {
        let mut faults = self.readers.read(check::tables).await?;
        if self.open_only().is_ok() {
            faults.extend(self.write(check::remembered).await?);
        }
        Ok(faults)
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let to = to.to_owned();
        self.readers.read(move |db| check::backup(db, &to)).await
    }

    async fn sweep(&self, now: Timestamp, window_max: DurationMs) -> Result<u64, StoreError> {
        let before = now.minus(window_max);
        self.write(move |tx| task::sweep(tx, before)).await.map(unsigned)
    }

    async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(self.writer.send(Message::Stop).await);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let stopped = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(stopped, Ok(Ok(()))) {
                tracing::error!("the store's writer did not stop in order");
            }
        }
    }
}

/// Portions of rows that a load reads ahead of whoever takes them in.
const PORTIONS_AHEAD: usize = 16;
/// Bytes of records that may wait for the writer together.
const QUEUED_BYTES_MAX: usize = 256 << 20;
