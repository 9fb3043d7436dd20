//! What the hot path asks the store to write, and the proof it gets.

use provost_domain::{Decision, DecisionId, DurationMs, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A decision about to be recorded.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The record; shared with whoever tells the verdict.
    pub decision: Arc<Decision>,
    /// The task state it was made on. Checked for an `Allow` only.
    pub expects: Option<TaskExpectation>,
    /// What it takes from budgets. Taken for an `Allow` only.
    pub charges: Vec<Charge>,
}

/// The version of a task's state that a decision saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskExpectation {
    /// Which task.
    pub task: TaskId,
    /// Which version of its state.
    pub version: u64,
}

/// What a call takes from one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Which balance, over how long, up to how much.
    pub window: WindowKey,
    /// How much: 1 for a count, ten-thousandths for a sum. Never negative.
    pub amount: i64,
}

/// A balance that refills as time passes. A charge made at `t` counts until `t + window` at least, and at most
/// one [`WindowKey::grain`] longer, so that never more than `max` falls into any window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WindowKey {
    /// Whose balance: `agent/refund-bot/refunds-a-day/count`, or `task/<id>/…`.
    pub key: String,
    /// The length of the window.
    pub window: DurationMs,
    /// What it may reach within a window.
    pub max: i64,
}

impl WindowKey {
    /// Charges are kept in grains of this length, so that a balance is never more than about a thousand rows.
    #[must_use]
    pub fn grain(&self) -> DurationMs {
        DurationMs((self.window.0 / GRAINS_PER_WINDOW).max(1))
    }

    /// The grain a moment falls into, as the moment at which the grain ends.
    #[must_use]
    pub fn slot(&self, at: Timestamp) -> Timestamp {
        let grain = i64::try_from(self.grain().0).unwrap_or(i64::MAX);
        Timestamp::from_millis(at.as_millis().div_euclid(grain).saturating_add(1).saturating_mul(grain))
    }

    /// Slots after this moment still count at `now`.
    #[must_use]
    pub fn counts_after(&self, now: Timestamp) -> Timestamp {
        now.minus(self.window)
    }
}

/// Proof that a decision is durable. Made by a store only, and spent by `Verdict`'s permit: no record, no permit.
#[derive(Debug)]
pub struct Receipt {
    decision: DecisionId,
    _made_by_a_store: (),
}

impl Receipt {
    /// The decision that is durable.
    #[must_use]
    pub fn decision(&self) -> DecisionId {
        self.decision
    }
}

/// What only the drivers may use; a reviewer greps one word.
pub mod danger {
    use super::{DecisionId, Receipt};

    /// States that this decision is durable. To be called by a `store-*` crate after its commit returned.
    #[must_use]
    pub fn receipt_after_commit(decision: DecisionId) -> Receipt {
        Receipt { decision, _made_by_a_store: () }
    }
}

const GRAINS_PER_WINDOW: u64 = 1_024;
