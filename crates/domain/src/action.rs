//! An action: one concrete call, and the digest that names exactly it.

use crate::{Digest, Name, TaskId, ToolName, canonical::CanonicalError};
use serde::Serialize;
use serde_json::{Map, Value};

/// One concrete call. Its digest binds approvals, records and replays to these very bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// Who acts.
    pub agent: Name,
    /// In which task.
    pub task: TaskId,
    /// On which system.
    pub system: Name,
    /// By which operation.
    pub tool: ToolName,
    /// With which arguments, whole.
    pub args: Map<String, Value>,
}

impl Action {
    /// SHA-256 over the action's canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// Never for JSON that was parsed: such values have a canonical form.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Digest::of_json(self)
    }
}
