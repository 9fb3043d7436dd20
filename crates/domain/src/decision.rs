//! Records of the hot path: what was decided, and what came of it. These shapes are hashed into the ledger; a
//! member is never renamed or removed, only added.

use crate::{DecisionId, Digest, Label, Name, NodeId, Seq, TaskId, Timestamp, ToolName, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// One decision, with everything needed to make it again bit by bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Shape of this record; 1.
    pub v: u8,
    /// Names it for ever.
    pub id: DecisionId,
    /// When it was made.
    pub at: Timestamp,
    /// On which node.
    pub node: NodeId,
    /// On which position of the organisation.
    pub view: Seq,
    /// Digest of the candidate policies and schema it was made with.
    pub policies: Digest,
    /// Through which face: `mcp`, `wrap` or `authzen`.
    pub face: String,
    /// Who wanted to act.
    pub subject: Subject,
    /// On which system or application.
    pub system: Name,
    /// By which operation.
    pub tool: String,
    /// Digest of the exact action ([`crate::Action::digest`]), or of the AuthZEN request.
    pub action: Digest,
    /// The approval or envelope that the verdict rests on, and that this decision uses up or draws on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Everything the policies saw besides the organisation itself, arguments included.
    pub input: Value,
    /// What was said.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Evaluation errors; any makes the verdict a denial and raises an alarm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

impl Decision {
    /// Whether somebody who acts under this decision owes it an outcome. The plane does not act on what it answers over
    /// AuthZEN, and is not told what came of it.
    #[must_use]
    pub fn owes_outcome(&self) -> bool {
        self.verdict.is_allow() && self.face != AUTHZEN
    }
}

/// The face of decisions that somebody else enforces.
pub const AUTHZEN: &str = "authzen";

/// Who wanted to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// AuthZEN type: `agent`, or a type of an application.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name or id.
    pub id: String,
    /// The accountable person, for an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
    /// Revision of the charter in force, for an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The task, for an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The person who asked for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Name>,
}

/// What came of an allowed action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Shape of this record; 1.
    pub v: u8,
    /// The decision it completes.
    pub decision: DecisionId,
    /// When the outcome was known.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// How long the system took, in milliseconds.
    pub took_ms: u64,
    /// Labels the task gained by the result.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Label>,
    /// Digest of the result's bytes, when there is a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Digest>,
}

/// What came of an allowed action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Outcome {
    /// The system answered that it did it.
    Success,
    /// The system answered that it did not: a tool error or a protocol error.
    Failure {
        /// What it said, shortened.
        error: String,
    },
    /// It was never sent.
    Unsent {
        /// Why.
        error: String,
    },
    /// It was sent and no answer is known: it may have happened.
    Unknown {
        /// What was seen last.
        error: String,
    },
}

impl Outcome {
    /// `success`, `failure`, `unsent` or `unknown`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure { .. } => "failure",
            Self::Unsent { .. } => "unsent",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// A call refused before there was anything to decide on: bad token, bad bytes, stale view. Counted, and kept at a
/// bounded rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Shape of this record; 1.
    pub v: u8,
    /// When.
    pub at: Timestamp,
    /// On which node.
    pub node: NodeId,
    /// Through which face.
    pub face: String,
    /// The refusal's code, such as `token-expired`.
    pub code: String,
    /// What it said.
    pub message: String,
    /// How many like it this record stands for.
    pub count: u64,
}

/// The name of a tool as records and policies write it.
#[must_use]
pub fn tool_path(system: &Name, tool: &ToolName) -> String {
    format!("{system}/{tool}")
}
