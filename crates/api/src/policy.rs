//! Policies: the ones in force, checks and cases.

use crate::{plan::FileText, problem::Fault};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file of organisation policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// The file's stem.
    #[schema(value_type = String)]
    pub name: Name,
    /// The Cedar text.
    pub text: String,
}

/// Files to check together with what is in force; only what is in force, if there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyCheck {
    /// The files, as for a plan.
    #[serde(default)]
    pub files: Vec<FileText>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyReport {
    /// Whether there is no error.
    pub sound: bool,
    /// Everything wrong.
    pub faults: Vec<Fault>,
}

/// Cases to run: given, when, then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// Files to apply first, in memory only.
    #[serde(default)]
    pub files: Vec<FileText>,
    /// The cases: TOML with `[[case]]`, or JSON with `case`.
    pub cases: String,
}

/// What the cases showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyTestReport {
    /// Cases that held.
    pub passed: usize,
    /// Cases that did not.
    pub failed: usize,
    /// Each case, in order.
    pub cases: Vec<CaseReport>,
}

/// What one case showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// What was said: `allow`, `hold` or `deny`; absent when the case could not be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// What was expected and what came, in words; empty when it held.
    pub detail: Vec<String>,
}

/// The schema policies are checked against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicySchema {
    /// Cedar schema text.
    pub text: String,
}
