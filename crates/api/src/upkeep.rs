//! What people answer when an agent's life asks them: that it is still wanted, that they answer for it.

use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An agent is still wanted as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// Why, for the record.
    pub reason: String,
    /// Whose word it is, where the local administrator passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
}

/// Somebody answers for an agent whose owner has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// Why, for the record.
    pub reason: String,
    /// Whose word it is, where the local administrator passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
}
