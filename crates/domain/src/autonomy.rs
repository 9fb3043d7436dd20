//! How agents earn trust in an organisation: whether they have to, and what is asked of them first.

use crate::{Autonomy, DurationMs};
use serde::{Deserialize, Serialize};

/// How trust is come by (`[organisation] autonomy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutonomyRules {
    /// Whether agents begin in probation and are promoted; else they are trusted as their charters say.
    pub graduated: bool,
    /// What is asked of an agent in probation before it is supervised.
    pub supervised: Gates,
    /// What is asked of a supervised agent before it is bounded.
    pub bounded: Gates,
}

/// What is asked of an agent before it is trusted further. Every part has to be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gates {
    /// So long in the grade below.
    pub time: DurationMs,
    /// So many actions that it was allowed there.
    pub actions: u32,
    /// At most so much of what it tried refused by policy, in percent.
    pub denied_percent_max: u8,
    /// At most so much of what people were asked answered with a no, in percent.
    pub refused_percent_max: u8,
    /// So long without drift, or anything grave, being found about it.
    pub quiet: DurationMs,
    /// A drill of it passed within so long; none is asked for, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<DurationMs>,
}

impl Default for AutonomyRules {
    fn default() -> Self {
        Self {
            graduated: false,
            supervised: Gates {
                time: DurationMs::from_mins(7 * DAY_MINS),
                actions: 50,
                denied_percent_max: 10,
                refused_percent_max: 20,
                quiet: DurationMs::from_mins(7 * DAY_MINS),
                drilled: None,
            },
            bounded: Gates {
                time: DurationMs::from_mins(30 * DAY_MINS),
                actions: 500,
                denied_percent_max: 5,
                refused_percent_max: 10,
                quiet: DurationMs::from_mins(30 * DAY_MINS),
                drilled: Some(DurationMs::from_mins(90 * DAY_MINS)),
            },
        }
    }
}

impl AutonomyRules {
    /// What is asked before an agent is trusted this far; nothing is promoted to probation.
    #[must_use]
    pub const fn before(&self, grade: Autonomy) -> Option<&Gates> {
        match grade {
            Autonomy::Probation => None,
            Autonomy::Supervised => Some(&self.supervised),
            Autonomy::Bounded => Some(&self.bounded),
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

const DAY_MINS: u64 = 24 * 60;
