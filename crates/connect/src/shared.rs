//! What the parts of one connection share: its bounds, its credential, its events, who asked what.

use bytes::Bytes;
use provost_domain::{DurationMs, Name};
use provost_mcp::handshake::HandshakeError;
use provost_mcp::{Limits as MessageLimits, RequestId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call::clipped;
use crate::credential::Credential;
use crate::error::{Lie, NotSent, UpstreamError};
use crate::upstreams::Config;

/// The bounds of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) message: MessageLimits,
    pub(crate) message_bytes_max: usize,
    pub(crate) idle_max: DurationMs,
    pub(crate) call_max: DurationMs,
    pub(crate) probe_max: DurationMs,
    pub(crate) grace_max: DurationMs,
}

impl Bounds {
    pub(crate) fn of(config: &Config) -> Self {
        let limits = &config.limits;
        let bytes_max = limits.upstream_message_bytes_max;
        let defaults = MessageLimits::default();
        let message = MessageLimits {
            message_bytes_max: bytes_max,
            depth_max: limits.json_depth_max.min(JSON_DEPTH_MAX),
            values_max: limits.json_nodes_max.max(defaults.values_max),
            tools_max: limits.tools_per_system_max,
            pages_max: limits.list_pages_max,
            sse_line_bytes_max: bytes_max.saturating_add(SSE_FIELD_BYTES_MAX),
            sse_event_bytes_max: bytes_max,
            line_bytes_max: bytes_max,
            ..defaults
        };
        Self {
            message,
            message_bytes_max: bytes_max,
            idle_max: limits.upstream_idle_max,
            call_max: limits.call_duration_max,
            probe_max: config.probe_max,
            grace_max: config.child_grace_max,
        }
    }
}

/// What the parts of one connection share.
pub(crate) struct Shared {
    pub(crate) system: Name,
    pub(crate) bounds: Bounds,
    pub(crate) credential: Option<Credential>,
    pub(crate) events: broadcast::Sender<Bytes>,
    /// Cancelled when the connection is closed, from either side.
    pub(crate) closed: CancellationToken,
    /// Why it was closed, where it was not the plane that closed it.
    closed_why: OnceLock<&'static str>,
    state: Mutex<State>,
    next_id: AtomicI64,
}

struct State {
    /// Requests in flight.
    calls: usize,
    last_used: Instant,
    /// Requests of the server that no answer was sent to, and the call they came in (`None`: outside calls).
    asked: HashMap<RequestId, Option<RequestId>>,
}

impl Shared {
    pub(crate) fn new(system: Name, bounds: Bounds, credential: Option<Credential>) -> Self {
        let state = State { calls: 0, last_used: Instant::now(), asked: HashMap::new() };
        Self {
            system,
            bounds,
            credential,
            events: broadcast::Sender::new(EVENTS_MAX),
            closed: CancellationToken::new(),
            closed_why: OnceLock::new(),
            state: Mutex::new(state),
            next_id: AtomicI64::new(1),
        }
    }

    pub(crate) fn fresh_id(&self) -> RequestId {
        RequestId::Integer(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Closes the connection for a reason of the system's.
    pub(crate) fn close_because(&self, why: &'static str) {
        let _ = self.closed_why.set(why);
        self.closed.cancel();
    }

    pub(crate) fn closing_reason(&self) -> &'static str {
        self.closed_why.get().copied().unwrap_or("the connection was closed by the plane")
    }

    pub(crate) fn touch(&self) {
        self.state().last_used = Instant::now();
    }

    /// Counts a call while the guard lives.
    pub(crate) fn calls(&self, by: isize) {
        let mut state = self.state();
        state.calls = state.calls.saturating_add_signed(by);
        state.last_used = Instant::now();
    }

    /// Whether a call is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.state().calls > 0
    }

    /// Whether nothing has happened for so long, nothing is in flight and nobody listens.
    pub(crate) fn idle_for(&self, idle_max: Duration) -> bool {
        let state = self.state();
        state.calls == 0 && self.events.receiver_count() == 0 && state.last_used.elapsed() >= idle_max
    }

    /// Remembers a request of the server. `false` when too many are open.
    pub(crate) fn asks(&self, id: RequestId, call: Option<RequestId>) -> bool {
        let mut state = self.state();
        let fits = state.asked.len() < ASKED_MAX;
        if fits {
            state.asked.insert(id, call);
        }
        fits
    }

