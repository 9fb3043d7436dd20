//! Bytes in: read strictly, say who calls and which era is spoken, hand on. The methods of `provost_mcp::methods`
//! decide what becomes of a message; everything that is not in that table is refused there.

use super::{
    answer,
    ask::Parked,
    connection::Connections,
    exchange::{Client, Exchange, Source, Step, id_value, read_meta, rewrite},
    list::Listing,
    replay::{Finished, Track},
    session::{Reply, Session, Sessions},
};
use crate::{
    act::{Places, Watch, Work, ask},
    bounds,
    decide::Attempt,
    hosts::Hosts,
    identify::Caller,
    pipeline::Pipeline,
    refusal::Refusal,
    subject::{self, Named},
};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode},
    routing::post,
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use provost_connect::{ClientProfile, SealingKey, Upstream};
use provost_domain::System;
use provost_mcp::{
    Era, Limits, Message, Patch, Request, RequestId, Response as Answered, Revision, RpcError,
    era::{Spoken, spoken},
    headers::{Headers, check_standard},
    message::write_result,
    methods::{Form, Method, Treatment, of_client},
    tools::{ListKind, ToolDefinition},
    translate::{mediated_client_capabilities, to_legacy, to_modern},
};
use provost_replica::View;
use serde_json::{Map, Value};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// The MCP face of a node.
pub struct Front {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) connections: Connections,
    pub(super) sessions: Sessions,
    pub(super) parked: Parked,
    pub(super) places: Places,
    pub(super) finished: Finished,
    hosts: Arc<Hosts>,
    limits: Limits,
    upstream_limits: Limits,
}

/// What the face is built from.
pub struct FrontParts {
    /// Decides, records, acts.
    pub pipeline: Arc<Pipeline>,
    /// Opens credentials.
    pub sealing: Arc<SealingKey>,
    /// The names this plane is served under.
    pub hosts: Arc<Hosts>,
}

/// One message with what is known about its sender.
pub(super) struct Inbound<'a> {
    pub view: Arc<View>,
    pub caller: Caller,
    /// `None` at the address of all systems.
    pub system: Option<Arc<System>>,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    pub revision: Revision,
}

impl Front {
    /// The face.
    #[must_use]
    pub fn new(parts: FrontParts) -> Arc<Self> {
        let of_plane = &parts.pipeline.limits;
        Arc::new(Self {
            connections: Connections::new(Arc::clone(&parts.pipeline), parts.sealing),
            sessions: Sessions::new(of_plane.sessions_max),
            parked: Parked::new(),
            places: Places::new(of_plane),
            finished: Finished::new(),
            limits: bounds::of_clients(of_plane),
            upstream_limits: bounds::of_systems(of_plane),
            hosts: parts.hosts,
            pipeline: parts.pipeline,
        })
    }

    /// The routes.
    pub fn router(self: &Arc<Self>) -> Router {
        let methods = || post(on_post).get(on_get).delete(on_delete);
        Router::new()
            .route("/mcp", methods())
            .route("/mcp/{system}", methods())
            .with_state(Arc::clone(self))
    }

    /// Bounds on what clients send.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bounds on what systems send.
    pub(super) fn upstream_limits(&self) -> &Limits {
        &self.upstream_limits
    }

