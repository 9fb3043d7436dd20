//! Approvals and envelopes.

use crate::{Moment, Span, agent::ChangeView, passkey::Signed, task::BalanceView};
use provost_domain::{DecisionId, Name, Reason, TaskId, charter::ArgRule, charter::BudgetSum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which approvals. Those that are over are found by their id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// That this person may answer now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub person: Option<Name>,
    /// `waiting`, `granted` or `edited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// An approval in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalSummary {
    /// Names it for ever.
    pub id: String,
    /// Who wants to act.
    #[schema(value_type = String)]
    pub agent: Name,
    /// In which task.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// What that task is for.
    pub purpose: String,
    /// By which operation: `bank/transfer`.
    pub tool: String,
    /// The arguments, whole, as they will run.
    #[schema(value_type = Object)]
    pub args: Map<String, Value>,
    /// Who must agree: `owner`, or groups.
    pub gates: Vec<String>,
    /// `waiting`, `granted`, `edited`, `refused`, `expired`, `withdrawn` or `used`.
    pub status: String,
    /// When it was asked for.
    pub asked: Moment,
    /// Until when an answer counts, or the yes is good.
    pub until: Moment,
}

/// An approval, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: ApprovalSummary,
    /// Digest of exactly this action: what a yes is given to.
    pub action: String,
    /// The policies that ask, each with why.
    #[schema(value_type = Vec<Object>)]
    pub reasons: Vec<Reason>,
    /// Revision of the charter it is bound to.
    pub revision: u32,
    /// Definition of the tool it is bound to.
    pub pin: String,
    /// Digest of the policies it is bound to.
    pub policies: String,
    /// The decision that held the call.
    #[schema(value_type = String)]
    pub decision: DecisionId,
    /// The decision that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub used_by: Option<DecisionId>,
    /// The people who asked for the task or for one above it; they cannot approve.
    #[schema(value_type = Vec<String>)]
    pub askers: Vec<Name>,
    /// What people said, in order.
    pub votes: Vec<VoteView>,
    /// Whether a yes takes a fresh signature of the person's passkey, given in the browser.
    pub signed: bool,
    /// Each gate that still wants answers.
    pub missing: Vec<MissingView>,
    /// The approval whose action was edited into this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<String>,
    /// The approval of the edited action, if an approver changed the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_to: Option<String>,
    /// That it was a check of the plane, once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckView>,
    /// What became of the same action before, oldest first: `approval_… used`.
    pub before: Vec<String>,
    /// Who changed it, newest first.
    pub history: Vec<ChangeView>,
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoteView {
    /// Who.
    #[schema(value_type = String)]
    pub person: Name,
    /// Yes or no.
    pub yes: bool,
    /// The gates it counts for.
    pub gates: Vec<String>,
    /// When.
    pub at: Moment,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For whom the person stood in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub on_behalf_of: Option<Name>,
    /// How the plane knows that it was this person.
    pub shown_by: String,
    /// Against the rules of who may; to be reviewed.
    pub break_glass: bool,
    /// The passkey that signed it, if one did: `provost ledger verify` judges the signature again from an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<String>,
    /// Faster than what was shown can be read.
    #[serde(default)]
    pub hurried: bool,
    /// After a warning that this goes too fast.
    #[serde(default)]
    pub warned: bool,
}

/// An approval that was a check: no agent asked for it, it had to be refused, and nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// `payment`, `path` or `recipient`.
    pub flaw: String,
    /// What a careful person sees.
    pub what: String,
    /// `refused`, `approved` or `unanswered`.
    pub outcome: String,
    /// Opens the mark that was on record when it was asked for: SHA-256 of `provost-check`, this and the flaw, a line each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// A gate that still wants answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingView {
    /// Which gate.
    pub gate: String,
    /// How many more must say yes.
    pub more: u32,
    /// Whose yes would count now.
    #[schema(value_type = Vec<String>)]
    pub approvers: Vec<Name>,
}

/// How one person stands to an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EligibleView {
    /// Who.
    #[schema(value_type = String)]
    pub person: Name,
    /// The gates the person's yes counts for.
    pub gates: Vec<String>,
    /// For whom the person would stand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub on_behalf_of: Option<Name>,
    /// Why it does not count for the others, gate by gate.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub why_not: BTreeMap<String, String>,
}

