//! What the store is asked.

use crate::WindowKey;
use provost_domain::{Completion, Decision, Name, NodeId, TaskId, Timestamp};
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
    /// Made by another node than this.
    pub other_than: Option<NodeId>,
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

/// How many decisions there were, step of time by step of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Each step and verdict that had any.
    pub counts: Vec<TallyCount>,
    /// When there were more than could be counted: the earliest that was.
    pub only_since: Option<Timestamp>,
}

/// Decisions of one verdict in one step of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TallyCount {
    /// Which step, from 0.
    pub step: u64,
    /// `allow`, `hold`, `deny`.
    pub verdict: String,
    /// How many.
    pub count: u64,
}

/// What a window has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Which window.
    pub window: WindowKey,
    /// What charges within it add up to.
    pub used: i64,
}

impl Tally {
    /// From counts, each with the earliest moment in it, of at most `max` decisions.
    #[must_use]
    pub fn of(found: Vec<(TallyCount, i64)>, max: usize) -> Self {
        let counted: u64 = found.iter().map(|(count, _)| count.count).sum();
        let first = found.iter().map(|(_, at)| *at).min().map(Timestamp::from_millis);
        let full = usize::try_from(counted).is_ok_and(|counted| counted >= max);
        let counts = found.into_iter().map(|(count, _)| count).collect();
        Self { counts, only_since: first.filter(|_| full) }
    }
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
