//! Containment, from outside: how long after an order the last call in flight has ended and the first new one is refused; and,
//! over several nodes and many agents, until when a call is still let through.

use crate::{
    ServerArgs,
    client::{self, Connection},
    load::float,
    machine, rows,
    server::{Process, Server, data_folder, free_address},
    upstream,
    wire::Wire,
};
use anyhow::{Context as _, ensure};
use clap::Args;
use provost_domain::{Clock as _, NodeId, Object, TaskId, Timestamp, limits::Limits};
use provost_store::{Store, SystemClock};
use provost_store_postgres::PostgresStore;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// `provost-load contain`.
#[derive(Debug, Args)]
pub(crate) struct ContainArgs {
    /// Orders, one after the other, each lifted again
    #[arg(long, default_value_t = 100)]
    orders: usize,
    /// Calls in flight at each order
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// Instead: one order about so many agents, on the nodes of an empty database
    #[arg(long, requires = "store")]
    agents: Option<usize>,
    /// That database: `postgres://…`
    #[arg(long)]
    store: Option<String>,
    /// Its nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// The last of them is cut off from the database at the moment the order is asked for
    #[arg(long, requires = "store")]
    cut_off: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// # Errors
/// When a call goes on that must not, or the plane does not run.
pub(crate) async fn run(args: ContainArgs) -> anyhow::Result<()> {
    match (&args.store, args.agents) {
        (Some(store), Some(agents)) => many(&args, store, agents.clamp(1, AGENTS_MAX)).await,
        _ => one_node(&args).await,
    }
}

/// Calls that hang at the system, and an order that withholds what they do: it is lifted by one person, so it can be given again.
async fn one_node(args: &ContainArgs) -> anyhow::Result<()> {
    let folder = data_folder(&args.server)?;
    let (_behind, bank) = start_upstream(args).await?;
    let agents = args.in_flight.div_ceil(CALLS_PER_AGENT).max(1);
    let store = rows::open(folder.path())?;
    rows::commit(&store, rows::bank(&format!("http://{bank}/mcp"), upstream::pin()?)?).await?;
    rows::commit(&store, (0..agents).map_while(|index| rows::agent(index, "500").ok())).await?;
    store.close().await;
    drop(store);
    let server = Server::start(&args.server, folder.path(), None).await?;
    let mut tokens = Vec::new();
    for index in 0..agents {
        let wanted = json!({"agent": rows::agent_name(index), "purpose": "to be measured"});
        let started = server.api("/api/v1/tasks", Some(&wanted)).await?;
        tokens.push(started.get("token").and_then(Value::as_str).context("no token")?.to_owned());
    }
    let order = json!({"owner": "maria", "effects": ["financial"], "reason": "to be measured"});
    let (mut acknowledged, mut ended, mut after, mut refused) = (vec![], vec![], vec![], vec![]);
    for _round in 0..args.orders.clamp(1, ORDERS_MAX) {
        let mut calls = JoinSet::new();
        for lane in 0..args.in_flight {
            let token = tokens.get(lane / CALLS_PER_AGENT).context("no token")?.clone();
            calls.spawn(call(server.addr, token, lane, HANGS));
        }
        under_way(&server, &order, args.in_flight).await?;
        let asked = Instant::now();
        let given = server.api("/api/v1/containments", Some(&order)).await?;
        let told = Instant::now();
        // What the system answers at once: it is not answered by it.
        let _refused = call(server.addr, tokens.first().context("no token")?.clone(), 99, "12.5").await?;
        let refusal = Instant::now();
        let mut last = asked;
        while let Some(call) = calls.join_next().await {
            let (_status, at) = call??;
            last = last.max(at);
        }
        acknowledged.push(told - asked);
        refused.push(refusal - told);
        ended.push(last.saturating_duration_since(asked));
        after.push(last.saturating_duration_since(told));
        let id = given.get("id").and_then(Value::as_str).context("an order without an id")?;
        let lift = json!({"reason": "measured"});
        server.api(&format!("/api/v1/containments/{id}/lift"), Some(&lift)).await?;
    }
    println!("{} orders, {} calls in flight at each", acknowledged.len(), args.in_flight);
    tell("order asked to acknowledged", acknowledged);
    tell("acknowledged to first refusal (a whole call)", refused);
    tell("order asked to last call in flight ended", ended);
    tell("acknowledged to last call in flight ended", after);
    server.stop()
}

/// One order about every agent of maria's, while each node is asked about agents at random.
async fn many(args: &ContainArgs, url: &str, agents: usize) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let node = NodeId::new(now, [7; 10]);
    let store = PostgresStore::connect(url, &Limits::default(), node).await?;
    rows::commit(&store, rows::bank("http://127.0.0.1:9/mcp", upstream::pin()?)?).await?;
    let rows_of = |index| Ok::<_, anyhow::Error>([rows::agent(index, "500")?, task(index, now)?]);
    rows::commit(&store, (0..agents).map_while(|index| rows_of(index).ok()).flatten()).await?;
    store.close().await;
    let mut folders = Vec::new();
    let mut nodes = Vec::new();
    let wire = Wire::to(url).await?;
    let wired = wire.url(url);
    let count = args.nodes.clamp(1, NODES_MAX);
    for number in 1..=count {
        let folder = data_folder(&args.server)?;
        let store = if args.cut_off && number == count { wired.as_str() } else { url };
        nodes.push(Arc::new(Server::start_on(&args.server, folder.path(), store).await?));
        folders.push(folder);
    }
    for node in &nodes {
        ensure!(
            allowed(node.addr, &node.token()?, 0, now).await?,
            "nothing was let through before the order"
        );
    }
    let began = Instant::now();
    let mut asking: JoinSet<anyhow::Result<(usize, Seen)>> = JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for lane in 0..LANES {
            let (addr, token) = (node.addr, node.token()?);
            asking
                .spawn(async move { Ok((number, ask_on(addr, &token, (lane, agents), began, now).await?)) });
        }
    }
    tokio::time::sleep(BEFORE).await;
    let first = nodes.first().context("no node")?;
    let order = json!({"owner": "maria", "reason": "to be measured"});
    let asked = began.elapsed();
    if args.cut_off {
        wire.cut();
    }
    let given = first.api("/api/v1/containments", Some(&order)).await?;
    let told = began.elapsed();
    println!(
        "one order about {agents} agents on {} nodes: acknowledged after {:.1} ms; it hits {}",
        nodes.len(),
        (told - asked).as_secs_f64() * 1e3,
        given.pointer("/hits/agents").unwrap_or(&Value::Null)
    );
    let mut last = vec![Duration::ZERO; nodes.len()];
    let mut answers = 0_usize;
    while let Some(lane) = asking.join_next().await {
        let (number, seen): (usize, Seen) = lane??;
        answers = answers.saturating_add(seen.answers);
        if let Some(place) = last.get_mut(number) {
            *place = (*place).max(seen.last_allowed);
        }
    }
    for (number, last) in last.iter().enumerate() {
        let after = last.as_secs_f64() - told.as_secs_f64();
        let cut = if args.cut_off && number.saturating_add(1) == count { ", cut off" } else { "" };
        println!(
            "node {number}{cut}: the last call that was let through was answered {:+.1} ms after that",
            after * 1e3
        );
    }
    println!("{answers} answers in all; now each agent once on each node");
    let swept = Instant::now();
    for node in &nodes {
        let token = node.token()?;
        for index in 0..agents.min(SWEPT_MAX) {
            ensure!(!allowed(node.addr, &token, index, now).await?, "agent {index} was let through");
        }
    }
    println!(
        "{} asked again: all refused ({:.0}/s)",
        agents.min(SWEPT_MAX).saturating_mul(nodes.len()),
        float(agents.min(SWEPT_MAX).saturating_mul(nodes.len())) / swept.elapsed().as_secs_f64()
    );
    drop(nodes);
    Ok(())
}

