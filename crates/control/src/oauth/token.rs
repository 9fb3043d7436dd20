//! The token endpoint.

use super::{assertion, bill, client, code, exchange, federation, needs_proof, once, op, refused};
use crate::{
    plane::Plane,
    task::{self, Behalf},
};
use provost_api::task::{ScopePart, TaskStart};
use provost_domain::{Agent, Name, Task, TaskId};
use provost_token::{
    AccessClaims, ClientCredential, Confirmation, Details, Grant, MayAct, OauthCode, OauthError, Proof,
    ProofRules, Scope, TokenRequest, verify_proof,
};
use serde::Serialize;
use std::sync::Arc;

/// A token, as it is answered (RFC 6749 section 5.1, RFC 8693 section 2.2.1, RFC 9396 section 7).
#[derive(Serialize)]
pub struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<Details>,
    /// The task the token belongs to; not of any standard.
    task: TaskId,
}

impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted").field("task", &self.task).finish_non_exhaustive()
    }
}

/// Answers a token request: its form body, and its `DPoP` header, if it has one.
///
/// # Errors
/// [`OauthError`], with a sentence that says what, why and what to do.
pub async fn token(
    plane: &Arc<Plane>,
    request_id: &str,
    body: &[u8],
    proof: Option<&str>,
) -> Result<Granted, OauthError> {
    let request = TokenRequest::parse(body)?;
    let proof = proof.map(|proof| judged(plane, proof)).transpose()?;
    let asked = TokenAsked { plane, request_id, request: &request, proof: proof.as_ref() };
    match &request.grant {
        Grant::AuthorizationCode { code, redirect_uri, code_verifier } => {
            asked.check_public()?;
            let redeemed = code::redeem(&asked, code, redirect_uri.as_deref(), code_verifier).await?;
            asked.granted(redeemed.claims, None, redeemed.refresh_token)
        }
        Grant::RefreshToken { refresh_token } => {
            asked.check_public()?;
            let redeemed = code::refresh(&asked, refresh_token).await?;
            asked.granted(redeemed.claims, None, redeemed.refresh_token)
        }
        Grant::ClientCredentials | Grant::JwtBearer { .. } | Grant::TokenExchange(_) => {
            let agent = agent(plane, request_id, &request).await?;
            asked.check_proof(&agent).await?;
            let ask = Ask { plane, agent: &agent, request_id, request: &request };
            match &request.grant {
                Grant::TokenExchange(wanted) => {
                    let claims = exchange::exchange(&ask, wanted).await?;
                    asked.granted(claims, Some(ACCESS_TOKEN), None)
                }
                // A platform's token proved who the client is already; what it asks for is its own work.
                Grant::JwtBearer { assertion } if request.credential != ClientCredential::None => {
                    let assertion = assertion.dangerous_expose_secret();
                    asked.granted(assertion::redeem(&ask, assertion, asked.proof).await?, None, None)
                }
                _ => asked.granted(ask.own().await?, None, None),
            }
        }
    }
}

/// A token request, its form and its proof read.
pub(super) struct TokenAsked<'a> {
    pub(super) plane: &'a Arc<Plane>,
    pub(super) request_id: &'a str,
    pub(super) request: &'a TokenRequest,
    pub(super) proof: Option<&'a Proof>,
}

impl TokenAsked<'_> {
    /// That the proof was not used before, and is there where tokens have to be bound.
    pub(super) async fn check_proof(&self, agent: &Agent) -> Result<(), OauthError> {
        let environment = agent.charter.environment;
        match self.proof {
            Some(proof) => once(self.plane, &proof.replay, OauthCode::InvalidDpopProof).await,
            None if needs_proof(self.plane, environment) => {
                let text = format!("tokens of agents in {environment} are bound to a key: send a DPoP proof");
                Err(OauthError::new(OauthCode::InvalidDpopProof, text))
            }
            None => Ok(()),
        }
    }

    /// Clients of people prove nothing; the person did.
    fn check_public(&self) -> Result<(), OauthError> {
        match (&self.request.credential, &self.request.client_id) {
            (ClientCredential::None, Some(_client_id)) => Ok(()),
            _ => {
                let text = "clients of people are public: send client_id, and no client_assertion";
                Err(OauthError::new(OauthCode::InvalidClient, text))
            }
        }
    }

    fn granted(
        &self,
        claims: AccessClaims,
        issued_token_type: Option<&'static str>,
        refresh_token: Option<String>,
    ) -> Result<Granted, OauthError> {
        let cnf = self.proof.map(|proof| Confirmation::Jkt(proof.jkt));
        let claims = AccessClaims { cnf, ..claims };
        let signed = self.plane.token_keys.with_signing(|key| claims.issue(key)).map_err(refused)?;
        let access_token = signed.map_err(|_unwritable| {
            OauthError::new(
                OauthCode::InvalidRequest,
                "the token would be longer than anybody accepts: ask for less",
            )
        })?;
        Ok(Granted {
            access_token,
            token_type: if self.proof.is_some() { "DPoP" } else { "Bearer" },
            expires_in: claims.exp.saturating_sub(claims.iat),
            refresh_token,
            issued_token_type,
            scope: claims.scope,
            authorization_details: claims.authorization_details,
            task: claims.task,
        })
    }
}

