//! Tokens bound to a key: `cnf` (RFC 7800), by DPoP key (RFC 9449 section 6) or client certificate (RFC 8705 section 3.1).

use crate::{AccessClaims, Proof, Thumbprint, TokenError};
use serde::{Deserialize, Serialize};

/// The key whose holder alone may use the token. Exactly one method; one we do not know makes the token unusable, since
/// it could not be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirmation {
    /// The RFC 7638 thumbprint of a DPoP key.
    #[serde(rename = "jkt")]
    Jkt(Thumbprint),
    /// SHA-256 of a client certificate's DER.
    #[serde(rename = "x5t#S256")]
    X5t(Thumbprint),
}

/// How an access token came in.
#[derive(Debug, Clone, Copy)]
pub enum Presented<'a> {
    /// `Authorization: Bearer`, over a connection with this client certificate, if any.
    Bearer(Option<Thumbprint>),
    /// `Authorization: DPoP`, with a proof that was verified with this very token as its `ath`.
    Dpop(&'a Proof),
}

impl AccessClaims {
    /// That the token came in the way it is bound: a bound one with its key, an unbound one as Bearer. A stolen bound
    /// token is worth nothing, neither with another key nor without one (RFC 9449 section 7.1).
    ///
    /// # Errors
    /// [`TokenError::Binding`].
    pub fn check_binding(&self, presented: Presented<'_>) -> Result<(), TokenError> {
        let fits = match (self.cnf, presented) {
            (None, Presented::Bearer(_)) => true,
            (Some(Confirmation::Jkt(bound)), Presented::Dpop(proof)) => {
                bound == proof.jkt && proof.covers_token
            }
            (Some(Confirmation::X5t(bound)), Presented::Bearer(certificate)) => certificate == Some(bound),
            (None | Some(Confirmation::X5t(_)), Presented::Dpop(_))
            | (Some(Confirmation::Jkt(_)), Presented::Bearer(_)) => false,
        };
        if fits { Ok(()) } else { Err(TokenError::Binding) }
    }
}
