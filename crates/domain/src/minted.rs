//! What the plane makes at a system for one task: it is on record before it is made, and owed until it is seen to be gone.

use crate::{Name, NodeId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// A credential made at a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minted {
    /// Names it, for ever; also at the system, where that allows it: `provost_` and hexadecimal digits.
    pub id: String,
    /// The system it is for.
    pub system: Name,
    /// The agent that is served with it.
    pub agent: Name,
    /// The task it goes with.
    pub task: TaskId,
    /// The node that ordered it and serves the agent with it; it takes back what it does not remember after a restart.
    pub node: NodeId,
    /// What it is: `postgres-role`, `oauth-token`.
    pub what: String,
    /// When it was ordered.
    pub made: Timestamp,
    /// From this moment on the system itself refuses it.
    pub expires: Timestamp,
    /// Where it stands.
    pub status: MintedStatus,
}

/// Where something minted stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum MintedStatus {
    /// It may be at the system.
    Owed,
    /// It was dropped, and the system was asked: it is not there any more.
    Gone {
        /// When that was seen.
        at: Timestamp,
    },
    /// It has expired and could not be checked: the system says it refuses it, and nobody saw it.
    Expired {
        /// When it was given up.
        at: Timestamp,
    },
}

impl Minted {
    /// Whether it may still be at the system.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.status == MintedStatus::Owed
    }
}
