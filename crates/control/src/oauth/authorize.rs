//! A person lets an agent act for them: the authorization endpoint (OAuth 2.1 section 4.1). The agent is one of the
//! organisation's that runs in the client's software; the person says yes to this agent, for this task, with these tools.

use super::{client, code, documents::Document, refused};
use crate::{
    browser::Visitor,
    carried,
    plane::Plane,
    task::{self, Behalf},
};
use provost_api::task::{ScopePart, TaskStart};
use provost_domain::{Agent, Digest, Directory, DurationMs, Effect, Environment, Name, TaskId, ToolName};
use provost_token::{
    AuthorizeRequest, AuthorizeTarget, Details, OauthCode, OauthError, Scope, redirect_matches,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use url::Url;

/// What a person is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The software, as it calls itself.
    pub client_name: String,
    /// Where the software says it comes from; the one thing about it that was checked.
    pub client_host: String,
    /// Where the answer goes: the origin.
    pub redirect_origin: String,
    /// The agents this could be, each with what it would be allowed.
    pub agents: Vec<Candidate>,
    /// The request, sealed: comes back with the answer.
    pub carried: String,
}

/// An agent that the person may let act.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub purpose: String,
    /// The accountable person.
    pub owner: Name,
    /// Where it works.
    pub environment: Environment,
    /// The longest a task may last.
    pub longest: DurationMs,
    /// The tools it asks for.
    pub tools: Vec<Offer>,
}

/// A tool that is asked for.
#[derive(Debug, Clone)]
pub struct Offer {
    /// `system/tool`.
    pub path: String,
    /// What it is for, as reviewed.
    pub description: String,
    /// What it can do, in words.
    pub effects: Vec<&'static str>,
}

/// Why there is no question.
#[derive(Debug)]
pub enum Unasked {
    /// Who asks is not known: said to the person, and sent nowhere.
    Shown(OauthError),
    /// Said to the client, at this address.
    Sent(String),
    /// The person has to sign in anew first (`max_age`, OpenID Connect Core section 3.1.2.1).
    SignInAgain,
}

/// What the person answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The question's `carried`.
    pub carried: String,
    /// The agent; none: no.
    pub agent: Option<Name>,
    /// What it is for, in the person's words.
    pub purpose: String,
    /// The tools, as `system/tool`.
    pub tools: Vec<String>,
}

/// The request between question and answer.
#[derive(Serialize, Deserialize)]
struct Asked {
    /// The session it was asked in.
    session: Digest,
    client_id: String,
    redirect_uri: String,
    state: Option<String>,
    challenge: String,
    jkt: Option<String>,
    system: Option<Name>,
    scope: Option<String>,
    details: Option<Details>,
}

/// Reads an authorization request, and makes a question of it.
///
/// # Errors
/// [`Unasked`].
pub async fn question(plane: &Arc<Plane>, visitor: &Visitor, query: &[u8]) -> Result<Question, Unasked> {
    let target = AuthorizeTarget::parse(query).map_err(Unasked::Shown)?;
    let document = plane.documents.of(plane, &target.client_id).await.map_err(Unasked::Shown)?;
    if !document.redirect_uris.iter().any(|own| redirect_matches(own, &target.redirect_uri)) {
        let text = "redirect_uri is not one of the client's own: nothing is sent there";
        return Err(Unasked::Shown(OauthError::new(OauthCode::InvalidRequest, text)));
    }
    // From here on the client learns what is wrong.
    let sent = |error: OauthError| {
        Unasked::Sent(answer_uri(plane, &target.redirect_uri, target.state.as_deref(), Err(&error)))
    };
    let request = target.request().map_err(sent)?;
    if request.prompt_none {
        let text = "a person has to say yes, and prompt=none does not let them";
        return Err(sent(OauthError::new(OauthCode::InvalidRequest, text)));
    }
    if let Some(max_age) = request.max_age_seconds {
        let signed_in = visitor.session.started.as_seconds();
        let oldest =
            plane.now().as_seconds().saturating_sub(i64::from(max_age)).saturating_sub(JUST_NOW_SECONDS);
        if signed_in < oldest {
            return Err(Unasked::SignInAgain);
        }
    }
    let system = system(plane, &request).map_err(sent)?;
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale).map_err(sent)?;
    let agents = candidates(&view.directory, visitor, &target.client_id, system.as_ref(), &request);
    let asked = Asked {
        session: visitor.session.id,
        client_id: target.client_id.clone(),
        redirect_uri: target.redirect_uri.clone(),
        state: target.state.clone(),
        challenge: request.challenge.to_stored().to_string(),
        jkt: request.dpop_jkt.map(|jkt| jkt.to_string()),
        system,
        scope: request.scope.as_ref().map(ToString::to_string),
        details: request.details,
    };
    let carried = carried::seal(plane, PURPOSE, &asked, ASKED_MAX).ok_or_else(|| {
        sent(OauthError::new(OauthCode::InvalidRequest, "the request is longer than can be asked about"))
    })?;
    Ok(question_of(&target, &document, agents, carried))
}

