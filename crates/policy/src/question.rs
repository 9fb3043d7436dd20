//! What the decision point is asked, and what it answers.

use provost_domain::{
    Agent, ArgsFrom, Digest, DurationMs, Name, System, Task, TaskState, Timestamp, Tool, Verdict,
};
use serde_json::{Map, Value};

/// One call, as the gateway sees it just before it would happen.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who acts.
    pub agent: &'a Agent,
    /// In which task.
    pub task: &'a Task,
    /// What the task has read so far.
    pub state: &'a TaskState,
    /// On which system.
    pub system: &'a System,
    /// By which tool; for the operations every MCP server has, [`provost_domain::tool::BuiltIn::tool`].
    pub tool: &'a Tool,
    /// Whether the server still defines the tool as it was reviewed.
    pub pinned: bool,
    /// The arguments, whole.
    pub args: &'a Map<String, Value>,
    /// Who has said yes to exactly this action.
    pub approvals: &'a [String],
    /// Budgets of the charter that this call would overdraw (see [`crate::Draw`]).
    pub exhausted: &'a [Name],
    /// Where the arguments came from, as far as their tool says that it matters; [`provost_domain::origin::NOTHING`] where
    /// nobody looked.
    pub args_from: &'a ArgsFrom,
    /// On whose behalf: the agents that handed the work on, nearest first, each with its own task.
    pub chain: &'a [Link<'a>],
    /// The present moment.
    pub now: Timestamp,
}

/// One agent of a chain of delegations.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Who handed the work on.
    pub agent: &'a Agent,
    /// In which of its tasks.
    pub task: &'a Task,
}

/// What the decision point says, and everything needed to say it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What was said.
    pub verdict: Verdict,
    /// Digest over the candidate policies (ids and text) and the schema of the tool.
    pub policies: Digest,
    /// What the question brought that is not in the directory: `args`, `now`, `labels`, `approvals`, `exhausted`,
    /// `pinned`, `task`, `args_from` where anything is known of it, and `chain` where work was handed on. For an application: `subject`, `action`, `resource`, `context`.
    pub input: Value,
    /// Evaluation errors; any makes the verdict a denial, and is an alarm.
    pub errors: Vec<String>,
    /// How many policies were evaluated.
    pub candidates: usize,
}

/// What one call takes from one window of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// The budget's name in the charter; goes into [`Question::exhausted`] when the window has no room.
    pub budget: Name,
    /// Whose balance: `agent/<name>/<budget>/count`, `task/<id>/<budget>/sum`.
    pub key: String,
    /// The length of the window.
    pub window: DurationMs,
    /// How much: 1 for a count, ten-thousandths for a sum. Never negative.
    pub amount: i64,
    /// What the window may reach.
    pub max: i64,
}

/// Why it cannot be said what a call takes from a budget. Such a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("budget `{budget}` cannot be reckoned: `{arg}` {problem}")]
pub struct DrawError {
    /// The budget.
    pub budget: Name,
    /// The argument it sums.
    pub arg: String,
    /// What is wrong with it.
    pub problem: String,
}
