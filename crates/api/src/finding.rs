//! Findings: what a person should know, and what was done about it.

use crate::{Moment, Span, agent::ChangeView};
use provost_domain::{
    Name, Severity,
    finding::{About, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindingQuery {
    /// `open`, `acknowledged`, `suppressed`, `closed` or `all`; what is open or acknowledged, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// At least so bad: `info`, `low`, `medium`, `high`, `critical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub severity: Option<Severity>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// About this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// About this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub person: Option<Name>,
    /// About this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub system: Option<Name>,
    /// That this person answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A finding in a listing: the worst first, of those the last opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingSummary {
    /// Names it for ever.
    pub id: String,
    /// What sort of thing: `break-glass`, `drift`.
    pub kind: String,
    /// `info`, `low`, `medium`, `high` or `critical`.
    #[schema(value_type = String)]
    pub severity: Severity,
    /// One sentence; may quote what others wrote.
    pub what: String,
    /// The agent, person, system, tool and task it is about, as far as there is one.
    #[schema(value_type = Object)]
    pub about: About,
    /// `open`, `acknowledged`, `suppressed` or `closed`.
    pub state: String,
    /// `notify`, `hold` or `contain`.
    #[schema(value_type = String)]
    pub response: Response,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// When it was first seen.
    pub first: Moment,
    /// When it was last seen.
    pub last: Moment,
    /// How often; sightings within a minute of one another are one.
    pub count: u64,
}

/// A finding, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: FindingSummary,
    /// What shows it: ids, or texts that others may have written. The first, then the newest.
    pub evidence: Vec<String>,
    /// Whether the person it is about may not answer it.
    pub by_another: bool,
    /// Who answered it, as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// Until when nobody wants to hear of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Who changed it, newest first.
    pub history: Vec<ChangeView>,
}

/// An answer to a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingAnswer {
    /// Who answers, where the local administrator passes the answer on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    pub reason: String,
}

/// Not to hear of a finding for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingSuppress {
    /// Who answers; as in [`FindingAnswer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    pub reason: String,
    /// For how long, at most 90 days. It opens again before, if it gets worse.
    pub lasts: Span,
}
