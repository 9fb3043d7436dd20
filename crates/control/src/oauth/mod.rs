//! The authorization server for agents: an agent proves who it is and gets a token for one task of its own, or for a part
//! of somebody else's. What is good is judged by `provost-token`; here it meets the organisation and the store.
//!
//! | file | what it does |
//! |---|---|
//! | `client` | which agent asks, by its signature |
//! | `federation` | which agent asks, by its platform's word |
//! | `assertion` | for which person an agent may act, by their identity provider's word |
//! | `token` | the token endpoint: grants to tasks and tokens |
//! | `authorize` | a person says which agent may act for them, for what |
//! | `documents` | what the software says of itself in which people run agents |
//! | `code` | the person's yes, carried as a code; refresh tokens |
//! | `exchange` | authority handed on (RFC 8693) |
//! | `query` | revocation and introspection |
//!
//! Every token belongs to a task, so every grant starts one, or joins one that runs. What has been presented once (an
//! assertion, a proof) is remembered in the store before anything is issued, on every node and across restarts.

mod assertion;
pub mod authorize;
mod bill;
mod client;
mod code;
mod documents;
mod exchange;
mod federation;
mod query;
mod token;

pub use documents::Documents;
pub(crate) use exchange::is_spent;
pub use query::{introspect, introspect_any, revoke};
pub use token::{Granted, token};

use crate::{ControlError, Op, Operator, plane::Plane};
use provost_domain::{Environment, Name};
use provost_store::StoreError;
use provost_token::{OauthCode, OauthError, Replay, ServerMetadata, ServerParts};
use std::sync::Arc;

/// What the server can do (RFC 8414).
#[must_use]
pub fn metadata(plane: &Plane) -> ServerMetadata {
    let view = plane.replica.latest();
    let issuers = &view.directory.issuers;
    let parts = ServerParts {
        authorize: issuers.values().any(|issuer| issuer.people.as_ref().is_some_and(|people| people.sign_in)),
        id_jag: issuers.values().any(|issuer| issuer.people.as_ref().is_some_and(|people| people.assertions)),
        client_id_documents: true,
        spiffe: issuers.values().any(|issuer| issuer.trust_domain().is_some()),
    };
    ServerMetadata::new(&plane.issuer, parts)
}

/// Whether tokens of agents in this environment must be bound to a key. Production is real: a token that leaks there
/// must be worth nothing.
#[must_use]
pub fn needs_proof(plane: &Plane, environment: Environment) -> bool {
    plane.bound_tokens.contains(&environment)
}

/// An operation of an agent on its own tasks.
fn op(plane: &Arc<Plane>, agent: &Name, request_id: &str) -> Op {
    Op {
        subject: Operator::Agent(agent.clone()),
        request_id: request_id.to_owned(),
        plane: Arc::clone(plane),
    }
}

/// Remembers what may be presented once only.
async fn once(plane: &Plane, replay: &Replay, code: OauthCode) -> Result<(), OauthError> {
    let first = plane.store.remember(replay.key(), replay.until, plane.now()).await.map_err(unavailable)?;
    if first {
        return Ok(());
    }
    Err(OauthError::new(code, "it was used before: make a new one, with another jti, for each request"))
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn unavailable(error: StoreError) -> OauthError {
    tracing::warn!(%error, "a request for a token could not be served");
    OauthError::new(
        OauthCode::TemporarilyUnavailable,
        "the plane's store does not answer: try again in a moment",
    )
}

/// What an operation refused, in OAuth's words.
#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn refused(error: ControlError) -> OauthError {
    let text = error.text();
    let sentence = match &text.cure {
        Some(cure) => format!("{}: {cure}", text.what),
        None => text.what.clone(),
    };
    let code = match &error {
        ControlError::Caller(_) => OauthCode::InvalidRequest,
        ControlError::Refused(_) | ControlError::NotFound(_) => OauthCode::InvalidGrant,
        ControlError::Conflict(_) | ControlError::Unavailable { .. } => OauthCode::TemporarilyUnavailable,
        ControlError::Upstream { .. } | ControlError::Us { .. } => {
            tracing::error!(%error, "a request for a token failed");
            OauthCode::ServerError
        }
    };
    OauthError::new(code, sentence)
}
