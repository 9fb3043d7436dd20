//! Organisation policies: what is refused before it counts, and what those that count do.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use provost_domain::{Autonomy, Directory, Effect, Environment, Object, ObjectKey, TextMap, Verdict};
use provost_policy::{
    Bounds, Case, Given, Pdp, Place, PolicyFault, Said, Then, When, check, check_changed, replay, run_cases,
    schema_text,
};
use serde_json::json;
use std::sync::Arc;
use support::{Call, grant, name, policy_file, said};

fn bank() -> Directory {
    let mut directory = Directory::default();
    support::put_bank(&mut directory);
    directory.put(Object::Agent(support::fleet_agent(0)));
    directory
}

fn faults_of(text: &str) -> Vec<PolicyFault> {
    let mut directory = bank();
    directory.put(policy_file("ours", text));
    check(&directory)
}

const GOOD: &str = r#"
@id("ours/large")
@reason("payments over 100 need two people")
@gate("finance")
forbid (principal, action == Action::"bank/pay", resource)
when { context.args.amount.greaterThan(decimal("100.0")) }
unless { context.approvals.contains("finance") };
"#;

#[test]
fn a_good_policy_has_no_faults_and_gates_what_it_names() {
    assert_eq!(faults_of(GOOD), []);
    let mut directory = bank();
    directory.put(policy_file("ours", GOOD));
    let mut call = fleet_call(directory);
    call.args["amount"] = json!(100);
    assert_eq!(call.said().0, "allow");
    call.args["amount"] = json!(100.01);
    assert_eq!(call.said(), ("hold", vec!["ours/large".to_owned()]));
    let Verdict::Hold { approvers, .. } = call.decide().verdict else { panic!("a gate holds") };
    assert_eq!(approvers, ["finance"]);
    call.approvals = vec!["finance".to_owned()];
    assert_eq!(call.said().0, "allow");
}

fn fleet_call(directory: Directory) -> Call {
    let system = directory.systems[&name("bank")].as_ref().clone();
    let tool = directory.tools[&(name("bank"), "pay".parse().unwrap())].as_ref().clone();
    let mut call = Call::of(support::fleet_agent(0), system, tool);
    call.directory = directory;
    call.args = json!({"account": "main", "payee": "acme", "amount": 1});
    call
}

