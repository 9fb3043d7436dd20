//! One request over HTTP, from its POST to its response.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use provost_mcp::Era;
use provost_mcp::message::Message;
use provost_mcp::sse::Event;
use reqwest::Response;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::REFUSAL_BYTES_MAX;
use super::read::{Content, EventStream, Next, message_of, read_body, read_up_to};
use super::{FAREWELL_MAX, HttpLink, LAST_EVENT_ID};
use crate::call::{Belongs, Call, Ending, Pen, Silence, cancellation, drive, pong, sort};
use crate::error::{Lie, UpstreamError};

/// Drives one call to its end and tells the system if nobody waits for it any more.
pub(crate) async fn run(link: Arc<HttpLink>, call: Call, headers: HeaderMap, mut pen: Pen) {
    let ending = drive(&mut pen, &call, async |pen| link.converse(&call, headers, pen).await).await;
    link.shared().forget_asked(&call.id);
    match ending {
        Ending::Cancelled => link.cancel(&call, "the client went away").await,
        Ending::Answered(last) => {
            let open = last.as_ref().is_err_and(UpstreamError::may_have_acted);
            pen.finish(last).await;
            if open {
                link.cancel(&call, "the answer is no longer waited for").await;
            }
        }
    }
}

impl HttpLink {
    async fn converse(&self, call: &Call, headers: HeaderMap, pen: &mut Pen) -> Result<Bytes, UpstreamError> {
        let shared = self.shared();
        let mut silence = Silence::new(shared, call);
        let response = self.post_call(call, headers, &mut silence).await?;
        if !response.status().is_success() {
            return silence.within(self.refusal(call, response)).await?;
        }
        match Content::of(&response) {
            Content::Json => {
                let body = silence.within(read_body(shared, response)).await??;
                match sort(shared, call, body, false)? {
                    Belongs::Response(response) => Ok(response),
                    Belongs::Along(_) | Belongs::Ping(_) => {
                        Err(shared.lied(Lie::OutOfPlace("it answered a request with a notification")))
                    }
                }
            }
            Content::Events => {
                pen.ready();
                self.follow(call, response, pen, silence).await
            }
            Content::Other(kind) if kind.is_empty() => {
                Err(shared.lied(Lie::OutOfPlace("it answered a request without a body")))
            }
            Content::Other(kind) => {
                Err(shared.lied(Lie::ContentType(shared.excerpt(kind, QUOTED_BYTES_MAX))))
            }
        }
    }

    /// Posts the call; once more if the server no longer knows the session, for then it has not looked at the request.
    async fn post_call(
        &self,
        call: &Call,
        headers: HeaderMap,
        silence: &mut Silence<'_>,
    ) -> Result<Response, UpstreamError> {
        let mut renewed = false;
        loop {
            let session = self.session();
            let mut headers = headers.clone();
            self.put_session(&mut headers, &session);
            let response = silence.within(self.endpoint.post(call.bytes.clone(), headers)).await??;
            let forgotten = response.status() == StatusCode::NOT_FOUND && session.id.is_some();
            if !forgotten || renewed {
                return Ok(response);
            }
            renewed = true;
            silence.within(self.renew(session.generation)).await?.map_err(UpstreamError::while_opening)?;
        }
    }

    /// A status other than success is an answer only if a JSON-RPC response to this call comes with it.
    async fn refusal(&self, call: &Call, response: Response) -> Result<Bytes, UpstreamError> {
        let status = response.status();
        if !matches!(Content::of(&response), Content::Json)
            || matches!(status.as_u16(), 300..=399 | 401 | 403)
        {
            return Err(self.endpoint.refused(response).await);
        }
        let body = read_up_to(response, REFUSAL_BYTES_MAX).await;
        match Message::parse(&body, &self.shared().bounds.message) {
            Ok(Message::Response(answer)) if answer.id.as_ref() == Some(&call.id) => Ok(body),
            _ => Err(self.endpoint.refused_with(status.as_u16(), &body)),
        }
    }

