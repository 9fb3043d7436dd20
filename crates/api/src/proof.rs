//! How agents prove themselves.

use crate::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A public key to register for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAdd {
    /// The public half as a JSON Web Key (RFC 7517): Ed25519, P-256, P-384, or RSA from 2048 bits.
    #[schema(value_type = Object)]
    pub jwk: Map<String, Value>,
    /// Why, for the record.
    pub reason: String,
}

/// One way in which an agent proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// `key` or `subject`.
    pub kind: String,
    /// The key's RFC 7638 thumbprint, or issuer and subject.
    pub id: String,
    /// When it was registered.
    pub added: Moment,
}
