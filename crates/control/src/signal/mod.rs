//! Shared Signals (OpenID SSF 1.0): what the plane tells receivers about agents, tasks and people, and what trusted issuers tell it.
//! Deliveries are those of the outbox (lane `stream/<id>`), so what is told is on record first and told in order.
//!
//! | file | what |
//! |---|---|
//! | `stream` | a receiver manages its stream: make, read, change, remove, status, subjects, verification |
//! | `event` | from a change to events: CAEP and RISC types, subjects (RFC 9493) |
//! | `carry` | one event to one receiver: pushed (RFC 8935), or fetched by it (RFC 8936) |
//! | `receive` | one event of a trusted issuer, and what it does here |

mod carry;
pub(crate) mod event;
pub mod receive;
mod stream;

pub use carry::poll;
pub(crate) use carry::{push, rests};
pub use stream::{
    add_subject, create, list_all, metadata, read, remove, remove_subject, set_status, status, update, verify,
};

use crate::{ControlError, Op, Operator};
use provost_domain::{Name, Stream};
use serde_json::{Value, json};
use std::sync::Arc;

/// Why a receiver's request was not done: a status of HTTP, and words.
#[derive(Debug)]
pub struct SignalError {
    /// The status.
    pub status: u16,
    /// In words.
    pub why: String,
}

impl SignalError {
    fn new(status: u16, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }

    fn wrong(why: impl Into<String>) -> Self {
        Self::new(400, why)
    }

    fn unknown() -> Self {
        Self::new(404, "you have no such stream")
    }
}

impl From<ControlError> for SignalError {
    fn from(error: ControlError) -> Self {
        let status = match &error {
            ControlError::Caller(_) => 400,
            ControlError::NotFound(_) => 404,
            ControlError::Conflict(_) => 409,
            ControlError::Refused(_) => 403,
            ControlError::Upstream { .. } | ControlError::Unavailable { .. } => 503,
            ControlError::Us { .. } => 500,
        };
        Self::new(status, error.text().what.clone())
    }
}

/// The receiver that asks.
fn receiver(op: &Op) -> Result<Name, SignalError> {
    match &op.subject {
        Operator::Workload(name) => Ok(name.clone()),
        other => {
            Err(SignalError::new(403, format!("{other} receives no signals: streams are for workloads")))
        }
    }
}

/// The audience of a receiver's events; a workload without one in its row receives none.
fn audience(op: &Op, receiver: &Name) -> Result<String, SignalError> {
    let view = op.plane.replica.latest();
    let row = view.directory.workloads.get(receiver).filter(|row| row.active);
    row.and_then(|row| row.signals.clone()).ok_or_else(|| {
        SignalError::new(403, format!("workload {receiver} receives no signals: its file has no `signals`"))
    })
}

/// The receiver's own stream; nobody learns whether somebody else's exists.
fn own(op: &Op, receiver: &Name, id: &str) -> Result<Arc<Stream>, SignalError> {
    let view = op.plane.replica.latest();
    let stream = view.directory.streams.get(id).filter(|stream| stream.receiver == *receiver);
    stream.cloned().ok_or_else(SignalError::unknown)
}

/// How a stream is named as a subject (OpenID SSF 1.0 section 8.1.4.1).
fn opaque(id: &str) -> Value {
    json!({ "format": "opaque", "id": id })
}

pub(crate) const PUSH: &str = "urn:ietf:rfc:8935";
pub(crate) const POLL: &str = "urn:ietf:rfc:8936";
