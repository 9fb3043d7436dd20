//! People: who owns agents, asks for tasks and answers for both.

use crate::Name;
use serde::{Deserialize, Serialize};

/// A person of the organisation. People never act through the gateway; they own, ask and approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Unique for ever among identities of every class.
    pub name: Name,
    /// How the person is written to people.
    pub display: String,
    /// Where the person is reached, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who stands in when the person leaves and no deputy accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<Name>,
    /// False once the person has left: owns nothing that may act.
    pub active: bool,
}
