//! The plane's side by itself: who may ask what, and that every permit gets exactly one outcome.

use crate::plane::{Behind, Plane};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

struct Asker<'p> {
    plane: &'p Plane,
    token: String,
    http: reqwest::Client,
}

impl Asker<'_> {
    async fn new(plane: &Plane) -> Asker<'_> {
        let (_, token) = plane.task("files").await;
        Asker { plane, token, http: reqwest::Client::new() }
    }

    async fn post(&self, what: &str, body: &Value) -> (u16, Value) {
        let request =
            self.http.post(format!("{}/enforce/v1/files/{what}", self.plane.url)).bearer_auth(&self.token);
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    async fn watch(&self, wait_ms: u64) -> (u16, Value) {
        let url = format!("{}/enforce/v1/files/watch?wait_ms={wait_ms}", self.plane.url);
        answer(self.http.get(url).bearer_auth(&self.token)).await
    }

    /// A permit for a call of `hang`.
    async fn permit(&self) -> String {
        let definition = json!({
            "name": "hang", "description": "as reviewed",
            "inputSchema": {"type": "object", "properties": {"say": {"type": "string"}}},
        });
        let listed =
            json!({"revision": "2025-11-25", "method": "tools/list", "result": {"tools": [definition]}});
        let (status, shown) = self.post("list", &listed).await;
        assert_eq!((status, shown["result"]["tools"].as_array().unwrap().len()), (200, 1));
        let (status, permit) = self.post("decide", &ask("hang", false)).await;
        assert_eq!(status, 200);
        assert!(permit["permit"]["lease_ms"].as_u64().unwrap() <= 1_000, "{permit}");
        permit["permit"]["decision"].as_str().unwrap().to_owned()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn ask(tool: &str, listed: bool) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": tool, "arguments": {}}});
    json!({"revision": "2025-11-25", "request": request, "listed": listed})
}

fn response(text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": "a", "result": {"content": [{"type": "text", "text": text}]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_nobody_has_seen_is_asked_for_once_and_then_denied() {
    let plane = Plane::start(Behind::Child).await;
    let asker = Asker::new(&plane).await;
    assert_eq!(asker.post("decide", &ask("hang", false)).await, (200, json!({"list_first": {}})));
    let (status, refused) = asker.post("decide", &ask("hang", true)).await;
    assert_eq!(status, 200);
    assert_eq!(refused["refused"]["result"]["isError"], true, "{refused}");
    assert_eq!(refused["refused"]["id"], "a");
    let another = Asker::new(&plane).await;
    asker.permit().await;
    assert_eq!(another.post("decide", &ask("hang", false)).await.1, json!({"list_first": {}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_word_on_a_permit_counts_and_only_its_own_task_may_say_it() {
    let plane = Plane::start(Behind::Child).await;
    let (asker, another) = (Asker::new(&plane).await, Asker::new(&plane).await);
    let decision = asker.permit().await;
    let done = |text: &str| json!({"decision": decision, "response": response(text)});
    assert_eq!(another.post("complete", &done("hi")).await.0, 403);
    assert_eq!(asker.post("complete", &done("hi")).await, (200, json!({"recorded": true})));
    assert_eq!(asker.post("complete", &done("hi")).await.0, 200);
    assert_eq!(asker.post("complete", &done("other")).await.0, 403);
    assert_eq!(another.post("complete", &done("hi")).await.0, 403);
    plane.decisions(&[("hang", "allow", Some("success"))]).await;
    let unknown = json!({"decision": provost_domain::DecisionId::from_bytes([7; 16]), "lost": "x"});
    assert_eq!(asker.post("complete", &unknown).await.0, 404);
    for body in
        [json!({}), json!({"decision": decision}), json!({"decision": decision, "lost": "a", "unsent": "b"})]
    {
        assert_eq!(asker.post("complete", &body).await.0, 400, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_whose_wrapper_falls_silent_becomes_unknown_and_its_late_result_is_not_released() {
    let plane = Plane::start(Behind::Child).await;
    let asker = Asker::new(&plane).await;
    let decision = asker.permit().await;
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    assert_eq!(asker.watch(0).await.0, 200); // still there
    plane.decisions(&[("hang", "allow", None)]).await;
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
    let late = json!({"decision": decision, "response": response("late")});
    let (status, told) = asker.post("complete", &late).await;
    assert!(status == 403 && told["detail"].as_str().unwrap().contains("not heard of"), "{told}");
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heard_at_once_by_whoever_watches_and_its_permits_become_unknown() {
    let plane = Plane::start(Behind::Child).await;
    let asker = Asker::new(&plane).await;
    asker.permit().await;
    let (status, beat) = asker.watch(0).await;
    assert!(status == 200 && beat["lease_ms"].as_u64().unwrap() <= 1_000, "{beat}");
    let began = Instant::now();
    asker.watch(60_000).await;
    assert!(began.elapsed() < Duration::from_millis(600), "a quarter of the lease at most");
    let watching = asker.watch(200);
    let (heard, ()) = tokio::join!(watching, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        plane.suspend().await;
    });
    assert_eq!(heard, (200, json!({"stopped": "the agent clerk is suspended"})));
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_strangers_and_systems_that_are_not_local_get_nothing() {
    let plane = Plane::start(Behind::Child).await;
    let asker = Asker::new(&plane).await;
    let http = reqwest::Client::new();
    let at = |system: &str, what: &str| format!("{}/enforce/v1/{system}/{what}", plane.url);
    for what in ["decide", "complete", "list"] {
        let (status, told) = answer(http.post(at("files", what)).body("{}")).await;
        assert_eq!((status, told["type"].as_str()), (401, Some("urn:provost:problem:token-missing")));
        let (status, _) = answer(http.post(at("files", what)).bearer_auth("x.y.z").body("{}")).await;
        assert_eq!(status, 401);
        let strange =
            http.post(at("files", what)).bearer_auth(&asker.token).header("host", "evil.example.com");
        assert_eq!(answer(strange.body("{}")).await.0, 403);
        assert_eq!(answer(http.post(at("no-such", what)).bearer_auth(&asker.token).body("{}")).await.0, 401);
    }
    assert_eq!(answer(http.get(at("files", "watch"))).await.0, 401);
    let (_, elsewhere) = plane.task("elsewhere").await;
    let (status, told) = answer(http.get(at("elsewhere", "watch")).bearer_auth(&elsewhere)).await;
    assert!(status == 400 && told["detail"].as_str().unwrap().contains("not local"), "{told}");
    for (sent, status) in [("no json", 400), ("{\"revision\":\"1999\",\"request\":{}}", 400)] {
        assert_eq!(
            answer(http.post(at("files", "decide")).bearer_auth(&asker.token).body(sent)).await.0,
            status
        );
    }
    let huge = "x".repeat(2 << 20);
    assert_eq!(answer(http.post(at("files", "decide")).bearer_auth(&asker.token).body(huge)).await.0, 413);
}
