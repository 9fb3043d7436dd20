//! A shop with an HTTP API, which writes down what reached it, and raw requests to the plane in front of it.

use crate::plane::{Plane, Setup, charter};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use provost_connect::SealingKey;
use provost_domain::{DurationMs, Object, System, Tool, limits::Limits, system::Connection};
use provost_store::{DecisionFilter, StoredDecision};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

pub const SHOP_KEY: &str = "the-shop-key-nobody-may-see";

/// One request as it reached the shop.
#[derive(Debug, Clone)]
pub struct Came {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The shop.
pub struct Shop {
    pub url: String,
    came: Arc<Mutex<Vec<Came>>>,
    /// Lets answers that wait go on.
    pub go_on: Arc<watch::Sender<bool>>,
}

#[derive(Clone)]
struct Inside {
    came: Arc<Mutex<Vec<Came>>>,
    go_on: watch::Receiver<bool>,
}

impl Shop {
    async fn open() -> Self {
        let came = Arc::new(Mutex::new(Vec::new()));
        let (go_on, wait) = watch::channel(false);
        let inside = Inside { came: Arc::clone(&came), go_on: wait };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(inside);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, came, go_on: Arc::new(go_on) }
    }

    /// Everything that reached it.
    pub fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// The lines of everything that reached it.
    pub fn lines(&self) -> Vec<String> {
        self.came().into_iter().map(|came| came.line).collect()
    }
}

async fn answer(State(inside): State<Inside>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    inside.came.lock().unwrap().push(Came { line, headers: parts.headers.clone(), body });
    let path = parts.uri.path().strip_prefix("/v1").unwrap();
    let first = path.split('/').nth(1).unwrap_or_default();
    let authorization = parts.headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
    match (first, path.rsplit('/').next().unwrap_or_default()) {
        ("go", to) => {
            let to = percent_decoded(to);
            (StatusCode::FOUND, [(header::LOCATION, to)], "gone").into_response()
        }
        ("echo", _) => {
            let text = format!("you said {} and more", authorization.unwrap_or_default());
            let halves = text.as_bytes().chunks(20).map(Bytes::copy_from_slice).map(Ok::<_, Infallible>);
            let halves: Vec<_> = halves.collect();
            let body = Body::from_stream(stream::iter(halves).then(|half| async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                half
            }));
            ([("x-echo", format!("key {SHOP_KEY}"))], body).into_response()
        }
        ("stream", _) => {
            let mut go_on = inside.go_on.clone();
            let later = stream::once(async move {
                go_on.wait_for(|on| *on).await.unwrap();
                Ok::<_, Infallible>(Bytes::from_static(b"second"))
            });
            Body::from_stream(stream::once(async { Ok(Bytes::from_static(b"first ")) }).chain(later))
                .into_response()
        }
        ("slow", _) => {
            inside.go_on.clone().wait_for(|on| *on).await.unwrap();
            "late".into_response()
        }
        ("big", _) => Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![b'x'; 65_536]))))
            .into_response(),
        ("short", _) => {
            let broken =
                stream::iter([Ok(Bytes::from_static(b"only this")), Err(std::io::Error::other("gone"))]);
            // The head has to be on its way before the rest fails.
            let broken = broken.then(|part| async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                part
            });
            ([(header::CONTENT_LENGTH, "100")], Body::from_stream(broken)).into_response()
        }
        ("zipped", _) => ([(header::CONTENT_ENCODING, "gzip")], "zipped").into_response(),
        ("status", code) => StatusCode::from_u16(code.parse().unwrap()).unwrap().into_response(),
        _ => {
            let headers = [
                ("set-cookie", "sid=1"),
                ("connection", "x-hop"),
                ("x-hop", "1"),
                ("cache-control", "public, max-age=60"),
                ("access-control-allow-origin", "*"),
                ("provost-decision", "forged"),
                ("etag", "\"7\""),
            ];
            (headers, axum::Json(json!({"ok": true, "lines": [{"memo": "hi"}]}))).into_response()
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://h/?x={text}")).unwrap();
    url.query_pairs().next().unwrap().1.into_owned()
}

/// A plane with the shop behind it.
pub struct Stage {
    pub plane: Plane,
    pub shop: Shop,
    pub token: String,
    pub task: provost_domain::TaskId,
}

impl Stage {
    pub async fn open() -> Self {
        Self::with(Limits { upstream_idle_max: DurationMs(3_000), ..Limits::default() }).await
    }

