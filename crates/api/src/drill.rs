//! Drills: the kill switch, tried before it is needed.

use crate::{Moment, Span, Took};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A drill to be carried out now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillRun {
    /// Whose reach is tried, on a canary.
    #[schema(value_type = String)]
    pub agent: Name,
    /// What each measured time should be at most; a second, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Span>,
}

/// Which drills, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DrillQuery {
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A drill, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrillView {
    /// Names it for ever.
    pub id: String,
    /// Whose reach was tried.
    #[schema(value_type = String)]
    pub agent: Name,
    /// The plan it was due by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub plan: Option<Name>,
    /// Who asked for it.
    pub by: String,
    /// When it began.
    pub at: Moment,
    /// What each measured time should be at most.
    pub target: Span,
    /// `running`, `passed` or `failed`.
    pub result: String,
    /// Why it failed, if it did.
    pub why: Vec<String>,
    /// What was measured, if it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredView>,
}

/// What a drill measured; times are from the acknowledgement of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredView {
    /// The order.
    pub order: String,
    /// How long the order took to be acknowledged.
    pub acknowledged: Took,
    /// Until the first call was refused.
    pub first_refused: Took,
    /// Until what was in flight had ended.
    pub last_ended: Took,
    /// Calls that were made.
    pub calls: u32,
    /// Calls that began after the acknowledgement and were let through.
    pub late: u32,
    /// What was proven of each system: `bank contained`.
    pub systems: Vec<String>,
}