/// Who asks.
async fn agent(
    plane: &Arc<Plane>,
    request_id: &str,
    request: &TokenRequest,
) -> Result<Arc<Agent>, OauthError> {
    let client_id = request.client_id.as_deref();
    match (&request.grant, &request.credential) {
        (Grant::JwtBearer { assertion }, ClientCredential::None) => {
            let agent = federation::workload(plane, request_id, assertion.dangerous_expose_secret()).await?;
            if client_id.is_some_and(|client_id| client_id != agent.name.as_str()) {
                let text = "client_id is not the agent that the assertion is of: leave it out";
                return Err(OauthError::new(OauthCode::InvalidGrant, text));
            }
            Ok(agent)
        }
        (_, credential) => client::authenticate(plane, request_id, credential, client_id).await,
    }
}

fn judged(plane: &Plane, proof: &str) -> Result<Proof, OauthError> {
    let uri = format!("{}/oauth/token", plane.issuer);
    verify_proof(proof, &ProofRules::new("POST", &uri), plane.now()).map_err(|fault| fault.as_proof_error())
}

/// One request of one agent that proved itself.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) plane: &'a Arc<Plane>,
    pub(super) agent: &'a Agent,
    pub(super) request_id: &'a str,
    pub(super) request: &'a TokenRequest,
}

