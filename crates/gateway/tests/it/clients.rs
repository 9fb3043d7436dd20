//! The official clients, through the gateway, in front of the bank and of the official servers.

use crate::{
    others::{Client, Served, call, names, official, serve},
    plane::{Foreign, Plane, Setup, charter},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One test for each client, in a module of its name.
macro_rules! each_client {
    ($($name:ident => $run:ident;)*) => {
        mod typescript_1 { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$run(crate::others::Client::TypeScript1).await; })* }
        mod typescript_2 { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$run(crate::others::Client::TypeScript2).await; })* }
        mod python_legacy { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$run(crate::others::Client::PythonLegacy).await; })* }
        mod python_auto { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$run(crate::others::Client::PythonAuto).await; })* }
    };
}

each_client! {
    sees_only_granted_tools_of_the_bank_and_is_told_why_a_call_is_refused => bank;
    hears_progress_of_the_bank_while_the_call_runs => progress;
    cancels_a_call_of_the_bank => cancellation;
    works_with_the_everything_server_over_http => everything_http;
    works_with_the_everything_server_over_stdio => everything_stdio;
    works_with_the_filesystem_server => filesystem;
    works_with_the_memory_server => memory;
    is_asked_by_a_legacy_server => asked_by_legacy;
    is_asked_by_a_modern_server => asked_by_modern;
}

async fn bank(client: Client) {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let too_much = json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": 9400, "reference": "x"});
    let calls = json!([
        call("list_accounts", json!({})),
        call("transfer", too_much),
        call("close_account", json!({"account": "operations"}))
    ]);
    let seen = client.run(&plane.url, "bank", &token, calls, &[]).await;
    assert_eq!(seen["protocol"], if client.is_modern() { "2026-07-28" } else { "2025-11-25" }, "{seen}");
    let mut shown = names(&seen);
    shown.sort();
    assert_eq!(
        shown,
        ["get_statement", "list_accounts", "list_payees", "reconcile", "send_message", "transfer"]
    );
    let [allowed, limited, ungranted] = results(&seen);
    assert!(allowed["structuredContent"]["accounts"].is_array(), "{seen}");
    assert!(refused(&limited).contains("at most 500"), "{seen}");
    assert!(refused(&ungranted).contains("Refused by Provost"), "{seen}");
    let bank = plane.bank.bank();
    assert_eq!((bank.calls("list_accounts"), bank.calls("transfer"), bank.calls("close_account")), (1, 0, 0));
    assert_eq!(plane.outcomes().await, ["bank/list_accounts success"]);
}

async fn progress(client: Client) {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let calls = json!([call("reconcile", json!({"account": "operations", "steps": 5}))]);
    let seen = client.run(&plane.url, "bank", &token, calls, &[]).await;
    let [answer] = results(&seen);
    assert_ne!(answer["isError"], true, "{seen}");
    let progress = seen["calls"][0]["progress"].as_array().unwrap();
    let first_ms = progress[0]["at_ms"].as_u64().unwrap();
    let all_ms = seen["calls"][0]["ms"].as_u64().unwrap();
    assert_eq!((progress.len(), progress[4]["progress"].as_f64()), (5, Some(5.0)), "{seen}");
    assert!(first_ms + 300 < all_ms, "progress came at the end: {seen}");
}

async fn cancellation(client: Client) {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let long = json!({"name": "reconcile", "arguments": {"account": "operations", "steps": 50}, "cancel_after_ms": 700});
    let seen =
        client.run(&plane.url, "bank", &token, json!([long, call("list_accounts", json!({}))]), &[]).await;
    assert!(seen["calls"][0].get("error").is_some(), "{seen}");
    assert!(seen["calls"][1]["result"]["structuredContent"]["accounts"].is_array(), "{seen}");
    assert_eq!(plane.outcomes().await, ["bank/reconcile unknown", "bank/list_accounts success"]);
}

async fn everything_http(client: Client) {
    let server = everything().await;
    in_front_of_everything(client, Foreign::http("everything", &server.url)).await;
}

async fn everything_stdio(client: Client) {
    in_front_of_everything(
        client,
        Foreign::stdio("everything", official("everything", &["stdio"]), BTreeMap::new()),
    )
    .await;
}

async fn in_front_of_everything(client: Client, system: Foreign) {
    let plane = Plane::start_with(Setup::foreign(vec![system.without("get-env")])).await;
    let (_, token) = plane.task().await;
    let long = json!({"duration": 2, "steps": 4});
    let calls = json!([
        call("echo", json!({"message": "hello"})),
        call("get-sum", json!({"a": 2, "b": 3})),
        call("trigger-long-running-operation", long),
        call("get-env", json!({})),
        call("get-structured-content", json!({"location": "Chicago"})),
    ]);
    let seen = client.run(&plane.url, "everything", &token, calls, &[]).await;
    let shown = names(&seen);
    assert!(shown.contains(&"echo".to_owned()) && !shown.contains(&"get-env".to_owned()), "{shown:?}");
    let [echo, sum, long, withheld, structured] = results(&seen);
    assert!(echo["content"][0]["text"].as_str().unwrap().contains("hello"), "{seen}");
    assert!(sum["content"][0]["text"].as_str().unwrap().contains('5'), "{seen}");
    assert!(long["content"][0]["text"].as_str().unwrap().contains("completed"), "{seen}");
    let progress = seen["calls"][2]["progress"].as_array().unwrap();
    assert!(progress.len() >= 3 && progress[0]["at_ms"].as_u64().unwrap() < 1_500, "{seen}");
    assert!(refused(&withheld).contains("Refused by Provost"), "{seen}");
    assert!(structured["structuredContent"].is_object(), "{seen}");
}

