//! The bank as callers meet it: `rmcp`'s own client over a real socket, in both eras of the protocol, and
//! the program itself over stdio.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provost_bank::{Bank, INJECTED_MEMO, Server, serve};
use rmcp::handler::client::ClientHandler;
use rmcp::model::{CallToolRequestParams, CallToolResult, ProgressNotificationParam, ProtocolVersion};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, RoleClient, RunningService, ServiceError,
    serve_client_with_lifecycle,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Caller {
    progress: Arc<Mutex<Vec<f64>>>,
    changes: Arc<Mutex<u32>>,
}

impl ClientHandler for Caller {
    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.progress.lock().unwrap().push(told.progress);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        *self.changes.lock().unwrap() += 1;
    }
}

type Client = RunningService<RoleClient, Caller>;

async fn bank(require_key: Option<&str>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, Bank::open(None).unwrap(), require_key.map(str::to_owned)).await.unwrap()
}

async fn connect(server: &Server, key: Option<&str>, era: Era) -> Option<Client> {
    let config = StreamableHttpClientTransportConfig::with_uri(server.url());
    let config = match key {
        Some(key) => config.auth_header(key),
        None => config,
    };
    let transport = StreamableHttpClientTransport::from_config(config);
    serve_client_with_lifecycle(Caller::default(), transport, era.lifecycle()).await.ok()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Era {
    Legacy,
    Modern,
}

impl Era {
    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Legacy => ClientLifecycleMode::Initialize,
            Self::Modern => {
                ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
            }
        }
    }
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> Result<CallToolResult, ServiceError> {
    let arguments = arguments.as_object().unwrap().clone();
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await
}

async fn value(client: &Client, tool: &'static str, arguments: Value) -> Value {
    let result = call(client, tool, arguments).await.unwrap();
    assert_eq!(result.is_error, Some(false), "{result:?}");
    result.structured_content.unwrap()
}

async fn refusal(client: &Client, tool: &'static str, arguments: Value) -> String {
    let result = call(client, tool, arguments).await.unwrap();
    assert_eq!(result.is_error, Some(true), "{result:?}");
    result.content[0].as_text().unwrap().text.clone()
}

#[tokio::test]
async fn both_eras_list_nine_tools_and_move_money() {
    for era in [Era::Legacy, Era::Modern] {
        let server = bank(None).await;
        let client = connect(&server, None, era).await.unwrap();
        assert_eq!(client.list_all_tools().await.unwrap().len(), 9, "{era:?}");
        let paid = json!({ "from_account": "operations", "payee": "Kantoor Zuid BV", "amount": 12.5, "reference": "keys" });
        let answer = value(&client, "transfer", paid).await;
        assert_eq!(answer["transfer"]["amount"], json!(12.5));
        let ledger = server.bank().transfers().unwrap();
        assert_eq!((ledger.len(), ledger[0].amount.get()), (1, 1_250));
        assert_eq!(server.bank().calls("transfer"), 1);
        client.cancel().await.unwrap();
        server.shutdown().await;
    }
}

#[tokio::test]
async fn the_modern_client_speaks_2026_07_28_and_the_legacy_one_2025_11_25() {
    let server = bank(None).await;
    for (era, then) in
        [(Era::Legacy, ProtocolVersion::V_2025_11_25), (Era::Modern, ProtocolVersion::V_2026_07_28)]
    {
        let client = connect(&server, None, era).await.unwrap();
        assert_eq!(client.peer_info().map(|info| info.protocol_version.clone()), Some(then), "{era:?}");
    }
}

#[tokio::test]
async fn the_statement_carries_the_order_of_a_counterparty_as_data() {
    let server = bank(None).await;
    let client = connect(&server, None, Era::Modern).await.unwrap();
    let november = json!({ "account": "operations", "month": "2026-11", "limit": 200 });
    let statement = value(&client, "get_statement", november).await;
    let lines = statement["lines"].as_array().unwrap();
    assert!(lines.iter().all(|line| line["day"].as_str().unwrap().starts_with("2026-11")));
    assert_eq!(lines.iter().filter(|line| line["memo"] == INJECTED_MEMO).count(), 1);
}