/// Carries out what the person answered. Gives the address their browser goes to.
///
/// # Errors
/// [`Unasked::Shown`] when it is no answer to a question of this session.
pub async fn answer(
    plane: &Arc<Plane>,
    request_id: &str,
    visitor: &Visitor,
    answer: &Answer,
) -> Result<String, Unasked> {
    let not_asked = || {
        let text = "this is no answer to a question that was asked of you here a moment ago: go back to the \
                    application and begin again";
        Unasked::Shown(OauthError::new(OauthCode::InvalidRequest, text))
    };
    let asked: Asked = carried::open(plane, PURPOSE, &answer.carried).ok_or_else(not_asked)?;
    if asked.session != visitor.session.id {
        return Err(not_asked());
    }
    let place = |told: Result<&str, &OauthError>| {
        answer_uri(plane, &asked.redirect_uri, asked.state.as_deref(), told)
    };
    let Some(agent) = &answer.agent else {
        return Ok(place(Err(&OauthError::new(OauthCode::AccessDenied, "the person said no"))));
    };
    match agree(plane, request_id, visitor, &asked, agent, answer).await {
        Ok(code) => Ok(place(Ok(&code))),
        Err(error) => Ok(place(Err(&error))),
    }
}

async fn agree(
    plane: &Arc<Plane>,
    request_id: &str,
    visitor: &Visitor,
    asked: &Asked,
    name: &Name,
    answer: &Answer,
) -> Result<String, OauthError> {
    let denied = |text: String| OauthError::new(OauthCode::AccessDenied, text);
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let agent = view.directory.agents_in(&asked.client_id).find(|agent| agent.name == *name);
    let agent = agent.filter(|agent| may_use(agent, &visitor.person.name));
    let agent = agent.ok_or_else(|| denied(format!("{name} is not yours to use with this application")))?;
    let scope = parts(agent, asked, &answer.tools)?;
    let wanted = TaskStart {
        agent: name.clone(),
        purpose: answer.purpose.clone(),
        requester: Some(visitor.person.name.clone()),
        inputs: Default::default(),
        duration: None,
        scope: Some(scope),
        system: asked.system.clone(),
        bill: None,
    };
    let op = visitor.op(plane, request_id);
    let task = task::begin(&op, &wanted, Behalf::Person).await.map_err(refused)?;
    code::issue(plane, grant(asked, visitor, task.id))
}

fn grant(asked: &Asked, visitor: &Visitor, task: TaskId) -> code::Grant {
    code::Grant {
        task,
        person: visitor.person.name.clone(),
        client_id: asked.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        jkt: asked.jkt.clone(),
        system: asked.system.clone(),
        scope: asked.scope.clone(),
        auth_time: visitor.session.started.as_seconds(),
    }
}

/// The part of the charter that was asked for and that the person left in, with the limits that were asked for.
fn parts(agent: &Agent, asked: &Asked, chosen: &[String]) -> Result<Vec<ScopePart>, OauthError> {
    let mut parts: BTreeMap<Name, Vec<ToolName>> = BTreeMap::new();
    for (system, tool) in
        offered(agent, asked.system.as_ref(), asked.scope.as_deref(), asked.details.as_ref())
    {
        if chosen.iter().any(|path| *path == format!("{system}/{tool}")) {
            parts.entry(system.clone()).or_default().push(tool.clone());
        }
    }
    if parts.is_empty() {
        let text = "the person left no tool of those that were asked for";
        return Err(OauthError::new(OauthCode::AccessDenied, text));
    }
    let Some(details) = &asked.details else {
        let part = |(system, tools)| ScopePart { system, tools, args: BTreeMap::default() };
        return Ok(parts.into_iter().map(part).collect());
    };
    // Each entry keeps its own limits, for the tools that are left of it.
    let left = details.entries().iter().filter_map(|entry| {
        let tools: Vec<ToolName> = parts
            .get(&entry.system)?
            .iter()
            .filter(|tool| entry.tools.is_empty() || entry.tools.contains(*tool))
            .cloned()
            .collect();
        (!tools.is_empty()).then(|| ScopePart {
            system: entry.system.clone(),
            tools,
            args: entry.args.clone(),
        })
    });
    Ok(left.collect())
}