    /// One POST, whole.
    async fn post(self: &Arc<Self>, system: Option<String>, headers: HeaderMap, body: Body) -> Response<Body> {
        let guess = guessed_revision(&headers);
        let mut told = Told { id: None, method: String::new(), revision: guess };
        match self.read(system.as_deref(), &headers, body, &mut told).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(&refusal, &told, system.as_deref()),
        }
    }

    async fn read(
        self: &Arc<Self>,
        system: Option<&str>,
        headers: &HeaderMap,
        body: Body,
        told: &mut Told,
    ) -> Result<Response<Body>, Refusal> {
        self.hosts.check(headers)?;
        let (view, caller) = self.pipeline.admit(headers, system)?;
        let system = system.map(|name| reachable(&view, &caller, name)).transpose()?;
        let body = super::body::read(headers, body, self.limits.message_bytes_max).await?;
        let bytes = body.clone();
        let message = Message::parse(&bytes, &self.limits).map_err(|error| {
            told.id.clone_from(&error.id);
            Refusal::Protocol(error.to_rpc())
        })?;
        told.id = message.id().cloned();
        told.method = message.method().unwrap_or_default().to_owned();
        let pairs: Headers<'_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let header = pairs.one(provost_mcp::headers::PROTOCOL_VERSION)?;
        agrees(&message, header)?;
        let spoken = spoken(&message, header)?;
        let revision = match &spoken {
            Spoken::Modern(meta) => meta.revision,
            Spoken::ModernBare(revision) | Spoken::Initialize { revision, .. } => *revision,
            Spoken::Legacy(named) => named.unwrap_or(Revision::V2025_06_18),
        };
        told.revision = revision;
        let mut inbound = Inbound { view, caller, system, headers, body, revision };
        match spoken {
            Spoken::Initialize { revision, .. } => match &message {
                Message::Request(request) => self.initialize(&inbound, request, revision).await,
                _ => Err(RpcError::invalid_request("`initialize` is a request").into()),
            },
            Spoken::Modern(_) | Spoken::ModernBare(_) => {
                check_standard(&message, &pairs)?;
                self.modern(&inbound, &message).await
            }
            Spoken::Legacy(named) => {
                let session = self.session(&inbound)?;
                inbound.revision = named.unwrap_or(session.client().revision);
                told.revision = inbound.revision;
                self.legacy(&inbound, &message, session).await
            }
        }
    }

    fn refuse(&self, refusal: &Refusal, told: &Told, system: Option<&str>) -> Response<Body> {
        self.pipeline.journal.refused("mcp", refusal);
        self.pipeline.metrics.refused(refusal);
        let url = crate::metadata::url_of(self.pipeline.identifier.resource(), system);
        answer::refused(refusal, told.id.as_ref(), &told.method, told.revision, &url)
    }

    fn session(&self, inbound: &Inbound<'_>) -> Result<Arc<Session>, Refusal> {
        let id = answer::header_text(inbound.headers, "mcp-session-id").ok_or_else(|| {
            let text = "the session id is missing: send `initialize` first, then `MCP-Session-Id` with every request";
            Refusal::Protocol(RpcError::invalid_request(text))
        })?;
        let system = inbound.system.as_ref().map(|system| system.name.as_str());
        self.sessions.get(id, inbound.caller.task.id, system).ok_or_else(|| {
            let gone = RpcError::invalid_request("there is no such session: send `initialize` again");
            Refusal::Protocol(gone.with_status(404))
        })
    }

    async fn initialize(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
        revision: Revision,
    ) -> Result<Response<Body>, Refusal> {
        let params = request.params.as_ref().ok_or_else(|| RpcError::invalid_request("`initialize` needs params"))?;
        let client = to_modern::LegacyClient::read(params, revision);
        let profile = ClientProfile { capabilities: client.capabilities.clone(), client_info: client.client_info.clone() };
        let result = match &inbound.system {
            Some(system) => {
                let upstream = self.connections.open(system, &inbound.caller, &profile).await?;
                initialize_result(&upstream, revision, &self.upstream_limits)
            }
            None => super::aggregate::initialize_result(revision),
        };
        let id = format!("{:032x}", rand::random::<u128>());
        let system = inbound.system.as_ref().map(|system| system.name.to_string());
        self.sessions.put(Session::new(id.clone(), inbound.caller.task.id, system, client));
        Ok(answer::with_session(answer::json(200, write_result(&request.id, &result)), &id))
    }

    async fn modern(self: &Arc<Self>, inbound: &Inbound<'_>, message: &Message<'_>) -> Result<Response<Body>, Refusal> {
        let method = of_client(message, inbound.revision)?;
        let Message::Request(request) = message else { return Ok(answer::accepted()) };
        if request.method == "server/discover" {
            let result = self.discover(inbound, request).await?;
            return Ok(answer::json(200, write_result(&request.id, &result)));
        }
        if request.method == "subscriptions/listen" {
            return self.listen(inbound, request).await;
        }
        if let Some(parked) = self.parked_for(inbound, request) {
            return self.run_modern(parked, inbound.body.clone(), request).await;
        }
        let exchange = self.open_exchange(inbound, request, method.treatment, Client::Modern).await?;
        match exchange {
            Opened::Answered(response) => Ok(response),
            Opened::Running(exchange) => Ok(self.stream_modern(exchange).await),
        }
    }

    async fn legacy(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        message: &Message<'_>,
        session: Arc<Session>,
    ) -> Result<Response<Body>, Refusal> {
        let request = match message {
            Message::Response(answered) => return self.hear(&session, answered).await,
            Message::Notification(notification) => {
                let method = of_client(message, inbound.revision)?;
                self.note(inbound, &session, method, notification).await?;
                return Ok(answer::accepted());
            }
            Message::Request(request) => request,
        };
        let method = of_client(message, inbound.revision)?;
        let empty = || answer::json(200, write_result(&request.id, &Value::Object(Map::new())));
        if request.method == "ping" {
            return Ok(empty());
        }
        let cancelled = session.start(&request.id).ok_or_else(|| {
            Refusal::Protocol(RpcError::invalid_request("a request with this id is under way; use another id"))
        })?;
        let ended = EndOnDrop(Arc::clone(&session), request.id.clone());
        let client = Client::Legacy(Arc::clone(&session));
        let exchange = match self.open_exchange(inbound, request, method.treatment, client).await? {
            Opened::Answered(response) => return Ok(response),
            Opened::Running(exchange) => exchange,
        };
        let track = session.tracks.open();
        let kept = KeepOnDrop { front: Arc::clone(self), session: Arc::clone(&session), track: Arc::clone(&track) };
        // A legacy client that hangs up has not cancelled: the call goes on by itself.
        tokio::spawn(async move {
            let _ended = ended;
            pump(exchange, &kept.track, cancelled).await;
        });
        Ok(self.respond(&session, &track).await)
    }

    /// A client of 2025-11-25 gets a stream it can come back to; an older one plain JSON, unless there is more than
    /// one message.
    async fn respond(&self, session: &Session, track: &Arc<Track>) -> Response<Body> {
        if resumes(session) {
            let priming = track.priming();
            return answer::events(stream::once(async { priming }).chain(track.read(0, self.quiet_max(session))));
        }
        match track.only().await {
            Some((status, message)) => answer::json(status, message),
            // Cancelled by the client: there is no answer to a cancelled request.
            None if track.is_empty() => answer::accepted(),
            None => answer::events(track.read(0, None)),
        }
    }

    /// How long a stream of this session may be silent before the client is asked to come back.
    pub(super) fn quiet_max(&self, session: &Session) -> Option<Duration> {
        resumes(session).then(|| self.pipeline.limits.stream_quiet_max.to_std())
    }

    /// Makes one request ready: answers it here, or asks for a permit and sends it on.
    pub(super) async fn open_exchange(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
        treatment: Treatment,
        client: Client,
    ) -> Result<Opened, Refusal> {
        if treatment == Treatment::Deny || request.method.starts_with("tasks/") {
            return Err(RpcError::method_not_found(&request.method, inbound.revision.era()).into());
        }
        let Some(system) = inbound.system.clone() else {
            return super::aggregate::open(self, inbound, request, treatment, client).await;
        };
        let profile = self.profile(request, &client);
        let upstream = self.connections.open(&system, &inbound.caller, &profile).await?;
        if let (Client::Legacy(session), Era::Modern) = (&client, upstream.handshake().era())
            && let Some(response) = kept_here(session, request)?
        {
            return Ok(Opened::Answered(response));
        }
        if let (Client::Legacy(session), "logging/setLevel") = (&client, request.method.as_ref())
            && let Ok(to_modern::LegacyRequest::SetLogLevel(level)) = to_modern::plan(request)
        {
            session.set_log_level(level);
        }
        let place = self.places.take(inbound.caller.task.id)?;
        let listing = match ListKind::of_method(&request.method) {
            Some(kind) => Some(self.listing(inbound, &system, kind).await?),
            None => None,
        };
        let (outgoing, mut headers) = self.outgoing(request, &client, &upstream).await?;
        let mut exchange = Exchange {
            front: Arc::clone(self),
            client,
            body: inbound.body.clone(),
            id: request.id.clone(),
            method: request.method.to_string(),
            upstream: Arc::clone(&upstream),
            headers: Vec::new(),
            source: Source::Ended,
            listing,
            ready: VecDeque::new(),
            waiting: super::ask::Waiting::No,
        };
        exchange.source = if treatment == Treatment::Decide {
            let (attempt, definition) = self.attempt(inbound, &system, &upstream, request).await?;
            headers.extend(self.mirrored(inbound, definition.as_deref(), &attempt)?);
            exchange.headers.clone_from(&headers);
            let work = Work { upstream, request: outgoing, headers, place };
            Source::Call(Box::new(self.pipeline.call(attempt, work).await?))
        } else {
            let watch = Watch::new(&self.pipeline, &inbound.caller, &system.name);
            Source::Relay(ask(upstream, outgoing, headers), watch, place)
        };
        Ok(Opened::Running(Box::new(exchange)))
    }

    /// The request in the system's era, under ids of this connection.
    async fn outgoing(
        &self,
        request: &Request<'_>,
        client: &Client,
        upstream: &Arc<Upstream>,
    ) -> Result<(Bytes, Vec<(HeaderName, HeaderValue)>), Refusal> {
        let id = upstream.fresh_id();
        let text = match (client, upstream.handshake().era()) {
            (Client::Modern, Era::Legacy) => {
                if let Some(level) = read_meta(request)?.log_level {
                    self.set_level(upstream, &level).await;
                }
                to_legacy::request(request, &id).map_err(rewrite)?
            }
            (Client::Legacy(session), Era::Modern) => {
                to_modern::request(request, &id, &session.client()).map_err(rewrite)?
            }
            (Client::Legacy(_), Era::Legacy) => Patch::new().id(&id).apply(request.raw).map_err(rewrite)?,
            (Client::Modern, Era::Modern) => {
                // Only what this gateway mediates is announced: a system must not count on the rest.
                let meta = read_meta(request)?;
                let mediated = mediated_client_capabilities(&meta.capabilities);
                let patch = Patch::new().id(&id).meta(provost_mcp::era::META_CLIENT_CAPABILITIES, &mediated);
                patch.apply(request.raw).map_err(rewrite)?
            }
        };
        let has_token = request.meta().is_some_and(|meta| meta.get("progressToken").is_some());
        if !has_token {
            return Ok((text.into(), Vec::new()));
        }
        // Two clients of one task may use the same token on what is one connection to the system.
        let raw = provost_mcp::Raw::trusted(&text);
        let text = Patch::new().meta("progressToken", &id_value(&id)).apply(raw).map_err(rewrite)?;
        Ok((text.into(), Vec::new()))
    }

    async fn set_level(&self, upstream: &Upstream, level: &str) {
        let request = to_legacy::set_level(&upstream.fresh_id(), level);
        if let Ok(mut replies) = upstream.request(request.into(), Vec::new()).await {
            while let Some(Ok(_message)) = replies.next().await {}
        }
    }

    /// What the policies are asked about.
    async fn attempt(
        &self,
        inbound: &Inbound<'_>,
        system: &Arc<System>,
        upstream: &Arc<Upstream>,
        request: &Request<'_>,
    ) -> Result<(Attempt, Option<Arc<ToolDefinition>>), Refusal> {
        let Named { name, tool, args, is_defined } =
            subject::read(&inbound.view, system, request, inbound.revision, &self.limits)?;
        let (pinned, definition) = match &tool {
            Some(tool) if is_defined => self.connections.pinned(upstream, name.as_str(), tool.pin).await?,
            known => (known.is_some(), None),
        };
        let attempt = Attempt {
            face: "mcp",
            view: Arc::clone(&inbound.view),
            caller: inbound.caller.clone(),
            system: Arc::clone(system),
            name,
            tool,
            pinned,
            args,
        };
        Ok((attempt, definition))
    }

    /// The `Mcp-Param-*` headers: those of a modern client once they agree with the arguments, made here for a
    /// legacy one.
    fn mirrored(
        &self,
        inbound: &Inbound<'_>,
        definition: Option<&ToolDefinition>,
        attempt: &Attempt,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
        let header = |name: &[u8], value: &[u8]| Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?));
        if inbound.revision.era() == Era::Legacy {
            let made = definition.map(|d| d.param_headers.for_arguments(&attempt.args)).unwrap_or_default();
            return Ok(made.iter().filter_map(|(name, value)| header(name.as_bytes(), value.as_bytes())).collect());
        }
        let pairs: Headers<'_> = inbound.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        if let Some(definition) = definition {
            definition.param_headers.check(&attempt.args, &pairs)?;
        }
        Ok(pairs.params().filter_map(|(name, value)| header(name.as_bytes(), value)).collect())
    }

    pub(super) async fn listing(&self, inbound: &Inbound<'_>, system: &Arc<System>, kind: ListKind) -> Result<Listing, Refusal> {
        Ok(Listing {
            kind,
            view: Arc::clone(&inbound.view),
            caller: inbound.caller.clone(),
            state: self.pipeline.task_state(inbound.caller.task.id).await?,
            system: Arc::clone(system),
            now: self.pipeline.now(),
        })
    }

    pub(super) fn profile(&self, request: &Request<'_>, client: &Client) -> ClientProfile {
        match client {
            Client::Legacy(session) => session.profile(),
            Client::Modern => {
                let meta = read_meta(request).ok();
                let info = meta.as_ref().and_then(|meta| meta.client_info).and_then(|info| info.to_value().ok());
                ClientProfile {
                    capabilities: meta.map_or_else(
                        || Value::Object(Map::new()),
                        |meta| mediated_client_capabilities(&meta.capabilities),
                    ),
                    client_info: info.unwrap_or_else(|| serde_json::json!({"name": "provost", "version": env!("CARGO_PKG_VERSION")})),
                }
            }
        }
    }

    async fn discover(&self, inbound: &Inbound<'_>, request: &Request<'_>) -> Result<Value, Refusal> {
        let Some(system) = &inbound.system else { return Ok(super::aggregate::discover_result()) };
        let profile = self.profile(request, &Client::Modern);
        let upstream = self.connections.open(system, &inbound.caller, &profile).await?;
        Ok(discover_result(&upstream, &self.upstream_limits))
    }

    fn parked_for(&self, inbound: &Inbound<'_>, request: &Request<'_>) -> Option<Box<Exchange>> {
        let state = request.params.as_ref()?.string("requestState")?;
        self.parked.take(&state, inbound.caller.task.id, request)
    }

    async fn run_modern(self: &Arc<Self>, mut exchange: Box<Exchange>, body: Bytes, request: &Request<'_>) -> Result<Response<Body>, Refusal> {
        exchange.resume(body, request.id.clone()).await?;
        Ok(self.stream_modern(exchange).await)
    }

    /// A modern client that hangs up has cancelled: the exchange lives in the response body and is dropped with it.
    pub(super) async fn stream_modern(self: &Arc<Self>, mut exchange: Box<Exchange>) -> Response<Body> {
        match exchange.step().await {
            Step::Last(status, body) => answer::json(status, body),
            Step::Park(message) => {
                self.park(exchange, &message);
                answer::json(200, message)
            }
            Step::Along(first) => {
                let front = Arc::clone(self);
                let rest = stream::unfold(Some(exchange), move |exchange| next_of(Arc::clone(&front), exchange));
                answer::stream(stream::once(async { first }).chain(rest))
            }
        }
    }

    fn park(&self, exchange: Box<Exchange>, message: &str) {
        if let Some(task) = exchange.task() {
            self.parked.put(exchange, task, message, &self.limits);
        }
    }

    /// A legacy client's answer to a question.
    async fn hear(&self, session: &Arc<Session>, answered: &Answered<'_>) -> Result<Response<Body>, Refusal> {
        let reply = answered.id.as_ref().and_then(|id| session.answered(id));
        match reply {
            Some(Reply::System(upstream, id)) => {
                let response = Patch::new().id(&id).apply(answered.raw).map_err(rewrite)?;
                upstream.respond(response.into()).await.map_err(|error| Refusal::Upstream(error.to_string()))?;
            }
            Some(Reply::Exchange(waiting)) => drop(waiting.send(answered.raw.as_str().to_owned())),
            None => return Err(RpcError::invalid_request("nobody asked for this answer").into()),
        }
        Ok(answer::accepted())
    }

    /// A legacy client's notification.
    async fn note(
        &self,
        inbound: &Inbound<'_>,
        session: &Arc<Session>,
        method: &Method,
        notification: &provost_mcp::Notification<'_>,
    ) -> Result<(), Refusal> {
        if notification.method == "notifications/cancelled" {
            let id = notification.params.as_ref().and_then(|params| params.get("requestId"));
            let id = id.and_then(|raw| {
                raw.as_i64().map(RequestId::Integer).or_else(|| raw.as_string().map(|text| RequestId::String(text.into_owned())))
            });
            if let Some(id) = id {
                session.cancel(&id);
            }
            return Ok(());
        }
        let (Treatment::Pass, Some(system)) = (method.treatment, &inbound.system) else { return Ok(()) };
        let upstream = self.connections.open(system, &inbound.caller, &session.profile()).await?;
        if upstream.handshake().era() == Era::Legacy && method.form == Form::Notification {
            let sent = upstream.notify(Bytes::copy_from_slice(notification.raw.as_str().as_bytes())).await;
            sent.map_err(|error| Refusal::Upstream(error.to_string()))?;
        }
        Ok(())
    }
}

