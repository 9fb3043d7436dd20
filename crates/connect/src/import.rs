//! Which tools a system has: all pages of `tools/list`, in bounds.

use bytes::Bytes;
use futures::StreamExt;
use provost_mcp::Era;
use provost_mcp::era::{META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_PROTOCOL_VERSION};
use provost_mcp::message::{Message, Outcome, write_request};
use provost_mcp::tools::{Collector, ListError, ToolDefinition, Unusable};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::TryRecvError;

use crate::error::UpstreamError;
use crate::upstream::Upstream;

/// Why a system's tools could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The system did not answer as it should.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The list itself.
    #[error("the tools of system `{system}` cannot be listed: {why}")]
    List {
        /// The system.
        system: provost_domain::Name,
        /// The fault.
        #[source]
        why: ListError,
    },
    /// A JSON-RPC error.
    #[error("system `{system}` refused to list its tools with error {code}: {message}")]
    Refused {
        /// The system.
        system: provost_domain::Name,
        /// The error's code.
        code: i64,
        /// Its message, cut short.
        message: String,
    },
    /// The tools changed from page to page.
    #[error(
        "system `{system}` changed its tools while they were listed, {times} times over; list them again when it is settled"
    )]
    Changing {
        /// The system.
        system: provost_domain::Name,
        /// Attempts made.
        times: usize,
    },
}

/// All tools of a system: those that can be used, and those that cannot, with the reason (a name on two pages is usable
/// through neither). A list that the server says has changed while its pages were read is read again, a few times.
///
/// # Errors
/// [`ImportError`].
pub async fn list_tools(upstream: &Upstream) -> Result<(Vec<ToolDefinition>, Vec<Unusable>), ImportError> {
    for _ in 0..ATTEMPTS_MAX {
        let mut events = upstream.events();
        let (tools, unusable, changed) = list_once(upstream).await?;
        let mut announced = changed;
        loop {
            match events.try_recv() {
                Ok(message) => announced |= is_list_changed(&message),
                Err(TryRecvError::Lagged(_)) => announced = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if !announced {
            return Ok((tools, unusable));
        }
    }
    Err(ImportError::Changing { system: upstream.system().clone(), times: ATTEMPTS_MAX })
}

/// One reading of all pages; the last part says whether the list changed under it.
async fn list_once(upstream: &Upstream) -> Result<(Vec<ToolDefinition>, Vec<Unusable>, bool), ImportError> {
    let limits = &upstream.shared.bounds.message;
    let mut collector = Collector::new(limits);
    let mut cursor = None;
    let mut changed = false;
    loop {
        let (response, announced) = page(upstream, cursor.as_deref()).await?;
        changed |= announced;
        let next = match Message::parse(&response, limits) {
            Ok(Message::Response(response)) => match response.outcome {
                Outcome::Result(result) => collector.add(&result),
                Outcome::Error(error) => {
                    let error = error.to_rpc(200);
                    let message = upstream.shared.masked_text(error.message);
                    return Err(ImportError::Refused {
                        system: upstream.system().clone(),
                        code: error.code,
                        message,
                    });
                }
            },
            // The last reply is always the response; see `Replies`.
            Ok(_) => return Err(upstream.shared.not_json_rpc("not a response").into()),
            Err(error) => return Err(upstream.shared.not_json_rpc(error.to_string()).into()),
        };
        cursor = next.map_err(|why| ImportError::List { system: upstream.system().clone(), why })?;
        if cursor.is_none() {
            let (tools, unusable) = collector.finish();
            return Ok((tools, unusable, changed));
        }
    }
}

/// One page, and whether a change was announced along with it.
async fn page(upstream: &Upstream, cursor: Option<&str>) -> Result<(Bytes, bool), ImportError> {
    let request = write_request(&upstream.fresh_id(), "tools/list", &params(upstream, cursor));
    let mut replies = upstream.request(Bytes::from(request), Vec::new()).await?;
    let mut changed = false;
    let mut last = None;
    while let Some(reply) = replies.next().await {
        let message = reply?;
        changed |= is_list_changed(&message);
        last = Some(message);
    }
    let response = last.ok_or_else(|| upstream.shared.lost("no answer came"))?;
    Ok((response, changed))
}

fn params(upstream: &Upstream, cursor: Option<&str>) -> Value {
    let mut params = Map::new();
    if let Some(cursor) = cursor {
        params.insert("cursor".to_owned(), cursor.into());
    }
    if upstream.handshake().era() == Era::Modern {
        let meta = json!({
            META_PROTOCOL_VERSION: upstream.handshake().revision.as_str(),
            META_CLIENT_CAPABILITIES: {},
            META_CLIENT_INFO: { "name": "provost", "version": env!("CARGO_PKG_VERSION") },
        });
        params.insert("_meta".to_owned(), meta);
    }
    Value::Object(params)
}

fn is_list_changed(message: &Bytes) -> bool {
    let limits = provost_mcp::Limits { message_bytes_max: message.len(), ..provost_mcp::Limits::default() };
    matches!(Message::parse(message, &limits), Ok(Message::Notification(n)) if n.method == "notifications/tools/list_changed")
}

/// Readings of a list that changes under the reader.
const ATTEMPTS_MAX: usize = 3;
