//! Start on a database of many agents: time to ready, memory.

use crate::{
    ServerArgs,
    bench::median,
    load::float,
    machine, rows,
    server::{Server, data_folder},
    upstream,
};
use anyhow::{Context as _, ensure};
use clap::Args;
use provost_store::Store as _;
use serde_json::Value;
use std::time::{Duration, Instant};

/// `provost-load start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Agents in the database
    #[arg(long, default_value_t = 1_000_000)]
    agents: usize,
    /// Starts; the median counts
    #[arg(long, default_value_t = 3)]
    starts: usize,
    #[command(flatten)]
    server: ServerArgs,
}

/// # Errors
/// When the plane does not start, or does not know the agents afterwards.
pub(crate) async fn run(args: StartArgs) -> anyhow::Result<()> {
    let agents = args.agents.min(AGENTS_MAX);
    let folder = data_folder(&args.server)?;
    let started = Instant::now();
    let store = rows::open(folder.path())?;
    rows::commit(&store, rows::bank("http://127.0.0.1:9/mcp", upstream::pin()?)?).await?;
    let all = (0..agents).map_while(|index| rows::agent(index, &amount_max(index)).ok());
    rows::commit(&store, all).await?;
    store.close().await;
    drop(store);
    println!("{agents} agents committed in {:.1} s", started.elapsed().as_secs_f64());

    // The first start brings the ledger up to date, which is not what is measured.
    let first = Server::start(&args.server, folder.path(), None).await?;
    println!("first start ready after {:.2} s", first.ready_after.as_secs_f64());
    sequenced(&first).await?;
    println!("every change in the ledger {:.1} s after the beginning", started.elapsed().as_secs_f64());
    first.stop()?;

    let (mut ready, mut resident) = (Vec::new(), Vec::new());
    for _start in 0..args.starts.clamp(1, STARTS_MAX) {
        let server = Server::start(&args.server, folder.path(), None).await?;
        let last = rows::agent_name(agents.saturating_sub(1));
        let shown = server.api(&format!("/api/v1/agents/{last}"), None).await?;
        ensure!(shown.get("name").and_then(Value::as_str) == Some(last.as_str()), "another agent: {shown}");
        tokio::time::sleep(IDLE).await;
        let (now, most) = machine::memory_of(server.id())?;
        println!(
            "ready after {:.2} s; idle, resident {:.1} MiB, at most {:.1} MiB",
            server.ready_after.as_secs_f64(),
            mebibytes(now),
            mebibytes(most)
        );
        ready.push(server.ready_after.as_secs_f64());
        resident.push(mebibytes(now));
        server.stop()?;
    }
    println!(
        "start with {agents} agents: ready after {:.2} s, resident {:.1} MiB",
        median(ready).context("no start")?,
        median(resident).context("no start")?
    );
    Ok(())
}

/// No two neighbours have the same charter.
fn amount_max(index: usize) -> String {
    format!("{}.{:02}", 500_usize.saturating_add(index / 100), index % 100)
}

async fn sequenced(server: &Server) -> anyhow::Result<()> {
    let asked = Instant::now();
    loop {
        let ledger = server.api("/api/v1/ledger", None).await?;
        if ledger.get("waiting").and_then(Value::as_u64) == Some(0) {
            return Ok(());
        }
        ensure!(asked.elapsed() < SEQUENCED_MAX, "the ledger does not catch up: {ledger}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn mebibytes(bytes: u64) -> f64 {
    float(usize::try_from(bytes).unwrap_or(usize::MAX)) / f64::from(1 << 20)
}

const AGENTS_MAX: usize = 10_000_000;
const STARTS_MAX: usize = 20;
const IDLE: Duration = Duration::from_secs(3);
const SEQUENCED_MAX: Duration = Duration::from_secs(1_800);
