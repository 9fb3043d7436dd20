//! A decision in process: 20 policies in force, and 100,000 (10,000 agents with charters of 10).
//!
//! `cargo bench -p provost-policy --bench decide`; the last line is the ratio (TARGETS.md: at most 1.5).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use criterion::{BenchmarkId, Criterion, Throughput};
use provost_domain::{Agent, Directory, System, Task, TaskState, TextMap, Timestamp, Tool};
use provost_policy::{Pdp, Question};
use serde_json::{Map, Value, json};
use std::{hint::black_box, sync::Arc, time::Instant};

#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let few = Fleet::new(2, support::unlike_agent);
    let alike = Fleet::new(10_000, support::fleet_agent);
    let unlike = Fleet::new(10_000, support::unlike_agent);
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(1));
    for (label, fleet) in
        [("20", &few), ("100000, of one template", &alike), ("100000, no two alike", &unlike)]
    {
        let mut turn = 0;
        group.bench_with_input(BenchmarkId::from_parameter(label), fleet, |bench, fleet| {
            bench.iter(|| {
                turn += 1;
                black_box(fleet.decide(turn))
            });
        });
    }
    group.finish();
    criterion.bench_function("change one agent and decide", |bench| {
        let mut turn = 0;
        bench.iter(|| {
            turn += 1;
            black_box(unlike.change_and_decide(turn))
        });
    });
    under_orders(&mut criterion, &unlike);
    by_orders(&unlike);
    side_by_side(&few, &alike, &unlike);
}

/// Orders about others, and one about everybody: what a look at them costs, and what the first refusals cost.
fn under_orders(criterion: &mut Criterion, fleet: &Fleet) {
    let about = |index: usize| serde_json::json!({"agent": format!("agent-{}", index + 1_000_000)});
    let many: Vec<_> = (0..10_000).map(|index| support::order(index, about(index))).collect();
    let others = fleet.under(many);
    let everybody = fleet.under(vec![support::order(0, serde_json::json!({}))]);
    criterion.bench_function("decide under 10,000 orders about others", |bench| {
        let mut turn = 0;
        bench.iter(|| {
            turn += 1;
            black_box(others.decide(turn))
        });
    });
    criterion.bench_function("refuse 10,000 agents under one order", |bench| {
        let mut turn = 0;
        bench.iter(|| {
            turn += 1;
            black_box(everybody.decide(turn))
        });
    });
    let start = Instant::now();
    let fresh = fleet.under(vec![support::order(1, serde_json::json!({}))]);
    let refused = (0..fleet.agents.len()).filter(|turn| !fresh.decide(*turn).is_allow()).count();
    println!("the first refusal of each of {refused} agents after one order: {:?}", start.elapsed());
}

/// What orders in force about others cost a decision, by how many there are and what they name: short rounds of each in turn.
fn by_orders(fleet: &Fleet) {
    let agent = |index: usize| serde_json::json!({"agent": format!("agent-{}", index + 1_000_000)});
    let pattern = |index: usize| serde_json::json!({"like": format!("other-{index}-*")});
    let named: fn(usize) -> Value = agent;
    let patterns: fn(usize) -> Value = pattern;
    let table = [
        ("none", 0, named),
        ("100 by name", 100, named),
        ("1,000 by name", 1_000, named),
        ("100 by pattern", 100, patterns),
        ("1,000 by pattern", 1_000, patterns),
    ];
    let fleets = table.map(|(label, count, scope)| {
        let orders = (0..count).map(|index| support::order(index, scope(index))).collect();
        (label, fleet.under(orders), Vec::new())
    });
    let mut fleets = fleets;
    for round in 0..100 {
        for (_label, fleet, rounds) in &mut fleets {
            let start = Instant::now();
            for turn in 0..100 {
                black_box(fleet.decide(round * 100 + turn));
            }
            rounds.push(start.elapsed().as_secs_f64() / 100.0 * 1e6);
        }
    }
    for (label, _fleet, mut rounds) in fleets {
        rounds.sort_by(f64::total_cmp);
        println!("a decision with orders in force, {label}: {:.1} µs", rounds[rounds.len() / 4]);
    }
}

