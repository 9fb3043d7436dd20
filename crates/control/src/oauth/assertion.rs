//! A person's identity provider says for whom an agent may act here: ID-JAGs, redeemed by the jwt-bearer grant
//! (draft-ietf-oauth-identity-assertion-authz-grant; MCP enterprise-managed authorization).

use super::{client, federation, once, op, refused, token::Ask};
use crate::task::{self, Behalf};
use provost_api::task::TaskStart;
use provost_domain::{Name, Person};
use provost_token::{
    AccessClaims, Actor, Confirmation, Details, IdJag, IdJagRules, OauthCode, OauthError, Proof, Scope,
    TokenRequest, details, id_jag::claimed_provider, verify_id_jag,
};
use std::sync::Arc;

/// A token for a task in the name of a person, as their identity provider allows.
///
/// # Errors
/// `invalid_grant` with what is wrong; `invalid_target`, `invalid_scope`, `invalid_authorization_details` when more is asked for
/// than the provider allowed.
pub(super) async fn redeem(
    ask: &Ask<'_>,
    assertion: &str,
    proof: Option<&Proof>,
) -> Result<AccessClaims, OauthError> {
    let plane = ask.plane;
    let provider = claimed_provider(assertion).ok_or_else(|| {
        invalid("a client that proves itself redeems ID-JAGs; a platform's token comes without client authentication")
    })?;
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let issuer = federation::issuer_of(&view.directory, &provider)
        .filter(|issuer| issuer.people.as_ref().is_some_and(|people| people.assertions))
        .ok_or_else(|| {
            invalid("the provider of the assertion is none whose assertions this plane redeems")
        })?;
    let rules = IdJagRules {
        provider: &issuer.issuer,
        issuer: &plane.issuer,
        client_id: ask.agent.name.as_str(),
        ahead_seconds_max: AHEAD_SECONDS_MAX,
    };
    let now = plane.now();
    let judged =
        plane.trusted.judged(plane, &issuer, |keys| verify_id_jag(assertion, keys, &rules, now)).await;
    let grant = judged
        .map_err(|error| federation::no_keys(&issuer, &error))?
        .map_err(|fault| fault.as_grant_error())?;
    check_key(&grant, proof)?;
    once(plane, &grant.replay, OauthCode::InvalidGrant).await?;
    let person = view.directory.person_of(&issuer.name, &grant.subject).ok_or_else(|| {
        invalid("the person of the assertion is nobody here: they sign in once, or an administrator adds the login")
    })?;
    check_person(person)?;
    let request = narrowed(ask.request, &grant)?;
    start(&Ask { request: &request, ..*ask }, &person.name, &grant).await
}

async fn start(ask: &Ask<'_>, person: &Name, grant: &IdJag) -> Result<AccessClaims, OauthError> {
    let plane = ask.plane;
    let system = ask.system()?;
    let wanted = TaskStart {
        agent: ask.agent.name.clone(),
        purpose: ask.purpose(),
        requester: Some(person.clone()),
        inputs: Default::default(),
        duration: None,
        scope: ask.parts_at(ask.request.details.as_ref(), system.as_ref())?,
        system: system.clone(),
        bill: None,
    };
    let op = op(plane, &ask.agent.name, ask.request_id);
    let task = task::begin_made_of(&op, &wanted, Behalf::Person, super::bill::presented(ask)?)
        .await
        .map_err(refused)?;
    let claims = task::claims(plane, &task, system.as_ref());
    Ok(AccessClaims {
        scope: ask.request.scope.clone(),
        authorization_details: ask.request.details.clone(),
        auth_time: grant.auth_time,
        acr: grant.acr.clone(),
        ..for_person(claims, person)
    })
}

/// A token that says for whom: the person, and the agent that acts (RFC 8693 section 4.1).
pub(super) fn for_person(claims: AccessClaims, person: &Name) -> AccessClaims {
    let act = Actor { sub: claims.client_id.clone(), iss: None, act: None };
    AccessClaims { sub: person.clone(), act: Some(act), ..claims }
}

/// What the provider allowed is the most there is.
fn narrowed(request: &TokenRequest, grant: &IdJag) -> Result<TokenRequest, OauthError> {
    let resource = match (grant.resources.as_slice(), request.resource.as_slice()) {
        ([], wanted) => wanted.to_vec(),
        (allowed, []) => allowed.to_vec(),
        (allowed, wanted) if wanted.iter().all(|one| allowed.contains(one)) => wanted.to_vec(),
        _ => {
            let text = "the assertion is for another resource";
            return Err(OauthError::new(OauthCode::InvalidTarget, text));
        }
    };
    let scope: Option<Scope> = match (&grant.scope, &request.scope) {
        (allowed, None) => allowed.clone(),
        (None, wanted) => wanted.clone(),
        (Some(allowed), Some(wanted)) if wanted.is_within(allowed) => Some(wanted.clone()),
        _ => {
            let text = "the scope asked for is more than the assertion's";
            return Err(OauthError::new(OauthCode::InvalidScope, text));
        }
    };
    let allowed = grant.authorization_details.as_ref().map(Details::parse).transpose()?;
    let details = details::attenuate(allowed.as_ref(), request.details.as_ref())?;
    Ok(TokenRequest { resource, scope, details, ..request.clone() })
}

fn check_key(grant: &IdJag, proof: Option<&Proof>) -> Result<(), OauthError> {
    let proven = proof.map(|proof| Confirmation::Jkt(proof.jkt));
    match &grant.cnf {
        Some(key) if proven.as_ref() != Some(key) => {
            let text = "the assertion is bound to a key: send a DPoP proof made with it";
            Err(OauthError::new(OauthCode::InvalidDpopProof, text))
        }
        _ => Ok(()),
    }
}

fn check_person(person: &Arc<Person>) -> Result<(), OauthError> {
    if person.active {
        return Ok(());
    }
    Err(invalid("the person of the assertion has left, and nobody acts for them"))
}

fn invalid(text: &'static str) -> OauthError {
    OauthError::new(OauthCode::InvalidGrant, text)
}

/// Providers issue about five minutes.
const AHEAD_SECONDS_MAX: i64 = 600;
