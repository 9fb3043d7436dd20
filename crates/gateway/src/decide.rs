//! From an attempt to a decision: pure, synchronous, and complete enough to be made again from its record.

use crate::{approval::Uses, identify::Caller};
use provost_domain::{
    Action, ArgsFrom, Decision, DecisionId, Digest, Name, NodeId, System, Task, TaskState, Timestamp, Tool,
    ToolName, Verdict,
    canonical::CanonicalError,
    charter::ArgRule,
    decision::{Subject, tool_path},
    task::TaskScope,
};
use provost_policy::{Draw, DrawError, Evaluation, Pdp, Question};
use provost_replica::View;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// One call as the pipeline carries it from *identify* to *act*.
#[derive(Clone)]
pub struct Attempt {
    /// Through which face.
    pub face: &'static str,
    /// What the node knew when the call came in; the whole call is decided on this view.
    pub view: Arc<View>,
    /// Who calls.
    pub caller: Caller,
    /// On which system.
    pub system: Arc<System>,
    /// By which operation.
    pub name: ToolName,
    /// That operation as a person reviewed it; `None` when nobody has.
    pub tool: Option<Arc<Tool>>,
    /// Whether the system still defines it as reviewed.
    pub pinned: bool,
    /// With which arguments.
    pub args: Map<String, Value>,
    /// Which approvals it may use up.
    pub uses: Uses,
}

/// What changes between two looks at the same attempt.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// What the task has read.
    pub state: TaskState,
    /// Budgets that have no room for this call.
    pub exhausted: Vec<Name>,
    /// Where the arguments came from, for that state.
    pub args_from: ArgsFrom,
    /// Approvals and envelopes that turned out to be used up.
    pub spent: BTreeSet<String>,
}

/// The verdict on an attempt.
#[must_use]
pub fn verdict(attempt: &Attempt, moment: &Moment, now: Timestamp) -> Evaluation {
    verdict_with(attempt, moment, &[], now)
}

/// The verdict once these have said yes to exactly this action.
#[must_use]
pub fn verdict_with(attempt: &Attempt, moment: &Moment, approvals: &[String], now: Timestamp) -> Evaluation {
    let Some(tool) = &attempt.tool else { return unreviewed(attempt, now) };
    let chain = attempt.caller.links();
    attempt.view.pdp.decide(&Question {
        agent: &attempt.caller.agent,
        task: &attempt.caller.task,
        state: &moment.state,
        system: &attempt.system,
        tool,
        pinned: attempt.pinned,
        args: &attempt.args,
        approvals,
        exhausted: &moment.exhausted,
        args_from: &moment.args_from,
        chain: &chain,
        now,
    })
}

/// Whether the arguments are inside these limits, told as a task's own limits are: by the same compiler, with the same
/// meaning. Whatever else stands in the way of the call is not asked here.
#[must_use]
pub fn within(
    attempt: &Attempt,
    moment: &Moment,
    limits: &BTreeMap<String, ArgRule>,
    now: Timestamp,
) -> bool {
    if limits.is_empty() {
        return true;
    }
    let Some(tool) = &attempt.tool else { return false };
    let part = TaskScope {
        system: attempt.system.name.clone(),
        tools: Arc::new([attempt.name.clone()]),
        args: limits.clone(),
    };
    let task = Task { scope: Some(Arc::new([part])), ..attempt.caller.task.as_ref().clone() };
    let question = Question {
        agent: &attempt.caller.agent,
        task: &task,
        state: &moment.state,
        system: &attempt.system,
        tool,
        pinned: attempt.pinned,
        args: &attempt.args,
        approvals: &[],
        exhausted: &moment.exhausted,
        args_from: &moment.args_from,
        chain: &[],
        now,
    };
    !matches!(attempt.view.pdp.decide(&question).verdict, Verdict::Deny { .. })
}

/// The action an attempt is.
#[must_use]
pub fn action(attempt: &Attempt) -> Action {
    Action {
        agent: attempt.caller.agent.name.clone(),
        task: attempt.caller.task.id,
        system: attempt.system.name.clone(),
        tool: attempt.name.clone(),
        args: attempt.args.clone(),
    }
}

/// What the attempt takes from the budgets of its charter.
///
/// # Errors
/// When an argument that a budget sums cannot be reckoned; the verdict on such a call is a denial already.
pub fn draws(attempt: &Attempt) -> Result<Vec<Draw>, DrawError> {
    let Some(tool) = &attempt.tool else { return Ok(Vec::new()) };
    let Caller { agent, task, chain } = &attempt.caller;
    let mut draws = Pdp::budgets(agent, tool, &attempt.args, task)?;
    // Who hands work on pays for it too: otherwise a budget would be as many budgets as there are children.
    for link in chain.iter() {
        draws.extend(Pdp::budgets(&link.agent, tool, &attempt.args, &link.task)?);
    }
    Ok(draws)
}

/// The record of a verdict.
///
/// # Errors
/// Never for arguments that were parsed from JSON.
pub fn decision(
    attempt: &Attempt,
    (evaluation, approval): (Evaluation, Option<String>),
    id: DecisionId,
    node: NodeId,
    now: Timestamp,
) -> Result<Decision, CanonicalError> {
    let Caller { agent, task, .. } = &attempt.caller;
    Ok(Decision {
        v: 1,
        id,
        at: now,
        node,
        view: attempt.view.directory.seq,
        policies: evaluation.policies,
        face: attempt.face.to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: agent.name.to_string(),
            owner: Some(agent.charter.owner.clone()),
            revision: Some(agent.revision),
            task: Some(task.id),
            requester: Some(task.requester.clone()),
        },
        system: attempt.system.name.clone(),
        tool: tool_path(&attempt.system.name, &attempt.name),
        action: action(attempt).digest()?,
        approval,
        input: evaluation.input,
        verdict: evaluation.verdict,
        errors: evaluation.errors,
    })
}

/// Nobody reviewed this operation, so nothing is known of what it does: denied before any policy is asked.
fn unreviewed(attempt: &Attempt, now: Timestamp) -> Evaluation {
    let path = tool_path(&attempt.system.name, &attempt.name);
    let cure = format!(
        "import {system} again (`provost system import {system} …`), review {path} in its file, and apply",
        system = attempt.system.name
    );
    Evaluation {
        verdict: Verdict::deny(
            UNREVIEWED,
            format!("nobody has reviewed {path}, so no policy knows what it does"),
            Some(cure),
        ),
        policies: Digest::of(UNREVIEWED.as_bytes()),
        input: json!({"args": attempt.args, "now": now, "task": attempt.caller.task.id}),
        errors: Vec::new(),
        candidates: 0,
    }
}

/// The reason given for an operation that is not in the directory.
pub const UNREVIEWED: &str = "guardrail/reviewed";
