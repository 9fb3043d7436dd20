//! One sentence for each guardrail. Every case names all the policies that decide it, so it fails when the policy
//! is removed, and when another one takes its place.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use provost_domain::{
    AgentStatus, Autonomy, Containment, Effect, Environment, Level, Object, Origin, Restraint, Timestamp,
    containment::{ContainmentStatus, Who},
    origin::Past,
    task::{TaskScope, TaskStatus},
};
use provost_policy::check;
use serde_json::json;
use std::sync::Arc;
use support::{Call, label, name, returns};

fn allowed_read() -> Call {
    let call = Call::new(Environment::Production, Autonomy::Supervised, &[Effect::Read]);
    assert_eq!(
        call.said(),
        ("allow", vec!["charter/robot/1/sys.act".to_owned()]),
        "the setting of the tests"
    );
    call
}

#[track_caller]
fn is_said(call: &Call, verdict: &str, policies: &[&str]) {
    let (said, ids) = call.said();
    assert_eq!((said, ids.iter().map(String::as_str).collect::<Vec<_>>()), (verdict, policies.to_vec()));
}

#[test]
fn the_shipped_guardrails_pass_their_own_checks() {
    assert_eq!(check(&provost_domain::Directory::default()), []);
}

#[test]
fn an_agent_that_is_not_active_does_nothing() {
    for status in AgentStatus::ALL {
        let mut call = allowed_read();
        call.agent.status = status;
        match status {
            AgentStatus::Active => is_said(&call, "allow", &["charter/robot/1/sys.act"]),
            _ => is_said(&call, "deny", &["guardrail/status"]),
        }
    }
}

#[test]
fn a_contained_agent_keeps_what_its_level_leaves_it() {
    for (level, effects, verdict, policy) in [
        (Level::Off, Effect::Read, "deny", "guardrail/level-off"),
        (Level::ReadOnly, Effect::Read, "allow", "charter/robot/1/sys.act"),
        (Level::ReadOnly, Effect::Write, "deny", "guardrail/level-read-only"),
        (Level::ApprovalsOnly, Effect::Read, "hold", "guardrail/level-approvals-only"),
        (Level::Normal, Effect::Read, "allow", "charter/robot/1/sys.act"),
    ] {
        let mut call = Call::new(Environment::Production, Autonomy::Supervised, &[effects]);
        call.agent.level = level;
        is_said(&call, verdict, &[policy]);
    }
}

/// An order about everything, in force.
fn order(scope: serde_json::Value, level: Restraint) -> Object {
    Object::Containment(Box::new(Containment {
        id: "containment_1".to_owned(),
        scope: serde_json::from_value(scope).unwrap(),
        level,
        reason: "a key leaked".to_owned(),
        by: Who { person: Some(name("maria")), shown_by: "maria, signed in".to_owned() },
        at: Timestamp::from_millis(0),
        status: ContainmentStatus::InForce,
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    }))
}

#[test]
fn an_order_leaves_what_its_level_leaves_and_the_refusal_names_it() {
    let named = "containment/containment_1";
    let without = |effect| Restraint::Without { effects: [effect].into() };
    let charter = "charter/robot/1/sys.act";
    for (level, effects, verdict, policies) in [
        (Restraint::Off, &[Effect::Read][..], "deny", &["guardrail/level-off", named][..]),
        (Restraint::ReadOnly, &[Effect::Read], "allow", &[charter]),
        (Restraint::ReadOnly, &[Effect::Write], "deny", &["guardrail/level-read-only", named]),
        (Restraint::ApprovalsOnly, &[Effect::Read], "hold", &["guardrail/level-approvals-only", named]),
        (without(Effect::Write), &[Effect::Write], "deny", &["guardrail/level-without", named]),
        (without(Effect::Financial), &[Effect::Write], "allow", &[charter]),
        (without(Effect::Financial), &[], "deny", &["guardrail/level-without", named]),
        (Restraint::Observe, &[Effect::Read], "allow", &[charter, named]),
    ] {
        for scope in [
            json!({}),
            json!({"agent": "robot"}),
            json!({"owner": "maria"}),
            json!({"environment": "production"}),
            json!({"system": "sys"}),
            json!({"system": "sys", "tool": "act"}),
        ] {
            let mut call = Call::new(Environment::Production, Autonomy::Supervised, effects);
            call.directory.put(order(scope, level.clone()));
            is_said(&call, verdict, policies);
        }
        let mut call = Call::new(Environment::Production, Autonomy::Supervised, effects);
        let before = call.said();
        call.directory.put(order(json!({"agent": "another"}), level));
        assert_eq!(call.said(), before, "an order about somebody else changes nothing");
    }
    let mut call = allowed_read();
    call.directory.put(order(json!({}), Restraint::Off));
    let reasons = call.decide().verdict.reasons().to_vec();
    assert_eq!(reasons[1].reason, "everything at level off, ordered by maria: a key leaked");
}

