//! The permit: proof, as a value, that an allowed decision is on record. No record, no permit; no permit, no act.

use crate::refusal::Refusal;
use provost_domain::{Decision, DecisionId, Verdict};
use provost_store::Receipt;

/// Leave to carry out exactly one recorded action, once. It cannot be copied, kept or made up:
///
/// ```compile_fail
/// let permit = provost_gateway::Permit { decision: todo!(), _spent_by_acting: () };
/// ```
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
    decision: Decision,
    receipt: Receipt,
}

impl Recorded {
    /// Joins a decision to its receipt.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when the receipt is another decision's.
    pub fn new(decision: Decision, receipt: Receipt) -> Result<Self, Refusal> {
        if receipt.decision() != decision.id {
            return Err(Refusal::internal("a receipt was given for another decision"));
        }
        Ok(Self { decision, receipt })
    }

    /// The decision.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The permit, if and only if the recorded verdict is an explicit `Allow`; spends the receipt.
    ///
    /// # Errors
    /// The refusal that the verdict is, for everything else.
    pub fn permit(self) -> Result<Permit, Refusal> {
        match self.decision.verdict {
            Verdict::Allow { .. } => Ok(Permit { decision: self.receipt.decision(), _spent_by_acting: () }),
            Verdict::Hold { .. } | Verdict::Deny { .. } => Err(Refusal::Verdict(Box::new(self.decision))),
        }
    }
}
