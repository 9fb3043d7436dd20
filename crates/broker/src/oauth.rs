//! The plane as a client of a system's authorization server.

use crate::{BrokerError, Signer, subject::Pen};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use provost_connect::{Ask, Secret, Upstreams};
use provost_domain::{
    DurationMs, Name, Timestamp,
    credential::{AuthorizationServer, ClientAuthentication, TokenSource},
};
use serde::Deserialize;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// The plane as one client of one authorization server.
pub struct OauthClient<'a> {
    /// What requests are sent with.
    pub upstreams: &'a Upstreams,
    /// The plane's keys.
    pub signer: &'a dyn Signer,
    /// The present.
    pub now: Timestamp,
    /// The system the server belongs to, for errors.
    pub system: &'a Name,
    /// The server.
    pub server: &'a AuthorizationServer,
    /// The client secret, where the server wants one.
    pub secret: Option<Secret>,
}

/// What an authorization server gave.
#[derive(Debug)]
pub struct TokenAnswer {
    /// The access token.
    pub access: Secret,
    /// How long it is good for, if the server says so.
    pub expires_in: Option<DurationMs>,
    /// The refresh token, if there is one.
    pub refresh: Option<Secret>,
    /// What was granted, if it is not what was asked for.
    pub scope: Option<String>,
}

/// Parameters of a request, in order.
pub type Form<'a> = Vec<(&'static str, &'a str)>;

impl OauthClient<'_> {
    /// Asks for a token (RFC 6749 sections 3.2 and 5).
    ///
    /// # Errors
    /// What the server refuses, by its code; an answer that is none.
    pub async fn ask(&self, form: &Form<'_>) -> Result<TokenAnswer, BrokerError> {
        let (status, body) = self.post(&self.server.token_endpoint, form).await?;
        if status != 200 {
            return Err(self.error(status, &body));
        }
        self.read(&body)
    }

    /// Takes a token back (RFC 7009). Without a revocation endpoint it is an error.
    ///
    /// # Errors
    /// When the server does not confirm it.
    pub async fn revoke(&self, token: &Secret, hint: &'static str) -> Result<(), BrokerError> {
        let Some(endpoint) = &self.server.revocation_endpoint else {
            return Err(self.refused("has no `revocation_endpoint`"));
        };
        let text = std::str::from_utf8(token.dangerous_expose()).unwrap_or_default();
        let (status, body) = self.post(endpoint, &vec![("token", text), ("token_type_hint", hint)]).await?;
        // Also for a token that it does not know, or no more (section 2.2).
        if status == 200 { Ok(()) } else { Err(self.error(status, &body)) }
    }

    async fn post(&self, url: &str, form: &Form<'_>) -> Result<(u16, Zeroizing<Vec<u8>>), BrokerError> {
        let mut form: Vec<(&str, &str)> = form.clone();
        let mut headers = HeaderMap::new();
        let assertion;
        // RFC 6749 section 2.3, RFC 7523 section 2.2.
        match self.server.authentication {
            ClientAuthentication::PrivateKeyJwt => {
                let pen = Pen { signer: self.signer, issuer: "", now: self.now };
                assertion = pen.client(self.system, &self.server.client_id, &self.server.issuer)?;
                form.push(("client_id", &self.server.client_id));
                form.push(("client_assertion_type", provost_token::assertion::CLIENT_ASSERTION_TYPE));
                form.push(("client_assertion", &assertion));
            }
            ClientAuthentication::ClientSecretBasic => {
                headers.insert(header::AUTHORIZATION, self.basic()?);
            }
            ClientAuthentication::ClientSecretPost => {
                form.push(("client_id", &self.server.client_id));
                form.push(("client_secret", self.client_secret()?));
            }
            ClientAuthentication::None => form.push(("client_id", &self.server.client_id)),
        }
        let ask = Ask { headers, form: Some(&form), ..Ask::default() };
        let answer = self.upstreams.fetch(url, ask, ANSWER_BYTES_MAX).await;
        let answer = answer.map_err(|error| BrokerError::unreachable(self.system, error))?;
        Ok((answer.status.as_u16(), Zeroizing::new(answer.body.to_vec())))
    }

    /// RFC 6749 section 2.3.1: both parts are encoded as in a form first.
    fn basic(&self) -> Result<HeaderValue, BrokerError> {
        let encoded =
            |text: &str| Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
        let secret = encoded(self.client_secret()?);
        let pair =
            Zeroizing::new(format!("{}:{}", encoded(&self.server.client_id).as_str(), secret.as_str()));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut value =
            HeaderValue::from_str(&text).map_err(|_bad| self.refused("cannot be given the client secret"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn client_secret(&self) -> Result<&str, BrokerError> {
        let secret = self.secret.as_ref().map(Secret::dangerous_expose);
        secret.and_then(|secret| std::str::from_utf8(secret).ok()).ok_or_else(|| {
            BrokerError::unusable(
                self.system,
                "the client secret for its authorization server is not set, or no text",
            )
        })
    }

    fn read(&self, body: &[u8]) -> Result<TokenAnswer, BrokerError> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_other| {
            self.refused("answered with something that is not a token response (RFC 6749 section 5.1)")
        })?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.refused("gave a token that is no bearer token; no other kind is understood"));
        }
        let fits = |token: &str| {
            (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|b| (0x21..0x7f).contains(&b))
        };
        if !fits(&answer.access_token) || answer.refresh_token.as_ref().is_some_and(|token| !fits(token)) {
            return Err(self.refused("gave a token that is empty, too long or has characters no token has"));
        }
        let seconds = match answer.expires_in {
            None => None,
            Some(Seconds::Number(seconds)) => Some(seconds),
            Some(Seconds::Text(text)) => Some(
                text.parse()
                    .map_err(|_nan| self.refused("wrote `expires_in` as something that is no number"))?,
            ),
        };
        let secret = |text: &Zeroizing<String>| Secret::new(text.as_bytes().to_vec());
        Ok(TokenAnswer {
            access: secret(&answer.access_token),
            expires_in: seconds.map(DurationMs::from_secs),
            refresh: answer.refresh_token.as_ref().map(secret),
            scope: answer
                .scope
                .map(|scope| scope.chars().filter(|c| !c.is_control()).take(SCOPE_CHARS_MAX).collect()),
        })
    }

    /// A refusal by its code; its description is somebody else's text and may quote what was sent.
    fn error(&self, status: u16, body: &[u8]) -> BrokerError {
        let code = serde_json::from_slice::<OauthRefusal>(body).ok().map(|refusal| refusal.error);
        let code =
            code.filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        let why = match code.as_deref() {
            Some(code) => format!("refused with `{code}`{}", hint(code)),
            None => format!("answered with http status {status}; check its endpoints"),
        };
        BrokerError::Refused { system: self.system.clone(), who: WHO, why, code }
    }

    fn refused(&self, why: &str) -> BrokerError {
        BrokerError::refused(self.system, WHO, why)
    }
}

