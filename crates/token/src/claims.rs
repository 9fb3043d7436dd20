//! What a task token says.

use crate::{SigningKey, TOKEN_TYPE, TokenError};
use jsonwebtoken::{Algorithm, Header};
use provost_domain::{Name, TaskId};
use serde::{Deserialize, Serialize};

/// The claims of a task token (RFC 9068 section 2.2; times are seconds since 1970-01-01 UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskClaims {
    /// The plane that issued it.
    pub iss: String,
    /// The one resource it is for.
    pub aud: String,
    /// The agent.
    pub sub: Name,
    /// The agent again: it is its own client.
    pub client_id: Name,
    /// The task it belongs to; the token dies with it.
    pub task: TaskId,
    /// Not before.
    pub iat: i64,
    /// Not from this moment on.
    pub exp: i64,
    /// Unique.
    pub jti: String,
}

/// Signs a token.
///
/// # Errors
/// [`TokenError::Malformed`] when the claims cannot be written, which they can.
pub fn issue(claims: &TaskClaims, key: &SigningKey) -> Result<String, TokenError> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TOKEN_TYPE.to_owned());
    header.kid = Some(key.verifying().kid().to_owned());
    jsonwebtoken::encode(&header, claims, &key.encoding).map_err(|_unwritable| TokenError::Malformed)
}
