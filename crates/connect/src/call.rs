//! One request on its way: read once, timed, cancelled, answered. Both transports drive this.

use bytes::Bytes;
use provost_mcp::message::{Message, Outcome};
use provost_mcp::{Raw, Request, RequestId};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Lie, UpstreamError};
use crate::replies::{Item, Replies};
use crate::shared::Shared;

/// A request as it was handed in, and what the transport must know of it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) bytes: Bytes,
    pub(crate) id: RequestId,
    /// The progress token it carries, as [`token_key`] writes it.
    pub(crate) progress: Option<String>,
    /// Whether it is a stream that stays open by design: neither silence nor length is a fault.
    pub(crate) listening: bool,
}

impl Call {
    pub(crate) fn read(shared: &Shared, bytes: Bytes) -> Result<Self, UpstreamError> {
        Ok(Self::of(&request(shared, &bytes)?, bytes.clone()))
    }

    /// The call that these bytes make, which read as this request.
    pub(crate) fn of(request: &Request<'_>, bytes: Bytes) -> Self {
        let progress = request.meta().and_then(|meta| meta.get("progressToken")).map(token_key);
        let listening = request.method == "subscriptions/listen";
        Self { id: request.id.clone(), progress, listening, bytes }
    }
}

/// What was handed in to be sent, read.
pub(crate) fn request<'a>(shared: &Shared, bytes: &'a [u8]) -> Result<Request<'a>, UpstreamError> {
    let misuse = |why: String| shared.misuse(format!("what was handed in to send is not a request: {why}"));
    match Message::parse(bytes, &shared.bounds.message) {
        Ok(Message::Request(request)) => Ok(request),
        Ok(_) => Err(misuse("it is a notification or a response".into())),
        Err(error) => Err(misuse(error.to_string())),
    }
}

/// A progress token such that equal tokens have equal keys and `5` differs from `"5"`.
pub(crate) fn token_key(token: Raw<'_>) -> String {
    token.as_string().map_or_else(|| token.as_str().to_owned(), |text| format!("\"{text}"))
}

pub(crate) fn check_notification(shared: &Shared, bytes: &[u8]) -> Result<(), UpstreamError> {
    match Message::parse(bytes, &shared.bounds.message) {
        Ok(Message::Notification(_)) => Ok(()),
        _ => Err(shared.misuse("what was handed in to send is not a notification")),
    }
}

pub(crate) fn check_response(shared: &Shared, bytes: &[u8]) -> Result<RequestId, UpstreamError> {
    let id = match Message::parse(bytes, &shared.bounds.message) {
        Ok(Message::Response(response)) => response.id,
        _ => None,
    };
    let id = id.ok_or_else(|| shared.misuse("what was handed in to send is not a response with an id"))?;
    if shared.asked(&id) {
        return Ok(id);
    }
    Err(shared.misuse(format!("the system asked nothing under the id {id}, or has its answer already")))
}

/// Makes the two ends of a call: what the caller reads, and what the transport's task writes. The receiver fires when
/// the system began to answer, or with the error that came instead.
pub(crate) fn channel(shared: &Arc<Shared>) -> (Replies, Pen, oneshot::Receiver<Result<(), UpstreamError>>) {
    let (items, read) = mpsc::channel(REPLIES_MAX);
    let (ready, begun) = oneshot::channel();
    let cancelled = CancellationToken::new();
    let guard = cancelled.clone().drop_guard();
    shared.calls(1);
    let pen = Pen { shared: Arc::clone(shared), items, ready: Some(ready), cancelled };
    (Replies::new(shared.system.clone(), read, guard), pen, begun)
}

/// The end of a call that its transport writes to.
pub(crate) struct Pen {
    pub(crate) shared: Arc<Shared>,
    items: mpsc::Sender<Item>,
    ready: Option<oneshot::Sender<Result<(), UpstreamError>>>,
    /// Cancelled when the caller dropped its end.
    pub(crate) cancelled: CancellationToken,
}

impl Pen {
    /// The system began to answer.
    pub(crate) fn ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            // The caller may be gone; cancellation says so.
            let _ = ready.send(Ok(()));
        }
    }

    /// A message before the response. Waits for a slow reader; a reader that detached is no reader.
    pub(crate) async fn along(&mut self, message: Bytes) {
        self.ready();
        let _ = self.items.send(Item::Along(self.shared.masked(message))).await;
    }

    /// The end.
    pub(crate) async fn finish(mut self, last: Result<Bytes, UpstreamError>) {
        let last = last.map(|message| self.shared.masked(message));
        match (self.ready.take(), last) {
            (Some(ready), Err(error)) => {
                let _ = ready.send(Err(error));
            }
            (ready, last) => {
                ready.into_iter().for_each(|ready| {
                    let _ = ready.send(Ok(()));
                });
                let gone = self.cancelled.clone();
                tokio::select! {
                    _ = self.items.send(Item::Last(last)) => {}
                    () = gone.cancelled() => {}
                }
            }
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.shared.calls(-1);
    }
}

/// How a conversation about a call ended.
pub(crate) enum Ending {
    /// With a response, or an error of the system's or the connection's.
    Answered(Result<Bytes, UpstreamError>),
    /// The caller went away.
    Cancelled,
}

