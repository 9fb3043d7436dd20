//! Verdicts: what the decision point says about an action.

use serde::{Deserialize, Serialize};

/// The three outcomes. Whatever is not an explicit `Allow` does not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// May happen.
    Allow {
        /// The permits that say so.
        reasons: Vec<Reason>,
    },
    /// May happen once these have said yes: a requestable denial.
    Hold {
        /// Who must agree: `owner`, or the name of a group.
        approvers: Vec<String>,
        /// The gates that ask.
        reasons: Vec<Reason>,
    },
    /// May not happen.
    Deny {
        /// What forbids it, or what is missing.
        reasons: Vec<Reason>,
        /// What would make it possible, in words; empty when nothing would.
        possible_if: Vec<String>,
    },
}

/// One policy's part in a verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// The policy's `@id`, such as `guardrail/environment` or `charter/invoice-clerk/4/bank.transfer/amount`.
    pub policy: String,
    /// Its `@reason`, for people.
    pub reason: String,
}

impl Verdict {
    /// A refusal with one reason and perhaps one way out.
    #[must_use]
    pub fn deny(policy: &str, reason: impl Into<String>, possible_if: Option<String>) -> Self {
        Self::Deny {
            reasons: vec![Reason { policy: policy.to_owned(), reason: reason.into() }],
            possible_if: possible_if.into_iter().collect(),
        }
    }

    /// `allow`, `hold` or `deny`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Hold { .. } => "hold",
            Self::Deny { .. } => "deny",
        }
    }

    /// Whether it is an explicit yes.
    #[must_use]
    pub const fn is_allow(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }

    /// The policies behind it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Allow { reasons } | Self::Hold { reasons, .. } | Self::Deny { reasons, .. } => reasons,
        }
    }
}
