#![expect(clippy::unwrap_used, reason = "tests")]

//! Work that was handed on, and limits that a task sets itself.

mod support;

use provost_domain::tool::{ArgShape, ArgType};
use provost_domain::{
    Agent, AgentStatus, Autonomy, Decision, DecisionId, Digest, Effect, Environment, NodeId, Object, Person,
    Seq, Task, TaskId, Timestamp, Verdict, charter::ArgRule, decision::Subject, task::TaskScope,
};
use provost_policy::{Link, Pdp, Question, check_scope, replay};
use std::sync::Arc;
use support::{Call, agent, grant, name, said, system, task, tool, tool_name};

/// A payment in the sandbox, within a charter that allows 500.
fn payment() -> Call {
    let arg = |shape| ArgType { shape, required: true };
    let args = [("payee", arg(ArgShape::String)), ("amount", arg(ArgShape::Decimal))];
    let tool = tool("bank", "pay", &[Effect::Financial], &args);
    let mut agent = agent("helper");
    (agent.charter.environment, agent.charter.autonomy) = (Environment::Sandbox, Autonomy::Bounded);
    let at_most = ArgRule { max: Some("500".parse().unwrap()), ..ArgRule::default() };
    agent.charter.grants = [grant("bank", &["pay"], &[("amount", at_most)])].into();
    let mut call = Call::of(agent, system("bank", Environment::Sandbox), tool);
    call.args = serde_json::json!({"payee": "acme", "amount": 50});
    call
}

/// A payment of the helper, on behalf of the clerk; both charters grant it.
struct Handed {
    call: Call,
    above: Agent,
    above_task: Task,
}

impl Handed {
    fn new() -> Self {
        let mut call = payment();
        let mut above = call.agent.clone();
        above.name = name("above");
        let mut above_task = task(&above);
        above_task.id = TaskId::from_bytes([7; 16]);
        call.task.parent = Some(above_task.id);
        Self { call, above, above_task }
    }

    fn pdp(&self) -> Pdp {
        let mut directory = self.call.organisation();
        directory.put(Object::Agent(self.above.clone()));
        directory.put(Object::Task(self.above_task.clone()));
        Pdp::new(directory)
    }

    fn decide(&self) -> provost_policy::Evaluation {
        let link = Link { agent: &self.above, task: &self.above_task };
        self.pdp().decide(&Question { chain: &[link], ..self.call.question() })
    }
}

#[test]
fn what_was_handed_on_is_what_everybody_along_the_chain_may_do_today() {
    assert_eq!(Handed::new().decide().verdict.as_str(), "allow");
    type Spoil = fn(&mut Handed);
    let table: [(&str, Spoil, &str, &str); 6] = [
        ("a suspended parent", |h| h.above.status = AgentStatus::Suspended, "deny", "guardrail/status"),
        ("a narrowed charter", |h| h.above.charter.grants = Default::default(), "deny", "charter/above/1"),
        (
            "an expired parent",
            |h| h.above_task.expires = Timestamp::from_millis(0),
            "deny",
            "guardrail/task-live",
        ),
        (
            "a parent's scope",
            |h| {
                let elsewhere =
                    TaskScope { system: name("other"), tools: Default::default(), args: Default::default() };
                h.above_task.scope = Some([elsewhere].into());
            },
            "deny",
            "guardrail/task-scope",
        ),
        (
            "another environment",
            |h| h.above.charter.environment = Environment::Staging,
            "deny",
            "guardrail/environment",
        ),
        ("a parent on probation", |h| h.above.charter.autonomy = Autonomy::Probation, "allow", ""),
    ];
    for (what, spoil, verdict, policy) in table {
        let mut handed = Handed::new();
        spoil(&mut handed);
        let evaluation = handed.decide();
        let (word, policies) = said(&evaluation.verdict);
        assert_eq!(word, verdict, "{what}: {:?}", evaluation.verdict);
        if !policy.is_empty() {
            assert_eq!(policies, [policy], "{what}");
            let reason = &evaluation.verdict.reasons()[0].reason;
            assert!(reason.starts_with("above, who handed this on, may not do it: "), "{reason}");
        }
    }
}

#[test]
fn a_child_never_gets_more_than_it_has_itself() {
    let mut handed = Handed::new();
    handed.call.agent.charter.grants = Default::default();
    assert_eq!(handed.decide().verdict.as_str(), "deny");
}

