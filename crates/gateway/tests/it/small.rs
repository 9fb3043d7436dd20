//! A small server of one revision over one transport (`tests/interop/fixture/small.mjs`), and small clients.

use crate::{
    others::{Served, folder, serve_with},
    plane::{Foreign, Plane},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// The server, and what it wrote down.
pub struct Small {
    log: tempfile::NamedTempFile,
    served: Option<Served>,
    revision: &'static str,
}

impl Small {
    pub async fn http(revision: &'static str) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let path = log.path().to_string_lossy().into_owned();
        let served =
            serve_with(&["fixture/small.mjs", "http"], &[("REVISION", revision), ("LOG", &path)]).await;
        Self { log, served: Some(served), revision }
    }

    pub fn stdio(revision: &'static str) -> Self {
        Self { log: tempfile::NamedTempFile::new().unwrap(), served: None, revision }
    }

    /// As a system of the plane.
    pub fn system(&self) -> Foreign {
        if let Some(served) = &self.served {
            return Foreign::http("small", &served.url);
        }
        let script: PathBuf = folder().join("fixture/small.mjs");
        let command = ["node".to_owned(), script.to_string_lossy().into_owned(), "stdio".to_owned()];
        let log = self.log.path().to_string_lossy().into_owned();
        let env =
            BTreeMap::from([("REVISION".to_owned(), self.revision.to_owned()), ("LOG".to_owned(), log)]);
        Foreign::stdio("small", command.to_vec(), env)
    }

    /// Waits for a line in the log.
    pub async fn wrote(&self, line: &str) {
        for _ in 0..100 {
            if self.log().iter().any(|known| known.starts_with(line)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no `{line}` in {:?}", self.log());
    }

    /// All lines.
    pub fn log(&self) -> Vec<String> {
        std::fs::read_to_string(self.log.path()).unwrap().lines().map(str::to_owned).collect()
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.served = None;
    }
}

/// A client of one revision at one system.
pub struct Speaker<'p> {
    plane: &'p Plane,
    token: String,
    path: String,
    revision: &'static str,
    session: Option<String>,
}

impl<'p> Speaker<'p> {
    pub async fn start(plane: &'p Plane, path: &str, revision: &'static str) -> Self {
        let (_, token) = plane.task().await;
        Self::with(plane, token, path, revision).await
    }

    pub async fn with(plane: &'p Plane, token: String, path: &str, revision: &'static str) -> Self {
        let session = match revision {
            "2026-07-28" => None,
            legacy => Some(plane.initialize(&token, path, legacy, json!({"elicitation": {}})).await),
        };
        Self { plane, token, path: path.to_owned(), revision, session }
    }

    /// Sends a request; the answer, not read yet.
    pub async fn open(&self, id: i64, method: &str, mut params: Value) -> reqwest::Response {
        let name = params["name"].as_str().map(str::to_owned);
        let mut request = self
            .plane
            .post(&self.path)
            .bearer_auth(&self.token)
            .header("mcp-protocol-version", self.revision);
        request = request.header("accept", "application/json, text/event-stream");
        match &self.session {
            Some(session) => request = request.header("mcp-session-id", session),
            None => {
                params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(self.revision);
                params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
                request = request.header("mcp-method", method);
                if let Some(name) = name {
                    request = request.header("mcp-name", name);
                }
            }
        }
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        request.body(body.to_string()).send().await.unwrap()
    }

    /// All messages of the answer.
    pub async fn ask(&self, id: i64, method: &str, params: Value) -> Vec<Value> {
        messages(&self.open(id, method, params).await.text().await.unwrap())
    }

    /// The last message of the answer to a call of `work`.
    pub async fn work(&self, how: &str) -> Value {
        self.ask(1, "tools/call", json!({"name": "work", "arguments": {"how": how}})).await.pop().unwrap()
    }

    /// Listens as a legacy client does.
    pub async fn events(&self) -> reqwest::Response {
        let request =
            self.plane.client().get(format!("{}{}", self.plane.url, self.path)).bearer_auth(&self.token);
        let request =
            request.header("mcp-protocol-version", self.revision).header("accept", "text/event-stream");
        request.header("mcp-session-id", self.session.as_deref().unwrap()).send().await.unwrap()
    }

    /// Takes up a stream of a legacy client again.
    pub async fn resume(&self, event_id: &str) -> String {
        let request =
            self.plane.client().get(format!("{}{}", self.plane.url, self.path)).bearer_auth(&self.token);
        let request = request.header("mcp-protocol-version", self.revision).header("last-event-id", event_id);
        let request = request
            .header("mcp-session-id", self.session.as_deref().unwrap())
            .header("accept", "text/event-stream");
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Sends a notification of a legacy client.
    pub async fn notify(&self, method: &str, params: Value) {
        self.tell(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends what a legacy client wants no answer to.
    pub async fn tell(&self, message: Value) {
        let body = message.to_string();
        let request = self
            .plane
            .post(&self.path)
            .bearer_auth(&self.token)
            .header("mcp-protocol-version", self.revision);
        let request = request.header("mcp-session-id", self.session.as_deref().unwrap());
        assert_eq!(request.body(body).send().await.unwrap().status(), 202);
    }
}

/// The messages of a body, be it JSON or a stream.
pub fn messages(body: &str) -> Vec<Value> {
    if body.starts_with('{') {
        return vec![serde_json::from_str(body).unwrap()];
    }
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
