//! What the tests share: a server whose every byte is scripted, and the things a pool is asked with.

use bytes::Bytes;
use futures::StreamExt;
use provost_connect::{
    CallerKey, ClientProfile, Config, Replies, Secret, Upstream, UpstreamError, Upstreams,
};
use provost_domain::limits::Limits;
use provost_domain::{DurationMs, System, TaskId};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    Legacy,
    Modern,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub json: Value,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn rpc(&self) -> &str {
        self.json["method"].as_str().unwrap_or("")
    }

    pub fn id(&self) -> String {
        self.json["id"].to_string()
    }
}

/// What the server does next on the connection.
#[derive(Clone, Debug)]
pub enum Step {
    Bytes(Vec<u8>),
    Pause(u64),
    Hang,
    Close,
}

pub fn bytes(text: impl Into<String>) -> Step {
    Step::Bytes(text.into().into_bytes())
}

/// A whole HTTP answer.
pub fn answer(status: u16, kind: &str, body: &str) -> Vec<Step> {
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    vec![bytes(head + body)]
}

pub fn json_answer(body: &str) -> Vec<Step> {
    answer(200, "application/json", body)
}

pub fn empty(status: u16) -> Vec<Step> {
    vec![bytes(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))]
}

pub const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

pub fn chunk(data: &str) -> Step {
    bytes(format!("{:x}\r\n{data}\r\n", data.len()))
}

pub fn event(message: &str) -> Step {
    chunk(&format!("data: {message}\n\n"))
}

pub fn end() -> Step {
    bytes("0\r\n\r\n")
}

pub fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

pub const PROGRESS: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;

type Script = dyn Fn(&Seen) -> Option<Vec<Step>> + Send + Sync;

/// A server on this machine that answers the opening conversation well and everything else by script.
pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that the client closed while the server hung.
    hung_up: Arc<Mutex<usize>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub async fn start(
        speaks: Speaks,
        script: impl Fn(&Seen) -> Option<Vec<Step>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hung_up = Arc::new(Mutex::new(0));
        let script: Arc<Script> = Arc::new(script);
        let (seen_by, hung_by) = (Arc::clone(&seen), Arc::clone(&hung_up));
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(
                    socket,
                    speaks,
                    Arc::clone(&script),
                    Arc::clone(&seen_by),
                    Arc::clone(&hung_by),
                ));
            }
        });
        Self { url, seen, hung_up, task }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self, rpc: &str) -> usize {
        self.seen().iter().filter(|seen| seen.rpc() == rpc).count()
    }

    pub fn hung_up(&self) -> usize {
        *self.hung_up.lock().unwrap()
    }
}

async fn serve(
    mut socket: TcpStream,
    speaks: Speaks,
    script: Arc<Script>,
    log: Arc<Mutex<Vec<Seen>>>,
    hung_up: Arc<Mutex<usize>>,
) {
    while let Some(seen) = read_request(&mut socket).await {
        log.lock().unwrap().push(seen.clone());
        let steps = script(&seen).unwrap_or_else(|| well_behaved(speaks, &seen));
        for step in steps {
            match step {
                Step::Bytes(bytes) => {
                    if socket.write_all(&bytes).await.is_err() {
                        *hung_up.lock().unwrap() += 1;
                        return;
                    }
                }
                Step::Pause(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Step::Close => return,
                Step::Hang => {
                    let mut rest = [0; 64];
                    while !matches!(socket.read(&mut rest).await, Ok(0) | Err(_)) {}
                    *hung_up.lock().unwrap() += 1;
                    return;
                }
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Seen> {
    let mut buffer = Vec::new();
    let mut chunk = [0; 4096];
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        match socket.read(&mut chunk).await {
            Ok(count) if count > 0 => buffer.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let method = lines.next()?.split(' ').next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    while buffer.len() < head_end + length {
        match socket.read(&mut chunk).await {
            Ok(count) if count > 0 => buffer.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    let json = serde_json::from_slice(&buffer[head_end..head_end + length]).unwrap_or(Value::Null);
    Some(Seen { method, headers, json })
}

fn well_behaved(speaks: Speaks, seen: &Seen) -> Vec<Step> {
    match (speaks, seen.method.as_str(), seen.rpc()) {
        (Speaks::Legacy, "GET", _) => empty(405),
        (_, "DELETE", _) => empty(200),
        (Speaks::Modern, _, "server/discover") => json_answer(&result(
            &seen.id(),
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#,
        )),
        (Speaks::Legacy, _, "server/discover") => answer(
            400,
            "application/json",
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"no session"},"id":null}"#,
        ),
        (Speaks::Legacy, _, "initialize") => {
            let body = result(
                &seen.id(),
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}"#,
            );
            static SESSIONS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
            let session = SESSIONS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            vec![bytes(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: session-{session}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))]
        }
        _ if seen.json.get("id").is_none() || seen.json.get("method").is_none() => empty(202),
        _ => json_answer(&result(&seen.id(), r#"{"content":[]}"#)),
    }
}

pub fn http_system(url: &str) -> System {
    system(json!({"kind": "mcp-http", "url": url}))
}

pub fn system(connection: Value) -> System {
    serde_json::from_value(json!({
        "name": "bank", "description": "", "environment": "sandbox", "revocation_max": 0, "connection": connection,
    }))
    .unwrap()
}

pub fn with_credential(mut system: System, target: &str, prefix: &str) -> System {
    system.credential = Some(
        serde_json::from_value(json!({"name": "bank-key", "target": target, "prefix": prefix})).unwrap(),
    );
    system
}

pub const SECRET: &str = "sk-very-secret-0123456789";

pub fn secret() -> Secret {
    Secret::new(SECRET.into())
}

pub fn caller(number: u8) -> CallerKey {
    CallerKey { agent: "clerk".parse().unwrap(), task: TaskId::from_bytes([number; 16]) }
}

pub fn profile() -> ClientProfile {
    ClientProfile { capabilities: json!({}), client_info: json!({"name": "test", "version": "1"}) }
}

/// Limits short enough for tests.
pub fn config() -> Config {
    let limits = Limits {
        upstream_idle_max: DurationMs(400),
        call_duration_max: DurationMs(2_000),
        upstream_message_bytes_max: 64 * 1024,
        list_pages_max: 20,
        tools_per_system_max: 50,
        ..Limits::default()
    };
    let mut config = Config::new(limits);
    config.handshake_max = DurationMs(3_000);
    config.probe_max = DurationMs(1_000);
    config.child_grace_max = DurationMs(500);
    config
}

pub fn pool() -> Upstreams {
    Upstreams::new(config()).unwrap()
}

pub async fn open(pool: &Upstreams, url: &str) -> Arc<Upstream> {
    pool.get(&http_system(url), &caller(1), &profile(), None).await.unwrap()
}

/// `tools/call` with an id that no handshake used.
pub fn call(id: i64) -> Bytes {
    request(id, "tools/call", json!({"name": "pay", "arguments": {}}))
}

pub fn request(id: i64, method: &str, params: Value) -> Bytes {
    Bytes::from(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string())
}

pub async fn all(replies: Replies) -> Vec<Result<Bytes, UpstreamError>> {
    replies.collect().await
}

/// Sends a call and reads it to its end, whichever way it ends.
pub async fn ask(upstream: &Upstream, request: Bytes) -> Result<Bytes, UpstreamError> {
    let replies = upstream.request(request, vec![]).await?;
    all(replies).await.pop().unwrap()
}

/// Waits until it holds, at most three seconds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}
