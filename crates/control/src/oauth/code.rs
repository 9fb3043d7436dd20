//! Authorization codes and refresh tokens. A code is the grant itself, sealed, good for a minute and once; a refresh token is
//! named by its task's row, one at a time.

use super::{assertion::for_person, client, once, op, refused, token::TokenAsked};
use crate::{
    carried,
    change::{Change, Draft},
    plane::Plane,
    task,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::{Agent, Digest, DurationMs, Name, Object, ObjectKey, Task, TaskId, task::Refresh};
use provost_token::{
    AccessClaims, Challenge, OauthCode, OauthError, Replay, Secret, TokenRequest, replay::ReplayKind,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a person agreed to.
#[derive(Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) task: TaskId,
    pub(super) person: Name,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) jkt: Option<String>,
    pub(super) system: Option<Name>,
    pub(super) scope: Option<String>,
    pub(super) auth_time: i64,
}

#[derive(Serialize, Deserialize)]
struct Code {
    id: String,
    grant: Grant,
}

/// A code for a grant.
pub(super) fn issue(plane: &Plane, grant: Grant) -> Result<String, OauthError> {
    let code = Code { id: hex::encode(plane.random::<16>()), grant };
    carried::seal(plane, PURPOSE, &code, CODE_MAX).ok_or_else(|| {
        OauthError::new(
            OauthCode::InvalidRequest,
            "the request is longer than a code can carry: ask for less",
        )
    })
}

/// What a code or refresh token gives.
pub(super) struct Redeemed {
    pub(super) claims: AccessClaims,
    pub(super) refresh_token: Option<String>,
}

/// Redeems a code (RFC 6749 section 4.1.3). One that comes twice ends the task that it was for: one of the two is a thief.
pub(super) async fn redeem(
    asked: &TokenAsked<'_>,
    code: &Secret,
    redirect_uri: Option<&str>,
    verifier: &Secret,
) -> Result<Redeemed, OauthError> {
    let plane = asked.plane;
    let bad = || invalid("the code is not one of this plane, or a minute is over: begin again");
    let code: Code = carried::open(plane, PURPOSE, code.dangerous_expose_secret()).ok_or_else(bad)?;
    let grant = &code.grant;
    if asked.request.client_id.as_deref() != Some(grant.client_id.as_str()) {
        return Err(invalid("the code was issued to another client"));
    }
    if redirect_uri.is_some_and(|uri| uri != grant.redirect_uri) {
        return Err(invalid("redirect_uri is not the one of the authorization request"));
    }
    let challenge = grant.challenge.parse().map_err(|_never| bad())?;
    Challenge::from_stored(challenge).check(verifier.dangerous_expose_secret())?;
    check_key(asked, grant.jkt.as_deref())?;
    check_resource(asked.request, plane, grant.system.as_ref())?;
    let (agent, task) = running(asked, grant.task).await?;
    let replay = Replay {
        kind: ReplayKind::Code,
        issuer: plane.issuer.clone(),
        jti: code.id.clone(),
        until: plane.now().plus(CODE_MAX),
    };
    if let Err(again) = once(plane, &replay, OauthCode::InvalidGrant).await {
        if again.code() == OauthCode::InvalidGrant {
            end(asked, grant.task, "its authorization code came twice").await;
        }
        return Err(again);
    }
    let op = op(plane, &agent.name, asked.request_id);
    let claims = claims(plane, &task, grant.system.as_ref(), &grant.person, grant.scope.as_deref());
    let claims = AccessClaims { auth_time: Some(grant.auth_time), ..claims };
    // Only where one token does not last as long as the task.
    let outlives = task.expires.as_seconds() > claims.exp;
    let refresh_token = if outlives {
        let (text, digest) = fresh(plane, task.id);
        let refresh = Refresh {
            client_id: grant.client_id.clone(),
            good: digest,
            used: Default::default(),
            jkt: asked.proof.map(|proof| proof.jkt.to_string()),
            system: grant.system.clone(),
        };
        put(&op, task.id, "refresh token issued", |task| {
            task.refresh = Some(refresh.clone());
            Ok(())
        })
        .await?;
        Some(text)
    } else {
        None
    };
    Ok(Redeemed { claims, refresh_token })
}

