//! Decisions, and why they were what they were.

use crate::Moment;
use provost_domain::{Completion, Decision, DecisionId, Name, Severity, TaskId, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DecisionQuery {
    /// Of this agent (or subject).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// In this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub task: Option<TaskId>,
    /// On this system (or application).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub system: Option<Name>,
    /// Of this operation: `system/tool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// With this verdict: `allow`, `hold`, `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub verdict: Option<VerdictWord>,
    /// That want to be looked at this much or more: `info`, `low`, `medium`, `high`, `critical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub severity: Option<Severity>,
    /// Made at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub since: Option<Moment>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The word of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// May happen.
    Allow,
    /// May happen once somebody agrees.
    Hold,
    /// May not happen.
    Deny,
}

impl VerdictWord {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

/// A decision in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecisionSummary {
    /// Names it for ever.
    #[schema(value_type = String)]
    pub id: DecisionId,
    /// When it was made.
    pub at: Moment,
    /// `allow`, `hold` or `deny`.
    pub verdict: String,
    /// Who wanted to act: an agent's name, or `type/id` of an application.
    pub subject: String,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub task: Option<TaskId>,
    /// `system/tool`.
    pub tool: String,
    /// Through which face: `mcp`, `wrap` or `authzen`.
    pub face: String,
    /// How much it wants to be looked at: `info` for what only reads and was let through, `high` for a refusal of what moves
    /// money, rights, data or machines, `critical` when nobody knows whether it happened. `info` from planes that do not say.
    #[serde(default = "info")]
    #[schema(value_type = String)]
    pub severity: Severity,
    /// The reasons: policy and words.
    pub reasons: Vec<ReasonView>,
    /// What came of it: `success`, `failure`, `unsent`, `unknown`, `under way`; `refused` when it was not allowed,
    /// `answered` when the plane was only asked.
    pub outcome: String,
    /// Labels that its result brought into the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Its leaf in the ledger, once sequenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u64>,
}

const fn info() -> Severity {
    Severity::Info
}

/// One policy's part in a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonView {
    /// The policy's id.
    pub policy: String,
    /// What it says.
    pub reason: String,
}

/// A decision, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: DecisionSummary,
    /// Who must agree, for a hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// What would make it possible, for a denial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub possible_if: Vec<String>,
    /// The record as it is in the ledger; moments in milliseconds.
    #[schema(value_type = Object)]
    pub record: Decision,
    /// What came of it, as it is in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub completion: Option<Completion>,
    /// The approval that was asked for with it and turned out to be a check of the plane: no agent made this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// A decision made again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyView {
    /// The decision.
    #[schema(value_type = String)]
    pub id: DecisionId,
    /// Whether making it again, on the organisation as it stood then, gave the same bit by bit.
    pub same: bool,
    /// Where it differed, in words; empty when it did not.
    pub differences: Vec<String>,
    /// The story in words: who, what, on which knowledge, which policies, what came of it.
    pub words: Vec<String>,
    /// What was recorded.
    #[schema(value_type = Object)]
    pub recorded: Verdict,
    /// What came out now.
    #[schema(value_type = Option<Object>)]
    pub replayed: Option<Verdict>,
    /// The decision as recorded.
    pub decision: DecisionView,
}

/// How far back decisions are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TallyQuery {
    /// So many hours, 1 to 48; 6, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// How many decisions there were, by verdict and time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TallyView {
    /// 72 steps of the same length, the oldest first; the last one is under way.
    pub steps: Vec<TallyStep>,
    /// All of them together.
    pub total: TallyStep,
    /// When there were more than are counted: the earliest that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_since: Option<Moment>,
}

/// Decisions of one step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TallyStep {
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// Let through.
    pub allow: u64,
    /// Held for a person.
    pub hold: u64,
    /// Refused.
    pub deny: u64,
}

impl TallyStep {
    /// Whatever the verdict.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.allow.saturating_add(self.hold).saturating_add(self.deny)
    }
}
