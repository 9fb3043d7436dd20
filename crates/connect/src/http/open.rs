//! The opening conversation over HTTP: which era, then what that era wants.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use provost_mcp::handshake::{
    Probe, discover_request, initialize_request, read_http_probe, read_initialized,
};
use provost_mcp::headers::standard;
use provost_mcp::message::{Message, write_notification};
use provost_mcp::{Era, RequestId, Revision};
use std::sync::Arc;

use super::endpoint::{Endpoint, REFUSAL_BYTES_MAX};
use super::read::{Content, EventStream, Next, message_of, read_body, read_up_to};
use super::{HttpLink, SESSION, VERSION, listen};
use crate::call::result_of;
use crate::error::{NotSent, UpstreamError};
use crate::shared::Shared;
use crate::upstream::Handshake;
use crate::upstreams::ClientProfile;

/// Opens a conversation: asks in the modern way first, unless the system is known to be legacy.
pub(crate) async fn open(
    endpoint: Endpoint,
    profile: &ClientProfile,
    known: Option<Era>,
) -> Result<(Arc<HttpLink>, Handshake), UpstreamError> {
    if known != Some(Era::Legacy)
        && let Some(handshake) = probe(&endpoint, profile).await?
    {
        return Ok((Arc::new(HttpLink::new(endpoint, handshake.revision, profile, None)), handshake));
    }
    let initialized = match (initialize(&endpoint, profile).await, known) {
        // It was legacy when last seen, and may have been replaced since.
        (Err(UpstreamError::NotSent { why: NotSent::Handshake(error), .. }), Some(Era::Legacy)) => {
            let Some(handshake) = probe(&endpoint, profile).await? else {
                return Err(endpoint.shared.not_sent(NotSent::Handshake(error)));
            };
            return Ok((Arc::new(HttpLink::new(endpoint, handshake.revision, profile, None)), handshake));
        }
        (initialized, _) => initialized?,
    };
    let Initialized { handshake, session } = initialized;
    let link = Arc::new(HttpLink::new(endpoint, handshake.revision, profile, session));
    tokio::spawn(listen::listen(Arc::clone(&link)));
    Ok((link, handshake))
}

/// `None`: it is not modern.
async fn probe(endpoint: &Endpoint, profile: &ClientProfile) -> Result<Option<Handshake>, UpstreamError> {
    let shared = &endpoint.shared;
    let id = shared.fresh_id();
    let mut headers = HeaderMap::new();
    for (name, value) in standard(Revision::NEWEST_MODERN, "server/discover", None) {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            headers.insert(name, value);
        }
    }
    let answer = exchange(endpoint, &id, discover_request(&id, &profile.client_info), headers).await?;
    match read_http_probe(answer.status, &answer.body, &shared.bounds.message) {
        Probe::Modern { revision, .. } => {
            Ok(Some(Handshake { revision, result: result_of(shared, &answer.body) }))
        }
        Probe::TryInitialize => Ok(None),
        Probe::Challenged { http_status } | Probe::Unavailable { http_status } => {
            Err(endpoint.refused_with(http_status, &answer.body))
        }
        Probe::NoCommonRevision { supported } => Err(shared.no_common_revision(supported)),
    }
}

/// What `initialize` brought.
pub(super) struct Initialized {
    pub(super) handshake: Handshake,
    pub(super) session: Option<HeaderValue>,
}

/// `initialize`, its answer, and `notifications/initialized`.
pub(super) async fn initialize(
    endpoint: &Endpoint,
    profile: &ClientProfile,
) -> Result<Initialized, UpstreamError> {
    let shared = &endpoint.shared;
    let id = shared.fresh_id();
    let request = initialize_request(&id, &profile.capabilities, &profile.client_info);
    let answer = exchange(endpoint, &id, request, HeaderMap::new()).await?;
    if matches!(answer.status, 300..=399 | 401 | 403 | 429 | 500..=599) {
        return Err(endpoint.refused_with(answer.status, &answer.body));
    }
    let initialized = read_initialized(answer.status, &answer.body, &shared.bounds.message)
        .map_err(|error| shared.unfit(error))?;
    let handshake = Handshake { revision: initialized.revision, result: result_of(shared, &answer.body) };
    let mut headers = HeaderMap::new();
    headers.insert(VERSION, HeaderValue::from_static(handshake.revision.as_str()));
    if let Some(session) = &answer.session {
        headers.insert(SESSION, session.clone());
    }
    let done = Bytes::from(write_notification("notifications/initialized", &serde_json::Value::Null));
    let response = endpoint.post(done, headers).await?;
    if !response.status().is_success() {
        return Err(endpoint.refused(response).await);
    }
    Ok(Initialized { handshake, session: answer.session })
}

/// An answer with its status: the JSON body, or the event that held the response.
struct Answer {
    status: u16,
    body: Bytes,
    session: Option<HeaderValue>,
}

async fn exchange(
    endpoint: &Endpoint,
    id: &RequestId,
    request: String,
    headers: HeaderMap,
) -> Result<Answer, UpstreamError> {
    let shared = &endpoint.shared;
    let response = endpoint.post(Bytes::from(request), headers).await?;
    let status = response.status().as_u16();
    let session = response.headers().get(&SESSION).cloned();
    let body = match Content::of(&response) {
        Content::Json => read_body(shared, response).await?,
        Content::Events => first_response(shared, EventStream::new(shared, response), id).await?,
        Content::Other(_) => read_up_to(response, REFUSAL_BYTES_MAX).await,
    };
    Ok(Answer { status, body, session })
}

/// The response to this request; whatever else comes before it is of no use yet. Empty when the stream ends without.
async fn first_response(
    shared: &Shared,
    mut stream: EventStream,
    id: &RequestId,
) -> Result<Bytes, UpstreamError> {
    while let Next::Event(event) = stream.next().await? {
        let Some(message) = message_of(event) else { continue };
        let read = Message::parse(&message, &shared.bounds.message);
        let ours = matches!(read, Ok(Message::Response(response)) if response.id.as_ref() == Some(id));
        if ours {
            stream.leave();
            return Ok(message);
        }
    }
    Ok(Bytes::new())
}
