//! What the store is asked.

use crate::WindowKey;
use provost_domain::{Completion, Decision, Name, TaskId, Timestamp};
use serde::Serialize;

/// A decision with what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDecision {
    /// What was decided.
    pub decision: Decision,
    /// What came of it; `None` for a refusal, and for an allowed call still under way.
    pub completion: Option<Completion>,
    /// Its leaf in the ledger, once sequenced.
    pub leaf: Option<u64>,
}

/// Which decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Of this agent (or subject id).
    pub agent: Option<Name>,
    /// In this task.
    pub task: Option<TaskId>,
    /// On this system.
    pub system: Option<Name>,
    /// With this verdict: `allow`, `hold`, `deny`.
    pub verdict: Option<String>,
    /// Made at or after.
    pub since: Option<Timestamp>,
    /// Continue after this cursor.
    pub cursor: Option<String>,
    /// At most so many; capped by the caller's `page_size_max`.
    pub max: usize,
}

/// A page of decisions, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DecisionPage {
    /// The decisions.
    pub decisions: Vec<StoredDecision>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<String>,
}

/// What a window has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Which window.
    pub window: WindowKey,
    /// What charges within it add up to.
    pub used: i64,
}

impl Balance {
    /// What is left.
    #[must_use]
    pub fn left(&self) -> i64 {
        self.window.max.saturating_sub(self.used)
    }
}

/// Rows that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Which check found it.
    pub check: String,
    /// Which row, and in what way.
    pub detail: String,
}
