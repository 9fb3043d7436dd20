//! Requests to the authorization endpoint (OAuth 2.1 section 4.1.1), in two steps: first who asks and where the answer goes,
//! which must be checked before anything is sent there; then the rest, whose errors go there.

use crate::form::Form;
use crate::request::{URI_BYTES_MAX, details, resources};
use crate::{Challenge, Details, OauthCode, OauthError, Scope, Thumbprint};
use url::Url;

/// Who asks, and where the answer goes. Until both are checked against the client's registration
/// ([`redirect_matches`]), errors are shown to the person and sent nowhere (RFC 6749 section 4.1.2.1).
pub struct AuthorizeTarget {
    /// The client.
    pub client_id: String,
    /// Where the answer goes, as sent.
    pub redirect_uri: String,
    /// Goes back with the answer, unchanged.
    pub state: Option<String>,
    form: Form,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// PKCE.
    pub challenge: Challenge,
    /// The resources asked for (RFC 8707).
    pub resource: Vec<String>,
    /// The scope asked for.
    pub scope: Option<Scope>,
    /// The authority asked for (RFC 9396).
    pub details: Option<Details>,
    /// The DPoP key that the code will be bound to (RFC 9449 section 10).
    pub dpop_jkt: Option<Thumbprint>,
    /// `prompt=none`: show nothing (OpenID Connect Core section 3.1.2.1).
    pub prompt_none: bool,
    /// The person must have signed in at most so many seconds ago.
    pub max_age_seconds: Option<u32>,
}

impl AuthorizeTarget {
    /// Reads the query, and who asks and where the answer goes.
    ///
    /// # Errors
    /// `invalid_request`; to be shown, not sent.
    pub fn parse(query: &[u8]) -> Result<Self, OauthError> {
        let form = Form::parse(query)?;
        let client_id = form.need("client_id", URI_BYTES_MAX)?.to_owned();
        let redirect_uri = form.need("redirect_uri", URI_BYTES_MAX)?.to_owned();
        let state = form.text("state", STATE_BYTES_MAX)?.map(str::to_owned);
        Ok(Self { client_id, redirect_uri, state, form })
    }

    /// What is asked for.
    ///
    /// # Errors
    /// To be sent to the redirect address, once that is known to be the client's: `unsupported_response_type`,
    /// `invalid_request`, `request_not_supported`, `request_uri_not_supported`, `invalid_scope`, `invalid_target`,
    /// `invalid_authorization_details`.
    pub fn request(&self) -> Result<AuthorizeRequest, OauthError> {
        let form = &self.form;
        if form.has("request") {
            return Err(OauthError::new(OauthCode::RequestNotSupported, "request objects are not supported"));
        }
        if form.has("request_uri") {
            let text = "request objects by reference are not supported";
            return Err(OauthError::new(OauthCode::RequestUriNotSupported, text));
        }
        if form.need("response_type", 64)? != "code" {
            return Err(OauthError::new(OauthCode::UnsupportedResponseType, "response_type must be code"));
        }
        if form.text("response_mode", 64)?.is_some_and(|mode| mode != "query") {
            return Err(OauthError::new(OauthCode::InvalidRequest, "response_mode, if given, must be query"));
        }
        let invalid = |text: &'static str| OauthError::new(OauthCode::InvalidRequest, text);
        let dpop_jkt = form.text("dpop_jkt", 64)?.map(str::parse).transpose();
        let max_age = form.text("max_age", 10)?.map(str::parse).transpose();
        Ok(AuthorizeRequest {
            challenge: Challenge::parse(
                form.text("code_challenge", 128)?,
                form.text("code_challenge_method", 16)?,
            )?,
            resource: resources(form)?,
            scope: form.text("scope", URI_BYTES_MAX)?.map(str::parse).transpose()?,
            details: details(form)?,
            dpop_jkt: dpop_jkt.map_err(|_error| invalid("dpop_jkt must be a JWK thumbprint"))?,
            prompt_none: form.text("prompt", 64)? == Some("none"),
            max_age_seconds: max_age.map_err(|_error| invalid("max_age must be a number of seconds"))?,
        })
    }
}

impl std::fmt::Debug for AuthorizeTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthorizeTarget({})", self.client_id)
    }
}

/// Whether a redirect address is the registered one: the same text, byte for byte (OAuth 2.1 section 2.3.1). Only for a
/// registered `http` address of this machine by number or as `localhost` may the port differ, since programs get theirs
/// when they start (RFC 8252 section 7.3).
#[must_use]
pub fn redirect_matches(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return true;
    }
    // Cut textually, so that nothing but the port can differ; then the port must be one.
    let parts = |text: &'_ str| {
        let rest = text.strip_prefix("http://")?;
        let host = LOOPBACK.iter().find(|host| rest.starts_with(**host))?;
        let after = rest.strip_prefix(host)?;
        let (port, tail) = match after.strip_prefix(':') {
            Some(port) => port.split_at_checked(port.find(['/', '?', '#']).unwrap_or(port.len()))?,
            None => ("80", after),
        };
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let is_port = digits && port.parse::<u16>().is_ok_and(|port| port > 0);
        (is_port && (tail.is_empty() || tail.starts_with(['/', '?']))).then(|| (*host, tail.to_owned()))
    };
    parts(registered).is_some_and(|ours| parts(requested) == Some(ours))
}

/// That a redirect address may be registered: https, or http to this machine, or a scheme of the app's own with a dot in
/// it (RFC 8252 section 7.1); no fragment, no user.
///
/// # Errors
/// `invalid_request`.
pub fn check_redirect(text: &str) -> Result<(), OauthError> {
    let url = Url::parse(text).ok().filter(|_url| text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'));
    let good = url.is_some_and(|url| {
        let local = |host: &str| LOOPBACK.contains(&host);
        let scheme_ok = match url.scheme() {
            "https" => true,
            "http" => url.host_str().is_some_and(local),
            own => own.contains('.'),
        };
        scheme_ok && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
    });
    if good && text.len() <= URI_BYTES_MAX {
        return Ok(());
    }
    let text = "a redirect address is https, http to 127.0.0.1, [::1] or localhost, or an app's own scheme such as \
                com.example.app:/back; without fragment and user";
    Err(OauthError::new(OauthCode::InvalidRequest, text))
}

const LOOPBACK: &[&str] = &["127.0.0.1", "[::1]", "localhost"];
const STATE_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests;