/// Short rounds of each in turn, so that what the machine does meanwhile falls on all alike; the best quarter counts.
fn side_by_side(few: &Fleet, alike: &Fleet, unlike: &Fleet) {
    let mut rounds: [Vec<f64>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..400 {
        for (slot, fleet) in [few, alike, unlike].into_iter().enumerate() {
            let start = Instant::now();
            for turn in 0..250 {
                black_box(fleet.decide(round * 250 + turn));
            }
            rounds[slot].push(start.elapsed().as_secs_f64() / 250.0 * 1e6);
        }
    }
    let [few, alike, unlike] = rounds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 4]
    });
    println!(
        "20 policies {few:.1} µs; 100,000 policies: of one template {alike:.1} µs, ratio {:.2}; \
         no two charters alike {unlike:.1} µs, ratio {:.2}",
        alike / few,
        unlike / few
    );
}

struct Fleet {
    pdp: Pdp,
    agents: Vec<Arc<Agent>>,
    tasks: Vec<Task>,
    system: Arc<System>,
    tool: Arc<Tool>,
    args: Map<String, Value>,
}

impl Fleet {
    fn new(size: usize, agent: fn(usize) -> Agent) -> Self {
        let mut directory = Directory::default();
        support::put_bank(&mut directory);
        for index in 0..size {
            directory.put(provost_domain::Object::Agent(agent(index)));
        }
        let names: Vec<_> = (0..size).map(|index| agent(index).name).collect();
        let agents: Vec<_> = names.iter().map(|name| directory.agents[name].clone()).collect();
        let tasks = agents.iter().map(|agent| support::task(agent)).collect();
        let tool = directory.tools[&(support::name("bank"), "pay".parse().unwrap())].clone();
        let system = directory.systems[&support::name("bank")].clone();
        let args = json!({
            "account": "main", "payee": "acme", "amount": 12.5, "memo": "invoice 7", "urgent": false,
        });
        let args = args.as_object().unwrap().clone();
        let fleet = Self { pdp: Pdp::new(directory), agents, tasks, system, tool, args };
        for turn in 0..size {
            assert!(fleet.decide(turn).is_allow(), "the benchmark measures an allowed call");
        }
        fleet
    }

    /// The same fleet under these orders.
    fn under(&self, orders: Vec<provost_domain::Object>) -> Self {
        let mut directory = self.pdp.directory().clone();
        orders.into_iter().for_each(|order| directory.put(order));
        Self {
            pdp: self.pdp.with(directory),
            agents: self.agents.clone(),
            tasks: self.tasks.clone(),
            system: self.system.clone(),
            tool: self.tool.clone(),
            args: self.args.clone(),
        }
    }

    fn decide(&self, turn: usize) -> provost_domain::Verdict {
        // Stride through the fleet, so that neighbours in time are no neighbours in memory.
        let index = turn.wrapping_mul(7_919) % self.agents.len();
        self.ask(&self.pdp, &self.agents[index], &self.tasks[index])
    }

    fn change_and_decide(&self, turn: usize) -> provost_domain::Verdict {
        let index = turn.wrapping_mul(7_919) % self.agents.len();
        let mut agent = self.agents[index].as_ref().clone();
        agent.revision += 1;
        Arc::make_mut(&mut agent.charter.grants)[0].args = TextMap::default();
        let mut directory = self.pdp.directory().clone();
        directory.put(provost_domain::Object::Agent(agent.clone()));
        self.ask(&self.pdp.with(directory), &agent, &self.tasks[index])
    }

    fn ask(&self, pdp: &Pdp, agent: &Agent, task: &Task) -> provost_domain::Verdict {
        pdp.decide(&Question {
            agent,
            task,
            state: &TaskState::default(),
            system: &self.system,
            tool: &self.tool,
            pinned: true,
            args: &self.args,
            approvals: &[],
            exhausted: &[],
            args_from: &provost_domain::origin::NOTHING,
            chain: &[],
            now: Timestamp::from_millis(support::NOON),
        })
        .verdict
    }
}
