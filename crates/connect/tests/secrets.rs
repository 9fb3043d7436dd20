//! A credential reaches the system and nobody else: not the agent, not a log, not an error.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

mod common;

use common::*;
use provost_connect::SealingKey;
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The one test of this binary, because it listens to all that the process logs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_added_and_appears_in_no_log_no_error_and_no_answer() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let key = SealingKey::from_bytes(&[9; 32]).unwrap();
    let sealed =
        |secret: &str| key.open("bank-key", &key.seal("bank-key", secret.as_bytes()).unwrap()).unwrap();
    // Longer than anything that is quoted, so that whatever cuts a text cuts it.
    let long = format!("{SECRET}{}", (0..300).map(|n| n.to_string()).collect::<String>());
    let mut told = format!("{:?} {key:?}", sealed(SECRET));

    for (speaks, shown) in [
        (Speaks::Modern, SECRET),
        (Speaks::Legacy, SECRET),
        (Speaks::Modern, long.as_str()),
        (Speaks::Legacy, long.as_str()),
    ] {
        let secret = sealed(shown);
        let echo = format!(r#"{{"content":[{{"type":"text","text":"Authorization: Bearer {shown}"}}]}}"#);
        let leaks: Vec<(&str, Vec<Step>)> = vec![
            ("answer", json_answer(&result("1000", &echo))),
            ("stream", vec![bytes(STREAM), event(&result("1000", &echo)), end()]),
            ("401", answer(401, "text/plain", &format!("bad token {shown}"))),
            ("400", answer(400, "text/plain", &format!("{}{shown}", "x".repeat(245)))),
            ("500", answer(500, "application/json", &format!("{{\"got\":\"{shown}\"}}"))),
            ("id", json_answer(&result(&format!("\"{shown}\""), "{}"))),
            ("not json", json_answer(shown)),
            (
                "bad key",
                json_answer(&format!("{{\"jsonrpc\":\"2.0\",\"id\":1000,\"{shown}\":1,\"{shown}\":2}}")),
            ),
            ("content-type", answer(200, shown, "")),
            ("hang", vec![Step::Close]),
        ];
        for (name, steps) in leaks {
            let fake =
                Fake::start(speaks, move |seen| (seen.rpc() == "tools/call").then(|| steps.clone())).await;
            let system = with_credential(http_system(&fake.url), "Authorization", "Bearer ");
            let pool = pool();
            let upstream = pool.get(&system, &caller(1), &profile(), Some(&secret)).await.unwrap();
            match ask(&upstream, call(1000)).await {
                Ok(reply) => told += &format!("\n{name}: {}", String::from_utf8_lossy(&reply)),
                Err(error) => told += &format!("\n{name}: {error} {error:?}"),
            }
            told += &format!("{upstream:?}");
            pool.shutdown().await;
            let posts = fake.seen();
            assert!(!posts.is_empty());
            for seen in posts {
                assert_eq!(
                    seen.header("authorization"),
                    Some(format!("Bearer {shown}").as_str()),
                    "{}",
                    seen.rpc()
                );
            }
        }
    }

    for (method, shows) in [
        ("initialize", format!(r#""error":{{"code":-32000,"message":"who is {long}"}}"#)),
        ("initialize", format!(r#""result":{{"protocolVersion":"{long}"}}"#)),
        ("server/discover", format!(r#""result":{{"supportedVersions":["{long}"]}}"#)),
    ] {
        let fake = Fake::start(Speaks::Legacy, move |seen| {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{},{shows}}}"#, seen.id());
            (seen.rpc() == method).then(|| json_answer(&body))
        })
        .await;
        let system = with_credential(http_system(&fake.url), "Authorization", "Bearer ");
        let error = pool().get(&system, &caller(1), &profile(), Some(&sealed(&long))).await.unwrap_err();
        told += &format!("{error} {error:?}");
    }

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/child.py");
    let child = system(json!({"kind": "mcp-stdio", "command": ["python3", script, "legacy"]}));
    let child = with_credential(child, "BANK_TOKEN", "");
    let pool = pool();
    let upstream = pool.get(&child, &caller(1), &profile(), Some(&sealed(SECRET))).await.unwrap();
    for tool in ["complain", "environment", "crash"] {
        let meta = json!({"progressToken": 1});
        let params = json!({"name": tool, "arguments": {}, "_meta": meta});
        told += &match ask(&upstream, request(1, "tools/call", params)).await {
            Ok(reply) => String::from_utf8_lossy(&reply).into_owned(),
            Err(error) => format!("{error} {error:?}"),
        };
    }
    pool.shutdown().await;
    let logged = || String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    eventually("the child's complaint is logged", || logged().contains("my key is ***")).await;

    let logged = logged();
    assert!(logged.lines().all(|line| line.len() < 4_000), "lines are bounded");
    assert!(logged.contains("echoed its own credential"));
    // Any eight bytes of it would be too many: nothing cuts it in two either.
    let parts = SECRET.as_bytes().windows(8).chain(long.as_bytes().windows(16));
    for part in parts.map(|part| std::str::from_utf8(part).unwrap()) {
        assert!(!told.contains(part), "{part} in {told}");
        assert!(!logged.contains(part), "{part} in {logged}");
    }
    assert!(told.contains("Authorization: Bearer ***"));
}
