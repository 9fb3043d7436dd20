//! Baselines: what is usual for an agent, and what people say about it.

use crate::Moment;
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is usual for an agent, or for one kind of its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BaselineView {
    /// For whom, in words.
    pub of: String,
    /// The agent; all with its purpose, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// The kind of task, a few words of its purpose; everything the agent does, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When its first run was counted, or it was started again.
    pub since: Moment,
    /// When a run was last counted or put aside.
    pub last: Moment,
    /// Why nothing counts as usual until a person has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// How far recent runs have moved from the reference, of 100.
    pub shift_percent: u8,
    /// What rarity is judged by: the first runs, or those a person agreed to.
    pub reference: CountsView,
    /// Runs since, fading.
    pub recent_runs: u32,
    /// Runs that make nothing usual until a person agrees, with only what would be new about them: those after a change, and
    /// those that something was found about.
    pub aside: CountsView,
    /// Who last decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_at: Option<Moment>,
    /// What: `new`, `old` or `reset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_to: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_why: Option<String>,
}

/// Counts of runs, the commonest first, of each sort at most 40.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountsView {
    /// Runs.
    pub runs: u32,
    /// `system/tool`.
    pub tools: Vec<OftenView>,
    /// Systems.
    pub systems: Vec<OftenView>,
    /// Labels of data that was read.
    pub labels: Vec<OftenView>,
    /// Hours of the day at which runs began, UTC.
    pub hours: Vec<OftenView>,
    /// How many different values steered calls. The values themselves are kept nowhere.
    pub values: usize,
    /// Calls of all runs together.
    pub calls: u64,
    /// Of which failed.
    pub failures: u64,
    /// Of which were refused.
    pub refusals: u64,
}

/// In how many runs something occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OftenView {
    /// What.
    pub what: String,
    /// In how many runs.
    pub runs: u32,
}

/// A decision about what changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineAgree {
    /// Only for this kind of task; everything that waits, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether what was put aside is usual from now on; otherwise it is forgotten, and what was before goes on.
    pub new: bool,
    /// Why, in the words of who decides.
    pub reason: String,
}

/// What is usual is to be learned again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineReset {
    /// Only for this kind of task; everything about the agent, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Instead of what is usual for the agent: what is for all agents with its purpose. Whoever answers for this one alone may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub peers: bool,
    /// Why, in the words of who decides.
    pub reason: String,
}