    /// Reads the stream of a call to the response, resuming it where the server made that possible.
    async fn follow(
        &self,
        call: &Call,
        response: Response,
        pen: &mut Pen,
        mut silence: Silence<'_>,
    ) -> Result<Bytes, UpstreamError> {
        let shared = self.shared();
        let legacy = self.revision.era() == Era::Legacy;
        let mut stream = EventStream::new(&self.endpoint.shared, response);
        let mut resume = Resume::default();
        loop {
            let event = match silence.within(stream.next()).await?? {
                Next::Event(event) => event,
                Next::Ended(why) => {
                    stream = silence.within(self.resume(&mut resume, why)).await??;
                    continue;
                }
            };
            resume.note(&event);
            let Some(message) = message_of(event) else { continue };
            match sort(shared, call, message, legacy)? {
                Belongs::Response(response) => {
                    stream.leave();
                    return Ok(response);
                }
                Belongs::Along(message) => {
                    pen.along(message).await;
                    silence.broken();
                }
                Belongs::Ping(id) => silence.within(self.answer_aside(pong(&id))).await?,
            }
        }
    }

    /// Takes the stream up again behind the last event (2025-11-25, Resumability and Redelivery).
    async fn resume(&self, resume: &mut Resume, why: String) -> Result<EventStream, UpstreamError> {
        let last_id = resume.last_id.clone().filter(|_| self.revision.era() == Era::Legacy);
        let Some(last_id) = last_id else {
            return Err(self.shared().lied(Lie::EndedEarly(self.shared().masked_text(why))));
        };
        for _ in 0..RESUMES_MAX {
            tokio::time::sleep(resume.pause).await;
            match self.get_stream(Some(&last_id)).await {
                Ok(response) if is_stream(&response) => {
                    return Ok(EventStream::new(&self.endpoint.shared, response));
                }
                Ok(response) if response.status().is_client_error() => break,
                Ok(_) | Err(_) => resume.pause = (resume.pause * 2).min(PAUSE_MAX),
            }
        }
        Err(self.shared().lost(format!("the stream broke ({why}) and could not be resumed")))
    }

    /// Asks for the server's own stream, or for the rest of a broken one.
    pub(super) async fn get_stream(&self, last_id: Option<&HeaderValue>) -> Result<Response, UpstreamError> {
        let mut headers = HeaderMap::new();
        self.put_version(&mut headers);
        self.put_session(&mut headers, &self.session());
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last_id) = last_id {
            headers.insert(LAST_EVENT_ID, last_id.clone());
        }
        self.endpoint.send(Method::GET, headers, None).await
    }

    /// Answers a request of the server's in the client's stead.
    pub(super) async fn answer_aside(&self, answer: Bytes) {
        if let Err(error) = self.post_one_way(answer).await {
            tracing::debug!(system = %self.shared().system, %error, "a request of the system's could not be answered");
        }
    }

    /// Legacy servers must be told; for modern ones the closed stream says it.
    async fn cancel(&self, call: &Call, why: &str) {
        if self.revision.era() == Era::Modern {
            return;
        }
        let telling = self.post_one_way(cancellation(call, why));
        if !matches!(tokio::time::timeout(FAREWELL_MAX, telling).await, Ok(Ok(()))) {
            tracing::debug!(system = %self.shared().system, id = %call.id, "the system could not be told of a cancellation");
        }
    }
}

/// Where a broken stream can be taken up again.
#[derive(Debug)]
pub(super) struct Resume {
    pub(super) last_id: Option<HeaderValue>,
    pub(super) pause: Duration,
}

impl Default for Resume {
    fn default() -> Self {
        Self { last_id: None, pause: PAUSE }
    }
}

impl Resume {
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(id) = &event.id {
            // An empty id resets it (WHATWG HTML 9.2.6); one that no header can carry cannot be resumed from.
            self.last_id = HeaderValue::from_str(id).ok().filter(|id| !id.is_empty());
        }
        if let Some(retry_ms) = event.retry_ms {
            self.pause = Duration::from_millis(retry_ms).clamp(PAUSE_MIN, PAUSE_MAX);
        }
    }
}

pub(super) fn is_stream(response: &Response) -> bool {
    response.status() == StatusCode::OK && matches!(Content::of(response), Content::Events)
}

/// Bytes of a header that are quoted.
const QUOTED_BYTES_MAX: usize = 64;
/// Attempts to take up one broken stream again.
const RESUMES_MAX: u32 = 3;
/// Before a stream is taken up again, where the server does not say.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(30);
