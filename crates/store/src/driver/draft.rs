//! Records as they go to the writer: canonical text, salt and columns are made on the caller's side, so that the one
//! writer only writes.

use super::hides_nul;
use crate::{ChangeRecord, Charge, Intent, JournalKind, StoreError, TaskExpectation};
use provost_domain::{
    Completion, Decision, DecisionId, Label, NodeId, TaskId, TaskState, Timestamp, canonical,
    decision::Refused, limits::Limits,
};
use rand::{TryRngCore as _, rngs::OsRng};
use serde::Serialize;
use std::collections::BTreeSet;

/// A journal row to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The kind of record.
    pub kind: JournalKind,
    /// Unique inside the kind.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// Random bytes from the operating system.
    pub salt: [u8; 16],
    /// Canonical JSON (RFC 8785).
    pub record: String,
}

impl Draft {
    /// Of a completion.
    ///
    /// # Errors
    /// When it cannot be encoded, or the operating system gives no random bytes.
    pub fn completion(completion: &Completion) -> Result<Self, StoreError> {
        Self::new(JournalKind::Completion, completion.decision.to_string(), completion.at, completion)
    }

    /// Of an early refusal; its id is drawn.
    ///
    /// # Errors
    /// As [`Draft::completion`].
    pub fn refused(refused: &Refused) -> Result<Self, StoreError> {
        let mut random = [0; 10];
        random.copy_from_slice(salt()?.first_chunk::<10>().unwrap_or(&[0; 10]));
        // An id of the decisions' kind would mislead; its digits alone sort by time and are unique.
        let digits = DecisionId::new(refused.at, random).to_string();
        let id = format!("refused{}", digits.strip_prefix("decision").unwrap_or(&digits));
        Self::new(JournalKind::Refused, id, refused.at, refused)
    }

    /// Of a change.
    ///
    /// # Errors
    /// As [`Draft::completion`].
    pub fn change(change: &ChangeRecord) -> Result<Self, StoreError> {
        Self::new(JournalKind::Change, format!("change-{}", change.seq), change.at, change)
    }

    fn new(
        kind: JournalKind,
        id: String,
        at: Timestamp,
        record: &impl Serialize,
    ) -> Result<Self, StoreError> {
        let record = canonical::to_string(record).map_err(|source| StoreError::Corrupt {
            what: format!("{} {id}", kind.as_str()),
            why: source.to_string(),
        })?;
        Ok(Self { kind, id, at, salt: salt()?, record })
    }
}

/// A decision to be recorded, with the columns it is found by and the conditions it stands under.
#[derive(Debug, Clone)]
pub struct DecisionDraft {
    /// The journal row.
    pub draft: Draft,
    /// Its id.
    pub id: DecisionId,
    /// The node that made it.
    pub node: NodeId,
    /// The face it came through.
    pub face: String,
    /// Name or id of who wanted to act.
    pub subject: String,
    /// The task.
    pub task: Option<TaskId>,
    /// The system or application.
    pub system: String,
    /// `allow`, `hold`, `deny`.
    pub verdict: &'static str,
    /// Only for an `Allow`.
    pub expects: Option<TaskExpectation>,
    /// Only for an `Allow`.
    pub charges: Vec<Charge>,
}

impl DecisionDraft {
    /// Encodes an intent.
    ///
    /// # Errors
    /// When the record is larger than `bytes_max`, a charge is negative, or the record cannot be encoded.
    pub fn new(intent: Intent, bytes_max: RecordBytesMax) -> Result<Self, StoreError> {
        let Intent { decision, expects, charges } = intent;
        let draft =
            Draft::new(JournalKind::Decision, decision.id.to_string(), decision.at, decision.as_ref())?;
        if draft.record.len() > bytes_max.0 {
            return Err(StoreError::Unsupported(
                "the record of this decision is larger than twice the limit `body_bytes_max` and 64 KiB: \
                 send smaller arguments",
            ));
        }
        if charges.iter().any(|charge| charge.amount < 0) {
            return Err(StoreError::Unsupported("a charge is negative: a budget cannot be filled by a call"));
        }
        let Decision { id, node, face, subject, system, verdict, .. } = decision.as_ref();
        let allow = verdict.is_allow();
        Ok(Self {
            draft,
            id: *id,
            node: *node,
            face: hides_nul(face.clone()),
            subject: hides_nul(subject.id.clone()),
            task: subject.task,
            system: system.as_str().to_owned(),
            verdict: verdict.as_str(),
            expects: expects.filter(|_| allow),
            charges: if allow { charges } else { Vec::new() },
        })
    }

    /// Encodes an intent that will not be waited for.
    ///
    /// # Errors
    /// When it takes from a budget or depends on a task's state, and as [`DecisionDraft::new`].
    pub fn buffered(intent: Intent, bytes_max: RecordBytesMax) -> Result<Self, StoreError> {
        if !intent.charges.is_empty() || intent.expects.is_some() {
            return Err(StoreError::Unsupported(
                "a decision that takes from a budget or depends on a task's state cannot be buffered",
            ));
        }
        Self::new(intent, bytes_max)
    }

    /// Whether anything must hold for it to be recorded.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.expects.is_some() || !self.charges.is_empty()
    }
}

/// The most bytes one record may have.
#[derive(Debug, Clone, Copy)]
pub struct RecordBytesMax(pub usize);

impl From<&Limits> for RecordBytesMax {
    /// Room for a whole request body, escaped where JSON must, and for what the plane adds.
    fn from(limits: &Limits) -> Self {
        Self(limits.body_bytes_max.saturating_mul(2).saturating_add(64 << 10))
    }
}

/// The state after these labels, or `None` when they are no news. What is remembered beside them is always news.
#[must_use]
pub fn gain(state: &TaskState, labels: &BTreeSet<Label>, remembers: bool) -> Option<TaskState> {
    if labels.is_subset(&state.labels) && !remembers {
        return None;
    }
    let labels = state.labels.union(labels).cloned().collect();
    Some(TaskState { version: state.version.saturating_add(1), labels })
}

/// Sixteen random bytes from the operating system.
///
/// # Errors
/// When it gives none.
pub fn salt() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    OsRng.try_fill_bytes(&mut bytes).map_err(|source| StoreError::Backend {
        backend: "operating system's random",
        doing: "draw a salt",
        source: Box::new(source),
    })?;
    Ok(bytes)
}

/// The same error once more, for everybody who waited on the same transaction.
#[must_use]
pub fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Backend { backend, doing, source } => {
            StoreError::Backend { backend, doing, source: chain(source.as_ref()).into() }
        }
        StoreError::DiskFull => StoreError::DiskFull,
        StoreError::Corrupt { what, why } => StoreError::Corrupt { what: what.clone(), why: why.clone() },
        StoreError::Uncertain => StoreError::Uncertain,
        StoreError::Closed => StoreError::Closed,
        StoreError::Unsupported(what) => StoreError::Unsupported(what),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
