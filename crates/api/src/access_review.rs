//! Access reviews: what an agent is granted, beside what it did; what its owner says of it; what became of that.

use crate::{Moment, Span};
use provost_domain::{Environment, Name, TaskId, access_review::Choice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which reviews, the soonest due first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewQuery {
    /// `open`, if absent; `done`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// Of agents that this person answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Reviews to open: one for each agent of the scope that has none open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewOpen {
    /// This agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// Agents that this person answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// Agents of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Environment>,
    /// All agents: said in so many words where nothing else is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// How long owners have to answer; after that what is proposed is carried out.
    pub due: Span,
    /// How far back is looked; 30 days, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Span>,
    /// Why, for the record: the campaign.
    pub reason: String,
}

/// Reviews that were opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewOpened {
    /// They.
    pub opened: Vec<ReviewSummary>,
    /// How many agents of the scope are left: open them with the same request again.
    pub left: usize,
}

/// Answers to lines of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewAnswer {
    /// For each tool (`bank/transfer`): `keep`, `narrow` or `revoke`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub lines: BTreeMap<String, Choice>,
    /// What becomes of every other line: `proposed` or `keep`; they wait, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// Why, for the record.
    pub reason: String,
    /// Whose word it is, where the local administrator passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
}

/// A review in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewSummary {
    /// Names it for ever.
    pub id: String,
    /// Whose grants.
    #[schema(value_type = String)]
    pub agent: Name,
    /// Who is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// Why it was opened.
    pub because: String,
    /// `open` or `done`.
    pub state: String,
    /// When it was opened.
    pub opened: Moment,
    /// Until when it waits.
    pub due: Moment,
    /// Tools that are granted.
    pub tools: usize,
    /// Of these, never used.
    pub unused: usize,
    /// Not answered.
    pub unanswered: usize,
    /// That stay, as it stands.
    pub keep: usize,
    /// That are narrowed.
    pub narrow: usize,
    /// That go.
    pub revoke: usize,
}

/// A review, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: ReviewSummary,
    /// What the agent did was looked at from here on.
    pub since: Moment,
    /// The charter that was looked at.
    pub revision: u32,
    /// Decisions that were looked through.
    pub decisions: u64,
    /// Whether that were all.
    pub whole: bool,
    /// What the proposal would have changed, in words: calls on record, decided again with it.
    pub effect: String,
    /// Each granted tool.
    pub lines: Vec<LineView>,
    /// When it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Moment>,
    /// Who answered last; `plane`, if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether some of it was never answered.
    pub lapsed: bool,
    /// The charter's revision afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<u32>,
    /// Tools that were taken, tried, and refused.
    pub refused: Vec<String>,
    /// Tools that were taken, tried, and not refused: an alarm.
    pub still: Vec<String>,
    /// Whether everything that was taken is refused.
    pub verified: bool,
    /// Who changed it, newest first.
    pub history: Vec<crate::agent::ChangeView>,
}

/// One granted tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineView {
    /// `bank/transfer`.
    pub tool: String,
    /// What it does.
    pub effects: Vec<String>,
    /// `low`, `medium` or `high`.
    pub risk: String,
    /// Calls that were allowed.
    pub used: u64,
    /// Calls that waited for a person.
    pub held: u64,
    /// Calls that were refused.
    pub denied: u64,
    /// When it was first asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Moment>,
    /// When it was last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
    /// The newest tasks that used it, at most 5.
    #[schema(value_type = Vec<String>)]
    pub tasks: Vec<TaskId>,
    /// Of other agents there that share a system, so many are granted it.
    pub peers_with: u32,
    /// Of so many.
    pub peers: u32,
    /// Limits that every call kept, in words: what `narrow` sets.
    pub limits: Vec<String>,
    /// What is done without an answer: `keep` or `revoke`.
    #[schema(value_type = String)]
    pub proposed: Choice,
    /// What was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub answer: Option<Choice>,
}

impl LineView {
    /// What becomes of it, as it stands.
    #[must_use]
    pub fn choice(&self) -> Choice {
        self.answer.unwrap_or(self.proposed)
    }
}
