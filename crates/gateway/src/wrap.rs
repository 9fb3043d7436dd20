//! The plane's side of `provost wrap`: a local MCP server stays beside the agent, the wrapper in front of it enforces,
//! and everything is decided and recorded here.
//!
//! | route below `/enforce/v1/{system}` | what it does |
//! |---|---|
//! | `POST decide` | a request of the client, decided and recorded before the wrapper writes it to the server |
//! | `POST complete` | what came of it, on record before the wrapper releases the result |
//! | `POST list` | a listing of the server, cut down to what the caller may see; its definitions are remembered |
//! | `GET watch` | answers at once when the agent or task is stopped, and soon in any case: the wrapper's lease |
//!
//! **Invariants.** Every permit handed out gets exactly one outcome: the wrapper's word, or `unknown` when it was stopped,
//! ran out of time, or was not heard of any more ([`permits`]). What a wrapper says of its server's definitions counts
//! for its own task only ([`definitions`]).

mod definitions;
mod permits;

use crate::{
    act::{self, Places, stopped},
    approval::{Held, Uses, waits_for},
    bounds,
    decide::Attempt,
    hosts::Hosts,
    identify::Caller,
    mcp::{Listing, body_of, reachable},
    metadata,
    pipeline::Pipeline,
    refusal::Refusal,
    subject::{self, Named},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use definitions::Definitions;
use permits::{Heard, Permits, Told};
use provost_domain::{DecisionId, Outcome, System, approval::ApprovalStatus, system::Connection};
use provost_mcp::{
    Limits, Message, Request, Revision, RpcError,
    methods::{Subject, Treatment, of_client},
    tools::ListKind,
};
use provost_replica::View;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};
use std::{sync::Arc, time::Duration};

/// The routes under `/enforce/v1/`, for task tokens.
pub fn router(pipeline: Arc<Pipeline>, hosts: Arc<Hosts>) -> Router {
    let body_max = |bytes: usize| DefaultBodyLimit::max(bytes.saturating_add(ENVELOPE_BYTES_MAX));
    let (of_client, of_server) = (pipeline.limits.body_bytes_max, pipeline.limits.upstream_message_bytes_max);
    Router::new()
        .route("/enforce/v1/{system}/decide", post(on_decide).layer(body_max(of_client)))
        .route("/enforce/v1/{system}/complete", post(on_complete).layer(body_max(of_server)))
        .route("/enforce/v1/{system}/list", post(on_list).layer(body_max(of_server)))
        .route("/enforce/v1/{system}/watch", get(on_watch))
        .with_state(Arc::new(Wrap::new(pipeline, hosts)))
}

/// What the routes share.
struct Wrap {
    pipeline: Arc<Pipeline>,
    hosts: Arc<Hosts>,
    places: Places,
    permits: Permits,
    heard: Heard,
    definitions: Definitions,
    of_clients: Limits,
    of_servers: Limits,
}

/// A wrapper whose token was accepted.
struct Entered {
    view: Arc<View>,
    caller: Caller,
    system: Arc<System>,
}

/// What a wrapper asks about a request of its client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    revision: String,
    /// The whole JSON-RPC request, with its bytes.
    request: Box<RawValue>,
    /// Whether the wrapper has just listed the server's tools.
    #[serde(default)]
    listed: bool,
    /// Whether the wrapper keeps a held call open while its client listens.
    #[serde(default)]
    holds: bool,
}

/// What a wrapper is told. One of them.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// It may be written to the server, within the lease; an outcome is owed.
    Permit { decision: DecisionId, lease_ms: u64 },
    /// It may be written to the server, within the lease; no outcome is owed.
    Pass { lease_ms: u64 },
    /// It may not; this whole JSON-RPC response is for the client.
    Refused(Box<RawValue>),
    /// It waits for people. The wrapper may ask at `/held/{approval}` for so long, and then, or as soon as something moved,
    /// asks here again; if it does not want to, the whole response is for the client.
    Held { approval: String, open_ms: u64, message: String, refused: Box<RawValue> },
    /// List the server's tools, then ask again.
    ListFirst {},
}

/// What came of a call. Exactly one of the last three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    decision: DecisionId,
    /// The server's whole response, with its bytes.
    #[serde(default)]
    response: Option<Box<RawValue>>,
    /// Why there is none although it was written to the server.
    #[serde(default)]
    lost: Option<String>,
    /// Why it was not written.
    #[serde(default)]
    unsent: Option<String>,
}

