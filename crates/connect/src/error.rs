//! What can go wrong with a system, split first by the one question that matters after a call: may it have acted?

use provost_domain::{DurationMs, Name};
use provost_mcp::handshake::HandshakeError;

/// Why a request has no (complete) answer. Messages name the limit where one was met and never show a credential.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpstreamError {
    /// Nothing of the request reached the system.
    #[error("system `{system}` was not reached: {why}")]
    NotSent {
        /// The system.
        system: Name,
        /// What stood in the way.
        why: NotSent,
    },
    /// The request was (or may have been) written and the connection ended without an answer.
    #[error("system `{system}` took the request and gave no answer, so its outcome is unknown: {why}")]
    Lost {
        /// The system.
        system: Name,
        /// What ended it.
        why: String,
    },
    /// A message is longer than a limit allows. The system may have acted.
    #[error(
        "system `{system}` sent more than the limit {limit} = {bytes_max} bytes allows, so its answer was dropped"
    )]
    TooLarge {
        /// The system.
        system: Name,
        /// The limit's name.
        limit: &'static str,
        /// The limit's value.
        bytes_max: usize,
    },
    /// What came is not what the protocol promises. The system may have acted.
    #[error("system `{system}` broke its promise: {why}")]
    Lied {
        /// The system.
        system: Name,
        /// How.
        why: Lie,
    },
    /// No answer in time. The system may have acted, or may yet.
    #[error("system `{system}` did not answer within the limit {limit} = {after}, so the outcome is unknown")]
    TimedOut {
        /// The system.
        system: Name,
        /// The limit's name.
        limit: &'static str,
        /// The limit's value.
        after: DurationMs,
    },
    /// An HTTP status other than success, without a JSON-RPC answer to the request.
    #[error("system `{system}` refused with http status {status}{}", hint(*status, excerpt))]
    Refused {
        /// The system.
        system: Name,
        /// The status.
        status: u16,
        /// The beginning of the body, printable, at most 256 bytes, the credential masked; empty for 401 and 403.
        excerpt: String,
    },
}

/// Why a request was not sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotSent {
    /// Name resolution, TCP or TLS.
    #[error("no connection: {0}; check the system's address and that it is running")]
    Connect(String),
    /// The address is not one this plane may use.
    #[error("{0}")]
    Address(String),
    /// The credential is missing or cannot be put where the system wants it.
    #[error("{0}")]
    Credential(String),
    /// The program could not be started.
    #[error(
        "the program `{program}` could not be started: {why}; check that it is installed and on the PATH"
    )]
    Start {
        /// The program's name; arguments may be secret and are left out.
        program: String,
        /// The operating system's reason.
        why: String,
    },
    /// The child ended before the request was written to it.
    #[error("the system's process ended before the request was written to it; try again")]
    ChildEnded,
    /// The child ended again and again; it is given time.
    #[error("the system's process ended {times} times in a row; it is started again in {wait}")]
    Restarting {
        /// How often.
        times: u32,
        /// Until the next start.
        wait: DurationMs,
    },
    /// The system lives beside the agent.
    #[error("it is local to the agent (`provost wrap`); the plane has no connection to it")]
    Local,
    /// The system is an HTTP API and speaks no MCP.
    #[error("it is an http api, not an mcp server; agents reach it at /proxy/<system>/")]
    Api,
    /// The opening conversation failed; the request itself was never tried.
    #[error("the connection could not be opened: {}", while_opening(.0))]
    Opening(Box<UpstreamError>),
    /// The opening conversation was understood, and does not fit.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    /// Modern, but in no revision spoken here.
    #[error("it speaks protocol versions {} only; supported are 2026-07-28, 2025-11-25 and 2025-06-18", supported.join(", "))]
    NoCommonRevision {
        /// What it speaks.
        supported: Vec<String>,
    },
    /// Too many connections.
    #[error("the limit {limit} = {max} is reached; end tasks that are no longer needed, or raise it")]
    TooMany {
        /// The limit's name.
        limit: &'static str,
        /// The limit's value.
        max: usize,
    },
    /// The connection was closed by the plane: task ended, system changed, shutdown.
    #[error("the connection was closed by the plane")]
    Closed,
    /// What was handed in is not what this operation sends.
    #[error("{0}")]
    Misuse(String),
}

