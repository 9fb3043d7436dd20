//! Every era in front of every era, over both transports.

use crate::{
    plane::{Plane, Setup},
    small::{Small, Speaker},
};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const REVISIONS: [&str; 3] = ["2025-06-18", "2025-11-25", "2026-07-28"];

#[tokio::test(flavor = "multi_thread")]
async fn every_revision_in_front_of_every_revision_over_http_lists_calls_fails_and_reports_progress() {
    for upstream in REVISIONS {
        all_clients(&Small::http(upstream).await, upstream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_revision_in_front_of_every_revision_over_stdio_lists_calls_fails_and_reports_progress() {
    for upstream in REVISIONS {
        all_clients(&Small::stdio(upstream), upstream).await;
    }
}

async fn all_clients(small: &Small, upstream: &str) {
    let plane = Plane::start_with(Setup::foreign(vec![small.system()])).await;
    for client in REVISIONS {
        let pair = format!("{client} in front of {upstream}");
        let speaker = Speaker::start(&plane, "/mcp/small", client).await;
        let modern = client == "2026-07-28";
        if modern {
            let discovered = speaker.ask(0, "server/discover", json!({})).await.pop().unwrap();
            assert!(
                discovered["result"]["supportedVersions"].as_array().unwrap().contains(&json!(client)),
                "{pair}"
            );
        }
        let listed = speaker.ask(2, "tools/list", json!({})).await.pop().unwrap();
        assert_eq!(listed["result"]["tools"][0]["name"], "work", "{pair}: {listed}");
        let expected_scope = if modern { json!("private") } else { Value::Null };
        assert_eq!(listed["result"]["cacheScope"], expected_scope, "{pair}: {listed}");
        let done = speaker.work("well").await;
        assert_eq!(done["result"]["content"][0]["text"], "done", "{pair}: {done}");
        assert_eq!(done["result"].get("resultType").is_some(), modern, "{pair}: {done}");
        let failing = speaker.work("failing").await;
        assert_eq!(failing["result"]["isError"], true, "{pair}: {failing}");
        let error = speaker.work("with an error").await;
        assert_eq!(
            (&error["error"]["code"], &error["error"]["message"]),
            (&json!(-32602), &json!("how is that?")),
            "{pair}"
        );
        progress_comes_while_the_call_runs(&speaker, &pair).await;
        let unknown = speaker.ask(9, "tools/burn", json!({})).await.pop().unwrap();
        assert_eq!(unknown["error"]["code"], -32601, "{pair}: {unknown}");
    }
    let outcomes = plane.outcomes().await;
    let one = ["small/work success", "small/work failure", "small/work failure", "small/work success"];
    assert_eq!(outcomes, one.iter().cycle().take(12).copied().collect::<Vec<_>>());
    assert_eq!(plane.store.check().await.unwrap(), []);
}

async fn progress_comes_while_the_call_runs(speaker: &Speaker<'_>, pair: &str) {
    let params =
        json!({"name": "work", "arguments": {"how": "with progress"}, "_meta": {"progressToken": "mine"}});
    let mut body = speaker.open(5, "tools/call", params).await.bytes_stream();
    let (started, mut text, mut first) = (Instant::now(), String::new(), None);
    while let Some(chunk) = body.next().await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        if text.contains("notifications/progress") {
            first.get_or_insert_with(|| started.elapsed());
        }
    }
    let messages = crate::small::messages(&text);
    let progress: Vec<f64> =
        messages.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
    assert_eq!(progress, [1.0, 2.0, 3.0], "{pair}: {text}");
    assert!(
        messages.iter().take(3).all(|message| message["params"]["progressToken"] == "mine"),
        "{pair}: {text}"
    );
    assert_eq!(messages.last().unwrap()["id"], 5, "{pair}: {text}");
    assert!(
        first.unwrap() + Duration::from_millis(200) < started.elapsed(),
        "{pair}: progress came at the end"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_is_cancelled_at_the_system_in_every_pairing() {
    for upstream in REVISIONS {
        for over_http in [true, false] {
            for client in REVISIONS {
                let small = if over_http { Small::http(upstream).await } else { Small::stdio(upstream) };
                let plane = Plane::start_with(Setup::foreign(vec![small.system()])).await;
                let speaker = Speaker::start(&plane, "/mcp/small", client).await;
                let params = json!({"name": "work", "arguments": {"how": "hanging"}});
                let call = speaker.open(3, "tools/call", params);
                if client == "2026-07-28" {
                    // Hanging up is how a modern client cancels.
                    assert!(tokio::time::timeout(Duration::from_millis(600), call).await.is_err());
                } else {
                    let cancel = async {
                        small.wrote("call hanging").await;
                        speaker.notify("notifications/cancelled", json!({"requestId": 3})).await;
                    };
                    let (response, ()) = tokio::join!(call, cancel);
                    let text = response.text().await.unwrap();
                    assert!(!text.contains("\"id\":3"), "a cancelled request is not answered: {text}");
                }
                let heard = if over_http && upstream == "2026-07-28" {
                    "hung up on hanging"
                } else {
                    "cancelled hanging"
                };
                small.wrote(heard).await;
                assert_eq!(
                    plane.outcomes().await,
                    ["small/work unknown"],
                    "{client} in front of {upstream}, http {over_http}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_a_legacy_system_reaches_every_client_and_the_answer_comes_back() {
    for small in [Small::http("2025-06-18").await, Small::stdio("2025-11-25")] {
        let plane = Plane::start_with(Setup::foreign(vec![small.system()])).await;
        for client in REVISIONS {
            let speaker = Speaker::start(&plane, "/mcp/small", client).await;
            let params = json!({"name": "work", "arguments": {"how": "asking"}});
            let answer = json!({"action": "accept", "content": {"name": "Marple"}});
            let said = if client == "2026-07-28" {
                let asked =
                    speaker.ask(1, "tools/call", params.clone()).await.pop().unwrap()["result"].clone();
                assert_eq!(asked["resultType"], "input_required", "{asked}");
                let (key, question) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
                assert_eq!(question["params"]["message"], "who are you?", "{asked}");
                let mut again = params;
                again["requestState"] = asked["requestState"].clone();
                again["inputResponses"] = json!({key: answer});
                let said = speaker.ask(2, "tools/call", again.clone()).await.pop().unwrap();
                // The state is good once.
                let twice = speaker.ask(3, "tools/call", again).await.pop().unwrap();
                assert_eq!(twice["result"]["resultType"], "input_required", "{twice}");
                said
            } else {
                let mut body = speaker.open(1, "tools/call", params).await.bytes_stream();
                let mut text = String::new();
                while !text.contains("elicitation/create") {
                    text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
                }
                let question = crate::small::messages(&text).pop().unwrap();
                speaker.tell(json!({"jsonrpc": "2.0", "id": question["id"], "result": answer})).await;
                while let Some(Ok(chunk)) = body.next().await {
                    text.push_str(std::str::from_utf8(&chunk).unwrap());
                }
                crate::small::messages(&text).pop().unwrap()
            };
            assert_eq!(said["result"]["content"][0]["text"], "accept Marple", "{client}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_its_client_is_cut_when_the_agent_is_suspended() {
    let small = Small::http("2025-11-25").await;
    let plane = Plane::start_with(Setup::foreign(vec![small.system()])).await;
    let speaker = Speaker::start(&plane, "/mcp/small", "2026-07-28").await;
    assert_eq!(speaker.work("asking").await["result"]["resultType"], "input_required");
    let suspended = provost_domain::Agent { status: provost_domain::AgentStatus::Suspended, ..plane.agent() };
    plane.change(provost_domain::Object::Agent(suspended), 1).await;
    let ordered = Instant::now();
    assert_eq!(plane.outcomes().await, ["small/work unknown"]);
    assert!(ordered.elapsed() < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_that_hangs_up_has_not_cancelled_and_comes_back_for_its_answer() {
    let small = Small::http("2026-07-28").await;
    let plane = Plane::start_with(Setup::foreign(vec![small.system()])).await;
    let (_, token) = plane.task().await;
    let speaker = Speaker::with(&plane, token.clone(), "/mcp/small", "2025-11-25").await;
    let params =
        json!({"name": "work", "arguments": {"how": "with progress"}, "_meta": {"progressToken": 1}});
    let mut body = speaker.open(3, "tools/call", params).await.bytes_stream();
    let mut text = String::new();
    while !text.contains("\"progress\":1") {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    drop(body);
    assert_eq!(plane.outcomes().await, ["small/work success"]);
    let last_id = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    let rest = speaker.resume(last_id).await;
    let messages = crate::small::messages(&rest);
    assert_eq!(
        messages.iter().filter_map(|message| message["params"]["progress"].as_i64()).collect::<Vec<_>>(),
        [2, 3],
        "{rest}"
    );
    assert_eq!(messages.last().unwrap()["id"], 3, "{rest}");
    let other = Speaker::start(&plane, "/mcp/small", "2025-11-25").await;
    assert!(other.resume(last_id).await.contains("names no event of this session"));
}
