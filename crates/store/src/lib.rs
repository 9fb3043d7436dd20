//! The one door to durable state. Nothing but a `store-*` crate speaks SQL; nothing but [`Store::commit`] changes
//! the organisation, and every change carries its record in the same transaction.
//!
//! Two native drivers implement the contract, and both pass `conformance`. Words here are the domain's: commit,
//! record, complete, load, tail; never `execute(sql)`.
//!
//! **What is durable when.** Every method that returns `Ok` has synced what it promised (SQLite `synchronous=FULL`,
//! PostgreSQL `synchronous_commit=on`), except [`Store::record_buffered`], whose name says so.

mod approvals;
mod change;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod driver;
mod error;
mod findings;
mod intent;
mod ledger;
mod permit;
mod query;

pub use approvals::{NewestApproval, approval, approval_granted, approval_used_by, newest_approval};
pub use change::{Attribution, ChangeReceipt, ChangeRecord, ChangeSet, Write};
pub use clock::SystemClock;
pub use error::{CommitError, RecordError, StoreError};
pub use findings::{finding, raise_finding};
pub use intent::{Charge, Intent, Receipt, TaskExpectation, WindowKey, danger};
pub use ledger::{JournalKind, JournalRow, LedgerHead, Sequenced, StoredLeaf, TileKey};
pub use permit::{Permit, Recorded};
pub use query::{Balance, DecisionFilter, DecisionPage, Fault, StoredDecision, Tally, TallyCount};

use async_trait::async_trait;
use provost_domain::{
    Completion, DecisionId, Digest, DurationMs, Name, NodeId, Object, ObjectKey, Seq, TaskId, TaskState,
    Timestamp, decision::Refused,
};

