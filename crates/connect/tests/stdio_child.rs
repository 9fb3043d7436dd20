//! Children over pipes: good ones, and every way a child can fail.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

mod common;

use bytes::Bytes;
use common::*;
use futures::StreamExt;
use provost_connect::{Lie, NotSent, Upstream, UpstreamError, Upstreams};
use provost_domain::System;
use provost_mcp::{Era, Revision};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn child(era: &str) -> System {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/child.py");
    system(json!({"kind": "mcp-stdio", "command": ["python3", script, era], "env": {"BANK_REGION": "eu"}}))
}

async fn start(pool: &Upstreams, era: &str) -> Arc<Upstream> {
    pool.get(&child(era), &caller(1), &profile(), None).await.unwrap()
}

fn tool(id: i64, name: &str, say: &str) -> Bytes {
    let meta = json!({"progressToken": format!("t{id}")});
    request(id, "tools/call", json!({"name": name, "arguments": {"say": say}, "_meta": meta}))
}

fn text(reply: &Bytes) -> String {
    let value: Value = serde_json::from_slice(reply).unwrap();
    value["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

fn runs(pid: &str) -> bool {
    // A zombie that nobody reaped yet does not run.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn the_era_of_a_child_is_found_and_remembered() {
    let pool = pool();
    for (era, revision, is) in
        [("modern", Revision::V2026_07_28, Era::Modern), ("legacy", Revision::V2025_06_18, Era::Legacy)]
    {
        let upstream = start(&pool, era).await;
        assert_eq!((upstream.handshake().revision, upstream.handshake().era()), (revision, is));
        assert!(upstream.handshake().result.is_some());
        assert_eq!(text(&ask(&upstream, tool(1000, "echo", "é\n\"x\"")).await.unwrap()), "é\n\"x\"");
        pool.shutdown().await;
    }
    let begun = Instant::now();
    let silent = start(&pool, "silent").await;
    assert_eq!(silent.handshake().era(), Era::Legacy);
    assert!(begun.elapsed() > Duration::from_millis(900), "it was given time to answer");
    let begun = Instant::now();
    let other = pool.get(&child("silent"), &caller(2), &profile(), None).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(800), "what was learned is not asked again");
    assert_eq!(
        ask(&other, request(1, "seen", json!({})))
            .await
            .unwrap()
            .windows(8)
            .filter(|w| w == b"discover")
            .count(),
        0
    );
    pool.shutdown().await;
}

#[tokio::test]
async fn a_child_has_path_home_what_is_declared_and_its_credential_and_nothing_else() {
    let pool = pool();
    let system = with_credential(child("legacy"), "BANK_TOKEN", "key:");
    let upstream = pool.get(&system, &caller(1), &profile(), Some(&secret())).await.unwrap();
    let reply = ask(&upstream, tool(1000, "environment", "")).await.unwrap();
    assert!(!String::from_utf8_lossy(&reply).contains(SECRET), "an echoed credential is masked");
    let value: Value = serde_json::from_slice(&reply).unwrap();
    let environment = value["result"]["structuredContent"].as_object().unwrap();
    let mut names: Vec<&str> = environment.keys().map(String::as_str).collect();
    // What Python and the scripts that may stand before it add by themselves.
    names.retain(|name| !["LC_", "PYENV", "_", "PWD", "SHLVL"].iter().any(|own| name.starts_with(own)));
    names.sort_unstable();
    assert_eq!(names, ["BANK_REGION", "BANK_TOKEN", "HOME", "PATH"]);
    assert_eq!(environment["BANK_TOKEN"], "key:***");
    pool.shutdown().await;
}

#[tokio::test]
async fn overlapping_calls_get_their_own_answers_and_progress() {
    let pool = pool();
    let upstream = start(&pool, "legacy").await;
    let calls = (0..8).map(|n| {
        let upstream = Arc::clone(&upstream);
        async move {
            let id = 1000 + n;
            let replies = upstream.request(tool(id, "slow", &format!("number {n}")), vec![]).await.unwrap();
            let got: Vec<Bytes> = all(replies).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(got.len(), 4);
            for along in &got[..3] {
                let along: Value = serde_json::from_slice(along).unwrap();
                assert_eq!(along["params"]["progressToken"], format!("t{id}"));
            }
            assert_eq!(text(&got[3]), format!("number {n}"));
        }
    });
    futures::future::join_all(calls).await;
    let first = upstream.request(tool(1, "hang", ""), vec![]).await.unwrap();
    let error = upstream.request(tool(1, "echo", ""), vec![]).await.unwrap_err();
    assert!(matches!(error, UpstreamError::NotSent { .. }), "an id in flight: {error}");
    drop(first);
    pool.shutdown().await;
}

#[tokio::test]
async fn what_belongs_to_no_call_goes_to_the_only_one_or_to_the_listeners() {
    let pool = pool();
    let upstream = start(&pool, "legacy").await;
    let got = all(upstream.request(tool(1000, "log", ""), vec![]).await.unwrap()).await;
    assert_eq!(got.len(), 2, "the only call in flight hears it");
    let mut events = upstream.events();
    let hanging = upstream.request(tool(1001, "hang", ""), vec![]).await.unwrap();
    let got = all(upstream.request(tool(1002, "log", ""), vec![]).await.unwrap()).await;
    assert_eq!(got.len(), 1);
    assert!(
        events
            .recv()
            .await
            .unwrap()
            .starts_with(b"{\"jsonrpc\": \"2.0\", \"method\": \"notifications/message\"")
    );
    drop(hanging);
    pool.shutdown().await;
}

#[tokio::test]
async fn a_question_of_the_child_is_answered_through_the_connection() {
    let pool = pool();
    let upstream = start(&pool, "legacy").await;
    let mut replies = upstream.request(tool(1000, "ask", ""), vec![]).await.unwrap();
    let question: Value = serde_json::from_slice(&replies.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(question["method"], "elicitation/create");
    tokio::time::sleep(Duration::from_millis(600)).await;
    upstream.respond(Bytes::from(result("\"q1\"", r#"{"action":"decline"}"#))).await.unwrap();
    assert_eq!(text(&replies.next().await.unwrap().unwrap()), r#"{"action": "decline"}"#);
    let modern = pool.get(&child("modern"), &caller(2), &profile(), None).await.unwrap();
    let error = ask(&modern, tool(1000, "ask", "")).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Lied { why: Lie::OutOfPlace(_), .. }), "{error}");
    pool.shutdown().await;
}

#[tokio::test]
async fn every_fault_of_a_child_has_its_own_error() {
    type Fits = fn(&UpstreamError) -> bool;
    let rows: [(&str, Fits); 8] = [
        ("crash", |e| matches!(e, UpstreamError::Lost { why, .. } if why.contains("exit status: 3"))),
        ("crash-in-line", |e| matches!(e, UpstreamError::Lost { why, .. } if why.contains("exit status: 4"))),
        ("hang", |e| matches!(e, UpstreamError::TimedOut { limit: "upstream_idle_max", .. })),
        ("endless-line", |e| {
            matches!(e, UpstreamError::TooLarge { limit: "upstream_message_bytes_max", .. })
        }),
        ("wrong-id", |e| matches!(e, UpstreamError::Lied { why: Lie::WrongId { .. }, .. })),
        ("bad-json", |e| matches!(e, UpstreamError::Lied { why: Lie::NotJsonRpc(_), .. })),
        ("flood", |e| {
            matches!(
                e,
                UpstreamError::TooLarge { .. } | UpstreamError::TimedOut { limit: "call_duration_max", .. }
            )
        }),
        ("crash", |e| matches!(e, UpstreamError::Lost { .. })),
    ];
    for (name, fits) in rows {
        let pool = pool();
        let upstream = start(&pool, "legacy").await;
        let error = ask(&upstream, tool(1000, name, "")).await.unwrap_err();
        assert!(fits(&error) && error.may_have_acted(), "{name}: {error:?}");
        println!("{name}: {error}");
        if matches!(name, "crash" | "crash-in-line" | "endless-line") {
            eventually("closed", || !upstream.is_open()).await;
            let after = ask(&upstream, tool(1001, "echo", "")).await.unwrap_err();
            assert!(!after.may_have_acted(), "{name}, after: {after:?}");
            let again = start(&pool, "legacy").await;
            assert_eq!(text(&ask(&again, tool(1000, "echo", "back")).await.unwrap()), "back");
        }
        pool.shutdown().await;
    }
}

#[tokio::test]
async fn banners_and_last_words_do_no_harm() {
    let pool = pool();
    let upstream = start(&pool, "legacy").await;
    assert_eq!(text(&ask(&upstream, tool(1000, "banner", "")).await.unwrap()), "after the banner");
    assert_eq!(text(&ask(&upstream, tool(1001, "last-words", "")).await.unwrap()), "goodbye");
    pool.shutdown().await;
}

#[tokio::test]
async fn a_child_that_stops_reading_fails_what_was_not_written_as_not_sent() {
    let pool = pool();
    let upstream = start(&pool, "legacy").await;
    assert_eq!(text(&ask(&upstream, tool(1000, "stop-reading", "")).await.unwrap()), "deaf");
    let error = ask(&upstream, tool(1001, "echo", "")).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::NotSent { why: NotSent::ChildEnded, .. }), "{error:?}");
    eventually("closed", || !upstream.is_open()).await;
    pool.shutdown().await;
}

#[tokio::test]
async fn dropping_the_replies_tells_the_child() {
    let pool = pool();
    for era in ["legacy", "modern"] {
        let upstream = pool.get(&child(era), &caller(1), &profile(), None).await.unwrap();
        drop(upstream.request(tool(1000, "hang", ""), vec![]).await.unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let seen = ask(&upstream, request(1001, "seen", json!({}))).await.unwrap();
        assert!(String::from_utf8_lossy(&seen).contains("notifications/cancelled"), "{era}");
    }
    pool.shutdown().await;
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_killed_with_all_it_started() {
    let pool = pool();
    let upstream = start(&pool, "legacy").await;
    let grandchild = text(&ask(&upstream, tool(1000, "grandchild", "")).await.unwrap());
    let pid = text(&ask(&upstream, tool(1001, "ignore-term", "")).await.unwrap());
    assert!(runs(&pid) && runs(&grandchild));
    let begun = Instant::now();
    pool.end_task(caller(1).task).await;
    assert!(begun.elapsed() >= Duration::from_millis(450) && begun.elapsed() < Duration::from_secs(3));
    assert!(!runs(&pid), "the child is gone when end_task returns");
    eventually("the grandchild is gone", || !runs(&grandchild)).await;
}

#[tokio::test]
async fn a_child_that_ends_again_and_again_is_given_time() {
    let pool = pool();
    let mut refused = None;
    for _ in 0..12 {
        match pool.get(&child("legacy"), &caller(1), &profile(), None).await {
            Ok(upstream) => {
                let _ = ask(&upstream, tool(1000, "crash", "")).await.unwrap_err();
            }
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let error = refused.expect("restarts are bounded");
    assert!(matches!(&error, UpstreamError::NotSent { why: NotSent::Restarting { .. }, .. }), "{error}");
    println!("{error}");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_or_says_nothing_is_named() {
    let rows = [
        (json!(["no-such-program-anywhere", "--secret"]), "no-such-program-anywhere"),
        (json!([]), "empty"),
        (json!(["true"]), "exit status: 0"),
        (json!(["sleep", "300"]), "handshake_max"),
    ];
    for (command, says) in rows {
        let pool = pool();
        let system = system(json!({"kind": "mcp-stdio", "command": command}));
        let error = pool.get(&system, &caller(1), &profile(), None).await.unwrap_err();
        assert!(!error.may_have_acted() && error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("--secret"), "{error}");
        println!("{error}");
    }
}

#[tokio::test]
async fn children_are_bounded_by_name_and_one_for_each_caller() {
    let mut config = config();
    config.children_max = 2;
    let pool = Upstreams::new(config).unwrap();
    for number in 1..=2 {
        pool.get(&child("legacy"), &caller(number), &profile(), None).await.unwrap();
    }
    let error = pool.get(&child("legacy"), &caller(3), &profile(), None).await.unwrap_err();
    assert!(error.to_string().contains("children_max = 2"), "{error}");
    pool.end_task(caller(1).task).await;
    pool.get(&child("legacy"), &caller(3), &profile(), None).await.unwrap();
    pool.shutdown().await;
}
