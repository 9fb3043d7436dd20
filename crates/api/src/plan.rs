//! Files in, plan or change out.

use crate::{approval::MissingView, problem::Fault, proposal::ProposalView};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The files that declare the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The files, each once.
    pub files: Vec<FileText>,
    /// Whether what no file declares is to go.
    #[serde(default)]
    pub prune: bool,
}

/// The same, to be made so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// The files, each once.
    pub files: Vec<FileText>,
    /// Whether what no file declares is to go.
    #[serde(default)]
    pub prune: bool,
    /// Why, for the record.
    pub reason: String,
    /// `digest` of the plan that was looked at; refused when applying would by now do something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Whose word it is, where the local administrator passes it on: this person cannot agree to it. Whoever signed in, if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// At once, without those who must agree; recorded as such and reviewed by somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Relative to the folder, with `/`: `agents/invoice-clerk.toml`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What applying would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// The position of the organisation it was made on.
    pub seq: u64,
    /// Names exactly these steps.
    pub digest: String,
    /// The steps, in the order in which they are made.
    pub steps: Vec<PlanStep>,
    /// Rows of the plane that no file has and that stay.
    pub left_alone: usize,
    /// Whether somebody gains power by it.
    pub widens: bool,
    /// Everything wrong; an `error` stops the whole.
    pub faults: Vec<Fault>,
    /// Whether `apply` would be refused.
    pub refused: bool,
    /// Who must agree, besides the author, before it takes effect; nobody, if it would at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<MissingView>,
}

/// One row that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanStep {
    /// `add`, `change`, `remove`, or `keep` for a row that no file has and that stays.
    pub verb: String,
    /// The row's kind.
    pub kind: String,
    /// The row's key.
    pub key: String,
    /// What changes, who gains and who loses what.
    pub words: Vec<PlanWords>,
    /// The furthest of its words: `neutral`, `narrows` or `widens`.
    pub reach: String,
}

/// One difference in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanWords {
    /// Continues the row's name: `gains bank/transfer …`.
    pub text: String,
    /// What it does to what may happen: `neutral`, `narrows` or `widens`.
    pub reach: String,
}

/// What applying did: with a `proposal`, nothing yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// Position of the last change; the one before, when nothing was to do.
    pub seq: u64,
    /// The steps made.
    pub steps: Vec<PlanStep>,
    /// Warnings that did not stop it.
    pub warnings: Vec<Fault>,
    /// The proposal that now waits for those who must agree; the steps are what it would do, and none of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<ProposalView>>,
}
