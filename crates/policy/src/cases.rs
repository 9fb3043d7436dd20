//! Tests for policies, as data: given an agent and its circumstances, when it calls a tool, then this is said. For
//! the people who write policies; the files are TOML and are read by whoever runs them.

use crate::{Pdp, Question, charter};
use provost_domain::{
    ArgsFrom, Directory, Label, Name, Origin, Task, TaskState, Timestamp, ToolName, Verdict,
    ids::TaskId,
    origin::Past,
    task::{TaskScope, TaskStatus},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// Who, and under which circumstances.
    pub given: Given,
    /// The call.
    pub when: When,
    /// What must be said.
    pub then: Then,
}

/// Who, and under which circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// An agent of the organisation.
    pub agent: Name,
    /// What its task has read.
    #[serde(default)]
    pub labels: BTreeSet<Label>,
    /// The moment, as in `2026-11-23T09:30:00Z` (RFC 3339); a Monday noon, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Who has said yes.
    #[serde(default)]
    pub approvals: Vec<String>,
    /// Budgets without room.
    #[serde(default)]
    pub exhausted: Vec<Name>,
    /// What its task is for.
    #[serde(default)]
    pub purpose: String,
    /// Who asked for its task; the owner, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Name>,
    /// The part of the charter its task may use; all of it, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<TaskScope>>,
    /// Where values come from that steer the call, as `context.steered` has them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub steered: BTreeSet<Origin>,
    /// Labels of data that the arguments hold.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub carries: BTreeSet<Label>,
    /// What the task did before that is dangerous with what comes next.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub past: BTreeSet<Past>,
    /// How far the run is from what is usual, in hundredths.
    #[serde(default)]
    pub drift: u32,
    /// Whether the server still defines the tool as it was reviewed.
    #[serde(default = "yes")]
    pub pinned: bool,
}

/// The call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// On which system.
    pub system: Name,
    /// By which tool.
    pub tool: ToolName,
    /// With which arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
}

/// What must be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// `allow`, `hold` or `deny`.
    pub verdict: Said,
    /// The ids of the policies behind it, exactly these in any order; not looked at, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<BTreeSet<String>>,
}

/// A verdict's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Said {
    Allow,
    Hold,
    Deny,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// Whether it said what it must.
    pub passed: bool,
    /// What was said; nothing when the case could not be run.
    pub verdict: Option<Verdict>,
    /// What is different, a line each.
    pub differences: Vec<String>,
}

/// Runs cases against an organisation, in order.
#[must_use]
pub fn run_cases(directory: &Directory, cases: &[Case]) -> Vec<CaseResult> {
    let pdp = Pdp::new(directory.clone());
    cases
        .iter()
        .map(|case| {
            let (verdict, differences) = match run(&pdp, case) {
                Ok(verdict) => {
                    let differences = compare(&case.then, &verdict);
                    (Some(verdict), differences)
                }
                Err(problem) => (None, vec![problem]),
            };
            CaseResult { name: case.name.clone(), passed: differences.is_empty(), verdict, differences }
        })
        .collect()
}

fn run(pdp: &Pdp, case: &Case) -> Result<Verdict, String> {
    let (directory, Given { agent: name, .. }, when) = (pdp.directory(), &case.given, &case.when);
    let agent = directory.agents.get(name).ok_or_else(|| format!("no agent is named `{name}`"))?;
    let system =
        directory.systems.get(&when.system).ok_or_else(|| format!("no system is named `{}`", when.system))?;
    let tool = charter::find_tool(directory, &when.system, &when.tool)
        .ok_or_else(|| format!("system `{}` has no tool `{}`", when.system, when.tool))?;
    let now = moment(case.given.at.as_deref().unwrap_or(MONDAY_NOON))?;
    let task = Task {
        id: TaskId::from_bytes([0; 16]),
        agent: name.clone(),
        purpose: case.given.purpose.as_str().into(),
        requester: case.given.requester.clone().unwrap_or_else(|| agent.charter.owner.clone()),
        scope: case.given.scope.as_deref().map(Into::into),
        started: now,
        expires: now.plus(agent.charter.task_duration_max),
        status: TaskStatus::Running,
        parent: None,
        revoked: Default::default(),
        for_person: false,
        refresh: None,
        trial: None,
        inputs: Default::default(),
        bill: None,
    };
    let state = TaskState { version: 0, labels: case.given.labels.clone() };
    let args_from = ArgsFrom {
        steered: case.given.steered.clone(),
        carries: case.given.carries.clone(),
        past: case.given.past.clone(),
        drift: case.given.drift,
        ..ArgsFrom::default()
    };
    let evaluation = pdp.decide(&Question {
        agent,
        task: &task,
        state: &state,
        system,
        tool: &tool,
        pinned: case.given.pinned,
        args: &when.args,
        approvals: &case.given.approvals,
        exhausted: &case.given.exhausted,
        args_from: &args_from,
        chain: &[],
        now,
    });
    Ok(evaluation.verdict)
}

fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map(|moment: jiff::Timestamp| Timestamp::from_millis(moment.as_millisecond()))
        .map_err(|error| format!("`at` is not a moment such as {MONDAY_NOON}: {error}"))
}

fn compare(then: &Then, verdict: &Verdict) -> Vec<String> {
    let mut differences = Vec::new();
    if then.verdict.as_str() != verdict.as_str() {
        let reasons: Vec<&str> = verdict.reasons().iter().map(|reason| reason.reason.as_str()).collect();
        differences.push(format!(
            "expected {}, and it said {}: {}",
            then.verdict.as_str(),
            verdict.as_str(),
            reasons.join("; ")
        ));
    }
    if let Some(expected) = &then.policies {
        let found: BTreeSet<String> = verdict.reasons().iter().map(|reason| reason.policy.clone()).collect();
        differences.extend(
            expected.difference(&found).map(|id| format!("expected policy {id}, which did not speak")),
        );
        differences.extend(
            found.difference(expected).map(|id| format!("policy {id} spoke, which was not expected")),
        );
    }
    differences
}

impl Said {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

const fn yes() -> bool {
    true
}

const MONDAY_NOON: &str = "2026-01-05T12:00:00Z";
