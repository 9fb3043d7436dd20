//! Messages out.

use crate::{held, refusal::Refusal};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use futures::{Stream, StreamExt as _};
use provost_mcp::{Era, RequestId, Revision, RpcError, refusal as told, sse::Event};
use std::{convert::Infallible, time::Duration};

/// A JSON answer.
pub fn json(status: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `202 Accepted`, empty: what a notification or a response gets.
pub fn accepted() -> Response<Body> {
    empty(StatusCode::ACCEPTED)
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An event stream, each message as it comes, nothing held back. A comment now and then keeps idle connections open.
pub fn stream(messages: impl Stream<Item = String> + Send + 'static) -> Response<Body> {
    events(messages.map(|message| Event::message(message).write()))
}

/// The same, for events that are written out already.
pub fn events(events: impl Stream<Item = String> + Send + 'static) -> Response<Body> {
    let ticks = tokio_stream::wrappers::IntervalStream::new(tokio::time::interval_at(
        tokio::time::Instant::now() + KEEP_ALIVE,
        KEEP_ALIVE,
    ));
    let comments = ticks.map(|_tick| ":\n\n".to_owned());
    let body = UntilFirstEnds { first: Box::pin(events), second: Box::pin(comments) };
    let mut response = Response::new(Body::from_stream(body.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Adds the session id.
pub fn with_session(mut response: Response<Body>, id: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(HeaderName::from_static("mcp-session-id"), value);
    }
    response
}

/// What a refusal says to an MCP client: a tool result for a verdict on a tool call, an error otherwise.
pub fn refused(
    refusal: &Refusal,
    id: Option<&RequestId>,
    method: &str,
    revision: Revision,
    metadata_url: &str,
) -> Response<Body> {
    let (status, body) = body_of(refusal, id, method, revision);
    let mut response = json(status, body);
    if status == 401
        && let Some(value) = refusal.challenge(metadata_url)
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The same, as the message alone: what a stream that has begun ends with.
pub fn body_of(refusal: &Refusal, id: Option<&RequestId>, method: &str, revision: Revision) -> (u16, String) {
    if let (Some(told), Some(id)) = (verdict_of(refusal), id) {
        return told.answer(id, method, revision);
    }
    let error = error_of(refusal, revision.era());
    (error.http_status, error.write(id))
}

/// How a verdict that is no allow is told; `None` for every other refusal.
pub(crate) fn verdict_of(refusal: &Refusal) -> Option<told::Refusal<'_>> {
    match refusal {
        Refusal::Verdict(decision) => told::Refusal::of(decision.id, &decision.verdict, None),
        Refusal::Held(held) => {
            let told = told::Refusal::of(held.decision.id, &held.decision.verdict, Some(&held.approval.id))?;
            Some(told.standing(held.note(), serde_json::Value::Object(held::members(held))))
        }
        _ => None,
    }
}

fn error_of(refusal: &Refusal, era: Era) -> RpcError {
    let text = refusal.to_string();
    match refusal {
        Refusal::Protocol(error) => error.clone(),
        Refusal::Upstream(_) => RpcError::upstream(era, text),
        other => {
            let error = RpcError::internal(era, text).with_status(other.http_status());
            error.with_data(serde_json::json!({"dev.provost/code": other.code()}))
        }
    }
}

/// One header as text, if it is there once and readable.
pub fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Two streams as one, until the first ends.
struct UntilFirstEnds {
    first: std::pin::Pin<Box<dyn Stream<Item = String> + Send>>,
    second: std::pin::Pin<Box<dyn Stream<Item = String> + Send>>,
}

impl Stream for UntilFirstEnds {
    type Item = String;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<String>> {
        match self.first.as_mut().poll_next(context) {
            std::task::Poll::Pending => self.second.as_mut().poll_next(context),
            ready => ready,
        }
    }
}

const KEEP_ALIVE: Duration = Duration::from_secs(15);
