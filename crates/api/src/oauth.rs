//! What the plane says about itself as an issuer of task tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Authorization server metadata (RFC 8414 section 2): only what exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerMetadata {
    /// The name tokens are issued under.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// None: task tokens come from `provost task start`, not from an authorization endpoint.
    pub response_types_supported: Vec<String>,
    /// None: there is no token endpoint yet.
    pub grant_types_supported: Vec<String>,
    /// None, for the same reason.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Where a person reads on.
    pub service_documentation: String,
}

/// The keys task tokens are signed with (RFC 7517 section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeySet {
    /// JSON Web Keys.
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<serde_json::Value>,
}
