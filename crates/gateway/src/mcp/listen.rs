//! What a system says outside of calls: list changes, updated resources, log messages, questions. A legacy client
//! hears it on its GET stream, a modern one on a listen request.

use super::{
    answer, ask,
    exchange::Client,
    front::{Front, Inbound},
    open::Opened,
    session::{Session, lock},
};
use crate::{act::Watch, identify::Caller, refusal::Refusal, subject};
use axum::{
    body::Body,
    http::{HeaderMap, Response},
};
use futures::{Stream, StreamExt as _, stream};
use provost_connect::{Replies, Upstream};
use provost_domain::{Name, approval::ApprovalStatus};
use provost_mcp::{
    Era, Message, Request, RpcError,
    message::write_notification,
    methods::Treatment,
    translate::{Listening, to_legacy, to_modern},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};

impl Front {
    /// A legacy client's GET: messages that belong to no request of its own.
    pub(super) async fn open_events(
        self: &Arc<Self>,
        system: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Refusal> {
        let inbound = self.inbound("GET", system, headers)?;
        let session = self.session(&inbound)?;
        if let Some(event_id) = answer::header_text(headers, "last-event-id") {
            let found = self.finished.find(&session.id, &session.tracks, event_id);
            let (track, after) = found.ok_or_else(|| {
                RpcError::invalid_request("`Last-Event-ID` names no event of this session that is still kept; send the request again")
            })?;
            return Ok(answer::events(track.read(after, self.quiet_max(&session))));
        }
        let Some(system) = inbound.system.clone() else {
            let text = "nothing happens outside of calls at this address; listen at a system's own";
            return Err(RpcError::invalid_request(text).with_status(405).into());
        };
        let mut watch = self.watched(&inbound.caller, &system.name)?;
        let upstream = self.connections.open(&system, &inbound.caller, &session.profile()).await?;
        let (tx, rx) = mpsc::channel(EVENTS_WAITING_MAX);
        let answered = Answered { front: Arc::clone(self), session: Arc::clone(&session), tx: tx.clone() };
        let listener = Listener { front: Arc::clone(self), session, upstream, tx };
        let place = self.places.take(inbound.caller.task.id)?;
        tokio::spawn(async move {
            let _held_while_listening = place;
            tokio::select! {
                _why = watch.stopped() => {}
                () = listener.run() => {}
                () = answered.run() => {}
            }
        });
        Ok(answer::stream(tokio_stream::wrappers::ReceiverStream::new(rx)))
    }

    /// A modern client's `subscriptions/listen`. Each resource it wants to hear of is decided like a read of it.
    pub(super) async fn listen(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let Some(system) = inbound.system.clone() else {
            return Err(RpcError::method_not_found(&request.method, inbound.revision.era()).into());
        };
        let filter = request.params.as_ref().and_then(|params| params.object("notifications"));
        let wanted = filter.map(|filter| Listening::read(&filter)).unwrap_or_default();
        for uri in &wanted.uris {
            let reading = subject::reading("mcp", &inbound.view, &inbound.caller, &system, uri)?;
            let permit = self.pipeline.authorise(&reading).await?;
            // Hearing that a resource changed is not reading it: what was permitted is complete as it stands.
            self.pipeline.close_unsent(permit).await;
        }
        drop(self.watched(&inbound.caller, &system.name)?);
        let profile = self.profile(request, &Client::Modern);
        let upstream = self.connections.open(&system, &inbound.caller, &profile).await?;
        if upstream.handshake().era() == Era::Legacy {
            return self.listen_to_legacy(inbound, request, &upstream, wanted).await;
        }
        let opened = match without_tasks(&inbound.body) {
            None => self.open_exchange(inbound, request, Treatment::Pass, Client::Modern).await?,
            Some(body) => {
                let inbound = inbound.saying(body);
                let Ok(Message::Request(request)) = &Message::parse(&inbound.body, self.limits()) else {
                    return Err(Refusal::internal("a request is none any more"));
                };
                self.open_exchange(&inbound, request, Treatment::Pass, Client::Modern).await?
            }
        };
        match opened {
            Opened::Answered(response) => Ok(response),
            Opened::Running(exchange) => Ok(self.stream_modern(exchange).await),
        }
    }

    /// A watch over a stream that only listens, if it may begin at all.
    pub(super) fn watched(&self, caller: &Caller, system: &Name) -> Result<Watch, Refusal> {
        let watch = Watch::new(&self.pipeline, caller, system, None);
        watch.may_go_on().map_err(Refusal::Cut)?;
        Ok(watch)
    }

    async fn listen_to_legacy(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
        upstream: &Arc<Upstream>,
        wanted: Listening,
    ) -> Result<Response<Body>, Refusal> {
        let raw = upstream.handshake().result.as_ref();
        let raw = raw.and_then(|raw| provost_mcp::strict::check(raw, self.upstream_limits()).ok());
        let capabilities =
            raw.and_then(|raw| raw.as_object()).and_then(|object| object.object("capabilities"));
        let honoured = capabilities.map(|capabilities| wanted.honoured_by(&capabilities)).unwrap_or_default();
        let events = upstream.events();
        let ids = std::iter::repeat_with(|| upstream.fresh_id()).take(honoured.uris.len());
        for subscribe in to_legacy::subscribe(ids, &honoured) {
            let replies = upstream.request(subscribe.into(), Vec::new()).await;
            drain(replies.map_err(|error| Refusal::Upstream(error.to_string()))?).await;
        }
        let first = to_legacy::acknowledged(&request.id, &honoured);
        let place = self.places.take(inbound.caller.task.id)?;
        let (front, id, keep) = (Arc::clone(self), request.id.clone(), Arc::clone(upstream));
        let heard = messages(events).filter_map(move |message| {
            let _held_while_listening = (&place, &keep);
            let text = match Message::parse(&message, front.upstream_limits()) {
                Ok(Message::Notification(notification)) => {
                    if notification.method == "notifications/tools/list_changed" {
                        front.connections.forget(keep.system());
                    }
                    to_legacy::on_listen_stream(&notification, &id, &honoured)
                }
                _ => None,
            };
            async move { text }
        });
        let mut watch = self.watched(&inbound.caller, upstream.system())?;
        let stopped = async move { watch.stopped().await };
        Ok(answer::stream(stream::once(async { first }).chain(heard.take_until(Box::pin(stopped)))))
    }
}

/// Tells a client that what it was sent to a page for is answered (2025-11-25, `notifications/elicitation/complete`).
struct Answered {
    front: Arc<Front>,
    session: Arc<Session>,
    tx: mpsc::Sender<String>,
}

impl Answered {
    async fn run(self) {
        let mut moves = self.front.pipeline.replica.moves();
        loop {
            moves.borrow_and_update();
            let view = self.front.pipeline.replica.latest();
            let waits = |id: &str| {
                let row = view.directory.approvals.get(id);
                row.is_some_and(|row| row.status == ApprovalStatus::Waiting)
            };
            for approval in self.session.done_with(|id| !waits(id)) {
                let params = json!({"elicitationId": approval});
                let text = write_notification("notifications/elicitation/complete", &params);
                if self.tx.send(text).await.is_err() {
                    return;
                }
            }
            if moves.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Carries a system's messages to one legacy client.
struct Listener {
    front: Arc<Front>,
    session: Arc<Session>,
    upstream: Arc<Upstream>,
    tx: mpsc::Sender<String>,
}

impl Listener {
    async fn run(self) {
        match self.upstream.handshake().era() {
            Era::Legacy => self.hear_legacy().await,
            Era::Modern => self.hear_modern().await,
        }
    }

    async fn hear_legacy(self) {
        let mut events = Box::pin(messages(self.upstream.events()));
        loop {
            let message = tokio::select! {
                message = events.next() => message,
                () = self.tx.closed() => None,
            };
            let Some(message) = message else { return };
            let text = match Message::parse(&message, self.front.upstream_limits()) {
                Ok(Message::Notification(notification)) => {
                    if notification.method == "notifications/tools/list_changed" {
                        self.front.connections.forget(self.upstream.system());
                    }
                    Some(notification.raw.as_str().to_owned())
                }
                Ok(Message::Request(question)) => {
                    ask::pass_on(&self.session, &self.upstream, &question).await
                }
                Ok(Message::Response(_)) | Err(_) => None,
            };
            if let Some(text) = text
                && self.tx.send(text).await.is_err()
            {
                return;
            }
        }
    }

    /// A modern system is listened to with one request, made anew whenever the client's subscriptions change.
    async fn hear_modern(self) {
        while !self.tx.is_closed() {
            let uris = lock(&self.session.subscribed).iter().cloned().collect();
            let wanted = Listening { tools: true, prompts: true, resources: true, uris };
            let request = to_modern::listen(&self.upstream.fresh_id(), &wanted, &self.session.client());
            let Ok(mut replies) = self.upstream.request(request.into(), Vec::new()).await else { return };
            loop {
                tokio::select! {
                    message = replies.next() => match message {
                        Some(Ok(message)) => self.hand_on(&message).await,
                        Some(Err(_)) | None => return,
                    },
                    () = self.session.resubscribe.notified() => break,
                    () = self.tx.closed() => return,
                }
            }
        }
    }

    async fn hand_on(&self, message: &[u8]) {
        let Ok(Message::Notification(notification)) = Message::parse(message, self.front.upstream_limits())
        else {
            return;
        };
        if notification.method == "notifications/tools/list_changed" {
            self.front.connections.forget(self.upstream.system());
        }
        if let Some(text) = to_modern::notification(&notification) {
            drop(self.tx.send(text).await);
        }
    }
}

/// The request without `taskIds`, if it has any. They name tasks of the plane, which the system knows nothing of: it is not
/// asked about them, and so the acknowledgement, which tells the part of a filter that is honoured, leaves them out. Clients ask
/// after tasks with `tasks/get`.
fn without_tasks(body: &[u8]) -> Option<bytes::Bytes> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let filter = request.pointer_mut("/params/notifications")?.as_object_mut()?;
    filter.remove("taskIds")?;
    Some(request.to_string().into())
}

async fn drain(mut replies: Replies) {
    while let Some(Ok(_message)) = replies.next().await {}
}

/// A receiver as a stream; messages that were lost because nobody read them in time are skipped.
fn messages(receiver: broadcast::Receiver<bytes::Bytes>) -> impl Stream<Item = bytes::Bytes> + Send {
    tokio_stream::wrappers::BroadcastStream::new(receiver).filter_map(|message| async { message.ok() })
}

const EVENTS_WAITING_MAX: usize = 64;