#[test]
fn an_order_binds_and_is_lifted_whatever_was_prepared_before() {
    let call = allowed_read();
    let pdp = provost_policy::Pdp::new(call.organisation());
    let said = |pdp: &provost_policy::Pdp| call.decide_by(pdp).verdict.as_str();
    assert_eq!(said(&pdp), "allow");
    let mut directory = call.organisation();
    directory.put(order(json!({"agent": "robot"}), Restraint::Off));
    let contained = pdp.with(directory.clone());
    assert_eq!(said(&contained), "deny");
    directory.remove(&order(json!({}), Restraint::Off).key());
    assert_eq!(said(&contained.with(directory)), "allow");
}

#[test]
fn reading_waits_for_the_owner_when_one_order_says_so_and_another_leaves_reading() {
    let mut call = allowed_read();
    call.agent.level = Level::ApprovalsOnly;
    call.directory.put(order(json!({}), Restraint::ReadOnly));
    is_said(&call, "hold", &["guardrail/level-approvals-only"]);
}

#[test]
fn an_agent_of_one_environment_may_not_touch_a_system_of_another() {
    let mut call = allowed_read();
    call.system.environment = Environment::Staging;
    is_said(&call, "deny", &["guardrail/environment"]);
}

#[test]
fn a_task_that_ended_or_expired_does_nothing() {
    let mut call = allowed_read();
    call.task.status = TaskStatus::Ended;
    is_said(&call, "deny", &["guardrail/task-live"]);
    let mut call = allowed_read();
    call.task.expires = call.now;
    is_said(&call, "deny", &["guardrail/task-live"]);
}

#[test]
fn a_tool_outside_the_scope_of_the_task_is_refused() {
    let mut call = allowed_read();
    let elsewhere = TaskScope { system: name("other"), tools: Arc::default(), args: Default::default() };
    call.task.scope = Some(Arc::new([elsewhere]));
    is_said(&call, "deny", &["guardrail/task-scope"]);
}

#[test]
fn a_tool_that_changed_since_review_is_refused() {
    let mut call = allowed_read();
    call.pinned = false;
    is_said(&call, "deny", &["guardrail/tool-pinned"]);
}

#[test]
fn data_that_the_charter_does_not_name_is_not_read() {
    let mut call = allowed_read();
    call.tool.returns = vec![returns("payroll"), returns("untrusted")];
    is_said(&call, "deny", &["guardrail/data"]);
    call.agent.charter.data = Arc::new([label("payroll")].into());
    is_said(&call, "allow", &["charter/robot/1/sys.act"]);
}

#[test]
fn effects_are_gated_by_environment_and_autonomy() {
    use Autonomy::{Bounded, Probation, Supervised};
    use Environment::{Production, Sandbox, Staging};
    let high = [
        Effect::Delete,
        Effect::MoveData,
        Effect::Financial,
        Effect::Infrastructure,
        Effect::Permission,
        Effect::Execute,
    ];
    let (staging, production) = ("guardrail/effects-staging", "guardrail/effects-production");
    let (changes, probation) = ("guardrail/changes-production", "guardrail/probation");
    for (environment, autonomy, effects, gates) in [
        (Sandbox, Probation, &high[..], &[][..]),
        (Staging, Probation, &high, &[staging, probation]),
        (Staging, Supervised, &high, &[staging]),
        (Staging, Bounded, &high, &[]),
        (Production, Probation, &high, &[production, probation]),
        (Production, Supervised, &high, &[production]),
        (Production, Bounded, &high, &[production]),
        (Sandbox, Probation, &[Effect::Write, Effect::Communicate], &[]),
        (Staging, Probation, &[Effect::Write, Effect::Communicate], &[probation]),
        (Staging, Supervised, &[Effect::Write, Effect::Communicate], &[]),
        (Production, Probation, &[Effect::Write, Effect::Communicate], &[changes, probation]),
        (Production, Supervised, &[Effect::Write, Effect::Communicate], &[]),
        (Production, Bounded, &[Effect::Write, Effect::Communicate], &[]),
        (Staging, Probation, &[Effect::Read], &[]),
        (Production, Probation, &[Effect::Read], &[]),
    ] {
        for effect in effects {
            let mut call = Call::new(environment, autonomy, &[*effect]);
            match gates {
                [] => is_said(&call, "allow", &["charter/robot/1/sys.act"]),
                gates => {
                    is_said(&call, "hold", gates);
                    call.approvals = vec!["owner".to_owned()];
                    is_said(&call, "allow", &["charter/robot/1/sys.act"]);
                }
            }
        }
    }
}

