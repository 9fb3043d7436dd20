//! Requests to the token, revocation and introspection endpoints, read strictly into what they mean.

use crate::assertion::CLIENT_ASSERTION_TYPE;
use crate::form::Form;
use crate::svid::SPIFFE_ASSERTION_TYPE;
use crate::{Details, OauthCode, OauthError, Scope, Secret, uri};
use std::collections::BTreeMap;

/// A token request (RFC 6749 section 4, OAuth 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// What is presented for a token.
    pub grant: Grant,
    /// `client_id`, if sent. It proves nothing: with an assertion it must be the assertion's, without one it names a public
    /// client.
    pub client_id: Option<String>,
    /// How the client proves who it is.
    pub credential: ClientCredential,
    /// The resources asked for (RFC 8707).
    pub resource: Vec<String>,
    /// The scope asked for.
    pub scope: Option<Scope>,
    /// The authority asked for (RFC 9396).
    pub details: Option<Details>,
    /// Parameters that no standard here knows, each once, at most 2048 bytes.
    pub others: BTreeMap<String, String>,
}

/// What is presented for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The client on its own (RFC 6749 section 4.4).
    ClientCredentials,
    /// A code of the authorization endpoint (RFC 6749 section 4.1.3, RFC 7636).
    AuthorizationCode {
        /// The code.
        code: Secret,
        /// As in the authorization request. OAuth 2.1 no longer sends it; if it comes, it must be the same.
        redirect_uri: Option<String>,
        /// Whose hash is the request's challenge.
        code_verifier: Secret,
    },
    /// A refresh token (RFC 6749 section 6).
    RefreshToken {
        /// It.
        refresh_token: Secret,
    },
    /// Somebody's word: a platform's token or an ID-JAG (RFC 7523 section 2.1).
    JwtBearer {
        /// It.
        assertion: Secret,
    },
    /// One token for another (RFC 8693).
    TokenExchange(Box<TokenExchange>),
}

/// One token for another (RFC 8693 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExchange {
    /// Whose authority.
    pub subject_token: Secret,
    /// What that is.
    pub subject_token_type: TokenType,
    /// Who acts, if it is said by a token; the authenticated client, if not.
    pub actor: Option<(Secret, TokenType)>,
    /// What is wanted; an access token, if absent.
    pub requested_token_type: Option<TokenType>,
    /// Logical names of targets.
    pub audience: Vec<String>,
}

/// Kinds of tokens (RFC 8693 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// An access token.
    AccessToken,
    /// An OpenID Connect ID token.
    IdToken,
    /// A refresh token.
    RefreshToken,
    /// Some JWT.
    Jwt,
    /// An identity assertion authorization grant.
    IdJag,
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCredential {
    /// Not at all: a public client, or a grant that is proof enough.
    None,
    /// By a signed assertion (RFC 7521 section 4.2).
    Assertion {
        /// Which kind.
        kind: AssertionKind,
        /// It.
        assertion: Secret,
    },
}

/// Kinds of client assertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssertionKind {
    /// `private_key_jwt` (RFC 7523): [`crate::assertion`].
    JwtBearer,
    /// A JWT-SVID: [`crate::svid`].
    JwtSpiffe,
}

/// A revocation (RFC 7009 section 2.1) or introspection request (RFC 7662 section 2.1). `token_type_hint` is a hint and
/// is not even looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// The token asked about. It may be of any issuer, and nonsense.
    pub token: Secret,
    /// `client_id`, if sent.
    pub client_id: Option<String>,
    /// How the client proves who it is.
    pub credential: ClientCredential,
}

impl TokenRequest {
    /// Reads the body of a request to the token endpoint.
    ///
    /// # Errors
    /// `invalid_request`, `unsupported_grant_type`, `invalid_client` for a client secret, `invalid_scope`,
    /// `invalid_target`, `invalid_authorization_details`.
    pub fn parse(body: &[u8]) -> Result<Self, OauthError> {
        let form = Form::parse(body)?;
        let (client_id, credential) = client(&form)?;
        let grant = match form.need("grant_type", 128)? {
            "client_credentials" => Grant::ClientCredentials,
            "authorization_code" => Grant::AuthorizationCode {
                code: form.secret("code", CODE_BYTES_MAX)?,
                redirect_uri: form.text("redirect_uri", URI_BYTES_MAX)?.map(str::to_owned),
                code_verifier: form.secret("code_verifier", CODE_BYTES_MAX)?,
            },
            "refresh_token" => {
                Grant::RefreshToken { refresh_token: form.secret("refresh_token", CODE_BYTES_MAX)? }
            }
            JWT_BEARER_GRANT => Grant::JwtBearer { assertion: form.secret("assertion", TOKEN_BYTES_MAX)? },
            TOKEN_EXCHANGE_GRANT => Grant::TokenExchange(Box::new(exchange(&form)?)),
            _ => {
                let text = "grant_type must be client_credentials, authorization_code, refresh_token, \
                            urn:ietf:params:oauth:grant-type:jwt-bearer or \
                            urn:ietf:params:oauth:grant-type:token-exchange";
                return Err(OauthError::new(OauthCode::UnsupportedGrantType, text));
            }
        };
        Ok(Self {
            grant,
            client_id,
            credential,
            resource: resources(&form)?,
            scope: form.text("scope", URI_BYTES_MAX)?.map(str::parse).transpose()?,
            details: details(&form)?,
            others: form.others(KNOWN, URI_BYTES_MAX)?,
        })
    }
}

