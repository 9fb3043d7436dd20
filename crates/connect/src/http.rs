//! MCP over streamable HTTP, both eras (2025-06-18 to 2026-07-28, Transports).

mod call;
mod endpoint;
mod listen;
mod open;
mod read;
mod resolve;

pub(crate) use call::run;
pub(crate) use endpoint::{Endpoint, chain, client};
pub(crate) use open::open;
pub(crate) use resolve::is_this_machine;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use provost_mcp::headers::{METHOD, NAME, PARAM_PREFIX, standard};
use provost_mcp::message::Message;
use provost_mcp::{Era, Object, Request, Revision};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{NotSent, UpstreamError};
use crate::shared::Shared;
use crate::upstreams::ClientProfile;

/// One caller's conversation with one endpoint. In the legacy era it has a session of its own.
pub(crate) struct HttpLink {
    endpoint: Endpoint,
    revision: Revision,
    profile: ClientProfile,
    session: Mutex<Session>,
    /// Held while a lost session is replaced, so that it is replaced once.
    renewing: tokio::sync::Mutex<()>,
}

/// The session of a legacy server. Servers may do without one.
#[derive(Clone, Debug, Default)]
struct Session {
    id: Option<HeaderValue>,
    /// How often it was replaced.
    generation: u64,
}

impl HttpLink {
    fn new(endpoint: Endpoint, revision: Revision, profile: &ClientProfile, id: Option<HeaderValue>) -> Self {
        Self {
            endpoint,
            revision,
            profile: profile.clone(),
            session: Mutex::new(Session { id, generation: 0 }),
            renewing: tokio::sync::Mutex::default(),
        }
    }

    /// The headers of a call. Of those handed in only `Mcp-Param-*` count; `Mcp-Method` and `Mcp-Name` are made anew from the
    /// request, so that they cannot disagree with it.
    pub(crate) fn call_headers(
        &self,
        request: &Request<'_>,
        given: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<HeaderMap, UpstreamError> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            let text = name.as_str();
            let is_param =
                text.get(..PARAM_PREFIX.len()).is_some_and(|p| p.eq_ignore_ascii_case(PARAM_PREFIX));
            let is_standard = text.eq_ignore_ascii_case(METHOD) || text.eq_ignore_ascii_case(NAME);
            if !is_param && !is_standard {
                let why = format!("the header `{name}` is not passed to systems; only Mcp-Param-* are");
                return Err(self.shared().misuse(why));
            }
            if is_param && self.revision.era() == Era::Modern {
                headers.append(name, value);
            }
        }
        self.put_standard(&mut headers, &request.method, request.params.as_ref())?;
        Ok(headers)
    }

    /// Sends a notification or a response and waits until it is accepted.
    pub(crate) async fn post_one_way(&self, message: Bytes) -> Result<(), UpstreamError> {
        let mut headers = HeaderMap::new();
        self.put_standard_of(&mut headers, &message)?;
        self.put_session(&mut headers, &self.session());
        let sending = async {
            let response = self.endpoint.post(message, headers).await?;
            match response.status() {
                status if status.is_success() => Ok(()),
                _ => Err(self.endpoint.refused(response).await),
            }
        };
        let idle_max = self.shared().bounds.idle_max;
        let sent = tokio::time::timeout(idle_max.to_std(), sending).await;
        sent.unwrap_or_else(|_| Err(self.shared().timed_out("upstream_idle_max", idle_max)))
    }

    /// Deletes the session, if there is one. Servers may refuse that.
    pub(crate) async fn end_session(&self) {
        let session = self.session();
        if session.id.is_none() {
            return;
        }
        let mut headers = HeaderMap::new();
        self.put_version(&mut headers);
        self.put_session(&mut headers, &session);
        let ending = self.endpoint.send(Method::DELETE, headers, None);
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL_MAX, ending).await {
            tracing::debug!(system = %self.shared().system, %error, "the session could not be deleted");
        }
    }

    fn shared(&self) -> &Shared {
        &self.endpoint.shared
    }

    fn session(&self) -> Session {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put_standard_of(&self, headers: &mut HeaderMap, message: &[u8]) -> Result<(), UpstreamError> {
        if self.revision.era() == Era::Legacy {
            self.put_version(headers);
            return Ok(());
        }
        let message = Message::parse(message, &self.shared().bounds.message)
            .map_err(|error| self.shared().misuse(error.to_string()))?;
        let Some(method) = message.method() else {
            return Err(self
                .shared()
                .misuse("servers of 2026-07-28 take no responses; answer in `inputResponses`"));
        };
        self.put_standard(headers, method, message.params())
    }

    /// Version; and, in the modern era, method and name as the message has them.
    fn put_standard(
        &self,
        headers: &mut HeaderMap,
        method: &str,
        params: Option<&Object<'_>>,
    ) -> Result<(), UpstreamError> {
        self.put_version(headers);
        if self.revision.era() == Era::Legacy {
            return Ok(());
        }
        for (name, value) in standard(self.revision, method, params) {
            headers.insert(self.header_name(name)?, self.header_value(&value)?);
        }
        Ok(())
    }

    fn put_version(&self, headers: &mut HeaderMap) {
        headers.insert(VERSION, HeaderValue::from_static(self.revision.as_str()));
    }

    fn put_session(&self, headers: &mut HeaderMap, session: &Session) {
        if let Some(id) = &session.id {
            headers.insert(SESSION, id.clone());
        }
    }

    fn header_name(&self, name: &str) -> Result<HeaderName, UpstreamError> {
        HeaderName::from_bytes(name.as_bytes()).map_err(|error| self.shared().misuse(error.to_string()))
    }

    fn header_value(&self, value: &str) -> Result<HeaderValue, UpstreamError> {
        HeaderValue::from_str(value).map_err(|error| self.shared().misuse(error.to_string()))
    }

    /// Replaces a session that the server no longer knows, unless somebody else did meanwhile.
    async fn renew(&self, generation: u64) -> Result<(), UpstreamError> {
        let _renewing = self.renewing.lock().await;
        if self.session().generation != generation {
            return Ok(());
        }
        tracing::info!(system = %self.shared().system, "the system forgot its session; a new one is opened");
        let initialized = open::initialize(&self.endpoint, &self.profile).await?;
        if initialized.handshake.revision != self.revision {
            // What the gateway knows of this connection no longer holds.
            self.shared().closed.cancel();
            return Err(self.shared().not_sent(NotSent::Closed));
        }
        let session = Session { id: initialized.session, generation: generation + 1 };
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
        Ok(())
    }
}

/// The two forms an answer may have.
fn accept_both(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
}

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How long a message about an end may take.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
