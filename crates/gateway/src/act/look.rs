//! Looking into the answer of an HTTP API before it is released: what it brings into the task's memory. A body that is no text,
//! that streams, or that is longer than is looked at passes as it comes, and counts as anything (`Brought::Unseen`).

use super::Running;
use crate::{outcome, outcome::Brought, refusal::Refusal};
use bytes::BytesMut;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, header};
use provost_connect::{ApiAnswer, ApiBody, UpstreamError};

impl Running {
    /// What the answer brings, and the answer with its body whole again.
    ///
    /// # Errors
    /// [`Refusal::Cut`] when a stop is ordered meanwhile; the outcome is then on record.
    pub(super) async fn look_into(&mut self, mut answer: ApiAnswer) -> Result<(Brought, ApiAnswer), Refusal> {
        if !is_text(&answer.headers) {
            return Ok((Brought::Unseen, answer));
        }
        let mut read = BytesMut::new();
        let rest = loop {
            let next = tokio::select! {
                biased;
                why = self.watch.stopped() => return Err(self.cut(why).await),
                next = answer.body.next() => next,
            };
            match next {
                Some(Ok(bytes)) => {
                    read.extend_from_slice(&bytes);
                    if read.len() > LOOKED_AT_BYTES_MAX {
                        break Some(answer.body);
                    }
                }
                Some(Err(error)) => break Some(broken(error)),
                None => break None,
            }
        };
        let read = read.freeze();
        let brought = match rest {
            Some(_) => Brought::Unseen,
            None => outcome::brought_by_api(&read, answer.status >= 400),
        };
        let first = stream::iter([Ok(read)]);
        answer.body = match rest {
            Some(rest) => Box::pin(first.chain(rest)),
            None => Box::pin(first),
        };
        Ok((brought, answer))
    }
}

fn broken(error: UpstreamError) -> ApiBody {
    Box::pin(stream::iter([Err(error)]))
}

/// Whether the body is text that comes to an end.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = kind.starts_with("text/") || kind == "application/json" || kind.ends_with("+json");
    text && kind != "text/event-stream" && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Longer bodies are not looked into.
const LOOKED_AT_BYTES_MAX: usize = 256 * 1_024;
