//! What a request still has to say when it is answered early. Whoever answers before the body was read must close the
//! connection, and a client that kept it hears nothing of its next request; a little is read and thrown away instead.

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// A body that is read to its end, within bounds, also when its reader loses interest.
pub(crate) struct ReadToEnd(Option<Body>);

impl ReadToEnd {
    pub(crate) fn of(body: Body) -> Body {
        Body::new(Self(Some(body)))
    }
}

impl HttpBody for ReadToEnd {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for ReadToEnd {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Ok(runtime)) = (unread, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(DISCARD_MAX, discard(body)));
        }
    }
}

/// Longer or later than the bounds, the connection is closed after all.
async fn discard(body: Body) {
    let mut rest = Limited::new(body, DISCARDED_BYTES_MAX);
    while let Some(Ok(_unread)) = rest.frame().await {}
}

const DISCARDED_BYTES_MAX: usize = 64 << 10;
const DISCARD_MAX: Duration = Duration::from_secs(1);
