//! Held calls as tasks of the protocol (extension `io.modelcontextprotocol/tasks`). Every test counts at the bank.

use crate::{
    approvals::{another_node, answer_it, done, hold, pay, plane, row, settled},
    listener::Client,
    plane::{Plane, answer, charter},
};
use futures::StreamExt as _;
use provost_domain::Object;
use serde_json::{Value, json};
use std::time::Duration;

const TAKES_TASKS: &str = "io.modelcontextprotocol/tasks";

fn capabilities() -> Value {
    json!({"extensions": {TAKES_TASKS: {}}})
}

async fn client<'p>(plane: &'p Plane, token: &str) -> Client<'p> {
    Client::with(plane, token, "2026-07-28", capabilities()).await
}

async fn call(client: &Client<'_>, amount: u32) -> Value {
    let params = json!({"name": "transfer", "arguments": pay(amount)});
    answer(client.request(1, "tools/call", "transfer", params).await).await.1
}

async fn ask(client: &Client<'_>, method: &str, id: &str) -> (u16, Value) {
    answer(client.request(2, method, id, json!({"taskId": id, "inputResponses": {}})).await).await
}

async fn get(client: &Client<'_>, id: &str) -> Value {
    ask(client, "tasks/get", id).await.1["result"].clone()
}

async fn created(client: &Client<'_>, amount: u32) -> String {
    let said = call(client, amount).await;
    assert_eq!(said["result"]["resultType"], "task", "{said}");
    said["result"]["taskId"].as_str().unwrap().to_owned()
}

