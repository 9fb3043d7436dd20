//! Clients that authenticate with a signature: `private_key_jwt` (RFC 7523 section 3, with the strict audience of the
//! 7523bis draft).

use crate::jws::{Jws, JwsRules};
use crate::jwt::{Claims, Lifetime, SKEW_SECONDS_MAX, moment};
use crate::replay::{Replay, ReplayKind};
use crate::{Algorithm, Fault, KeySet};
use provost_domain::Timestamp;

/// `client_assertion_type` of such an assertion.
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an assertion must be.
#[derive(Debug, Clone, Copy)]
pub struct ClientAssertionRules<'a> {
    /// Our issuer identifier: the one audience.
    pub issuer: &'a str,
    /// Compatibility with clients from before 7523bis: this token endpoint address is accepted as the one audience too.
    /// Leave it out, since an assertion for the address of an endpoint can be bait for another server with the same one.
    pub token_endpoint: Option<&'a str>,
    /// The accepted algorithms.
    pub algorithms: &'a [Algorithm],
    /// `exp` at most so far ahead, in seconds.
    pub ahead_seconds_max: i64,
}

/// A client that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedClient {
    /// `iss` and `sub`.
    pub client_id: String,
    /// Record it before issuing anything; refuse the assertion if it was there.
    pub replay: Replay,
}

impl<'a> ClientAssertionRules<'a> {
    /// The strict rules: our issuer, EdDSA, ES256, RS256 or PS256, at most five minutes by a clock that may be a little ahead
    /// of ours: the official MCP clients ask for five minutes exactly.
    #[must_use]
    pub const fn strict(issuer: &'a str) -> Self {
        let ahead_seconds_max = 300 + SKEW_SECONDS_MAX;
        Self { issuer, token_endpoint: None, algorithms: CLIENT_ALGORITHMS, ahead_seconds_max }
    }

    const fn jws(&self) -> JwsRules<'a> {
        JwsRules {
            bytes_max: ASSERTION_BYTES_MAX,
            algorithms: self.algorithms,
            types: &["client-authentication+jwt", "JWT"],
            type_may_be_absent: true,
            embedded_key: false,
        }
    }
}

/// Who an assertion says it is by: for finding the client's keys, before [`verify_client`] says whether it is true.
///
/// # Errors
/// As reading it.
pub fn claimed_client(assertion: &str, rules: &ClientAssertionRules<'_>) -> Result<String, Fault> {
    let claims = Jws::read(assertion, &rules.jws())?.dangerous_unverified_claims()?;
    claims.text("sub").map(str::to_owned)
}

/// Judges the assertion of the client `client_id` with that client's registered keys.
///
/// # Errors
/// [`Fault`]; answer with [`Fault::as_client_error`].
pub fn verify_client(
    assertion: &str,
    client_id: &str,
    keys: &KeySet,
    rules: &ClientAssertionRules<'_>,
    now: Timestamp,
) -> Result<AuthenticatedClient, Fault> {
    let claims = signed(assertion, &rules.jws(), keys)?;
    if claims.text("iss")? != client_id || claims.text("sub")? != client_id {
        return Err(Fault::Subject);
    }
    match rules.token_endpoint {
        None => claims.audience_is_one_of(&[rules.issuer])?,
        Some(endpoint) => claims.audience_is_one_of(&[rules.issuer, endpoint])?,
    }
    let lifetime = Lifetime {
        ahead_seconds_max: rules.ahead_seconds_max,
        skew_seconds_max: SKEW_SECONDS_MAX,
        iat_required: false,
    };
    let exp = claims.lifetime(now, &lifetime)?;
    let jti = claims.jti()?.to_owned();
    let replay =
        Replay { kind: ReplayKind::ClientAssertion, issuer: client_id.to_owned(), jti, until: moment(exp) };
    Ok(AuthenticatedClient { client_id: client_id.to_owned(), replay })
}

/// The claims, if the signature is by the key that the assertion names. One that names none, as the official MCP clients' and
/// Authlib's do, may be by any of this client's keys: while they are rotated there are two.
fn signed(assertion: &str, rules: &JwsRules<'_>, keys: &KeySet) -> Result<Claims, Fault> {
    let jws = Jws::read(assertion, rules)?;
    match keys.select(jws.kid.as_deref(), jws.algorithm) {
        Ok(key) => jws.verify(key),
        Err(Fault::AmbiguousKey) => {
            let mut fitting = keys.keys().iter().filter(|key| key.fits(jws.algorithm));
            // Nobody proved anything yet, so work for strangers is bounded.
            if fitting.clone().count() > KEYS_TRIED_MAX {
                return Err(Fault::AmbiguousKey);
            }
            fitting.find_map(|key| jws.verify(key).ok()).ok_or(Fault::Signature)
        }
        Err(fault) => Err(fault),
    }
}

/// Algorithms for clients, as published in `token_endpoint_auth_signing_alg_values_supported`.
pub const CLIENT_ALGORITHMS: &[Algorithm] =
    &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];
const ASSERTION_BYTES_MAX: usize = 8_192;
/// Keys that are tried for an assertion that names none.
const KEYS_TRIED_MAX: usize = 4;

#[cfg(test)]
mod tests;