/// A result of one of the server's lists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    revision: String,
    method: String,
    result: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patience {
    /// How long to wait for something to tell; a quarter of `staleness_max` at most.
    #[serde(default)]
    wait_ms: u64,
}

impl Wrap {
    fn new(pipeline: Arc<Pipeline>, hosts: Arc<Hosts>) -> Self {
        let limits = &pipeline.limits;
        Self {
            places: Places::new(limits),
            permits: Permits::default(),
            heard: Heard::new(limits.staleness_max, Arc::clone(&pipeline.clock)),
            definitions: Definitions::default(),
            of_clients: bounds::of_clients(limits),
            of_servers: bounds::of_systems(limits),
            pipeline,
            hosts,
        }
    }

    /// Who asks, for which local system.
    fn enter(&self, system: &str, method: &str, what: &str, headers: &HeaderMap) -> Result<Entered, Refusal> {
        self.hosts.check(headers)?;
        let path = format!("/enforce/v1/{system}/{what}");
        let asked = crate::identify::Asked { headers, method, path: &path, system: Some(system) };
        let (view, caller) = self.pipeline.admit(&asked)?;
        let system = reachable(&view, &caller, system)?;
        if system.connection != Connection::McpLocal {
            let text = format!(
                "the system {} is not local: the plane itself connects to it, so use it at /mcp/{0}; or declare it with `local = true`",
                system.name
            );
            return Err(RpcError::invalid_request(text).into());
        }
        self.heard.touch(caller.task.id, &system.name);
        Ok(Entered { view, caller, system })
    }

    async fn decide(
        self: &Arc<Self>,
        system: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        let entered = self.enter(system, "POST", "decide", headers)?;
        let asked: Asked = read(body)?;
        let revision = revision(&asked.revision)?;
        let message = Message::parse(asked.request.get().as_bytes(), &self.of_clients);
        let Message::Request(request) = message.map_err(|error| Refusal::Protocol(error.to_rpc()))? else {
            return Err(RpcError::invalid_request("only requests are decided").into());
        };
        let judged = self.judge(&entered, &request, revision, asked.listed).await;
        let listens = request.meta().is_some_and(|meta| meta.get("progressToken").is_some());
        judged.or_else(|refusal| {
            self.note(&refusal);
            if let (Refusal::Held(held), true) = (&refusal, asked.holds && listens)
                && let Some(answer) = self.hold(held, &request, revision)
            {
                return Ok(answer);
            }
            // From here on the client's request has an id, so the refusal is an answer to it.
            let (_http_status, text) = body_of(&refusal, Some(&request.id), &request.method, revision);
            let text = RawValue::from_string(text).map_err(|error| Refusal::internal(error.to_string()))?;
            Ok(Answer::Refused(text))
        })
    }

    /// What a wrapper whose client listens is told of a call that waits.
    fn hold(&self, held: &Held, request: &Request<'_>, revision: Revision) -> Option<Answer> {
        let open = self.pipeline.hold_open_max();
        if held.approval.status != ApprovalStatus::Waiting || open.0 == 0 {
            return None;
        }
        let refusal = Refusal::Held(Box::new(held.clone()));
        let (_http_status, text) = body_of(&refusal, Some(&request.id), &request.method, revision);
        let view = self.pipeline.replica.latest();
        Some(Answer::Held {
            approval: held.approval.id.clone(),
            open_ms: open.0,
            message: waits_for(&held.approval, &view.directory, self.pipeline.now()),
            refused: RawValue::from_string(text).ok()?,
        })
    }

