//! Trust that is earned: where an agent stands, and what is asked of it before it is trusted further.

use crate::Moment;
use provost_domain::{Autonomy, Name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far an agent is trusted, and what stands before the next grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandingView {
    /// The agent.
    #[schema(value_type = String)]
    pub agent: Name,
    /// How far it is trusted: `probation`, `supervised`, `bounded`.
    #[schema(value_type = String)]
    pub autonomy: Autonomy,
    /// How far its charter would trust it, once it has earned that.
    #[schema(value_type = String)]
    pub declared: Autonomy,
    /// Since when.
    pub since: Moment,
    /// Whether trust has to be earned in this organisation.
    pub graduated: bool,
    /// The grade it could be promoted to; none, if it has all that its charter declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Autonomy>,
    /// Whether every gate before that grade is met.
    pub ready: bool,
    /// The gates.
    pub gates: Vec<GateView>,
    /// How many decisions the figures are of; the newest, where there were more than are looked through.
    pub decisions: u64,
    /// Whether all decisions since then were looked through.
    pub whole: bool,
}

/// One gate before a grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateView {
    /// Which: `time`, `actions`, `denied`, `refused`, `drift`, `incidents`, `contained`, `drill`.
    pub gate: String,
    /// Whether it is met.
    pub met: bool,
    /// What is asked.
    pub asked: String,
    /// What was found.
    pub found: String,
}

/// Trust an agent a grade further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// Why, for the record.
    pub reason: String,
    /// Whose word it is, where the local administrator passes it on: this person cannot agree to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
}