/// Asks until it is not under way any more.
async fn until_over(client: &Client<'_>, id: &str) -> Value {
    for _ in 0..200 {
        let said = get(client, id).await;
        if said["status"] != "working" {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is never over")
}

fn calls(plane: &Plane) -> u64 {
    plane.bank.bank().calls("transfer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_is_a_task_that_is_made_once_when_its_agent_comes_back_for_it() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let client = client(&plane, &token).await;
    let said = call(&client, 120).await["result"].clone();
    let id = said["taskId"].as_str().unwrap().to_owned();
    assert_eq!((&said["resultType"], &said["status"]), (&json!("task"), &json!("working")), "{said}");
    assert!(said["ttlMs"].as_u64() > Some(0) && said["pollIntervalMs"].as_u64() > Some(0), "{said}");
    row(&plane, &id).await; // durable before it was told
    let waits = get(&client, &id).await;
    assert_eq!((&waits["resultType"], &waits["status"]), (&json!("complete"), &json!("working")), "{waits}");
    assert!(waits["statusMessage"].as_str().unwrap().contains("waiting for ben"), "{waits}");
    answer_it(&plane, &id, "ben", true).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(calls(&plane), 0, "nothing runs without the agent asking");
    let made = get(&client, &id).await;
    assert_eq!(made["status"], "completed", "{made}");
    assert!(made["result"]["content"].is_array() && made["result"]["isError"] != json!(true), "{made}");
    assert_eq!(get(&client, &id).await["result"], made["result"], "it is kept");
    settled(&plane, &id, "used").await;
    assert_eq!((calls(&plane), plane.outcomes().await), (1, vec!["bank/transfer success".to_owned()]));
    assert_eq!(created(&client, 120).await, format!("{id}_2"), "the same call again is asked for anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_opens_pages_is_asked_once_and_its_answer_decides_nothing() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let both = json!({"extensions": {TAKES_TASKS: {}}, "elicitation": {"url": {}}});
    let client = Client::with(&plane, &token, "2026-07-28", both).await;
    let said = call(&client, 120).await["result"].clone();
    assert_eq!(said["status"], "input_required", "{said}");
    let id = said["taskId"].as_str().unwrap();
    let waits = get(&client, id).await;
    let question = &waits["inputRequests"]["approval"];
    assert_eq!(
        (&waits["status"], &question["method"]),
        (&json!("input_required"), &json!("elicitation/create"))
    );
    assert_eq!(question["params"]["url"], json!(format!("{}/approvals/{id}", plane.url)));
    let params = json!({"taskId": id, "inputResponses": {"approval": {"action": "accept"}}});
    let (status, acked) = answer(client.request(3, "tasks/update", id, params).await).await;
    assert_eq!((status, &acked["result"]), (200, &json!({"resultType": "complete"})));
    let waits = get(&client, id).await;
    assert_eq!((&waits["status"], waits.get("inputRequests")), (&json!("working"), None), "not asked twice");
    assert_eq!(calls(&plane), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_its_callers_alone_and_only_of_clients_that_take_tasks() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let (_, other) = plane.task().await;
    let own = client(&plane, &token).await;
    let id = created(&own, 120).await;
    answer_it(&plane, &id, "ben", true).await;
    let stranger = client(&plane, &other).await;
    let bare = Client::new(&plane, &token, "2026-07-28").await;
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let (_, said) = ask(&stranger, method, &id).await;
        assert_eq!(said["error"]["code"], -32602, "{method}: {said}");
        let (_, said) = ask(&own, method, "approval_0").await;
        assert_eq!(said["error"]["code"], -32602, "{method}: {said}");
        let (status, said) = ask(&bare, method, &id).await;
        let wanted = &said["error"]["data"]["requiredCapabilities"]["extensions"];
        assert_eq!((status, &said["error"]["code"]), (400, &json!(-32021)), "{method}: {said}");
        assert_eq!(*wanted, json!({TAKES_TASKS: {}}), "{method}: {said}");
    }
    assert_eq!(calls(&plane), 0);
    let (status, said) = ask(&own, "tasks/result", &id).await;
    assert_eq!((status, &said["error"]["code"]), (404, &json!(-32601)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_extension_is_announced_at_every_address() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let (_, said) = plane.modern(&token, "server/discover", json!({}), None).await;
    assert_eq!(said["result"]["capabilities"]["extensions"], json!({TAKES_TASKS: {}}), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_is_taken_back_and_never_made() {
    for granted in [false, true] {
        let plane = plane().await;
        let (_, token) = plane.task().await;
        let client = client(&plane, &token).await;
        let id = created(&client, 120).await;
        if granted {
            answer_it(&plane, &id, "ben", true).await;
        }
        for _twice in 0..2 {
            let (_, said) = ask(&client, "tasks/cancel", &id).await;
            assert_eq!(said["result"], json!({"resultType": "complete"}));
        }
        assert_eq!(get(&client, &id).await["status"], "cancelled");
        assert_eq!(row(&plane, &id).await.1.status.as_str(), "withdrawn");
        let (_, answer) = plane.call(&token, "transfer", pay(120)).await;
        assert!(!done(&answer), "the yes was taken back: {answer}");
        assert_eq!(calls(&plane), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wins_over_a_yes_is_the_tasks_result() {
    for what in ["no", "charter"] {
        let plane = plane().await;
        let (_, token) = plane.task().await;
        let client = client(&plane, &token).await;
        let id = created(&client, 120).await;
        answer_it(&plane, &id, "ben", what != "no").await;
        if what == "charter" {
            let mut agent = plane.agent();
            agent.revision += 1;
            let grants = json!([{"system": "bank", "tools": ["list_accounts"]}]);
            agent.charter = serde_json::from_value(charter(json!({"grants": grants}))).unwrap();
            plane.change(Object::Agent(agent), 1).await;
        }
        let over = get(&client, &id).await;
        assert_eq!(
            (&over["status"], &over["result"]["isError"]),
            (&json!("completed"), &json!(true)),
            "{over}"
        );
        assert_eq!(calls(&plane), 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_after_one_task_on_two_nodes_make_it_once_and_all_see_its_result() {
    let plane = plane().await;
    let other = another_node(&plane).await;
    let (_, token) = plane.task().await;
    let here = client(&plane, &token).await;
    let there = client(&plane, &token).await.at(&other);
    let id = created(&here, 120).await;
    answer_it(&plane, &id, "ben", true).await;
    tokio::time::sleep(Duration::from_millis(200)).await; // the other node follows
    let asked = (0..10).map(|n| get(if n % 2 == 0 { &here } else { &there }, &id));
    for said in futures::future::join_all(asked).await {
        assert!(said["status"] == "completed" || said["status"] == "working", "{said}");
    }
    for client in [&here, &there] {
        let said = until_over(client, &id).await;
        assert_eq!(said["status"], "completed", "{said}");
        assert!(said["result"]["isError"] != json!(true), "{said}");
    }
    assert_eq!(calls(&plane), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_made_by_a_plain_retry_is_not_made_by_its_task() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let client = client(&plane, &token).await;
    let id = created(&client, 120).await;
    answer_it(&plane, &id, "ben", true).await;
    assert!(done(&plane.call(&token, "transfer", pay(120)).await.1));
    settled(&plane, &id, "used").await;
    assert_eq!(plane.outcomes().await, ["bank/transfer success"]);
    let said = until_over(&client, &id).await;
    assert_eq!(said["status"], "failed", "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("success"), "{said}");
    assert_eq!(calls(&plane), 1);
    assert_ne!(hold(&plane, &token, pay(120)).await, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_tasks_on_a_listen_stream_and_the_acknowledgement_says_so() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let client = client(&plane, &token).await;
    let id = created(&client, 100).await;
    let filter = json!({"notifications": {"toolsListChanged": true, "taskIds": [id]}});
    let mut heard = client.request(3, "subscriptions/listen", "", filter).await.bytes_stream();
    let first = tokio::time::timeout(Duration::from_secs(5), heard.next()).await.unwrap().unwrap().unwrap();
    let first = String::from_utf8_lossy(&first).into_owned();
    assert!(
        first.contains("notifications/subscriptions/acknowledged") && first.contains("toolsListChanged"),
        "{first}"
    );
    assert!(!first.contains("taskIds") && !first.contains(&id), "{first}");
}
