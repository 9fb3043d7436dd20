//! Demonstrating proof of possession (RFC 9449): whoever sends a request holds the key that the token is bound to.

use crate::jws::{Jws, JwsRules};
use crate::jwt::{Claims, moment};
use crate::replay::{Replay, ReplayKind};
use crate::{Algorithm, Fault, Nonces, Thumbprint, uri};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use provost_domain::{Digest, Timestamp};

/// `typ` of a proof.
pub const DPOP_TYPE: &str = "dpop+jwt";
/// Algorithms for proofs, as published in `dpop_signing_alg_values_supported`.
pub const DPOP_ALGORITHMS: &[Algorithm] =
    &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct ProofRules<'a> {
    /// The HTTP method as it came in; compared exactly.
    pub method: &'a str,
    /// The public address of the request, as the client sees it; query and fragment are ignored.
    pub uri: &'a str,
    /// The access token the proof came with: its hash must be in the proof. At the token endpoint there is none.
    pub access_token: Option<&'a str>,
    /// Nonces, if one is required.
    pub nonces: Option<&'a Nonces>,
    /// The body of the request: `content_digest` (MCP's DPoP profile), if the proof has it, must fit. Not looked at, if
    /// absent.
    pub body: Option<&'a [u8]>,
    /// `iat` at most so long ago, in seconds.
    pub age_seconds_max: i64,
    /// `iat` at most so far ahead, in seconds.
    pub ahead_seconds_max: i64,
}

impl<'a> ProofRules<'a> {
    /// The rules for a request: five minutes back and one ahead, no token, no nonce.
    #[must_use]
    pub const fn new(method: &'a str, uri: &'a str) -> Self {
        Self {
            method,
            uri,
            access_token: None,
            nonces: None,
            body: None,
            age_seconds_max: 300,
            ahead_seconds_max: 60,
        }
    }
}

/// A verified proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// RFC 7638 thumbprint of the key: `cnf.jkt` of tokens that are bound to it.
    pub jkt: Thumbprint,
    /// Whether it was made for the access token it came with.
    pub covers_token: bool,
    /// Record it before acting; refuse the proof if it was there.
    pub replay: Replay,
}

/// Judges the one `DPoP` header of a request (RFC 9449 section 4.3). That there is exactly one is the caller's to see.
///
/// # Errors
/// [`Fault`]; answer with [`Fault::as_proof_error`].
pub fn verify_proof(proof: &str, rules: &ProofRules<'_>, now: Timestamp) -> Result<Proof, Fault> {
    let jws = Jws::read(proof, &RULES)?;
    let key = jws.embedded_key().ok_or(Fault::ProofKey)?;
    let claims = jws.verify(key)?;
    check_request(&claims, rules)?;
    let iat = check_age(&claims, rules, now)?;
    check_token(&claims, rules.access_token)?;
    check_content(&claims, rules.body)?;
    let jti = claims.jti()?.to_owned();
    // Last: a nonce is handed out to whoever could use it, not to whoever asks.
    check_nonce(&claims, rules.nonces, now)?;
    let jkt = key.thumbprint();
    let until = moment(iat.saturating_add(rules.age_seconds_max).saturating_add(1));
    let replay = Replay { kind: ReplayKind::Dpop, issuer: jkt.to_string(), jti, until };
    Ok(Proof { jkt, covers_token: rules.access_token.is_some(), replay })
}

fn check_request(claims: &Claims, rules: &ProofRules<'_>) -> Result<(), Fault> {
    let method = claims.text("htm")?;
    let uri = uri::comparable(claims.text("htu")?);
    if method == rules.method && uri.is_some() && uri == uri::comparable(rules.uri) {
        Ok(())
    } else {
        Err(Fault::Request)
    }
}

fn check_age(claims: &Claims, rules: &ProofRules<'_>, now: Timestamp) -> Result<i64, Fault> {
    let (iat, now) = (claims.seconds("iat")?, now.as_seconds());
    if iat < now.saturating_sub(rules.age_seconds_max) {
        return Err(Fault::Expired);
    }
    if iat > now.saturating_add(rules.ahead_seconds_max) {
        return Err(Fault::NotYet);
    }
    // Not in the RFC, but where a client says when its proof ends, it is believed.
    if claims.optional_seconds("exp")?.is_some_and(|exp| now >= exp) {
        return Err(Fault::Expired);
    }
    Ok(iat)
}

fn check_token(claims: &Claims, access_token: Option<&str>) -> Result<(), Fault> {
    let Some(token) = access_token else { return Ok(()) };
    let ath = claims.optional_text("ath")?.and_then(|ath| ath.parse::<Thumbprint>().ok());
    if ath == Some(Thumbprint::of(token.as_bytes())) { Ok(()) } else { Err(Fault::AccessToken) }
}

fn check_content(claims: &Claims, body: Option<&[u8]>) -> Result<(), Fault> {
    let (Some(claimed), Some(body)) = (claims.optional_text("content_digest")?, body) else { return Ok(()) };
    let digest = STANDARD.encode(Digest::of(body).as_bytes());
    if claimed == format!("sha-256=:{digest}:") { Ok(()) } else { Err(Fault::Content) }
}

fn check_nonce(claims: &Claims, nonces: Option<&Nonces>, now: Timestamp) -> Result<(), Fault> {
    let Some(nonces) = nonces else { return Ok(()) };
    match claims.optional_text("nonce") {
        Ok(Some(nonce)) if nonces.accept(nonce, now) => Ok(()),
        _ => Err(Fault::Nonce),
    }
}

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 8_192,
    algorithms: DPOP_ALGORITHMS,
    types: &[DPOP_TYPE],
    type_may_be_absent: false,
    embedded_key: true,
};

#[cfg(test)]
mod tests;
