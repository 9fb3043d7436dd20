//! A submission, read strictly and held against the denials it is based on: each must be an evaluation of this plane that held
//! exactly this action, and be fresh. The plane keeps every evaluation, so it issues no binding tokens: a second truth would only
//! have to be kept equal to the first.

use super::{
    Answer, Asker, Authzen,
    access::{not_requestable, problem},
    asker::AGENTS,
    callback::{self, Callback},
    evaluate::{self, REQUESTABLE_FOR},
    read,
};
use crate::{
    approval::Uses,
    decide::{self, Attempt, Moment},
};
use http::{HeaderMap, header};
use provost_domain::{DecisionId, Timestamp, Verdict, decision::AUTHZEN, limits::Limits};
use provost_policy::{AuthzenAction, AuthzenEntity, AuthzenRequest};
use serde_json::{Map, Value, json};

/// What is asked for, as it was sent.
pub(super) struct Submission {
    subject: AuthzenEntity,
    context: Map<String, Value>,
    items: Vec<Item>,
    /// Whether it came as `items`.
    pub several: bool,
    actors: Vec<Actor>,
    says: Vec<(&'static str, String)>,
    /// Where the caller wants to be told how it ended.
    pub callback: Option<Callback>,
}

struct Item {
    resource: Map<String, Value>,
    action: Map<String, Value>,
    asks: (AuthzenEntity, AuthzenAction),
    denial: Map<String, Value>,
    until: Option<Timestamp>,
}

/// One of those said to act, nearest first.
struct Actor {
    id: String,
    issuer: Option<String>,
}

/// One item that is bound to its denial and can be asked for.
pub(super) struct Asked {
    pub attempt: Attempt,
    pub resource: Value,
    pub action: Value,
    pub until: Option<Timestamp>,
}

/// Reads a submission.
pub(super) fn read(value: &Value, limits: &Limits) -> Result<Submission, Answer> {
    let whole = value.as_object().ok_or_else(|| bad("the body must be a JSON object"))?;
    let top = Top {
        denial: optional(whole, "denial")?,
        wanted: optional(whole, "requested_access")?.unwrap_or_default(),
    };
    let (items, several) = match whole.get("items") {
        None => (vec![item(whole, &top)?], false),
        Some(Value::Array(_)) if whole.contains_key("resource") || whole.contains_key("action") => {
            return Err(bad("`resource` and `action` must be left out beside `items`"));
        }
        Some(Value::Array(all)) => {
            (all.iter().map(|one| read_item(one, &top)).collect::<Result<_, _>>()?, true)
        }
        Some(_) => return Err(bad("`items` must be an array")),
    };
    let most = limits.approvals_per_task_max;
    if items.is_empty() || items.len() > most {
        return Err(bad(&format!("`items` must hold 1 to {most} (the limit `approvals_per_task_max`)")));
    }
    let client = optional(whole, "client")?.unwrap_or_default();
    let context = read::object(whole, "context").map_err(Answer::bad_request)?;
    let mut says = said(&client, &context);
    if top.wanted.get("emergency") == Some(&Value::Bool(true)) {
        says.push(("emergency", "yes".to_owned()));
    }
    Ok(Submission {
        subject: read::entity(whole, "subject").map_err(Answer::bad_request)?,
        context,
        items,
        several,
        actors: actors(&client)?,
        says,
        callback: optional(whole, "callback")?.map(|asked| callback::read(&asked)).transpose()?,
    })
}

/// Members that hold for all items.
struct Top {
    denial: Option<Map<String, Value>>,
    wanted: Map<String, Value>,
}

fn read_item(one: &Value, top: &Top) -> Result<Item, Answer> {
    item(one.as_object().ok_or_else(|| bad("an item must be an object"))?, top)
}

fn item(members: &Map<String, Value>, top: &Top) -> Result<Item, Answer> {
    let own = optional(members, "denial")?.or_else(|| top.denial.clone());
    let denial = own.ok_or_else(|| unbound("`denial` is missing"))?;
    let mut wanted = top.wanted.clone();
    wanted.extend(optional(members, "requested_access")?.unwrap_or_default());
    let until = match wanted.get("requested_until") {
        None => None,
        Some(Value::String(text)) => {
            Some(instant(text).ok_or_else(|| bad("`requested_until` is no RFC 3339 time"))?)
        }
        Some(_) => return Err(bad("`requested_until` must be a string")),
    };
    let asks = (
        read::entity(members, "resource").map_err(Answer::bad_request)?,
        read::action(members).map_err(Answer::bad_request)?,
    );
    let part = |name: &str| read::object(members, name).map_err(Answer::bad_request);
    Ok(Item { resource: part("resource")?, action: part("action")?, asks, denial, until })
}

impl Submission {
    /// Who asks and what they say to it, for the record. It is somebody else's text, bounded, and authorises nothing.
    pub(super) fn why(&self, caller: &str) -> String {
        let mut why = format!("{caller} asks for it");
        for (what, text) in &self.says {
            why.push_str(&format!("; {what}: {text}"));
        }
        why.chars().take(WHY_CHARS_MAX).collect()
    }
}

impl Authzen {
    /// Every item held against its denial and decided on what is true now, before anybody is asked about any of them.
    pub(super) async fn bound(&self, asker: &Asker, submission: &Submission) -> Result<Vec<Asked>, Answer> {
        if submission.subject.kind != AGENTS {
            let what = "only what agents of the plane do can be asked for";
            return Err(problem(400, "not_requestable", what));
        }
        let mut asked = Vec::with_capacity(submission.items.len());
        for item in &submission.items {
            asked.push(self.bind(asker, submission, item).await?);
        }
        Ok(asked)
    }

