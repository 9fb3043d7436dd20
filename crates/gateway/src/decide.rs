//! From an attempt to a decision: pure, synchronous, and complete enough to be made again from its record.

use crate::identify::Caller;
use provost_domain::{
    Action, Decision, DecisionId, Digest, Name, NodeId, System, TaskState, Timestamp, Tool, ToolName,
    Verdict,
    canonical::CanonicalError,
    decision::{Subject, tool_path},
};
use provost_policy::{Draw, DrawError, Evaluation, Pdp, Question};
use provost_replica::View;
use serde_json::{Map, Value, json};
use std::sync::Arc;

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
}

/// What changes between two looks at the same attempt.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// What the task has read.
    pub state: TaskState,
    /// Budgets that have no room for this call.
    pub exhausted: Vec<Name>,
}

/// The verdict on an attempt.
#[must_use]
pub fn verdict(attempt: &Attempt, moment: &Moment, now: Timestamp) -> Evaluation {
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
        approvals: &[],
        exhausted: &moment.exhausted,
        chain: &chain,
        now,
    })
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
    evaluation: Evaluation,
    id: DecisionId,
    node: NodeId,
    now: Timestamp,
) -> Result<Decision, CanonicalError> {
    let Caller { agent, task, .. } = &attempt.caller;
    let action = Action {
        agent: agent.name.clone(),
        task: task.id,
        system: attempt.system.name.clone(),
        tool: attempt.name.clone(),
        args: attempt.args.clone(),
    };
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
        action: action.digest()?,
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