/// How an answer breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// The body or stream ended before it was complete (shorter than its content-length, chunk cut, stream closed).
    #[error("the answer ended too early: {0}")]
    EndedEarly(String),
    /// Neither JSON nor an event stream.
    #[error(
        "it answered with content-type `{0}` instead of application/json or text/event-stream; check that the address is an mcp endpoint"
    )]
    ContentType(String),
    /// Not one JSON-RPC message.
    #[error("it answered with something that is not a json-rpc message: {0}")]
    NotJsonRpc(String),
    /// A response to another request.
    #[error("it answered with the id {got}, the request has {wanted}")]
    WrongId {
        /// The id received, cut short.
        got: String,
        /// The id sent.
        wanted: String,
    },
    /// A message that this revision does not allow here.
    #[error("{0}")]
    OutOfPlace(&'static str),
}

impl UpstreamError {
    /// Whether the system may have acted on the request. `false` only when it certainly has not.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::NotSent { .. } => false,
            // Statuses that say the request was not looked at beyond its envelope (RFC 9110 section 15.5).
            Self::Refused { status, .. } => !matches!(
                status,
                301 | 302 | 303 | 307 | 308 | 400 | 401 | 403 | 404 | 405 | 406 | 411 | 413 | 415 | 421 | 429
            ),
            Self::Lost { .. } | Self::TooLarge { .. } | Self::Lied { .. } | Self::TimedOut { .. } => true,
        }
    }

    /// Whether the system did not accept the credential it was shown (RFC 9110 section 15.5.2), also while the connection was
    /// opened.
    #[must_use]
    pub fn refused_credential(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == 401,
            Self::NotSent { why: NotSent::Opening(error), .. } => error.refused_credential(),
            _ => false,
        }
    }

    /// The system it is about.
    #[must_use]
    pub fn system(&self) -> &Name {
        match self {
            Self::NotSent { system, .. }
            | Self::Lost { system, .. }
            | Self::TooLarge { system, .. }
            | Self::Lied { system, .. }
            | Self::TimedOut { system, .. }
            | Self::Refused { system, .. } => system,
        }
    }

    /// The same failure met while opening the connection: whatever it was, the caller's request was not sent.
    pub(crate) fn while_opening(self) -> Self {
        match self {
            Self::NotSent { .. } => self,
            other => Self::NotSent { system: other.system().clone(), why: NotSent::Opening(Box::new(other)) },
        }
    }
}

/// The same failure without the system's name, which stands before it, and without a word on an outcome that was never at stake.
fn while_opening(error: &UpstreamError) -> String {
    match error {
        UpstreamError::Lost { why, .. } => why.clone(),
        UpstreamError::TimedOut { limit, after, .. } => {
            format!("no answer within the limit {limit} = {after}")
        }
        UpstreamError::Refused { status, excerpt, .. } => {
            format!("http status {status}{}", hint(*status, excerpt))
        }
        UpstreamError::Lied { why, .. } => why.to_string(),
        UpstreamError::NotSent { why, .. } => why.to_string(),
        UpstreamError::TooLarge { limit, bytes_max, .. } => {
            format!("more than the limit {limit} = {bytes_max} bytes allows")
        }
    }
}

fn hint(status: u16, excerpt: &str) -> String {
    let cure = match status {
        300..=399 => "; redirects are not followed, register the final address",
        401 | 403 => "; check the credential sealed for it",
        429 => "; it asks for fewer requests",
        _ => "",
    };
    let excerpt = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    format!("{cure}{excerpt}")
}