#[tokio::test]
async fn every_refusal_is_a_tool_error_that_says_why_and_moves_nothing() {
    let server = bank(None).await;
    let client = connect(&server, None, Era::Modern).await.unwrap();
    let pay = |payee: &str, amount: Value| json!({ "from_account": "operations", "payee": payee, "amount": amount, "reference": "x" });
    let rows = [
        ("transfer", pay("Kantoor Zuid BV", json!(999_999)), "insufficient funds"),
        ("transfer", pay("Nobody", json!(1)), "there is no payee"),
        ("transfer", pay("Kantoor Zuid BV", json!(0.001)), "is not an amount"),
        ("transfer", pay("Kantoor Zuid BV", json!("12")), "do not fit the schema"),
        ("transfer", json!({}), "do not fit the schema"),
        ("get_statement", json!({ "account": "x" }), "there is no account"),
        ("get_statement", json!({ "account": "operations", "month": "2026-13" }), "must be YYYY-MM"),
        ("get_statement", json!({ "account": "operations", "limit": 0 }), "must be 1 to 200"),
        ("list_accounts", json!({ "extra": 1 }), "do not fit the schema"),
        ("add_payee", json!({ "name": "New", "iban": "DE00370400440532013000" }), "check digits"),
        ("close_account", json!({ "account": "reserve" }), "cannot be closed"),
        ("reconcile", json!({ "account": "operations", "steps": 601 }), "must be 1 to 600"),
    ];
    for (tool, arguments, then) in rows {
        let said = refusal(&client, tool, arguments).await;
        assert!(said.contains(then), "{tool}: {said}");
    }
    assert!(server.bank().transfers().unwrap().is_empty());
    assert!(call(&client, "rob", json!({})).await.is_err(), "an unknown tool is a protocol error");
}

#[tokio::test]
async fn the_ways_out_are_written_down() {
    let server = bank(None).await;
    let client = connect(&server, None, Era::Legacy).await.unwrap();
    value(&client, "add_payee", json!({ "name": "Baltic Clearing UAB", "iban": "LT12 1000 0111 0100 1000" }))
        .await;
    value(&client, "send_message", json!({ "to": "a@b.example", "subject": "s", "body": "b" })).await;
    let exported = json!({ "account": "payroll", "destination": "https://files.example/in" });
    assert_eq!(value(&client, "export_statements", exported).await["export"]["lines"], 6);
    assert_eq!(value(&client, "close_account", json!({ "account": "payroll" })).await["status"], "closed");
    let bank = server.bank();
    assert_eq!(bank.payees().unwrap().len(), 6);
    assert_eq!(bank.messages().unwrap()[0].to, "a@b.example");
    assert_eq!(bank.exports().unwrap()[0].destination, "https://files.example/in");
}

#[tokio::test]
async fn a_long_call_tells_its_progress_in_both_eras() {
    for era in [Era::Legacy, Era::Modern] {
        let server = bank(None).await;
        let client = connect(&server, None, era).await.unwrap();
        let found = value(&client, "reconcile", json!({ "account": "operations", "steps": 3 })).await;
        assert_eq!(found["balanced"], true);
        assert_eq!(*client.service().progress.lock().unwrap(), [1.0, 2.0, 3.0], "{era:?}");
    }
}

#[tokio::test]
async fn without_the_key_every_request_is_401() {
    let server = bank(Some("upstream-secret")).await;
    for era in [Era::Legacy, Era::Modern] {
        assert!(connect(&server, None, era).await.is_none(), "{era:?}");
        assert!(connect(&server, Some("wrong"), era).await.is_none(), "{era:?}");
        let client = connect(&server, Some("upstream-secret"), era).await.unwrap();
        assert_eq!(client.list_all_tools().await.unwrap().len(), 9);
    }
    let bare = reqwest::Client::new().get(server.url()).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert!(bare.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_poisoned_tool_changes_its_definition_and_is_announced() {
    let server = bank(None).await;
    let client = connect(&server, None, Era::Legacy).await.unwrap();
    let before = client.list_all_tools().await.unwrap();
    // The announcement travels on the GET stream, which the client opens beside its first calls.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.bank().poison_tool("transfer").unwrap();
    let after = client.list_all_tools().await.unwrap();
    let changed: Vec<_> =
        before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| a.name.as_ref()).collect();
    assert_eq!(changed, ["transfer"]);
    let started = Instant::now();
    while *client.service().changes.lock().unwrap() == 0 && started.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(*client.service().changes.lock().unwrap(), 1);
    server.bank().restore_tools();
    assert_eq!(client.list_all_tools().await.unwrap(), before);
    assert!(server.bank().poison_tool("rob").is_err());
}

#[tokio::test]
async fn a_listener_that_others_can_reach_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    assert!(serve(listener, Bank::open(None).unwrap(), None).await.is_err());
}

#[tokio::test]
async fn the_program_speaks_mcp_over_stdio() {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_provost-bank"))
        .arg("--stdio")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = program.stdin.take().unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap()).lines();
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } } });
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    stdin.write_all(format!("{hello}\n{ready}\n{list}\n").as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let line = stdout.next_line().await.unwrap().unwrap();
        answers.push(serde_json::from_str::<Value>(&line).unwrap());
    }
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answers[1]["result"]["tools"].as_array().unwrap().len(), 9);
    drop(stdin);
    assert!(program.wait().await.unwrap().success());
}
