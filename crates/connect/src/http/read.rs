//! Reading bodies and event streams, in bounds.

use bytes::{Bytes, BytesMut};
use http::header;
use provost_mcp::sse::{Decoder, Event, Frame, SseError};
use reqwest::Response;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::chain;
use crate::error::{Lie, UpstreamError};
use crate::shared::Shared;

/// What a body is.
pub(super) enum Content {
    Json,
    Events,
    Other(String),
}

impl Content {
    pub(super) fn of(response: &Response) -> Self {
        let value = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let kind = value.split(';').next().unwrap_or_default().trim();
        match kind {
            _ if kind.eq_ignore_ascii_case("application/json") => Self::Json,
            _ if kind.eq_ignore_ascii_case("text/event-stream") => Self::Events,
            _ => Self::Other(kind.to_owned()),
        }
    }
}

/// Reads a whole body of at most `upstream_message_bytes_max`.
pub(super) async fn read_body(shared: &Shared, mut response: Response) -> Result<Bytes, UpstreamError> {
    let bytes_max = shared.bounds.message_bytes_max;
    let announced = response.content_length().unwrap_or(0);
    if announced > bytes_max as u64 {
        return Err(shared.too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| ended_early(shared, error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(shared.too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The beginning of a body, as far as it can be read; for refusals.
pub(super) async fn read_up_to(mut response: Response, bytes_max: usize) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= bytes_max {
            body.truncate(bytes_max);
            break;
        }
    }
    body.freeze()
}

/// An event stream, read event by event as the bytes come.
pub(super) struct EventStream {
    shared: Arc<Shared>,
    response: Response,
    decoder: Decoder,
    waiting: VecDeque<Event>,
}

/// The next thing on a stream.
pub(super) enum Next {
    Event(Event),
    /// It is over: ended by the server, or broken.
    Ended(String),
}

impl EventStream {
    pub(super) fn new(shared: &Arc<Shared>, response: Response) -> Self {
        let limits = &shared.bounds.message;
        let decoder = Decoder::new(limits.sse_line_bytes_max, limits.sse_event_bytes_max);
        Self { shared: Arc::clone(shared), response, decoder, waiting: VecDeque::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Next, UpstreamError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Next::Event(event));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    let frames =
                        self.decoder.push(&chunk).map_err(|error| unreadable(&self.shared, &error))?;
                    self.waiting.extend(frames.into_iter().filter_map(|frame| match frame {
                        Frame::Event(event) => Some(event),
                        Frame::Comment(_) => None,
                    }));
                }
                Ok(None) => return Ok(Next::Ended("the stream was closed before the response came".into())),
                Err(error) => return Ok(Next::Ended(chain(&error.without_url()))),
            }
        }
    }

    /// Reads what little may follow the response, beside the caller, so that the connection can be used again.
    pub(super) fn leave(mut self) {
        let rest = async move {
            let mut bytes = 0;
            while let Ok(Some(chunk)) = self.response.chunk().await {
                bytes += chunk.len();
                if bytes > LEFTOVER_BYTES_MAX {
                    return;
                }
            }
        };
        tokio::spawn(tokio::time::timeout(LEFTOVER_MAX, rest));
    }
}

/// The message an event carries: events of other types than `message`, and those that only prime a stream, carry none.
pub(super) fn message_of(event: Event) -> Option<Bytes> {
    let is_message = event.event.as_deref().is_none_or(|kind| kind.is_empty() || kind == "message");
    (is_message && !event.data.is_empty()).then(|| Bytes::from(event.data))
}

fn ended_early(shared: &Shared, error: reqwest::Error) -> UpstreamError {
    shared.lied(Lie::EndedEarly(shared.masked_text(chain(&error.without_url()))))
}

fn unreadable(shared: &Shared, error: &SseError) -> UpstreamError {
    match error {
        SseError::LineTooLong { .. } | SseError::EventTooLong { .. } => shared.too_large(),
        SseError::NotUtf8 => shared.not_json_rpc(error.to_string()),
    }
}

const LEFTOVER_MAX: Duration = Duration::from_millis(500);
const LEFTOVER_BYTES_MAX: usize = 65_536;