    async fn bind(&self, asker: &Asker, submission: &Submission, item: &Item) -> Result<Asked, Answer> {
        let (pipeline, now) = (&self.pipeline, self.pipeline.now());
        let view = pipeline.replica.fresh(pipeline.limits.staleness_max);
        let view = view.map_err(|stale| self.refused(&stale.into()))?;
        let (resource, action) = item.asks.clone();
        let (subject, context) = (submission.subject.clone(), submission.context.clone());
        let question = AuthzenRequest { subject, action, resource, context };
        let attempt = evaluate::attempt(&question, view, Uses::None, now);
        let attempt = attempt.map_err(|refusal| self.refused(&refusal))?;
        let action = decide::action(&attempt).digest().map_err(|error| bad(&error.to_string()))?;
        let denial = item.denial.get("evaluation_id").and_then(Value::as_str);
        let denial = denial.and_then(|id| id.parse::<DecisionId>().ok()).ok_or_else(|| {
            unbound(
                "`denial.evaluation_id` must name an evaluation of this plane; it issues no binding tokens",
            )
        })?;
        let stored = pipeline.store.decision(denial).await.map_err(|error| self.refused(&error.into()))?;
        let stored =
            stored.filter(|stored| stored.decision.face == AUTHZEN && stored.decision.action == action);
        let decision = stored.ok_or_else(|| unbound("the denial is not of exactly this action"))?.decision;
        if !matches!(decision.verdict, Verdict::Hold { .. }) {
            return Err(not_requestable());
        }
        let expires = decision.at.plus(REQUESTABLE_FOR);
        let echoed = item.denial.get("expires_at").and_then(Value::as_str).and_then(instant);
        if echoed != Some(expires) {
            return Err(unbound("`denial.expires_at` is not the one of the denial"));
        }
        if now >= expires {
            return Err(problem(
                410,
                "expired_denial",
                "the denial is too old to be asked about: evaluate again",
            ));
        }
        if item.until.is_some_and(|until| now >= until) {
            return Err(bad("`requested_until` has passed"));
        }
        self.check_actors(asker, submission, &attempt)?;
        let state =
            pipeline.task_state(attempt.caller.task.id).await.map_err(|refusal| self.refused(&refusal))?;
        let moment = Moment { state, ..Moment::default() };
        if !matches!(decide::verdict(&attempt, &moment, now).verdict, Verdict::Hold { .. }) {
            return Err(not_requestable());
        }
        let (resource, action) = (json!(item.resource), json!(item.action));
        Ok(Asked { attempt, resource, action, until: item.until })
    }

