//! Everything that ends a call before or instead of acting, split by who is to blame. One table maps it to HTTP.

use crate::approval::Held;
use http::HeaderValue;
use provost_domain::Decision;
use provost_mcp::{RpcError, refusal as told};
use provost_replica::Stale;
use provost_store::{RecordError, StoreError};
use provost_token::{DPOP_ALGORITHMS, TokenError};
use std::sync::Arc;

/// Why a call does not happen. Whatever is not a permit ends here.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    // --- the caller ---
    /// No credential came with the call.
    #[error(
        "this endpoint needs a task token: start one with `provost task start AGENT --purpose \"…\"` and send it as `Authorization: Bearer …`"
    )]
    NoToken,
    /// The credential is not accepted.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The token was taken back before its task ended.
    #[error("the token was revoked: ask for a new one, or start a new task")]
    Revoked,
    /// The proof that the token's key is held is missing or not good (RFC 9449).
    #[error("{0}")]
    Proof(String),
    /// The task is over.
    #[error("the task {0} has ended or expired: start a new one")]
    TaskEnded(String),
    /// The token names an agent the plane does not have.
    #[error("the agent {0} is not registered on this plane")]
    UnknownAgent(String),
    /// The system is not there, or not for this caller to know about.
    #[error("there is no system {0} on this plane that your charter reaches")]
    UnknownSystem(String),
    /// No held call of this caller's has this id.
    #[error("there is no held call {0} of yours")]
    UnknownApproval(String),
    /// The bytes are not a call we read.
    #[error("{}", .0.message)]
    Protocol(RpcError),
    /// A bound was reached.
    #[error("the limit `{limit}` ({value}) is reached: {cure}")]
    Limit {
        /// Its name under `[limits]`.
        limit: &'static str,
        /// Its value.
        value: u64,
        /// What the caller can do.
        cure: &'static str,
    },
    /// The page that sent this is not one we serve (DNS rebinding, cross-site requests).
    #[error("the origin or host `{0}` is not one this plane is served under")]
    Origin(String),

    // --- policy: a refusal is an answer ---
    /// The recorded verdict is not an allow.
    #[error("{}", summary(.0))]
    Verdict(Arc<Decision>),
    /// The recorded verdict is a hold, and people have been asked.
    #[error("{} {}", summary(&.0.decision), .0.note())]
    Held(Box<Held>),
    /// Stopped while under way: suspended, contained, or the task ended.
    #[error("the call was cut: {0}")]
    Cut(String),

    // --- the system behind ---
    /// The system could not be reached, or misbehaved.
    #[error("{0}")]
    Upstream(String),
    /// The system took longer than it may.
    #[error("{0}")]
    Late(String),

    // --- us ---
    /// What the node knows is too old to decide on.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The record could not be written, so nothing was done.
    #[error("the decision could not be recorded, so the call was not made: {0}")]
    NotRecorded(#[source] RecordError),
    /// The store could not be read.
    #[error("the plane could not read its own state, so the call was not made: {0}")]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("the plane failed while handling this call, so it was not made: {0}")]
    Internal(String),
}

/// Who is to blame: the first thing an operator wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Whoever called.
    Caller,
    /// Nobody: policy answered.
    Policy,
    /// The system behind.
    Upstream,
    /// The plane.
    Us,
}

impl Refusal {
    /// A fault of ours, in words.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(what.into())
    }

    /// Who is to blame.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::NoToken
            | Self::Token(_)
            | Self::Revoked
            | Self::Proof(_)
            | Self::TaskEnded(_)
            | Self::UnknownAgent(_)
            | Self::UnknownSystem(_)
            | Self::UnknownApproval(_)
            | Self::Protocol(_)
            | Self::Limit { .. }
            | Self::Origin(_) => Blame::Caller,
            Self::Verdict(_) | Self::Held(_) | Self::Cut(_) => Blame::Policy,
            Self::Upstream(_) | Self::Late(_) => Blame::Upstream,
            Self::Stale(_) | Self::NotRecorded(_) | Self::Store(_) | Self::Internal(_) => Blame::Us,
        }
    }

    /// What a client whose token is missing or not good is told to do (`WWW-Authenticate`).
    #[must_use]
    pub fn challenge(&self, metadata_url: &str) -> Option<HeaderValue> {
        let text = self.to_string();
        let error = ("invalid_token", text.as_str());
        let challenge = match self {
            Self::NoToken => told::challenge(metadata_url, None, None),
            Self::Proof(_) | Self::Token(TokenError::Binding) => {
                let algs: Vec<&str> = DPOP_ALGORITHMS.iter().map(|alg| alg.as_str()).collect();
                told::proof_challenge(metadata_url, error, &algs.join(" "))
            }
            _ => told::challenge(metadata_url, None, Some(error)),
        };
        HeaderValue::from_str(&challenge).ok()
    }

    /// A stable word for records, metrics and clients.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "token-missing",
            Self::Token(error) => error.code(),
            Self::Revoked => "token-revoked",
            Self::Proof(_) => "token-proof",
            Self::TaskEnded(_) => "task-ended",
            Self::UnknownAgent(_) => "agent-unknown",
            Self::UnknownSystem(_) => "system-unknown",
            Self::UnknownApproval(_) => "approval-unknown",
            Self::Protocol(_) => "protocol",
            Self::Limit { .. } => "limit",
            Self::Origin(_) => "origin",
            Self::Verdict(decision) => decision.verdict.as_str(),
            Self::Held(held) => held.decision.verdict.as_str(),
            Self::Cut(_) => "cut",
            Self::Upstream(_) => "upstream",
            Self::Late(_) => "upstream-late",
            Self::Stale(_) => "stale",
            Self::NotRecorded(_) => "not-recorded",
            Self::Store(_) => "store",
            Self::Internal(_) => "internal",
        }
    }

    /// The HTTP status it has on every face that has no word of its own for it.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::NoToken
            | Self::Token(_)
            | Self::Revoked
            | Self::Proof(_)
            | Self::TaskEnded(_)
            | Self::UnknownAgent(_) => 401,
            Self::Origin(_) | Self::Verdict(_) | Self::Held(_) | Self::Cut(_) => 403,
            Self::UnknownSystem(_) | Self::UnknownApproval(_) => 404,
            Self::Protocol(error) => error.http_status,
            Self::Limit { limit: "body_bytes_max" | "proxy_upload_bytes_max", .. } => 413,
            Self::Limit { .. } => 429,
            Self::Upstream(_) => 502,
            Self::Late(_) => 504,
            Self::Stale(_) | Self::NotRecorded(_) | Self::Store(_) => 503,
            Self::Internal(_) => 500,
        }
    }
}

impl From<RpcError> for Refusal {
    fn from(error: RpcError) -> Self {
        Self::Protocol(error)
    }
}

/// The verdict in one sentence, with the id a person can ask about.
#[must_use]
pub fn summary(decision: &Decision) -> String {
    let reasons: Vec<&str> = decision.verdict.reasons().iter().map(|reason| reason.reason.as_str()).collect();
    let word = match decision.verdict.as_str() {
        "hold" => "held for approval",
        "deny" => "denied",
        other => other,
    };
    format!("{} was {word}: {} ({})", decision.tool, reasons.join("; "), decision.id)
}