    /// Whether the server waits for an answer to something it asked in this call: then its silence is not its fault.
    pub(crate) fn waits_for_answer(&self, call: &RequestId) -> bool {
        self.state().asked.values().any(|of| of.as_ref() == Some(call))
    }

    pub(crate) fn asked(&self, id: &RequestId) -> bool {
        self.state().asked.contains_key(id)
    }

    pub(crate) fn answered(&self, id: &RequestId) {
        self.state().asked.remove(id);
    }

    /// Forgets what the server asked in a call that is over.
    pub(crate) fn forget_asked(&self, call: &RequestId) {
        self.state().asked.retain(|_, of| of.as_ref() != Some(call));
    }

    /// Whether anybody listens for what belongs to no call.
    pub(crate) fn has_listeners(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// Hands a message that belongs to no call to whoever listens.
    pub(crate) fn event(&self, message: Bytes) {
        // Nobody listening is no fault.
        let _ = self.events.send(self.masked(message));
    }

    /// The message as it may be seen.
    pub(crate) fn masked(&self, message: Bytes) -> Bytes {
        match self.credential.as_ref().and_then(|credential| credential.mask_message(&message)) {
            Some(masked) => {
                tracing::warn!(system = %self.system, "the system echoed its own credential; it was masked");
                masked
            }
            None => message,
        }
    }

    /// Text for people, without the credential.
    pub(crate) fn masked_text(&self, text: impl Into<String>) -> String {
        match &self.credential {
            Some(credential) => credential.mask_text(text.into()),
            None => text.into(),
        }
    }

    /// The beginning of a text of the system's, for people: masked before it is cut, so that no half of a secret is left.
    pub(crate) fn excerpt(&self, text: impl Into<String>, bytes_max: usize) -> String {
        let masked = self.masked_text(text);
        let printable: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        clipped(printable.trim(), bytes_max)
    }

    /// An opening conversation that does not fit.
    pub(crate) fn unfit(&self, error: HandshakeError) -> UpstreamError {
        self.not_sent(NotSent::Handshake(match error {
            HandshakeError::NotMcp { http_status, why } => {
                HandshakeError::NotMcp { http_status, why: self.masked_text(why) }
            }
            HandshakeError::Refused { code, message } => {
                HandshakeError::Refused { code, message: self.masked_text(message) }
            }
            HandshakeError::Revision { version } => {
                HandshakeError::Revision { version: self.masked_text(version) }
            }
            error @ HandshakeError::PerhapsHttpSse { .. } => error,
        }))
    }

    /// A modern system without a revision in common.
    pub(crate) fn no_common_revision(&self, supported: Vec<String>) -> UpstreamError {
        let supported = supported.into_iter().map(|version| self.masked_text(version)).collect();
        self.not_sent(NotSent::NoCommonRevision { supported })
    }

    pub(crate) fn not_sent(&self, why: NotSent) -> UpstreamError {
        UpstreamError::NotSent { system: self.system.clone(), why }
    }

    pub(crate) fn misuse(&self, why: impl Into<String>) -> UpstreamError {
        self.not_sent(NotSent::Misuse(why.into()))
    }

    pub(crate) fn lost(&self, why: impl Into<String>) -> UpstreamError {
        UpstreamError::Lost { system: self.system.clone(), why: self.masked_text(why) }
    }

    pub(crate) fn lied(&self, why: Lie) -> UpstreamError {
        UpstreamError::Lied { system: self.system.clone(), why }
    }

    pub(crate) fn not_json_rpc(&self, why: impl Into<String>) -> UpstreamError {
        self.lied(Lie::NotJsonRpc(self.masked_text(why)))
    }

    pub(crate) fn too_large(&self) -> UpstreamError {
        UpstreamError::TooLarge {
            system: self.system.clone(),
            limit: "upstream_message_bytes_max",
            bytes_max: self.bounds.message_bytes_max,
        }
    }

    pub(crate) fn timed_out(&self, limit: &'static str, after: DurationMs) -> UpstreamError {
        UpstreamError::TimedOut { system: self.system.clone(), limit, after }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages kept for a slow listener.
const EVENTS_MAX: usize = 256;
/// Requests of one server without an answer.
const ASKED_MAX: usize = 64;
/// Where the reader of JSON values stops.
const JSON_DEPTH_MAX: usize = 120;
/// `data:` and its space, with room.
const SSE_FIELD_BYTES_MAX: usize = 1_024;
