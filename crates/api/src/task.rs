//! Tasks and their tokens.

use crate::{Moment, Span};
use provost_domain::{
    Name, TaskId,
    charter::ArgRule,
    task::{Probe, TaskScope, Trial},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A task to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskStart {
    /// Whose run it is.
    #[schema(value_type = String)]
    pub agent: Name,
    /// What this run is for; a person later judges it by this.
    pub purpose: String,
    /// The person who asks for it; the agent's owner, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub requester: Option<Name>,
    /// What that person gives it to work with besides the purpose, by name: an invoice number, an account, an address. Such a
    /// value is the requester's wherever it steers a call. At most 64, of 8,192 bytes together.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub inputs: BTreeMap<String, String>,
    /// How long it may last; the charter's longest, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// The part of the charter it may use; all of it, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<ScopePart>>,
    /// The one system its token is for; all of them (`/mcp`), if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub system: Option<Name>,
    /// What the agent is made of, part by part: digests or names of `model`, `prompt`, `tools`, `image`. An agent that is not made
    /// of what was approved starts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<BTreeMap<String, String>>,
}

/// Tools of one system that a task may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopePart {
    /// The system.
    #[schema(value_type = String)]
    pub system: Name,
    /// Its tools; all the charter grants there, if empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub tools: Vec<provost_domain::ToolName>,
    /// Limits on arguments, by dotted path, as a charter states them; they hold beside the charter's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, Object>)]
    pub args: BTreeMap<String, ArgRule>,
}

impl From<ScopePart> for TaskScope {
    fn from(part: ScopePart) -> Self {
        Self { system: part.system, tools: part.tools.into(), args: part.args }
    }
}

impl From<&TaskScope> for ScopePart {
    fn from(part: &TaskScope) -> Self {
        Self { system: part.system.clone(), tools: part.tools.to_vec(), args: part.args.clone() }
    }
}

/// A token to ask for, for a task that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The one system it is for; all of them (`/mcp`), if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub system: Option<Name>,
}

/// A task with a token for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskStarted {
    /// The task.
    pub task: TaskSummary,
    /// The bearer token, shown here and kept nowhere.
    pub token: String,
    /// When the token stops working; ask for another while the task runs.
    pub token_expires: Moment,
    /// The URL the token is for: the MCP server to configure in the client.
    pub resource: String,
}

/// A token in a debug print would be a token in a log.
impl std::fmt::Debug for TaskStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskStarted").field("task", &self.task.id).finish_non_exhaustive()
    }
}

/// Which tasks. Ended ones are found through `GET /tasks/{id}` and the agent's decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TaskQuery {
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

/// A task in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskSummary {
    /// Names it for ever.
    #[schema(value_type = String)]
    pub id: TaskId,
    /// Whose run it is.
    #[schema(value_type = String)]
    pub agent: Name,
    /// What it is for.
    pub purpose: String,
    /// Who asked for it.
    #[schema(value_type = String)]
    pub requester: Name,
    /// The task on whose behalf it runs, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parent: Option<TaskId>,
    /// `running`, `expired` or `ended`.
    pub status: String,
    /// When it started.
    pub started: Moment,
    /// When it ends by itself.
    pub expires: Moment,
    /// The part of the charter it may use; all of it, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<ScopePart>>,
}

/// A task, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: TaskSummary,
    /// The tasks right below it that have not ended, in order of their start, at most 100.
    #[serde(default)]
    pub children: Vec<TaskSummary>,
    /// What it has read so far.
    pub labels: Vec<String>,
    /// What its budgets have left.
    pub balances: Vec<BalanceView>,
    /// What was decided for it, newest first, at most 20; the rest through `GET /decisions?task=`.
    pub decisions: Vec<crate::decision::DecisionSummary>,
    /// What the plane's faces said to a token of it after it had ended; not tried yet, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialView>,
    /// What the agent said that it is made of when the task started.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub made_of: BTreeMap<String, String>,
    /// Who changed it, newest first.
    pub history: Vec<crate::agent::ChangeView>,
}

/// How the plane tried a task that had ended: with a token good in every other way, at each face it could have reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    /// Whether every face refused.
    pub gone: bool,
    /// How often it was tried.
    pub round: u8,
    /// What each face said the last time.
    pub probes: Vec<ProbeView>,
}

/// What one face said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// Its path.
    pub face: String,
    /// When.
    pub at: Moment,
    /// `refused`; `accepted`, which is an alarm; or `unreachable`.
    pub answer: String,
    /// The HTTP status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl From<&Trial> for TrialView {
    fn from(trial: &Trial) -> Self {
        let probe = |probe: &Probe| ProbeView {
            face: probe.face.clone(),
            at: probe.at.into(),
            answer: probe.answer.as_str().to_owned(),
            status: probe.status,
        };
        Self { gone: trial.is_gone(), round: trial.round, probes: trial.probes.iter().map(probe).collect() }
    }
}

/// What a budget has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceView {
    /// Which balance: `agent/<name>/<budget>/count`, `task/<id>/<budget>/sum`.
    pub budget: String,
    /// The window that slides.
    pub window: Span,
    /// Used within it; calls, or the sum as a decimal.
    pub used: String,
    /// The most it may reach.
    pub max: String,
    /// What is left.
    pub left: String,
}
