//! How a refusal reads: problem details (RFC 9457), media type `application/problem+json`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why it was not done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable name of the kind of problem, `urn:provost:problem:<word>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:provost:problem:conflict")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status, again.
    pub status: u16,
    /// What happened, this time.
    pub detail: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What to do.
    #[serde(default, rename = "do", skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// Every fault found, where there can be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One fault in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// An `error` stops the whole; a `warning` does not.
    pub severity: Severity,
    /// The file, as it was sent, or the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in that line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// How many characters of the line it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The line itself, cut; absent where it may hold a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    #[serde(default, rename = "do", skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done until it is gone.
    Error,
    /// Should be looked at.
    Warning,
}
