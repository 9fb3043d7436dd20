#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! The console in a real browser: accessible, within its own policy, at every width, by keyboard, live, and without script.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;
#[path = "common/pages.rs"]
#[expect(dead_code, reason = "each test uses a part of it")]
mod list;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/town.rs"]
mod town;

use axum::{Router, routing::post};
use common::interop::{node, said};
use serde_json::{Value, json};
use std::sync::Arc;
use town::{Town, decide};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_reached_and_read_by_everybody_at_every_width_in_light_and_dark() {
    walked(&Town::built().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_run_nothing_and_break_no_page() {
    walked(&Town::hostile().await).await;
}

/// Walks through every page, and finds no fault of access, nothing that the pages' own policy blocked, nothing wider than a phone,
/// and nothing that the keyboard does not reach.
async fn walked(town: &Town) {
    let pages = list::met(town);
    let mut command = node("browser/walk.mjs");
    command
        .env("PLANE", &town.stage.served.plane.issuer)
        .env("SESSIONS", town.sessions().await.to_string())
        .env("PAGES", list::as_json(&pages).to_string());
    let seen = said(command).await;
    assert_eq!(
        seen["shape"],
        json!([]),
        "each answers as it should, with one heading, a title and landmarks"
    );
    assert_eq!(seen["faults"], json!([]), "accessibility");
    assert_eq!(seen["complaints"], json!([]), "the pages' own policy lets them work");
    assert_eq!(seen["wide"], json!([]), "a phone scrolls in one direction");
    assert_eq!(seen["unreached"], json!([]), "the keyboard reaches everything, and shows where it is");
    assert_eq!(seen["walked"], json!(pages.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_engineer_keeps_the_console_open_in_a_browser() {
    let (town, seen) = kept_open().await;
    assert_eq!(seen["complaints"], json!([]), "the pages' own policy lets them work");
    let time = &seen["time"];
    assert!(
        time["title"].as_str().unwrap().ends_with(" UTC") && time["shown"].as_str().unwrap().ends_with("ago")
            || time["shown"] == "just now",
        "{time}"
    );
    assert!(time["zone"].as_str().unwrap().contains("GMT+9"), "the reader's zone: {time}");
    assert_eq!(
        seen["live"],
        json!({"stayed": true, "focus": true, "typed": "half a thought", "rows": true, "paused": true}),
        "news come without loading the page again, and take nothing from who is busy with it"
    );
    let without = &seen["without"];
    assert!(
        without["rows"].as_u64().unwrap() >= 5 && without["time"].as_str().unwrap().ends_with(" UTC"),
        "{without}"
    );
    assert!(without["search"].as_str().unwrap().contains("No decision is like this"), "{without}");
    assert_eq!(
        seen["keys"],
        json!({
            "search": true, "row": true, "help": true, "went": true, "off": true, "answered": true, "menu": true,
        }),
        "without a mouse"
    );
    let approval = town.stage.served.get(&format!("/approvals/{}", town.approval)).await.ok();
    assert_eq!(
        (&approval["status"], &approval["votes"][0]["reason"]),
        (&json!("refused"), &json!("not this payee"))
    );
}

/// A browser on live pages, while something moves whenever it asks for that.
async fn kept_open() -> (Arc<Town>, Value) {
    let town = Arc::new(Town::built().await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mover = format!("http://{}/", listener.local_addr().unwrap());
    let moving = Arc::clone(&town);
    let moves = post(async move || {
        let (agent, task) = &moving.tasks[0];
        let call = [agent.as_str(), "bank", "list_accounts"];
        decide(&moving.stage.served, call, task, json!({})).await.0.to_string()
    });
    let serving =
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", moves)).await.unwrap() });
    let mut command = node("browser/console.mjs");
    command
        .env("PLANE", &town.stage.served.plane.issuer)
        .env("SECRET", town.stage.signed_in("olga", &[]).await.secret)
        .env("APPROVER", town.stage.signed_in("maria", &[]).await.secret)
        .env("APPROVAL", &town.approval)
        .env("MOVE", mover);
    let seen = said(command).await;
    serving.abort();
    (town, seen)
}

/// `SHOTS=FILE cargo test -p provost-web --test console_browser -- --ignored a_plane_to_look_at` holds one open, and writes into
/// the file where it is, as whom, and what is on it; it ends when the file is gone. `tests/interop/browser/shots.mjs` takes pictures,
/// `docs/pictures/make` those of the documents.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "for a person who looks: it stays open for an hour"]
async fn a_plane_to_look_at() {
    let town = Town::built().await.with_a_past().await;
    let said = json!({
        "plane": town.stage.served.plane.issuer,
        "sessions": town.sessions().await,
        "pages": list::as_json(&list::met(&town)),
    });
    let to = std::env::var("SHOTS").unwrap_or_else(|_| "/tmp/provost-console.json".to_owned());
    std::fs::write(&to, said.to_string()).unwrap();
    for _second in 0..3_600 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if !std::path::Path::new(&to).exists() {
            return;
        }
    }
}