    /// As the MCP face does it: what it is about, whether the definition is the reviewed one, verdict, record, permit.
    async fn judge(
        self: &Arc<Self>,
        entered: &Entered,
        request: &Request<'_>,
        revision: Revision,
        listed: bool,
    ) -> Result<Answer, Refusal> {
        let row = of_client(&Message::Request(request.clone()), revision)?;
        if row.treatment != Treatment::Decide || request.method.starts_with("tasks/") {
            return Err(RpcError::method_not_found(&request.method, revision.era()).into());
        }
        let Entered { view, caller, system } = entered;
        if let Subject::Several { resources, tasks } = row.subject(request.params.as_ref(), revision)? {
            return self.listen(entered, &resources, &tasks, revision).await;
        }
        let Named { name, tool, args, is_defined } =
            subject::read(view, system, request, revision, &self.of_clients)?;
        let pinned = match &tool {
            Some(tool) if is_defined => {
                let now = self.pipeline.now();
                let seen = self.definitions.are(caller.task.id, &system.name, &name, tool.pin, now);
                match (seen, listed) {
                    (Some(pinned), _) => pinned,
                    (None, true) => false,
                    (None, false) => return Ok(Answer::ListFirst {}),
                }
            }
            known => known.is_some(),
        };
        let place = self.places.take(caller.task.id)?;
        let (view, caller, system) = (Arc::clone(view), caller.clone(), Arc::clone(system));
        let attempt = Attempt { face: FACE, view, caller, system, name, tool, pinned, args, uses: Uses::Any };
        let permit = self.pipeline.authorise(&attempt).await?;
        let running = act::entrust(permit, attempt, place, &self.pipeline)?;
        let decision = running.decision();
        match self.lease_ms() {
            Ok(lease_ms) => {
                self.permits.keep(running, &self.heard);
                Ok(Answer::Permit { decision, lease_ms })
            }
            Err(refusal) => {
                running.close(Outcome::Unsent { error: refusal.to_string() }).await;
                Err(refusal)
            }
        }
    }

    /// A modern client's `subscriptions/listen`: each resource it wants to hear of is decided like a read of it.
    async fn listen(
        &self,
        entered: &Entered,
        resources: &[String],
        tasks: &[String],
        revision: Revision,
    ) -> Result<Answer, Refusal> {
        if !tasks.is_empty() {
            let why = "`taskIds` must be empty: tasks of the protocol are not served here";
            return Err(RpcError::invalid_params(revision.era(), why).into());
        }
        for uri in resources {
            let reading = subject::reading(FACE, &entered.view, &entered.caller, &entered.system, uri)?;
            let permit = self.pipeline.authorise(&reading).await?;
            // Hearing that a resource changed is not reading it: what was permitted is complete as it stands.
            self.pipeline.close_unsent(permit).await;
        }
        Ok(Answer::Pass { lease_ms: self.lease_ms()? })
    }

    async fn complete(&self, system: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let entered = self.enter(system, "POST", "complete", headers)?;
        let done: Done = read(body)?;
        let told = match (done.response, done.lost, done.unsent) {
            (Some(response), None, None) => Told::Answered(response.get().to_owned().into()),
            (None, Some(why), None) => Told::Lost(why),
            (None, None, Some(why)) => Told::Unsent(why),
            _ => {
                let why = "`complete` needs exactly one of `response`, `lost` and `unsent`";
                return Err(RpcError::invalid_request(why).into());
            }
        };
        if let Told::Answered(response) = &told
            && !matches!(Message::parse(response, &self.of_servers), Ok(Message::Response(_)))
        {
            let lost = Told::Lost("the server's answer cannot be read".to_owned());
            self.permits.tell(done.decision, entered.caller.task.id, lost).await?;
            return Err(Refusal::Upstream(
                "the server's answer cannot be read, so it is not released".to_owned(),
            ));
        }
        self.permits.tell(done.decision, entered.caller.task.id, told).await
    }

    async fn list(&self, system: &str, headers: &HeaderMap, body: &[u8]) -> Result<Box<RawValue>, Refusal> {
        let entered = self.enter(system, "POST", "list", headers)?;
        let listed: Listed = read(body)?;
        let revision = revision(&listed.revision)?;
        let unknown = || RpcError::invalid_request("`method` must be a list of the protocol");
        let kind = ListKind::of_method(&listed.method).ok_or_else(unknown)?;
        let directory = &self.pipeline.replica.latest().directory;
        let now = self.pipeline.now();
        if let Some(why) = stopped(&entered.caller, (&entered.system.name, None), directory, now) {
            return Err(Refusal::Cut(why));
        }
        let task = entered.caller.task.id;
        let system = Arc::clone(&entered.system);
        let state = self.pipeline.task_state(task).await?;
        let listing = Listing { kind, view: entered.view, caller: entered.caller, state, system, now };
        let (shown, seen) = listing.sift(listed.result.get(), revision, &self.of_servers)?;
        self.definitions.saw(task, &entered.system.name, &seen, now);
        RawValue::from_string(shown).map_err(|error| Refusal::internal(error.to_string()))
    }

