//! `provost-bank`: the example bank as a program, over HTTP or over stdio.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use provost_bank::{Bank, serve, serve_stdio};
use tokio::net::TcpListener;

/// A small bank as an MCP server, for demonstrations and tests. No real money.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where the books are kept; in memory if not given
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Speak MCP over stdin and stdout instead of HTTP
    #[arg(long, conflicts_with_all = ["port", "require_key"])]
    stdio: bool,
    /// Port on 127.0.0.1; 0 takes a free one and prints it
    #[arg(long, default_value_t = 7080)]
    port: u16,
    /// Refuse HTTP requests without `Authorization: Bearer KEY`
    #[arg(long, value_name = "KEY", env = "PROVOST_BANK_KEY", hide_env_values = true)]
    require_key: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let bank = Bank::open(args.db.as_deref()).context("the bank cannot open")?;
    if args.stdio {
        return serve_stdio(bank).await.context("the stdio connection broke");
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let server = serve(listener, bank, args.require_key).await?;
    #[expect(clippy::print_stdout, reason = "the address is what the program has to say")]
    {
        println!("{}", server.url());
    }
    tokio::signal::ctrl_c().await.context("cannot wait for the signal to stop")?;
    server.shutdown().await;
    Ok(())
}
