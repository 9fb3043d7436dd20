//! Files in, plan or change out.

use crate::problem::Fault;
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
    /// The position the plan was shown at (`PlanView.seq`); refused when the organisation has moved on since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
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
    /// The steps, in the order in which they are made.
    pub steps: Vec<PlanStep>,
    /// Everything wrong; an `error` stops the whole.
    pub faults: Vec<Fault>,
    /// Whether `apply` would be refused.
    pub refused: bool,
}

/// One row that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanStep {
    /// `create`, `change` or `remove`.
    pub verb: String,
    /// The row's kind.
    pub kind: String,
    /// The row's key.
    pub key: String,
    /// What changes, who gains and who loses what, in words.
    pub words: Vec<String>,
    /// Whether somebody gains power by it.
    pub widens: bool,
}

/// What applying did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// Position of the last change; the one before, when nothing was to do.
    pub seq: u64,
    /// The steps made.
    pub steps: Vec<PlanStep>,
    /// Warnings that did not stop it.
    pub warnings: Vec<Fault>,
}
