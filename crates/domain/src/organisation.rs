//! Settings that hold for the whole organisation.

use crate::{DurationMs, Environment, Name};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Settings of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// How it is written to people.
    pub display: String,
    /// The longest revocation time a production charter may reach (REQUIREMENTS.md C4); no bound, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_revocation_max: Option<DurationMs>,
    /// Groups of people that a gate may name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<Name, Group>,
    /// How approvals go.
    #[serde(default, skip_serializing_if = "is_default")]
    pub approvals: ApprovalRules,
}

/// People of whom some must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Who.
    pub members: BTreeSet<Name>,
    /// How many of them.
    pub needs: u32,
}

/// How approvals go in this organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApprovalRules {
    /// How long one waits for an answer; silence is a no.
    pub wait: DurationMs,
    /// How long a yes is good.
    pub good_for: DurationMs,
    /// After how long without an answer the owner's manager may answer too; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate_after: Option<DurationMs>,
    /// Whether an owner's deputies may answer only while the owner is away.
    pub deputies_only_while_away: bool,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            wait: DurationMs::from_mins(60),
            good_for: DurationMs::from_mins(15),
            escalate_after: None,
            deputies_only_while_away: false,
        }
    }
}

fn is_default(rules: &ApprovalRules) -> bool {
    *rules == ApprovalRules::default()
}

impl Organisation {
    /// The bound on revocation time that this environment allows.
    #[must_use]
    pub fn revocation_max(&self, environment: Environment) -> Option<DurationMs> {
        self.production_revocation_max.filter(|_| environment == Environment::Production)
    }
}
