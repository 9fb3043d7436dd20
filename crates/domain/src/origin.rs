//! Where an argument comes from: what policies know about the values that steer a call (DESIGN.md section 5).

use crate::Label;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a value that steers an effect was first seen. Facts, not judgement: what each is worth is said by policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The requester gave it, in the purpose or the inputs of the task.
    Requester,
    /// A trusted source returned it, as a value of its own.
    Trusted,
    /// Earlier runs of the same kind of task used it at the same place.
    Usual,
    /// A number, date or switch that nobody gave: reckoned by the agent.
    Derived,
    /// A trusted source returned it, but it is short, and untrusted content names it too: who chose it is open.
    Contested,
    /// Untrusted content, of a source that the requester named.
    Named,
    /// Content that people of the organisation write.
    Insider,
    /// Seen nowhere.
    Unknown,
    /// Content that a stranger could have written.
    Untrusted,
}

/// What is known of the arguments of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgsFrom {
    /// The worst origin of each steering argument that the call has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: BTreeMap<String, Origin>,
    /// Every origin of a value that steers this call.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub steered: BTreeSet<Origin>,
    /// Labels of data that the task read and the arguments hold.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub carries: BTreeSet<Label>,
    /// What the task has done so far that matters together with other things.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub past: BTreeSet<Past>,
    /// How it is known, a line for each argument.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// How far the run would be, with this call, from what is usual, in hundredths; 0 below [`DRIFT_NOTED`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drift: u32,
    /// What is unusual about it then, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusual: Vec<String>,
}

/// Something a task did that is dangerous together with other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Past {
    /// It read a great many things.
    ReadMany,
    /// It made or was given a credential.
    MadeCredential,
    /// It changed who may do what.
    ChangedPermission,
}

impl Origin {
    /// All of them, from best to worst.
    pub const ALL: [Self; 9] = [
        Self::Requester,
        Self::Trusted,
        Self::Usual,
        Self::Derived,
        Self::Contested,
        Self::Named,
        Self::Insider,
        Self::Unknown,
        Self::Untrusted,
    ];

    /// The word policies and records use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Trusted => "trusted",
            Self::Usual => "usual",
            Self::Derived => "derived",
            Self::Contested => "contested",
            Self::Named => "named",
            Self::Insider => "insider",
            Self::Unknown => "unknown",
            Self::Untrusted => "untrusted",
        }
    }
}

impl Past {
    /// The word policies and records use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadMany => "read-many",
            Self::MadeCredential => "made-credential",
            Self::ChangedPermission => "changed-permission",
        }
    }
}

/// Nothing is known, because no argument was declared to steer anything, or nobody looked.
pub static NOTHING: ArgsFrom = ArgsFrom {
    from: BTreeMap::new(),
    steered: BTreeSet::new(),
    carries: BTreeSet::new(),
    past: BTreeSet::new(),
    why: Vec::new(),
    drift: 0,
    unusual: Vec::new(),
};

/// Less drift than this, in hundredths, is what runs have that differ from each other at all.
pub const DRIFT_NOTED: u32 = 100;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl ArgsFrom {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == NOTHING
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_records() {
        for origin in Origin::ALL {
            assert_eq!(serde_json::to_value(origin).unwrap(), origin.as_str());
        }
        assert!(Origin::ALL.is_sorted(), "from best to worst");
    }
}