    pub async fn with(limits: Limits) -> Self {
        let shop = Shop::open().await;
        let names: Vec<&str> = tools().iter().map(|(name, ..)| *name).collect();
        let grants = json!([
            {"system": "shop", "tools": names.iter().filter(|name| **name != "show").collect::<Vec<_>>()},
            {"system": "shop", "tools": ["show"], "args": {"id": {"max": "100"}}},
            {"system": "bank", "tools": ["list_accounts"]},
        ]);
        let plane =
            Plane::start_with(Setup { limits, ..Setup::charter(charter(json!({"grants": grants}))) }).await;
        let sealed = SealingKey::from_bytes(&[9; 32]).unwrap().seal("shop-key", SHOP_KEY.as_bytes()).unwrap();
        plane.store.put_sealed(&"shop-key".parse().unwrap(), &sealed).await.unwrap();
        plane.change(Object::System(system(&shop.url)), 0).await;
        for (name, line, more) in tools() {
            let body = more.get("body").cloned().unwrap_or(json!("members"));
            let mut tool = json!({
                "system": "shop", "name": name, "pin": provost_domain::Digest::of(b""), "effects": ["read"],
                "request": {"line": line, "body": body},
            });
            for (key, value) in more.as_object().unwrap().iter().filter(|(key, _)| *key != "body") {
                tool[key] = value.clone();
            }
            let tool: Tool = serde_json::from_value(tool).unwrap();
            plane.change(Object::Tool(tool), 0).await;
        }
        let (task, token) = plane.task().await;
        Self { plane, shop, token, task }
    }

    /// Sends exactly these bytes of a request line, and gives status, head and body.
    pub async fn raw(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, String) {
        let mut more = String::new();
        for (name, value) in headers {
            more.push_str(&format!("{name}: {value}\r\n"));
        }
        let token = &self.token;
        self.send(&format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n", body.len()), body)
            .await
    }

    pub async fn send(&self, head: &str, body: &[u8]) -> (u16, String, String) {
        let mut socket = TcpStream::connect(self.plane.url.strip_prefix("http://").unwrap()).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        // The plane may answer before it has read all.
        let _ = socket.write_all(body).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// A request as a common client makes it.
    pub fn ask(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.plane.client().request(method, format!("{}{path}", self.plane.url)).bearer_auth(&self.token)
    }

    /// Status and JSON of an answer.
    pub async fn json(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Every decision on the shop, newest first, once what is allowed has its outcome.
    pub async fn decisions(&self) -> Vec<StoredDecision> {
        self.plane.outcomes().await;
        let filter = DecisionFilter { system: Some("shop".parse().unwrap()), max: 500, ..Default::default() };
        self.plane.store.decisions(&filter).await.unwrap().decisions
    }

    /// The outcome of the newest decision, which was an allow.
    pub async fn outcome(&self) -> String {
        self.decisions().await[0].completion.as_ref().unwrap().outcome.as_str().to_owned()
    }
}

pub fn system(url: &str) -> System {
    serde_json::from_value(json!({
        "name": "shop", "description": "orders", "environment": "production", "revocation_max": 0,
        "connection": Connection::HttpApi { url: url.to_owned() },
        "credential": {"name": "shop-key", "target": "Authorization", "prefix": "Bearer "},
    }))
    .unwrap()
}

/// Name, request, and the rest of a tool.
fn tools() -> Vec<(&'static str, &'static str, Value)> {
    let arg = |kind: &str, required: bool| json!({"type": kind, "required": required});
    let id = json!({"id": arg("long", true)});
    vec![
        (
            "show",
            "GET /orders/{id}?x&tags",
            json!({"args": {"id": arg("long", true), "x": arg("string", false),
            "tags": {"type": "set", "of": {"type": "string"}, "required": false}}}),
        ),
        ("root", "GET /", json!({})),
        ("list", "GET /orders/", json!({"returns": [{"label": "confidential"}]})),
        ("search", "GET /orders/search?q", json!({"args": {"q": arg("string", true)}})),
        (
            "change",
            "PATCH /orders/{id}?dry_run",
            json!({"args": {"id": arg("long", true), "dry_run": arg("bool", false),
            "note": arg("string", false), "lines": arg("json", false)}}),
        ),
        ("cancel", "POST /orders/{id}/cancel", json!({"args": id, "effects": ["write"]})),
        (
            "pay",
            "POST /payments",
            json!({"args": {"amount": arg("decimal", true)}, "effects": ["financial"]}),
        ),
        (
            "upload",
            "PUT /files/{name}",
            json!({"body": "opaque", "args": {"name": arg("string", true),
            "body_digest": arg("string", true), "body_size": arg("long", true)}}),
        ),
        (
            "replace",
            "PUT /orders/{id}",
            json!({"body": "json", "args": {"id": arg("long", true), "body": arg("json", true)}}),
        ),
        ("go", "GET /go/{to}", json!({"args": {"to": arg("string", true)}})),
        ("go-post", "POST /go/{to}", json!({"args": {"to": arg("string", true)}})),
        ("echo", "GET /echo", json!({})),
        ("stream", "GET /stream", json!({"returns": [{"label": "confidential"}]})),
        ("slow", "GET /slow", json!({})),
        ("slow-post", "POST /slow", json!({})),
        ("big", "GET /big", json!({})),
        ("short", "GET /short", json!({})),
        ("zipped", "GET /zipped", json!({})),
        ("status", "GET /status/{code}", json!({"args": {"code": arg("long", true)}})),
        ("status-post", "POST /status/{code}", json!({"args": {"code": arg("long", true)}})),
        ("head", "HEAD /orders/{id}", json!({"args": {"id": arg("long", true)}})),
    ]
}