/// What a request became.
pub(super) enum Opened {
    /// It is answered.
    Answered(Response<Body>),
    /// It is under way.
    Running(Box<Exchange>),
}

/// What is known of a message when it is refused.
struct Told {
    id: Option<RequestId>,
    method: String,
    revision: Revision,
}

struct EndOnDrop(Arc<Session>, RequestId);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(&self.1);
    }
}

/// Keeps the stream of a request that is over, however it ended.
struct KeepOnDrop {
    front: Arc<Front>,
    session: Arc<Session>,
    track: Arc<Track>,
}

impl Drop for KeepOnDrop {
    fn drop(&mut self) {
        self.front.finished.keep(&self.session.id, &self.session.tracks, &self.track);
    }
}

async fn on_post(State(front): State<Arc<Front>>, system: Option<Path<String>>, headers: HeaderMap, body: Body) -> Response<Body> {
    front.post(system.map(|Path(name)| name), headers, body).await
}

async fn on_get(State(front): State<Arc<Front>>, system: Option<Path<String>>, headers: HeaderMap) -> Response<Body> {
    let system = system.map(|Path(name)| name);
    let told = Told { id: None, method: String::new(), revision: guessed_revision(&headers) };
    match front.open_events(system.as_deref(), &headers).await {
        Ok(response) => response,
        Err(refusal) => front.refuse(&refusal, &told, system.as_deref()),
    }
}