#[test]
fn a_tool_nobody_classified_counts_as_every_effect_and_waits_for_the_owner() {
    is_said(&Call::new(Environment::Staging, Autonomy::Bounded, &[]), "hold", &["guardrail/unclassified"]);
    is_said(
        &Call::new(Environment::Sandbox, Autonomy::Probation, &[]),
        "allow",
        &["charter/robot/1/sys.act"],
    );
    let production = Call::new(Environment::Production, Autonomy::Bounded, &[]);
    is_said(&production, "hold", &["guardrail/effects-production", "guardrail/unclassified"]);
    let mut contained = Call::new(Environment::Sandbox, Autonomy::Bounded, &[]);
    contained.agent.level = Level::ReadOnly;
    is_said(&contained, "deny", &["guardrail/level-read-only"]);
}

#[test]
fn a_task_that_read_both_untrusted_and_labelled_data_may_only_go_on_reading() {
    for (labels, effect, sends_out, verdict) in [
        (&["untrusted", "confidential"][..], Effect::Write, false, "hold"),
        (&["untrusted", "payroll"], Effect::Write, false, "hold"),
        (&["untrusted", "payroll"], Effect::Read, true, "hold"),
        (&["untrusted", "payroll"], Effect::Read, false, "allow"),
        (&["untrusted"], Effect::Write, true, "allow"),
        (&["payroll", "confidential"], Effect::Write, true, "allow"),
    ] {
        let mut call = Call::new(Environment::Sandbox, Autonomy::Bounded, &[effect]);
        call.state.labels = labels.iter().map(|text| label(text)).collect();
        call.tool.sends_out = sends_out;
        let expected = if verdict == "hold" { "guardrail/flow" } else { "charter/robot/1/sys.act" };
        is_said(&call, verdict, &[expected]);
    }
}

#[test]
fn a_call_steered_by_content_waits_for_the_owner() {
    let every = [Effect::Read, Effect::Write, Effect::Communicate, Effect::Financial, Effect::Delete];
    for (origin, holds, policy) in [
        (Origin::Requester, &[][..], ""),
        (Origin::Trusted, &[], ""),
        (Origin::Usual, &[], ""),
        (Origin::Derived, &[], ""),
        (Origin::Contested, &[Effect::Delete], "guardrail/steered-contested"),
        (Origin::Named, &[Effect::Communicate, Effect::Financial, Effect::Delete], "guardrail/steered-named"),
        (Origin::Insider, every.get(1..).unwrap(), "guardrail/steered-insider"),
        (Origin::Unknown, &every, "guardrail/steered-untrusted"),
        (Origin::Untrusted, &every, "guardrail/steered-untrusted"),
    ] {
        for effect in every {
            let mut call = Call::new(Environment::Staging, Autonomy::Bounded, &[effect]);
            call.tool.steering.steers = ["to".to_owned()].into();
            call.args_from.steered = [origin].into();
            match holds.contains(&effect) {
                true => is_said(&call, "hold", &[policy]),
                false => is_said(&call, "allow", &["charter/robot/1/sys.act"]),
            }
            call.approvals = vec!["owner".to_owned()];
            is_said(&call, "allow", &["charter/robot/1/sys.act"]);
            // Nobody said that anything steers this tool: then nothing does.
            call.tool.steering = Default::default();
            call.approvals.clear();
            is_said(&call, "allow", &["charter/robot/1/sys.act"]);
        }
    }
}

#[test]
fn whoever_is_asked_hears_which_argument_and_where_it_was_seen() {
    let mut call = Call::new(Environment::Staging, Autonomy::Bounded, &[Effect::Financial]);
    call.tool.steering.steers = ["to".to_owned()].into();
    call.args_from.steered = [Origin::Untrusted].into();
    call.args_from.why = vec!["to: untrusted, first seen in untrusted content: memo of bank/list".to_owned()];
    let evaluation = call.decide();
    let said = &evaluation.verdict.reasons().first().unwrap().reason;
    assert!(said.ends_with("(to: untrusted, first seen in untrusted content: memo of bank/list)"), "{said}");
}

