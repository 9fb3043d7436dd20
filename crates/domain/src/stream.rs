//! Streams of Shared Signals (OpenID SSF 1.0): what a receiver wants to hear of, and how it gets it. What is on its way is in
//! [`crate::Delivery`] rows of the lane `stream/<id>`.

use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// One receiver's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Names it for ever: `stream-` and hexadecimal digits.
    pub id: String,
    /// The workload that receives it.
    pub receiver: Name,
    /// `aud` of its events.
    pub audience: String,
    /// What the receiver calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The types of event it asked for; all that there are, if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requested: BTreeSet<String>,
    /// How it gets them.
    pub method: StreamMethod,
    /// Subjects it does not want to hear of any more (RFC 9493 identifiers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Value>,
    /// Whether anything is sent.
    pub status: StreamStatus,
    /// Why it is not, in the receiver's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When the receiver last asked for a verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
}

/// How a receiver gets its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum StreamMethod {
    /// The plane posts each (RFC 8935).
    Push {
        /// Where to.
        url: String,
        /// Whether an `Authorization` header is sealed under the stream's id, and goes along.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        authorization: bool,
    },
    /// The receiver fetches them (RFC 8936).
    Poll,
}

/// Whether a stream runs (OpenID SSF 1.0 section 8.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamStatus {
    /// Events are sent.
    Enabled,
    /// Events are kept.
    Paused,
    /// Events are neither sent nor kept.
    Disabled,
}

impl StreamStatus {
    /// The word used by the protocol.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

impl Stream {
    /// The lane of what is on its way to the receiver.
    #[must_use]
    pub fn lane(&self) -> String {
        format!("{LANE}{}", self.id)
    }

    /// The stream that a lane leads to.
    #[must_use]
    pub fn of_lane(lane: &str) -> Option<&str> {
        lane.strip_prefix(LANE)
    }

    /// Whether it gets events of this type.
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        self.requested.is_empty() || self.requested.contains(event)
    }
}

const LANE: &str = "stream/";
