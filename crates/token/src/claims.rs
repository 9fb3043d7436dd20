//! What an access token says.

use crate::actor::{Actor, CHAIN_DEPTH_MAX, MayAct};
use crate::{Confirmation, Details, Scope, SigningKey, TOKEN_BYTES_MAX, TOKEN_TYPE, TokenError};
use provost_domain::{Name, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The claims of an access token (RFC 9068 section 2.2; times are seconds since 1970-01-01 UTC).
///
/// An agent on its own is `sub`, and there is no `act`. When it acts for a person, the person is `sub` and the agent the
/// outermost `act.sub`; a sub-agent is outermost, its parents are inside it in order. `client_id` is always the agent that
/// presents the token, that is [`AccessClaims::actor`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The plane that issued it.
    pub iss: String,
    /// The one resource it is for.
    pub aud: String,
    /// The person or agent whose authority this is.
    pub sub: Name,
    /// The agent that presents it: its own client.
    pub client_id: Name,
    /// The task it belongs to; the token dies with it.
    pub task: TaskId,
    /// Not before.
    pub iat: i64,
    /// Not from this moment on.
    pub exp: i64,
    /// Unique.
    pub jti: String,
    /// Granted scope (RFC 9068 section 2.2.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Who acts for `sub` (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Who may become the actor (RFC 8693 section 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<MayAct>,
    /// The key it is bound to (RFC 7800).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What it may be used for, finer than scope (RFC 9396 section 9.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Details>,
    /// When the person signed in (RFC 9068 section 2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
}

impl AccessClaims {
    /// Who presents the token and is held to account for what it does: the outermost actor, or the subject, when it acts
    /// for itself. The only identity of the chain that counts for access control.
    #[must_use]
    pub fn actor(&self) -> &Name {
        self.act.as_ref().map_or(&self.sub, |actor| &actor.sub)
    }

    /// Whose authority it is at the root: the person, or the agent that first acted for itself.
    #[must_use]
    pub const fn principal(&self) -> &Name {
        &self.sub
    }

    /// Everybody whose authority bounds the token: the presenter, the agents before it, the principal; each once.
    #[must_use]
    pub fn chain(&self) -> Vec<&Name> {
        let actors = self.act.iter().flat_map(Actor::links).map(|actor| &actor.sub);
        actors.chain(std::iter::once(&self.sub)).collect()
    }

    /// That the claims agree with each other: the presenter is the actor, every name of the chain is this plane's, nobody
    /// is in the chain twice, and it is not too long.
    ///
    /// # Errors
    /// [`TokenError::Claims`].
    pub fn check(&self) -> Result<(), TokenError> {
        let ours = |iss: &Option<String>| iss.as_ref().is_none_or(|iss| *iss == self.iss);
        let actors_are_ours = self.act.iter().flat_map(Actor::links).all(|actor| ours(&actor.iss));
        let chain = self.chain();
        let distinct = chain.iter().collect::<BTreeSet<_>>().len() == chain.len();
        let fits = self.client_id == *self.actor()
            && actors_are_ours
            && self.may_act.as_ref().is_none_or(|may| ours(&may.iss))
            && distinct
            && chain.len() <= CHAIN_DEPTH_MAX + 1;
        if fits { Ok(()) } else { Err(TokenError::Claims) }
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`TokenError::Claims`] when the claims contradict each other, [`TokenError::Malformed`] when the token would be
    /// longer than anybody accepts.
    pub fn issue(&self, key: &SigningKey) -> Result<String, TokenError> {
        self.check()?;
        let token = key.sign(TOKEN_TYPE, self).map_err(|_unwritable| TokenError::Malformed)?;
        if token.len() <= TOKEN_BYTES_MAX { Ok(token) } else { Err(TokenError::Malformed) }
    }
}

/// The claims of the plainest access token: an agent on its own, unbound, all of its task. [`AccessClaims`] says more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskClaims {
    /// The plane that issued it.
    pub iss: String,
    /// The one resource it is for.
    pub aud: String,
    /// The agent.
    pub sub: Name,
    /// The agent again: it is its own client.
    pub client_id: Name,
    /// The task it belongs to; the token dies with it.
    pub task: TaskId,
    /// Not before.
    pub iat: i64,
    /// Not from this moment on.
    pub exp: i64,
    /// Unique.
    pub jti: String,
}

/// Signs a plain token.
///
/// # Errors
/// As [`AccessClaims::issue`].
pub fn issue(claims: &TaskClaims, key: &SigningKey) -> Result<String, TokenError> {
    AccessClaims::from(claims.clone()).issue(key)
}

impl From<TaskClaims> for AccessClaims {
    fn from(claims: TaskClaims) -> Self {
        let TaskClaims { iss, aud, sub, client_id, task, iat, exp, jti } = claims;
        Self {
            iss,
            aud,
            sub,
            client_id,
            task,
            iat,
            exp,
            jti,
            scope: None,
            act: None,
            may_act: None,
            cnf: None,
            authorization_details: None,
            auth_time: None,
            acr: None,
        }
    }
}

impl TryFrom<AccessClaims> for TaskClaims {
    type Error = TokenError;

    /// Refuses a token that says more than fits: whoever reads only this much would overlook a binding or a limit.
    fn try_from(claims: AccessClaims) -> Result<Self, TokenError> {
        let AccessClaims { iss, aud, sub, client_id, task, iat, exp, jti, .. } = claims.clone();
        let plain = Self { iss, aud, sub, client_id, task, iat, exp, jti };
        if AccessClaims::from(plain.clone()) == claims { Ok(plain) } else { Err(TokenError::Claims) }
    }
}
