//! One run of an agent, as baselines see it: what it did in order, without arguments' text.

use crate::words::Key;
pub use provost_domain::usual::Mark;
use provost_domain::{Label, Origin};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A run, or the part of it that has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its calls, in order; at most [`STEPS_MAX`] are kept.
    pub steps: Vec<Step>,
    /// The hour of the day it began at, in the organisation's time.
    pub hour: u8,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The system.
    pub system: String,
    /// `system/tool`.
    pub tool: String,
    /// Whether it did more than read.
    pub effectful: bool,
    /// What came of it.
    pub ended: Ended,
    /// Origins of the values that steered it.
    pub steered: BTreeSet<Origin>,
    /// Those values, as marks.
    pub marks: BTreeSet<Mark>,
    /// Labels of what it returned.
    pub labels: BTreeSet<Label>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Done.
    Done,
    /// The system reported an error.
    Failed,
    /// Held for a person.
    Held,
    /// Refused: the charter or a policy does not allow it.
    Refused,
    /// Refused because the charter does not name it at all.
    Undeclared,
}

/// Makes marks.
#[derive(Debug, Clone)]
pub struct Marker(Key);

impl Marker {
    /// Marks of one agent; those of another are others.
    #[must_use]
    pub fn of(agent: &str) -> Self {
        Self(Key::of(&format!("marks of {agent}")))
    }

    /// The mark of a value.
    #[must_use]
    pub fn mark(&self, tool: &str, arg: &str, value: &str) -> Mark {
        let value = crate::flow::without_scheme(value);
        let phrases = [self.0.phrase(tool), self.0.phrase(arg), self.0.phrase(value)];
        let mixed = phrases.iter().fold(0_u64, |mixed, phrase| {
            mixed.rotate_left(21).wrapping_mul(MIX) ^ phrase.print ^ u64::from(phrase.bytes)
        });
        Mark(mixed)
    }
}

impl Run {
    /// Adds a call.
    pub fn push(&mut self, step: Step) {
        if self.steps.len() < STEPS_MAX {
            self.steps.push(step);
        }
    }

    /// Each tool with the one before it, `^` and `$` at the ends.
    pub(crate) fn pairs(&self) -> BTreeSet<(String, String)> {
        let tools = || self.steps.iter().map(|step| step.tool.clone());
        let before = std::iter::once("^".to_owned()).chain(tools());
        before.zip(tools().chain(["$".to_owned()])).collect()
    }
}

/// Calls of one run that are looked at.
pub const STEPS_MAX: usize = 1_024;
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
