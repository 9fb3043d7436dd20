//! Identity assertion authorization grants: an organisation's identity provider says which person a client may act for here
//! (draft-ietf-oauth-identity-assertion-authz-grant, as MCP's enterprise-managed authorization uses it).

use crate::actor::{Actor, CHAIN_DEPTH_MAX};
use crate::jws::{Jws, JwsRules};
use crate::jwt::{Claims, Lifetime, SKEW_SECONDS_MAX, moment, verified};
use crate::replay::{Replay, ReplayKind};
use crate::{Algorithm, Confirmation, Fault, KeySet, Scope};
use provost_domain::Timestamp;
use serde_json::Value;

/// `typ` of an ID-JAG.
pub const ID_JAG_TYPE: &str = "oauth-id-jag+jwt";
/// `authorization_grant_profiles_supported` of a server that redeems them.
pub const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// What an ID-JAG must be.
#[derive(Debug, Clone, Copy)]
pub struct IdJagRules<'a> {
    /// The identity provider that is trusted for this; never this plane itself.
    pub provider: &'a str,
    /// Our issuer identifier: the one audience.
    pub issuer: &'a str,
    /// The client that authenticated with this request, by the id it has here.
    pub client_id: &'a str,
    /// `exp` at most so far ahead, in seconds; identity providers issue about 300.
    pub ahead_seconds_max: i64,
}

/// A verified ID-JAG. Everything in it is the provider's word: map `subject` to a person by (`provider`, `subject`), and grant no
/// more than scope, details and resource say.
#[derive(Debug, Clone, PartialEq)]
pub struct IdJag {
    /// `iss`.
    pub provider: String,
    /// `sub`: the person, as the provider names them.
    pub subject: String,
    /// The resources it is for; any, if empty.
    pub resources: Vec<String>,
    /// What may be granted at most, if it says so.
    pub scope: Option<Scope>,
    /// What may be granted at most, if it says so: `authorization_details` for [`crate::Details::parse`].
    pub authorization_details: Option<Value>,
    /// Who acts for the person, in the provider's words.
    pub act: Option<Actor<String>>,
    /// The key that must prove possession with this request, and that what is issued must be bound to.
    pub cnf: Option<Confirmation>,
    /// When the person signed in, in seconds.
    pub auth_time: Option<i64>,
    /// How the person signed in.
    pub acr: Option<String>,
    /// The person's mail address, for display.
    pub email: Option<String>,
    /// From this moment on it is no longer good.
    pub expires: Timestamp,
    /// Record it before issuing anything; refuse the assertion if it was there. Mandatory in the MCP profile.
    pub replay: Replay,
}

/// Whether a jwt-bearer assertion calls itself an ID-JAG, and by whom it says it is issued. Nothing is proved by that.
#[must_use]
pub fn claimed_provider(assertion: &str) -> Option<String> {
    let claims = Jws::read(assertion, &RULES).ok()?.dangerous_unverified_claims().ok()?;
    claims.text("iss").ok().map(str::to_owned)
}

/// Judges an ID-JAG with the provider's keys.
///
/// # Errors
/// [`Fault`]; answer with [`Fault::as_grant_error`].
pub fn verify_id_jag(
    assertion: &str,
    keys: &KeySet,
    rules: &IdJagRules<'_>,
    now: Timestamp,
) -> Result<IdJag, Fault> {
    let claims = verified(assertion, &RULES, keys)?;
    // A provider does not redeem its own grants: it would be asserting to itself.
    if claims.text("iss")? != rules.provider || rules.provider == rules.issuer {
        return Err(Fault::Issuer);
    }
    claims.audience_is_one_of(&[rules.issuer])?;
    if claims.text("client_id")? != rules.client_id {
        return Err(Fault::Client);
    }
    let lifetime = Lifetime {
        ahead_seconds_max: rules.ahead_seconds_max,
        skew_seconds_max: SKEW_SECONDS_MAX,
        iat_required: true,
    };
    let expires = moment(claims.lifetime(now, &lifetime)?);
    let scope = claims.optional_text("scope")?.map(str::parse).transpose();
    Ok(IdJag {
        provider: rules.provider.to_owned(),
        subject: claims.text("sub")?.to_owned(),
        resources: claims.texts("resource")?.unwrap_or_default().into_iter().map(str::to_owned).collect(),
        scope: scope.map_err(|_malformed| Fault::Claim("scope"))?,
        authorization_details: claims.get("authorization_details").cloned(),
        act: actors(&claims)?,
        cnf: typed(&claims, "cnf")?,
        auth_time: claims.optional_seconds("auth_time")?,
        acr: claims.optional_text("acr")?.map(str::to_owned),
        email: claims.optional_text("email")?.map(str::to_owned),
        expires,
        replay: Replay {
            kind: ReplayKind::IdJag,
            issuer: rules.provider.to_owned(),
            jti: claims.jti()?.to_owned(),
            until: expires,
        },
    })
}

fn actors(claims: &Claims) -> Result<Option<Actor<String>>, Fault> {
    let chain: Option<Actor<String>> = typed(claims, "act")?;
    match chain {
        Some(chain) if chain.depth() > CHAIN_DEPTH_MAX => Err(Fault::Claim("act")),
        chain => Ok(chain),
    }
}

fn typed<T: serde::de::DeserializeOwned>(claims: &Claims, name: &'static str) -> Result<Option<T>, Fault> {
    let value = claims.get(name).cloned();
    value.map(serde_json::from_value).transpose().map_err(|_wrong| Fault::Claim(name))
}

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 16_384,
    algorithms: Algorithm::ALL,
    types: &[ID_JAG_TYPE],
    type_may_be_absent: false,
    embedded_key: false,
};

#[cfg(test)]
mod tests;
