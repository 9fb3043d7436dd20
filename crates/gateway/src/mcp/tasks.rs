//! Held calls as tasks (MCP 2026-07-28, extension `io.modelcontextprotocol/tasks`). The task is the approval: its row is durable
//! before the client hears of it, its id names nothing to anybody whose task of the plane it is not, and who asks is
//! checked each time.
//!
//! **Nothing runs without the agent asking.** After the yes the call is made when the client comes back with `tasks/get`, or
//! makes the same call again: decided anew, from the arguments that people saw. It is made by one `tasks/get` of all nodes,
//! once; what came of it is kept, sealed, until the task of the plane ends. Tasks of systems behind are not announced.

use super::{
    answer,
    exchange::{Client, Step, read_meta},
    front::{Front, Inbound},
    open::Opened,
    wait::{self, Can, KEY, Page},
};
use crate::{
    approval::{Held, Uses, when},
    refusal::Refusal,
};
use axum::{
    body::Body,
    http::{HeaderMap, Response},
};
use bytes::Bytes;
use moka::sync::Cache;
use provost_domain::{Approval, Digest, Object, Timestamp, approval::ApprovalStatus};
use provost_lifecycle::approval as life;
use provost_mcp::{
    Message, Request, Revision, RpcError,
    era::{META_CLIENT_CAPABILITIES, META_PROTOCOL_VERSION},
    message::{Outcome, write_request, write_result},
    methods::Treatment,
};
use provost_store::{Attribution, ChangeSet, CommitError, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// What a node remembers of tasks; what must not be forgotten is in the store.
pub(super) struct Tasks {
    /// Those it is making the call of.
    running: Mutex<HashMap<String, Arc<Flight>>>,
    /// Those whose question the client has answered: it is not asked again.
    answered: Cache<String, ()>,
}

struct Flight {
    cancelled: Notify,
    done: watch::Sender<bool>,
}

/// What came of a task's call, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Came {
    /// The result.
    Result(Value),
    /// The JSON-RPC error.
    Error(Value),
}

/// Which `tasks/get` makes the call: the first of all nodes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    run: String,
    at: Timestamp,
}

impl Tasks {
    pub(super) fn new() -> Self {
        let answered = Cache::builder().max_capacity(ANSWERED_MAX).time_to_live(ANSWERED_FOR).build();
        Self { running: Mutex::default(), answered }
    }
}

/// The answer to a held call: the task to ask after.
pub(super) fn created(held: &Held, can: &Can) -> Value {
    let asks = matches!(can.page, Page::ComeBack);
    let status = if asks { "input_required" } else { "working" };
    let until = can.task.unwrap_or(held.approval.expires);
    let mut task = seed(&held.approval, until, status, &held.note());
    task.insert("resultType".to_owned(), json!("task"));
    Value::Object(task)
}

impl Front {
    /// `tasks/get`, `tasks/update`, `tasks/cancel` of a client that declared the extension.
    pub(super) async fn task(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
    ) -> Result<Response<Body>, Refusal> {
        if !read_meta(request)?.declares(&["extensions", EXTENSION]) {
            return Err(RpcError::missing_capability(json!({"extensions": {EXTENSION: {}}})).into());
        }
        let id = request.params.as_ref().and_then(|params| params.string("taskId")).unwrap_or_default();
        let row = self.task_of(inbound, &id).await?;
        let result = match request.method.as_ref() {
            "tasks/get" => self.task_stands(inbound, row).await?,
            "tasks/update" => {
                let answers = request.params.as_ref().and_then(|params| params.object("inputResponses"));
                if answers.is_some_and(|answers| answers.get(KEY).is_some()) {
                    self.tasks.answered.insert(row.id, ());
                }
                Map::new()
            }
            "tasks/cancel" => {
                self.cancel_task(&row).await?;
                Map::new()
            }
            other => return Err(RpcError::method_not_found(other, inbound.revision.era()).into()),
        };
        let mut result = result;
        result.insert("resultType".to_owned(), json!("complete"));
        Ok(answer::json(200, write_result(&request.id, &Value::Object(result))))
    }

