//! What the plane says about itself as an issuer of task tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The keys task tokens are signed with (RFC 7517 section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeySet {
    /// JSON Web Keys.
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<serde_json::Value>,
}
