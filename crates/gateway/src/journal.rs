//! The gateway's side of the record: decisions before acting, outcomes after, early refusals at a bounded rate.

use crate::refusal::Refusal;
use provost_domain::{Clock, Completion, Decision, NodeId, TaskId, TaskState, Timestamp, decision::Refused};
use provost_store::{Intent, RecordError, Recorded, Store, StoreError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Writes what the gateway decides and sees.
pub struct Journal {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    early: Mutex<HashMap<(&'static str, &'static str), Early>>,
}

/// Early refusals of one code since the last record of that code.
struct Early {
    recorded_at: Timestamp,
    count: u64,
}

impl Journal {
    /// A journal of this node.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, node: NodeId) -> Self {
        Self { store, clock, node, early: Mutex::default() }
    }

    /// Makes a decision durable, with what it takes from budgets.
    ///
    /// # Errors
    /// When it could not be made durable, or must be made again; then nothing was taken and nothing may happen.
    pub async fn record(&self, intent: Intent) -> Result<Recorded, RecordError> {
        let decision = Arc::clone(&intent.decision);
        let receipt = self.store.record(intent).await?;
        Recorded::new(decision, receipt).ok_or_else(|| {
            RecordError::Store(StoreError::Corrupt {
                what: "receipt".into(),
                why: "it is another decision's".into(),
            })
        })
    }

    /// Makes a decision durable that takes nothing from budgets and that the plane does not act on.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn record_only(&self, decision: Arc<Decision>) -> Result<(), RecordError> {
        self.store.record(Intent { decision, expects: None, charges: Vec::new() }).await.map(drop)
    }

    /// Queues a decision the plane does not act on.
    ///
    /// # Errors
    /// When the bounded queue is full.
    pub async fn record_buffered(&self, decision: Arc<Decision>) -> Result<(), RecordError> {
        self.store.record_buffered(Intent { decision, expects: None, charges: Vec::new() }).await
    }

    /// Makes an outcome durable, with the labels the task gained.
    ///
    /// # Errors
    /// When it could not; the result must then not be released.
    pub async fn complete(
        &self,
        completion: Completion,
        task: Option<TaskId>,
    ) -> Result<TaskState, StoreError> {
        self.store.complete(completion, task).await
    }

    /// As [`Journal::complete`], with what the result brought into the task.
    ///
    /// # Errors
    /// As [`Journal::complete`].
    pub async fn complete_remembering(
        &self,
        completion: Completion,
        task: TaskId,
        chunk: Vec<u8>,
    ) -> Result<TaskState, StoreError> {
        self.store.complete_remembering(completion, task, chunk).await
    }

    /// As [`Journal::complete`], for an outcome that nobody waits for: it becomes durable in company.
    ///
    /// # Errors
    /// When it could not; it is `unknown` from the next start on.
    pub async fn complete_in_company(
        &self,
        completion: Completion,
        task: Option<TaskId>,
    ) -> Result<TaskState, StoreError> {
        self.store.complete_in_company(completion, task).await
    }

    /// Leaves a trace of a call refused before there was a decision: the first of its code at once, the others
    /// counted into one record a minute, so that a flood of bad tokens does not become a flood of records.
    pub fn refused(self: &Arc<Self>, face: &'static str, refusal: &Refusal) {
        if matches!(refusal, Refusal::Verdict(_) | Refusal::Held(_)) {
            return;
        }
        let (code, now) = (refusal.code(), self.clock.now());
        let Some(count) = self.count_early(face, code, now) else { return };
        let refused = Refused {
            v: 1,
            at: now,
            node: self.node,
            face: face.to_owned(),
            code: code.to_owned(),
            message: refusal.to_string().chars().take(REFUSED_MESSAGE_CHARS_MAX).collect(),
            count,
        };
        let journal = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = journal.store.refused(refused).await {
                tracing::warn!(%error, "an early refusal could not be recorded");
            }
        });
    }

    fn count_early(&self, face: &'static str, code: &'static str, now: Timestamp) -> Option<u64> {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = early.get_mut(&(face, code)) else {
            early.insert((face, code), Early { recorded_at: now, count: 0 });
            return Some(1);
        };
        entry.count = entry.count.saturating_add(1);
        if now.since(entry.recorded_at).0 < EARLY_RECORD_INTERVAL_MS {
            return None;
        }
        entry.recorded_at = now;
        Some(std::mem::take(&mut entry.count))
    }
}

const EARLY_RECORD_INTERVAL_MS: u64 = 60_000;
const REFUSED_MESSAGE_CHARS_MAX: usize = 500;
