//! Decisions of any agent, made by the policies and recorded as the gateway would.

use super::Served;
use provost_domain::{Decision, DecisionId, Digest, DurationMs, Name, TaskId, Verdict, decision::Subject};
use provost_policy::Question;
use provost_store::{Charge, Intent};
use serde_json::Value;

/// What an agent calls: itself, the system, the tool.
pub type Call<'a> = [&'a str; 3];

/// Decides and records a call.
pub async fn decide(served: &Served, call: Call<'_>, task: &str, args: Value) -> (DecisionId, &'static str) {
    decide_at_a_cost(served, call, task, args, |_verdict| Vec::new()).await
}

/// The same, where what was decided costs something.
pub async fn decide_at_a_cost(
    served: &Served,
    call: Call<'_>,
    task: &str,
    args: Value,
    cost: impl FnOnce(&Verdict) -> Vec<Charge>,
) -> (DecisionId, &'static str) {
    decide_as_of(served, call, task, args, (DurationMs(0), cost)).await
}

/// As if it had been some time ago, as far as the record's own moment goes.
pub async fn decide_as_of(
    served: &Served,
    [agent, system, tool]: Call<'_>,
    task: &str,
    args: Value,
    (ago, cost): (DurationMs, impl FnOnce(&Verdict) -> Vec<Charge>),
) -> (DecisionId, &'static str) {
    let plane = &served.plane;
    plane.replica.catch_up().await.unwrap();
    let view = plane.replica.latest();
    let directory = &view.directory;
    let (name, system): (Name, Name) = (agent.parse().unwrap(), system.parse().unwrap());
    let task: TaskId = task.parse().unwrap();
    let (agent, args, now) = (&directory.agents[&name], args.as_object().unwrap().clone(), plane.now());
    let evaluation = view.pdp.decide(&Question {
        agent,
        task: &directory.tasks[&task],
        state: &plane.store.task_state(task).await.unwrap(),
        system: &directory.systems[&system],
        tool: &directory.tools[&(system.clone(), tool.parse().unwrap())],
        pinned: true,
        args: &args,
        approvals: &[],
        exhausted: &[],
        args_from: &provost_domain::origin::NOTHING,
        chain: &[],
        now,
    });
    let at = now.minus(ago);
    let id = DecisionId::new(at, plane.random());
    let (verdict, charges) = (evaluation.verdict.as_str(), cost(&evaluation.verdict));
    let decision = Decision {
        v: 1,
        id,
        at,
        node: plane.node,
        view: directory.seq,
        policies: evaluation.policies,
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: name.to_string(),
            owner: Some(agent.charter.owner.clone()),
            revision: Some(agent.revision),
            task: Some(task),
            requester: Some(directory.tasks[&task].requester.clone()),
        },
        tool: format!("{system}/{tool}"),
        system,
        action: Digest::of(id.to_string().as_bytes()),
        approval: None,
        input: evaluation.input,
        verdict: evaluation.verdict,
        errors: evaluation.errors,
    };
    plane.store.record(Intent { decision: decision.into(), expects: None, charges }).await.unwrap();
    (id, verdict)
}
