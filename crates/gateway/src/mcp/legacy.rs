//! Clients with sessions (2025-06-18 and 2025-11-25).

use super::{
    answer,
    exchange::{Client, Exchange, Step, rewrite},
    front::{Front, Inbound},
    open::Opened,
    replay::Track,
    session::{Reply, Session},
};
use crate::refusal::Refusal;
use axum::{body::Body, http::Response};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use provost_connect::{ClientProfile, Upstream};
use provost_mcp::{
    Era, Limits, Message, Patch, Request, RequestId, Response as Answered, Revision, RpcError,
    message::write_result,
    methods::{Form, Method, Treatment, of_client},
    translate::to_modern,
};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};

impl Front {
    pub(super) fn session(&self, inbound: &Inbound<'_>) -> Result<Arc<Session>, Refusal> {
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

    pub(super) async fn initialize(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
        revision: Revision,
    ) -> Result<Response<Body>, Refusal> {
        let params =
            request.params.as_ref().ok_or_else(|| RpcError::invalid_request("`initialize` needs params"))?;
        let client = to_modern::LegacyClient::read(params, revision);
        let profile = ClientProfile {
            capabilities: client.capabilities.clone(),
            client_info: client.client_info.clone(),
        };
        let result = match &inbound.system {
            Some(system) => {
                let upstream = self.connections.open(system, &inbound.caller, &profile).await?;
                initialize_result(&upstream, revision, self.upstream_limits())
            }
            None => super::aggregate::initialize_result(revision),
        };
        let id = format!("{:032x}", rand::random::<u128>());
        let system = inbound.system.as_ref().map(|system| system.name.to_string());
        self.sessions.put(Session::new(id.clone(), inbound.caller.task.id, system, client));
        Ok(answer::with_session(answer::json(200, write_result(&request.id, &result)), &id))
    }

    pub(super) async fn legacy(
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
            Refusal::Protocol(RpcError::invalid_request(
                "a request with this id is under way; use another id",
            ))
        })?;
        let ended = EndOnDrop(Arc::clone(&session), request.id.clone());
        let client = Client::Legacy(Arc::clone(&session));
        let mut exchange = match self.open_exchange(inbound, request, method.treatment, client).await? {
            Opened::Answered(response) => return Ok(response),
            Opened::Running(exchange) => exchange,
        };
        let track = session.tracks.open();
        exchange.track = Some(Arc::clone(&track));
        let kept =
            KeepOnDrop { front: Arc::clone(self), session: Arc::clone(&session), track: Arc::clone(&track) };
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
            return answer::events(
                stream::once(async { priming }).chain(track.read(0, self.quiet_max(session))),
            );
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

    /// A legacy client's answer to a question.
    async fn hear(&self, session: &Arc<Session>, answered: &Answered<'_>) -> Result<Response<Body>, Refusal> {
        let reply = answered.id.as_ref().and_then(|id| session.answered(id));
        match reply {
            Some(Reply::System(upstream, id)) => {
                let response = Patch::new().id(&id).apply(answered.raw).map_err(rewrite)?;
                upstream
                    .respond(response.into())
                    .await
                    .map_err(|error| Refusal::Upstream(error.to_string()))?;
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
                raw.as_i64()
                    .map(RequestId::Integer)
                    .or_else(|| raw.as_string().map(|text| RequestId::String(text.into_owned())))
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

/// Requests of a legacy client that a modern system does not have: answered from the session.
pub(super) fn kept_here(
    session: &Arc<Session>,
    request: &Request<'_>,
) -> Result<Option<Response<Body>>, Refusal> {
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
    let raw =
        upstream.handshake().result.as_ref().and_then(|raw| provost_mcp::strict::check(raw, limits).ok());
    let object = raw.and_then(|raw| raw.as_object());
    let Some(result) = object else { return super::aggregate::bare_initialize_result(revision) };
    match upstream.handshake().era() {
        Era::Modern => to_modern::initialize_result(revision, &result),
        Era::Legacy => {
            let capabilities = result
                .object("capabilities")
                .map(|c| provost_mcp::translate::mediated_server_capabilities(&c));
            let mut value = result.raw().to_value().unwrap_or_default();
            if let Value::Object(members) = &mut value {
                members.insert("protocolVersion".to_owned(), Value::from(revision.as_str()));
                members.insert("capabilities".to_owned(), capabilities.unwrap_or_default());
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