async fn on_delete(State(front): State<Arc<Front>>, system: Option<Path<String>>, headers: HeaderMap) -> Response<Body> {
    let system = system.map(|Path(name)| name);
    let told = Told { id: None, method: String::new(), revision: guessed_revision(&headers) };
    match front.inbound(system.as_deref(), &headers).and_then(|inbound| front.session(&inbound)) {
        Ok(session) => {
            front.sessions.remove(&session.id);
            answer::empty(StatusCode::NO_CONTENT)
        }
        Err(refusal) => front.refuse(&refusal, &told, system.as_deref()),
    }
}

impl Front {
    /// The sender of a GET or DELETE.
    pub(super) fn inbound<'h>(&self, system: Option<&str>, headers: &'h HeaderMap) -> Result<Inbound<'h>, Refusal> {
        self.hosts.check(headers)?;
        if guessed_revision(headers).era() == Era::Modern {
            let gone = RpcError::invalid_request("this revision has POST only; listen with `subscriptions/listen`");
            return Err(gone.with_status(405).into());
        }
        let (view, caller) = self.pipeline.admit(headers, system)?;
        let system = system.map(|name| reachable(&view, &caller, name)).transpose()?;
        Ok(Inbound { view, caller, system, headers, body: Bytes::new(), revision: guessed_revision(headers) })
    }

    /// The session of a GET.
    pub(super) fn session_of(&self, inbound: &Inbound<'_>) -> Result<Arc<Session>, Refusal> {
        self.session(inbound)
    }
}

