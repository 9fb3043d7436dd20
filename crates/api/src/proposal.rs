//! Proposals: changes of the organisation that wait for people.

use crate::{
    Moment, Span,
    agent::ChangeView,
    approval::{MissingView, VoteView},
    passkey::Signed,
    plan::PlanStep,
};
use provost_domain::{Environment, Name};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which proposals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProposalQuery {
    /// That change this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// `waiting`, if absent; `applied`, `refused`, `expired`, `withdrawn` or `stale`; or `all`. Those that are over are found among
    /// the newest 20,000 changes, older ones by their id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// That this person may answer now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A proposal in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalSummary {
    /// Names it for ever.
    pub id: String,
    /// Who made it, as records say.
    pub author: String,
    /// The person whose word it is; cannot agree to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why.
    pub reason: String,
    /// `waiting`, `applied`, `refused`, `expired`, `withdrawn` or `stale`.
    pub status: String,
    /// Who must agree.
    pub gates: Vec<String>,
    /// The agents it changes.
    #[schema(value_type = Vec<String>)]
    pub agents: Vec<Name>,
    /// The environments it reaches.
    #[schema(value_type = Vec<String>)]
    pub environments: Vec<Environment>,
    /// How many rows change.
    pub rows: usize,
    /// When it was made.
    pub made: Moment,
    /// Until when an answer counts.
    pub until: Moment,
}

/// A proposal, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: ProposalSummary,
    /// Digest of what a yes is given to: exactly these rows, on the versions they were made on.
    pub digest: String,
    /// What would change, in words: who gains what, who loses what.
    pub steps: Vec<PlanStep>,
    /// The rows because of which each of those who must agree is asked.
    pub asks: Vec<AskedView>,
    /// Whether a yes takes a signature of the person's passkey.
    pub signed: bool,
    /// Each gate that still wants answers.
    pub missing: Vec<MissingView>,
    /// What people said, in order.
    pub votes: Vec<VoteView>,
    /// Rows that have moved since it was made: with one, it can only be proposed again.
    pub moved: Vec<String>,
    /// What each agent could reach before and afterwards.
    pub reach: Vec<ReachView>,
    /// The rows, side by side.
    pub diffs: Vec<RowDiff>,
    /// Who applied it without those who must agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenView>,
    /// The position at which it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// Why it is over, where somebody or something said why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Who changed it, newest first.
    pub history: Vec<ChangeView>,
}

/// Somebody who must agree, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskedView {
    /// Who: `owner of clerk`, `administrators`, or a group.
    pub gate: String,
    /// The rows because of which.
    pub rows: Vec<String>,
}

/// What an agent could reach before a change and afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachView {
    /// The agent.
    pub agent: String,
    /// Whether its charter changes, or only what its charter grants.
    pub itself: bool,
    /// Tools that it could not call before.
    pub gains: Vec<ReachedTool>,
    /// Tools that it can call no more.
    pub loses: Vec<String>,
    /// Systems among them that it did not reach at all.
    pub systems: Vec<String>,
    /// Labels of data that it could not read before.
    pub data: Vec<String>,
    /// How long it outlives an order to stop it, at worst, before; nothing for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_before: Option<Span>,
    /// The same afterwards; nothing for one that ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_after: Option<Span>,
}

/// A tool that becomes reachable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachedTool {
    /// `bank/transfer`.
    pub tool: String,
    /// What it can do.
    pub effects: Vec<String>,
    /// What its results bring into a task.
    pub returns: Vec<String>,
    /// Whether a call hands data outside.
    pub sends_out: bool,
}

/// A row before and afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowDiff {
    /// `agent clerk`.
    pub row: String,
    /// `add`, `change` or `remove`.
    pub verb: String,
    /// Its lines, as a file would say them.
    pub lines: Vec<LineDiff>,
    /// Lines that are not shown, because there are too many.
    pub more: usize,
}

/// A line on each side; nothing, where the other side has one more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineDiff {
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A change that was made without those who must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenView {
    /// Who did it, as records say.
    pub by: String,
    /// The person: not the one who reviews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
}

/// An answer to a proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalAnswer {
    /// Who answers, where the local administrator passes the answer on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `digest` of the proposal the person saw; an answer to another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// As an administrator, without those who must agree; needs a reason and is reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// What the person's passkey made of the statement that `POST /proposals/{id}/statement` gave; a yes to what reaches
    /// production takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

impl LineDiff {
    /// Whether both sides say the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.before == self.after
    }
}