/// An answer to an approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalAnswer {
    /// Who answers, where the local administrator passes the answer on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The action the person saw; an answer to another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// As an administrator, against the rules of who may; needs a reason and is reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// The person's passkey over the statement of this answer, where one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// It is meant, although it comes faster than it can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sure: bool,
}

/// One answer to several approvals, each for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalAnswers {
    /// Who answers; as in [`ApprovalAnswer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Yes or no.
    pub yes: bool,
    /// Which, 1 to 50.
    pub these: Vec<Answered>,
    /// It is meant, although it comes faster than it can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sure: bool,
}

/// An approval as the person saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The approval.
    pub id: String,
    /// The action the person saw; an answer to another one is refused.
    pub action: String,
}

/// What came of one answer to several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalsAnswered {
    /// Each of them, in the order they were named.
    pub items: Vec<AnsweredView>,
}

/// What came of one of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnsweredView {
    /// The approval.
    pub id: String,
    /// As it stands now, if the answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
    /// Why the answer does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Approvals that are alike, as one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlikeView {
    /// Who wants to act.
    #[schema(value_type = String)]
    pub agent: Name,
    /// By which operation: `bank/transfer`.
    pub tool: String,
    /// Who must agree: `owner`, or groups.
    pub gates: Vec<String>,
    /// The policies that ask, each with why.
    #[schema(value_type = Vec<Object>)]
    pub reasons: Vec<Reason>,
    /// The arguments they have in common.
    #[schema(value_type = Object)]
    pub common: Map<String, Value>,
    /// The arguments in which they differ, at most four.
    pub differing: Vec<String>,
    /// They, the one asked for first at the top.
    pub rows: Vec<AlikeRow>,
}

/// One of several that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlikeRow {
    /// Names it for ever.
    pub id: String,
    /// Digest of exactly this action.
    pub action: String,
    /// In which task.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// What that task is for.
    pub purpose: String,
    /// When it was asked for.
    pub asked: Moment,
    /// Until when an answer counts.
    pub until: Moment,
    /// Its own of the arguments in which they differ; one that is not there it does not have.
    #[schema(value_type = Object)]
    pub args: Map<String, Value>,
}

/// Other arguments, and the yes to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalEdit {
    /// Who answers; as in [`ApprovalAnswer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The arguments instead, whole.
    #[schema(value_type = Object)]
    pub args: Map<String, Value>,
    /// The person's passkey over the statement of this answer, where one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// Constraints instead of one exact action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeGrant {
    /// Who answers; as in [`ApprovalAnswer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why, in that person's words.
    pub reason: String,
    /// What the arguments must be, by dotted path, as a charter states it.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Object>)]
    pub args: BTreeMap<String, ArgRule>,
    /// So many calls.
    pub count: u32,
    /// This sum of an argument: `{"arg": "amount", "max": "250.0"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub sum: Option<BudgetSum>,
    /// For how long, at most 90 days.
    pub lasts: Span,
    /// In every task of the agent, not only in the one that asked.
    #[serde(default)]
    pub every_task: bool,
    /// The person's passkey over the statement of this answer, where one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// An envelope, with what is left of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvelopeView {
    /// Names it for ever.
    pub id: String,
    /// Which agent may use it.
    #[schema(value_type = String)]
    pub agent: Name,
    /// In this task only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub task: Option<TaskId>,
    /// For which operation.
    pub tool: String,
    /// What the arguments must be.
    #[schema(value_type = std::collections::HashMap<String, Object>)]
    pub args: BTreeMap<String, ArgRule>,
    /// What it allows, and what is left.
    pub balances: Vec<BalanceView>,
    /// The gates it opens.
    pub gates: Vec<String>,
    /// Who granted it.
    #[schema(value_type = String)]
    pub by: Name,
    /// Why.
    pub why: String,
    /// The approval it was granted on.
    pub approval: String,
    /// When.
    pub granted: Moment,
    /// Until when.
    pub until: Moment,
    /// `open`, `revoked` or `expired`.
    pub status: String,
}

/// Who stands in for somebody, and until when; nobody, if absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AwaySet {
    /// Who stands in; nobody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<Name>,
    /// For how long, from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// Why, for the record.
    pub reason: String,
    /// Whose change it is, where the local administrator makes it for somebody who cannot: never among those who agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// At once, without those who must agree; needs a reason and is reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}
