//! What can be wrong with a JWT that somebody else made. One list for assertions, SVIDs, ID-JAGs and proofs, so that each
//! rule has one name; which OAuth error a fault becomes depends on where the JWT stood ([`Fault::as_client_error`] and
//! its siblings).

use crate::oauth_error::{OauthCode, OauthError};

/// What is wrong with a JWT. Texts name claims, never their values, and never the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than the rule allows.
    #[error("the JWT is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// Not three base64url parts with a JSON object in the first two (RFC 7515 section 3.1).
    #[error(
        "the JWT cannot be read: it must be a compact JWS of three base64url parts with JSON objects in them"
    )]
    Malformed,
    /// The same member twice in one object; readers disagree on which counts (RFC 8725 section 2.4).
    #[error("the JWT has a member name twice in one object; send it once")]
    Duplicate,
    /// `alg` is not in the list; `none` and symmetric algorithms never are.
    #[error("the JWT is signed with an algorithm that is not accepted here")]
    Algorithm,
    /// `typ` is another one (RFC 8725 section 3.11).
    #[error("the JWT is of another type: its `typ` is not the one for this use")]
    Type,
    /// The header brings or names a key of its own: `jwk`, `jku`, `x5u`, `x5c` (RFC 8725 section 3.10).
    #[error("the JWT's header brings its own key; keys are registered, never taken from a token")]
    EmbeddedKey,
    /// A proof without a usable public key in its header, or with a private one.
    #[error("the proof's `jwk` must be one public key that fits its `alg`, without private members")]
    ProofKey,
    /// `crit` or `b64`: extensions that would have to be understood (RFC 7515 section 4.1.11).
    #[error("the JWT demands header extensions (`crit`, `b64`) that are not supported")]
    Critical,
    /// `kid` names no key, or names one that does not fit `alg`.
    #[error("the JWT is signed by a key that is not registered for its issuer")]
    UnknownKey,
    /// No `kid`, and more than one key would fit.
    #[error("the JWT names no key (`kid`), and its issuer has several that fit")]
    AmbiguousKey,
    /// The signature does not fit.
    #[error("the JWT's signature does not fit its content")]
    Signature,
    /// A claim that must be there is not.
    #[error("the JWT lacks the claim `{0}`")]
    Missing(&'static str),
    /// A claim has the wrong type, or a value that is out of bounds.
    #[error("the JWT's claim `{0}` does not have the form it must have")]
    Claim(&'static str),
    /// `iss` is another one.
    #[error("the JWT is from another issuer than the one it is used for")]
    Issuer,
    /// `aud` is not exactly who it must be.
    #[error("the JWT is for another audience: `aud` must name this authorization server and nobody else")]
    Audience,
    /// `sub` is not who it must be.
    #[error(
        "the JWT is about another subject: for client authentication `iss` and `sub` are both the client id"
    )]
    Subject,
    /// `client_id` is not the client that authenticated.
    #[error("the JWT was issued to another client than the one that presents it")]
    Client,
    /// `iat` or `nbf` lies ahead by more than the skew.
    #[error("the JWT is not valid yet: compare the clocks")]
    NotYet,
    /// `exp` has passed, or a proof is too old.
    #[error("the JWT has expired: make a new one, and compare the clocks")]
    Expired,
    /// `exp` lies too far ahead.
    #[error("the JWT is valid for longer than {seconds_max} seconds from now; make it shorter-lived")]
    LongLived {
        /// The limit.
        seconds_max: i64,
    },
    /// `htm` or `htu` is another request (RFC 9449 section 4.3).
    #[error(
        "the proof was made for another request: `htm` and `htu` must be this request's method and address"
    )]
    Request,
    /// `ath` is missing or is the hash of another token.
    #[error("the proof was made for another access token: `ath` must be the hash of the one it comes with")]
    AccessToken,
    /// A nonce is required, and this one is missing, old or foreign.
    #[error("the proof needs the nonce of the `DPoP-Nonce` header of this answer; make a new proof with it")]
    Nonce,
    /// `content_digest` is not the digest of the body.
    #[error("the proof was made for another body: `content_digest` does not fit")]
    Content,
}

impl Fault {
    /// A stable word for records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "jwt-too-long",
            Self::Malformed => "jwt-malformed",
            Self::Duplicate => "jwt-duplicate",
            Self::Algorithm => "jwt-algorithm",
            Self::Type => "jwt-type",
            Self::EmbeddedKey => "jwt-embedded-key",
            Self::ProofKey => "jwt-proof-key",
            Self::Critical => "jwt-critical",
            Self::UnknownKey => "jwt-unknown-key",
            Self::AmbiguousKey => "jwt-ambiguous-key",
            Self::Signature => "jwt-signature",
            Self::Missing(_) => "jwt-missing-claim",
            Self::Claim(_) => "jwt-claim",
            Self::Issuer => "jwt-issuer",
            Self::Audience => "jwt-audience",
            Self::Subject => "jwt-subject",
            Self::Client => "jwt-client",
            Self::NotYet => "jwt-not-yet",
            Self::Expired => "jwt-expired",
            Self::LongLived { .. } => "jwt-long-lived",
            Self::Request => "jwt-request",
            Self::AccessToken => "jwt-access-token",
            Self::Nonce => "jwt-nonce",
            Self::Content => "jwt-content",
        }
    }

    /// As the answer to a failed client authentication (RFC 6749 section 5.2).
    #[must_use]
    pub fn as_client_error(&self) -> OauthError {
        OauthError::new(OauthCode::InvalidClient, self.to_string())
    }

    /// As the answer to an unusable assertion of a grant (RFC 7521 section 4.1.1).
    #[must_use]
    pub fn as_grant_error(&self) -> OauthError {
        OauthError::new(OauthCode::InvalidGrant, self.to_string())
    }

    /// As the answer to an unusable DPoP proof (RFC 9449 sections 5 and 8).
    #[must_use]
    pub fn as_proof_error(&self) -> OauthError {
        let code = if *self == Self::Nonce { OauthCode::UseDpopNonce } else { OauthCode::InvalidDpopProof };
        OauthError::new(code, self.to_string())
    }
}