#[test]
fn a_policy_that_must_not_count_is_refused_with_its_place_and_a_cure() {
    let with = |annotations: &str, rest: &str| {
        format!("// first\n{annotations}\nforbid(principal, action, resource) {rest};")
    };
    let good = r#"@id("x") @reason("y")"#;
    for (text, line, message) in [
        (with(r#"@reason("y")"#, ""), 2, "the policy has no @id"),
        (with(r#"@id("x")"#, ""), 2, "the policy has no @reason"),
        (with(r#"@id("x") @reason(" ")"#, ""), 2, "the policy has no @reason"),
        (with(r#"@id("guardrail/x") @reason("y")"#, ""), 2, "are the product's own"),
        (with(r#"@id("charter/x") @reason("y")"#, ""), 2, "are the product's own"),
        (with(&format!("{good} @gate(\"owner\")"), ""), 2, "the gate never opens"),
        (
            with(&format!("{good} @gate(\"owner\")"), r#"unless { context.approvals.contains("other") }"#),
            2,
            "the gate never opens",
        ),
        (
            with(&format!("{good} @gate(\"owner\")"), r#"when { context.approvals.contains("owner") }"#),
            2,
            "the gate never opens",
        ),
        (with(&format!("{good} @gate"), ""), 2, "@gate names nobody"),
        (format!("{good} permit(principal, action, resource);"), 1, "an organisation policy cannot permit"),
        (with(good, "when { principal.owned == 1 }"), 3, "attribute `owned`"),
        (with(good, "when { context.args.amount > 1 }"), 3, "amount"),
        (with(good, "when { principal.level == 1 }"), 3, "types"),
        (with(good, "when { principal.level "), 3, "unexpected"),
        (format!("{good}\nforbid(principal, action == Action::\"bank/pai\", resource);"), 2, "bank/pai"),
        (
            format!("{good} forbid(principal == Agent::\"agent-1\", action, resource);"),
            1,
            "no agent is named",
        ),
        (format!("{good} forbid(principal, action, resource == System::\"bang\");"), 1, "no system is named"),
        (
            format!("{good} forbid(principal == ?principal, action, resource);"),
            1,
            "a template cannot be used",
        ),
        (with(good, r#"when { System::"bank".environment == "x" }"#), 3, ""),
        (with(good, "when { false }"), 2, "impossible"),
    ] {
        let faults = faults_of(&text);
        assert!(!faults.is_empty(), "{text}");
        let fault = faults.iter().find(|fault| fault.message.contains(message));
        let fault = fault.unwrap_or_else(|| panic!("{text}: {faults:#?}"));
        let Place::Policy { file, at: Some(at) } = &fault.place else { panic!("{fault:#?}") };
        assert_eq!((file.as_str(), at.line), ("ours", line), "{text}: {fault}");
        assert!(at.excerpt.contains('^'), "{fault}");
    }
}

#[test]
fn an_id_that_two_policies_share_is_refused_across_files() {
    let mut directory = bank();
    directory.put(policy_file("one", GOOD));
    directory.put(policy_file("two", GOOD));
    let faults = check(&directory);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(
        faults[0].to_string().contains("policy file two:2:1 (ours/large): `ours/large` names two policies")
    );
    let evaluation = fleet_call(directory).decide();
    assert_eq!(said(&evaluation.verdict), ("deny", vec!["guardrail/policies".to_owned()]));
    assert!(!evaluation.errors.is_empty(), "were it ever stored, it would deny and raise an alarm");
}

#[test]
fn a_policy_about_effects_that_no_tool_has_yet_may_count() {
    let text = r#"@id("x") @reason("y") forbid(principal, action in Action::"infrastructure", resource) when { principal.level == "off" };"#;
    assert_eq!(faults_of(text), []);
}

#[test]
fn a_policy_that_errors_denies_and_raises_an_alarm() {
    // Only a store that skipped the check could hold it: the attribute is not always there.
    let text = r#"@id("broken") @reason("y") forbid(principal, action, resource) when { context.args.memo == "x" };"#;
    assert!(!faults_of(text).is_empty(), "the check refuses it");
    let mut directory = bank();
    directory.put(policy_file("ours", text));
    let evaluation = fleet_call(directory).decide();
    assert_eq!(said(&evaluation.verdict), ("deny", vec!["broken".to_owned()]));
    assert_eq!(evaluation.errors.len(), 1);
    assert!(evaluation.errors[0].starts_with("broken: could not be evaluated"), "{:?}", evaluation.errors);
}

#[test]
fn unreadable_policies_deny_everything() {
    let mut directory = bank();
    directory.put(policy_file("ours", "forbid(principal"));
    let call = fleet_call(directory);
    let pdp = Pdp::new(call.organisation());
    let evaluation = call.decide_by(&pdp);
    assert_eq!(said(&evaluation.verdict), ("deny", vec!["guardrail/policies".to_owned()]));
    let Call { agent, task, state, system, tool, pinned, now, .. } = &call;
    assert!(!pdp.could_allow(agent, task, state, system, tool, *pinned, *now));
}

#[test]
fn more_candidates_than_the_bound_is_a_denial_that_quotes_it() {
    let call = fleet_call(bank());
    let pdp =
        Pdp::with_bounds(call.organisation(), Bounds { candidate_policies_max: 10, ..Bounds::default() });
    let Verdict::Deny { reasons, .. } = call.decide_by(&pdp).verdict else {
        panic!("over the bound is a denial")
    };
    assert!(reasons[0].reason.ends_with("candidate_policies_max is 10"), "{}", reasons[0].reason);
}

#[test]
fn a_gate_that_its_own_approval_does_not_open_denies() {
    let text = r#"@id("stuck") @reason("y") @gate("owner") forbid(principal, action, resource);"#;
    let mut directory = bank();
    directory.put(policy_file("ours", text));
    assert_eq!(fleet_call(directory).said(), ("deny", vec!["stuck".to_owned()]));
}

#[test]
fn a_listing_shows_what_some_arguments_could_do() {
    let shown = |call: &Call| {
        let Call { agent, task, state, system, tool, pinned, now, .. } = call;
        Pdp::new(call.organisation()).could_allow(agent, task, state, system, tool, *pinned, *now)
    };
    let mut call = fleet_call(bank());
    assert!(shown(&call), "limits on arguments do not hide a tool");
    call.directory.put(policy_file("ours", GOOD));
    assert!(shown(&call), "nor do gates");
    call.directory.put(policy_file(
        "all",
        r#"@id("a") @reason("b") forbid(principal, action, resource == System::"bank");"#,
    ));
    assert!(!shown(&call));
    let mut call = fleet_call(bank());
    call.pinned = false;
    assert!(!shown(&call));
    let mut call = fleet_call(bank());
    call.agent.charter.grants = Arc::default();
    assert!(!shown(&call));
    let held = Call::new(Environment::Production, Autonomy::Probation, &[Effect::Delete]);
    assert!(shown(&held), "held tools are listed");
}

#[test]
fn what_a_change_can_break_is_checked_again() {
    let mut directory = bank();
    directory.put(policy_file("ours", GOOD));
    let tool = ObjectKey::tool(&name("bank"), &"pay".parse().unwrap());
    assert_eq!(check_changed(&directory, std::slice::from_ref(&tool)), []);
    let mut changed = directory.tools[&(name("bank"), "pay".parse().unwrap())].as_ref().clone();
    changed.args.remove("amount");
    directory.put(Object::Tool(changed));
    let faults = check_changed(&directory, &[tool]);
    let about = |wanted: &str| faults.iter().any(|fault| fault.to_string().contains(wanted));
    assert!(about("charter of agent-0, grants[0].args.amount"), "{faults:#?}");
    assert!(about("policy file ours"), "{faults:#?}");
    let maria = ObjectKey::new(provost_domain::Kind::Person, "maria");
    assert_eq!(check_changed(&directory, &[maria]), [], "a person that is there breaks nothing");
}

#[test]
fn prepared_policies_never_outlive_what_they_came_from() {
    let call = fleet_call(bank());
    let first = Pdp::new(call.organisation());
    assert!(call.decide_by(&first).verdict.is_allow());
    // One after another, everything a decision is prepared from changes; the warm one agrees with a cold one.
    let mut warm = first.clone();
    let mut changed = fleet_call(bank());
    let mut step = |change: &dyn Fn(&mut Call)| {
        change(&mut changed);
        warm = warm.with(changed.organisation());
        let said = changed.decide_by(&warm);
        assert_eq!(said, changed.decide());
        said.verdict.as_str()
    };
    assert_eq!(step(&|call| call.agent.status = provost_domain::AgentStatus::Suspended), "deny");
    assert_eq!(step(&|call| call.agent.status = provost_domain::AgentStatus::Active), "allow");
    assert_eq!(
        step(&|call| Arc::make_mut(&mut call.agent.charter.grants)[0].args = TextMap::default()),
        "allow"
    );
    assert_eq!(step(&|call| call.args["amount"] = json!(10_000)), "allow");
    assert_eq!(step(&|call| call.agent.charter.grants = Arc::default()), "deny");
    assert_eq!(step(&|call| call.agent = support::fleet_agent(0)), "deny");
    assert_eq!(step(&|call| call.args["amount"] = json!(1)), "allow");
    assert_eq!(step(&|call| call.system.environment = Environment::Staging), "deny");
    assert_eq!(step(&|call| call.system.environment = Environment::Sandbox), "allow");
    assert_eq!(step(&|call| call.tool.effects.clear()), "allow");
    assert_eq!(step(&|call| call.directory.put(policy_file("p", GOOD))), "allow");
    assert_eq!(step(&|call| call.args["amount"] = json!(101)), "hold");
    let by_name = r#"@id("n") @reason("b") forbid(principal == Agent::"agent-0", action, resource);"#;
    assert_eq!(step(&|call| call.directory.put(policy_file("q", by_name))), "deny");
    assert!(
        call.decide_by(&first).verdict.is_allow(),
        "whoever holds the old state still sees the old state"
    );
}

#[test]
fn a_recorded_decision_comes_out_the_same_again() {
    let mut call = fleet_call(bank());
    call.approvals = vec!["owner".to_owned()];
    call.state.labels.insert(support::label("payroll"));
    for amount in [1, 900] {
        call.args["amount"] = json!(amount);
        let evaluation = call.decide();
        let decision = record(&call, &evaluation);
        let again = replay(&call.organisation(), &decision);
        assert_eq!((again.same, again.differences), (true, vec![]), "{amount}");
        assert_eq!(again.evaluation, Some(evaluation));
    }
    let decision = record(&call, &call.decide());
    call.agent.charter.grants = Arc::new([grant("bank", &["pay"], &[])]);
    let changed = replay(&call.organisation(), &decision);
    assert!(!changed.same);
    assert!(
        changed.differences[0].starts_with("the verdict was deny, and is allow"),
        "{:?}",
        changed.differences
    );
    let gone = replay(&Directory::default(), &decision);
    assert!(!gone.same && gone.evaluation.is_none(), "{gone:?}");
}

fn record(call: &Call, evaluation: &provost_policy::Evaluation) -> provost_domain::Decision {
    provost_domain::Decision {
        v: 1,
        id: provost_domain::DecisionId::from_bytes([1; 16]),
        at: call.now,
        node: provost_domain::NodeId::from_bytes([1; 16]),
        view: provost_domain::Seq(1),
        policies: evaluation.policies,
        face: "mcp".to_owned(),
        subject: provost_domain::decision::Subject {
            kind: "agent".to_owned(),
            id: call.agent.name.to_string(),
            owner: None,
            revision: None,
            task: None,
            requester: None,
        },
        system: call.system.name.clone(),
        tool: call.tool.name.to_string(),
        action: provost_domain::Digest::of(b""),
        approval: None,
        input: evaluation.input.clone(),
        verdict: evaluation.verdict.clone(),
        errors: evaluation.errors.clone(),
    }
}

#[test]
fn cases_say_what_was_expected_and_what_was_said() {
    let mut directory = bank();
    directory.put(policy_file("ours", GOOD));
    let text = r#"
        name = "a small payment goes through"
        given = { agent = "agent-0", at = "2026-01-05T12:00:00Z" }
        when = { system = "bank", tool = "pay", args = { account = "main", payee = "acme", amount = 12.5 } }
        then = { verdict = "allow", policies = ["charter/agent-0/1/bank.pay"] }
    "#;
    let small: Case = toml::from_str(text).unwrap();
    let mut large = small.clone();
    large.when.args.insert("amount".to_owned(), json!(101));
    large.then = Then { verdict: Said::Hold, policies: None };
    let mut wrong = large.clone();
    wrong.then = Then { verdict: Said::Deny, policies: Some(["ours/small".to_owned()].into()) };
    let nobody = Case {
        name: "nobody".to_owned(),
        given: Given { agent: name("nobody"), ..small.given.clone() },
        when: When { ..small.when.clone() },
        then: small.then.clone(),
    };
    let results = run_cases(&directory, &[small, large, wrong, nobody]);
    let passed: Vec<bool> = results.iter().map(|result| result.passed).collect();
    assert_eq!(passed, [true, true, false, false], "{results:#?}");
    assert_eq!(
        results[2].differences,
        [
            "expected deny, and it said hold: payments over 100 need two people",
            "expected policy ours/small, which did not speak",
            "policy ours/large spoke, which was not expected",
        ]
    );
    assert_eq!(results[3].differences, ["no agent is named `nobody`"]);
}

#[test]
fn the_schema_for_editors_is_one_that_cedar_reads() {
    let text = schema_text(&bank());
    for line in ["action \"bank/pay\" in [\"financial\"]", "\"memo\"?: String", "action \"bank/@resources\""]
    {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.parse::<cedar_policy::Schema>().is_ok());
}