/// The system of this name, if the caller's charter reaches it: what it does not reach, it is not told about.
pub(crate) fn reachable(view: &View, caller: &Caller, name: &str) -> Result<Arc<System>, Refusal> {
    let system = view.directory.systems.get(name).filter(|system| caller.agent.charter.systems().contains(&system.name));
    system.cloned().ok_or_else(|| Refusal::UnknownSystem(name.chars().take(64).collect()))
}

/// Requests of a legacy client that a modern system does not have: answered from the session.
fn kept_here(session: &Arc<Session>, request: &Request<'_>) -> Result<Option<Response<Body>>, Refusal> {
    let mut subscribed = super::session::lock(&session.subscribed);
    match to_modern::plan(request)? {
        to_modern::LegacyRequest::Forward => return Ok(None),
        to_modern::LegacyRequest::Empty => {}
        to_modern::LegacyRequest::SetLogLevel(level) => session.set_log_level(level),
        to_modern::LegacyRequest::Subscribe(uri) => {
            subscribed.insert(uri);
            session.resubscribe.notify_one();
        }
        to_modern::LegacyRequest::Unsubscribe(uri) => {
            subscribed.remove(&uri);
            session.resubscribe.notify_one();
        }
    }
    Ok(Some(answer::json(200, write_result(&request.id, &Value::Object(Map::new())))))
}

