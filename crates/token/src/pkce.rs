//! Proof key for code exchange (RFC 7636), `S256` only: whoever redeems a code is who asked for it.

use crate::{OauthCode, OauthError, Thumbprint};
use aws_lc_rs::constant_time::verify_slices_are_equal;

/// The challenge of an authorization request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge(Thumbprint);

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method`. OAuth 2.1 demands both; `plain`, also as the default of an
    /// absent method, is refused.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, OauthError> {
        let error = |text: &'static str| OauthError::new(OauthCode::InvalidRequest, text);
        let challenge =
            challenge.ok_or_else(|| error("code_challenge is missing; PKCE is required, with S256"))?;
        if method != Some("S256") {
            return Err(error("code_challenge_method must be S256"));
        }
        let wrong =
            |_error| error("code_challenge must be the base64url SHA-256 of the verifier: 43 characters");
        challenge.parse().map(Self).map_err(wrong)
    }

    /// The challenge of this verifier.
    #[must_use]
    pub fn of(verifier: &str) -> Self {
        Self(Thumbprint::of(verifier.as_bytes()))
    }

    /// Back from what was stored with the code.
    #[must_use]
    pub const fn from_stored(stored: Thumbprint) -> Self {
        Self(stored)
    }

    /// What to store with the code.
    #[must_use]
    pub const fn to_stored(self) -> Thumbprint {
        self.0
    }

    /// That this is the verifier of the challenge (RFC 7636 section 4.6), compared in constant time.
    ///
    /// # Errors
    /// `invalid_request` for a text that is no verifier (section 4.1: 43 to 128 unreserved characters), `invalid_grant`
    /// for another one's.
    pub fn check(self, verifier: &str) -> Result<(), OauthError> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
            let text = "code_verifier must have 43 to 128 letters, digits, `-`, `.`, `_` or `~`";
            return Err(OauthError::new(OauthCode::InvalidRequest, text));
        }
        let theirs = Thumbprint::of(verifier.as_bytes());
        verify_slices_are_equal(theirs.as_bytes(), self.0.as_bytes()).map_err(|_differ| {
            OauthError::new(OauthCode::InvalidGrant, "code_verifier does not fit the code's challenge")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_fits() {
        let challenge = Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap();
        assert_eq!(challenge.check(VERIFIER), Ok(()));
        assert_eq!(Challenge::from_stored(challenge.to_stored()), challenge);
    }

    #[test]
    fn plain_missing_and_malformed_challenges_are_refused() {
        for (challenge, method) in [
            (None, Some("S256")),
            (Some(CHALLENGE), None),
            (Some(CHALLENGE), Some("plain")),
            (Some(CHALLENGE), Some("s256")),
            (Some(""), Some("S256")),
            (Some(VERIFIER.get(1..).unwrap()), Some("S256")),
        ] {
            assert!(Challenge::parse(challenge, method).is_err(), "{challenge:?} {method:?}");
        }
    }

    #[test]
    fn only_the_verifier_itself_fits() {
        let challenge = Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap();
        // The challenge as its own verifier would be `plain`.
        for (verifier, code) in [
            (CHALLENGE.to_owned(), OauthCode::InvalidGrant),
            ("a".repeat(43), OauthCode::InvalidGrant),
            ("a".repeat(42), OauthCode::InvalidRequest),
            ("a".repeat(129), OauthCode::InvalidRequest),
            (format!("{VERIFIER} "), OauthCode::InvalidRequest),
            (format!("{VERIFIER}+"), OauthCode::InvalidRequest),
            (String::new(), OauthCode::InvalidRequest),
        ] {
            assert_eq!(challenge.check(&verifier).unwrap_err().code(), code, "{verifier}");
        }
    }
}
