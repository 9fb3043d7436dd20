//! A held call, from the question to its one use. Every test counts at the bank: what happened there is what happened.

use crate::plane::{BANK_KEY, Plane, answer, charter, fixed, loopback, person, text};
use provost_broker::{Broker, BrokerParts};
use provost_connect::{Config, SealingKey, Upstreams};
use provost_domain::{
    Approval, Clock, DurationMs, Name, NodeId, Object, ObjectKey, Timestamp, approval::ApprovalStatus,
    limits::Limits, policy_file::PolicyFile, task::TaskStatus,
};
use provost_gateway::{
    Hosts, Identifier, Parts, Pipeline,
    mcp::{Front, FrontParts},
};
use provost_lifecycle::approval::{self as life, Ballot};
use provost_replica::Replica;
use provost_store::SystemClock;
use provost_token::{SigningKey, Verifier};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

pub fn pay(amount: u32) -> Value {
    json!({"from_account": "operations", "payee": "Kantoor Zuid BV", "amount": amount, "reference": "x"})
}

/// A plane with a deputy, since maria asks for the tasks.
pub async fn plane() -> Plane {
    let plane = Plane::start(charter(json!({"deputies": ["ben"]}))).await;
    plane.change(Object::Person(person("ben")), 0).await;
    plane
}

pub fn requested(answer: &Value) -> Value {
    let told = answer["result"]["_meta"]["dev.provost/decision"].clone();
    assert_eq!(told["verdict"], "hold", "{answer}");
    told["requestable"].clone()
}

pub async fn hold(plane: &Plane, token: &str, args: Value) -> String {
    let (_, answer) = plane.call(token, "transfer", args).await;
    requested(&answer)["approval_id"].as_str().unwrap().to_owned()
}

pub fn done(answer: &Value) -> bool {
    answer["result"].is_object() && answer["result"]["isError"] != json!(true)
}

pub async fn row(plane: &Plane, id: &str) -> (u64, Approval) {
    let history = plane.store.history(&ObjectKey::approval(id), 1).await.unwrap();
    match &history[0].after {
        Some(Object::Approval(row)) => (history[0].version, row.as_ref().clone()),
        other => panic!("{other:?}"),
    }
}

pub fn ballot(by: &str, yes: bool) -> Ballot {
    Ballot {
        person: by.parse().unwrap(),
        yes,
        reason: Some("looked at it".into()),
        shown_by: "test".into(),
        break_glass: false,
        signature: signature(),
    }
}

/// Whoever writes a vote has judged its signature; the gateway takes what is in the row.
pub fn signature() -> Option<Box<provost_domain::Signature>> {
    let stamp = json!({"plane": "http://127.0.0.1:7070", "at": 0, "nonce": "0"});
    let row = json!({"stamp": stamp, "passkey": "k", "key": "", "authenticator_data": "", "client_data": "", "signature": ""});
    Some(serde_json::from_value(row).unwrap())
}

pub async fn answer_it(plane: &Plane, id: &str, by: &str, yes: bool) {
    let (version, row) = row(plane, id).await;
    let directory = plane.replica.latest().directory.clone();
    let voted = life::vote(&row, &directory, ballot(by, yes), SystemClock.now()).unwrap();
    plane.change(Object::Approval(Box::new(voted)), version).await;
}

