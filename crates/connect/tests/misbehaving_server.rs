//! Every way a server can fail a call, and what is said about it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

mod common;

use common::*;
use provost_connect::{Lie, NotSent, UpstreamError};
use provost_domain::DurationMs;
use std::time::Instant;

/// What is expected of the error.
#[derive(Clone, Copy, Debug)]
enum Expect {
    Lost,
    TooLarge,
    Idle,
    Duration,
    EndedEarly,
    NotJsonRpc,
    WrongId,
    ContentType,
    OutOfPlace,
    /// With the status, and whether the system may have acted.
    Refused(u16, bool),
}

fn check(name: &str, error: &UpstreamError, expect: Expect) {
    let fits = match (expect, error) {
        (Expect::Lost, UpstreamError::Lost { .. }) => true,
        (Expect::TooLarge, UpstreamError::TooLarge { limit, bytes_max, .. }) => {
            *limit == "upstream_message_bytes_max" && *bytes_max == 64 * 1024
        }
        (Expect::Idle, UpstreamError::TimedOut { limit, .. }) => *limit == "upstream_idle_max",
        (Expect::Duration, UpstreamError::TimedOut { limit, .. }) => *limit == "call_duration_max",
        (Expect::Refused(want, _), UpstreamError::Refused { status, .. }) => *status == want,
        (expect, UpstreamError::Lied { why, .. }) => matches!(
            (expect, why),
            (Expect::EndedEarly, Lie::EndedEarly(_))
                | (Expect::NotJsonRpc, Lie::NotJsonRpc(_))
                | (Expect::WrongId, Lie::WrongId { .. })
                | (Expect::ContentType, Lie::ContentType(_))
                | (Expect::OutOfPlace, Lie::OutOfPlace(_))
        ),
        _ => false,
    };
    assert!(fits, "{name}: expected {expect:?}, got {error:?}");
    let acted = !matches!(expect, Expect::Refused(_, false));
    assert_eq!(error.may_have_acted(), acted, "{name}: {error}");
    println!("{name}: {error}");
}

fn stream(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    std::iter::once(bytes(STREAM)).chain(steps).collect()
}

fn faults() -> Vec<(&'static str, Vec<Step>, Expect)> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let good = result("1000", "{}");
    vec![
        ("hangs without a byte", vec![Step::Hang], Expect::Idle),
        ("closes without a byte", vec![Step::Close], Expect::Lost),
        ("closes in the head", vec![bytes("HTTP/1.1 200 OK\r\nContent-"), Step::Close], Expect::Lost),
        ("is no http server", vec![bytes("SSH-2.0-OpenSSH\r\n\r\n"), Step::Close], Expect::Lost),
        (
            "promises more than it sends",
            vec![bytes(format!("{head}Content-Length: 500\r\n\r\n{good}")), Step::Close],
            Expect::EndedEarly,
        ),
        (
            "promises less than it sends",
            vec![bytes(format!("{head}Content-Length: 9\r\n\r\n{good}")), Step::Close],
            Expect::NotJsonRpc,
        ),
        (
            "closes in a chunk",
            vec![bytes(format!("{head}Transfer-Encoding: chunked\r\n\r\nff\r\n{{")), Step::Close],
            Expect::EndedEarly,
        ),
        (
            "announces too much",
            vec![bytes(format!("{head}Content-Length: 99999999\r\n\r\n"))],
            Expect::TooLarge,
        ),
        ("sends too much", stream_of_spaces(head), Expect::TooLarge),
        (
            "drips",
            std::iter::once(bytes(format!("{head}Content-Length: 60\r\n\r\n")))
                .chain((0..60).flat_map(|_| [bytes(" "), Step::Pause(50)]))
                .collect(),
            Expect::Idle,
        ),
        ("answers html", answer(200, "text/html", "<html>"), Expect::ContentType),
        ("answers nothing", empty(202), Expect::OutOfPlace),
        ("answers text as json", json_answer("hello"), Expect::NotJsonRpc),
        ("answers a batch", json_answer(&format!("[{good}]")), Expect::NotJsonRpc),
        (
            "answers twice in one",
            json_answer(&good.replace("\"id\"", "\"id\":1000,\"id\"")),
            Expect::NotJsonRpc,
        ),
        ("answers another request", json_answer(&result("7", "{}")), Expect::WrongId),
        ("answers the id as a string", json_answer(&result("\"1000\"", "{}")), Expect::WrongId),
        ("answers a notification", json_answer(PROGRESS), Expect::OutOfPlace),
        ("closes the stream", stream([event(PROGRESS), end()]), Expect::EndedEarly),
        ("breaks the stream", stream([event(PROGRESS), Step::Close]), Expect::EndedEarly),
        ("breaks an event", stream([chunk("data: {\"jsonrpc\":"), end()]), Expect::EndedEarly),
        ("streams another answer", stream([event(&result("7", "{}")), end()]), Expect::WrongId),
        ("streams what is no message", stream([event("{}"), end()]), Expect::NotJsonRpc),
        ("streams an endless line", endless(), Expect::TooLarge),
        ("falls silent on the stream", stream([event(PROGRESS), Step::Hang]), Expect::Idle),
        (
            "keeps the stream alive with comments only",
            stream((0..40).flat_map(|_| [chunk(": alive\n\n"), Step::Pause(50)])),
            Expect::Idle,
        ),
        (
            "reports progress for ever",
            stream((0..100).flat_map(|_| [event(PROGRESS), Step::Pause(100)])),
            Expect::Duration,
        ),
        ("wants a credential", answer(401, "text/plain", "who are you"), Expect::Refused(401, false)),
        ("forbids", answer(403, "text/plain", "not you"), Expect::Refused(403, false)),
        ("is overwhelmed", answer(429, "text/plain", "slow down"), Expect::Refused(429, false)),
        ("fails", answer(500, "text/html", "<h1>it broke</h1>"), Expect::Refused(500, true)),
        ("is behind a failing proxy", answer(502, "text/html", ""), Expect::Refused(502, true)),
    ]
}

