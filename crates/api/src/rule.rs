//! Rules that order containment by themselves.

use crate::{Moment, Span};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rule, as files declare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: Name,
    /// What it does, in words.
    pub words: String,
    /// So many orders at most …
    pub at_most: u32,
    /// … within so long.
    pub within: Span,
}

/// Since when a rule is tried against what is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTest {
    /// How far back: `30d`.
    pub since: Span,
}

/// What a rule would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTested {
    /// The rule.
    pub rule: RuleView,
    /// Since when.
    pub since: Moment,
    /// How many records were read.
    pub records: u64,
    /// How many orders it would have given.
    pub fired: usize,
    /// How many more its own limit would have held back.
    pub held_back: usize,
    /// The first 100 of them.
    pub first: Vec<RuleFired>,
}

/// One time that a rule would have fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleFired {
    /// When.
    pub at: Moment,
    /// On which finding.
    pub finding: String,
    /// What that says.
    pub what: String,
    /// What it would have stopped.
    pub stops: String,
    /// Whether its own limit would have held it back.
    pub held_back: bool,
}
