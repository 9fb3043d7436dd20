//! MCP tool calls through the gateway, in turn with the same calls made directly: token verified, arguments decided by
//! the agent's charter and the guardrails, the decision durable before the call, the outcome recorded.

use crate::{
    LoadArgs,
    bench::{Watched, median, report},
    client,
    client::Connection,
    load::Work,
    machine, rows,
    server::{Process, Server, data_folder, free_address},
    upstream,
};
use anyhow::{Context as _, ensure};
use clap::Args;
use provost_domain::Object;
use provost_store::Store as _;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

/// `provost-load mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    #[command(flatten)]
    load: LoadArgs,
}

/// # Errors
/// When a call is not answered as it should be, or the plane does not run.
pub(crate) async fn run(args: McpArgs) -> anyhow::Result<()> {
    let args = args.load;
    machine::stay_on(args.server.load_core)?;
    let folder = data_folder(&args.server)?;
    let (behind, bank) = start_upstream(&args).await?;
    let store = rows::open(folder.path())?;
    let agents =
        (0..TASKS).map(|index| rows::agent(index, "500")).collect::<anyhow::Result<Vec<Object>>>()?;
    rows::commit(&store, rows::bank(&format!("http://{bank}/mcp"), upstream::pin()?)?).await?;
    rows::commit(&store, agents).await?;
    store.close().await;
    drop(store);
    let server = Server::start(&args.server, folder.path(), Some(args.server.server_core)).await?;

    let through =
        Calls { addr: server.addr, path: format!("/mcp/{}", rows::SYSTEM), tokens: tokens(&server).await? };
    refuses_too_much(&through).await?;
    let direct = Arc::new(Calls { addr: bank, path: "/mcp".to_owned(), tokens: Vec::new() });
    let through = Arc::new(through);
    let cores = [args.server.server_core, args.server.load_core];
    let watched = Watched { server: server.id(), ours: vec![std::process::id(), behind.id()], cores };
    watched.round(server.addr, 16, WARM_UP, &through).await?;
    for lanes in &args.at_once {
        let (mut plain, mut governed) = (Vec::new(), Vec::new());
        for _round in 0..args.rounds() {
            plain.push(watched.round(bank, *lanes, args.round() / 3, &direct).await?);
            governed.push(watched.round(server.addr, *lanes, args.round(), &through).await?);
        }
        report(&format!("mcp, direct, c={lanes}"), &plain);
        report(&format!("mcp, through the gateway, c={lanes}"), &governed);
        let added = plain.iter().zip(&governed).map(|(plain, governed)| governed.p50 - plain.p50).collect();
        println!("{:<34} p50 + {:.0} µs", "  added", median(added).unwrap_or(f64::NAN));
    }
    server.stop()
}

async fn start_upstream(args: &LoadArgs) -> anyhow::Result<(Process, SocketAddr)> {
    let addr = free_address()?;
    let mut command = machine::on_core(args.server.load_core, &std::env::current_exe()?);
    command.args(["upstream", "--listen", &addr.to_string()]).stdin(Stdio::null());
    let process = Process::spawn(command)?;
    let started = Instant::now();
    while Connection::open(addr).await.is_err() {
        ensure!(started.elapsed() < UPSTREAM_MAX, "the MCP server behind the gateway did not start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((process, addr))
}

/// One task of each agent, and a token for it.
async fn tokens(server: &Server) -> anyhow::Result<Vec<String>> {
    let mut tokens = Vec::new();
    for index in 0..TASKS {
        let wanted = json!({"agent": rows::agent_name(index), "purpose": "to be measured"});
        let started = server.api("/api/v1/tasks", Some(&wanted)).await?;
        tokens
            .push(started.get("token").and_then(Value::as_str).context("a task without a token")?.to_owned());
    }
    Ok(tokens)
}

/// That the rule on the argument is in force at all.
async fn refuses_too_much(calls: &Calls) -> anyhow::Result<()> {
    let mut request = Vec::new();
    calls.call(0, 0, 500.01, &mut request);
    let mut connection = Connection::open(calls.addr).await?;
    let answer = connection.ask(&request).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(
        answer.status == 200 || answer.status == 403,
        "a payment above the limit was answered {} {text}",
        answer.status
    );
    ensure!(!text.contains(upstream::PAID), "a payment above the limit was made: {text}");
    ensure!(
        text.contains("charter"),
        "a payment above the limit was refused, but not by the charter: {text}"
    );
    Ok(())
}

struct Calls {
    addr: SocketAddr,
    path: String,
    tokens: Vec<String>,
}

impl Calls {
    fn call(&self, lane: usize, id: u64, amount: f64, into: &mut Vec<u8>) {
        let token = lane.checked_rem(self.tokens.len()).and_then(|at| self.tokens.get(at));
        let bearer = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let headers = format!(
            "{bearer}accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
             mcp-method: tools/call\r\nmcp-name: {}\r\n",
            rows::TOOL
        );
        let body = json!({
            "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {
                "name": rows::TOOL, "arguments": rows::payment(amount),
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        });
        client::post(into, self.addr, &self.path, &headers, body.to_string().as_bytes());
    }
}

#[derive(Deserialize)]
struct Answered<'a> {
    id: u64,
    #[serde(borrow)]
    result: Called<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called<'a> {
    #[serde(borrow)]
    content: Vec<Content<'a>>,
    #[serde(default)]
    is_error: bool,
}

#[derive(Deserialize)]
struct Content<'a> {
    text: &'a str,
}

impl Work for Calls {
    fn request(&self, lane: usize, turn: u64, into: &mut Vec<u8>) {
        self.call(lane, turn, 12.5, into);
    }

    fn check(&self, _lane: usize, turn: u64, status: u16, body: &[u8]) -> anyhow::Result<()> {
        ensure!(status == 200, "not an answer");
        let answered: Answered<'_> = serde_json::from_slice(body)?;
        ensure!(answered.id == turn, "the answer to another request");
        let paid = answered.result.content.iter().any(|content| content.text == upstream::PAID);
        ensure!(paid && !answered.result.is_error, "not the answer of the system");
        Ok(())
    }
}

/// Tasks that the load is spread over: one task may have a bounded number of calls under way.
const TASKS: usize = 8;
const WARM_UP: Duration = Duration::from_secs(2);
const UPSTREAM_MAX: Duration = Duration::from_secs(10);
