//! Where arguments come from, over the real pipeline: what a result brought binds at the very next call, on every node, and a
//! result whose memory cannot be kept is withheld.

use crate::{
    approvals::another_node,
    plane::{Plane, answer, charter},
    shop::Stage,
};
use provost_domain::{Object, ObjectKey, TaskId, task::TaskStatus, tool::Steering};
use provost_store::DecisionFilter;
use serde_json::{Value, json};
use std::time::Duration;

/// A plane whose bank's messages say what steers them.
async fn plane() -> Plane {
    let plane = Plane::start(charter(json!({}))).await;
    let directory = &plane.replica.latest().directory;
    let key = ("bank".parse().unwrap(), "send_message".parse().unwrap());
    let mut tool = directory.tools.get(&key).unwrap().as_ref().clone();
    tool.steering = Steering { steers: ["to".to_owned()].into(), carries: ["body".to_owned()].into() };
    plane.change(Object::Tool(tool), 1).await;
    plane
}

fn message(to: &str, body: &str) -> Value {
    json!({"to": to, "subject": "x", "body": body})
}

/// The policies that held a call, if it was held. That the run is unusual by now comes on top after some of these calls.
fn held(answer: &Value) -> Vec<String> {
    let told = &answer["result"]["_meta"]["dev.provost/decision"];
    if told["verdict"] != "hold" {
        assert_ne!(answer["result"]["isError"], json!(true), "{answer}");
        return Vec::new();
    }
    let reasons = told["reasons"].as_array().unwrap();
    let mut policies: Vec<_> =
        reasons.iter().map(|reason| reason["policy"].as_str().unwrap().to_owned()).collect();
    if policies.len() > 1 {
        policies.retain(|policy| policy != "guardrail/drift");
    }
    policies
}

async fn read(plane: &Plane, token: &str) {
    let (status, _) = plane.call(token, "get_statement", json!({"account": "operations"})).await;
    assert_eq!(status, 200);
}