struct Seen {
    answers: usize,
    /// Since the beginning, when the last answer came that let something through.
    last_allowed: Duration,
}

/// Asks about agents in strides until nothing was let through for a while.
async fn ask_on(
    addr: SocketAddr,
    token: &str,
    (lane, agents): (usize, usize),
    began: Instant,
    now: Timestamp,
) -> anyhow::Result<Seen> {
    let mut seen = Seen { answers: 0, last_allowed: Duration::ZERO };
    let mut connection = Connection::open(addr).await?;
    for turn in 0..TURNS_MAX {
        if began.elapsed() > ASKED_FOR {
            break;
        }
        let index = turn.saturating_mul(7_919).saturating_add(lane).checked_rem(agents).unwrap_or(0);
        match asked(&mut connection, addr, token, index, now).await {
            Ok(true) => seen.last_allowed = began.elapsed(),
            Ok(false) => {}
            // A node that is cut off owes a record to its store, and says nothing until it knows.
            Err(_silent) => connection = Connection::open(addr).await?,
        }
        seen.answers = seen.answers.saturating_add(1);
    }
    Ok(seen)
}

async fn allowed(addr: SocketAddr, token: &str, index: usize, now: Timestamp) -> anyhow::Result<bool> {
    let mut connection = Connection::open(addr).await?;
    asked(&mut connection, addr, token, index, now).await
}

