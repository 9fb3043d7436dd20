//! Authority handed on (RFC 8693): an agent that holds another's token gets one of its own, for a task below the other's,
//! and never for more. The token says the chain; what counts at each call is the chain of tasks, as it stands then.

use super::{client, op, refused, token::Ask};
use crate::{
    ControlError,
    plane::Plane,
    task::{self, Behalf},
};
use provost_api::task::TaskStart;
use provost_domain::{Agent, Directory, DurationMs, Task, Timestamp};
use provost_token::{
    AccessClaims, ExchangeLink, ExchangeRequest, ExchangeRules, ExchangeSubject, OauthCode, OauthError,
    TokenExchange, TokenType,
};
use std::sync::Arc;

pub(super) async fn exchange(ask: &Ask<'_>, wanted: &TokenExchange) -> Result<AccessClaims, OauthError> {
    check_types(wanted)?;
    let plane = ask.plane;
    let now = plane.now();
    let subject = plane
        .token_keys
        .verifier()
        .issued(wanted.subject_token.dangerous_expose_secret(), now)
        .map_err(|error| invalid(format!("the subject token is not good: {error}")))?;
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let chain = chain(&view.directory, &subject, now)?;
    let parent = chain.first().map(|(_agent, task)| Arc::clone(task)).ok_or_else(gone)?;
    let links: Vec<ExchangeLink<'_>> =
        chain.iter().map(|(agent, task)| link(&view.directory, agent, task, now)).collect();
    let system = ask.system()?;
    let rules = ExchangeRules {
        actor: &ask.agent.name,
        chain: &links,
        principal_is_agent: view.directory.agents.contains_key(&subject.sub),
        actor_exp: now.plus(ask.agent.charter.task_duration_max).as_seconds(),
        lifetime_seconds_max: seconds(plane.token_lifetime_max),
        // Nobody who exchanges it can prove the key it is bound to. A stolen one must be worth nothing here too, so its owner
        // has to have said who may act with it.
        may_act_required: subject.cnf.is_some(),
    };
    let request = ExchangeRequest {
        audience: (!ask.request.resource.is_empty()).then(|| plane.resource(system.as_ref())),
        scope: ask.request.scope.clone(),
        details: ask.request.details.clone(),
    };
    let delegated = ExchangeSubject::from(&subject).delegate(&request, &rules, now)?;
    // The resource of the new token; the subject's, if none is asked for.
    let system = match &delegated.audience {
        Some(audience) => ask.system_of(audience)?,
        None => system,
    };
    let start = TaskStart {
        agent: ask.agent.name.clone(),
        purpose: ask.purpose(),
        requester: Some(parent.requester.clone()),
        inputs: Default::default(),
        duration: None,
        scope: ask.parts_at(delegated.details.as_ref(), system.as_ref())?,
        system: system.clone(),
        bill: None,
    };
    let op = op(plane, &ask.agent.name, ask.request_id);
    let task = task::begin_made_of(&op, &start, Behalf::Task(&parent), super::bill::presented(ask)?)
        .await
        .map_err(refused)?;
    let claims = task::claims(plane, &task, system.as_ref());
    Ok(AccessClaims {
        aud: delegated.audience.unwrap_or(claims.aud),
        exp: delegated.exp.min(claims.exp),
        sub: delegated.sub,
        act: Some(delegated.act),
        scope: delegated.scope,
        authorization_details: delegated.details,
        ..claims
    })
}

/// Whether a token of this plane can be exchanged no more because its task, or one above it, has ended.
///
/// # Errors
/// When the token is not good at all, or the node's knowledge is too old: then nobody knows.
pub(crate) fn is_spent(plane: &Plane, token: &str) -> Result<bool, ControlError> {
    let now = plane.now();
    let subject = plane.token_keys.verifier().issued(token, now);
    let subject = subject.map_err(|error| ControlError::us("a token of the plane is not good", error))?;
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    Ok(chain(&view.directory, &subject, now).is_err())
}

fn check_types(wanted: &TokenExchange) -> Result<(), OauthError> {
    if wanted.subject_token_type != TokenType::AccessToken {
        return Err(invalid("the subject token must be an access token of this plane".to_owned()));
    }
    if wanted.requested_token_type.is_some_and(|wanted| wanted != TokenType::AccessToken) {
        return Err(invalid("only access tokens are issued".to_owned()));
    }
    if wanted.actor.is_some() || !wanted.audience.is_empty() {
        let text = "the actor is the client that asks, and the target is a resource: leave actor_token and audience out";
        return Err(invalid(text.to_owned()));
    }
    Ok(())
}

/// An agent that handed work on, and the task it did so in.
type Above = (Arc<Agent>, Arc<Task>);

/// The agents of the subject's chain with their tasks, nearest first; all of them alive.
fn chain(directory: &Directory, subject: &AccessClaims, now: Timestamp) -> Result<Vec<Above>, OauthError> {
    let mut chain = Vec::new();
    let mut next = Some(subject.task);
    while let Some(id) = next {
        let task = directory.tasks.get(&id).filter(|task| task.is_live(now)).ok_or_else(gone)?;
        let agent = directory.agents.get(&task.agent).ok_or_else(gone)?;
        let acts = provost_lifecycle::agent::may_act(agent.status) && directory.order_off(agent).is_none();
        if !acts || chain.len() >= CHAIN_MAX {
            return Err(gone());
        }
        next = task.parent;
        chain.push((Arc::clone(agent), Arc::clone(task)));
    }
    let revoked = chain
        .first()
        .is_some_and(|(agent, task)| task.revoked.contains(&subject.jti) || agent.name != *subject.actor());
    if revoked { Err(gone()) } else { Ok(chain) }
}

fn link<'a>(directory: &Directory, agent: &'a Agent, task: &Task, now: Timestamp) -> ExchangeLink<'a> {
    let children =
        directory.tasks.values().filter(|child| child.parent == Some(task.id) && child.is_live(now));
    let children_alive = u32::try_from(children.count()).unwrap_or(u32::MAX);
    ExchangeLink { agent: &agent.name, delegation: agent.charter.delegation, children_alive }
}

fn seconds(span: DurationMs) -> i64 {
    i64::try_from(span.0 / 1_000).unwrap_or(i64::MAX)
}

fn gone() -> OauthError {
    invalid("the subject token's task, or one above it, has ended, or its agent may not act".to_owned())
}

fn invalid(text: String) -> OauthError {
    OauthError::new(OauthCode::InvalidRequest, text)
}

const CHAIN_MAX: usize = 16;