const STRANGERS: &str = "LT12 1000 0111 0100 1000";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_wrote_does_not_steer_a_call_and_what_the_requester_said_does() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let send = async |to: &str, body: &str| plane.call(&token, "send_message", message(to, body)).await.1;
    assert_eq!(held(&send(STRANGERS, "hello").await), [""; 0], "nobody has said it yet");
    read(&plane, &token).await;
    assert_eq!(held(&send("The-November-Invoices", "hello").await), [""; 0]);
    let policy = ["guardrail/steered-untrusted"];
    assert_eq!(held(&send(STRANGERS, "hello").await), policy);
    assert_eq!(held(&send("lt121000011101001000", "hello").await), policy);
    assert_eq!(held(&send("nobody@nowhere.example", "hello").await), policy, "found nowhere");
    // Data with a label leaves only with a person's yes.
    let accounts = plane.call(&token, "list_accounts", json!({})).await;
    assert_eq!(accounts.0, 200);
    let newest = DecisionFilter { max: 100, ..Default::default() };
    let decisions = plane.store.decisions(&newest).await.unwrap();
    let told = decisions.decisions.iter().find(|row| row.decision.verdict.as_str() == "hold").unwrap();
    let why = told.decision.input["args_from"]["why"].to_string();
    assert!(why.contains("to: u"), "the record says where it came from: {why}");
    assert_eq!(plane.store.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_read_binds_on_every_node() {
    let plane = plane().await;
    let other = another_node(&plane).await;
    let (_, token) = plane.task().await;
    tokio::time::sleep(Duration::from_millis(200)).await; // the other node follows
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "send_message", "arguments": message(STRANGERS, "hello"), "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        },
    }});
    let send = async || {
        let request = plane.client().post(format!("{other}/mcp/bank")).bearer_auth(&token);
        let request = request.header("mcp-method", "tools/call").header("mcp-name", "send_message");
        let request = request.header("mcp-protocol-version", "2026-07-28");
        let request = request.header("accept", "application/json, text/event-stream").json(&body);
        answer(request.send().await.unwrap()).await.1
    };
    assert_eq!(held(&send().await), [""; 0]);
    read(&plane, &token).await;
    assert_eq!(held(&send().await), ["guardrail/steered-untrusted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_remembered_is_withheld_and_an_ended_task_is_forgotten() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    plane.store_faults.set(&plane.store_faults.complete);
    let (status, withheld) = plane.call(&token, "list_payees", json!({})).await;
    assert_eq!((status, withheld.get("result")), (503, None), "{withheld}");
    plane.store_faults.heal();
    read(&plane, &token).await;
    let kept = plane.store.task_memory(task, 0).await.unwrap();
    assert!(!kept.is_empty());
    let text: String = kept.iter().map(|(_, chunk)| String::from_utf8_lossy(chunk).into_owned()).collect();
    assert!(!text.contains("Baltic") && !text.contains("LT12"), "fingerprints, no text");
    end(&plane, task).await;
    assert_eq!(plane.store.task_memory(task, 0).await.unwrap(), []);
}

async fn end(plane: &Plane, task: TaskId) {
    let history = plane.store.history(&ObjectKey::new(provost_domain::Kind::Task, task.to_string()), 1).await;
    let newest = history.unwrap().remove(0);
    let Some(Object::Task(mut row)) = newest.after else { panic!("no task") };
    row.status = TaskStatus::Ended;
    plane.change(Object::Task(row), newest.version).await;
}

/// A shop, of which an operation says where its values may come from, and another that strangers write into its answers.
async fn shop() -> Stage {
    let stage = Stage::open().await;
    let directory = &stage.plane.replica.latest().directory;
    let tool = |name: &str| {
        let key = ("shop".parse().unwrap(), name.parse().unwrap());
        directory.tools.get(&key).unwrap().as_ref().clone()
    };
    let mut search = tool("search");
    search.steering = Steering { steers: ["q".to_owned()].into(), carries: Default::default() };
    let mut list = tool("list");
    list.returns = serde_json::from_value(json!([{"label": "untrusted", "field": "lines.memo"}])).unwrap();
    for tool in [search, list] {
        stage.plane.change(Object::Tool(tool), 1).await;
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_http_api_answered_does_not_steer_the_next_call() {
    let stage = shop().await;
    let search =
        async |q: &str| stage.json(stage.ask("GET", &format!("/proxy/shop/orders/search?q={q}"))).await;
    assert_eq!(search("hi").await.0, 200, "nobody has said it yet");
    let (status, listed) = stage.json(stage.ask("GET", "/proxy/shop/orders/")).await;
    assert_eq!(
        (status, &listed["lines"][0]["memo"]),
        (200, &json!("hi")),
        "and it is released whole: {listed}"
    );
    let (status, held) = search("hi").await;
    assert_ne!(status, 200, "{held}");
    assert!(held.to_string().contains("guardrail/steered-untrusted"), "{held}");
    assert_eq!(search("November").await.0, 200, "the requester said it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_can_look_into_is_released_as_it_comes_and_counts_as_anything() {
    let stage = shop().await;
    let directory = &stage.plane.replica.latest().directory;
    let key = ("shop".parse().unwrap(), "short".parse().unwrap());
    let mut short = directory.tools.get(&key).unwrap().as_ref().clone();
    short.returns = serde_json::from_value(json!([{"label": "untrusted"}])).unwrap();
    stage.plane.change(Object::Tool(short), 1).await;
    let response = stage.ask("GET", "/proxy/shop/short").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "no client takes a part for the whole");
    let (status, held) = stage.json(stage.ask("GET", "/proxy/shop/orders/search?q=elsewhere")).await;
    assert_ne!(status, 200, "it may have said anything: {held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_requester_gave_besides_the_purpose_is_theirs() {
    let plane = plane().await;
    let send = async |token: &str| {
        read(&plane, token).await;
        plane.call(token, "send_message", message(STRANGERS, "hello")).await.1
    };
    let (_, token) = plane.task().await;
    assert_eq!(held(&send(&token).await), ["guardrail/steered-untrusted"]);
    let (task, token) = plane.task().await;
    let Some(Object::Task(mut row)) = plane.replica.latest().directory.get(&ObjectKey::task(task)) else {
        panic!("no task")
    };
    row.inputs.insert("payee".to_owned(), "LT121000011101001000".to_owned());
    plane.change(Object::Task(row), 1).await;
    assert_eq!(held(&send(&token).await), [""; 0]);
}