impl TokenQuery {
    /// Reads the body of a request to the revocation or introspection endpoint.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_client` for a client secret.
    pub fn parse(body: &[u8]) -> Result<Self, OauthError> {
        let form = Form::parse(body)?;
        let (client_id, credential) = client(&form)?;
        Ok(Self { token: form.secret("token", TOKEN_BYTES_MAX)?, client_id, credential })
    }
}

impl TokenType {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::AccessToken, Self::IdToken, Self::RefreshToken, Self::Jwt, Self::IdJag];

    /// Its URN.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::IdJag => "urn:ietf:params:oauth:token-type:id-jag",
        }
    }

    fn parse(text: &str) -> Result<Self, OauthError> {
        let known = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| {
            invalid("the token type is not known: access_token, id_token, refresh_token, jwt and id-jag are")
        })
    }
}

impl OauthError {
    /// The answer to `Authorization: Basic`, `client_secret` and the like.
    #[must_use]
    pub fn no_client_secrets() -> Self {
        let text = "client secrets are not accepted here: register a public key and send a client_assertion \
                    (private_key_jwt), use a JWT-SVID, or bring your platform's token with the jwt-bearer grant";
        Self::new(OauthCode::InvalidClient, text)
    }
}

fn client(form: &Form) -> Result<(Option<String>, ClientCredential), OauthError> {
    if form.has("client_secret") {
        return Err(OauthError::no_client_secrets());
    }
    let client_id = form.text("client_id", URI_BYTES_MAX)?.map(str::to_owned);
    let kind = match form.text("client_assertion_type", 128)? {
        None if form.has("client_assertion") => return Err(invalid("client_assertion_type is missing")),
        None => return Ok((client_id, ClientCredential::None)),
        Some(CLIENT_ASSERTION_TYPE) => AssertionKind::JwtBearer,
        Some(SPIFFE_ASSERTION_TYPE) => AssertionKind::JwtSpiffe,
        Some(_) => {
            let text = "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer or \
                        urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
            return Err(OauthError::new(OauthCode::InvalidClient, text));
        }
    };
    let assertion = form.secret("client_assertion", TOKEN_BYTES_MAX)?;
    Ok((client_id, ClientCredential::Assertion { kind, assertion }))
}

fn exchange(form: &Form) -> Result<TokenExchange, OauthError> {
    let kind = |name: &str| form.text(name, 128)?.map(TokenType::parse).transpose();
    let actor = match (form.has("actor_token"), kind("actor_token_type")?) {
        (true, Some(kind)) => Some((form.secret("actor_token", TOKEN_BYTES_MAX)?, kind)),
        (false, None) => None,
        // RFC 8693 section 2.1.
        _ => return Err(invalid("actor_token and actor_token_type go together: send both or neither")),
    };
    let audience: Vec<String> = form.list("audience").map(str::to_owned).collect();
    let fits = |text: &String| text.len() <= URI_BYTES_MAX && !text.chars().any(char::is_control);
    if !audience.iter().all(fits) {
        return Err(OauthError::new(OauthCode::InvalidTarget, "an audience is at most 2048 bytes of text"));
    }
    let subject_token_type = kind("subject_token_type")?;
    Ok(TokenExchange {
        subject_token: form.secret("subject_token", TOKEN_BYTES_MAX)?,
        subject_token_type: subject_token_type.ok_or_else(|| invalid("subject_token_type is missing"))?,
        actor,
        requested_token_type: kind("requested_token_type")?,
        audience,
    })
}

pub(crate) fn resources(form: &Form) -> Result<Vec<String>, OauthError> {
    form.list("resource").map(|text| uri::check_resource(text).map(|()| text.to_owned())).collect()
}

pub(crate) fn details(form: &Form) -> Result<Option<Details>, OauthError> {
    form.text("authorization_details", DETAILS_BYTES_MAX)?.map(Details::parse_text).transpose()
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> OauthError {
    OauthError::new(OauthCode::InvalidRequest, text)
}

/// `grant_type` of a JWT assertion (RFC 7523 section 2.1).
pub const JWT_BEARER_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// `grant_type` of a token exchange (RFC 8693 section 2.1).
pub const TOKEN_EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What must not be told to whoever asks for other parameters, among the rest.
const KNOWN: &[&str] = &[
    "grant_type",
    "client_id",
    "client_assertion",
    "client_assertion_type",
    "resource",
    "audience",
    "scope",
    "authorization_details",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "assertion",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
];
pub(crate) const URI_BYTES_MAX: usize = 2_048;
const CODE_BYTES_MAX: usize = 1_024;
const TOKEN_BYTES_MAX: usize = 16_384;
const DETAILS_BYTES_MAX: usize = 16_384;

#[cfg(test)]
mod tests;
