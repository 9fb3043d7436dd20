//! One connection of one caller to one system.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use provost_domain::Name;
use provost_mcp::{Era, RequestId, Revision};
use std::fmt;
use std::sync::Arc;
use tokio::sync::broadcast;

use crate::call::{self, Call};
use crate::error::{NotSent, UpstreamError};
use crate::http::HttpLink;
use crate::replies::Replies;
use crate::shared::Shared;
use crate::stdio::StdioLink;

/// One connection of one caller to one system. Requests may overlap; their ids must differ while they are in flight
/// ([`Upstream::fresh_id`] makes such ids).
pub struct Upstream {
    pub(crate) shared: Arc<Shared>,
    pub(crate) handshake: Handshake,
    pub(crate) link: Link,
}

/// What the opening conversation brought.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The revision spoken on this connection.
    pub revision: Revision,
    /// The `result` object of `initialize` (legacy) or `server/discover` (modern), as received. `None` for a modern
    /// server that showed its era by an error only.
    pub result: Option<Bytes>,
}

/// The transport below.
pub(crate) enum Link {
    Http(Arc<HttpLink>),
    Stdio(Arc<StdioLink>),
}

impl Upstream {
    /// What the opening conversation brought.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The system.
    #[must_use]
    pub fn system(&self) -> &Name {
        &self.shared.system
    }

    /// An id that no other request on this connection has.
    #[must_use]
    pub fn fresh_id(&self) -> RequestId {
        self.shared.fresh_id()
    }

    /// Sends one whole JSON-RPC request, and returns once the system began to answer (HTTP) or the request was written
    /// (stdio). Of `headers` only `Mcp-Param-*` may be given; the others of the protocol are made from the request.
    /// Dropping the future cancels as dropping the [`Replies`] does.
    ///
    /// # Errors
    /// Any [`UpstreamError`]; [`UpstreamError::may_have_acted`] says whether the system can have seen the request.
    pub async fn request(
        &self,
        request: Bytes,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Replies, UpstreamError> {
        if self.shared.closed.is_cancelled() {
            return Err(self.shared.not_sent(NotSent::Closed));
        }
        let read = call::request(&self.shared, &request)?;
        let call = Call::of(&read, request.clone());
        let (replies, pen, ready) = call::channel(&self.shared);
        match &self.link {
            Link::Http(link) => {
                let headers = link.call_headers(&read, headers)?;
                tokio::spawn(crate::http::run(Arc::clone(link), call, headers, pen));
            }
            Link::Stdio(link) => {
                tokio::spawn(crate::stdio::run(Arc::clone(link), call, pen));
            }
        }
        match ready.await {
            Ok(Ok(())) => Ok(replies),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.shared.lost("the connection's task ended")),
        }
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// As [`Upstream::request`].
    pub async fn notify(&self, notification: Bytes) -> Result<(), UpstreamError> {
        call::check_notification(&self.shared, &notification)?;
        self.shared.touch();
        match &self.link {
            Link::Http(link) => link.post_one_way(notification).await,
            Link::Stdio(link) => link.write(&notification).await,
        }
    }

    /// Answers a request of the server's own (legacy: sampling, elicitation, roots, ping).
    ///
    /// # Errors
    /// As [`Upstream::request`]; also when the server asked nothing under this id.
    pub async fn respond(&self, response: Bytes) -> Result<(), UpstreamError> {
        let id = call::check_response(&self.shared, &response)?;
        self.shared.touch();
        let sent = match &self.link {
            Link::Http(link) => link.post_one_way(response).await,
            Link::Stdio(link) => link.write(&response).await,
        };
        self.shared.answered(&id);
        sent
    }

    /// Messages that belong to no request: list changes, logs, server requests outside calls. Messages sent before a
    /// receiver was made are not kept; a receiver that falls more than 256 messages behind loses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Bytes> {
        self.shared.events.subscribe()
    }

    /// Whether it can still be used. A connection that cannot is replaced by the next [`crate::Upstreams::get`].
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.shared.closed.is_cancelled()
    }

    /// Ends it: requests in flight end with an error, the session is deleted, the child is ended. Returns when done.
    pub(crate) async fn close(&self) {
        self.shared.closed.cancel();
        match &self.link {
            Link::Http(link) => link.end_session().await,
            Link::Stdio(link) => link.ended().await,
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

impl Handshake {
    /// The era of the revision.
    #[must_use]
    pub fn era(&self) -> Era {
        self.revision.era()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("system", &self.shared.system)
            .field("handshake", &self.handshake)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}
