//! Word that is owed to whoever asked for access (AuthZEN Access Request and Approval Profile, callback): who is told what, where.

use crate::{Delivery, Name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a delivery of this kind holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// In a sentence, for people who look at what is owed.
    pub title: String,
    /// The task's handle.
    pub task: String,
    /// Where its state is read.
    pub status_endpoint: String,
    /// Where word of its end is sent.
    pub endpoint: String,
    /// Given back as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The ends that are told; all, if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<String>,
    /// The approvals behind the task's items, in order.
    pub approvals: Vec<String>,
}

impl Owed {
    /// What a delivery of this kind holds; nothing, for any other.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Option<Self> {
        (delivery.kind == KIND)
            .then(|| serde_json::from_value(Value::Object(delivery.payload.clone())).ok())?
    }

    /// The same as the members of a delivery.
    #[must_use]
    pub fn payload(&self) -> Option<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(payload)) => Some(payload),
            _ => None,
        }
    }

    /// Whether this end is to be told.
    #[must_use]
    pub fn hears(&self, status: &str) -> bool {
        self.events.is_empty() || self.events.contains(status)
    }
}

/// The lane of one task: no task waits for another's receiver.
#[must_use]
pub fn lane(workload: &Name, task: &str) -> String {
    format!("{LANE}{workload}/{task}")
}

/// The workload that a lane leads to; nothing, for a lane of another kind.
#[must_use]
pub fn of_lane(lane: &str) -> Option<&str> {
    lane.strip_prefix(LANE)?.split('/').next()
}

/// What such a delivery is called.
pub const KIND: &str = "access-request-over";
const LANE: &str = "callback/";
