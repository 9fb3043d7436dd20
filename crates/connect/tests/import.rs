//! Listing the tools of a system, page by page.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

mod common;

use common::*;
use provost_connect::{ImportError, list_tools};
use provost_mcp::tools::ListError;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

fn tool(name: &str) -> String {
    json!({"name": name, "description": "d", "inputSchema": {"type": "object"}}).to_string()
}

fn page(id: &str, names: &[&str], next: Option<&str>) -> String {
    let tools: Vec<String> = names.iter().map(|name| tool(name)).collect();
    let next = next.map_or(String::new(), |cursor| format!(r#","nextCursor":"{cursor}""#));
    result(id, &format!(r#"{{"tools":[{}]{next}}}"#, tools.join(",")))
}

#[tokio::test]
async fn all_pages_are_read_in_order_in_both_eras() {
    for speaks in [Speaks::Modern, Speaks::Legacy] {
        let fake = Fake::start(speaks, |seen| {
            let id = seen.id();
            (seen.rpc() == "tools/list").then(|| match seen.json["params"]["cursor"].as_str() {
                None => json_answer(&page(&id, &["pay", "list"], Some("2"))),
                Some("2") => json_answer(&page(&id, &["close", "@resources"], Some("3"))),
                _ => json_answer(&page(&id, &["open", "pay"], None)),
            })
        })
        .await;
        let upstream = open(&pool(), &fake.url).await;
        let (tools, unusable) = list_tools(&upstream).await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["list", "close", "open"]);
        assert_eq!(unusable.len(), 3, "a name on two pages is usable through neither: {unusable:?}");
        let meta =
            &fake.seen().into_iter().find(|seen| seen.rpc() == "tools/list").unwrap().json["params"]["_meta"];
        assert_eq!(meta.is_object(), speaks == Speaks::Modern);
    }
}

#[tokio::test]
async fn cursors_that_never_end_and_too_many_tools_are_named() {
    type Answers = fn(&str, usize) -> String;
    let rows: [(&str, Answers); 3] = [
        ("the same cursor", |id, _| page(id, &[], Some("again"))),
        ("ever new cursors", |id, n| page(id, &[], Some(&format!("c{n}")))),
        ("many tools", |id, n| {
            let names: Vec<String> = (0..40).map(|k| format!("t{n}-{k}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            page(id, &names, Some(&format!("c{n}")))
        }),
    ];
    for (name, answers) in rows {
        let count = AtomicUsize::new(0);
        let fake = Fake::start(Speaks::Modern, move |seen| {
            let n = count.fetch_add(1, Ordering::SeqCst);
            (seen.rpc() == "tools/list").then(|| json_answer(&answers(&seen.id(), n)))
        })
        .await;
        let error = list_tools(&*open(&pool(), &fake.url).await).await.unwrap_err();
        let ImportError::List { why, .. } = &error else { panic!("{name}: {error:?}") };
        let fits = match name {
            "the same cursor" => matches!(why, ListError::BadCursor { .. }),
            "ever new cursors" => matches!(why, ListError::TooManyPages { pages_max: 20 }),
            _ => matches!(why, ListError::TooManyTools { tools_max: 50 }),
        };
        assert!(fits, "{name}: {why:?}");
        assert!(fake.count("tools/list") <= 21, "{name}");
    }
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_again_and_at_last_given_up() {
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    for (changes, expected) in [(1, true), (100, false)] {
        let left = AtomicUsize::new(changes);
        let fake = Fake::start(Speaks::Legacy, move |seen| {
            let id = seen.id();
            let changes =
                || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            (seen.rpc() == "tools/list").then(|| match seen.json["params"]["cursor"].as_str() {
                None => json_answer(&page(&id, &["pay"], Some("2"))),
                _ if changes() => {
                    vec![bytes(STREAM), event(changed), event(&page(&id, &["new"], None)), end()]
                }
                _ => json_answer(&page(&id, &["new"], None)),
            })
        })
        .await;
        let listed = list_tools(&*open(&pool(), &fake.url).await).await;
        match listed {
            Ok((tools, _)) => assert!(expected && tools.len() == 2),
            Err(error) => {
                assert!(!expected && matches!(error, ImportError::Changing { times: 3, .. }), "{error}")
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_list_is_quoted() {
    let fake = Fake::start(Speaks::Modern, |seen| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"not today"}}}}"#,
            seen.id()
        );
        (seen.rpc() == "tools/list").then(|| json_answer(&body))
    })
    .await;
    let error = list_tools(&*open(&pool(), &fake.url).await).await.unwrap_err();
    assert!(error.to_string().ends_with("-32603: not today"), "{error}");
}
