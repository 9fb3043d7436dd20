//! One request of a client, from its permit to its last message, whatever the eras on the two sides. The system's
//! messages come in one by one; each becomes at most one step towards the client.

use super::{
    answer,
    ask::{Waiting, pass_on},
    front::Front,
    hold::{HeldOpen, goes_on},
    list::Listing,
    replay::Track,
    session::Session,
};
use crate::{
    act::{Incoming, Place, Running, Watch, ask},
    refusal::Refusal,
};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderName, HeaderValue};
use provost_connect::Upstream;
use provost_mcp::{
    Era, Limits, Message, Notification, Patch, Request, RequestId, Response, Revision, RpcError,
    era::{META_SUBSCRIPTION_ID, ModernMeta, modern_meta},
    message::{Outcome, write_raw_result},
    translate::{to_legacy, to_modern},
};
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc};

/// Who asked.
#[derive(Clone)]
pub enum Client {
    /// A client whose requests stand alone.
    Modern,
    /// A client with a session.
    Legacy(Arc<Session>),
}

/// One request under way.
pub struct Exchange {
    pub(super) front: Arc<Front>,
    pub(super) client: Client,
    /// The request as the client sent it (its tool name without the system in front).
    pub(super) body: Bytes,
    /// The client's id for it.
    pub(super) id: RequestId,
    pub(super) method: String,
    pub(super) upstream: Arc<Upstream>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) source: Source,
    /// Set for a list that is shown in part.
    pub(super) listing: Option<Listing>,
    /// Messages for the client that are ready.
    pub(super) ready: VecDeque<String>,
    /// Questions the client has to answer before this goes on.
    pub(super) waiting: Waiting,
    /// What a client with a session reads.
    pub(super) track: Option<Arc<Track>>,
    /// How far the plane itself has reported progress.
    pub(super) progressed: Option<f64>,
}

/// Where the messages come from.
pub enum Source {
    /// A permitted call.
    Call(Box<Running>),
    /// A call that waits for people, its client listening.
    Held(Box<HeldOpen>),
    /// A message that neither reads nor changes anything governed.
    Relay(Incoming, Watch, Place),
    /// Nothing more will come.
    Ended,
}

/// One step towards the client.
pub enum Step {
    /// A message before the last.
    Along(String),
    /// The last message, with the HTTP status it has when it is the only one.
    Last(u16, String),
    /// The last message of this request, while the call waits for the client to come back with answers.
    Park(String),
}

