//! Drift as it happens, over the real pipeline: the first call that a charter does not name is a finding, what is far from what
//! is usual waits for a person, and what is usual for a kind of task does not.

use crate::plane::{Plane, charter};
use provost_domain::{
    Baseline, BaselineOf, Clock as _, Finding, Object, Seq, Timestamp, finding::FindingState,
    policy_file::PolicyFile, tool::Steering, usual::Counts,
};
use provost_store::{DecisionFilter, SystemClock};
use provost_watch::run::Marker;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// A plane whose bank's messages say what steers them.
async fn plane() -> Plane {
    let plane = Plane::start(charter(json!({}))).await;
    let key = ("bank".parse().unwrap(), "send_message".parse().unwrap());
    let mut tool = plane.replica.latest().directory.tools.get(&key).unwrap().as_ref().clone();
    tool.steering = Steering { steers: ["to".to_owned()].into(), carries: ["body".to_owned()].into() };
    plane.change(Object::Tool(tool), 1).await;
    plane
}

/// What is usual for tasks that pay the November invoices.
async fn usual(plane: &Plane, runs: u32, counts: impl FnOnce(&mut Counts)) {
    let agent = "invoice-clerk".parse().unwrap();
    let of = BaselineOf::Kind { agent, kind: "pay-the-november-invoices".to_owned() };
    let mut row = Baseline::begun(of, Timestamp::from_millis(0));
    row.learned = Seq(0);
    row.usual.reference.runs = runs;
    row.usual.reference.calls = u64::from(runs) * 4;
    counts(&mut row.usual.reference);
    plane.change(Object::Baseline(Box::new(row)), 0).await;
}

