//! From a token to the agent and task it stands for. A token is verified once and then remembered under its digest; whether
//! its task and every task above it still run is asked of the view each time, so that ending a task ends its tokens and
//! its children at once.

use crate::refusal::Refusal;
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use moka::sync::Cache;
use provost_domain::{Agent, Digest, DurationMs, Task, TaskId, Timestamp};
use provost_replica::View;
use provost_token::{AccessClaims, Presented, Proof, ProofRules, TokenError, Verifier, verify_proof};
use std::{sync::Arc, time::Duration};

/// Who calls: an agent, in one of its tasks, perhaps on behalf of others.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The agent as the view has it.
    pub agent: Arc<Agent>,
    /// The task as the view has it.
    pub task: Arc<Task>,
    /// The agents that handed the work on, nearest first, each with the task it did so in.
    pub chain: Arc<[Link]>,
}

/// One agent of a chain of delegations, as the view has it.
#[derive(Debug, Clone)]
pub struct Link {
    /// Who.
    pub agent: Arc<Agent>,
    /// In which task.
    pub task: Arc<Task>,
}

/// A request, as far as it says who calls.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a str,
    /// Its path as clients see it: a proof of possession is for one address.
    pub path: &'a str,
    /// The system it is about; the token may be for that system alone.
    pub system: Option<&'a str>,
}

/// The verifier of the present keys; they may change while the node runs.
pub type Verifiers = Arc<dyn Fn() -> Arc<Verifier> + Send + Sync>;

/// Knows whose tokens are good here.
pub struct Identifier {
    verifiers: Verifiers,
    /// `<public url>/mcp`, the audience of every task token; a token for one system names `<…>/mcp/<system>`.
    resource: String,
    verified: Cache<Digest, Arc<AccessClaims>>,
    /// Proofs of possession that were used.
    proofs: Cache<Digest, ()>,
    /// Proofs made before are refused: this node does not remember which of them were used.
    born: Timestamp,
}

impl Identifier {
    /// An identifier for tokens that are for `resource`, or for one system below it, from `born` on.
    #[must_use]
    pub fn new(verifiers: Verifiers, resource: String, born: Timestamp) -> Self {
        let proofs = Cache::builder().max_capacity(PROOFS_MAX).time_to_live(PROOFS_KEPT).build();
        Self { verifiers, resource, verified: Cache::new(VERIFIED_TOKENS_MAX), proofs, born }
    }

    /// The resource that tokens are for.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The caller behind this request.
    ///
    /// # Errors
    /// What is wrong with the token, or with a task it belongs to. Nothing is decided, nothing is sent.
    pub fn resolve(&self, asked: &Asked<'_>, view: &View, now: Timestamp) -> Result<Caller, Refusal> {
        let (scheme, token) = credential(asked.headers)?;
        let claims = self.claims(token, asked.system, now)?;
        self.check_binding(&claims, scheme, token, asked, now)?;
        let caller = caller(view, claims.task, now)?;
        if caller.agent.name != *claims.actor() {
            return Err(Refusal::Token(TokenError::Claims));
        }
        if caller.task.revoked.contains(&claims.jti) {
            return Err(Refusal::Revoked);
        }
        Ok(caller)
    }