async fn filesystem(client: Client) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "what is in it").unwrap();
    let path = folder.path().canonicalize().unwrap();
    let path = path.to_string_lossy();
    let system =
        Foreign::stdio("files", official("filesystem", &[&path]), BTreeMap::new()).without("write_file");
    let plane = Plane::start_with(Setup::foreign(vec![system])).await;
    let (_, token) = plane.task().await;
    let calls = json!([
        call("read_text_file", json!({"path": format!("{path}/a.txt")})),
        call("write_file", json!({"path": format!("{path}/b.txt"), "content": "no"})),
        call("read_text_file", json!({"path": "/etc/hostname"})),
    ]);
    let seen = client.run(&plane.url, "files", &token, calls, &[]).await;
    let [read, write, outside] = results(&seen);
    assert_eq!(read["content"][0]["text"], "what is in it", "{seen}");
    assert!(
        refused(&write).contains("Refused by Provost") && !folder.path().join("b.txt").exists(),
        "{seen}"
    );
    // The server's own refusal comes through as it is.
    assert!(refused(&outside).contains("Access denied"), "{seen}");
    assert_eq!(plane.outcomes().await, ["files/read_text_file success", "files/read_text_file failure"]);
}

async fn memory(client: Client) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.jsonl").to_string_lossy().into_owned();
    let system = Foreign::stdio(
        "memory",
        official("memory", &[]),
        BTreeMap::from([("MEMORY_FILE_PATH".to_owned(), file)]),
    );
    let plane = Plane::start_with(Setup::foreign(vec![system.without("delete_entities")])).await;
    let (_, token) = plane.task().await;
    let entity =
        json!({"entities": [{"name": "Nordwind", "entityType": "supplier", "observations": ["ships"]}]});
    let calls = json!([
        call("create_entities", entity),
        call("delete_entities", json!({"entityNames": ["Nordwind"]})),
        call("read_graph", json!({})),
    ]);
    let seen = client.run(&plane.url, "memory", &token, calls, &[]).await;
    let [_created, deleted, graph] = results(&seen);
    assert!(refused(&deleted).contains("Refused by Provost"), "{seen}");
    assert!(graph.to_string().contains("Nordwind"), "{seen}");
}

async fn asked_by_legacy(client: Client) {
    let server = everything().await;
    let plane = Plane::start_with(Setup::foreign(vec![Foreign::http("everything", &server.url)])).await;
    let (_, token) = plane.task().await;
    for (answer, wanted) in [("accept", "Marple"), ("decline", "declined")] {
        let settings = [("ELICIT", answer), ("ELICIT_CONTENT", r#"{"name": "Miss Marple"}"#)];
        let calls = json!([call("trigger-elicitation-request", json!({}))]);
        let seen = client.run(&plane.url, "everything", &token, calls, &settings).await;
        let [asked] = results(&seen);
        assert_eq!(seen["elicitations"].as_array().map(Vec::len), Some(1), "{seen}");
        assert!(asked["content"].to_string().contains(wanted), "{seen}");
    }
    assert_eq!(plane.outcomes().await.len(), 2);
}

async fn asked_by_modern(client: Client) {
    let fixture = serve(&["fixture/server.mjs"]).await;
    let plane = Plane::start_with(Setup::foreign(vec![Foreign::http("fixture", &fixture.url)])).await;
    let (_, token) = plane.task().await;
    let settings =
        [("ELICIT", "accept"), ("ELICIT_CONTENT", r#"{"username": "marple", "email": "m@example.com"}"#)];
    let calls = json!([call("test_elicitation", json!({"message": "who are you?"}))]);
    let seen = client.run(&plane.url, "fixture", &token, calls, &settings).await;
    let [asked] = results(&seen);
    assert_eq!(seen["elicitations"][0]["message"], "who are you?", "{seen}");
    assert!(asked["content"][0]["text"].as_str().unwrap().contains("marple"), "{seen}");
    // A modern client's second round is a call of its own, and decided as one.
    let rounds = if client.is_modern() { 2 } else { 1 };
    assert_eq!(plane.outcomes().await, vec!["fixture/test_elicitation success"; rounds]);
}

async fn everything() -> Served {
    let main = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    serve(&["--import", "./loopback.mjs", main, "streamableHttp"]).await
}

/// The results of the calls, in order.
fn results<const N: usize>(seen: &Value) -> [Value; N] {
    let calls = seen["calls"].as_array().unwrap();
    let results: Vec<Value> = calls.iter().map(|call| call["result"].clone()).collect();
    results.try_into().unwrap_or_else(|_| panic!("{seen}"))
}

/// What a result that reports an error says.
fn refused(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap()
}
