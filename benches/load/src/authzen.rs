//! AuthZEN evaluations of an application's questions, twenty policies in force.

use crate::{
    LoadArgs,
    bench::{Watched, report},
    client,
    load::Work,
    machine, rows,
    server::{Server, data_folder},
};
use anyhow::ensure;
use clap::Args;
use provost_store::Store as _;
use serde::Deserialize;
use serde_json::json;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// `provost-load authzen`.
#[derive(Debug, Args)]
pub(crate) struct AuthzenArgs {
    /// Only with each record durable before its answer
    #[arg(long, conflicts_with = "buffered")]
    durable: bool,
    /// Only with records in a bounded buffer
    #[arg(long)]
    buffered: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// # Errors
/// When an answer is not the one the policies give, or the plane does not run.
pub(crate) async fn run(args: AuthzenArgs) -> anyhow::Result<()> {
    machine::stay_on(args.load.server.load_core)?;
    for (buffered, wanted) in [(false, !args.buffered), (true, !args.durable)] {
        if wanted {
            measure(&args.load, buffered).await?;
        }
    }
    Ok(())
}

async fn measure(args: &LoadArgs, buffered: bool) -> anyhow::Result<()> {
    let folder = data_folder(&args.server)?;
    let store = rows::open(folder.path())?;
    rows::commit(&store, [rows::documents(buffered)?]).await?;
    store.close().await;
    drop(store);
    let server = Server::start(&args.server, folder.path(), Some(args.server.server_core)).await?;
    let work = Arc::new(Questions::new(server.addr, &server.token()?));
    let cores = [args.server.server_core, args.server.load_core];
    let watched = Watched { server: server.id(), ours: vec![std::process::id()], cores };
    watched.round(server.addr, 16, WARM_UP, &work).await?;
    for lanes in &args.at_once {
        let mut rounds = Vec::new();
        for _round in 0..args.rounds() {
            rounds.push(watched.round(server.addr, *lanes, args.round(), &work).await?);
        }
        let how = if buffered { "buffered" } else { "durable" };
        report(&format!("authzen, record {how}, c={lanes}"), &rounds);
    }
    server.stop()
}

/// Questions about documents, and what the policies say to each.
struct Questions(Vec<(Vec<u8>, bool)>);

impl Questions {
    fn new(addr: SocketAddr, token: &str) -> Self {
        let ask = |user: &str, action: &str, document: &str, status: Option<&str>| {
            let properties = status.map_or_else(|| json!({}), |status| json!({"status": status}));
            json!({
                "subject": {"type": "user", "id": user}, "action": {"name": action},
                "resource": {"type": "document", "id": document, "properties": properties},
            })
        };
        let questions = [
            (ask("jonas", "read", "budget-2027", None), true),
            (ask("helen", "read", "budget-2027", None), false),
            (ask("maria", "delete", "budget-2027", Some("draft")), true),
            (ask("maria", "write", "budget-2027", Some("archived")), false),
            (ask("maria", "read", "budget-2027", Some("archived")), true),
            (ask("ruben", "read", "handbook", None), false),
            (ask("jonas", "read", "handbook", Some("final")), true),
            (ask("jonas", "read", "handbook", Some("sealed-4")), false),
        ];
        let bearer = format!("authorization: Bearer {token}\r\n");
        let request = |body: &serde_json::Value| {
            let mut bytes = Vec::new();
            client::post(&mut bytes, addr, "/access/v1/evaluation", &bearer, body.to_string().as_bytes());
            bytes
        };
        Self(questions.iter().map(|(body, decision)| (request(body), *decision)).collect())
    }

    fn of(&self, turn: u64) -> Option<&(Vec<u8>, bool)> {
        self.0.get(usize::try_from(turn).ok()?.checked_rem(self.0.len())?)
    }
}

#[derive(Deserialize)]
struct Said {
    decision: bool,
}

impl Work for Questions {
    fn request(&self, lane: usize, turn: u64, into: &mut Vec<u8>) {
        if let Some((request, _)) = self.of(turn.saturating_add(u64::try_from(lane).unwrap_or(0))) {
            into.extend_from_slice(request);
        }
    }

    fn check(&self, lane: usize, turn: u64, status: u16, body: &[u8]) -> anyhow::Result<()> {
        ensure!(status == 200, "not an answer");
        let said: Said = serde_json::from_slice(body)?;
        let wanted = self.of(turn.saturating_add(u64::try_from(lane).unwrap_or(0)));
        ensure!(wanted.is_some_and(|(_, wanted)| *wanted == said.decision), "the wrong decision");
        Ok(())
    }
}

const WARM_UP: Duration = Duration::from_secs(2);