    /// The approval, if it is the caller's own.
    async fn task_of(&self, inbound: &Inbound<'_>, id: &str) -> Result<Approval, Refusal> {
        let found = provost_store::approval(self.pipeline.store.as_ref(), id).await?;
        let caller = &inbound.caller;
        let own = |row: &Approval| {
            row.agent == caller.agent.name
                && row.task == caller.task.id
                && inbound.system.as_ref().is_none_or(|system| system.name == row.system)
        };
        found.map(|(_version, row)| row).filter(own).ok_or_else(|| {
            let era = inbound.revision.era();
            RpcError::invalid_params(era, "there is no such task of yours, or no longer").into()
        })
    }

    async fn task_stands(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        row: Approval,
    ) -> Result<Map<String, Value>, Refusal> {
        let (now, until) = (self.pipeline.now(), inbound.caller.task.expires);
        if let Some(came) = self.came(&row, now).await? {
            return Ok(over(&row, until, came));
        }
        let row = life::expire(&row, now).unwrap_or(row);
        match &row.status {
            ApprovalStatus::Waiting => Ok(self.waiting_task(inbound, &row).await),
            ApprovalStatus::Withdrawn { why, .. } => Ok(seed(&row, until, "cancelled", why)),
            ApprovalStatus::Granted { .. } => self.run_task(inbound, row).await,
            ApprovalStatus::Used { .. } => self.task_was_made(inbound, &row).await,
            ApprovalStatus::Refused { .. }
            | ApprovalStatus::Expired { .. }
            | ApprovalStatus::Edited { .. } => {
                let held = self.held_of(&row).await?;
                Ok(over(&row, until, refused(&Refusal::Held(Box::new(held)), inbound.revision)))
            }
        }
    }

    /// For whom it waits, with the question that opens the page where that is of use.
    async fn waiting_task(&self, inbound: &Inbound<'_>, row: &Approval) -> Map<String, Value> {
        let (view, until) = (self.pipeline.replica.latest(), inbound.caller.task.expires);
        let words = crate::approval::waits_for(row, &view.directory, self.pipeline.now());
        let asks = matches!(inbound.can.page, Page::ComeBack) && !self.tasks.answered.contains_key(&row.id);
        let (true, Ok(held)) = (asks, self.held_of(row).await) else {
            return seed(row, until, "working", &words);
        };
        let mut task = seed(row, until, "input_required", &words);
        let question = json!({"method": "elicitation/create", "params": wait::elicitation(&held)});
        task.insert("inputRequests".to_owned(), json!({KEY: question}));
        task
    }

    /// Makes the call, or waits a little for whoever does.
    async fn run_task(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        row: Approval,
    ) -> Result<Map<String, Value>, Refusal> {
        let until = inbound.caller.task.expires;
        let Some(mut done) = self.take_off(inbound, &row).await? else {
            return self.task_was_made(inbound, &row).await;
        };
        let landed = tokio::time::timeout(RUN_PATIENCE, done.wait_for(|done| *done)).await.is_ok();
        let came = if landed { self.came(&row, self.pipeline.now()).await? } else { None };
        Ok(came
            .map_or_else(|| seed(&row, until, "working", "it is being made"), |came| over(&row, until, came)))
    }

    /// Begins to make the call, unless another `tasks/get` did: here, then it is heard of, or elsewhere.
    async fn take_off(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        row: &Approval,
    ) -> Result<Option<watch::Receiver<bool>>, Refusal> {
        if let Some(flight) = super::session::lock(&self.tasks.running).get(&row.id) {
            return Ok(Some(flight.done.subscribe()));
        }
        let (now, until) = (self.pipeline.now(), inbound.caller.task.expires);
        let mine = Claim { run: format!("{:032x}", rand::random::<u128>()), at: now };
        let mine_text = serde_json::to_vec(&mine).map_err(|error| Refusal::internal(error.to_string()))?;
        let stands = self.pipeline.store.keep(word(CLAIM, row), &mine_text, until, now).await?;
        if stands != mine_text {
            return Ok(None);
        }
        let flight = Arc::new(Flight { cancelled: Notify::new(), done: watch::Sender::new(false) });
        let done = flight.done.subscribe();
        super::session::lock(&self.tasks.running).insert(row.id.clone(), Arc::clone(&flight));
        let front = Arc::clone(self);
        let (view, caller, revision) = (Arc::clone(&inbound.view), inbound.caller.clone(), inbound.revision);
        let system = inbound.view.directory.systems.get(&row.system).cloned();
        let row = row.clone();
        tokio::spawn(async move {
            let landed =
                Landed { front: Arc::clone(&front), id: row.id.clone(), flight: Arc::clone(&flight) };
            let headers = HeaderMap::new();
            let inbound = Inbound {
                view,
                caller,
                system,
                headers: &headers,
                body: body_of(&row, revision),
                revision,
                can: Can::default(),
                uses: Uses::Only(row.id.clone()),
            };
            let came = front.made(&inbound, &flight).await;
            front.keep_what_came(&row, &came, inbound.caller.task.expires).await;
            drop(landed);
        });
        Ok(Some(done))
    }

