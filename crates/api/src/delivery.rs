//! Deliveries: what the plane owes somebody outside, and what became of it.

use crate::{Moment, agent::ChangeView};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A delivery in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliverySummary {
    /// Names it; the receiver sees the same, each time it is sent.
    pub id: String,
    /// Where to: `channel/ops`, `channel/mail/maria`. What shares a lane arrives in order.
    pub lane: String,
    /// What it is: `asked`, `decided`, …
    pub kind: String,
    /// In one line.
    pub title: String,
    /// The row it is about: `approval approval_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// `due`, `delivered`, `given-up` or `withdrawn`.
    pub state: String,
    /// Since when it is owed.
    pub created: Moment,
    /// How often it was tried.
    pub attempts: u32,
    /// Not tried before then, if it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Moment>,
    /// When it was over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Moment>,
    /// What the receiver said, or why it was given up or withdrawn, or why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// A delivery, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: DeliverySummary,
    /// From this moment on it is not tried again.
    pub until: Moment,
    /// What is sent, before it is put into the words of its destination.
    #[schema(value_type = Object)]
    pub payload: serde_json::Map<String, serde_json::Value>,
    /// How it went, newest first.
    pub history: Vec<ChangeView>,
}

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// Only in this state: `due`, `delivered`, `given-up`, `withdrawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only on lanes that begin so: `channel/ops`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Only about this row: `approval_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A stream of Shared Signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamView {
    /// Names it.
    pub id: String,
    /// The workload that receives it.
    #[schema(value_type = String)]
    pub receiver: Name,
    /// `aud` of its events.
    pub audience: String,
    /// The types of event it gets.
    pub events: Vec<String>,
    /// `poll`, or where they are pushed to.
    pub method: String,
    /// `enabled`, `paused` or `disabled`.
    pub status: String,
    /// When it was made.
    pub created: Moment,
    /// Events on their way.
    pub due: usize,
}