    /// Everybody said to act must be who the plane knows to act: the caller, the agent, those above it, and the person at the
    /// end, in this order. What cannot be shown is not believed, and the submission is refused.
    fn check_actors(&self, asker: &Asker, submission: &Submission, attempt: &Attempt) -> Result<(), Answer> {
        let caller = &attempt.caller;
        let own = match asker {
            Asker::Workload(workload) => Some(workload.name.to_string()),
            Asker::Administrator => None,
        };
        let top = caller.chain.last().map_or(&caller.task, |link| &link.task);
        let agents = std::iter::once(&caller.agent).chain(caller.chain.iter().map(|link| &link.agent));
        let known = own.into_iter().chain(agents.map(|agent| agent.name.to_string()));
        let mut known = known.chain([top.requester.to_string()]);
        for actor in &submission.actors {
            let here = actor.issuer.as_ref().is_none_or(|issuer| *issuer == self.public_url);
            if !here || !known.any(|name| name == actor.id) {
                return Err(unverified(&actor.id));
            }
        }
        Ok(())
    }
}

/// The idempotency key, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Answer> {
    let mut values = headers.get_all("idempotency-key").iter();
    let (first, second) = (values.next(), values.next());
    let Some(value) = first else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= KEY_BYTES_MAX);
    match (text, second) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(bad("`Idempotency-Key` must be one header of 1 to 255 visible characters")),
    }
}

/// Why a request is taken back, for the record.
pub(super) fn cancellation(headers: &HeaderMap, body: &[u8], limits: &Limits) -> Result<String, Answer> {
    if body.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
        return Ok(TAKEN_BACK.to_owned());
    }
    let value = read::body(headers, body, limits).map_err(Answer::bad_request)?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(short);
    let said: Vec<String> = [text("reason"), text("comment")].into_iter().flatten().collect();
    Ok(if said.is_empty() { TAKEN_BACK.to_owned() } else { format!("{TAKEN_BACK}: {}", said.join("; ")) })
}

/// What the caller says that a person may want to read.
fn said(client: &Map<String, Value>, context: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let source = client.get("source").and_then(Value::as_object);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(short);
    let of_source = |name: &str| text(source.and_then(|source| source.get(name)));
    [
        ("business justification", text(context.get("business_justification"))),
        ("client", text(client.get("name")).or_else(|| text(client.get("id")))),
        ("session", of_source("session_id")),
        ("see", of_source("external_url")),
        ("integration", of_source("integration_id")),
    ]
    .into_iter()
    .filter_map(|(what, text)| Some((what, text?)))
    .collect()
}

fn actors(client: &Map<String, Value>) -> Result<Vec<Actor>, Answer> {
    let Some(first) = client.get("actor") else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    let (mut next, mut names) = (Some(first), ("id", "issuer"));
    while let Some(actor) = next {
        let actor = actor.as_object().ok_or_else(|| bad("an actor must be an object"))?;
        let text = |name: &str| actor.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text(names.0).ok_or_else(|| bad(&format!("an actor needs the string `{}`", names.0)))?;
        all.push(Actor { id, issuer: text(names.1) });
        if all.len() > ACTORS_MAX {
            return Err(bad("the chain of actors is longer than any can be"));
        }
        (next, names) = (actor.get("act"), ("sub", "iss"));
    }
    Ok(all)
}

fn optional(members: &Map<String, Value>, name: &str) -> Result<Option<Map<String, Value>>, Answer> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner.clone())),
        Some(_) => Err(bad(&format!("`{name}` must be an object"))),
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_millis(at.as_millisecond()))
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

pub(super) fn bad(why: &str) -> Answer {
    Answer::bad_request(why.to_owned())
}

fn unbound(detail: &str) -> Answer {
    problem(400, "invalid_denial_binding", detail)
}

/// The profile has no word for these two; they are ours.
fn unverified(actor: &str) -> Answer {
    let detail = format!("nothing shows that {} acts here: leave `client.actor` out", short(actor));
    ours(403, "actor-unverified", "The chain of actors cannot be verified", &detail)
}

pub(super) fn ours(status: u16, kind: &str, title: &str, detail: &str) -> Answer {
    let kind = format!("urn:provost:problem:{kind}");
    Answer { status, ..Answer::ok(json!({"type": kind, "title": title, "status": status, "detail": detail})) }
}

const TAKEN_BACK: &str = "the one who asked took it back";
const KEY_BYTES_MAX: usize = 255;
const TEXT_CHARS_MAX: usize = 200;
const WHY_CHARS_MAX: usize = 800;
const ACTORS_MAX: usize = 16;