    /// The call, from the approval's own arguments to its last message.
    async fn made(self: &Arc<Self>, inbound: &Inbound<'_>, flight: &Flight) -> Came {
        let Ok(Message::Request(request)) = Message::parse(&inbound.body, self.limits()) else {
            return refused(&Refusal::internal("the approved call cannot be written"), inbound.revision);
        };
        let opened = self.open_exchange(inbound, &request, Treatment::Decide, Client::Modern).await;
        let mut exchange = match opened {
            Ok(Opened::Running(exchange)) => exchange,
            Ok(Opened::Answered(_)) => {
                return refused(
                    &Refusal::internal("a call was answered without being made"),
                    inbound.revision,
                );
            }
            Err(refusal) => {
                self.pipeline.journal.refused("mcp", &refusal);
                self.pipeline.metrics.refused(&refusal);
                return refused(&refusal, inbound.revision);
            }
        };
        loop {
            let step = tokio::select! {
                biased;
                () = flight.cancelled.notified() => {
                    exchange.cancel().await;
                    let cut = Refusal::Cut("its client cancelled the task".to_owned());
                    return refused(&cut, inbound.revision);
                }
                step = exchange.step() => step,
            };
            match step {
                Step::Along(_progress) => {}
                Step::Last(_status, message) => return read(&message, self.limits(), inbound.revision),
                Step::Park(_question) => {
                    exchange
                        .cut("the system asked something, and nobody is there to answer".to_owned())
                        .await;
                    let cut = Refusal::Cut("the system asked something in the middle of the call".to_owned());
                    return refused(&cut, inbound.revision);
                }
            }
        }
    }

    /// Its use is on record, and nothing was kept of it: it is under way elsewhere, or what came of it is gone.
    async fn task_was_made(
        &self,
        inbound: &Inbound<'_>,
        row: &Approval,
    ) -> Result<Map<String, Value>, Refusal> {
        let (store, now) = (self.pipeline.store.as_ref(), self.pipeline.now());
        let until = inbound.caller.task.expires;
        let by = match &row.status {
            ApprovalStatus::Used { decision: Some(decision), .. } => Some(*decision),
            _ => provost_store::approval_used_by(store, row).await?,
        };
        let stored = match by {
            Some(decision) => store.decision(decision).await?,
            None => None,
        };
        let outcome = stored.as_ref().and_then(|stored| stored.completion.as_ref());
        let outcome = outcome.map(|completion| completion.outcome.as_str());
        let claim = store.kept(word(CLAIM, row), now).await?;
        let claim = claim.and_then(|claim| serde_json::from_slice::<Claim>(&claim).ok());
        // It is under way for as long as a call may take, from when it was allowed or was going to be.
        let allowed = stored.as_ref().map(|stored| stored.decision.at);
        let claimed = claim.map(|claim| claim.at);
        let begun = allowed.max(claimed);
        let recent = begun.is_some_and(|at| now.since(at) < self.pipeline.limits.call_duration_max);
        // An outcome may be on record a moment before what came of the call is kept.
        let just_now = stored
            .and_then(|stored| stored.completion)
            .is_some_and(|completion| now.since(completion.at).to_std() < RUN_PATIENCE);
        let text = match (by, outcome) {
            (_, None) if recent => return Ok(seed(row, until, "working", "it is being made")),
            (Some(_), Some(_)) if claimed.is_some() && just_now => {
                return Ok(seed(row, until, "working", "it was made; its result is on its way"));
            }
            (Some(decision), Some(outcome)) => format!(
                "the call was made under {decision} with the outcome `{outcome}`, and what it brought is not kept any more"
            ),
            (Some(decision), None) => {
                format!("the call was allowed under {decision}, and what came of it is unknown")
            }
            (None, _) => "whoever was to make the call went away before; make the same call again".to_owned(),
        };
        let error = RpcError::internal(inbound.revision.era(), text);
        Ok(over(row, until, Came::Error(error.to_value())))
    }

