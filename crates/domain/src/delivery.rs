//! What the plane owes somebody outside: one message, one signal, one order. It is on record before it is sent, and owed until
//! the receiver acknowledged it, it was given up, or nobody needs it any more.

use crate::{ObjectKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something owed. Its id goes along each time it is sent, so that a receiver who got it twice takes it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Names it for ever, and follows from what it is about: the same cause never makes two ([`delivery_id`]).
    pub id: String,
    /// Where to. What shares a lane arrives in order: a later one waits for an earlier one.
    /// `channel/ops`, `channel/mail/maria`, `stream/…`, `scim/bank/clerk`.
    pub lane: String,
    /// Its place in the lane; ids decide between equals.
    pub order: u64,
    /// What it is: `asked`, `decided`, …
    pub kind: String,
    /// The row it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<ObjectKey>,
    /// What is sent, before it is put into the words of its destination.
    pub payload: Map<String, Value>,
    /// Nobody needs it once what it is about waits no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_while_waiting: bool,
    /// Something will follow it when what it is about is over: until that is on record it stays known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub followed: bool,
    /// When it came to be owed.
    pub created: Timestamp,
    /// From this moment on it is not tried again.
    pub until: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What came of the last attempt that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It is owed.
    Due {
        /// Not tried before.
        next: Timestamp,
    },
    /// The receiver acknowledged it.
    Delivered {
        /// When.
        at: Timestamp,
        /// What the receiver said.
        receipt: String,
    },
    /// It is not tried any more: the receiver refuses it, or did not take it in time.
    GivenUp {
        /// Since when.
        at: Timestamp,
        /// Why.
        why: String,
    },
    /// Nobody needed it any more.
    Withdrawn {
        /// Since when.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

impl Delivery {
    /// Whether it is owed.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        matches!(self.state, DeliveryState::Due { .. })
    }

    /// Not tried before then; `None` when it is not owed.
    #[must_use]
    pub const fn next(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Due { next } => Some(next),
            _ => None,
        }
    }
}

impl DeliveryState {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Due { .. } => "due",
            Self::Delivered { .. } => "delivered",
            Self::GivenUp { .. } => "given-up",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }
}

/// The id of what one cause owes one lane: `delivery_` and 32 hexadecimal digits.
#[must_use]
pub fn delivery_id(cause: &str, lane: &str) -> String {
    let digest = crate::Digest::of(format!("{cause}\n{lane}").as_bytes()).to_string();
    let digits: String = digest.chars().skip("sha256:".len()).take(DIGITS).collect();
    format!("{PREFIX}{digits}")
}

const PREFIX: &str = "delivery_";
const DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_owes_one_lane_one_thing() {
        let id = delivery_id("asked approval_1", "channel/ops");
        assert_eq!(id, delivery_id("asked approval_1", "channel/ops"));
        assert!(id.starts_with("delivery_") && id.len() == "delivery_".len() + 32);
        for (cause, lane) in [("asked approval_2", "channel/ops"), ("asked approval_1", "channel/other")] {
            assert_ne!(id, delivery_id(cause, lane));
        }
    }
}
