//! One grant changed among many agents, until the next decision sees it: the commit with its sync, the replica that
//! catches up, and the first decision under the new charter.

use crate::{ServerArgs, rows, server::data_folder, upstream};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use provost_domain::{Agent, Clock, Kind, Object, ObjectKey, Task, TaskState, Timestamp};
use provost_policy::Question;
use provost_replica::Replica;
use provost_store::{Store, SystemClock, Write};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// `provost-load change`.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Agents in the store
    #[arg(long, default_value_t = 100_000)]
    agents: usize,
    /// Changes
    #[arg(long, default_value_t = 500)]
    changes: usize,
    #[command(flatten)]
    server: ServerArgs,
}

/// # Errors
/// When a decision does not follow the charter that was just committed.
pub(crate) async fn run(args: ChangeArgs) -> anyhow::Result<()> {
    let (agents, changes) = (args.agents.clamp(1, AGENTS_MAX), args.changes.clamp(1, CHANGES_MAX));
    let folder = data_folder(&args.server)?;
    let store: Arc<dyn Store> = Arc::new(rows::open(folder.path())?);
    rows::commit(store.as_ref(), rows::bank("http://127.0.0.1:9/mcp", upstream::pin()?)?).await?;
    rows::commit(store.as_ref(), (0..agents).map_while(|index| rows::agent(index, "500").ok())).await?;
    let replica = Replica::load(Arc::clone(&store), Arc::new(SystemClock)).await?;
    let mut times = Times::default();
    for turn in 0..changes {
        // Strides, so that neighbours in time are no neighbours in memory.
        let index = turn.saturating_mul(7_919).checked_rem(agents).unwrap_or(0);
        ensure!(allowed(&replica, index)?, "the payment was not allowed before the change");
        let Object::Agent(mut agent) = rows::agent(index, "5")? else { bail!("no agent") };
        agent.revision = 2;
        let (name, object) = (agent.name.clone(), Object::Agent(agent));
        let expected = store.version(&ObjectKey::new(Kind::Agent, name.as_str())).await?;

        let began = Instant::now();
        store.commit(rows::set(vec![Write::Put { object, expected }])).await?;
        let committed = Instant::now();
        replica.catch_up().await?;
        let caught_up = Instant::now();
        let still = allowed(&replica, index)?;
        let decided = Instant::now();
        ensure!(!still, "the payment was allowed after the change");
        times.commit.push(committed.duration_since(began));
        times.catch_up.push(caught_up.duration_since(committed));
        times.decide.push(decided.duration_since(caught_up));
        times.seen.push(decided.duration_since(committed));

        let expected = expected.saturating_add(1);
        let back = Write::Put { object: rows::agent(index, "500")?, expected };
        store.commit(rows::set(vec![back])).await?;
        replica.catch_up().await?;
    }
    store.close().await;
    times.tell(agents);
    Ok(())
}

/// Whether the newest view lets this agent pay 12.50.
fn allowed(replica: &Replica, index: usize) -> anyhow::Result<bool> {
    let view = replica.latest();
    let directory = &view.directory;
    let agent: &Agent = directory.agents.get(rows::agent_name(index).as_str()).context("no agent")?;
    let system = directory.systems.get(rows::SYSTEM).context("no system")?;
    let tool = directory.tools.get(&(system.name.clone(), rows::TOOL.parse()?)).context("no tool")?;
    let now = SystemClock.now();
    let args = rows::payment(12.5);
    let evaluation = view.pdp.decide(&Question {
        agent,
        task: &task(agent, now)?,
        state: &TaskState::default(),
        system,
        tool,
        pinned: true,
        args: args.as_object().context("no arguments")?,
        approvals: &[],
        exhausted: &[],
        args_from: &provost_domain::origin::NOTHING,
        chain: &[],
        now,
    });
    Ok(evaluation.verdict.is_allow())
}

fn task(agent: &Agent, now: Timestamp) -> anyhow::Result<Task> {
    Ok(serde_json::from_value(json!({
        "id": provost_domain::TaskId::new(now, [1; 10]), "agent": agent.name, "purpose": "to be measured",
        "requester": agent.charter.owner, "started": now, "expires": now.as_millis().saturating_add(3_600_000),
        "status": "running",
    }))?)
}

#[derive(Default)]
struct Times {
    commit: Vec<Duration>,
    catch_up: Vec<Duration>,
    decide: Vec<Duration>,
    seen: Vec<Duration>,
}

impl Times {
    fn tell(self, agents: usize) {
        println!("one grant changed among {agents} agents, {} times", self.commit.len());
        for (what, mut times) in [
            ("commit, with its sync", self.commit),
            ("replica catches up", self.catch_up),
            ("first decision after", self.decide),
            ("committed to seen (the two above)", self.seen),
        ] {
            times.sort_unstable();
            let at = |per_cent: usize| {
                let at = times.len().saturating_sub(1).saturating_mul(per_cent) / 100;
                times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
            };
            println!("{what:<34} p50 {:>7.0} µs  p99 {:>7.0} µs", at(50), at(99));
        }
    }
}

const AGENTS_MAX: usize = 10_000_000;
const CHANGES_MAX: usize = 100_000;
