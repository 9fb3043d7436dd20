//! How agents prove themselves.

use crate::Moment;
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A public key to register for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAdd {
    /// The public half as a JSON Web Key (RFC 7517): Ed25519, P-256, P-384, or RSA from 2048 bits.
    #[schema(value_type = Object)]
    pub jwk: Map<String, Value>,
    /// Why, for the record.
    pub reason: String,
    /// Whose change it is, where the local administrator makes it: never among those who agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// At once, without those who must agree; needs a reason and is reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// A way in which an agent proves itself, to register: either `issuer` and `subject`, or `client_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofAdd {
    /// The trusted issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub issuer: Option<Name>,
    /// `sub` of its tokens, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The address of the metadata of the client that people run the agent in
    /// (draft-ietf-oauth-client-id-metadata-document).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why, for the record.
    pub reason: String,
    /// Whose change it is, where the local administrator makes it: never among those who agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// At once, without those who must agree; needs a reason and is reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// Which way to prove itself an agent loses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProofRemove {
    /// Its `id`, as the agent's view tells it.
    pub id: String,
    /// Why, for the record.
    pub reason: String,
}

/// One way in which an agent proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// `key`, `subject` or `client`.
    pub kind: String,
    /// The key's RFC 7638 thumbprint, `issuer#subject`, or the client id.
    pub id: String,
    /// When it was registered.
    pub added: Moment,
}
