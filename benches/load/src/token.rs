//! Tokens for tasks: `client_credentials` with `private_key_jwt`, each for a task of its own (a change that is durable before
//! the answer), or each for a task that runs already.

use crate::{
    LoadArgs,
    bench::{Watched, report},
    client,
    load::Work,
    machine, rows,
    server::{Server, data_folder},
    upstream,
};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use provost_domain::{Clock as _, Object, Proof, Timestamp};
use provost_store::{Store as _, SystemClock};
use provost_token::{OutwardClientAssertion, SigningKey};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// `provost-load token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Agents that ask
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Another token for a task that runs, not a task for each token
    #[arg(long)]
    same_task: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// # Errors
/// When an answer is no token, or the plane does not run.
pub(crate) async fn run(args: TokenArgs) -> anyhow::Result<()> {
    let server_args = &args.load.server;
    machine::stay_on(server_args.load_core)?;
    let folder = data_folder(server_args)?;
    let store = rows::open(folder.path())?;
    rows::commit(&store, rows::bank("http://127.0.0.1:9/mcp", upstream::pin()?)?).await?;
    let agents = args.agents.clamp(1, AGENTS_MAX);
    rows::commit(&store, (0..agents).map_while(|index| registered(index).ok())).await?;
    store.close().await;
    drop(store);
    let server = Server::start(server_args, folder.path(), Some(server_args.server_core)).await?;
    let work = Arc::new(Requests::new(server.addr, agents, args.same_task)?);
    if args.same_task {
        work.start_tasks().await?;
    }
    let cores = [server_args.server_core, server_args.load_core];
    let watched = Watched { server: server.id(), ours: vec![std::process::id()], cores };
    watched.round(server.addr, 16, WARM_UP, &work).await?;
    for lanes in &args.load.at_once {
        let mut rounds = Vec::new();
        for _round in 0..args.load.rounds() {
            rounds.push(watched.round(server.addr, *lanes, args.load.round(), &work).await?);
        }
        let what = if args.same_task { "for a task that runs" } else { "each for a task of its own" };
        report(&format!("tokens, {what}, c={lanes}"), &rounds);
    }
    server.stop()
}

/// An agent whose public key the plane has.
fn registered(index: usize) -> anyhow::Result<Object> {
    let Object::Agent(mut agent) = rows::agent(index, "500")? else { bail!("no agent") };
    let jwk = serde_json::to_value(key(index)?.verifying().jwk())?;
    let jwk = jwk.as_object().context("no JWK")?.clone();
    let thumbprint = key(index)?.verifying().kid().to_owned();
    agent.proofs = vec![Proof::Key { thumbprint, jwk, added: Timestamp::from_millis(0) }];
    Ok(Object::Agent(agent))
}

fn key(index: usize) -> anyhow::Result<SigningKey> {
    let mut seed = [7; 32];
    seed.iter_mut().zip(u64::try_from(index)?.to_le_bytes()).for_each(|(to, from)| *to = from);
    SigningKey::from_seed(&seed).map_err(|_refused| anyhow::anyhow!("no key"))
}

struct Requests {
    addr: SocketAddr,
    keys: Vec<SigningKey>,
    same_task: bool,
    tasks: Vec<std::sync::OnceLock<String>>,
    next: AtomicU64,
}

impl Requests {
    fn new(addr: SocketAddr, agents: usize, same_task: bool) -> anyhow::Result<Self> {
        let keys = (0..agents).map(key).collect::<anyhow::Result<_>>()?;
        let tasks = (0..agents).map(|_index| std::sync::OnceLock::new()).collect();
        Ok(Self { addr, keys, same_task, tasks, next: AtomicU64::new(0) })
    }

    async fn start_tasks(&self) -> anyhow::Result<()> {
        let mut connection = client::Connection::open(self.addr).await?;
        for index in 0..self.keys.len() {
            let mut request = Vec::new();
            self.write(index, &mut request);
            let answer = connection.ask(&request).await?;
            let granted: Granted = serde_json::from_slice(answer.body)?;
            if let Some(place) = self.tasks.get(index) {
                let _first = place.set(granted.task);
            }
        }
        Ok(())
    }

    fn write(&self, index: usize, into: &mut Vec<u8>) {
        let name = rows::agent_name(index);
        let now = SystemClock.now().as_seconds();
        let assertion = OutwardClientAssertion {
            iss: name.clone(),
            sub: name,
            aud: format!("http://{}", self.addr),
            iat: now,
            exp: now.saturating_add(60),
            jti: format!("load-{}", self.next.fetch_add(1, Ordering::Relaxed)),
        };
        let signed = self.keys.get(index).and_then(|key| assertion.issue(key).ok()).unwrap_or_default();
        let task = self.tasks.get(index).and_then(std::sync::OnceLock::get).filter(|_task| self.same_task);
        let task = task.map(|task| format!("&task={task}")).unwrap_or_default();
        let body = format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
             client-assertion-type%3Ajwt-bearer&client_assertion={signed}{task}"
        );
        client::post_form(into, self.addr, "/oauth/token", body.as_bytes());
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    task: String,
}

impl Work for Requests {
    fn request(&self, lane: usize, turn: u64, into: &mut Vec<u8>) {
        let turn = usize::try_from(turn).unwrap_or(0);
        let index = lane.wrapping_mul(31).wrapping_add(turn).checked_rem(self.keys.len()).unwrap_or(0);
        self.write(index, into);
    }

    fn check(&self, _lane: usize, _turn: u64, status: u16, body: &[u8]) -> anyhow::Result<()> {
        ensure!(status == 200, "{}", String::from_utf8_lossy(body));
        let granted: Granted = serde_json::from_slice(body)?;
        ensure!(granted.access_token.split('.').count() == 3, "no token");
        Ok(())
    }
}

const WARM_UP: Duration = Duration::from_secs(2);
const AGENTS_MAX: usize = 100_000;
