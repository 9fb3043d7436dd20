//! Why an access token of ours is not accepted. Each has its own code, so that a client and a person know what to do.

use crate::Fault;

/// Why a token is not accepted. The token itself is never part of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three base64url parts with JSON in them, or over [`crate::TOKEN_BYTES_MAX`].
    #[error("the token cannot be read: it is not a signed JWT of at most {max} bytes", max = crate::TOKEN_BYTES_MAX)]
    Malformed,
    /// `alg` is none of this plane's; `none` and symmetric algorithms end here too (RFC 8725 section 3.1).
    #[error(
        "the token is signed with an algorithm that is not accepted: only those of this plane's keys are"
    )]
    Algorithm,
    /// `typ` is not `at+jwt` (RFC 9068 section 4).
    #[error("the token is of another type: only access tokens (`typ` at+jwt) are accepted")]
    Type,
    /// `kid` names no key of this plane.
    #[error("the token is signed by a key this plane does not have: it was issued by another plane")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature does not fit its content")]
    Signature,
    /// A claim of RFC 9068 is missing or has the wrong type, or two claims contradict each other.
    #[error("the token lacks a required claim, or one has the wrong type")]
    Claims,
    /// `iss` is another issuer.
    #[error("the token was issued by another issuer")]
    Issuer,
    /// `aud` does not name this resource.
    #[error("the token is for another audience: start the task against this plane and resource")]
    Audience,
    /// Not valid yet, by more than the leeway.
    #[error("the token is not valid yet: compare the clocks")]
    NotYet,
    /// `exp` has passed.
    #[error("the token has expired: start a new task, or ask for a new token of a running one")]
    Expired,
    /// `cnf` and the way the token came in do not fit (RFC 9449 section 7.1, RFC 8705 section 3).
    #[error(
        "the token is bound to a key and came without its proof, or unbound and came with one: send a bound token \
             with `Authorization: DPoP` and a proof by its key, an unbound one with `Authorization: Bearer`"
    )]
    Binding,
}

impl TokenError {
    /// A stable word for records and clients.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "token-malformed",
            Self::Algorithm => "token-algorithm",
            Self::Type => "token-type",
            Self::UnknownKey => "token-unknown-key",
            Self::Signature => "token-signature",
            Self::Claims => "token-claims",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
            Self::NotYet => "token-not-yet",
            Self::Expired => "token-expired",
            Self::Binding => "token-binding",
        }
    }
}

impl From<Fault> for TokenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Algorithm => Self::Algorithm,
            Fault::Type => Self::Type,
            Fault::UnknownKey | Fault::AmbiguousKey => Self::UnknownKey,
            Fault::Signature => Self::Signature,
            Fault::Missing(_) | Fault::Claim(_) => Self::Claims,
            _ => Self::Malformed,
        }
    }
}