    fn claims(
        &self,
        token: &str,
        system: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<AccessClaims>, Refusal> {
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
        let audiences: Vec<&str> = std::iter::once(self.resource.as_str()).chain(narrow.as_deref()).collect();
        let claims = Arc::new((self.verifiers)().access(token, &audiences, now)?);
        self.verified.insert(key, Arc::clone(&claims));
        Ok(claims)
    }

    /// A bound token counts only with a fresh proof of its key, and a proof only with a bound token (RFC 9449 section 7).
    fn check_binding(
        &self,
        claims: &AccessClaims,
        scheme: Scheme,
        token: &str,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if scheme == Scheme::Bearer {
            return Ok(claims.check_binding(Presented::Bearer(None))?);
        }
        let proof = self.proof(token, asked, now)?;
        claims.check_binding(Presented::Dpop(&proof))?;
        let made_at = proof.replay.until.minus(PROOF_KEPT_FOR);
        let key = proof.replay.key();
        // This node cannot know what was used before it was there. A proof says its second only, and the first one counts.
        if made_at.plus(A_SECOND) <= self.born {
            return Err(Refusal::Proof(
                "the proof was made before this node started: make a new one".to_owned(),
            ));
        }
        if !self.proofs.entry(key).or_insert(()).is_fresh() {
            return Err(Refusal::Proof(
                "the proof was used before: make a new one for each request".to_owned(),
            ));
        }
        Ok(())
    }

    fn proof(&self, token: &str, asked: &Asked<'_>, now: Timestamp) -> Result<Proof, Refusal> {
        let mut proofs = asked.headers.get_all(DPOP).iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else {
            let text = "a token of the scheme DPoP comes with exactly one DPoP header";
            return Err(Refusal::Proof(text.to_owned()));
        };
        let base = self.resource.strip_suffix("/mcp").unwrap_or(&self.resource);
        let uri = format!("{base}{}", asked.path);
        let rules = ProofRules { access_token: Some(token), ..ProofRules::new(asked.method, &uri) };
        let proof = proof.to_str().unwrap_or_default();
        verify_proof(proof, &rules, now).map_err(|fault| Refusal::Proof(fault.to_string()))
    }
}

/// The same caller on another view: its task and every task above it still run, and no token of the task was taken back
/// meanwhile, whichever it was.
///
/// # Errors
/// Why it may not go on.
pub(crate) fn again(known: &Caller, view: &View, now: Timestamp) -> Result<Caller, Refusal> {
    let now_known = caller(view, known.task.id, now)?;
    if now_known.agent.name != known.agent.name {
        return Err(Refusal::UnknownAgent(known.agent.name.to_string()));
    }
    if !now_known.task.revoked.is_subset(&known.task.revoked) {
        return Err(Refusal::Revoked);
    }
    Ok(now_known)
}

/// The caller that acts in this task.
pub(crate) fn caller(view: &View, task: TaskId, now: Timestamp) -> Result<Caller, Refusal> {
    let (agent, task) = live(view, task, now)?;
    let chain = above(view, &task, now)?;
    Ok(Caller { agent, task, chain })
}

impl Caller {
    /// The chain as the decision point takes it.
    #[must_use]
    pub fn links(&self) -> Vec<provost_policy::Link<'_>> {
        self.chain.iter().map(|link| provost_policy::Link { agent: &link.agent, task: &link.task }).collect()
    }
}

/// A running task and its agent.
fn live(view: &View, id: TaskId, now: Timestamp) -> Result<(Arc<Agent>, Arc<Task>), Refusal> {
    let task = view.directory.tasks.get(&id).filter(|task| task.is_live(now));
    let task = task.ok_or_else(|| Refusal::TaskEnded(id.to_string()))?;
    let agent = view.directory.agents.get(&task.agent);
    let agent = agent.ok_or_else(|| Refusal::UnknownAgent(task.agent.to_string()))?;
    Ok((Arc::clone(agent), Arc::clone(task)))
}

/// Everybody above a task. One that ended is gone, and with it everything below, whether or not that was seen before.
pub(crate) fn above(view: &View, task: &Task, now: Timestamp) -> Result<Arc<[Link]>, Refusal> {
    let mut links: Vec<Link> = Vec::new();
    let mut next = task.parent;
    while let Some(id) = next {
        if links.len() >= CHAIN_MAX {
            return Err(Refusal::internal("a chain of delegations is longer than any can be"));
        }
        let (agent, task) = live(view, id, now)?;
        next = task.parent;
        links.push(Link { agent, task });
    }
    Ok(links.into())
}

/// How a token was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// The token of the one `Authorization` header; never one from a query or a body.
fn credential(headers: &HeaderMap) -> Result<(Scheme, &str), Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::NoToken) };
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Refusal::NoToken)?;
    let scheme = match scheme {
        bearer if bearer.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        dpop if dpop.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return Err(Refusal::NoToken),
    };
    Ok((scheme, token.trim()))
}

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
///
/// # Errors
/// [`Refusal::NoToken`] when there is none, or another scheme, or more than one header.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    match credential(headers)? {
        (Scheme::Bearer, token) => Ok(token),
        (Scheme::Dpop, _) => Err(Refusal::NoToken),
    }
}

const DPOP: HeaderName = HeaderName::from_static("dpop");
const VERIFIED_TOKENS_MAX: u64 = 100_000;
const PROOFS_MAX: u64 = 1_000_000;
/// How long a proof could be used: what [`ProofRules::new`] accepts, five minutes back and one ahead, and a second.
const PROOFS_KEPT: Duration = Duration::from_secs(362);
/// From a proof's `iat` to the end of its being remembered.
const PROOF_KEPT_FOR: DurationMs = DurationMs::from_secs(301);
const A_SECOND: DurationMs = DurationMs::from_secs(1);
const CHAIN_MAX: usize = 16;
