//! What is not a good call: each kind is refused in its own words, and nothing of it reaches the bank.

use crate::plane::{Plane, Setup, answer, charter, text};
use provost_domain::{Object, TaskId, Timestamp, task::TaskStatus};
use provost_token::{SigningKey, issue};
use serde_json::{Value, json};

/// One bad request and what is said to it.
struct Bad {
    what: &'static str,
    path: &'static str,
    token: Option<String>,
    body: String,
    headers: Vec<(&'static str, String)>,
    status: u16,
    /// JSON-RPC error code; 0: a tool result that reports an error.
    code: i64,
    says: &'static str,
}

fn good_body() -> Value {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "list_accounts", "arguments": {}, "_meta": meta}})
}

fn good(token: &str) -> Bad {
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "list_accounts"),
    ];
    Bad {
        what: "good",
        path: "/mcp/bank",
        token: Some(token.to_owned()),
        body: good_body().to_string(),
        headers: headers.map(|(name, value)| (name, value.to_owned())).to_vec(),
        status: 200,
        code: 0,
        says: "",
    }
}

impl Bad {
    fn header(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    fn body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn tool(mut self, name: &str, args: Value) -> Self {
        let mut body = good_body();
        body["params"]["name"] = json!(name);
        body["params"]["arguments"] = args;
        self.body = body.to_string();
        self.header("mcp-name", Some(name))
    }

    fn token(self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    async fn send(&self, plane: &Plane) -> (u16, Value, reqwest::header::HeaderMap) {
        let mut request = plane.client().post(format!("{}{}", plane.url, self.path)).body(self.body.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let headers = response.headers().clone();
        let (status, answer) = answer(response).await;
        (status, answer, headers)
    }
}

fn bad(what: &'static str, status: u16, code: i64, says: &'static str, from: Bad) -> Bad {
    Bad { what, status, code, says, ..from }
}

async fn all_are_refused(plane: &Plane, rows: Vec<Bad>) {
    for row in rows {
        let (status, answer, headers) = row.send(plane).await;
        let said = match row.code {
            0 => text(&answer),
            _ => answer["error"]["message"].as_str().unwrap_or_default().to_owned(),
        };
        assert_eq!(status, row.status, "{}: {answer}", row.what);
        assert_eq!(answer["error"]["code"].as_i64().unwrap_or_default(), row.code, "{}: {answer}", row.what);
        assert!(said.contains(row.says), "{}: {answer}", row.what);
        if row.code == 0 {
            assert_eq!(answer["result"]["isError"], true, "{}: {answer}", row.what);
        }
        if status == 401 {
            let challenge = headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("resource_metadata=\"http://127.0.0.1"), "{}: {challenge}", row.what);
        }
    }
    for tool in ["list_accounts", "get_statement", "transfer", "close_account", "reconcile"] {
        assert_eq!(plane.bank.bank().calls(tool), 0, "{tool}");
    }
    assert_eq!(plane.store.check().await.unwrap(), []);
    assert!(plane.outcomes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_call_are_refused_each_in_its_own_words() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let with = |body: &str| good(&token).body(body);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let deep =
        good_body().to_string().replace("\"arguments\":{}", &format!("\"arguments\":{{\"a\":{deep}}}"));
    let wide = format!("{{\"a\":[{}1]}}", "1,".repeat(100_001));
    let wide = good_body().to_string().replace("\"arguments\":{}", &format!("\"arguments\":{wide}"));
    let doubled = good_body().to_string().replace("\"arguments\":{}", "\"arguments\":{\"a\":1,\"a\":2}");
    let doubled_method = good_body().to_string().replace("\"id\":7", "\"id\":7,\"method\":\"tools/list\"");
    all_are_refused(
        &plane,
        vec![
            bad("malformed", 400, -32700, "ends too early", with("{\"jsonrpc\":")),
            bad("empty", 400, -32700, "", with("")),
            bad("not utf-8", 400, -32700, "", with("\"\\ud800\"")),
            bad("huge", 413, -32603, "`body_bytes_max` (1048576)", with(&" ".repeat(1_100_000))),
            bad("deep", 400, -32700, "64", with(&deep)),
            bad("wide", 400, -32700, "65536", with(&wide)),
            bad("duplicate key", 400, -32700, "twice", with(&doubled)),
            bad("duplicate method", 400, -32700, "twice", with(&doubled_method)),
            bad("batch", 400, -32600, "batch", with(&format!("[{}]", good_body()))),
            bad("scalar", 400, -32600, "", with("7")),
            bad(
                "id null",
                400,
                -32600,
                "id",
                with(&good_body().to_string().replace("\"id\":7", "\"id\":null")),
            ),
            bad(
                "id fraction",
                400,
                -32600,
                "id",
                with(&good_body().to_string().replace("\"id\":7", "\"id\":1.5")),
            ),
            bad(
                "no jsonrpc",
                400,
                -32600,
                "jsonrpc",
                with(&good_body().to_string().replace("\"2.0\"", "\"1.0\"")),
            ),
            bad(
                "params array",
                400,
                -32600,
                "params",
                with(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#),
            ),
            bad(
                "text",
                415,
                -32600,
                "application/json",
                good(&token).header("content-type", Some("text/plain")),
            ),
            bad("no type", 415, -32600, "application/json", good(&token).header("content-type", None)),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_token_is_refused_in_its_own_words() {
    let plane = Plane::start(charter(json!({}))).await;
    let (task, token) = plane.task().await;
    let (ended, of_ended) = plane.task().await;
    let mut over = plane.replica.latest().directory.tasks.get(&ended).unwrap().as_ref().clone();
    over.status = TaskStatus::Ended;
    plane.change(Object::Task(over), 1).await;
    let mut parts = token.split('.').map(str::to_owned).collect::<Vec<_>>();
    parts[0] = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0".to_owned(); // {"alg":"none","typ":"at+jwt"}
    let none = format!("{}.{}.", parts[0], parts[1]);
    let mut flipped = token.clone().into_bytes();
    let at = token.rfind('.').unwrap() + 5;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    let spoilt = |spoil: fn(&mut provost_token::TaskClaims)| good(&token).token(plane.token(task, spoil));
    let nobody = plane.token(TaskId::new(Timestamp::from_millis(5), [5; 10]), |_| {});
    let foreign_key = SigningKey::from_seed(&[6; 32]).unwrap();
    let foreign = issue(&plane.claims(task), &foreign_key).unwrap();
    let no_bearer = good(&token).header("authorization", Some("Basic YTpi"));
    all_are_refused(
        &plane,
        vec![
            bad("none", 401, -32603, "needs a task token", Bad { token: None, ..good(&token) }),
            bad("basic", 401, -32603, "needs a task token", Bad { token: None, ..no_bearer }),
            bad("garbage", 401, -32603, "cannot be read", good("garbage")),
            bad("long", 401, -32603, "cannot be read", good(&"a".repeat(20_000))),
            bad("expired", 401, -32603, "expired", spoilt(|claims| claims.exp = claims.iat - 120)),
            bad(
                "other audience",
                401,
                -32603,
                "another audience",
                spoilt(|claims| claims.aud = "https://other/mcp".into()),
            ),
            bad(
                "other system",
                401,
                -32603,
                "another audience",
                spoilt(|claims| claims.aud.push_str("/ledger")),
            ),
            bad(
                "other issuer",
                401,
                -32603,
                "another issuer",
                spoilt(|claims| claims.iss = "https://other".into()),
            ),
            bad("alg none", 401, -32603, "algorithm", good(&none)),
            bad("flipped", 401, -32603, "signature", good(&String::from_utf8(flipped).unwrap())),
            bad("other plane's key", 401, -32603, "another plane", good(&foreign)),
            bad("ended task", 401, -32603, "has ended", good(&of_ended)),
            bad("unknown task", 401, -32603, "has ended", good(&nobody)),
            bad(
                "another agent's task",
                401,
                -32603,
                "claim",
                spoilt(|claims| {
                    claims.sub = "somebody".parse().unwrap();
                    claims.client_id = claims.sub.clone();
                }),
            ),
        ],
    )
    .await;
    let (status, answer) = plane.call(&of_ended, "list_accounts", json!({})).await;
    assert_eq!(status, 401, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_system_is_good_there_and_nowhere_else() {
    let plane = Plane::start(charter(json!({}))).await;
    let (task, _) = plane.task().await;
    let narrow = plane.token(task, |claims| claims.aud.push_str("/bank"));
    for _ in 0..2 {
        let all = Bad { path: "/mcp", ..good(&narrow).tool("bank.list_accounts", json!({})) };
        assert_eq!(all.send(&plane).await.0, 401);
        assert_ne!(good(&narrow).send(&plane).await.1["result"]["isError"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_charter_are_refused_each_in_its_own_words() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let transfer = |changes: Value| {
        let mut args = json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": 120, "reference": "x"});
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(args.as_object_mut().unwrap().remove(name)),
                value => args[name] = value.clone(),
            }
        }
        good(&token).tool("transfer", args)
    };
    all_are_refused(
        &plane,
        vec![
            bad("unknown system", 404, -32603, "no system", Bad { path: "/mcp/nowhere", ..good(&token) }),
            bad("no name", 404, -32603, "no system", Bad { path: "/mcp/%20", ..good(&token) }),
            bad(
                "not in the charter",
                200,
                0,
                "close_account",
                good(&token).tool("close_account", json!({"account": "operations"})),
            ),
            bad("no such tool", 200, 0, "nobody has reviewed", good(&token).tool("list_account", json!({}))),
            bad("undeclared", 200, 0, "memo", transfer(json!({"memo": "hi"}))),
            bad("wrong type", 200, 0, "amount", transfer(json!({"amount": "120"}))),
            bad("wrong type nested", 200, 0, "payee", transfer(json!({"payee": {"name": "x"}}))),
            bad("missing", 200, 0, "amount", transfer(json!({"amount": null}))),
            bad("beyond the limit", 200, 0, "at most 500", transfer(json!({"amount": 500.01}))),
            bad("far beyond", 200, 0, "amount", transfer(json!({"amount": 1e300}))),
            bad("not one of", 200, 0, "from_account", transfer(json!({"from_account": "payroll"}))),
            bad("too exact", 200, 0, "amount", transfer(json!({"amount": 1.000_01}))),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_from_another_origin_or_with_lying_headers_is_refused() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let header = |name, value| good(&token).header(name, value);
    let unknown = good_body().to_string().replace("tools/call", "tools/burn");
    let unknown = good(&token).body(unknown).header("mcp-method", Some("tools/burn"));
    let old = good_body().to_string().replace("2026-07-28", "2024-11-05");
    all_are_refused(
        &plane,
        vec![
            bad("origin", 403, -32603, "evil.example", header("origin", Some("https://evil.example"))),
            bad("origin null", 403, -32603, "null", header("origin", Some("null"))),
            bad("host", 403, -32603, "evil.example", header("host", Some("evil.example:7070"))),
            bad("no method header", 400, -32020, "Mcp-Method", header("mcp-method", None)),
            bad("lying method header", 400, -32020, "Mcp-Method", header("mcp-method", Some("tools/list"))),
            bad("no name header", 400, -32020, "Mcp-Name", header("mcp-name", None)),
            bad("lying name header", 400, -32020, "Mcp-Name", header("mcp-name", Some("transfer"))),
            bad(
                "lying version header",
                400,
                -32020,
                "Version",
                header("mcp-protocol-version", Some("2025-11-25")),
            ),
            bad(
                "old version",
                400,
                -32022,
                "2024-11-05",
                header("mcp-protocol-version", Some("2024-11-05")).body(old),
            ),
            bad("unknown method", 404, -32601, "tools/burn", unknown),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_session_is_of_no_use_to_another_task_and_gone_when_deleted() {
    let plane = Plane::start(charter(json!({}))).await;
    let ((_, mine), (_, other)) = (plane.task().await, plane.task().await);
    let session = plane.initialize(&mine, "/mcp/bank", "2025-11-25", json!({})).await;
    let list = |token: &str, session: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_accounts", "arguments": {}}});
        let request = plane.post("/mcp/bank").bearer_auth(token).header("mcp-protocol-version", "2025-11-25");
        request.header("mcp-session-id", session).body(body.to_string()).send()
    };
    for (token, session, status, says) in [
        (&other, session.as_str(), 404, "no such session"),
        (&mine, "0123", 404, "no such session"),
        (&mine, "", 404, "no such session"),
    ] {
        let (got, said) = answer(list(token, session).await.unwrap()).await;
        assert_eq!(got, status, "{said}");
        assert!(said["error"]["message"].as_str().unwrap().contains(says), "{said}");
    }
    assert_eq!(plane.bank.bank().calls("list_accounts"), 0);
    assert_eq!(answer(list(&mine, &session).await.unwrap()).await.0, 200);
    let ended = plane
        .client()
        .delete(format!("{}/mcp/bank", plane.url))
        .bearer_auth(&mine)
        .header("mcp-session-id", &session);
    assert_eq!(ended.send().await.unwrap().status(), 204);
    assert_eq!(answer(list(&mine, &session).await.unwrap()).await.0, 404);
    assert_eq!(plane.bank.bank().calls("list_accounts"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_at_once_than_allowed_are_refused_and_the_limit_is_named() {
    let mut setup = Setup::charter(charter(json!({})));
    setup.limits.calls_per_task_max = 2;
    let plane = Plane::start_with(setup).await;
    let (_, token) = plane.task().await;
    let slow = || plane.call(&token, "reconcile", json!({"account": "operations", "steps": 10}));
    let late = async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        plane.call(&token, "list_accounts", json!({})).await
    };
    let (one, two, (status, refused)) = tokio::join!(slow(), slow(), late);
    assert_eq!((one.0, two.0, status), (200, 200, 429), "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("`calls_per_task_max` (2)"), "{refused}");
    // The places are free again.
    assert_eq!(plane.call(&token, "list_accounts", json!({})).await.0, 200);
    assert_eq!(plane.bank.bank().calls("list_accounts"), 1);
}
