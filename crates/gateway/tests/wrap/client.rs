//! An MCP client on the wrapper's standard input and output.

use provost_cli::{
    Exit,
    wrap::{self, Settings},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub struct Mcp {
    input: Option<DuplexStream>,
    output: Lines<BufReader<DuplexStream>>,
    running: JoinHandle<Exit>,
    pub end: CancellationToken,
    /// What came that was not asked for.
    pub aside: Vec<Value>,
    next: i64,
}

impl Mcp {
    /// A client whose wrapper runs; nothing is said yet.
    pub fn start(settings: Settings) -> Self {
        let (input, theirs) = tokio::io::duplex(1 << 16);
        let (ours, output) = tokio::io::duplex(1 << 16);
        let end = CancellationToken::new();
        let running = tokio::spawn(wrap::run(settings, theirs, ours, end.clone()));
        let output = BufReader::new(output).lines();
        Self { input: Some(input), output, running, end, aside: Vec::new(), next: 1 }
    }

    /// A client that has opened a legacy session.
    pub async fn open(settings: Settings) -> Self {
        let mut client = Self::start(settings);
        let answer = client.initialize().await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        client
    }

    pub async fn initialize(&mut self) -> Value {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {"roots": {}, "tasks": {}},
            "clientInfo": {"name": "test", "version": "1"},
        });
        self.ask("initialize", params).await
    }

    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// One request and its answer.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        self.answer(id).await
    }

    /// One request; its id.
    pub async fn begin(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    pub async fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.hear().await;
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.aside.push(message);
        }
    }

    pub async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.output.next_line()).await;
        serde_json::from_str(&line.expect("no answer came").unwrap().expect("the wrapper hung up")).unwrap()
    }

    /// Whether nothing more is said for a moment.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.output.next_line()).await.is_err()
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        // A wrapper that hung up in the middle is noticed by what it said before.
        let _hung_up = input.write_all(format!("{text}\n").as_bytes()).await;
    }

    /// Closes standard input, and waits for the wrapper to end.
    pub async fn close(mut self) -> Exit {
        drop(self.input.take());
        self.ended().await
    }

    /// Waits for the wrapper to end by itself.
    pub async fn ended(self) -> Exit {
        tokio::time::timeout(Duration::from_secs(20), self.running).await.expect("it goes on").unwrap()
    }
}

/// What a refused or answered tool call says.
pub fn text(answer: &Value) -> String {
    let text = answer["result"]["content"][0]["text"].as_str().or(answer["error"]["message"].as_str());
    text.unwrap_or_default().to_owned()
}