fn stream_of_spaces(head: &str) -> Vec<Step> {
    let spaces = " ".repeat(8_192);
    let head = bytes(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    std::iter::once(head).chain((0..20).map(|_| chunk(&spaces))).collect()
}

fn endless() -> Vec<Step> {
    let spaces = " ".repeat(8_192);
    stream(std::iter::once(chunk("data: ")).chain((0..20).map(move |_| chunk(&spaces))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_server_has_its_own_error_of_the_right_class() {
    for speaks in [Speaks::Modern, Speaks::Legacy] {
        let checks = faults().into_iter().map(|(name, steps, expect)| async move {
            let fake =
                Fake::start(speaks, move |seen| (seen.rpc() == "tools/call").then(|| steps.clone())).await;
            let upstream = open(&pool(), &fake.url).await;
            let begun = Instant::now();
            let error = ask(&upstream, call(1000)).await.unwrap_err();
            check(&format!("{speaks:?}, {name}"), &error, expect);
            assert!(begun.elapsed().as_millis() < 3_000, "{name} took {:?}", begun.elapsed());
            assert_eq!(fake.count("tools/call"), 1, "{name}: a call is never sent twice");
            // Whatever happened, the next call works.
            let other = ask(&upstream, request(1001, "tools/list", serde_json::json!({}))).await;
            assert!(other.is_ok(), "{name}: {other:?}");
        });
        futures::future::join_all(checks).await;
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_its_target_never_sees_the_credential() {
    let other = Fake::start(Speaks::Modern, |_| None).await;
    let target = other.url.clone();
    for status in [301, 302, 303, 307, 308] {
        let target = target.clone();
        let fake = Fake::start(Speaks::Modern, move |seen| {
            let head = format!("HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            (seen.rpc() == "tools/call").then(|| vec![bytes(head)])
        })
        .await;
        let system = with_credential(http_system(&fake.url), "Authorization", "Bearer ");
        let upstream = pool().get(&system, &caller(1), &profile(), Some(&secret())).await.unwrap();
        let error = ask(&upstream, call(1000)).await.unwrap_err();
        assert!(matches!(&error, UpstreamError::Refused { status: s, .. } if *s == status), "{error}");
        assert!(!error.may_have_acted() && error.to_string().contains("not followed"), "{error}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_modern_server_may_ask_nothing_on_a_stream() {
    let ask_client = r#"{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}"#;
    let fake = Fake::start(Speaks::Modern, move |seen| {
        (seen.rpc() == "tools/call").then(|| stream([event(ask_client), Step::Hang]))
    })
    .await;
    let upstream = open(&pool(), &fake.url).await;
    let error = ask(&upstream, call(1000)).await.unwrap_err();
    check("modern request", &error, Expect::OutOfPlace);
}

#[tokio::test]
async fn what_cannot_be_reached_is_not_sent() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/mcp", listener.local_addr().unwrap())
    };
    let plain = Fake::start(Speaks::Modern, |_| None).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let no_tls = format!("https://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 X\r\n\r\n").await;
        }
    });
    let mut hosts = config();
    hosts.hosts.only = Some(["example.org".to_owned()].into());
    let hosts = provost_connect::Upstreams::new(hosts).unwrap();
    let rows = [
        ("nobody listens", &pool(), http_system(&closed), "no connection"),
        ("no such name", &pool(), http_system("http://no-such-host.invalid/mcp"), "no connection"),
        ("no tls there", &pool(), http_system(&no_tls), "no connection"),
        ("not http", &pool(), http_system("file:///etc/passwd"), "https://"),
        ("not a url", &pool(), http_system("bank"), "not a url"),
        ("a password in the url", &pool(), http_system("http://u:p@127.0.0.1/"), "holds a credential"),
        ("a host not allowed", &hosts, http_system(&plain.url), "hosts.only"),
        ("local", &pool(), system(serde_json::json!({"kind": "mcp-local"})), "provost wrap"),
        (
            "a credential in clear text",
            &pool(),
            with_credential(http_system("http://bank.example.org/mcp"), "Authorization", "Bearer "),
            "unencrypted",
        ),
    ];
    for (name, pool, system, says) in rows {
        let error = pool.get(&system, &caller(1), &profile(), Some(&secret())).await.unwrap_err();
        assert!(matches!(error, UpstreamError::NotSent { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(says) && !error.to_string().contains(SECRET), "{name}: {error}");
        println!("{name}: {error}");
    }
    let wanting = with_credential(http_system(&plain.url), "Authorization", "Bearer ");
    let error = pool().get(&wanting, &caller(1), &profile(), None).await.unwrap_err();
    assert!(error.to_string().contains("provost credential set bank-key"), "{error}");
    assert!(plain.seen().is_empty(), "nothing was sent anywhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_while_opening_is_never_an_unknown_outcome() {
    let rows = [
        ("hangs", vec![Step::Hang], "handshake_max"),
        ("closes", vec![Step::Close], "could not be opened"),
        ("html", answer(200, "text/html", "<html>"), "no json-rpc response"),
        ("401", answer(401, "text/plain", "sk-very-secret-0123456789"), "http status 401"),
        ("503", answer(503, "text/plain", "later"), "503"),
        ("404", empty(404), "http+sse"),
    ];
    for (name, steps, says) in rows {
        let mut config = config();
        config.handshake_max = DurationMs(500);
        let fake = Fake::start(Speaks::Modern, move |_| Some(steps.clone())).await;
        let system = with_credential(http_system(&fake.url), "Authorization", "Bearer ");
        let pool = provost_connect::Upstreams::new(config).unwrap();
        let error = pool.get(&system, &caller(1), &profile(), Some(&secret())).await.unwrap_err();
        assert!(!error.may_have_acted(), "{name}: {error:?}");
        assert!(error.to_string().contains(says), "{name}: {error}");
        assert!(!error.to_string().contains(SECRET), "{name}: {error}");
        println!("{name}: {error}");
    }
    let future = r#"{"supportedVersions":["2099-01-01"],"capabilities":{}}"#;
    let fake = Fake::start(Speaks::Modern, move |seen| Some(json_answer(&result(&seen.id(), future)))).await;
    let error = pool().get(&http_system(&fake.url), &caller(1), &profile(), None).await.unwrap_err();
    assert!(
        matches!(&error, UpstreamError::NotSent { why: NotSent::NoCommonRevision { .. }, .. }),
        "{error}"
    );
}
