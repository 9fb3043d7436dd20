//! Taking a token back (RFC 7009), and asking what it is (RFC 7662).

use super::{client, code, op, refused};
use crate::{plane::Plane, task};
use provost_domain::{Directory, Timestamp};
use provost_token::{AccessClaims, ClientCredential, Introspection, OauthCode, OauthError, TokenQuery};
use std::sync::Arc;

/// Takes a token of the client back. One that is not good is gone already.
///
/// # Errors
/// When the client does not prove itself, or the token is another's.
pub async fn revoke(plane: &Arc<Plane>, request_id: &str, body: &[u8]) -> Result<(), OauthError> {
    let query = TokenQuery::parse(body)?;
    if let (ClientCredential::None, Some(client_id)) = (&query.credential, query.client_id.as_deref()) {
        return code::revoke(plane, request_id, client_id, &query.token).await;
    }
    let agent =
        client::authenticate(plane, request_id, &query.credential, query.client_id.as_deref()).await?;
    let verifier = plane.token_keys.verifier();
    let Ok(claims) = verifier.issued(query.token.dangerous_expose_secret(), plane.now()) else {
        return Ok(());
    };
    if claims.client_id != agent.name {
        // RFC 7009 section 2.1.
        let text = "the token was issued to another client";
        return Err(OauthError::new(OauthCode::InvalidGrant, text));
    }
    task::revoke(&op(plane, &agent.name, request_id), claims.task, &claims.jti).await.map_err(refused)
}

/// Tells an agent about a token it holds: its own, or one it was handed to act with.
///
/// # Errors
/// When the client does not prove itself.
pub async fn introspect(
    plane: &Arc<Plane>,
    request_id: &str,
    body: &[u8],
) -> Result<Introspection, OauthError> {
    let query = TokenQuery::parse(body)?;
    let agent =
        client::authenticate(plane, request_id, &query.credential, query.client_id.as_deref()).await?;
    let claims = active(plane, query.token.dangerous_expose_secret())?;
    let involved = claims.filter(|claims| claims.chain().contains(&&agent.name));
    Ok(involved.map_or_else(Introspection::inactive, Introspection::active))
}

/// Tells somebody who enforces, and proved it another way, about any token.
///
/// # Errors
/// When the request is malformed, or the node's knowledge is too old.
pub fn introspect_any(plane: &Plane, body: &[u8]) -> Result<Introspection, OauthError> {
    let query = TokenQuery::parse(body)?;
    let claims = active(plane, query.token.dangerous_expose_secret())?;
    Ok(claims.map_or_else(Introspection::inactive, Introspection::active))
}

/// What a token says that would be accepted now.
fn active(plane: &Plane, token: &str) -> Result<Option<AccessClaims>, OauthError> {
    let now = plane.now();
    let Ok(claims) = plane.token_keys.verifier().issued(token, now) else { return Ok(None) };
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    Ok(Some(claims).filter(|claims| is_live(&view.directory, claims, now)))
}

fn is_live(directory: &Directory, claims: &AccessClaims, now: Timestamp) -> bool {
    let mut next = Some(claims.task);
    for _link in 0..CHAIN_MAX {
        let Some(id) = next else { return true };
        let Some(task) = directory.tasks.get(&id).filter(|task| task.is_live(now)) else { return false };
        let agent = directory.agents.get(&task.agent);
        let acts = agent.is_some_and(|agent| {
            provost_lifecycle::agent::may_act(agent.status) && directory.order_off(agent).is_none()
        });
        if !acts || task.revoked.contains(&claims.jti) {
            return false;
        }
        next = task.parent;
    }
    false
}

const CHAIN_MAX: usize = 16;
