//! What Provost signs for others: grants in the name of an agent's principal and its own authentication as a client, for
//! their authorization servers, and proofs of possession for whoever asks for one. None of these is an access token here, and their `typ` says so.

use crate::{Actor, Confirmation, KeyError, SigningKey, Thumbprint, dpop::DPOP_TYPE};
use serde::Serialize;
use serde_json::Value;

/// A jwt-bearer assertion for an upstream's authorization server (RFC 7523 section 2.1; identity chaining). Times are
/// seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutwardGrant {
    /// This plane.
    pub iss: String,
    /// The upstream's authorization server: one value.
    pub aud: String,
    /// The person or agent whose authority it is, as the upstream knows it.
    pub sub: String,
    /// This plane as the upstream's client; required in an ID-JAG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// When it was made.
    pub iat: i64,
    /// Not from this moment on; a minute or five.
    pub exp: i64,
    /// Unique.
    pub jti: String,
    /// Who acts for `sub`, outermost first, with this plane as their `iss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor<String>>,
    /// The resource it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What may be granted at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The person's mail address, which some servers know people by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The task here that it is for, for the other side's records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What may be granted at most, finer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Value>,
    /// The key that what is issued must be bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

impl OutwardGrant {
    /// Signs it as a plain assertion, `typ: JWT`.
    ///
    /// # Errors
    /// [`KeyError`], when the key does not sign.
    pub fn issue(&self, key: &SigningKey) -> Result<String, KeyError> {
        key.sign("JWT", self)
    }

    /// Signs it as an ID-JAG.
    ///
    /// # Errors
    /// [`KeyError`], also without a `client_id`, which an ID-JAG must have.
    pub fn issue_id_jag(&self, key: &SigningKey) -> Result<String, KeyError> {
        self.client_id.as_ref().ok_or(KeyError)?;
        key.sign(crate::ID_JAG_TYPE, self)
    }
}

/// This plane's `private_key_jwt` as a client of another authorization server (RFC 7523 section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutwardClientAssertion {
    /// The client id this plane has there.
    pub iss: String,
    /// The same again.
    pub sub: String,
    /// That server's issuer identifier: one value.
    pub aud: String,
    /// When it was made.
    pub iat: i64,
    /// Not from this moment on; a minute.
    pub exp: i64,
    /// Unique.
    pub jti: String,
}

impl OutwardClientAssertion {
    /// Signs it, `typ: client-authentication+jwt`.
    ///
    /// # Errors
    /// [`KeyError`], when the key does not sign.
    pub fn issue(&self, key: &SigningKey) -> Result<String, KeyError> {
        key.sign("client-authentication+jwt", self)
    }
}

/// Says to one request that whoever sends it holds the key (RFC 9449 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutwardProof {
    /// The request's method.
    pub htm: String,
    /// Its address, without query and fragment.
    pub htu: String,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub iat: i64,
    /// Unique.
    pub jti: String,
    /// The hash of the access token it goes with ([`OutwardProof::hash_of`]); none at a token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ath: Option<String>,
}

impl OutwardProof {
    /// What `ath` of a proof for this token is.
    #[must_use]
    pub fn hash_of(access_token: &str) -> String {
        Thumbprint::of(access_token.as_bytes()).to_string()
    }

    /// Signs it, `typ: dpop+jwt`, with the public key in its header.
    ///
    /// # Errors
    /// [`KeyError`], when the key does not sign.
    pub fn issue(&self, key: &SigningKey) -> Result<String, KeyError> {
        key.sign_with_key(DPOP_TYPE, self)
    }
}