fn initialize_result(upstream: &Upstream, revision: Revision, limits: &Limits) -> Value {
    let raw = upstream.handshake().result.as_ref().and_then(|raw| provost_mcp::strict::check(raw, limits).ok());
    let object = raw.and_then(|raw| raw.as_object());
    let Some(result) = object else { return super::aggregate::bare_initialize_result(revision) };
    match upstream.handshake().era() {
        Era::Modern => to_modern::initialize_result(revision, &result),
        Era::Legacy => {
            let capabilities = result.object("capabilities").map(|c| provost_mcp::translate::mediated_server_capabilities(&c));
            let mut value = result.raw().to_value().unwrap_or_default();
            if let Value::Object(members) = &mut value {
                members.insert("protocolVersion".to_owned(), Value::from(revision.as_str()));
                members.insert("capabilities".to_owned(), capabilities.unwrap_or_default());
            }
            value
        }
    }
}

fn discover_result(upstream: &Upstream, limits: &Limits) -> Value {
    let raw = upstream.handshake().result.as_ref().and_then(|raw| provost_mcp::strict::check(raw, limits).ok());
    let Some(result) = raw.and_then(|raw| raw.as_object()) else { return super::aggregate::discover_result() };
    let capabilities = result.object("capabilities");
    match upstream.handshake().era() {
        Era::Legacy => {
            let part = |key: &str| result.object(key).and_then(|o| o.raw().to_value().ok()).unwrap_or_default();
            let initialized = provost_mcp::handshake::Initialized {
                revision: upstream.handshake().revision,
                capabilities: part("capabilities"),
                server_info: part("serverInfo"),
                instructions: result.string("instructions").map(|text| text.into_owned()),
            };
            match capabilities {
                Some(capabilities) => to_legacy::discover_result(&initialized, &capabilities),
                None => super::aggregate::discover_result(),
            }
        }
        Era::Modern => {
            let mut value = result.raw().to_value().unwrap_or_default();
            if let Value::Object(members) = &mut value {
                let versions: Vec<&str> = Revision::NEWEST_FIRST.iter().map(|revision| revision.as_str()).collect();
                members.insert("supportedVersions".to_owned(), Value::from(versions));
                let mediated = capabilities.map(|c| provost_mcp::translate::mediated_server_capabilities(&c));
                members.insert("capabilities".to_owned(), mediated.unwrap_or_default());
                members.insert("ttlMs".to_owned(), Value::from(0));
                members.insert("cacheScope".to_owned(), Value::from("private"));
            }
            value
        }
    }
}

