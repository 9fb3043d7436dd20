//! Accepting a token, or saying exactly why not.

use crate::{TOKEN_BYTES_MAX, TOKEN_TYPE, TaskClaims, TokenError, VerifyingKey};
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use provost_domain::Timestamp;

/// Knows the keys and name of one plane.
pub struct Verifier {
    issuer: String,
    keys: Vec<VerifyingKey>,
    validation: Validation,
}

impl Verifier {
    /// A verifier for tokens of this issuer, signed by any of these keys.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: Vec<VerifyingKey>) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would read the system's clock and accept a token without `aud`; both are checked here instead.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self { issuer: issuer.into(), keys, validation }
    }

    /// The claims of a token that is good for `audience` at `now`.
    ///
    /// # Errors
    /// The first thing wrong with it, in the order in which an attacker learns least.
    pub fn verify(&self, token: &str, audience: &str, now: Timestamp) -> Result<TaskClaims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
            // `none` and inventions are not in the library's list of algorithms.
            ErrorKind::InvalidAlgorithmName | ErrorKind::Json(_) => TokenError::Algorithm,
            _ => TokenError::Malformed,
        })?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Algorithm);
        }
        if !header.typ.as_deref().is_some_and(is_access_token) {
            return Err(TokenError::Type);
        }
        let key = self
            .keys
            .iter()
            .find(|key| header.kid.as_deref() == Some(key.kid()))
            .ok_or(TokenError::UnknownKey)?;
        let claims = jsonwebtoken::decode::<TaskClaims>(token, &key.decoding, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => TokenError::Claims,
                _ => TokenError::Signature,
            })?
            .claims;
        self.judge(claims, audience, now)
    }

    fn judge(&self, claims: TaskClaims, audience: &str, now: Timestamp) -> Result<TaskClaims, TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if claims.aud != audience {
            return Err(TokenError::Audience);
        }
        if now.as_seconds() >= claims.exp {
            return Err(TokenError::Expired);
        }
        // Issuer and verifier are one plane, perhaps two nodes of it: a little skew is honest, more is not.
        if claims.iat > now.as_seconds().saturating_add(SKEW_SECONDS_MAX) {
            return Err(TokenError::NotYet);
        }
        Ok(claims)
    }
}

fn is_access_token(typ: &str) -> bool {
    // RFC 9068 section 4 allows the `application/` prefix; media types compare without case.
    typ.eq_ignore_ascii_case(TOKEN_TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
}

const SKEW_SECONDS_MAX: i64 = 5;

#[cfg(test)]
mod tests;