fn candidates(
    directory: &Directory,
    visitor: &Visitor,
    client_id: &str,
    system: Option<&Name>,
    request: &AuthorizeRequest,
) -> Vec<Candidate> {
    let scope = request.scope.as_ref().map(ToString::to_string);
    let mine = directory.agents_in(client_id).filter(|agent| {
        provost_lifecycle::agent::may_act(agent.status) && may_use(agent, &visitor.person.name)
    });
    let candidate = |agent: &Arc<Agent>| {
        let tools = offered(agent, system, scope.as_deref(), request.details.as_ref());
        let tools: Vec<Offer> =
            tools.into_iter().map(|(system, tool)| offer(directory, system, tool)).collect();
        (!tools.is_empty()).then(|| Candidate {
            name: agent.name.clone(),
            purpose: agent.charter.purpose.to_string(),
            owner: agent.charter.owner.clone(),
            environment: agent.charter.environment,
            longest: agent.charter.task_duration_max,
            tools,
        })
    };
    mine.filter_map(candidate).take(CANDIDATES_MAX).collect()
}

/// What of an agent's charter a request asks for. What the charter does not have, nobody can ask for.
fn offered<'a>(
    agent: &'a Agent,
    system: Option<&Name>,
    scope: Option<&str>,
    details: Option<&Details>,
) -> Vec<(&'a Name, &'a ToolName)> {
    // Words that name no system of the charter (`offline_access`) ask for nothing here, and take nothing away.
    let scope: Option<Scope> = scope.and_then(|scope| scope.parse().ok());
    let known = agent.charter.systems();
    let scope =
        scope.filter(|scope| scope.words().any(|word| known.iter().any(|name| name.as_str() == word)));
    let in_scope =
        |name: &Name| scope.as_ref().is_none_or(|scope| scope.words().any(|word| word == name.as_str()));
    let in_details = |name: &Name, tool: &ToolName| {
        details.is_none_or(|details| {
            let mut entries = details.entries().iter();
            entries
                .any(|entry| entry.system == *name && (entry.tools.is_empty() || entry.tools.contains(tool)))
        })
    };
    let grants = agent.charter.grants.iter();
    let all = grants.flat_map(|grant| grant.tools.iter().map(move |tool| (&grant.system, tool)));
    let mut asked: Vec<(&Name, &ToolName)> = all
        .filter(|(name, tool)| {
            system.is_none_or(|system| system == *name) && in_scope(name) && in_details(name, tool)
        })
        .collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}

fn offer(directory: &Directory, system: &Name, tool: &ToolName) -> Offer {
    let row = directory.tools.get(&(system.clone(), tool.clone()));
    let effects = row.map_or_else(|| Effect::ALL.into_iter().collect(), |row| row.effects_or_worst());
    Offer {
        path: format!("{system}/{tool}"),
        description: row.map(|row| row.description.clone()).unwrap_or_default(),
        effects: effects.into_iter().map(Effect::as_str).collect(),
    }
}

/// Whether an agent may act for this person when they sign in.
fn may_use(agent: &Agent, person: &Name) -> bool {
    let charter = &agent.charter;
    charter.owner == *person || charter.deputies.contains(person) || charter.users.contains(person)
}

fn system(plane: &Plane, request: &AuthorizeRequest) -> Result<Option<Name>, OauthError> {
    let whole = plane.resource(None);
    match request.resource.as_slice() {
        [] => Ok(None),
        [one] if *one == whole => Ok(None),
        [one] => {
            let name = one.strip_prefix(&whole).and_then(|rest| rest.strip_prefix('/'));
            name.and_then(|name| name.parse().ok()).map(Some)
        }
        .ok_or_else(|| unknown_resource(plane)),
        _ => Err(unknown_resource(plane)),
    }
}

fn unknown_resource(plane: &Plane) -> OauthError {
    let text = format!("resources here are {0}/mcp and {0}/mcp/SYSTEM, one for each token", plane.issuer);
    OauthError::new(OauthCode::InvalidTarget, text)
}

fn question_of(
    target: &AuthorizeTarget,
    document: &Document,
    agents: Vec<Candidate>,
    carried: String,
) -> Question {
    let host = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    Question {
        client_name: document.name.clone(),
        client_host: host(&target.client_id).unwrap_or_default(),
        redirect_origin: origin(&target.redirect_uri),
        agents,
        carried,
    }
}

/// Scheme, host and port; only the scheme, for an app's own.
fn origin(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_error) => String::new(),
    }
}

/// The client's address with the answer (RFC 6749 section 4.1.2, RFC 9207).
fn answer_uri(
    plane: &Plane,
    redirect_uri: &str,
    state: Option<&str>,
    told: Result<&str, &OauthError>,
) -> String {
    let Ok(mut url) = Url::parse(redirect_uri) else { return "/".to_owned() };
    {
        let mut query = url.query_pairs_mut();
        match told {
            Ok(code) => drop(query.append_pair("code", code)),
            Err(error) => {
                query.append_pair("error", error.code().as_str());
                query.append_pair("error_description", error.description());
            }
        }
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &plane.issuer);
    }
    url.into()
}

const PURPOSE: &str = "consent";
/// Coming back from the provider takes a moment; without it `max_age=0` would go in circles.
const JUST_NOW_SECONDS: i64 = 60;
const ASKED_MAX: DurationMs = DurationMs::from_mins(10);
const CANDIDATES_MAX: usize = 20;
