//! The permit: proof, as a value, that an allowed decision is on record. No record, no permit; no permit, no act.

use crate::Receipt;
use provost_domain::{Decision, DecisionId, Verdict};
use std::sync::Arc;

/// Leave to carry out exactly one recorded action, once. It cannot be copied, kept or made up: there is no public
/// constructor, and whatever acts takes it by value (`tests/compile_fail` keeps the compiler's errors).
#[derive(Debug)]
pub struct Permit {
    decision: DecisionId,
    _spent_by_acting: (),
}

impl Permit {
    /// The decision it stands on.
    #[must_use]
    pub fn decision(&self) -> DecisionId {
        self.decision
    }
}

/// A decision together with the receipt that it is durable.
#[derive(Debug)]
pub struct Recorded {
    decision: Arc<Decision>,
    receipt: Receipt,
}

impl Recorded {
    /// Joins a decision to its receipt; `None` when the receipt is another decision's.
    #[must_use]
    pub fn new(decision: Arc<Decision>, receipt: Receipt) -> Option<Self> {
        (receipt.decision() == decision.id).then_some(Self { decision, receipt })
    }

    /// The decision.
    #[must_use]
    pub fn decision(&self) -> &Arc<Decision> {
        &self.decision
    }

    /// The permit, if and only if the recorded verdict is an explicit `Allow`; spends the receipt.
    ///
    /// # Errors
    /// The decision, whose verdict is then the refusal.
    pub fn permit(self) -> Result<Permit, Arc<Decision>> {
        match self.decision.verdict {
            Verdict::Allow { .. } => Ok(Permit { decision: self.receipt.decision(), _spent_by_acting: () }),
            Verdict::Hold { .. } | Verdict::Deny { .. } => Err(self.decision),
        }
    }
}
