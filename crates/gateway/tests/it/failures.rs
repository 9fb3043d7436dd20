//! What fails around a call, and stops that come while it runs.

use crate::{
    plane::{Plane, Setup, answer, charter, text},
    small::{Small, Speaker, messages},
};
use futures::StreamExt as _;
use provost_domain::{AgentStatus, DurationMs, Level, Object, ObjectKey, TaskId, task::TaskStatus};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn impatient(small: &Small) -> Plane {
    let mut setup = Setup::foreign(vec![small.system()]);
    setup.limits.upstream_idle_max = DurationMs(700);
    Plane::start_with(setup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_hangs_lies_or_breaks_off_gets_its_own_words_and_an_outcome_that_is_no_success() {
    for revision in ["2025-11-25", "2026-07-28"] {
        let mut small = Small::http(revision).await;
        let plane = impatient(&small).await;
        for client in ["2025-06-18", "2025-11-25", "2026-07-28"] {
            let speaker = Speaker::start(&plane, "/mcp/small", client).await;
            let (_, before) = (speaker.work("well").await, plane.outcomes().await.len());
            for (how, says) in [
                ("hanging", "upstream_idle_max"),
                ("closing", ""),
                ("shorter than said", ""),
                ("as another", "another"),
                ("in html", "text/html"),
                ("busy", "503"),
            ] {
                let said = speaker.work(how).await;
                let message = said["error"]["message"].as_str().unwrap_or_else(|| panic!("{how}: {said}"));
                assert!(
                    message.contains(says) && message.contains("small"),
                    "{client} {revision} {how}: {message}"
                );
            }
            assert_eq!(plane.outcomes().await[before..], ["small/work unknown"; 6], "{client} {revision}");
        }
        let speaker = Speaker::start(&plane, "/mcp/small", "2026-07-28").await;
        speaker.work("well").await;
        small.stop();
        tokio::time::sleep(Duration::from_millis(500)).await; // until its connections are seen to be closed
        let down = speaker.work("well").await;
        assert!(down["error"]["message"].as_str().unwrap().contains("small"), "{down}");
        assert_eq!(plane.outcomes().await.last().unwrap(), "small/work unsent");
        assert_eq!(plane.store.check().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_ends_in_the_middle_of_a_call_is_told_and_started_again() {
    let small = Small::stdio("2025-11-25");
    let plane = impatient(&small).await;
    let speaker = Speaker::start(&plane, "/mcp/small", "2026-07-28").await;
    for how in ["closing", "hanging"] {
        let said = speaker.work(how).await;
        assert!(said["error"]["message"].as_str().unwrap().contains("small"), "{said}");
    }
    assert_eq!(speaker.work("well").await["result"]["content"][0]["text"], "done");
    assert_eq!(plane.outcomes().await, ["small/work unknown", "small/work unknown", "small/work success"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_changed_is_refused_and_hidden_until_it_is_as_it_was_reviewed() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let shown = || async {
        let (_, listed) = plane.modern(&token, "tools/list", json!({}), None).await;
        let tools = listed["result"]["tools"].as_array().unwrap().clone();
        tools.iter().any(|tool| tool["name"] == "list_accounts")
    };
    assert_ne!(plane.call(&token, "list_accounts", json!({})).await.1["result"]["isError"], true);
    assert!(shown().await);
    plane.bank.bank().poison_tool("list_accounts").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await; // the bank says so on its stream
    let (_, refused) = plane.call(&token, "list_accounts", json!({})).await;
    assert!(text(&refused).contains("changed"), "{refused}");
    assert!(!shown().await);
    assert_eq!(plane.bank.bank().calls("list_accounts"), 1);
    plane.bank.bank().restore_tools();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_ne!(plane.call(&token, "list_accounts", json!({})).await.1["result"]["isError"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_done() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    plane.store_faults.set(&plane.store_faults.record);
    let (status, refused) = plane.call(&token, "list_accounts", json!({})).await;
    assert_eq!(status, 503, "{refused}");
    let said = refused["error"]["message"].as_str().unwrap();
    assert!(
        said.contains("could not be recorded, so the call was not made") && said.contains("disk"),
        "{said}"
    );
    assert_eq!(plane.bank.bank().calls("list_accounts"), 0);
    plane.store_faults.heal();
    assert_eq!(plane.call(&token, "list_accounts", json!({})).await.0, 200);
    assert_eq!(plane.outcomes().await, ["bank/list_accounts success"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_whose_labels_cannot_be_recorded_is_withheld() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    plane.store_faults.set(&plane.store_faults.complete);
    let (status, withheld) = plane.call(&token, "get_statement", json!({"account": "operations"})).await;
    assert_eq!((status, withheld.get("result")), (503, None), "{withheld}");
    assert!(!withheld.to_string().contains("memo"), "{withheld}");
    assert_eq!(plane.bank.bank().calls("get_statement"), 1);
    // Nobody knows what came of it: the plane finds it unfinished at its next start.
    plane.store_faults.heal();
    let later = provost_domain::Timestamp::from_millis(i64::MAX as _);
    assert_eq!(plane.store.unfinished(None, later, 10).await.unwrap().len(), 1);
    assert_eq!(plane.store.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_follow_the_store_refuses_every_call_when_its_lease_ends() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    assert_eq!(plane.call(&token, "list_accounts", json!({})).await.0, 200);
    plane.store_faults.set(&plane.store_faults.reads);
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    for (tool, args) in [("list_accounts", json!({})), ("transfer", json!({}))] {
        let (status, refused) = plane.call(&token, tool, args).await;
        assert_eq!(
            (status, &refused["error"]["data"]["dev.provost/code"]),
            (503, &json!("stale")),
            "{refused}"
        );
    }
    let (status, _) = plane.modern(&token, "tools/list", json!({}), None).await;
    assert_eq!((status, plane.bank.bank().calls("list_accounts")), (503, 1));
    plane.store_faults.heal();
    plane.replica.catch_up().await.unwrap();
    assert_eq!(plane.call(&token, "list_accounts", json!({})).await.0, 200);
}

/// What stops an agent in the middle of what it does.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Suspend,
    Contain,
    EndTask,
    RemoveSystem,
    Order,
    OrderSystem,
}

const STOPS: [Stop; 6] =
    [Stop::Suspend, Stop::Contain, Stop::EndTask, Stop::RemoveSystem, Stop::Order, Stop::OrderSystem];

impl Stop {
    async fn order(self, plane: &Plane, task: TaskId, system: &str) {
        match self {
            Self::Suspend => {
                plane
                    .change(
                        Object::Agent(provost_domain::Agent {
                            status: AgentStatus::Suspended,
                            ..plane.agent()
                        }),
                        1,
                    )
                    .await
            }
            Self::Contain => {
                plane
                    .change(Object::Agent(provost_domain::Agent { level: Level::Off, ..plane.agent() }), 1)
                    .await
            }
            Self::EndTask => {
                let mut ended = plane.replica.latest().directory.tasks.get(&task).unwrap().as_ref().clone();
                ended.status = TaskStatus::Ended;
                plane.change(Object::Task(ended), 1).await;
            }
            Self::RemoveSystem => {
                plane.remove(ObjectKey::new(provost_domain::object::Kind::System, system), 1).await
            }
            Self::Order => plane.contain(json!({"owner": "maria"}), json!({"is": "off"})).await,
            Self::OrderSystem => plane.contain(json!({"system": system}), json!({"is": "off"})).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_a_call_that_streams_within_a_second() {
    for stop in STOPS {
        for client in ["2025-06-18", "2025-11-25", "2026-07-28"] {
            let plane = Plane::start(charter(json!({}))).await;
            let (task, token) = plane.task().await;
            let speaker = Speaker::with(&plane, token, "/mcp/bank", client).await;
            let args = json!({"name": "reconcile", "arguments": {"account": "operations", "steps": 100}, "_meta": {"progressToken": 1}});
            let mut body = speaker.open(4, "tools/call", args).await.bytes_stream();
            let mut heard = String::new();
            while !heard.contains("notifications/progress") {
                heard.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
            }
            stop.order(&plane, task, "bank").await;
            let ordered = Instant::now();
            while let Some(chunk) = body.next().await {
                heard.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            }
            assert!(ordered.elapsed() < Duration::from_secs(1), "{stop:?} {client}");
            let last = messages(&heard).pop().unwrap();
            assert!(
                last["id"] == 4 && last["error"]["message"].as_str().unwrap().contains("was cut"),
                "{stop:?} {client}: {last}"
            );
            assert_eq!(plane.outcomes().await, ["bank/reconcile unknown"], "{stop:?} {client}");
            assert_eq!(plane.store.check().await.unwrap(), []);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_a_call_that_the_system_has_not_begun_to_answer() {
    let small = Small::http("2026-07-28").await;
    for stop in STOPS {
        let plane = Plane::start_with(Setup::foreign(vec![small.system()])).await;
        let (task, token) = plane.task().await;
        let speaker = Speaker::with(&plane, token, "/mcp/small", "2026-07-28").await;
        let ordering = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            stop.order(&plane, task, "small").await;
            Instant::now()
        };
        let (said, ordered) = tokio::join!(speaker.work("hanging"), ordering);
        assert!(ordered.elapsed() < Duration::from_secs(1), "{stop:?}");
        assert!(said["error"]["message"].as_str().unwrap().contains("was cut"), "{stop:?}: {said}");
        assert_eq!(plane.outcomes().await, ["small/work unknown"], "{stop:?}");
    }
    small.wrote("hung up on hanging").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_what_an_agent_listens_to() {
    for stop in STOPS {
        let plane = Plane::start(charter(json!({}))).await;
        let (task, token) = plane.task().await;
        let modern = Speaker::with(&plane, token.clone(), "/mcp/bank", "2026-07-28").await;
        let legacy = Speaker::with(&plane, token, "/mcp/bank", "2025-11-25").await;
        let mut modern = modern
            .open(8, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}))
            .await
            .bytes_stream();
        let acknowledged = modern.next().await.unwrap().unwrap();
        assert!(std::str::from_utf8(&acknowledged).unwrap().contains("acknowledged"));
        let mut legacy = legacy.events().await.bytes_stream();
        tokio::time::sleep(Duration::from_millis(200)).await;
        plane.bank.bank().poison_tool("transfer").unwrap();
        for stream in [&mut modern, &mut legacy] {
            let heard =
                tokio::time::timeout(Duration::from_secs(2), stream.next()).await.unwrap().unwrap().unwrap();
            assert!(
                std::str::from_utf8(&heard).unwrap().contains("notifications/tools/list_changed"),
                "{heard:?}"
            );
        }
        stop.order(&plane, task, "bank").await;
        let rest = async { while let Some(Ok(_chunk)) = modern.next().await {} };
        tokio::time::timeout(Duration::from_secs(1), rest)
            .await
            .unwrap_or_else(|_| panic!("modern {stop:?}"));
        let rest = async { while let Some(Ok(_chunk)) = legacy.next().await {} };
        tokio::time::timeout(Duration::from_secs(1), rest)
            .await
            .unwrap_or_else(|_| panic!("legacy {stop:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_be_made_with_the_credential_of_the_plane_and_never_with_the_agents_token() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    // The bank takes no other key than its own; without a token of its own the agent gets nowhere there.
    let direct =
        plane.client().post(plane.bank.url()).bearer_auth(&token).header("content-type", "application/json");
    assert_eq!(answer(direct.body("{}").send().await.unwrap()).await.0, 401);
    let (_, through) = plane.call(&token, "list_accounts", json!({})).await;
    assert!(through["result"]["structuredContent"]["accounts"].is_array(), "{through}");
    assert_eq!(Value::Null, through["error"]);
}
