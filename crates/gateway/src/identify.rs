//! From a bearer token to the agent and task it stands for. A token is verified once and then remembered under its
//! digest; whether its task still runs is asked of the view each time, so that ending a task ends its tokens at once.

use crate::refusal::Refusal;
use http::{HeaderMap, header::AUTHORIZATION};
use moka::sync::Cache;
use provost_domain::{Agent, Digest, Task, Timestamp};
use provost_replica::View;
use provost_token::{TaskClaims, TokenError, Verifier};
use std::sync::Arc;

/// Who calls: an agent, in one of its tasks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The agent as the view has it.
    pub agent: Arc<Agent>,
    /// The task as the view has it.
    pub task: Arc<Task>,
}

/// Knows whose tokens are good here.
pub struct Identifier {
    verifier: Verifier,
    /// `<public url>/mcp`, the audience of every task token; a token for one system names `<…>/mcp/<system>`.
    resource: String,
    verified: Cache<Digest, Arc<TaskClaims>>,
}

impl Identifier {
    /// An identifier for tokens that are for `resource`, or for one system below it.
    #[must_use]
    pub fn new(verifier: Verifier, resource: String) -> Self {
        Self { verifier, resource, verified: Cache::new(VERIFIED_TOKENS_MAX) }
    }

    /// The resource that tokens are for.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The caller behind these headers.
    ///
    /// # Errors
    /// What is wrong with the token, or with the task it belongs to. Nothing is decided, nothing is sent.
    pub fn resolve(
        &self,
        headers: &HeaderMap,
        system: Option<&str>,
        view: &View,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        let token = bearer(headers)?;
        let claims = self.claims(token, system, now)?;
        let task = view.directory.tasks.get(&claims.task).filter(|task| task.is_live(now));
        let task = task.ok_or_else(|| Refusal::TaskEnded(claims.task.to_string()))?;
        if task.agent != claims.sub {
            return Err(Refusal::Token(TokenError::Claims));
        }
        let agent = view.directory.agents.get(&claims.sub);
        let agent = agent.ok_or_else(|| Refusal::UnknownAgent(claims.sub.to_string()))?;
        Ok(Caller { agent: Arc::clone(agent), task: Arc::clone(task) })
    }

    fn claims(&self, token: &str, system: Option<&str>, now: Timestamp) -> Result<Arc<TaskClaims>, Refusal> {
        let narrow = system.map(|system| format!("{}/{system}", self.resource));
        let key = Digest::of(token.as_bytes());
        if let Some(known) = self.verified.get(&key) {
            let fits = known.aud == self.resource || narrow.as_deref() == Some(known.aud.as_str());
            return match (fits, now.as_seconds() < known.exp) {
                (true, true) => Ok(known),
                (false, _) => Err(TokenError::Audience.into()),
                (true, false) => Err(TokenError::Expired.into()),
            };
        }
        let claims = match (self.verifier.verify(token, &self.resource, now), narrow) {
            (Err(TokenError::Audience), Some(narrow)) => self.verifier.verify(token, &narrow, now)?,
            (judged, _) => judged?,
        };
        let claims = Arc::new(claims);
        self.verified.insert(key, Arc::clone(&claims));
        Ok(claims)
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1); never one from a query or a body.
///
/// # Errors
/// [`Refusal::NoToken`] when there is none, or another scheme, or more than one header.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::NoToken) };
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Refusal::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken);
    }
    Ok(token.trim())
}

const VERIFIED_TOKENS_MAX: u64 = 100_000;
