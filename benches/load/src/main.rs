//! Load over loopback, and what it costs: every command starts the plane it measures, checks every answer, ends by
//! itself and cleans up. The results are in `docs/performance.md`.
//!
//! | file | what it does |
//! |---|---|
//! | `authzen`, `mcp`, `token`, `start`, `change`, `contain` | one measurement each |
//! | `bench` | rounds, their medians, and which of them the machine spoilt |
//! | `load` | lanes that ask, wait for the answer, check it, and ask again |
//! | `client` | one kept-alive HTTP/1.1 connection |
//! | `server` | the plane as a child process on a core of its own |
//! | `machine` | CPU time and memory of processes, and what the rest of the machine took |
//! | `rows` | the organisations that are asked about |
//! | `upstream` | a minimal MCP server that answers at once |

mod authzen;
mod bench;
mod change;
mod client;
mod contain;
mod load;
mod machine;
mod mcp;
mod rows;
mod server;
mod start;
mod token;
mod upstream;
mod wire;

use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Measures a plane from outside.
#[derive(Debug, Parser)]
#[command(name = "provost-load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// AuthZEN evaluations of an application's questions, twenty policies in force
    Authzen(authzen::AuthzenArgs),
    /// MCP tool calls through the gateway, in turn with the same calls made directly
    Mcp(mcp::McpArgs),
    /// Start on a database of many agents: time to ready, memory
    Start(start::StartArgs),
    /// One grant changed among many agents, until the next decision sees it
    Change(change::ChangeArgs),
    /// Containment orders: until the last call in flight has ended, and until nothing is let through on any node
    Contain(contain::ContainArgs),
    /// Tokens for tasks, by agents that sign
    Token(token::TokenArgs),
    /// The MCP server behind `mcp`; that command starts it
    #[command(hide = true)]
    Upstream(upstream::UpstreamArgs),
}

/// How load is put on a server.
#[derive(Debug, Clone, Args)]
struct LoadArgs {
    /// Requests under way at once, one measurement for each
    #[arg(short = 'c', long = "at-once", value_delimiter = ',', default_value = "1,16,64")]
    at_once: Vec<usize>,
    /// Length of one round
    #[arg(long, default_value_t = 3, value_name = "SECONDS")]
    seconds: u64,
    /// Rounds of each measurement; medians count
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[command(flatten)]
    server: ServerArgs,
}

/// How the server is run.
#[derive(Debug, Clone, Args)]
struct ServerArgs {
    /// The program to measure [default: `provost` beside this program]
    #[arg(long, value_name = "FILE")]
    provost: Option<PathBuf>,
    /// A folder to make the plane's data folder in; on the disk that is to be measured [default: the temporary folder]
    #[arg(long, value_name = "DIR")]
    within: Option<PathBuf>,
    /// The core of the server
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of this program and of the MCP server behind the gateway
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

impl LoadArgs {
    fn round(&self) -> Duration {
        Duration::from_secs(self.seconds.clamp(1, ROUND_SECONDS_MAX))
    }

    fn rounds(&self) -> usize {
        self.rounds.clamp(1, ROUNDS_MAX)
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // One thread: load that runs on one core must not wait for itself.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.command {
        Command::Authzen(args) => runtime.block_on(authzen::run(args)),
        Command::Mcp(args) => runtime.block_on(mcp::run(args)),
        Command::Start(args) => runtime.block_on(start::run(args)),
        Command::Change(args) => runtime.block_on(change::run(args)),
        Command::Contain(args) => runtime.block_on(contain::run(args)),
        Command::Token(args) => runtime.block_on(token::run(args)),
        Command::Upstream(args) => runtime.block_on(upstream::run(args)),
    }
}

const ROUND_SECONDS_MAX: u64 = 60;
const ROUNDS_MAX: usize = 100;