pub async fn settled(plane: &Plane, id: &str, status: &str) -> Approval {
    for _ in 0..100 {
        let (_, row) = row(plane, id).await;
        if row.status.as_str() == status {
            plane.replica.catch_up().await.unwrap();
            return row;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} never became {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_call_runs_once_when_it_is_made_again_and_the_next_one_is_asked_for_anew() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    let (_, asked) = row(&plane, &id).await; // on record before the agent heard of it
    assert_eq!((asked.args, asked.status), (pay(120).as_object().unwrap().clone(), ApprovalStatus::Waiting));
    assert_eq!(hold(&plane, &token, pay(120)).await, id, "the same call finds the same approval");
    answer_it(&plane, &id, "ben", true).await;
    let (_, answer) = plane.call(&token, "transfer", pay(120)).await;
    assert!(done(&answer), "{answer}");
    let used = settled(&plane, &id, "used").await;
    let ApprovalStatus::Used { decision: Some(decision), .. } = used.status else { panic!("{used:?}") };
    let decided = plane.store.decision(decision).await.unwrap().unwrap().decision;
    assert_eq!((decided.approval.as_deref(), decided.action), (Some(id.as_str()), used.action));
    assert_eq!(hold(&plane, &token, pay(120)).await, format!("{id}_2"));
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_retries_at_once_run_it_once() {
    let plane = Arc::new(plane().await);
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    answer_it(&plane, &id, "ben", true).await;
    let calls = (0..20).map(|_| {
        let (plane, token) = (Arc::clone(&plane), token.clone());
        tokio::spawn(async move { done(&plane.call(&token, "transfer", pay(120)).await.1) })
    });
    let done = futures::future::join_all(calls).await;
    assert_eq!(done.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

/// Another node of the same plane: its own replica and pipeline, the same store and identity. Gives its address.
pub async fn another_node(plane: &Plane) -> String {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let replica = Replica::load(Arc::clone(&plane.store), Arc::clone(&clock)).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let following = Arc::clone(&replica);
    tokio::spawn(async move {
        let _kept = stop;
        following.follow(DurationMs(20), stopped).await;
    });
    let limits = Limits::default();
    let node = NodeId::new(Timestamp::from_millis(2), [2; 10]);
    let upstreams = Upstreams::new(Config::new(limits.clone())).unwrap();
    let sealing = Arc::new(SealingKey::from_bytes(&[9; 32]).unwrap());
    assert!(!BANK_KEY.is_empty(), "sealed in the store the nodes share");
    let broker = Broker::new(BrokerParts {
        store: Arc::clone(&plane.store),
        replica: Arc::clone(&replica),
        clock: Arc::clone(&clock),
        sealing,
        upstreams: upstreams.clone(),
        node,
        issuer: plane.url.clone(),
        signer: Arc::new(SigningKey::es256_from_seed(&[6; 32]).unwrap()),
    });
    let verifier = Verifier::new(plane.url.clone(), vec![plane.key.verifying().clone()]);
    let pipeline = Arc::new(Pipeline::from(Parts {
        store: Arc::clone(&plane.store),
        replica,
        clock,
        limits,
        node,
        identifier: Identifier::new(fixed(verifier), format!("{}/mcp", plane.url), Timestamp::from_millis(0)),
        upstreams,
        broker,
        marks: provost_connect::Marks::of(&SealingKey::from_bytes(&[9; 32]).unwrap()).unwrap(),
    }));
    let front = Front::new(FrontParts { pipeline, hosts: Arc::new(Hosts::new([])) });
    let listener = loopback().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, front.router()).await.unwrap() });
    url
}

async fn call_at(plane: &Plane, url: &str, token: &str, args: Value) -> Value {
    tool_at(plane, url, token, ("transfer", args)).await
}

/// A call of a tool of the bank at one of the nodes.
pub async fn tool_at(plane: &Plane, url: &str, token: &str, (tool, args): (&str, Value)) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": tool, "arguments": args, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let request = plane.client().post(format!("{url}/mcp/bank")).bearer_auth(token);
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    answer(request.body(body.to_string()).send().await.unwrap()).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_over_one_store_ask_once_and_run_it_once() {
    let plane = plane().await;
    let other = another_node(&plane).await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    let said = call_at(&plane, &other, &token, pay(120)).await;
    assert_eq!(requested(&said)["approval_id"], json!(id), "one approval for both");
    answer_it(&plane, &id, "ben", true).await;
    tokio::time::sleep(Duration::from_millis(200)).await; // the other node follows
    let urls = [plane.url.clone(), other];
    let calls = (0..10).map(|n| call_at(&plane, &urls[n % 2], &token, pay(120)));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| done(answer)).count(), 1, "{answers:#?}");
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_between_the_yes_and_the_retry_runs_it_once() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    answer_it(&plane, &id, "ben", true).await;
    let fresh = another_node(&plane).await;
    assert!(done(&call_at(&plane, &fresh, &token, pay(120)).await));
    settled(&plane, &id, "used").await;
    assert!(!done(&call_at(&plane, &fresh, &token, pay(120)).await));
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_record_and_the_mark_gives_no_second_use() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    answer_it(&plane, &id, "ben", true).await;
    plane.store_faults.set(&plane.store_faults.marks);
    assert!(done(&plane.call(&token, "transfer", pay(120)).await.1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(row(&plane, &id).await.1.status.as_str(), "granted", "the mark was lost");
    plane.store_faults.heal();
    assert_eq!(hold(&plane, &token, pay(120)).await, format!("{id}_2"), "the charge says that it was used");
    let mended = row(&plane, &id).await.1;
    assert!(matches!(mended.status, ApprovalStatus::Used { decision: Some(_), .. }), "{mended:?}");
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_told_with_its_reason_and_the_same_is_not_asked_again_at_once() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    answer_it(&plane, &id, "ben", false).await;
    let (_, answer) = plane.call(&token, "transfer", pay(120)).await;
    assert!(text(&answer).contains("ben said no: looked at it"), "{answer}");
    assert_eq!(requested(&answer)["approval_id"], json!(id));
    assert_eq!(requested(&answer)["status"], "refused");
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_a_yes_that_was_not_used_in_time_are_a_no() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    let past = Timestamp::from_millis(SystemClock.now().as_millis() - 1);
    let (version, waiting) = row(&plane, &id).await;
    plane.change(Object::Approval(Box::new(Approval { expires: past, ..waiting })), version).await;
    let second = hold(&plane, &token, pay(120)).await;
    assert_eq!(second, format!("{id}_2"));
    assert_eq!(row(&plane, &id).await.1.status.as_str(), "expired");
    answer_it(&plane, &second, "ben", true).await;
    let (version, granted) = row(&plane, &second).await;
    let status = ApprovalStatus::Granted { at: past, until: past };
    plane.change(Object::Approval(Box::new(Approval { status, ..granted })), version).await;
    assert_eq!(hold(&plane, &token, pay(120)).await, format!("{id}_3"));
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_arguments_and_another_task_need_an_approval_of_their_own() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    answer_it(&plane, &id, "ben", true).await;
    assert_ne!(hold(&plane, &token, pay(121)).await, id);
    let (_, other) = plane.task().await;
    assert_ne!(hold(&plane, &other, pay(120)).await, id);
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_after_the_yes_wins() {
    for what in ["charter", "tool", "policy"] {
        let plane = plane().await;
        let (_, token) = plane.task().await;
        let id = hold(&plane, &token, pay(120)).await;
        answer_it(&plane, &id, "ben", true).await;
        match what {
            "charter" => {
                let mut agent = plane.agent();
                agent.revision += 1;
                plane.change(Object::Agent(agent), 1).await;
            }
            "tool" => {
                let key = ("bank".parse().unwrap(), "transfer".parse().unwrap());
                let mut tool = plane.replica.latest().directory.tools[&key].as_ref().clone();
                tool.effects.insert("delete".parse().unwrap());
                plane.change(Object::Tool(tool), 1).await;
            }
            _ => {
                let text = "@id(\"acme/x\") @reason(\"never on the moon\")\n\
                            forbid (principal, action, resource) when { context.weekday == \"moonday\" };";
                let name: Name = "x".parse().unwrap();
                plane.change(Object::Policy(PolicyFile { name, text: text.into() }), 0).await;
            }
        }
        let (_, answer) = plane.call(&token, "transfer", pay(120)).await;
        assert!(!done(&answer), "{what}: {answer}");
        if answer["result"]["_meta"]["dev.provost/decision"]["verdict"] == "hold" {
            assert_eq!(requested(&answer)["approval_id"], json!(format!("{id}_2")), "{what}");
        }
        assert_eq!(plane.bank.bank().calls("transfer"), 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ended_and_an_agent_that_was_suspended_use_no_approval() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    let (_, other) = plane.task().await;
    for token in [&token, &other] {
        let id = hold(&plane, token, pay(120)).await;
        answer_it(&plane, &id, "ben", true).await;
    }
    let mut ended = plane.replica.latest().directory.tasks[&task].as_ref().clone();
    ended.status = TaskStatus::Ended;
    plane.change(Object::Task(ended), 1).await;
    assert_eq!(plane.call(&token, "transfer", pay(120)).await.0, 401);
    let mut agent = plane.agent();
    agent.status = provost_domain::AgentStatus::Suspended;
    plane.change(Object::Agent(agent), 1).await;
    assert!(text(&plane.call(&other, "transfer", pay(120)).await.1).contains("not active"));
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_call_runs_as_edited_and_the_original_only_tells_what_to_call_instead() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    let (version, original) = row(&plane, &id).await;
    let directory = plane.replica.latest().directory.clone();
    let change = (pay(100).as_object().unwrap().clone(), original.gates.clone());
    let (original, edited) =
        life::edit(&original, &directory, change, (ballot("ben", true), 0), SystemClock.now()).unwrap();
    plane.change(Object::Approval(Box::new(edited)), 0).await;
    plane.change(Object::Approval(Box::new(original)), version).await;
    for _ in 0..2 {
        let (_, answer) = plane.call(&token, "transfer", pay(120)).await;
        assert!(text(&answer).contains("amount: 120 → 100"), "{answer}");
        assert_eq!(requested(&answer)["call_instead"]["arguments"], pay(100));
    }
    assert_eq!(plane.bank.bank().calls("transfer"), 0, "never other arguments than the agent sent");
    assert!(done(&plane.call(&token, "transfer", pay(100)).await.1));
    assert!(!done(&plane.call(&token, "transfer", pay(100)).await.1));
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_cannot_bury_its_approvers() {
    let mut setup = crate::plane::Setup::charter(charter(json!({"deputies": ["ben"]})));
    setup.limits.approvals_per_task_max = 2;
    let plane = Plane::start_with(setup).await;
    let (_, token) = plane.task().await;
    for amount in [1, 2] {
        hold(&plane, &token, pay(amount)).await;
        plane.replica.catch_up().await.unwrap();
    }
    let (status, answer) = plane.call(&token, "transfer", pay(3)).await;
    assert_eq!(status, 429, "{answer}");
    assert!(answer.to_string().contains("approvals_per_task_max"), "{answer}");
    hold(&plane, &token, pay(1)).await; // what waits already can still be asked after
}

/// One modern call of a client that opens pages.
async fn call_with(plane: &Plane, token: &str, extra: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
    });
    let mut params = json!({"name": "transfer", "arguments": pay(120), "_meta": meta});
    for (key, value) in extra.as_object().unwrap() {
        params[key] = value.clone();
    }
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let request = plane.post("/mcp/bank").bearer_auth(token);
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "transfer");
    answer(request.body(body.to_string()).send().await.unwrap()).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_that_opens_pages_is_sent_to_the_approval_and_comes_back_with_the_same_call() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let asked = call_with(&plane, &token, json!({})).await;
    let result = &asked["result"];
    assert_eq!(result["resultType"], "input_required", "{asked}");
    let question = &result["inputRequests"]["approval"];
    assert_eq!(
        (&question["method"], &question["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    let url = question["params"]["url"].as_str().unwrap();
    let id = url.strip_prefix(&format!("{}/approvals/", plane.url)).unwrap().to_owned();
    let back =
        json!({"requestState": result["requestState"], "inputResponses": {"approval": {"action": "accept"}}});
    let early = call_with(&plane, &token, back.clone()).await;
    assert_eq!(
        requested(&early)["status"],
        "waiting",
        "opening the page decides nothing, and nobody asks twice"
    );
    answer_it(&plane, &id, "ben", true).await;
    let ran = call_with(&plane, &token, back).await;
    assert!(done(&ran), "{ran}");
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_that_opens_pages_is_sent_to_the_approval_once() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let opens = json!({"elicitation": {"url": {}}});
    let session = plane.initialize(&token, "/mcp/bank", "2025-11-25", opens).await;
    let call = async || {
        let params = json!({"name": "transfer", "arguments": pay(120)});
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        let request = plane.post("/mcp/bank").bearer_auth(&token).header("mcp-session-id", &session);
        let request = request
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25");
        answer(request.body(body.to_string()).send().await.unwrap()).await.1
    };
    let first = call().await;
    assert_eq!(first["error"]["code"], -32042, "{first}");
    let asked = &first["error"]["data"]["elicitations"][0];
    let id = asked["elicitationId"].as_str().unwrap();
    assert_eq!(asked["url"], json!(format!("{}/approvals/{id}", plane.url)));
    assert_eq!(requested(&call().await)["approval_id"], json!(id));
    answer_it(&plane, id, "ben", true).await;
    assert!(done(&call().await));
    assert_eq!(plane.bank.bank().calls("transfer"), 1);
}
