//! Which agent asks. Agents have no secrets here: they sign, and the plane knows their public keys.

use super::{federation, once};
use crate::plane::Plane;
use provost_domain::Agent;
use provost_replica::Stale;
use provost_token::{
    AssertionKind, ClientAssertionRules, ClientCredential, Fault, KeySet, OauthCode, OauthError,
    claimed_client, verify_client,
};
use std::sync::Arc;

/// The agent that signed this request (RFC 7523 section 3). It may act.
///
/// # Errors
/// `invalid_client`, with one sentence for every agent that is not known or has no such key, so that nobody learns which.
pub(super) async fn authenticate(
    plane: &Arc<Plane>,
    request_id: &str,
    credential: &ClientCredential,
    client_id: Option<&str>,
) -> Result<Arc<Agent>, OauthError> {
    let assertion = match credential {
        ClientCredential::Assertion { kind: AssertionKind::JwtBearer, assertion } => assertion,
        ClientCredential::Assertion { kind: AssertionKind::JwtSpiffe, assertion } => {
            let svid = assertion.dangerous_expose_secret();
            return federation::spiffe(plane, request_id, svid, client_id).await;
        }
        ClientCredential::None => {
            return Err(invalid(
                "the client must prove who it is: send a client_assertion (private_key_jwt)",
            ));
        }
    };
    let assertion = assertion.dangerous_expose_secret();
    let rules = ClientAssertionRules::strict(&plane.issuer);
    let claimed = claimed_client(assertion, &rules).map_err(|fault| fault.as_client_error())?;
    if client_id.is_some_and(|client_id| client_id != claimed) {
        return Err(invalid("client_id is not the client of the assertion"));
    }
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(stale)?;
    let agent = view.directory.agents.get(claimed.as_str()).ok_or_else(unknown)?;
    let keys =
        KeySet::of(agent.proofs.iter().filter_map(crate::proof::public_key)).map_err(|_no_key| unknown())?;
    let client =
        verify_client(assertion, &claimed, &keys, &rules, plane.now()).map_err(|fault| match fault {
            // The same for an agent that is not here: who is, is not for strangers to find out.
            Fault::Signature | Fault::UnknownKey | Fault::AmbiguousKey => unknown(),
            other => other.as_client_error(),
        })?;
    once(plane, &client.replay, OauthCode::InvalidClient).await?;
    if !provost_lifecycle::agent::may_act(agent.status) {
        let text = format!("{} is {}: it gets no tokens", agent.name, agent.status);
        return Err(OauthError::new(OauthCode::UnauthorizedClient, text));
    }
    Ok(Arc::clone(agent))
}

pub(super) fn stale(stale: Stale) -> OauthError {
    OauthError::new(OauthCode::TemporarilyUnavailable, stale.to_string())
}

fn unknown() -> OauthError {
    invalid("no agent of this name is registered with a key that made this signature")
}

fn invalid(text: &'static str) -> OauthError {
    OauthError::new(OauthCode::InvalidClient, text)
}
