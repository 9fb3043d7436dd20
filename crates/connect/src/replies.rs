//! The answers to one request, as they come.

use bytes::Bytes;
use futures::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use crate::error::UpstreamError;
use provost_domain::Name;

/// What a system answers to one request: notifications and requests of its own, then the response, which is the last
/// item; or an error, which is the last item too. Every item is one whole JSON-RPC message, byte for byte as received
/// (only a credential that the system echoes is masked).
///
/// Dropping it before the last item cancels the request at the system: by closing the stream (modern HTTP) or by
/// `notifications/cancelled` (legacy, and stdio).
#[derive(Debug)]
pub struct Replies {
    system: Name,
    items: mpsc::Receiver<Item>,
    guard: Option<DropGuard>,
    ended: bool,
}

/// What the task that talks to the system hands over.
#[derive(Debug)]
pub(crate) enum Item {
    /// A message that is not the response.
    Along(Bytes),
    /// The response, or why there is none.
    Last(Result<Bytes, UpstreamError>),
}

impl Replies {
    pub(crate) fn new(system: Name, items: mpsc::Receiver<Item>, guard: DropGuard) -> Self {
        Self { system, items, guard: Some(guard), ended: false }
    }

    /// Lets the request go on to its end (or its limits) with nobody reading: what a legacy client's disconnect means.
    pub fn detach(mut self) {
        if let Some(guard) = self.guard.take() {
            guard.disarm();
        }
    }
}

impl Stream for Replies {
    type Item = Result<Bytes, UpstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match self.items.poll_recv(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(item) => item,
        };
        Poll::Ready(Some(match item {
            Some(Item::Along(message)) => Ok(message),
            Some(Item::Last(last)) => {
                self.ended = true;
                last
            }
            // The task ended without a word; whatever happened there, the outcome is not known here.
            None => {
                self.ended = true;
                let why = "the connection's task ended".to_owned();
                Err(UpstreamError::Lost { system: self.system.clone(), why })
            }
        }))
    }
}