#[test]
fn labelled_data_in_the_arguments_does_not_leave_by_itself() {
    let mut call = Call::new(Environment::Staging, Autonomy::Bounded, &[Effect::Communicate]);
    call.args_from.carries = [label("personal")].into();
    is_said(&call, "allow", &["charter/robot/1/sys.act"]);
    call.tool.sends_out = true;
    is_said(&call, "hold", &["guardrail/carries"]);
}

#[test]
fn what_is_ordinary_alone_waits_for_the_owner_together() {
    for (past, effect, sends_out, policy) in [
        (Past::MadeCredential, Effect::Communicate, true, "guardrail/credential-then-out"),
        (Past::ReadMany, Effect::Delete, false, "guardrail/read-many-then-delete"),
        (Past::ChangedPermission, Effect::Financial, false, "guardrail/permission-then-use"),
        (Past::ChangedPermission, Effect::Execute, false, "guardrail/permission-then-use"),
    ] {
        let mut call = Call::new(Environment::Staging, Autonomy::Bounded, &[effect]);
        call.tool.sends_out = sends_out;
        is_said(&call, "allow", &["charter/robot/1/sys.act"]);
        call.args_from.past = [past].into();
        is_said(&call, "hold", &[policy]);
    }
}

#[test]
fn a_tool_with_declared_steering_is_judged_by_its_arguments() {
    let mut call = Call::new(Environment::Staging, Autonomy::Bounded, &[Effect::Communicate]);
    call.state.labels = [label("untrusted"), label("payroll")].into();
    is_said(&call, "hold", &["guardrail/flow"]);
    call.tool.steering.steers = ["to".to_owned()].into();
    call.args_from.steered = [Origin::Requester].into();
    is_said(&call, "allow", &["charter/robot/1/sys.act"]);
    // What colleagues wrote is not what strangers wrote.
    call.tool.steering = Default::default();
    call.state.labels = [label("insider"), label("payroll")].into();
    is_said(&call, "allow", &["charter/robot/1/sys.act"]);
}

#[test]
fn a_budget_without_room_refuses_even_when_the_charter_forgot_it() {
    let mut call = allowed_read();
    call.exhausted = vec![name("forgotten")];
    is_said(&call, "deny", &["guardrail/budget"]);
}

#[test]
fn a_task_of_another_agent_and_a_tool_of_another_system_are_refused() {
    let mut call = allowed_read();
    call.task.agent = name("somebody-else");
    is_said(&call, "deny", &["guardrail/task-agent"]);
    let mut call = allowed_read();
    call.system.name = name("another");
    is_said(&call, "deny", &["guardrail/tool-system"]);
}

#[test]
fn a_refusal_says_what_would_make_the_call_possible() {
    let cures = |call: &Call| match call.decide().verdict {
        provost_domain::Verdict::Deny { possible_if, .. } => possible_if,
        other => panic!("expected a denial, and got {other:?}"),
    };
    let mut call = allowed_read();
    call.agent.charter.grants = Arc::default();
    is_said(&call, "deny", &["charter/robot/1"]);
    assert_eq!(cures(&call), ["ask maria (owner) to add sys/act to the charter of robot"]);
    let mut call = allowed_read();
    call.task.scope = Some(Arc::default());
    assert_eq!(cures(&call), ["start the task with this tool in its scope"]);
    let mut call = allowed_read();
    call.tool.returns = vec![returns("payroll")];
    assert_eq!(cures(&call), ["ask maria (owner) to add payroll to the data in the charter of robot"]);
    let mut call = allowed_read();
    call.agent.status = AgentStatus::Decommissioned;
    call.pinned = false;
    assert!(cures(&call).is_empty(), "nothing brings a decommissioned agent back");
}

#[test]
fn nobody_is_asked_to_approve_what_would_be_refused_anyway() {
    let mut call = Call::new(Environment::Production, Autonomy::Probation, &[Effect::Delete]);
    call.agent.charter.grants = Arc::default();
    is_said(&call, "deny", &["charter/robot/1"]);
    let mut call = Call::new(Environment::Production, Autonomy::Probation, &[Effect::Delete]);
    call.agent.status = AgentStatus::Suspended;
    is_said(&call, "deny", &["guardrail/status"]);
}