impl Exchange {
    /// The next step. After [`Step::Last`] there is none.
    pub async fn step(&mut self) -> Step {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Step::Along(message);
            }
            if matches!(self.source, Source::Held(_)) {
                match self.hear_people().await {
                    Some(step) => return step,
                    None => continue,
                }
            }
            if let Waiting::ForClient(_) = self.waiting
                && let Err(refusal) = self.hear_answers().await
            {
                return self.refused(&refusal);
            }
            let message = match self.source.next().await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    return self.refused(&Refusal::Upstream("the system ended its answer early".to_owned()));
                }
                Err(refusal) => return self.refused(&refusal),
            };
            if let Some(step) = self.on_message(&message).await {
                return step;
            }
        }
    }

    async fn on_message(&mut self, bytes: &Bytes) -> Option<Step> {
        let limits = self.front.upstream_limits().clone();
        match Message::parse(bytes, &limits) {
            Ok(Message::Notification(notification)) => self.notification(&notification).map(Step::Along),
            Ok(Message::Request(question)) => self.question(&question).await,
            Ok(Message::Response(response)) => match self.response(&response, &limits).await {
                Ok(step) => step,
                Err(refusal) => Some(self.refused(&refusal)),
            },
            Err(error) => Some(
                self.refused(&Refusal::Upstream(format!("the system's message cannot be read: {error}"))),
            ),
        }
    }

    /// A notification in the client's era, under the client's names.
    fn notification(&self, notification: &Notification<'_>) -> Option<String> {
        if notification.method == "notifications/tools/list_changed" {
            self.front.connections.forget(self.upstream.system());
        }
        if notification.method == "notifications/progress" {
            let progress = notification.params.as_ref().and_then(|params| params.get("progress"));
            let progress = progress.and_then(|raw| raw.to_value().ok()).and_then(|value| value.as_f64());
            if !goes_on(self.progressed, progress) {
                return None;
            }
        }
        let text = match (self.upstream.handshake().era(), self.revision().era()) {
            (Era::Legacy, Era::Modern) => to_legacy::notification(notification, self.log_level().as_deref())?,
            (Era::Modern, Era::Legacy) => to_modern::notification(notification)?,
            (Era::Legacy, Era::Legacy) | (Era::Modern, Era::Modern) => notification.raw.as_str().to_owned(),
        };
        let meta = notification.params.as_ref().and_then(|params| params.object("_meta"));
        let mut patch = Patch::new();
        if notification.method == "notifications/progress"
            && let Some(token) = self.progress_token()
        {
            patch = patch.set(&["params", "progressToken"], &id_value(&token));
        }
        if self.revision().era() == Era::Modern
            && meta.is_some_and(|meta| meta.get(META_SUBSCRIPTION_ID).is_some())
        {
            patch = patch.meta(META_SUBSCRIPTION_ID, &id_value(&self.id));
        }
        if patch.is_empty() {
            return Some(text);
        }
        patch.apply(provost_mcp::strict::check(text.as_bytes(), self.front.upstream_limits()).ok()?).ok()
    }

    /// A question of a legacy system's own.
    async fn question(&mut self, question: &Request<'_>) -> Option<Step> {
        if question.method == "ping" {
            self.answer_ping(question).await;
            return None;
        }
        match self.client.clone() {
            Client::Legacy(session) => pass_on(&session, &self.upstream, question).await.map(Step::Along),
            Client::Modern => self.park_for(question).await,
        }
    }

    async fn answer_ping(&self, question: &Request<'_>) {
        let pong = provost_mcp::message::write_result(&question.id, &Value::Object(serde_json::Map::new()));
        if let Err(error) = self.upstream.respond(pong.into()).await {
            tracing::debug!(%error, "a ping could not be answered");
        }
    }

    async fn response(&mut self, response: &Response<'_>, limits: &Limits) -> Result<Option<Step>, Refusal> {
        let translated = match (self.upstream.handshake().era(), self.revision().era()) {
            (Era::Legacy, Era::Modern) => self.modernise(response, limits)?,
            (Era::Modern, Era::Legacy) => self.legacise(response, limits)?,
            (Era::Legacy, Era::Legacy) | (Era::Modern, Era::Modern) => {
                Translated::Done(self.same_era(response)?)
            }
        };
        match translated {
            Translated::Done((status, body)) => {
                if let Source::Call(running) = std::mem::replace(&mut self.source, Source::Ended) {
                    running.finish(response).await?; // on record before the client sees it
                }
                Ok(Some(Step::Last(status, body)))
            }
            Translated::Ask(input) => {
                self.ask_client(input).await?;
                Ok(None)
            }
            Translated::Park(asked) => Ok(Some(self.park(&asked))),
        }
    }

    fn same_era(&self, response: &Response<'_>) -> Result<(u16, String), Refusal> {
        match &response.outcome {
            Outcome::Result(result) => {
                let result = self.shown(result.raw().as_str())?;
                match result {
                    Some(shown) => Ok((200, self.with_id(&shown))),
                    None => Ok((200, Patch::new().id(&self.id).apply(response.raw).map_err(rewrite)?)),
                }
            }
            Outcome::Error(error) => {
                let status = provost_mcp::error::http_status(error.code, self.revision().era());
                Ok((status, Patch::new().id(&self.id).apply(response.raw).map_err(rewrite)?))
            }
        }
    }

    fn modernise(&self, response: &Response<'_>, limits: &Limits) -> Result<Translated, Refusal> {
        match &response.outcome {
            Outcome::Result(result) => {
                let text = to_legacy::result(&self.method, result).map_err(rewrite)?;
                let shown = self.shown(&text)?.unwrap_or(text);
                Ok(Translated::Done((200, self.with_id(&shown))))
            }
            Outcome::Error(error) => {
                let message = self.request(limits)?;
                let meta = read_meta(&message)?;
                Ok(match to_legacy::error(error, &meta, limits) {
                    to_legacy::LegacyError::Error(error) => {
                        Translated::Done((error.http_status, error.write(Some(&self.id))))
                    }
                    to_legacy::LegacyError::Asks(asked) => Translated::Park(asked),
                })
            }
        }
    }

    fn legacise(&self, response: &Response<'_>, limits: &Limits) -> Result<Translated, Refusal> {
        let Client::Legacy(session) = &self.client else {
            return Err(Refusal::internal("a session is missing"));
        };
        match &response.outcome {
            Outcome::Result(result) => {
                match to_modern::result(&self.method, result, &session.client(), limits)? {
                    to_modern::ModernOutcome::Complete(text) => {
                        let shown = self.shown(&text)?.unwrap_or(text);
                        Ok(Translated::Done((200, self.with_id(&shown))))
                    }
                    to_modern::ModernOutcome::InputRequired(input) => Ok(Translated::Ask(input)),
                }
            }
            Outcome::Error(error) => {
                let error = to_modern::error(&self.method, error);
                Ok(Translated::Done((error.http_status, error.write(Some(&self.id)))))
            }
        }
    }

    /// The result with only what the caller may see; `None` when it is not a list.
    fn shown(&self, result: &str) -> Result<Option<String>, Refusal> {
        let Some(listing) = &self.listing else { return Ok(None) };
        listing.show(result, self.revision(), &self.front).map(Some)
    }

    fn with_id(&self, result: &str) -> String {
        write_raw_result(&self.id, provost_mcp::Raw::trusted(result))
    }

    pub(super) fn refused(&mut self, refusal: &Refusal) -> Step {
        self.source = Source::Ended;
        let (status, body) = answer::body_of(refusal, Some(&self.id), &self.method, self.revision());
        Step::Last(status, body)
    }

    /// Watches for stops of this call, while it is under way, and names its task.
    pub(super) fn watch(&self) -> Option<(Watch, provost_domain::TaskId)> {
        let Source::Call(running) = &self.source else { return None };
        let (caller, tool) = (&running.attempt().caller, running.attempt().tool.clone());
        Some((Watch::new(&self.front.pipeline, caller, self.upstream.system(), tool), caller.task.id))
    }

    /// Ends it from this side.
    pub(super) async fn cut(&mut self, why: String) {
        if let Source::Call(mut running) = std::mem::replace(&mut self.source, Source::Ended) {
            drop(running.cut(why).await);
        }
    }

    /// The client no longer wants it.
    pub(super) async fn cancel(&mut self) {
        // A call that waits for people is let go of, and was not made.
        if let Source::Call(running) = std::mem::replace(&mut self.source, Source::Ended) {
            running.cancel().await;
        }
    }

    /// Sends the next round of this call to the system.
    pub(super) fn send(&mut self, request: String) -> Result<(), Refusal> {
        let (upstream, headers) = (Arc::clone(&self.upstream), self.headers.clone());
        match &mut self.source {
            Source::Call(running) => running.send(upstream, request.into(), headers),
            Source::Relay(incoming, ..) => *incoming = ask(upstream, request.into(), headers),
            Source::Held(_) | Source::Ended => return Err(Refusal::internal("the call has ended")),
        }
        Ok(())
    }

    pub(super) fn revision(&self) -> Revision {
        match &self.client {
            Client::Modern => Revision::NEWEST_MODERN,
            Client::Legacy(session) => session.client().revision,
        }
    }

    fn log_level(&self) -> Option<String> {
        let message = self.request(self.front.limits()).ok()?;
        read_meta(&message).ok()?.log_level
    }

    pub(super) fn progress_token(&self) -> Option<RequestId> {
        let message = self.request(self.front.limits()).ok()?;
        let token = message.meta()?.get("progressToken")?;
        token
            .as_i64()
            .map(RequestId::Integer)
            .or_else(|| token.as_string().map(|t| RequestId::String(t.into_owned())))
    }

    /// The client's request, read again: it was read strictly when it came in.
    pub(super) fn request(&self, limits: &Limits) -> Result<Request<'_>, Refusal> {
        match Message::parse(&self.body, limits) {
            Ok(Message::Request(request)) => Ok(request),
            _ => Err(Refusal::internal("a request that was read before cannot be read again")),
        }
    }
}