/// The findings, once there are so many.
async fn findings(plane: &Plane, wanted: usize) -> Vec<Arc<Finding>> {
    for _ in 0..100 {
        plane.replica.catch_up().await.unwrap();
        let found: Vec<_> = plane.replica.latest().directory.findings.values().cloned().collect();
        if found.len() >= wanted {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no finding came");
}

fn message(to: &str) -> Value {
    json!({"to": to, "subject": "x", "body": "hello"})
}

/// The policies that held or denied a call.
fn why(answer: &Value) -> Vec<String> {
    let told = &answer["result"]["_meta"]["dev.provost/decision"];
    let reasons = told["reasons"].as_array().cloned().unwrap_or_default();
    let stopped = told["verdict"] == "hold" || told["verdict"] == "deny";
    let policy = |reason: &Value| reason["policy"].as_str().unwrap().to_owned();
    if stopped { reasons.iter().map(policy).collect() } else { Vec::new() }
}

const STRANGERS: &str = "LT12 1000 0111 0100 1000";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_that_the_charter_does_not_name_is_a_finding_at_once_and_the_next_is_the_same_one() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    plane.call(&token, "list_accounts", json!({})).await;
    let (_, answer) = plane.call(&token, "close_account", json!({"account": "operations"})).await;
    assert!(!why(&answer).is_empty(), "{answer}");
    let found = findings(&plane, 1).await;
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((finding.kind.as_str(), finding.about.task), ("drift", Some(task)));
    assert_eq!(finding.key, "invoice-clerk/undeclared/bank/close_account");
    assert!(finding.what.contains("bank/close_account, which its charter does not name"), "{}", finding.what);
    assert!(finding.severity >= provost_domain::Severity::High);
    let denied = DecisionFilter { verdict: Some("deny".to_owned()), max: 10, ..Default::default() };
    let denied = plane.store.decisions(&denied).await.unwrap().decisions;
    assert_eq!(finding.evidence, [denied[0].decision.id.to_string()]);
    plane.call(&token, "close_account", json!({"account": "operations"})).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(findings(&plane, 1).await[0].count, 1, "within a minute it is the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_far_from_what_is_usual_waits_for_a_person_who_hears_why_and_an_ordinary_one_does_not() {
    let plane = plane().await;
    usual(&plane, 200, |counts| {
        counts.tools.insert("bank/list_accounts".to_owned(), 200);
        counts.pairs.insert(("^".to_owned(), "bank/list_accounts".to_owned()), 200);
    })
    .await;
    let (_, token) = plane.task().await;
    assert_eq!(why(&plane.call(&token, "list_accounts", json!({})).await.1), [""; 0]);
    let (_, answer) = plane.call(&token, "send_message", message("The-November-Invoices")).await;
    assert_eq!(why(&answer), ["guardrail/drift"], "{answer}");
    let told = answer["result"]["_meta"]["dev.provost/decision"]["reasons"][0]["reason"].as_str().unwrap();
    assert!(told.contains("seldom use bank/send_message"), "{told}");
    let found = findings(&plane, 1).await;
    assert!(found[0].what.contains("200 earlier runs (pay-the-november-invoices)"), "{}", found[0].what);
    // The record says how far it was, so that the decision can be made again.
    let held = DecisionFilter { verdict: Some("hold".to_owned()), max: 10, ..Default::default() };
    let held = plane.store.decisions(&held).await.unwrap().decisions;
    let drift = held[0].decision.input["args_from"]["drift"].as_u64().unwrap();
    assert!(drift >= 400, "{drift}");
    let replay = provost_policy::replay(&plane.replica.latest().directory, &held[0].decision);
    assert!(replay.same, "{:?}", replay.differences);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_holds_sooner_than_the_guardrail_what_is_unlike_the_kind_of_task() {
    let plane = plane().await;
    usual(&plane, 8, |counts| {
        counts.tools.insert("bank/list_accounts".to_owned(), 8);
    })
    .await;
    let sent = async || {
        let (_, token) = plane.task().await;
        why(&plane.call(&token, "send_message", message("The-November-Invoices")).await.1)
    };
    assert_eq!(sent().await, [""; 0], "8 runs are too few for the guardrail");
    let text = r#"
        @id("acme/unlike") @reason("this run is unlike others of its kind") @gate("owner")
        forbid (principal, action, resource) when { context.drift >= 200 }
        unless { context.approvals.contains("owner") };
    "#;
    let policy = PolicyFile { name: "drift".parse().unwrap(), text: text.into() };
    plane.change(Object::Policy(policy), 0).await;
    assert_eq!(sent().await, ["acme/unlike"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_its_kind_of_task_always_used_is_usual_until_somebody_must_look() {
    let plane = plane().await;
    let mark = Marker::of("invoice-clerk").mark("bank/send_message", "to", STRANGERS);
    usual(&plane, 20, |counts| {
        for tool in ["bank/get_statement", "bank/send_message"] {
            counts.tools.insert(tool.to_owned(), 20);
        }
        counts.marks.insert(mark, 20);
    })
    .await;
    let send = async |token: &str| {
        plane.call(token, "get_statement", json!({"account": "operations"})).await;
        plane.call(token, "send_message", message(STRANGERS)).await.1
    };
    let (_, token) = plane.task().await;
    assert_eq!(why(&send(&token).await), [""; 0]);
    let newest = DecisionFilter { max: 1, ..Default::default() };
    let sent = plane.store.decisions(&newest).await.unwrap().decisions;
    assert_eq!(sent[0].decision.input["args_from"]["from"]["to"], "usual");
    let key = provost_domain::ObjectKey::new(
        provost_domain::Kind::Baseline,
        "agent:invoice-clerk:pay-the-november-invoices",
    );
    let Some(Object::Baseline(mut row)) = plane.replica.latest().directory.get(&key) else { panic!() };
    row.usual.changed("the model is another");
    plane.change(Object::Baseline(row), 1).await;
    let (_, token) = plane.task().await;
    assert_eq!(why(&send(&token).await), ["guardrail/steered-untrusted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suppressed_is_counted_and_opens_nothing_until_its_time_is_over_or_it_gets_worse() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    plane.call(&token, "close_account", json!({"account": "operations"})).await;
    let mut finding = findings(&plane, 1).await[0].as_ref().clone();
    let now = SystemClock.now();
    finding.state = FindingState::Suppressed {
        at: now,
        by: "maria".to_owned(),
        why: "we know".to_owned(),
        until: now.plus(provost_domain::DurationMs::from_mins(60)),
    };
    // Seen two minutes ago, so that the next sighting is one.
    finding.last = now.minus(provost_domain::DurationMs::from_mins(2));
    plane.change(Object::Finding(Box::new(finding)), 1).await;
    let seen = |found: &Finding| (found.state.as_str(), found.count);
    assert_eq!(seen(&findings(&plane, 1).await[0]), ("suppressed", 1));
    // Another node sees it: this one told people a moment ago.
    let other = crate::approvals::another_node(&plane).await;
    let (_, token) = plane.task().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "close_account", "arguments": {"account": "operations"}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        },
    }});
    let request = plane.client().post(format!("{other}/mcp/bank")).bearer_auth(&token);
    let request = request.header("mcp-method", "tools/call").header("mcp-name", "close_account");
    let request = request.header("mcp-protocol-version", "2026-07-28");
    let request = request.header("accept", "application/json, text/event-stream").json(&body);
    request.send().await.unwrap();
    for _ in 0..100 {
        if findings(&plane, 1).await[0].count == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen(&findings(&plane, 1).await[0]), ("suppressed", 2));
}

/// A plane whose clerk may look at one account, with nothing unusual about looking there, whenever and however often.
async fn looker() -> Plane {
    let grants = json!([{"system": "bank", "tools": ["get_statement"], "args": {"account": {"one_of": ["operations", "lost"]}}}]);
    let plane = Plane::start(charter(json!({ "grants": grants }))).await;
    usual(&plane, 200, |counts| {
        counts.calls = 200 * 40;
        counts.tools.insert("bank/get_statement".to_owned(), 200);
        for before in ["^", "bank/get_statement"] {
            counts.pairs.insert((before.to_owned(), "bank/get_statement".to_owned()), 200);
        }
        counts.hours.extend((0..24).map(|hour| (hour, 200)));
    })
    .await;
    plane
}

/// Looks at an account so many times, at one of the nodes.
async fn looks(plane: &Plane, url: &str, token: &str, (account, times): (&str, usize)) {
    for _ in 0..times {
        crate::approvals::tool_at(plane, url, token, ("get_statement", json!({ "account": account }))).await;
    }
}

async fn nothing_is_found(plane: &Plane) {
    tokio::time::sleep(Duration::from_millis(150)).await;
    let found = findings(plane, 0).await;
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_calls_fail_and_fail_is_found_while_it_goes_on_and_a_few_failures_are_nothing() {
    let plane = looker().await;
    let (_, token) = plane.task().await;
    // The charter allows it, and the bank has no such account.
    looks(&plane, &plane.url, &token, ("lost", 10)).await;
    nothing_is_found(&plane).await;
    looks(&plane, &plane.url, &token, ("lost", 25)).await;
    let found = findings(&plane, 1).await;
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(finding.key, "invoice-clerk/troubles/run");
    assert!(
        finding.what.contains("of its calls failed or were refused, more than usual"),
        "{}",
        finding.what
    );
    let allowed = DecisionFilter { verdict: Some("allow".to_owned()), max: 100, ..Default::default() };
    assert_eq!(
        plane.store.decisions(&allowed).await.unwrap().decisions.len(),
        35,
        "nothing of it was refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_again_and_again_what_is_refused_is_found_with_no_past_at_all() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    for _ in 0..10 {
        plane.call(&token, "transfer", crate::approvals::pay(900)).await;
    }
    nothing_is_found(&plane).await;
    for _ in 0..20 {
        plane.call(&token, "transfer", crate::approvals::pay(900)).await;
    }
    assert_eq!(findings(&plane, 1).await[0].key, "invoice-clerk/troubles/run");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_past_a_node_that_was_started_again_knows_what_was_refused_before() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let refused = async |url: &str, times| {
        for _ in 0..times {
            crate::approvals::tool_at(&plane, url, &token, ("transfer", crate::approvals::pay(900))).await;
        }
    };
    // Of the same name as the one before it.
    refused(&crate::approvals::another_node(&plane).await, 15).await;
    let again = crate::approvals::another_node(&plane).await;
    refused(&again, 1).await;
    nothing_is_found(&plane).await;
    refused(&again, 14).await;
    assert_eq!(findings(&plane, 1).await[0].key, "invoice-clerk/troubles/run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_later_or_again_counts_what_the_run_did_before_and_each_call_once() {
    let plane = looker().await;
    let (_, token) = plane.task().await;
    looks(&plane, &plane.url, &token, ("savings", 14)).await;
    let again = crate::approvals::another_node(&plane).await;
    looks(&plane, &again, &token, ("savings", 14)).await;
    nothing_is_found(&plane).await;
    looks(&plane, &again, &token, ("savings", 1)).await;
    let found = findings(&plane, 1).await;
    assert!(found[0].what.contains("29 of its calls failed or were refused"), "{}", found[0].what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_two_nodes_is_measured_as_one_although_neither_alone_sees_anything() {
    let plane = looker().await;
    let other = crate::approvals::another_node(&plane).await;
    let (_, token) = plane.task().await;
    // Both have met the task by now; what comes is decided here and there.
    looks(&plane, &plane.url, &token, ("savings", 1)).await;
    looks(&plane, &other, &token, ("savings", 1)).await;
    looks(&plane, &plane.url, &token, ("savings", 14)).await;
    looks(&plane, &other, &token, ("savings", 13)).await;
    nothing_is_found(&plane).await;
    for _ in 0..10 {
        // A second after the last look, a call looks again: with 26 at most of its own, it must have seen the others.
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        looks(&plane, &other, &token, ("savings", 1)).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        if !findings(&plane, 0).await.is_empty() {
            break;
        }
    }
    let found = findings(&plane, 1).await;
    assert_eq!(found[0].key, "invoice-clerk/troubles/run", "{found:?}");
}
