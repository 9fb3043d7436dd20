//! The stream that a legacy server may offer for what belongs to no request (2025-11-25, Listening for Messages).

use http::StatusCode;
use provost_mcp::message::Message;
use std::sync::Arc;

use super::HttpLink;
use super::call::{Resume, is_stream};
use super::read::{EventStream, Next, message_of};
use crate::call::{nobody_listens, pong};

/// Listens as long as the connection is open and the server goes on offering the stream.
pub(super) async fn listen(link: Arc<HttpLink>) {
    let closed = link.shared().closed.clone();
    tokio::select! {
        () = closed.cancelled() => {}
        () = link.listen() => {}
    }
}

impl HttpLink {
    async fn listen(&self) {
        let mut resume = Resume::default();
        let mut failures = 0;
        while failures < FAILURES_MAX {
            match self.get_stream(resume.last_id.as_ref()).await {
                Ok(response) if is_stream(&response) => {
                    let heard =
                        self.hear(EventStream::new(&self.endpoint.shared, response), &mut resume).await;
                    failures = if heard { 0 } else { failures + 1 };
                }
                // 405 is how a server says that it offers none; 404 that it forgot the session, which the next call replaces.
                Ok(response)
                    if response.status().is_client_error() && response.status() != StatusCode::NOT_FOUND =>
                {
                    return;
                }
                Ok(_) | Err(_) => failures += 1,
            }
            tokio::time::sleep(resume.pause).await;
        }
        tracing::debug!(system = %self.shared().system, "the system's own stream broke too often; it is left alone");
    }

    /// Whether anything came before it ended.
    async fn hear(&self, mut stream: EventStream, resume: &mut Resume) -> bool {
        let shared = self.shared();
        let mut heard = false;
        while let Ok(Next::Event(event)) = stream.next().await {
            heard = true;
            resume.note(&event);
            let Some(message) = message_of(event) else { continue };
            let wanted = match Message::parse(&message, &shared.bounds.message) {
                Ok(Message::Notification(_)) => true,
                Ok(Message::Request(request)) if request.method == "ping" => {
                    self.answer_aside(pong(&request.id)).await;
                    continue;
                }
                Ok(Message::Request(request)) if !shared.has_listeners() => {
                    self.answer_aside(nobody_listens(&request.id)).await;
                    continue;
                }
                Ok(Message::Request(request)) => shared.asks(request.id, None),
                Ok(Message::Response(_)) | Err(_) => false,
            };
            if wanted {
                shared.event(message);
            } else {
                tracing::warn!(system = %shared.system, "a message on the system's own stream was dropped: it cannot be read, or answers nothing, or asks too much");
            }
        }
        heard
    }
}

/// Times in a row that the stream ends without a word before it is left alone.
const FAILURES_MAX: u32 = 5;
