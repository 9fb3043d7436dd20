//! A recorded call, decided with another charter: what a change would have done to what happened.

use crate::{Pdp, Question, charter, replay::Input};
use provost_domain::{Agent, Decision, Name, Task, TaskState, Timestamp, Verdict, task::TaskStatus};
use serde::Deserialize as _;
use std::collections::BTreeSet;

/// What would be said to a recorded call of an agent, were it this one, with everything else as this decision point knows it. The
/// task is taken to run and to include the tool, since both charters are asked the same. `None` when the call cannot be put together
/// again: its system or tool is gone, or nobody recorded its arguments.
#[must_use]
pub fn rehearse(pdp: &Pdp, agent: &Agent, decision: &Decision) -> Option<Verdict> {
    let input = Input::deserialize(&decision.input).ok()?;
    let directory = pdp.directory();
    let system = directory.systems.get(&decision.system)?;
    let own = decision.tool.strip_prefix(&format!("{}/", decision.system)).unwrap_or(&decision.tool);
    let tool = charter::find_tool(directory, &decision.system, &own.parse().ok()?)?;
    let requester = decision.subject.requester.clone().unwrap_or_else(|| agent.charter.owner.clone());
    let task = running(agent, input.task, requester, input.now);
    let state = TaskState { version: 0, labels: input.labels };
    let evaluation = pdp.decide(&Question {
        agent,
        task: &task,
        state: &state,
        system,
        tool: &tool,
        pinned: input.pinned,
        args: &input.args,
        approvals: &input.approvals,
        exhausted: &input.exhausted,
        args_from: &input.args_from,
        chain: &[],
        now: input.now,
    });
    Some(evaluation.verdict)
}

/// A task of an agent that runs for a moment and may use all of its charter.
#[must_use]
pub fn running(agent: &Agent, id: provost_domain::TaskId, requester: Name, now: Timestamp) -> Task {
    Task {
        id,
        agent: agent.name.clone(),
        purpose: "a call of before, decided again".into(),
        requester,
        scope: None,
        started: now,
        expires: now.plus(provost_domain::DurationMs::from_secs(60)),
        status: TaskStatus::Running,
        parent: None,
        revoked: BTreeSet::new(),
        for_person: false,
        refresh: None,
        trial: None,
        bill: None,
        inputs: Default::default(),
    }
}
