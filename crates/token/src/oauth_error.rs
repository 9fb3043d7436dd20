//! The errors of OAuth's endpoints: a word for the program, a sentence for the person, a status for HTTP.

use serde::Serialize;
use std::borrow::Cow;

/// The `error` of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OauthCode {
    /// The request is not well formed (RFC 6749 section 5.2).
    InvalidRequest,
    /// The client is unknown or did not prove who it is; 401.
    InvalidClient,
    /// The code, refresh token, assertion or subject token is not good, or not this client's.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The grant does not exist here.
    UnsupportedGrantType,
    /// The scope is unknown, malformed, or more than may be had.
    InvalidScope,
    /// The resource or audience is unknown or refused (RFC 8707 section 2).
    InvalidTarget,
    /// The authorization details are of an unknown type, malformed, or more than may be had (RFC 9396 section 5).
    InvalidAuthorizationDetails,
    /// The DPoP proof is not good (RFC 9449 section 5).
    InvalidDpopProof,
    /// The DPoP proof needs a nonce (RFC 9449 section 8).
    UseDpopNonce,
    /// A person has to sign in, better or again (RFC 9470 section 3).
    InsufficientUserAuthentication,
    /// Said no (RFC 6749 section 4.1.2.1).
    AccessDenied,
    /// Only `code` exists (RFC 6749 section 4.1.2.1).
    UnsupportedResponseType,
    /// No request objects (OpenID Connect Core section 3.1.2.6).
    RequestNotSupported,
    /// No request objects by reference.
    RequestUriNotSupported,
    /// A token of this type cannot be revoked here (RFC 7009 section 2.2.1).
    UnsupportedTokenType,
    /// The access token is not good; 401 (RFC 6750 section 3.1).
    InvalidToken,
    /// The access token does not reach so far; 403 (RFC 6750 section 3.1).
    InsufficientScope,
    /// Our fault; 500.
    ServerError,
    /// Later; 503.
    TemporarilyUnavailable,
}

/// An answer that is an error. Serialises to `{"error": …, "error_description": …}` (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OauthError {
    #[serde(rename = "error")]
    code: OauthCode,
    #[serde(rename = "error_description")]
    description: Cow<'static, str>,
}

impl OauthError {
    /// An error with a sentence that says what, why and what to do. Characters that RFC 6749 does not allow in it are
    /// replaced: quotes and backslashes by `'`, all others by `?`. The sentence must not contain a token or a secret.
    #[must_use]
    pub fn new(code: OauthCode, description: impl Into<Cow<'static, str>>) -> Self {
        let description = description.into();
        let allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        if description.chars().all(allowed) {
            return Self { code, description };
        }
        let clean = description.chars().map(|c| match c {
            '"' | '\\' => '\'',
            c if allowed(c) => c,
            _ => '?',
        });
        Self { code, description: clean.collect::<String>().into() }
    }

    /// The word for the program.
    #[must_use]
    pub const fn code(&self) -> OauthCode {
        self.code
    }

    /// The sentence for the person.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The HTTP status: 401 for a client or token that is not good, 403 for too little scope, 500 and 503 for our own
    /// faults, and 400 for all else (RFC 6749 section 5.2).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.code {
            OauthCode::InvalidClient | OauthCode::InvalidToken => 401,
            OauthCode::InsufficientScope => 403,
            OauthCode::ServerError => 500,
            OauthCode::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

impl OauthCode {
    /// The word as it stands in an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

impl std::fmt::Display for OauthCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_is_written_as_rfc_6749_wants_it() {
        let error = OauthError::new(OauthCode::InvalidClient, "who is \"x\\y\"?\n\u{e4}");
        assert_eq!(
            serde_json::to_value(&error).unwrap(),
            json!({"error": "invalid_client", "error_description": "who is 'x'y'???"})
        );
        assert_eq!(error.status(), 401);
    }

    #[test]
    fn the_word_in_json_and_in_text_is_the_same() {
        use OauthCode::*;
        for code in [
            InvalidRequest,
            InvalidClient,
            InvalidGrant,
            UnauthorizedClient,
            UnsupportedGrantType,
            InvalidScope,
            InvalidTarget,
            InvalidAuthorizationDetails,
            InvalidDpopProof,
            UseDpopNonce,
            InsufficientUserAuthentication,
            AccessDenied,
            UnsupportedResponseType,
            RequestNotSupported,
            RequestUriNotSupported,
            UnsupportedTokenType,
            InvalidToken,
            InsufficientScope,
            ServerError,
            TemporarilyUnavailable,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), json!(code.as_str()));
        }
    }
}