/// Drives a conversation to its end: the system's, the caller's, the connection's, or a limit's.
pub(crate) async fn drive(
    pen: &mut Pen,
    call: &Call,
    conversation: impl AsyncFnOnce(&mut Pen) -> Result<Bytes, UpstreamError>,
) -> Ending {
    let shared = Arc::clone(&pen.shared);
    let cancelled = pen.cancelled.clone();
    let call_max = shared.bounds.call_max;
    tokio::select! {
        biased;
        () = cancelled.cancelled() => Ending::Cancelled,
        answer = conversation(pen) => Ending::Answered(answer),
        () = shared.closed.cancelled() => Ending::Answered(Err(shared.lost(shared.closing_reason()))),
        () = tokio::time::sleep(call_max.to_std()), if !call.listening => {
            Ending::Answered(Err(shared.timed_out("call_duration_max", call_max)))
        }
    }
}

/// Measures the system's silence during one call.
pub(crate) struct Silence<'a> {
    shared: &'a Shared,
    call: &'a Call,
    since: Instant,
}

impl<'a> Silence<'a> {
    pub(crate) fn new(shared: &'a Shared, call: &'a Call) -> Self {
        Self { shared, call, since: Instant::now() }
    }

    /// The system said something, or the time since was not its own.
    pub(crate) fn broken(&mut self) {
        self.since = Instant::now();
    }

    /// Waits for something of the system's, as long as it may be silent. While it waits for an answer of the client's,
    /// or listens by design, it may be silent for ever.
    pub(crate) async fn within<T>(&mut self, next: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let idle_max = self.shared.bounds.idle_max;
        tokio::pin!(next);
        loop {
            tokio::select! {
                biased;
                got = &mut next => return Ok(got),
                () = tokio::time::sleep_until(self.since + idle_max.to_std()) => {
                    if !self.call.listening && !self.shared.waits_for_answer(&self.call.id) {
                        return Err(self.shared.timed_out("upstream_idle_max", idle_max));
                    }
                    self.broken();
                }
            }
        }
    }
}

/// What a message on the stream of a call is to that call.
pub(crate) enum Belongs {
    /// A notification, or a request of the server's.
    Along(Bytes),
    /// The response.
    Response(Bytes),
    /// A `ping` of the server's, which the connection answers itself.
    Ping(RequestId),
}

/// Reads a message that came on the stream of a call. `requests` says whether the server may ask something here.
///
/// Errors: what is not JSON-RPC, answers another request, or asks where it may not.
pub(crate) fn sort(
    shared: &Shared,
    call: &Call,
    message: Bytes,
    requests: bool,
) -> Result<Belongs, UpstreamError> {
    match Message::parse(&message, &shared.bounds.message) {
        Err(error) => Err(shared.not_json_rpc(error.to_string())),
        Ok(Message::Notification(_)) => Ok(Belongs::Along(message)),
        Ok(Message::Response(response)) if response.id.as_ref() == Some(&call.id) => {
            Ok(Belongs::Response(message))
        }
        Ok(Message::Response(response)) => {
            // An error without an id says at least what the server thought.
            let thought = match (&response.id, &response.outcome) {
                (None, Outcome::Error(error)) => format!("none (error {})", error.code),
                (id, _) => id.as_ref().map_or_else(|| "none".into(), RequestId::to_json),
            };
            Err(shared.lied(Lie::WrongId {
                got: shared.excerpt(thought, ID_SHOWN_BYTES_MAX),
                wanted: call.id.to_json(),
            }))
        }
        Ok(Message::Request(_)) if !requests => {
            Err(shared
                .lied(Lie::OutOfPlace("it asked something where this revision lets servers ask nothing")))
        }
        Ok(Message::Request(request)) if request.method == "ping" => Ok(Belongs::Ping(request.id)),
        Ok(Message::Request(request)) => {
            if !shared.asks(request.id.clone(), Some(call.id.clone())) {
                return Err(
                    shared.lied(Lie::OutOfPlace("it has too many requests of its own without an answer"))
                );
            }
            Ok(Belongs::Along(message))
        }
    }
}

/// The `result` object of a response, as received.
pub(crate) fn result_of(shared: &Shared, response: &[u8]) -> Option<Bytes> {
    match Message::parse(response, &shared.bounds.message).ok()? {
        Message::Response(response) => match response.outcome {
            Outcome::Result(result) => {
                Some(shared.masked(Bytes::copy_from_slice(result.raw().as_str().as_bytes())))
            }
            Outcome::Error(_) => None,
        },
        _ => None,
    }
}

/// The beginning of a text, at most so many bytes, cut between characters.
pub(crate) fn clipped(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default().to_owned()
}

/// `notifications/cancelled` for a call (2025-11-25, Cancellation).
pub(crate) fn cancellation(call: &Call, why: &str) -> Bytes {
    let params = serde_json::json!({ "requestId": call.id, "reason": why });
    Bytes::from(provost_mcp::message::write_notification("notifications/cancelled", &params))
}

/// The answer to a `ping` (2025-11-25, Ping).
pub(crate) fn pong(id: &RequestId) -> Bytes {
    Bytes::from(provost_mcp::message::write_result(id, &serde_json::json!({})))
}

/// The answer to a request of the server's that no client is there to hear.
pub(crate) fn nobody_listens(id: &RequestId) -> Bytes {
    let error =
        serde_json::json!({ "code": -32601, "message": "no client listens for requests outside a call" });
    Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id.to_json()))
}

/// Bytes of a foreign id that are quoted.
pub(crate) const ID_SHOWN_BYTES_MAX: usize = 64;
/// Messages that wait for a slow reader before the system is no longer read.
const REPLIES_MAX: usize = 16;