    async fn cancel_task(&self, row: &Approval) -> Result<(), Refusal> {
        if let Some(flight) = super::session::lock(&self.tasks.running).get(&row.id) {
            flight.cancelled.notify_one();
            return Ok(());
        }
        for _round in 0..ROUNDS_MAX {
            let found = provost_store::approval(self.pipeline.store.as_ref(), &row.id).await?;
            let now = self.pipeline.now();
            let Some((version, row)) = found else { return Ok(()) };
            let Some(over) = life::withdraw(&row, "its agent cancelled the task", now) else { return Ok(()) };
            let over = self.pipeline.told_if_check(over);
            let why = format!("{} cancelled by {}", row.id, row.agent);
            let by = Attribution { actor: "plane".to_owned(), why };
            let writes = vec![Write::Put { object: Object::Approval(Box::new(over)), expected: version }];
            match self.pipeline.store.commit(ChangeSet { by, at: now, writes }).await {
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Store(error)) => return Err(Refusal::Store(error)),
                Err(other) => return Err(Refusal::internal(other.to_string())),
                Ok(_receipt) => {
                    // From here on this node, at least, does not use it any more.
                    self.pipeline.replica.catch_up().await?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn held_of(&self, row: &Approval) -> Result<Held, Refusal> {
        let missing = || Refusal::internal("the decision that held a call is not on record");
        let stored = self.pipeline.store.decision(row.decision).await?.ok_or_else(missing)?;
        self.pipeline.held_as(Arc::new(stored.decision), row).await
    }

    /// What came of the call, if that is kept.
    async fn came(&self, row: &Approval, now: Timestamp) -> Result<Option<Came>, Refusal> {
        let Some(sealed) = self.pipeline.store.kept(word(CAME, row), now).await? else { return Ok(None) };
        let opened = self.pipeline.broker.unseal(&sealed_name(row), &sealed);
        let opened = opened.map_err(|error| Refusal::internal(error.to_string()))?;
        Ok(serde_json::from_slice(opened.dangerous_expose()).ok())
    }

    /// Keeps what came of the call, sealed, for as long as the task of the plane may live. What is too long is not kept, and
    /// that is what is told.
    async fn keep_what_came(&self, row: &Approval, came: &Came, until: Timestamp) {
        let most = self.pipeline.limits.task_result_bytes_max;
        let kept = |came: &Came| {
            let text = serde_json::to_vec(came).unwrap_or_default();
            self.pipeline.broker.seal(&sealed_name(row), &text, most)
        };
        let sealed = kept(came).or_else(|_too_long| {
            let text = format!(
                "the call was made, and what it brought is longer than the limit `task_result_bytes_max` ({most})"
            );
            kept(&Came::Error(json!({"code": provost_mcp::error::INTERNAL_ERROR, "message": text})))
        });
        let store = &self.pipeline.store;
        let kept = match sealed {
            Ok(sealed) => store.keep(word(CAME, row), &sealed, until, self.pipeline.now()).await.err(),
            Err(error) => return tracing::warn!(%error, approval = row.id, "a result could not be sealed"),
        };
        if let Some(error) = kept {
            tracing::warn!(%error, approval = row.id, "a result could not be kept; its outcome is on record");
        }
    }
}

/// Lets go of a flight however it ended, and tells who waits.
struct Landed {
    front: Arc<Front>,
    id: String,
    flight: Arc<Flight>,
}

impl Drop for Landed {
    fn drop(&mut self) {
        super::session::lock(&self.front.tasks.running).remove(&self.id);
        self.flight.done.send_replace(true);
    }
}

/// The call that people saw, as a request of a client that can answer no questions.
fn body_of(row: &Approval, revision: Revision) -> Bytes {
    let meta = json!({META_PROTOCOL_VERSION: revision.as_str(), META_CLIENT_CAPABILITIES: {}});
    let params = json!({"name": row.tool.as_str(), "arguments": row.args, "_meta": meta});
    write_request(&row.id.as_str().into(), "tools/call", &params).into()
}

/// A task as it is told, without what its status adds.
fn seed(row: &Approval, until: Timestamp, status: &str, message: &str) -> Map<String, Value> {
    let task = json!({
        "taskId": row.id,
        "status": status,
        "statusMessage": message,
        "createdAt": when(row.asked),
        "lastUpdatedAt": when(moved(row)),
        "ttlMs": until.since(row.asked).0,
        "pollIntervalMs": POLL_EVERY_MS,
    });
    match task {
        Value::Object(task) => task,
        _ => Map::new(),
    }
}

/// A task that is over, with what came of it.
fn over(row: &Approval, until: Timestamp, came: Came) -> Map<String, Value> {
    let (status, words, key, value) = match came {
        Came::Result(value) => ("completed", "it is done".to_owned(), "result", value),
        Came::Error(value) => {
            let words = value.get("message").and_then(Value::as_str).unwrap_or("it failed").to_owned();
            ("failed", words, "error", value)
        }
    };
    let mut task = seed(row, until, status, &words);
    task.insert(key.to_owned(), value);
    task
}

/// When something last happened to it.
fn moved(row: &Approval) -> Timestamp {
    let voted = row.votes.iter().map(|vote| vote.at).max().unwrap_or(row.asked);
    let moved = match row.status {
        ApprovalStatus::Waiting => row.asked,
        ApprovalStatus::Granted { at, .. }
        | ApprovalStatus::Edited { at, .. }
        | ApprovalStatus::Refused { at }
        | ApprovalStatus::Expired { at }
        | ApprovalStatus::Withdrawn { at, .. }
        | ApprovalStatus::Used { at, .. } => at,
    };
    moved.max(voted)
}

/// What a refusal is to a task: the result that the call would have been answered with, or its error.
fn refused(refusal: &Refusal, revision: Revision) -> Came {
    let (_status, body) = answer::body_of(refusal, Some(&"task".into()), "tools/call", revision);
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    match (value.get("result"), value.get("error")) {
        (Some(result), _) => Came::Result(result.clone()),
        (None, Some(error)) => Came::Error(error.clone()),
        (None, None) => {
            Came::Error(json!({"code": provost_mcp::error::INTERNAL_ERROR, "message": refusal.to_string()}))
        }
    }
}

fn read(message: &str, limits: &provost_mcp::Limits, revision: Revision) -> Came {
    match Message::parse(message.as_bytes(), limits) {
        Ok(Message::Response(response)) => match response.outcome {
            Outcome::Result(result) => Came::Result(result.raw().to_value().unwrap_or_default()),
            Outcome::Error(_) => {
                let value: Value = serde_json::from_str(message).unwrap_or_default();
                Came::Error(value.get("error").cloned().unwrap_or_default())
            }
        },
        _ => refused(&Refusal::Upstream("the system's answer cannot be read".to_owned()), revision),
    }
}

fn word(what: &str, row: &Approval) -> Digest {
    Digest::of(format!("{what}/{}", row.id).as_bytes())
}

/// Bound to whose it is: it opens for nothing else.
fn sealed_name(row: &Approval) -> String {
    format!("task/{}/{}", row.task, row.id)
}

/// The extension's identifier.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const CLAIM: &str = "mcp-task-claim";
const CAME: &str = "mcp-task-came";
const POLL_EVERY_MS: u64 = 3_000;
/// How long a `tasks/get` waits for the call it began; the next one asks after it.
const RUN_PATIENCE: Duration = Duration::from_secs(5);
const ANSWERED_MAX: u64 = 100_000;
const ANSWERED_FOR: Duration = Duration::from_secs(24 * 3_600);
const ROUNDS_MAX: usize = 16;