    /// Waits for a stop, a moment; then says how long the wrapper may go on without hearing from the plane.
    async fn watch(
        &self,
        system: &str,
        headers: &HeaderMap,
        patience: &Patience,
    ) -> Result<Watched, Refusal> {
        let Entered { caller, system, .. } = self.enter(system, "GET", "watch", headers)?;
        let mut moves = self.pipeline.replica.moves();
        let wait =
            Duration::from_millis(patience.wait_ms).min(self.pipeline.limits.staleness_max.to_std() / 4);
        let waited = tokio::time::sleep(wait);
        tokio::pin!(waited);
        loop {
            let view = self.pipeline.replica.latest();
            if let Some(why) = stopped(&caller, (&system.name, None), &view.directory, self.pipeline.now()) {
                return Ok(Watched::Stopped(why));
            }
            tokio::select! {
                moved = moves.changed() => if moved.is_err() {
                    return Err(Refusal::internal("the plane is stopping"));
                },
                () = &mut waited => break,
            }
        }
        self.heard.touch(caller.task.id, &system.name);
        Ok(Watched::LeaseMs(self.lease_ms()?))
    }

    /// What is left of the time for which this node may act on what it knows. A wrapper counts it from the moment it
    /// *sent* its question, so that the sum of both never exceeds `staleness_max`.
    fn lease_ms(&self) -> Result<u64, Refusal> {
        let most = self.pipeline.limits.staleness_max;
        let _not_stale = self.pipeline.replica.fresh(most)?;
        Ok(most.0.saturating_sub(self.pipeline.replica.age().0))
    }

    fn note(&self, refusal: &Refusal) {
        self.pipeline.journal.refused(FACE, refusal);
        self.pipeline.metrics.refused(refusal);
    }

    /// A refusal of the question itself, as problem details (RFC 9457); its type ends with the refusal's code.
    fn problem(&self, refusal: &Refusal, system: &str) -> Response {
        self.note(refusal);
        let status = match refusal.http_status() {
            200 => 400, // what legacy MCP clients read only from a 200 is no success here
            status => status,
        };
        let problem = json!({
            "type": format!("urn:provost:problem:{}", refusal.code()),
            "title": "The wrapper may not go on",
            "status": status,
            "detail": refusal.to_string(),
        });
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            let url = metadata::url_of(self.pipeline.identifier.resource(), Some(system));
            if let Some(value) = refusal.challenge(&url) {
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
        }
        response
    }

    fn respond<T: Serialize>(&self, outcome: Result<T, Refusal>, system: &str) -> Response {
        match outcome {
            Ok(answer) => Json(answer).into_response(),
            Err(refusal) => self.problem(&refusal, system),
        }
    }
}

/// What a watching wrapper hears.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Watched {
    LeaseMs(u64),
    Stopped(String),
}

type At = State<Arc<Wrap>>;

/// Goes on although the wrapper hangs up: a decision on record must come into somebody's account.
async fn on_decide(State(wrap): At, Path(system): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let deciding = tokio::spawn(async move {
        let decided = wrap.decide(&system, &headers, &body).await;
        wrap.respond(decided, &system)
    });
    deciding.await.unwrap_or_else(|_panicked| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn on_complete(
    State(wrap): At,
    Path(system): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let completed = wrap.complete(&system, &headers, &body).await;
    wrap.respond(completed.map(|()| json!({ "recorded": true })), &system)
}

async fn on_list(State(wrap): At, Path(system): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let listed = wrap.list(&system, &headers, &body).await;
    wrap.respond(listed.map(|result| Shown { result }), &system)
}

async fn on_watch(
    State(wrap): At,
    Path(system): Path<String>,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
) -> Response {
    let watched = wrap.watch(&system, &headers, &patience).await;
    wrap.respond(watched, &system)
}

#[derive(Serialize)]
struct Shown {
    result: Box<RawValue>,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| RpcError::parse(format!("the question cannot be read: {error}")).into())
}

fn revision(name: &str) -> Result<Revision, Refusal> {
    Revision::parse(name).ok_or_else(|| RpcError::unsupported_version(name).into())
}

/// How records name this face.
const FACE: &str = "wrap";
/// What is around the message in a question's body.
const ENVELOPE_BYTES_MAX: usize = 4_096;