/// Drives a legacy client's exchange to its end, whether or not the client still listens.
async fn pump(mut exchange: Box<Exchange>, track: &Track, cancelled: Arc<tokio::sync::Notify>) {
    loop {
        let step = tokio::select! {
            biased;
            () = cancelled.notified() => return exchange.cancel().await,
            step = exchange.step() => step,
        };
        match step {
            Step::Along(message) => track.push(message).await,
            Step::Last(status, message) => return track.finish(status, message),
            Step::Park(message) => return track.finish(200, message),
        }
    }
}

/// Whether the session's revision has streams that can be taken up again from an event without a message.
fn resumes(session: &Session) -> bool {
    session.client().revision >= Revision::V2025_11_25
}

async fn next_of(front: Arc<Front>, exchange: Option<Box<Exchange>>) -> Option<(String, Option<Box<Exchange>>)> {
    let mut exchange = exchange?;
    match exchange.step().await {
        Step::Along(message) => Some((message, Some(exchange))),
        Step::Last(_status, message) => Some((message, None)),
        Step::Park(message) => {
            front.park(exchange, &message);
            Some((message, None))
        }
    }
}

/// That header and body name the same revision comes before the question whether it is served.
fn agrees(message: &Message<'_>, header: Option<&str>) -> Result<(), RpcError> {
    let meta = message.params().and_then(|params| params.object("_meta"));
    let named = meta.and_then(|meta| meta.string(provost_mcp::era::META_PROTOCOL_VERSION));
    match (named, header) {
        (Some(named), Some(header)) if named != header => {
            Err(RpcError::header_mismatch("`MCP-Protocol-Version` and the request's `_meta` name different revisions"))
        }
        (_named, _header) => Ok(()),
    }
}

fn guessed_revision(headers: &HeaderMap) -> Revision {
    answer::header_text(headers, "mcp-protocol-version").and_then(Revision::parse).unwrap_or(Revision::V2025_06_18)
}