impl TokenAnswer {
    /// How long the token is counted on.
    ///
    /// # Errors
    /// When it is good for longer than the system's row allows, or nobody knows how long and nobody can take it back: the
    /// worst-case revocation time would not be what it is said to be.
    pub(crate) fn lifetime(&self, system: &Name, source: &TokenSource) -> Result<DurationMs, BrokerError> {
        let most = source.lifetime_max;
        match self.expires_in {
            Some(lives) if lives <= most => Ok(lives),
            Some(lives) => Err(BrokerError::refused(
                system,
                WHO,
                format!(
                    "gave a token that is good for {lives}, and `lifetime_max` is {most}: have it give shorter ones, or raise it"
                ),
            )),
            None if source.server.revocation_endpoint.is_some() => Ok(most),
            None => Err(BrokerError::refused(
                system,
                WHO,
                "gave a token without `expires_in`: name its `revocation_endpoint`, or have it say how long tokens are good for",
            )),
        }
    }
}

fn hint(code: &str) -> &'static str {
    match code {
        "invalid_client" => "; check the client id there, and how the plane authenticates",
        "invalid_grant" => {
            "; it does not accept what the plane presents: is this plane trusted there, and is the grant still good?"
        }
        "unauthorized_client" | "unsupported_grant_type" => {
            "; the plane's client may not use this grant there"
        }
        "invalid_scope" | "invalid_target" => "; check scope, resource and audience",
        _ => "",
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: Zeroizing<String>,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
    #[serde(default)]
    refresh_token: Option<Zeroizing<String>>,
    #[serde(default)]
    scope: Option<String>,
}

/// Some servers write the number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
struct OauthRefusal {
    error: String,
}

pub(crate) const WHO: &str = "its authorization server";
/// Bytes of the longest answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 65_536;
const TOKEN_BYTES_MAX: usize = 8_192;
const SCOPE_CHARS_MAX: usize = 1_000;
