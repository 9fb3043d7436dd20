//! How approvals are answered: how long it takes, who says yes to what, and what became of checks.

use crate::{Moment, Span};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which approvals are measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QualityQuery {
    /// Asked for at or after; the last 30 days, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Answered by this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Of this operation: `bank/transfer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// The quality of approvals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityView {
    /// Measured are those asked for since.
    pub since: Moment,
    /// Whether those are all; otherwise there were more than are measured (5,000), or than this node has read since it started.
    pub complete: bool,
    /// All of them.
    pub all: MeasureView,
    /// By day in UTC, the oldest first.
    pub days: Vec<NamedMeasure>,
    /// By operation, those with most first.
    pub tools: Vec<NamedMeasure>,
    /// By agent, those with most first.
    pub agents: Vec<NamedMeasure>,
    /// By person, those with most first: everybody for operators and administrators, oneself for others.
    pub people: Vec<PersonQuality>,
    /// Checks that are over, by what became of them; for operators and administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<ChecksView>,
}

/// What is measured of approvals of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeasureView {
    /// Asked for.
    pub asked: usize,
    /// Granted as they were asked for.
    pub granted: usize,
    /// Refused.
    pub refused: usize,
    /// Granted with other arguments.
    pub edited: usize,
    /// Answered by nobody in time.
    pub timed_out: usize,
    /// Taken back, or their task ended.
    pub withdrawn: usize,
    /// Of a hundred that were decided, so many were granted as they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Half of those decided took no longer than this from asked to decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<Span>,
    /// Nine of ten took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90: Option<Span>,
}

/// What is measured of one operation, agent or day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedMeasure {
    /// `bank/transfer`, `invoice-clerk`, `2026-11-30`.
    pub name: String,
    /// What is measured.
    #[serde(flatten)]
    pub measure: MeasureView,
}

/// What is measured of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonQuality {
    /// Who.
    #[schema(value_type = String)]
    pub person: Name,
    /// Waits for this person now.
    pub waiting: usize,
    /// Yes.
    pub yes: usize,
    /// No.
    pub no: usize,
    /// Yes with other arguments.
    pub edited: usize,
    /// Of a hundred answers, so many were yes as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Half of the answers came no later than this after they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<Span>,
    /// Nine of ten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90: Option<Span>,
    /// Answers on a day with any, on average.
    pub per_day: usize,
    /// Answers on the day with most.
    pub busiest_day: usize,
    /// Answers faster than what was shown can be read.
    pub hurried: usize,
    /// Answers given after a warning that this goes too fast.
    pub warned: usize,
    /// Checks refused, as one should.
    pub checks_refused: usize,
    /// Checks approved.
    pub checks_approved: usize,
}

/// Checks that are over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChecksView {
    /// Refused, as one should.
    pub refused: usize,
    /// Approved.
    pub approved: usize,
    /// Answered by nobody.
    pub unanswered: usize,
}
