//! Rules that order containment by themselves: when something of a kind is found, a level is ordered, and never more often than
//! they say, so that a bad rule cannot stop the company unnoticed.

use crate::{DurationMs, Finding, Name, Restraint, Severity, containment::Scope, pattern};
use serde::{Deserialize, Serialize};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Findings whose kind fits this pattern: `drift`, `budget-*`.
    pub finding: String,
    /// And that are at least so bad.
    pub severity: Severity,
    /// What is left.
    pub level: Restraint,
    /// Whom it stops.
    pub stops: Stops,
    /// So many orders at most …
    pub at_most: u32,
    /// … within so long.
    pub within: DurationMs,
}

/// Whom the order of a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stops {
    /// The agent that the finding is about.
    Agent,
    /// Every agent of the person that it is about.
    Owner,
    /// Calls of the system that it is about.
    System,
}

impl Rule {
    /// What a finding makes it order, if anything.
    #[must_use]
    pub fn scope(&self, finding: &Finding) -> Option<Scope> {
        if !pattern::matches(&self.finding, &finding.kind) || finding.severity < self.severity {
            return None;
        }
        let about = &finding.about;
        let scope = match self.stops {
            Stops::Agent => Scope { agent: Some(about.agent.clone()?), ..Scope::default() },
            Stops::Owner => Scope { owner: Some(about.person.clone()?), ..Scope::default() },
            Stops::System => Scope { system: Some(about.system.clone()?), ..Scope::default() },
        };
        Some(scope)
    }

    /// In words.
    #[must_use]
    pub fn words(&self, name: &Name) -> String {
        format!(
            "a finding {} of severity {} or worse leaves {} only {}, at most {} times in {} (rule {name})",
            self.finding,
            self.severity.as_str(),
            match self.stops {
                Stops::Agent => "its agent",
                Stops::Owner => "the agents of its person",
                Stops::System => "callers of its system",
            },
            self.level,
            self.at_most,
            self.within
        )
    }
}

impl Stops {
    /// Each, by the word that files use.
    pub const ALL: [(&'static str, Self); 3] =
        [("agent", Self::Agent), ("owner", Self::Owner), ("system", Self::System)];
}