/// Whether the decision point of a node would let this agent pay.
async fn asked(
    connection: &mut Connection,
    addr: SocketAddr,
    token: &str,
    index: usize,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let body = json!({
        "subject": {"type": "agent", "id": rows::agent_name(index)},
        "action": {"name": rows::TOOL, "properties": {"arguments": rows::payment(12.5)}},
        "resource": {"type": "system", "id": rows::SYSTEM},
        "context": {"task": task_id(index, now)},
    });
    let bearer = format!("authorization: Bearer {token}\r\n");
    let mut request = Vec::new();
    client::post(&mut request, addr, "/access/v1/evaluation", &bearer, body.to_string().as_bytes());
    let answer = connection.ask(&request).await?;
    if answer.status != 200 {
        // An order at `off` ends the task as well; a node that cannot decide says so.
        return Ok(false);
    }
    let said: Value = serde_json::from_slice(answer.body)?;
    Ok(said.get("decision").and_then(Value::as_bool) == Some(true))
}

/// One call through the gateway: the status it was answered with, and when.
async fn call(addr: SocketAddr, token: String, id: usize, amount: &str) -> anyhow::Result<(u16, Instant)> {
    let headers = format!(
        "authorization: Bearer {token}\r\naccept: application/json, text/event-stream\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {}\r\n",
        rows::TOOL
    );
    let body = json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {
            "name": rows::TOOL, "arguments": rows::payment(amount.parse()?),
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let mut request = Vec::new();
    let path = format!("/mcp/{}", rows::SYSTEM);
    client::post(&mut request, addr, &path, &headers, body.to_string().as_bytes());
    let mut connection = Connection::open(addr).await?;
    let answer = connection.ask(&request).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(!text.contains(upstream::PAID), "the call went through: {text}");
    Ok((answer.status, Instant::now()))
}

/// Waits until as many calls are on record as under way.
async fn under_way(server: &Server, order: &Value, wanted: usize) -> anyhow::Result<()> {
    for _look in 0..LOOKS_MAX {
        let hits = server.api("/api/v1/containments/dry-run", Some(order)).await?;
        if hits.get("calls").and_then(Value::as_u64) == u64::try_from(wanted).ok() {
            // On record before it is sent: a moment more, and the system has it.
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the calls did not get under way")
}

async fn start_upstream(args: &ContainArgs) -> anyhow::Result<(Process, SocketAddr)> {
    let addr = free_address()?;
    let mut command = machine::on_core(args.server.load_core, &std::env::current_exe()?);
    command.args(["upstream", "--listen", &addr.to_string(), "--hang-over", HANGS_OVER]).stdin(Stdio::null());
    let process = Process::spawn(command)?;
    let started = Instant::now();
    while Connection::open(addr).await.is_err() {
        ensure!(started.elapsed() < UPSTREAM_MAX, "the MCP server behind the gateway did not start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((process, addr))
}

fn task_id(index: usize, now: Timestamp) -> TaskId {
    let mut tail = [0_u8; 10];
    let number = u64::try_from(index).unwrap_or(0).to_be_bytes();
    tail.iter_mut().zip(number).for_each(|(place, byte)| *place = byte);
    TaskId::new(now, tail)
}

fn task(index: usize, now: Timestamp) -> anyhow::Result<Object> {
    Ok(serde_json::from_value(json!({"kind": "task", "body": {
        "id": task_id(index, now), "agent": rows::agent_name(index), "purpose": "to be measured",
        "requester": "maria", "started": now, "expires": now.as_millis().saturating_add(3_600_000),
        "status": "running",
    }}))?)
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |per_cent: usize| {
        let at = times.len().saturating_sub(1).saturating_mul(per_cent) / 100;
        times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    println!("{what:<46} p50 {:>7.1} ms  p99 {:>7.1} ms  max {:>7.1} ms", at(50), at(99), at(100));
}

/// Payments above this hang at the system.
const HANGS_OVER: &str = "100";
const HANGS: &str = "250";
const CALLS_PER_AGENT: usize = 4;
/// Agents that each node is asked about once more at the end.
const SWEPT_MAX: usize = 10_000;
const LANES: usize = 4;
const BEFORE: Duration = Duration::from_secs(3);
/// How long nodes are asked in all; the order is given after the first three seconds.
const ASKED_FOR: Duration = Duration::from_secs(12);
const LOOKS_MAX: usize = 500;
const TURNS_MAX: usize = 100_000_000;
const ORDERS_MAX: usize = 10_000;
const AGENTS_MAX: usize = 100_000;
const NODES_MAX: usize = 9;
const UPSTREAM_MAX: Duration = Duration::from_secs(10);