/// Durable state of one plane. Implemented by `SqliteStore` and `PostgresStore`, and by nothing else in production.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // --- changes: rare, strictly ordered ---------------------------------------------------------------------

    /// Position of the last committed change. Also the heartbeat of the lease: it reads the truth, not a cache.
    async fn head(&self) -> Result<Seq, StoreError>;

    /// Hands over every row, each after those it may refer to, and gives the position they are of; all are read in one
    /// snapshot. Ended tasks are left out. Rows come as they are read, so that a million need not be held twice, and
    /// share what they say alike ([`provost_domain::Pool`]). After an error, what was handed over is of no position and
    /// to be thrown away.
    async fn load(&self, row: &mut (dyn FnMut(Object) + Send)) -> Result<Seq, StoreError>;

    /// The rows under these keys as they stood at an earlier position; a row that did not exist is left out.
    async fn load_at(&self, seq: Seq, keys: &[ObjectKey]) -> Result<Vec<Object>, StoreError>;

    /// All rows of the kinds that every decision may read (organisation, systems, tools, policies, applications,
    /// people, workloads, issuers, containments) as they stood at an earlier position.
    async fn load_shared_at(&self, seq: Seq) -> Result<Vec<Object>, StoreError>;

    /// Changes after a position, in order and without gaps, at most `max`.
    async fn tail(&self, after: Seq, max: usize) -> Result<Vec<ChangeRecord>, StoreError>;

    /// The changes of one row, newest first, at most `max`.
    async fn history(&self, key: &ObjectKey, max: usize) -> Result<Vec<ChangeRecord>, StoreError>;

    /// Makes all writes of the set, or none, in one transaction with one change record each. A write whose expected
    /// version is not the row's is a [`CommitError::Conflict`]; a claim somebody else holds is
    /// [`CommitError::Taken`]. Ending a task's row also ends its charges.
    async fn commit(&self, set: ChangeSet) -> Result<ChangeReceipt, CommitError>;

    /// The version a row stands at; 0 when there is none.
    async fn version(&self, key: &ObjectKey) -> Result<u64, StoreError>;

    // --- decisions: hot, group commit ------------------------------------------------------------------------

    /// Writes a decision and returns when it is durable. In the same transaction, for an `Allow`: checks that the
    /// task's state is still at the version the decision saw, and takes every charge, all or none. Recording the same
    /// decision again, after an error that left open whether it happened, is `Ok` and takes nothing twice.
    async fn record(&self, intent: Intent) -> Result<Receipt, RecordError>;

    /// Queues a decision that has no charge and no expectation, and returns at once; at most
    /// `limits.journal_buffered_max` may be waiting, beyond it this is [`RecordError::QueueFull`]. A crash may lose
    /// what waits: only for questions the plane does not act on (AuthZEN reads of an application that chose it).
    async fn record_buffered(&self, intent: Intent) -> Result<(), RecordError>;

    /// Writes what came of a decision and, in the same transaction, adds the labels to the task's state, raising
    /// its version if they are new. Durable on return. Completing twice keeps the first record and is `Ok`; the labels
    /// of the second bind all the same, since its result is about to be handed out. A decision that was never
    /// recorded, or was no `Allow`, is [`StoreError::Unsupported`].
    async fn complete(&self, completion: Completion, task: Option<TaskId>) -> Result<TaskState, StoreError>;

    /// As [`Store::complete`], for an outcome that no answer waits for: it may be kept back for a moment, so that it shares
    /// a transaction, and its sync, with records that are waited for.
    async fn complete_in_company(
        &self,
        completion: Completion,
        task: Option<TaskId>,
    ) -> Result<TaskState, StoreError> {
        self.complete(completion, task).await
    }

    /// As [`Store::complete`], and in the same transaction keeps what the result brought into the task, under the version
    /// that the task's state then has: it is raised even if no label is new. Ending the task's row ends what was kept.
    async fn complete_remembering(
        &self,
        completion: Completion,
        task: TaskId,
        chunk: Vec<u8>,
    ) -> Result<TaskState, StoreError>;

    /// What results brought into a task after this version, oldest first, each under its version.
    async fn task_memory(&self, task: TaskId, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;

    /// Allowed decisions of `node` (of every node, if `None`) older than `before` that nobody completed, oldest first.
    /// Those of the face `authzen` are left out: another enforcement point acts on them, and nobody ever tells.
    async fn unfinished(
        &self,
        node: Option<NodeId>,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<DecisionId>, StoreError>;

    /// A refusal that came before there was anything to decide on.
    async fn refused(&self, refused: Refused) -> Result<(), StoreError>;

    /// The state of a task; the default for one that has gained nothing.
    async fn task_state(&self, task: TaskId) -> Result<TaskState, StoreError>;

    /// What each of these windows has left at `now`.
    async fn balances(&self, keys: &[WindowKey], now: Timestamp) -> Result<Vec<Balance>, StoreError>;

    /// One decision with what came of it.
    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError>;

    /// Decisions, newest first.
    async fn decisions(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError>;

    /// Counts decisions from a moment on, by verdict and by steps of this length; at most the newest `max` of them, so that a
    /// busy plane is not walked through for a picture.
    async fn tally(&self, since: Timestamp, step: DurationMs, max: usize) -> Result<Tally, StoreError> {
        let filter = DecisionFilter { since: Some(since), max, ..DecisionFilter::default() };
        let step = i64::try_from(step.0).unwrap_or(i64::MAX).max(1);
        let found = self.decisions(&filter).await?.decisions;
        let one = |stored: &StoredDecision| {
            let at = stored.decision.at.as_millis();
            let step = at.saturating_sub(since.as_millis()).checked_div(step).unwrap_or_default();
            let step = u64::try_from(step).unwrap_or_default();
            (TallyCount { step, verdict: stored.decision.verdict.as_str().to_owned(), count: 1 }, at)
        };
        Ok(Tally::of(found.iter().map(one).collect(), max))
    }

    // --- secrets: sealed before they come here ----------------------------------------------------------------

    /// Keeps a sealed credential under a name, in place of the one before. Not a change: the ledger records that
    /// it happened through the `ChangeSet` of the caller, never what it was.
    async fn put_sealed(&self, name: &Name, sealed: &[u8]) -> Result<(), StoreError>;

    /// The sealed credential under a name.
    async fn sealed(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError>;

    /// A small named value that is not part of the organisation: key material (sealed), settings of the plane.
    async fn put_meta(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Puts a named value only if there is none yet; returns what stands afterwards.
    async fn put_meta_if_absent(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Remembers a word until a moment: `true` the first time, `false` as long as it is remembered already, on every node
    /// and across restarts. For what may be presented once only, such as a signed assertion. Durable on return.
    async fn remember(&self, word: Digest, until: Timestamp, now: Timestamp) -> Result<bool, StoreError>;

    /// Keeps a value under a word until a moment. The first stands, on every node and across restarts; gives what stands.
    /// For what must be found again for a while and is nobody's row: the answer to a request that may be repeated. Durable
    /// on return.
    async fn keep(
        &self,
        word: Digest,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<u8>, StoreError>;

    /// What is kept under a word, unless its time has passed.
    async fn kept(&self, word: Digest, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;

    /// The value under a key.
    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    // --- ledger: one sequencer merges every journal row into the tree -----------------------------------------

    /// Journal rows that have no leaf yet, in the order in which they are to be sequenced, at most `max`. A row once
    /// returned keeps its place: later calls never put an unseen row before it.
    async fn unsequenced(&self, max: usize) -> Result<Vec<JournalRow>, StoreError>;

    /// Appends leaves, tiles and the signed checkpoint in one transaction, if the tree still has
    /// `sequenced.expected_size` leaves; `Ok(false)` when another node was faster and nothing was written.
    async fn sequence(&self, sequenced: Sequenced) -> Result<bool, StoreError>;

    /// Size and signed checkpoint of the tree; size 0 and an empty checkpoint at first.
    async fn ledger_head(&self) -> Result<LedgerHead, StoreError>;

    /// The newest stored bytes of a tile (a multiple of 32; partial tiles are replaced as they grow).
    async fn tile(&self, key: TileKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// Leaves with their journal records from an index on, at most `max`.
    async fn leaves(&self, from: u64, max: usize) -> Result<Vec<StoredLeaf>, StoreError>;

    /// The leaf of a journal record, by kind and id.
    async fn leaf_of(&self, kind: JournalKind, id: &str) -> Result<Option<StoredLeaf>, StoreError>;

    /// Earlier signed checkpoints, newest first, thinned out to at most `max`.
    async fn checkpoints(&self, max: usize) -> Result<Vec<String>, StoreError>;

    // --- care ------------------------------------------------------------------------------------------------

    /// Looks for rows that contradict each other: tables against change records, completions without decisions,
    /// balances against charges, the database's own integrity check. Empty when all is well.
    async fn check(&self) -> Result<Vec<Fault>, StoreError>;

    /// A consistent copy, made while running. SQLite writes one file; PostgreSQL refuses and names `pg_dump`.
    async fn backup(&self, to: &std::path::Path) -> Result<(), StoreError>;

    /// Forgets charges whose window has passed, and what calls brought into tasks that had ended by then; at most a bounded
    /// batch. Called now and then by the plane.
    async fn sweep(&self, now: Timestamp, window_max: DurationMs) -> Result<u64, StoreError>;

    /// Writes out everything queued and stops the writer. Later writes are [`StoreError::Closed`].
    async fn close(&self);
}
