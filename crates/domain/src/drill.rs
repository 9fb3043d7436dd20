//! Drills: a containment that is ordered on purpose, on a canary that reaches what a real agent reaches and touches nothing, and
//! is measured.

use crate::{
    DurationMs, Name, Timestamp,
    containment::{Proof, Who},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One drill, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Names it for ever: `drill_` and hexadecimal digits.
    pub id: String,
    /// The agent whose reach was tried.
    pub agent: Name,
    /// The plan it was due by, if nobody asked for it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Name>,
    /// Who asked for it.
    pub by: Who,
    /// When it began.
    pub at: Timestamp,
    /// What each measured time should be at most.
    pub target: DurationMs,
    /// Where it stands.
    pub state: DrillState,
}

/// Where a drill stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum DrillState {
    /// Under way, or its node died.
    Running,
    /// It was carried out.
    Done(Measured),
    /// It could not be carried out.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// What a drill measured. Times are from the acknowledgement of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// When it was over and everything restored.
    pub at: Timestamp,
    /// The order.
    pub order: String,
    /// How long the order took to be acknowledged.
    pub acknowledged: DurationMs,
    /// Until the first call was refused.
    pub first_refused: DurationMs,
    /// Until what was in flight had ended.
    pub last_ended: DurationMs,
    /// Calls that were made.
    pub calls: u32,
    /// Calls that began after the acknowledgement and were let through: must be none.
    pub late: u32,
    /// What was proven of each system in the end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub systems: BTreeMap<Name, Proof>,
}

/// When an agent is to be drilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillPlan {
    /// Whose reach.
    pub agent: Name,
    /// How often.
    pub every: DurationMs,
    /// What each measured time should be at most.
    pub target: DurationMs,
}

impl Drill {
    /// Whether it was carried out and nothing was amiss.
    #[must_use]
    pub fn passed(&self) -> Option<bool> {
        match &self.state {
            DrillState::Running => None,
            DrillState::Failed { .. } => Some(false),
            DrillState::Done(measured) => Some(measured.passed(self.target)),
        }
    }
}

impl Measured {
    /// Whether every time is within the target, nothing was let through late, and nothing stayed unknown.
    #[must_use]
    pub fn passed(&self, target: DurationMs) -> bool {
        self.late == 0
            && self.first_refused <= target
            && self.last_ended <= target
            && self.systems.values().all(|proof| *proof != Proof::Unknown)
    }
}

impl DrillState {
    /// `running`, `done` or `failed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done(_) => "done",
            Self::Failed { .. } => "failed",
        }
    }
}

/// How the provenance of canaries names their source; nothing else may have it.
pub const SOURCE: &str = "drill";
