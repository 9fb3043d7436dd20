//! A finding: something a person should know. Whatever sees the same thing again finds the same row, by its kind and key.

use crate::{Digest, Name, TaskId, Timestamp, ToolName};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Something a person should know, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Names it for ever: `finding_` and the first digits of the digest of kind and key ([`finding_id`]).
    pub id: String,
    /// What sort of thing, a kebab word: `break-glass`, `drift`, `delivery-given-up`.
    pub kind: String,
    /// What makes two sightings the same, inside the kind.
    pub key: String,
    /// How bad. It rises with worse sightings and never falls by itself.
    pub severity: Severity,
    /// What it is about.
    #[serde(default, skip_serializing_if = "About::is_nothing")]
    pub about: About,
    /// One sentence. May quote what others wrote.
    pub what: String,
    /// What shows it: ids of decisions and approvals, or short texts that others may have written. The first, then the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What is to be done by itself.
    #[serde(default)]
    pub response: Response,
    /// Whether the person it is about may not answer it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_another: bool,
    /// Who answers for it, if somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// When it was last opened: at first, and each time it came back.
    pub opened: Timestamp,
    /// How often it was seen; sightings close after one another are one ([`crate::finding`] rules in `lifecycle`).
    pub count: u64,
    /// Where it stands.
    pub state: FindingState,
    /// It was closed long ago, and is on record only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filed: bool,
}

/// What somebody saw, to be made a finding of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// What sort of thing, a kebab word.
    pub kind: String,
    /// What makes two sightings the same, inside the kind.
    pub key: String,
    /// How bad.
    pub severity: Severity,
    /// What it is about.
    pub about: About,
    /// One sentence.
    pub what: String,
    /// What shows it.
    pub evidence: Vec<String>,
    /// What is to be done by itself.
    pub response: Response,
    /// Whether the person it is about may not answer it.
    pub by_another: bool,
}

/// What a finding is about; as much of it as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the name of one")]
pub struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look when there is time.
    Low,
    /// Look this week.
    Medium,
    /// Look today.
    High,
    /// Look now.
    Critical,
}

/// What is to be done by itself about a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Response {
    /// People are told.
    #[default]
    Notify,
    /// What it is about waits for people.
    Hold,
    /// What it is about is contained, as the containment rules say.
    Contain,
}

/// Where a finding stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum FindingState {
    /// Nobody has taken it up.
    Open,
    /// Somebody is at it.
    Acknowledged {
        /// When.
        at: Timestamp,
        /// Who.
        by: String,
    },
    /// Nobody wants to hear of it until then.
    Suppressed {
        /// When.
        at: Timestamp,
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
        /// Until, not including, when.
        until: Timestamp,
    },
    /// It is dealt with; seen again, it opens again.
    Closed {
        /// When.
        at: Timestamp,
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
    },
}

/// Somebody did something without those who must agree. Never folded away: whoever broke the glass cannot bury it.
pub const BREAK_GLASS: &str = "break-glass";

impl Finding {
    /// Where it stands at `now`: what was suppressed until a moment that is past is open, whoever wrote that down or not.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> &FindingState {
        match &self.state {
            FindingState::Suppressed { until, .. } if now >= *until => &FindingState::Open,
            state => state,
        }
    }

    /// Whether somebody has to look, or is at it, at `now`.
    #[must_use]
    pub fn is_unanswered(&self, now: Timestamp) -> bool {
        matches!(self.state_at(now), FindingState::Open | FindingState::Acknowledged { .. })
    }
}

impl Sighting {
    /// Something that people are told of.
    #[must_use]
    pub fn new(kind: &str, key: impl Into<String>, severity: Severity, what: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            key: key.into(),
            severity,
            about: About::default(),
            what: what.into(),
            evidence: Vec::new(),
            response: Response::Notify,
            by_another: false,
        }
    }

    /// What it is about.
    #[must_use]
    pub fn about(self, about: About) -> Self {
        Self { about, ..self }
    }

    /// What shows it.
    #[must_use]
    pub fn evidence<T: Into<String>>(mut self, evidence: impl IntoIterator<Item = T>) -> Self {
        self.evidence.extend(evidence.into_iter().map(Into::into));
        self
    }

    /// What is to be done by itself.
    #[must_use]
    pub fn response(self, response: Response) -> Self {
        Self { response, ..self }
    }

    /// The person it is about may not answer it.
    #[must_use]
    pub fn by_another(self) -> Self {
        Self { by_another: true, ..self }
    }
}

impl About {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// An agent.
    #[must_use]
    pub fn agent(name: &Name) -> Self {
        Self { agent: Some(name.clone()), ..Self::default() }
    }

    /// A person.
    #[must_use]
    pub fn person(name: &Name) -> Self {
        Self { person: Some(name.clone()), ..Self::default() }
    }

    /// A system.
    #[must_use]
    pub fn system(name: &Name) -> Self {
        Self { system: Some(name.clone()), ..Self::default() }
    }
}

impl FindingState {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Suppressed { .. } => "suppressed",
            Self::Closed { .. } => "closed",
        }
    }
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Response {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Hold => "hold",
            Self::Contain => "contain",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL.into_iter();
        all.clone().find(|severity| severity.as_str() == text).ok_or_else(|| {
            let words: Vec<&str> = all.map(Self::as_str).collect();
            format!("a severity is one of {}", words.join(", "))
        })
    }
}

/// The id under which everybody finds the same thing.
#[must_use]
pub fn finding_id(kind: &str, key: &str) -> String {
    // A kind is a word without spaces, so no two pairs read alike.
    let digest = Digest::of(format!("{kind} {key}").as_bytes());
    let digits: String = digest.to_string().chars().skip("sha256:".len()).take(DIGITS).collect();
    format!("{PREFIX}{digits}")
}

const PREFIX: &str = "finding_";
const DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_has_the_same_id_and_nothing_else_has_it() {
        let id = finding_id("drift", "clerk/bank");
        assert_eq!(id, finding_id("drift", "clerk/bank"));
        assert_eq!(id.len(), "finding_".len() + 32);
        for (kind, key) in [("drift", "clerk"), ("break-glass", "clerk/bank"), ("drift", "clerk/bank ")] {
            assert_ne!(finding_id(kind, key), id, "{kind} {key}");
        }
    }

    #[test]
    fn a_severity_reads_as_it_prints_and_the_worst_sorts_last() {
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse::<Severity>().unwrap(), severity);
        }
        assert!("terrible".parse::<Severity>().unwrap_err().contains("critical"));
        assert!(Severity::ALL.is_sorted());
    }
}