impl Ask<'_> {
    /// A token for a task of the agent's own: a new one, or one that runs.
    async fn own(&self) -> Result<AccessClaims, OauthError> {
        let op = op(self.plane, &self.agent.name, self.request_id);
        let system = self.system()?;
        if self.request.others.contains_key("requester") {
            // An agent that names its requester could name one who never asked, and have somebody else blamed or believed.
            let text =
                "who asked is not for the agent to say: its owner answers for tasks it starts by itself";
            return Err(OauthError::new(OauthCode::InvalidRequest, text));
        }
        if let Some(id) = self.request.others.get("task") {
            let task = self.running(id)?;
            return self.narrowed(task::claims(self.plane, &task, system.as_ref()));
        }
        let wanted = TaskStart {
            agent: self.agent.name.clone(),
            purpose: self.purpose(),
            requester: None,
            inputs: Default::default(),
            duration: None,
            scope: self.parts(self.request.details.as_ref())?,
            system: system.clone(),
            bill: None,
        };
        let task = task::begin_made_of(&op, &wanted, Behalf::Itself, bill::presented(self)?)
            .await
            .map_err(refused)?;
        self.narrowed(task::claims(self.plane, &task, system.as_ref()))
    }

    fn narrowed(&self, mut claims: AccessClaims) -> Result<AccessClaims, OauthError> {
        claims.scope.clone_from(&self.request.scope);
        claims.authorization_details.clone_from(&self.request.details);
        claims.may_act = self.may_act()?;
        Ok(claims)
    }

    /// A task of this agent that runs.
    fn running(&self, id: &str) -> Result<Arc<Task>, OauthError> {
        let view = self.plane.replica.fresh(self.plane.limits.staleness_max).map_err(client::stale)?;
        let task = id.parse::<TaskId>().ok().and_then(|id| view.directory.tasks.get(&id).cloned());
        // What was handed to it, or agreed to by a person, is no more than the token that it was handed with: the token says for
        // where, and for whom.
        let its_own =
            |task: &Arc<Task>| task.agent == self.agent.name && task.parent.is_none() && !task.for_person;
        let own = task.filter(|task| its_own(task) && task.is_live(self.plane.now()));
        if self.request.details.is_some() || self.request.scope.is_some() {
            let text =
                "a running task keeps its scope: start another one, or exchange the token, to have less";
            return Err(OauthError::new(OauthCode::InvalidRequest, text));
        }
        own.ok_or_else(|| {
            let text = "that is no running task that this agent started for itself: start a new one; for a task that was \
                        handed to it, exchange the token again";
            OauthError::new(OauthCode::InvalidGrant, text)
        })
    }

    /// The one system the token is for (RFC 8707); all of them, if none is named.
    pub(super) fn system(&self) -> Result<Option<Name>, OauthError> {
        match self.request.resource.as_slice() {
            [] => Ok(None),
            [one] => self.system_of(one),
            _ => Err(self.unknown_resource()),
        }
    }

    /// The system behind a resource of this plane; none, for all of them.
    pub(super) fn system_of(&self, resource: &str) -> Result<Option<Name>, OauthError> {
        let whole = self.plane.resource(None);
        if resource == whole {
            return Ok(None);
        }
        let unknown = || self.unknown_resource();
        let name =
            resource.strip_prefix(&whole).and_then(|rest| rest.strip_prefix('/')).ok_or_else(unknown)?;
        let system: Name = name.parse().map_err(|_no_name| unknown())?;
        // What the charter does not reach is not there for this agent.
        let reached = system.as_str() == name && self.agent.charter.systems().contains(&system);
        if reached { Ok(Some(system)) } else { Err(unknown()) }
    }

    fn unknown_resource(&self) -> OauthError {
        let text =
            format!("resources here are {0}/mcp and {0}/mcp/SYSTEM, one for each token", self.plane.issuer);
        OauthError::new(OauthCode::InvalidTarget, text)
    }

    /// The task's part of the charter: by details, by scope (names of systems), or both.
    pub(super) fn parts(&self, details: Option<&Details>) -> Result<Option<Vec<ScopePart>>, OauthError> {
        let systems = self.systems()?;
        let Some(details) = details else {
            let part = |system| ScopePart { system, tools: Vec::new(), args: Default::default() };
            return Ok(systems.map(|systems| systems.into_iter().map(part).collect()));
        };
        let mut parts = Vec::new();
        for entry in details.entries() {
            if systems.as_ref().is_some_and(|systems| !systems.contains(&entry.system)) {
                let text = "the details name a system that the scope does not";
                return Err(OauthError::new(OauthCode::InvalidScope, text));
            }
            let here = [self.plane.resource(None), self.plane.resource(Some(&entry.system))];
            if entry.locations.iter().any(|location| !here.contains(location)) {
                let text = "the details name a location that is not this plane's address of their system";
                return Err(OauthError::new(OauthCode::InvalidAuthorizationDetails, text));
            }
            let tools = entry.tools.iter().cloned().collect();
            parts.push(ScopePart { system: entry.system.clone(), tools, args: entry.args.clone() });
        }
        Ok(Some(parts))
    }

    /// As [`Ask::parts`], and nothing outside the one system that the token is for: a task that was handed on does not reach
    /// further than its token.
    pub(super) fn parts_at(
        &self,
        details: Option<&Details>,
        system: Option<&Name>,
    ) -> Result<Option<Vec<ScopePart>>, OauthError> {
        let parts = self.parts(details)?;
        let Some(system) = system else { return Ok(parts) };
        let whole =
            || vec![ScopePart { system: system.clone(), tools: Vec::new(), args: Default::default() }];
        let mut parts = parts.unwrap_or_else(whole);
        parts.retain(|part| part.system == *system);
        if parts.is_empty() {
            let text = "neither scope nor details name anything at the resource that the token is for";
            return Err(OauthError::new(OauthCode::InvalidTarget, text));
        }
        Ok(Some(parts))
    }

    /// The systems that the scope names.
    fn systems(&self) -> Result<Option<Vec<Name>>, OauthError> {
        let Some(scope) = &self.request.scope else { return Ok(None) };
        let reached = self.agent.charter.systems();
        let system = |word: &str| {
            let name = word.parse::<Name>().ok().filter(|name| reached.contains(name));
            name.ok_or_else(|| {
                let text =
                    format!("the scope {word} is no system of the charter: scopes are names of systems");
                OauthError::new(OauthCode::InvalidScope, text)
            })
        };
        scope.words().map(system).collect::<Result<Vec<Name>, _>>().map(Some)
    }

    /// The agent that may be handed the token to act with, as the client says with the parameter `may_act`.
    fn may_act(&self) -> Result<Option<MayAct>, OauthError> {
        let read = |text: &String| {
            let sub = text.parse().map_err(|_no_name| {
                OauthError::new(OauthCode::InvalidRequest, "may_act is not the name of an agent")
            })?;
            Ok(MayAct { sub, iss: None })
        };
        self.request.others.get("may_act").map(read).transpose()
    }

    /// What the task is for, as the client says with the parameter `purpose`.
    pub(super) fn purpose(&self) -> String {
        let given = self.request.others.get("purpose").filter(|purpose| !purpose.trim().is_empty());
        given.cloned().unwrap_or_else(|| format!("work that {} started by itself", self.agent.name))
    }
}

pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
