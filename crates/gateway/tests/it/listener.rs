//! A client that listens while its call is held, over a real socket.

use crate::{approvals::pay, plane::Plane};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::{pin::Pin, time::Duration};

/// The revisions of both eras.
pub const REVISIONS: [&str; 3] = ["2025-06-18", "2025-11-25", "2026-07-28"];

/// One client of one revision.
pub struct Client<'p> {
    pub plane: &'p Plane,
    pub url: String,
    pub token: String,
    pub revision: &'static str,
    pub session: Option<String>,
    pub capabilities: Value,
}

impl<'p> Client<'p> {
    pub async fn new(plane: &'p Plane, token: &str, revision: &'static str) -> Self {
        Self::with(plane, token, revision, json!({})).await
    }

    pub async fn with(plane: &'p Plane, token: &str, revision: &'static str, capabilities: Value) -> Self {
        let session = match revision {
            "2026-07-28" => None,
            legacy => Some(plane.initialize(token, "/mcp/bank", legacy, capabilities.clone()).await),
        };
        Self { plane, url: plane.url.clone(), token: token.to_owned(), revision, session, capabilities }
    }

    /// The same, at another node.
    pub fn at(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    pub fn headers(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", self.revision);
        match &self.session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    pub async fn request(&self, id: u32, method: &str, name: &str, mut params: Value) -> reqwest::Response {
        if self.session.is_none() {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(self.revision);
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let request = self.plane.client().post(format!("{}/mcp/bank", self.url));
        let request = self.headers(request).header("mcp-method", method).header("mcp-name", name);
        request.body(body.to_string()).send().await.unwrap()
    }

    /// A payment of a client that listens.
    pub async fn pay(&self, id: u32, amount: u32) -> Said {
        let params = json!({"name": "transfer", "arguments": pay(amount), "_meta": {"progressToken": format!("p{id}")}});
        Said::of(self.request(id, "tools/call", "transfer", params).await)
    }

    /// The rest of a stream.
    pub async fn comes_back(&self, last: &str) -> Said {
        let request = self.plane.client().get(format!("{}/mcp/bank", self.url));
        Said::of(self.headers(request).header("last-event-id", last).send().await.unwrap())
    }

    /// What happens outside of calls.
    pub async fn listens(&self) -> Said {
        let request = self.plane.client().get(format!("{}/mcp/bank", self.url));
        Said::of(self.headers(request).send().await.unwrap())
    }
}

/// An answer as it comes, message by message. Dropping it hangs up.
pub struct Said {
    pub bytes: Pin<Box<dyn futures::Stream<Item = Vec<u8>> + Send>>,
    pub streams: bool,
    pub text: String,
    pub last_id: String,
}

impl Said {
    pub fn of(response: reqwest::Response) -> Self {
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let streams = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        let bytes =
            response.bytes_stream().map(|chunk| chunk.map(|chunk| chunk.to_vec()).unwrap_or_default());
        Self { bytes: Box::pin(bytes), streams, text: String::new(), last_id: String::new() }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(Duration::from_secs(20), self.read()).await.expect("something is said in time")
    }

    pub async fn read(&mut self) -> Option<Value> {
        loop {
            if self.streams {
                while let Some(end) = self.text.find("\n\n") {
                    let event: String = self.text.drain(..end + 2).collect();
                    for line in event.lines() {
                        if let Some(id) = line.strip_prefix("id: ") {
                            self.last_id = id.to_owned();
                        }
                        if let Some(data) = line.strip_prefix("data: ").filter(|data| !data.is_empty()) {
                            return Some(serde_json::from_str(data).unwrap());
                        }
                    }
                }
            }
            match self.bytes.next().await {
                Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk).unwrap()),
                None if !self.streams && !self.text.is_empty() => {
                    let text = std::mem::take(&mut self.text);
                    return Some(serde_json::from_str(&text).unwrap());
                }
                None => return None,
            }
        }
    }

    /// The last message: the answer itself, whatever progress there is before.
    pub async fn answer(&mut self) -> Value {
        loop {
            let said = self.next().await.expect("an answer");
            if said["method"] != "notifications/progress" {
                return said;
            }
        }
    }
}

/// What a first progress notification says, and the approval it is of.
pub async fn waits(plane: &Plane, said: &mut Said) -> (String, String) {
    let progress = said.next().await.unwrap();
    assert_eq!(progress["method"], "notifications/progress", "{progress}");
    plane.replica.catch_up().await.unwrap();
    let view = plane.replica.latest();
    let waiting = view.directory.approvals.values().find(|row| row.status.as_str() == "waiting").unwrap();
    (progress["params"]["message"].as_str().unwrap().to_owned(), waiting.id.clone())
}

pub fn calls(plane: &Plane) -> u64 {
    plane.bank.bank().calls("transfer")
}
