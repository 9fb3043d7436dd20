//! Sealed upstream credentials. What is in one goes in, and never comes out.

use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret to seal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialWrite {
    /// The secret, 1 to 8,192 bytes, without line breaks.
    #[schema(format = Password)]
    pub secret: String,
    /// Why, for the record.
    pub reason: String,
}

/// A secret in a debug print would be a secret in a log.
impl std::fmt::Debug for CredentialWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialWrite").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// A credential in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: Name,
    /// Whether there is a secret under it.
    pub set: bool,
    /// The systems that use it.
    #[schema(value_type = Vec<String>)]
    pub used_by: Vec<Name>,
}