#[test]
fn the_person_behind_a_task_who_left_takes_it_along() {
    let mut call = payment();
    let leaver = call.task.requester.clone();
    let person = |active| Person {
        name: leaver.clone(),
        display: "M".to_owned(),
        email: None,
        manager: None,
        active,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    };
    let decide = |call: &Call, active| {
        let mut directory = call.organisation();
        directory.put(Object::Person(person(active)));
        call.decide_by(&Pdp::new(directory)).verdict
    };
    assert_eq!(decide(&call, true).as_str(), "allow");
    assert_eq!(said(&decide(&call, false)), ("deny", vec!["guardrail/requester".to_owned()]));
    call.task.requester = name("somebody-else");
    assert_eq!(decide(&call, false).as_str(), "allow");
}

#[test]
fn a_decision_on_a_chain_is_made_again_bit_by_bit() {
    let handed = Handed::new();
    let evaluation = handed.decide();
    let decision = Decision {
        v: 1,
        id: DecisionId::new(handed.call.now, [1; 10]),
        at: handed.call.now,
        node: NodeId::new(handed.call.now, [1; 10]),
        view: Seq(0),
        policies: evaluation.policies,
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: handed.call.agent.name.to_string(),
            owner: None,
            revision: None,
            task: Some(handed.call.task.id),
            requester: None,
        },
        system: handed.call.system.name.clone(),
        tool: handed.call.tool.path(),
        action: Digest::of(b""),
        approval: None,
        input: evaluation.input.clone(),
        verdict: evaluation.verdict.clone(),
        errors: Vec::new(),
    };
    assert_eq!(evaluation.input["chain"][0]["agent"], "above");
    let again = replay(handed.pdp().directory(), &decision);
    assert!(again.same, "{:?}", again.differences);
    let mut narrowed = handed;
    narrowed.above.charter.grants = Default::default();
    let again = replay(narrowed.pdp().directory(), &decision);
    assert!(!again.same, "another parent makes another decision");
}

#[test]
fn a_task_may_set_itself_limits_that_hold_beside_the_charter() {
    let at_most = |max: &str| ArgRule { max: Some(max.parse().unwrap()), ..ArgRule::default() };
    let mut call = payment();
    let (system, tool) = (call.system.name.clone(), call.tool.name.clone());
    let scope = |max: &str| {
        let args = [("amount".to_owned(), at_most(max))].into();
        Arc::from([TaskScope { system: system.clone(), tools: [tool.clone()].into(), args }])
    };
    call.args["amount"] = serde_json::json!(50);
    call.task.scope = Some(scope("100"));
    assert_eq!(call.said().0, "allow");
    call.task.scope = Some(scope("20"));
    let Verdict::Deny { reasons, possible_if } = call.decide().verdict else { unreachable!() };
    assert_eq!(reasons[0].reason, "`amount` must be at most 20.0");
    assert_eq!(possible_if, ["lower `amount` to at most 20.0"]);
    // What was made for one scope, or one form of the tool, is not used for another: a warm answer is a cold one.
    let pdp = Pdp::new(call.organisation());
    for (max, verdict) in [("20", "deny"), ("100", "allow"), ("20", "deny")] {
        call.task.scope = Some(scope(max));
        assert_eq!(call.decide_by(&pdp).verdict.as_str(), verdict, "{max}");
    }
    // And the charter's own limit still holds under a wider one.
    call.args["amount"] = serde_json::json!(100_000);
    call.task.scope = Some(scope("1000000"));
    assert_eq!(call.said().0, "deny");
}

#[test]
fn a_limit_that_cannot_be_said_is_found_before_the_task_starts() {
    let call = payment();
    let directory = call.organisation();
    let part = |arg: &str, tools: Vec<provost_domain::ToolName>| TaskScope {
        system: call.system.name.clone(),
        tools: tools.into(),
        args: [(arg.to_owned(), ArgRule { like: Some("x*".into()), ..ArgRule::default() })].into(),
    };
    let own = vec![call.tool.name.clone()];
    assert_eq!(check_scope(&directory, &[part("nonsense", own.clone())]).len(), 1, "no such argument");
    assert_eq!(check_scope(&directory, &[part("amount", own)]).len(), 1, "a pattern for a number");
    assert_eq!(check_scope(&directory, &[part("payee", Vec::new())]).len(), 1, "limits need named tools");
    assert_eq!(check_scope(&directory, &[part("payee", vec![tool_name("pay")])]).len(), 0);
}
