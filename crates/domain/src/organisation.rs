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
    /// How long a held call of a client that listens stays open before the client is asked to come back; not at all, if zero.
    pub hold_open: DurationMs,
    /// Whether an owner's deputies may answer only while the owner is away.
    pub deputies_only_while_away: bool,
    /// Which answers take a fresh signature of the person's passkey.
    #[serde(skip_serializing_if = "is_usual")]
    pub signed: Signed,
}

/// Which answers take a signature. Only a yes does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    /// To what acts in production.
    #[default]
    Production,
    /// All.
    Always,
    /// None.
    Never,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            wait: DurationMs::from_mins(60),
            good_for: DurationMs::from_mins(15),
            escalate_after: None,
            // Below the minute after which many clients give up on a request.
            hold_open: DurationMs::from_secs(50),
            deputies_only_while_away: false,
            signed: Signed::Production,
        }
    }
}

fn is_default(rules: &ApprovalRules) -> bool {
    *rules == ApprovalRules::default()
}

fn is_usual(signed: &Signed) -> bool {
    *signed == Signed::default()
}

impl Signed {
    /// Every choice, the usual one first.
    pub const ALL: [Self; 3] = [Self::Production, Self::Always, Self::Never];

    /// Whether a yes about something in this environment takes a signature.
    #[must_use]
    pub fn wants(self, environment: Environment) -> bool {
        match self {
            Self::Production => environment == Environment::Production,
            Self::Always => true,
            Self::Never => false,
        }
    }

    /// The word used in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl Organisation {
    /// The bound on revocation time that this environment allows.
    #[must_use]
    pub fn revocation_max(&self, environment: Environment) -> Option<DurationMs> {
        self.production_revocation_max.filter(|_| environment == Environment::Production)
    }
}
