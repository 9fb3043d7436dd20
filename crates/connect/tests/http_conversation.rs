//! Conversations over HTTP that go as they should: both eras, streams, sessions, resuming, cancelling, ending.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

mod common;

use bytes::Bytes;
use common::*;
use futures::StreamExt;
use http::{HeaderName, HeaderValue};
use provost_connect::{Config, Secret, UpstreamError};
use provost_mcp::{Era, Revision};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn stream(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    std::iter::once(bytes(STREAM)).chain(steps).collect()
}

const NOTE: &str =
    r#"{ "jsonrpc":"2.0",  "method":"notifications/message", "params":{"level":"info","data":"é"} }"#;

#[tokio::test]
async fn the_handshake_shows_revision_era_and_the_raw_result() {
    let modern = Fake::start(Speaks::Modern, |_| None).await;
    let upstream = open(&pool(), &modern.url).await;
    assert_eq!(
        (upstream.handshake().revision, upstream.handshake().era()),
        (Revision::V2026_07_28, Era::Modern)
    );
    let raw = upstream.handshake().result.clone().unwrap();
    assert_eq!(raw, r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#);

    let legacy = Fake::start(Speaks::Legacy, |_| None).await;
    let upstream = open(&pool(), &legacy.url).await;
    assert_eq!(upstream.handshake().revision, Revision::V2025_11_25);
    assert!(upstream.handshake().result.as_ref().unwrap().starts_with(br#"{"protocolVersion":"2025-11-25""#));
    let initialize = legacy.seen().into_iter().find(|seen| seen.rpc() == "initialize").unwrap();
    assert_eq!(initialize.json["params"]["clientInfo"]["name"], "test");
    assert_eq!(initialize.header("mcp-session-id"), None);
}

#[tokio::test]
async fn a_call_carries_the_headers_of_its_era_and_only_mcp_param_from_outside() {
    let header = |name: &'static str, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
    for speaks in [Speaks::Modern, Speaks::Legacy] {
        let fake = Fake::start(speaks, |_| None).await;
        let upstream = open(&pool(), &fake.url).await;
        let given = vec![header("mcp-param-region", "eu"), header("mcp-name", "another-tool")];
        all(upstream.request(call(1000), given).await.unwrap()).await.pop().unwrap().unwrap();
        let seen = fake.seen().into_iter().find(|seen| seen.rpc() == "tools/call").unwrap();
        assert_eq!(seen.header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        if speaks == Speaks::Modern {
            assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"));
            assert_eq!(
                (seen.header("mcp-method"), seen.header("mcp-name")),
                (Some("tools/call"), Some("pay"))
            );
            assert_eq!(seen.header("mcp-param-region"), Some("eu"));
            assert_eq!(seen.header("mcp-session-id"), None);
        } else {
            assert_eq!(seen.header("mcp-protocol-version"), Some("2025-11-25"));
            assert_eq!((seen.header("mcp-method"), seen.header("mcp-param-region")), (None, None));
            assert!(seen.header("mcp-session-id").is_some());
        }
        for name in ["authorization", "cookie", "mcp-session-id", "mcp-protocol-version", "x-forwarded-for"] {
            let error = upstream.request(call(1001), vec![header(name, "agent-token")]).await.unwrap_err();
            assert!(matches!(error, UpstreamError::NotSent { .. }), "{name}: {error}");
        }
        assert!(fake.seen().iter().all(|seen| seen.header("authorization").is_none()));
        assert_eq!(fake.count("tools/call"), 1);
    }
}

#[tokio::test]
async fn messages_come_in_order_and_byte_for_byte_whatever_the_chunks() {
    let answer = r#"{"result" : {"n": 1.50, "s":"\u00e9"},"id":1000, "jsonrpc":"2.0","x":1}"#;
    let body = format!(
        ": hi\r\n\r\nid: 1\ndata:\n\nevent: message\ndata: {NOTE}\n\nevent: other\ndata: x\n\ndata: {answer}\r\n\r\n"
    );
    for speaks in [Speaks::Modern, Speaks::Legacy] {
        for size in [1, 2, 7, 64, 10_000] {
            let body = body.clone();
            let fake = Fake::start(speaks, move |seen| {
                let pieces = body.as_bytes().chunks(size).map(|piece| {
                    let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
                    framed.extend_from_slice(piece);
                    framed.extend_from_slice(b"\r\n");
                    Step::Bytes(framed)
                });
                (seen.rpc() == "tools/call").then(|| stream(pieces.chain([end()])))
            })
            .await;
            let upstream = open(&pool(), &fake.url).await;
            let got = all(upstream.request(call(1000), vec![]).await.unwrap()).await;
            let got: Vec<Bytes> = got.into_iter().map(Result::unwrap).collect();
            assert_eq!(got, [NOTE, answer], "{speaks:?} by {size}");
        }
    }
}

#[tokio::test]
async fn a_message_arrives_before_the_next_one_is_sent() {
    let fake = Fake::start(Speaks::Modern, |seen| {
        let id = seen.id();
        (seen.rpc() == "tools/call")
            .then(|| stream([event(NOTE), Step::Pause(300), event(&result(&id, "{}")), end()]))
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let mut replies = upstream.request(call(1000), vec![]).await.unwrap();
    let first = tokio::time::timeout(Duration::from_millis(150), replies.next()).await;
    assert_eq!(first.unwrap().unwrap().unwrap(), NOTE);
}

#[tokio::test]
async fn an_error_response_with_a_status_is_an_answer() {
    let body =
        |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#);
    let fake = Fake::start(Speaks::Modern, move |seen| {
        let answered = answer(404, "application/json", &body(&seen.id()));
        (seen.rpc() == "tools/call").then_some(answered)
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let got = ask(&upstream, call(1000)).await.unwrap();
    assert!(got.ends_with(br#""error":{"code":-32601,"message":"no"}}"#));
}

#[tokio::test]
async fn callers_never_share_a_session_and_one_caller_keeps_his() {
    let fake = Fake::start(Speaks::Legacy, |_| None).await;
    let (pool, system) = (pool(), http_system(&fake.url));
    let (one, two) = (caller(1), caller(2));
    let mut profile_two = profile();
    profile_two.capabilities = json!({"roots": {}});
    let profile = profile();
    let (a, a_again, b, a_other_client) = tokio::join!(
        pool.get(&system, &one, &profile, None),
        pool.get(&system, &one, &profile, None),
        pool.get(&system, &two, &profile, None),
        pool.get(&system, &one, &profile_two, None),
    );
    let (a, a_again, b, c) = (a.unwrap(), a_again.unwrap(), b.unwrap(), a_other_client.unwrap());
    assert!(Arc::ptr_eq(&a, &a_again));
    assert_eq!(fake.count("initialize"), 3);
    for upstream in [&a, &b, &c, &a] {
        ask(upstream, call(1000)).await.unwrap();
    }
    let sessions: Vec<String> = fake
        .seen()
        .iter()
        .filter(|seen| seen.rpc() == "tools/call")
        .map(|seen| seen.header("mcp-session-id").unwrap().to_owned())
        .collect();
    assert_eq!(sessions[0], sessions[3]);
    assert!(sessions[0] != sessions[1] && sessions[0] != sessions[2] && sessions[1] != sessions[2]);
    assert!(fake.count("server/discover") <= 3);
}

#[tokio::test]
async fn another_secret_or_another_address_is_another_connection() {
    let fake = Fake::start(Speaks::Legacy, |_| None).await;
    let (pool, caller, profile) = (pool(), caller(1), profile());
    let system = with_credential(http_system(&fake.url), "Authorization", "Bearer ");
    let first = pool.get(&system, &caller, &profile, Some(&secret())).await.unwrap();
    let same = pool.get(&system, &caller, &profile, Some(&secret())).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same));
    let rotated = Secret::new(b"another-secret".to_vec());
    let second = pool.get(&system, &caller, &profile, Some(&rotated)).await.unwrap();
    assert!(!first.is_open() && second.is_open());
    let error = first.request(call(1000), vec![]).await.unwrap_err();
    assert!(matches!(error, UpstreamError::NotSent { .. }), "{error}");
    ask(&second, call(1001)).await.unwrap();
    let seen = fake.seen().into_iter().find(|seen| seen.rpc() == "tools/call").unwrap();
    assert_eq!(seen.header("authorization"), Some("Bearer another-secret"));
    assert_eq!(pool.len(), 1);
}

#[tokio::test]
async fn a_forgotten_session_is_opened_again_once_and_the_call_repeated() {
    let forget = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&forget);
    let fake = Fake::start(Speaks::Legacy, move |seen| {
        let forgets = seen.rpc() == "tools/call"
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        forgets.then(|| empty(404))
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    ask(&upstream, call(1000)).await.unwrap();
    assert_eq!((fake.count("initialize"), fake.count("tools/call")), (2, 2));
    forget.store(10, Ordering::SeqCst);
    let error = ask(&upstream, call(1001)).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::Refused { status: 404, .. }) && !error.may_have_acted(),
        "{error}"
    );
    assert_eq!((fake.count("initialize"), fake.count("tools/call")), (3, 4), "once, not for ever");
}

#[tokio::test]
async fn dropping_the_replies_cancels_and_detaching_does_not() {
    for speaks in [Speaks::Modern, Speaks::Legacy] {
        for detach in [false, true] {
            let fake = Fake::start(speaks, |seen| {
                (seen.rpc() == "tools/call").then(|| stream([event(NOTE), Step::Hang]))
            })
            .await;
            let upstream = open(&pool(), &fake.url).await;
            let mut replies = upstream.request(call(1000), vec![]).await.unwrap();
            replies.next().await.unwrap().unwrap();
            if detach {
                replies.detach();
                tokio::time::sleep(Duration::from_millis(150)).await;
                assert_eq!((fake.hung_up(), fake.count("notifications/cancelled")), (0, 0), "{speaks:?}");
                continue;
            }
            drop(replies);
            eventually("the stream is closed", || fake.hung_up() == 1).await;
            if speaks == Speaks::Legacy {
                eventually("the server is told", || fake.count("notifications/cancelled") == 1).await;
                let told = fake.seen().into_iter().find(|s| s.rpc() == "notifications/cancelled").unwrap();
                assert_eq!(told.json["params"]["requestId"], 1000);
            } else {
                assert_eq!(fake.count("notifications/cancelled"), 0);
            }
        }
    }
}

#[tokio::test]
async fn dropping_the_request_before_any_answer_cancels_too() {
    let fake =
        Fake::start(Speaks::Legacy, |seen| (seen.rpc() == "tools/call").then(|| vec![Step::Hang])).await;
    let upstream = open(&pool(), &fake.url).await;
    let asking = upstream.request(call(1000), vec![]);
    assert!(tokio::time::timeout(Duration::from_millis(100), asking).await.is_err());
    eventually("the server is told", || fake.count("notifications/cancelled") == 1).await;
}

#[tokio::test]
async fn a_broken_legacy_stream_is_taken_up_behind_the_last_event() {
    let fake = Fake::start(Speaks::Legacy, |seen| match (seen.method.as_str(), seen.rpc()) {
        ("POST", "tools/call") => {
            Some(stream([chunk(&format!("id: a1\nretry: 60\ndata: {NOTE}\n\n")), Step::Close]))
        }
        ("GET", _) => match seen.header("last-event-id") {
            // The server lets the client poll: nothing yet, then the answer.
            Some("a1") => Some(stream([chunk("id: a2\ndata:\n\n"), end()])),
            Some("a2") => Some(stream([event(&result("1000", "{}")), end()])),
            _ => None,
        },
        _ => None,
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let got = all(upstream.request(call(1000), vec![]).await.unwrap()).await;
    assert_eq!(got.len(), 2);
    assert_eq!(got[1].as_ref().unwrap(), &result("1000", "{}"));
    assert_eq!(fake.count("tools/call"), 1, "the call itself is never repeated");
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_up_again_is_lost() {
    let fake =
        Fake::start(Speaks::Legacy, |seen| match (seen.method.as_str(), seen.header("last-event-id")) {
            ("GET", Some(_)) => Some(empty(500)),
            _ => (seen.rpc() == "tools/call")
                .then(|| stream([chunk(&format!("id: a1\nretry: 50\ndata: {NOTE}\n\n")), Step::Close])),
        })
        .await;
    let upstream = open(&pool(), &fake.url).await;
    let error = ask(&upstream, call(1000)).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Lost { .. }), "{error}");
    let resumes = fake.seen().iter().filter(|seen| seen.header("last-event-id") == Some("a1")).count();
    assert_eq!(resumes, 3, "bounded");
}

#[tokio::test]
async fn the_servers_own_stream_brings_events_and_its_pings_are_answered() {
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let ping = r#"{"jsonrpc":"2.0","id":"p1","method":"ping"}"#;
    let roots = r#"{"jsonrpc":"2.0","id":"r1","method":"roots/list"}"#;
    let fake = Fake::start(Speaks::Legacy, move |seen| {
        (seen.method == "GET")
            .then(|| stream([Step::Pause(100), event(ping), event(changed), event(roots), Step::Hang]))
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let mut events = upstream.events();
    assert_eq!(events.recv().await.unwrap(), changed);
    assert_eq!(events.recv().await.unwrap(), roots);
    eventually("pong", || fake.seen().iter().any(|s| s.json["id"] == "p1" && s.json["result"].is_object()))
        .await;
    upstream.respond(Bytes::from(result("\"r1\"", r#"{"roots":[]}"#))).await.unwrap();
    assert!(fake.seen().iter().any(|s| s.json["id"] == "r1" && s.json["result"]["roots"].is_array()));
    let again = upstream.respond(Bytes::from(result("\"r1\"", "{}"))).await.unwrap_err();
    assert!(!again.may_have_acted() && again.to_string().contains("asked nothing"), "{again}");
}

#[tokio::test]
async fn a_question_of_the_server_stops_the_idle_clock_until_it_is_answered() {
    let question = r#"{"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":{}}"#;
    let answered = Arc::new(Mutex::new(false));
    let seen_answer = Arc::clone(&answered);
    let fake = Fake::start(Speaks::Legacy, move |seen| {
        if seen.json["id"] == 5 && seen.json.get("result").is_some() {
            *seen_answer.lock().unwrap() = true;
        }
        (seen.rpc() == "tools/call")
            .then(|| stream([event(question), Step::Pause(1_200), event(&result("1000", "{}")), end()]))
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let mut replies = upstream.request(call(1000), vec![]).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap(), question);
    // Longer than upstream_idle_max: the person thinks.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    upstream.respond(Bytes::from(result("5", r#"{"action":"accept"}"#))).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap(), result("1000", "{}"));
    assert!(replies.next().await.is_none());
    assert!(*answered.lock().unwrap());
}

#[tokio::test]
async fn a_listen_stream_may_be_silent_and_long() {
    let fake = Fake::start(Speaks::Modern, |seen| {
        (seen.rpc() == "subscriptions/listen").then(|| stream([Step::Pause(2_500), event(NOTE), Step::Hang]))
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let listen = request(1000, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    let mut replies = upstream.request(listen, vec![]).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap(), NOTE);
}

#[tokio::test]
async fn ending_a_task_ends_its_calls_at_once_and_deletes_its_session() {
    let fake = Fake::start(Speaks::Legacy, |seen| {
        (seen.rpc() == "tools/call").then(|| stream([event(NOTE), Step::Hang]))
    })
    .await;
    let (pool, system, profile) = (pool(), http_system(&fake.url), profile());
    let mine = pool.get(&system, &caller(1), &profile, None).await.unwrap();
    let other = pool.get(&system, &caller(2), &profile, None).await.unwrap();
    let mut replies = mine.request(call(1000), vec![]).await.unwrap();
    replies.next().await.unwrap().unwrap();
    let begun = std::time::Instant::now();
    pool.end_task(caller(1).task).await;
    let error = replies.next().await.unwrap().unwrap_err();
    assert!(matches!(error, UpstreamError::Lost { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert!(
        fake.seen().iter().any(|seen| seen.method == "DELETE" && seen.header("mcp-session-id").is_some())
    );
    assert!(!mine.is_open() && other.is_open());
    assert_eq!(pool.len(), 1);
    pool.shutdown().await;
    assert!(!other.is_open() && pool.is_empty());
}

#[tokio::test]
async fn ending_a_task_ends_an_opening_too() {
    let fake = Fake::start(Speaks::Modern, |_| Some(vec![Step::Hang])).await;
    let pool = pool();
    let (system, caller_one, profile) = (http_system(&fake.url), caller(1), profile());
    let opening = pool.get(&system, &caller_one, &profile, None);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pool.end_task(caller(1).task).await;
    };
    let begun = std::time::Instant::now();
    let (opened, ()) = tokio::join!(opening, ending);
    assert!(matches!(opened.unwrap_err(), UpstreamError::NotSent { .. }));
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn an_unused_connection_is_ended_after_a_while() {
    let fake = Fake::start(Speaks::Legacy, |_| None).await;
    let mut config = config();
    config.connection_idle_max = provost_domain::DurationMs(200);
    let pool = provost_connect::Upstreams::new(config).unwrap();
    let upstream = open(&pool, &fake.url).await;
    eventually("swept", || pool.is_empty()).await;
    assert!(!upstream.is_open());
    let again = open(&pool, &fake.url).await;
    ask(&again, call(1000)).await.unwrap();
}

#[tokio::test]
async fn connections_are_bounded_by_name() {
    let fake = Fake::start(Speaks::Modern, |_| None).await;
    let mut config = config();
    config.connections_max = 1;
    let pool = provost_connect::Upstreams::new(config).unwrap();
    let system = http_system(&fake.url);
    pool.get(&system, &caller(1), &profile(), None).await.unwrap();
    let error = pool.get(&system, &caller(2), &profile(), None).await.unwrap_err();
    assert!(error.to_string().contains("connections_max = 1"), "{error}");
}

#[tokio::test]
async fn what_is_no_request_is_not_sent() {
    let fake = Fake::start(Speaks::Modern, |_| None).await;
    let upstream = open(&pool(), &fake.url).await;
    for bad in ["{}", "[]", NOTE, r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#] {
        let error = upstream.request(Bytes::from(bad), vec![]).await.unwrap_err();
        assert!(matches!(error, UpstreamError::NotSent { .. }), "{bad}: {error}");
    }
    assert!(upstream.notify(call(1)).await.is_err());
    assert!(upstream.respond(call(1)).await.is_err());
    assert_eq!(fake.seen().len(), 1, "the handshake only");
}

#[tokio::test]
async fn a_configured_proxy_is_gone_through() {
    let proxy = Fake::start(Speaks::Modern, |_| None).await;
    let mut config = config();
    config.proxy = Some(proxy.url.trim_end_matches("/mcp").to_owned());
    let pool = provost_connect::Upstreams::new(config).unwrap();
    let upstream = open(&pool, "http://bank.example.org/mcp").await;
    ask(&upstream, call(1000)).await.unwrap();
    assert!(proxy.seen().iter().all(|seen| seen.header("host") == Some("bank.example.org")));
    let mut config = Config::new(Default::default());
    config.proxy = Some("not a url".to_owned());
    assert!(provost_connect::Upstreams::new(config).is_err());
}