/// Gives a new token, and a new refresh token, for a refresh token (RFC 6749 section 6, RFC 9700 section 4.14.2). One that
/// comes again ends the task.
pub(super) async fn refresh(asked: &TokenAsked<'_>, token: &Secret) -> Result<Redeemed, OauthError> {
    let plane = asked.plane;
    let bad = || invalid("the refresh token is not good any more: the person has to agree again");
    let text = token.dangerous_expose_secret();
    let id = text.strip_prefix(REFRESH_PREFIX).and_then(|rest| rest.split_once('.'));
    let id: TaskId = id.and_then(|(id, _secret)| id.parse().ok()).ok_or_else(bad)?;
    let presented = Digest::of(text.as_bytes());
    let (agent, task) = running(asked, id).await?;
    let known = task.refresh.as_ref().ok_or_else(bad)?;
    if asked.request.client_id.as_deref() != Some(known.client_id.as_str()) {
        return Err(invalid("the refresh token was issued to another client"));
    }
    if known.used.contains(&presented) {
        end(asked, id, "a refresh token that was used came again").await;
        return Err(invalid(
            "the refresh token was used before: somebody else has it, so its task was ended",
        ));
    }
    if !same(&known.good, &presented) {
        return Err(bad());
    }
    check_key(asked, known.jkt.as_deref())?;
    check_resource(asked.request, plane, known.system.as_ref())?;
    let system = known.system.clone();
    let op = op(plane, &agent.name, asked.request_id);
    let (next, digest) = fresh(plane, id);
    put(&op, id, "refresh token rotated", |task| {
        let refresh = task.refresh.as_mut().filter(|refresh| same(&refresh.good, &presented));
        // Somebody was faster with the same token: it is a used one now.
        let refresh = refresh.ok_or_else(bad)?;
        refresh.used.insert(presented);
        refresh.good = digest;
        Ok(())
    })
    .await?;
    let person = task.requester.clone();
    let claims = claims(plane, &task, system.as_ref(), &person, None);
    Ok(Redeemed { claims, refresh_token: Some(next) })
}

/// Takes back what a client of people has (RFC 7009): with a refresh token, all that came of the person's yes; with an access
/// token, that one. Whoever has the token may do so; `client_id` keeps one client from another's by mistake.
pub(super) async fn revoke(
    plane: &Arc<Plane>,
    request_id: &str,
    client_id: &str,
    token: &Secret,
) -> Result<(), OauthError> {
    let text = token.dangerous_expose_secret();
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let task_of = |id: &TaskId| view.directory.tasks.get(id).filter(|task| task.refresh.is_some());
    let others = || Err(invalid("the token was issued to another client"));
    if let Some(rest) = text.strip_prefix(REFRESH_PREFIX) {
        let id: Option<TaskId> = rest.split_once('.').and_then(|(id, _secret)| id.parse().ok());
        let Some((task, refresh)) =
            id.as_ref().and_then(task_of).and_then(|task| Some((task, task.refresh.as_ref()?)))
        else {
            return Ok(());
        };
        let presented = Digest::of(text.as_bytes());
        if !same(&refresh.good, &presented) && !refresh.used.contains(&presented) {
            return Ok(());
        }
        if refresh.client_id != client_id {
            return others();
        }
        let op = crate::Op {
            subject: crate::Operator::Plane,
            request_id: request_id.to_owned(),
            plane: Arc::clone(plane),
        };
        let why = "its client took the refresh token back";
        return task::end(&op, task.id, why).await.map(drop).map_err(super::refused);
    }
    let Ok(claims) = plane.token_keys.verifier().issued(text, plane.now()) else { return Ok(()) };
    match task_of(&claims.task).and_then(|task| task.refresh.as_ref()) {
        Some(refresh) if refresh.client_id == client_id => {
            let op = op(plane, &claims.client_id, request_id);
            task::revoke(&op, claims.task, &claims.jti).await.map_err(super::refused)
        }
        Some(_others) => others(),
        None => Err(OauthError::new(
            OauthCode::InvalidClient,
            "the client must prove who it is: send a client_assertion (private_key_jwt)",
        )),
    }
}

fn claims(
    plane: &Plane,
    task: &Task,
    system: Option<&Name>,
    person: &Name,
    scope: Option<&str>,
) -> AccessClaims {
    let claims = for_person(task::claims(plane, task, system), person);
    AccessClaims { scope: scope.and_then(|scope| scope.parse().ok()), ..claims }
}

