//! A baseline: what is usual for an agent, for one kind of its tasks, or for all agents with one purpose. Learned from tasks
//! that ended; people read it, agree to changes of it and start it again.

use crate::{Name, Seq, Timestamp, usual::Usual};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is usual for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// For whom.
    pub of: BaselineOf,
    /// When its first run was counted, or it was started again.
    pub since: Timestamp,
    /// When a run was last counted or put aside.
    pub last: Timestamp,
    /// Tasks that ended by this change are counted: none is counted twice.
    pub learned: Seq,
    /// What is usual.
    pub usual: Usual,
    /// Who last agreed to something about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreed>,
}

/// For whom something is usual.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum BaselineOf {
    /// Everything an agent does.
    Agent {
        /// Which.
        agent: Name,
    },
    /// One kind of its tasks.
    Kind {
        /// Which agent.
        agent: Name,
        /// The kind, a few words of the tasks' purpose: `pay-the-invoices`.
        kind: String,
    },
    /// All agents with the same purpose.
    Purpose {
        /// The purpose, in a few words.
        purpose: String,
    },
}

/// Somebody looked at a baseline and decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What: `new`, `old` or `reset`.
    pub what: String,
    /// Why, in their words.
    pub why: String,
}

impl Baseline {
    /// One that knows nothing yet.
    #[must_use]
    pub fn begun(of: BaselineOf, now: Timestamp) -> Self {
        Self { of, since: now, last: now, learned: Seq(0), usual: Usual::default(), agreed: None }
    }

    /// The key it stands under.
    #[must_use]
    pub fn key(&self) -> String {
        self.of.key()
    }

    /// Whether a person has to look at it: something changed, or runs were put aside.
    #[must_use]
    pub fn is_proposed(&self) -> bool {
        self.usual.pending.is_some() || !self.usual.aside.is_empty()
    }
}

impl BaselineOf {
    /// The agent, if it is one's.
    #[must_use]
    pub fn agent(&self) -> Option<&Name> {
        match self {
            Self::Agent { agent } | Self::Kind { agent, .. } => Some(agent),
            Self::Purpose { .. } => None,
        }
    }

    /// Names its row for ever.
    #[must_use]
    pub fn key(&self) -> String {
        // No name has a colon in it.
        match self {
            Self::Agent { agent } => format!("agent:{agent}:"),
            Self::Kind { agent, kind } => format!("agent:{agent}:{kind}"),
            Self::Purpose { purpose } => format!("purpose:{purpose}"),
        }
    }
}

impl fmt::Display for BaselineOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { agent } => write!(f, "{agent}"),
            Self::Kind { agent, kind } => write!(f, "{agent}, tasks like {kind}"),
            Self::Purpose { purpose } => write!(f, "agents that {purpose}"),
        }
    }
}
