//! Calls that are let through and calls that are not.

use crate::{
    client::{Mcp, text},
    plane::{Behind, Plane, filesystem_server},
};
use provost_cli::Exit;
use provost_domain::Digest;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_call_reaches_the_bank_and_its_outcome_is_on_record_before_the_answer() {
    let plane = Plane::start(Behind::Bank).await;
    let mut client = Mcp::open(plane.settings(Behind::Bank)).await;
    let answer = client.call("get_statement", json!({"account": "operations"})).await;
    assert!(
        answer["result"]["content"][0]["text"].is_string() && answer["result"]["isError"] != true,
        "{answer}"
    );
    let page =
        plane.store.decisions(&provost_store::DecisionFilter { max: 1, ..Default::default() }).await.unwrap();
    let stored = &page.decisions[0];
    assert_eq!(stored.completion.as_ref().unwrap().outcome.as_str(), "success");
    let task = stored.decision.subject.task.unwrap();
    assert!(plane.store.task_state(task).await.unwrap().labels.contains(&"confidential".parse().unwrap()));
    assert_eq!(client.close().await, Exit::Ok);
    assert_eq!(plane.running_tasks(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_what_the_agent_is_made_of_is_said_when_its_task_starts_and_nothing_unasked() {
    let plane = Plane::start(Behind::Bank).await;
    let mut settings = plane.settings(Behind::Bank);
    let run = async |settings| {
        let mut client = Mcp::open(settings).await;
        client.call("get_statement", json!({"account": "operations"})).await;
        client.close().await;
    };
    run(settings.clone()).await;
    settings.made_of.parts.push(("model".to_owned(), "m-1".to_owned()));
    settings.made_of.bill = true;
    run(settings).await;
    let shell = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("sh"))
        .find(|path| path.exists());
    let server = Digest::of(&std::fs::read(shell.unwrap()).unwrap()).to_string();
    let bills = plane.bills.lock().unwrap().clone();
    assert_eq!(bills, [Value::Null, json!({ "model": "m-1", "server": server })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_an_argument_limit_and_one_that_is_held_never_reach_the_bank() {
    let plane = Plane::start(Behind::Bank).await;
    let mut client = Mcp::open(plane.settings(Behind::Bank)).await;
    let transfer = |amount| json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": amount, "reference": "x"});
    let refused = client.call("transfer", transfer(9400)).await;
    assert!(refused["result"]["isError"] == true && text(&refused).contains("at most 500"), "{refused}");
    let held = client.call("transfer", transfer(120)).await;
    assert_eq!(held["result"]["_meta"]["dev.provost/decision"]["verdict"], "hold", "{held}");
    assert!(held["result"]["_meta"]["dev.provost/decision"]["requestable"]["approval_id"].is_string());
    assert_eq!(client.close().await, Exit::Ok);
    assert!(!plane.reached().contains(&"transfer".to_owned()));
    plane.decisions(&[("transfer", "deny", None), ("transfer", "hold", None)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_what_would_not_be_denied_and_the_rest_is_refused_when_called() {
    let plane = Plane::start(Behind::Bank).await;
    let mut client = Mcp::open(plane.settings(Behind::Bank)).await;
    let listed = client.ask("tools/list", json!({})).await;
    let mut names: Vec<_> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["get_statement", "list_accounts", "transfer"]);
    for tool in ["send_message", "no_such_tool"] {
        let refused = client.call(tool, json!({})).await;
        assert!(refused["result"]["isError"] == true, "{refused}");
    }
    assert_eq!(plane.reached(), ["initialize", "notifications/initialized", "tools/list"]);
    assert_eq!(client.close().await, Exit::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_is_served_without_a_session() {
    let plane = Plane::start(Behind::Bank).await;
    let mut client = Mcp::start(plane.settings(Behind::Bank));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let found = client.ask("server/discover", json!({"_meta": meta})).await;
    assert!(found["result"]["supportedVersions"].is_array(), "{found}");
    let answer =
        client.ask("tools/call", json!({"name": "list_accounts", "arguments": {}, "_meta": meta})).await;
    assert!(answer["result"]["content"].is_array(), "{answer}");
    let refused =
        client.ask("tools/call", json!({"name": "send_message", "arguments": {}, "_meta": meta})).await;
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    assert_eq!(client.close().await, Exit::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_questions_and_answers_pass_and_what_nobody_mediates_does_not() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::start(plane.settings(Behind::Child));
    let opened = client.initialize().await;
    assert_eq!(opened["result"]["capabilities"], json!({"tools": {"listChanged": true}}));
    let params = json!({"name": "slow", "arguments": {}, "_meta": {"progressToken": "p"}});
    let answer = client.ask("tools/call", params).await;
    assert_eq!(text(&answer), "done");
    assert_eq!(client.aside.len(), 3);
    assert!(client.aside.iter().all(|message| message["params"]["progressToken"] == "p"));

    let id = client.begin("tools/call", json!({"name": "ask", "arguments": {}})).await;
    let question = client.hear().await;
    assert_eq!((&question["method"], &question["id"]), (&json!("roots/list"), &json!(501)));
    client.send(&json!({"jsonrpc": "2.0", "id": 999, "result": {"nobody": "asked"}})).await;
    client.send(&json!({"jsonrpc": "2.0", "id": 501, "result": {"roots": []}})).await;
    assert_eq!(text(&client.answer(id).await), r#"{"roots": []}"#);

    for method in ["tasks/list", "tasks/get", "no/such", "elicitation/create"] {
        let refused = client.ask(method, json!({"taskId": "t"})).await;
        assert_eq!(refused["error"]["code"], -32601, "{refused}");
    }
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
    let reached = std::fs::read_to_string(plane.log()).unwrap();
    assert!(!reached.contains("\"tasks\"") && !reached.contains("nobody"), "{reached}");
    assert_eq!(client.close().await, Exit::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changes_a_tool_is_refused_its_next_call() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    assert_eq!(text(&client.call("echo", json!({"say": "hi"})).await), "hi");
    assert_eq!(text(&client.call("change", json!({})).await), "changed");
    let refused = client.call("echo", json!({"say": "hi"})).await;
    assert!(
        refused["result"]["isError"] == true && text(&refused).contains("Refused by Provost"),
        "{refused}"
    );
    assert_eq!(plane.reached().iter().filter(|name| *name == "echo").count(), 1);
    assert_eq!(client.close().await, Exit::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_is_renewed_and_the_server_sees_none_of_ours() {
    let plane = Plane::start(Behind::Child).await;
    plane.token_seconds.store(1, Ordering::SeqCst);
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_300)).await;
    assert_eq!(text(&client.call("echo", json!({"say": "hi"})).await), "hi");
    assert!(plane.tokens_issued.load(Ordering::SeqCst) >= 2);
    assert_eq!(plane.running_tasks(), 1);
    let variables = text(&client.call("env", json!({})).await);
    assert!(variables.contains("\"PATH\""), "{variables}");
    assert!(!variables.contains("\"HOME\""), "{variables}");
    assert_eq!(client.close().await, Exit::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_handed_in_is_used_and_its_task_goes_on() {
    let plane = Plane::start(Behind::Child).await;
    let (_, token) = plane.task("files").await;
    let mut settings = plane.settings(Behind::Child);
    (settings.starter, settings.token) = (None, Some(token));
    let mut client = Mcp::open(settings).await;
    assert_eq!(text(&client.call("echo", json!({"say": "hi"})).await), "hi");
    assert_eq!(client.close().await, Exit::Ok);
    assert_eq!(plane.running_tasks(), 1);
    assert_eq!(plane.tokens_issued.load(Ordering::SeqCst), 0);
}

/// Needs what `tests/interop/setup.sh` installs.
#[tokio::test(flavor = "multi_thread")]
async fn the_official_filesystem_server_reads_what_it_may_and_writes_nothing() {
    if !filesystem_server().exists() {
        eprintln!("skipped: run tests/interop/setup.sh first");
        return;
    }
    let plane = Plane::start(Behind::Filesystem).await;
    let note = plane.folder().join("note.txt");
    std::fs::write(&note, "the invoice is paid").unwrap();
    let mut client = Mcp::open(plane.settings(Behind::Filesystem)).await;
    let listed = client.ask("tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(text(&client.call("read_text_file", json!({"path": note})).await), "the invoice is paid");
    let refused = client.call("write_file", json!({"path": note, "content": "it is not"})).await;
    assert!(text(&refused).contains("Refused by Provost"), "{refused}");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "the invoice is paid");
    assert_eq!(client.close().await, Exit::Ok);
    assert!(!plane.reached().contains(&"write_file".to_owned()));
    plane.decisions(&[("read_text_file", "allow", Some("success")), ("write_file", "deny", None)]).await;
}