/// The task and its agent, both able to act, for a person who is here; the proof, if there has to be one, is good.
async fn running(asked: &TokenAsked<'_>, id: TaskId) -> Result<(Arc<Agent>, Arc<Task>), OauthError> {
    let plane = asked.plane;
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let over = || invalid("its task is over: the person has to agree again");
    let task = view.directory.tasks.get(&id).filter(|task| task.is_live(plane.now())).ok_or_else(over)?;
    let person = view.directory.people.get(&task.requester).filter(|person| person.active);
    person.ok_or_else(|| invalid("the person has left, and nobody acts for them"))?;
    let agent = view.directory.agents.get(&task.agent).ok_or_else(over)?;
    if !provost_lifecycle::agent::may_act(agent.status) {
        let text = format!("{} is {}: it gets no tokens", agent.name, agent.status);
        return Err(OauthError::new(OauthCode::UnauthorizedClient, text));
    }
    task::check_contained(&view.directory, agent).map_err(refused)?;
    asked.check_proof(agent).await?;
    Ok((Arc::clone(agent), Arc::clone(task)))
}

/// The code or refresh token is bound to a key (RFC 9449 sections 5 and 10).
fn check_key(asked: &TokenAsked<'_>, jkt: Option<&str>) -> Result<(), OauthError> {
    let proven = asked.proof.map(|proof| proof.jkt.to_string());
    if jkt.is_none_or(|jkt| proven.as_deref() == Some(jkt)) {
        return Ok(());
    }
    let text = "it is bound to a key: send a DPoP proof made with that key";
    Err(OauthError::new(OauthCode::InvalidDpopProof, text))
}

/// A token request asks for the resource that the person agreed to, or for none (RFC 8707 section 2.2).
fn check_resource(request: &TokenRequest, plane: &Plane, system: Option<&Name>) -> Result<(), OauthError> {
    if request.resource.iter().all(|one| *one == plane.resource(system)) {
        return Ok(());
    }
    let text = "the resource is not the one that the person agreed to";
    Err(OauthError::new(OauthCode::InvalidTarget, text))
}

/// Changes a running task's row.
async fn put(
    op: &crate::Op,
    id: TaskId,
    what: &str,
    edit: impl Fn(&mut Task) -> Result<(), OauthError>,
) -> Result<(), OauthError> {
    let authorised = op.authorize(crate::Action::TaskToken).map_err(super::refused)?;
    let keys = [ObjectKey::task(id)];
    let changed = authorised.change(&keys, "the client asked for a token", |seen| {
        let Some(task) = seen.directory.tasks.get(&id) else {
            return Ok(Change {
                drafts: Vec::new(),
                what: String::new(),
                answer: Err(invalid("its task is over")),
            });
        };
        let mut task = task.as_ref().clone();
        match edit(&mut task) {
            Ok(()) => Ok(Change {
                drafts: vec![Draft::Put(Object::Task(task))],
                what: what.to_owned(),
                answer: Ok(()),
            }),
            Err(error) => Ok(Change { drafts: Vec::new(), what: String::new(), answer: Err(error) }),
        }
    });
    changed.await.map_err(super::refused)?.1
}

async fn end(asked: &TokenAsked<'_>, id: TaskId, why: &str) {
    let op = crate::Op {
        subject: crate::Operator::Plane,
        request_id: asked.request_id.to_owned(),
        plane: Arc::clone(asked.plane),
    };
    if let Err(error) = task::end(&op, id, why).await {
        // Its tokens live out their minutes then; whoever reads the log can end it.
        tracing::error!(task = %id, %error, why, "a task whose credentials were stolen could not be ended");
    }
}

fn fresh(plane: &Plane, task: TaskId) -> (String, Digest) {
    let text = format!("{REFRESH_PREFIX}{task}.{}", URL_SAFE_NO_PAD.encode(plane.random::<32>()));
    let digest = Digest::of(text.as_bytes());
    (text, digest)
}

fn same(a: &Digest, b: &Digest) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

fn invalid(text: &'static str) -> OauthError {
    OauthError::new(OauthCode::InvalidGrant, text)
}

const PURPOSE: &str = "code";
const CODE_MAX: DurationMs = DurationMs::from_secs(60);
/// So that a secret scanner knows one when it sees one.
const REFRESH_PREFIX: &str = "provost_refresh_";
