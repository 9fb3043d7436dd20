//! What becomes of agents by itself, as an organisation wants it (`[organisation] lifecycle`).

use crate::{DurationMs, Name};
use serde::{Deserialize, Serialize};

/// When agents are warned of, asked for, and stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpkeepRules {
    /// How long before an agent expires or is stopped for idleness its owner hears of it.
    pub warned: DurationMs,
    /// After so long without doing anything an agent is stopped, if its charter says nothing itself; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<DurationMs>,
    /// How often owners confirm that an agent is still wanted as it is; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attested: Option<DurationMs>,
    /// How long they have to answer; after it the agent is stopped. Half-way they are asked again.
    pub grace: DurationMs,
    /// How long somebody who is to follow an owner has to accept, before the next one is asked.
    pub accepted: DurationMs,
    /// Who may follow when neither a deputy nor the manager can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heirs: Option<Name>,
    /// How often agents that are over are tried.
    pub swept: DurationMs,
}

impl Default for UpkeepRules {
    fn default() -> Self {
        const DAY: u64 = 24 * 60;
        Self {
            warned: DurationMs::from_mins(14 * DAY),
            idle: None,
            attested: None,
            grace: DurationMs::from_mins(14 * DAY),
            accepted: DurationMs::from_mins(3 * DAY),
            heirs: None,
            swept: DurationMs::from_mins(7 * DAY),
        }
    }
}

impl UpkeepRules {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