impl Source {
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        match self {
            Self::Call(running) => running.next().await,
            Self::Relay(incoming, watch, _place) => tokio::select! {
                biased;
                why = watch.stopped() => Err(Refusal::Cut(why)),
                reply = incoming.next() => reply.transpose().map_err(|error| Refusal::Upstream(error.to_string())),
            },
            Self::Held(_) | Self::Ended => Ok(None),
        }
    }
}

/// What a response means on the other side.
enum Translated {
    /// This is the answer.
    Done((u16, String)),
    /// The legacy client has to be asked first.
    Ask(to_modern::InputRequired),
    /// The modern client has to come back with answers.
    Park(Vec<provost_mcp::translate::Asked>),
}

/// The modern `_meta` of a request that was accepted as modern.
pub(super) fn read_meta<'a>(request: &Request<'a>) -> Result<ModernMeta<'a>, Refusal> {
    let meta = request.params.as_ref().and_then(|params| params.object("_meta"));
    let meta =
        meta.ok_or_else(|| Refusal::Protocol(RpcError::invalid_request("the request has no `_meta`")))?;
    Ok(modern_meta(&meta)?)
}

pub(super) fn rewrite(error: provost_mcp::rewrite::RewriteError) -> Refusal {
    Refusal::internal(format!("a message could not be rewritten: {error}"))
}

pub(super) fn id_value(id: &RequestId) -> Value {
    match id {
        RequestId::Integer(id) => Value::from(*id),
        RequestId::String(id) => Value::from(id.as_str()),
    }
}
