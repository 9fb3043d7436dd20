//! Nothing runs twice, nothing runs without its grant, and no grant is for something else: any order of what people, agents,
//! nodes, time and crashes do, over a real store.
//!
//! Two nodes have a replica each, that follows only when the case says so: a node that lags decides on what it knows, as within
//! its lease. A run is a permit: nothing but a permit can act, and acting spends it (`store/tests/compile_fail`). The oracle is
//! as plain as it can be: it looks up what was true at the position the node decided on, in the history that the store keeps.

use crate::{
    faults::{Faults, FaultyStore},
    plane::{charter, fixed, person},
    support::Database,
};
use proptest::prelude::*;
use provost_broker::{Broker, BrokerParts};
use provost_connect::{Config, SealingKey, Upstreams};
use provost_domain::{
    Action, AgentStatus, Approval, Clock, Digest, DurationMs, Envelope, Name, NodeId, Object, ObjectKey, Seq,
    System, Task, TaskId, Timestamp, Tool, ToolName,
    approval::{ApprovalStatus, EnvelopeStatus, approval_id},
    charter::{ArgRule, BudgetSum},
    limits::Limits,
    organisation::{ApprovalRules, Group, Organisation},
    policy_file::PolicyFile,
    task::TaskStatus,
};
use provost_gateway::{Attempt, Caller, Identifier, Parts, Pipeline, Uses};
use provost_lifecycle::approval::{self as life, Ballot, Wanted};
use provost_replica::{Replica, View};
use provost_store::{Attribution, ChangeSet, CommitError, Permit, Store, Write};
use provost_store_postgres::PostgresStore;
use provost_store_sqlite::SqliteStore;
use provost_token::{SigningKey, Verifier};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Op {
    /// The agent pays, through a node.
    Call { node: usize, amount: u32 },
    /// The same, and the node goes down once its decision is on record: what it was about to mark stays unmarked.
    CallThenCrash { node: usize, amount: u32 },
    /// A person says yes or no.
    Vote { who: usize, amount: u32, yes: bool },
    /// A person says yes to another amount instead.
    Edit { who: usize, from: u32, to: u32 },
    /// Somebody takes it back.
    Withdraw { amount: u32 },
    /// A person allows several at once.
    Allow { who: usize, amount: u32, most: u32, count: u32, sum: u32 },
    /// The newest envelope is taken back.
    Revoke,
    /// Time passes.
    Tick { minutes: u32 },
    /// What housekeeping would write is written.
    KeepHouse,
    /// A node hears of everything.
    CatchUp { node: usize },
    /// The task ends.
    EndTask,
    /// The agent is suspended, or takes up work again.
    Suspend { yes: bool },
    /// A policy is changed that says nothing of this.
    ChangePolicy,
    /// The tool is reviewed anew.
    PinAnew,
    /// The charter is written anew.
    NewCharter,
    /// A person leaves or returns.
    Leave { who: usize, gone: bool },
    /// All of these at once.
    AtOnce(Vec<Op>),
}

const PEOPLE: [&str; 3] = ["maria", "ben", "kim"];
const AMOUNTS: [u32; 3] = [10, 20, 30];
const MINUTE: u64 = 60_000;
const START: i64 = 1_700_000_000_000;

fn amount() -> impl Strategy<Value = u32> {
    prop::sample::select(AMOUNTS.to_vec())
}

fn simple() -> impl Strategy<Value = Op> {
    let who = || 0..PEOPLE.len();
    prop_oneof![
        8 => (0..2_usize, amount()).prop_map(|(node, amount)| Op::Call { node, amount }),
        2 => (0..2_usize, amount()).prop_map(|(node, amount)| Op::CallThenCrash { node, amount }),
        10 => (who(), amount(), prop::bool::weighted(0.9)).prop_map(|(who, amount, yes)| Op::Vote { who, amount, yes }),
        1 => (who(), amount(), amount()).prop_map(|(who, from, to)| Op::Edit { who, from, to }),
        1 => amount().prop_map(|amount| Op::Withdraw { amount }),
        2 => (who(), amount(), amount(), 1..4_u32, 10..70_u32)
            .prop_map(|(who, amount, most, count, sum)| Op::Allow { who, amount, most, count, sum }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..PEOPLE.len();
    prop_oneof![
        12 => simple(),
        4 => prop::collection::vec(simple(), 2..6).prop_map(Op::AtOnce),
        6 => (0..2_usize).prop_map(|node| Op::CatchUp { node }),
        2 => prop::sample::select(vec![1_u32, 5, 16, 61]).prop_map(|minutes| Op::Tick { minutes }),
        1 => Just(Op::KeepHouse),
        1 => Just(Op::Revoke),
        1 => prop::bool::ANY.prop_map(|yes| Op::Suspend { yes }),
        1 => Just(Op::ChangePolicy),
        1 => Just(Op::PinAnew),
        1 => Just(Op::NewCharter),
        1 => (who(), prop::bool::ANY).prop_map(|(who, gone)| Op::Leave { who, gone }),
        1 => Just(Op::EndTask),
    ]
}

#[derive(Default)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Node {
    replica: Arc<Replica>,
    pipeline: Arc<Pipeline>,
}

/// One use of a grant: the decision that allowed it.
struct Run {
    grant: Option<String>,
    action: Digest,
    amount: u32,
    view: Seq,
    at: Timestamp,
}

struct World {
    store: Arc<dyn Store>,
    faults: Arc<Faults>,
    clock: Arc<HandClock>,
    nodes: Vec<Node>,
    /// What people see: always the newest.
    desk: Arc<Replica>,
    task: TaskId,
    envelopes: AtomicUsize,
    runs: Mutex<Vec<Run>>,
}

impl World {
    async fn new(store: Arc<dyn Store>, two: bool) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(START)));
        let faults = Arc::new(Faults::default());
        let store: Arc<dyn Store> = Arc::new(FaultyStore::new(store, Arc::clone(&faults)));
        let task = TaskId::new(clock.now(), [3; 10]);
        let objects = first_rows(task, clock.now(), two);
        let writes = objects.into_iter().map(|object| Write::Put { object, expected: 0 }).collect();
        store.commit(set(writes, clock.now())).await.unwrap();
        let desk = Replica::load(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let mut nodes = Vec::new();
        for number in 1..=2 {
            nodes.push(node(&store, &clock, number).await);
        }
        let (envelopes, runs) = (AtomicUsize::new(0), Mutex::default());
        Self { store, faults, clock, nodes, desk, task, envelopes, runs }
    }

    fn happen<'w>(&'w self, op: &'w Op) -> futures::future::BoxFuture<'w, ()> {
        Box::pin(async move {
            match op {
                Op::Call { node, amount } => self.call(*node, *amount).await,
                Op::CallThenCrash { node, amount } => {
                    self.faults.set(&self.faults.marks);
                    self.call(*node, *amount).await;
                    tokio::task::yield_now().await;
                    self.faults.heal();
                }
                Op::Vote { who, amount, yes } => {
                    let ballot = || ballot(*who, *yes);
                    self.on_waiting(*amount, |row, view| {
                        let voted = life::vote(row, &view.directory, ballot(), self.clock.now()).ok()?;
                        Some(vec![Object::Approval(Box::new(voted))])
                    })
                    .await;
                }
                Op::Edit { who, from, to } => self.edit(*who, *from, *to).await,
                Op::Withdraw { amount } => {
                    self.on_waiting(*amount, |row, _view| {
                        let over = life::withdraw(row, "not now", self.clock.now())?;
                        Some(vec![Object::Approval(Box::new(over))])
                    })
                    .await;
                }
                Op::Allow { who, amount, most, count, sum } => {
                    self.allow(*who, *amount, (*most, *count, *sum)).await;
                }
                Op::Revoke => {
                    self.change(|view| {
                        let row = view.directory.envelopes.values().next_back()?.as_ref().clone();
                        let (at, by) = (self.clock.now(), "maria".to_owned());
                        let status = EnvelopeStatus::Revoked { at, by, why: "enough".into() };
                        Some(vec![Object::Envelope(Box::new(Envelope { status, ..row }))])
                    })
                    .await;
                }
                Op::Tick { minutes } => {
                    let passed = i64::from(*minutes) * i64::try_from(MINUTE).unwrap();
                    self.clock.0.fetch_add(passed, Ordering::SeqCst);
                }
                Op::KeepHouse => self.keep_house().await,
                Op::CatchUp { node } => {
                    self.nodes[*node].replica.catch_up().await.unwrap();
                }
                Op::EndTask => {
                    self.change_row(ObjectKey::task(self.task), |object| match object {
                        Object::Task(row) => Object::Task(Task { status: TaskStatus::Ended, ..row }),
                        other => other,
                    })
                    .await
                }
                Op::Suspend { yes } => {
                    let status = if *yes { AgentStatus::Suspended } else { AgentStatus::Active };
                    self.change_agent(|agent| agent.status = status).await;
                }
                Op::NewCharter => self.change_agent(|agent| agent.revision += 1).await,
                Op::ChangePolicy => {
                    let number = rand::random::<u32>();
                    let text = format!(
                        "@id(\"acme/x\") @reason(\"never {number}\")\nforbid (principal, action, resource) when {{ context.weekday == \"moonday\" }};"
                    );
                    let name: Name = "x".parse().unwrap();
                    self.change(|_view| {
                        Some(vec![Object::Policy(PolicyFile { name: name.clone(), text: text.clone() })])
                    })
                    .await;
                }
                Op::PinAnew => {
                    let key = ObjectKey::tool(&"bank".parse().unwrap(), &"transfer".parse().unwrap());
                    let pin = Digest::of(&rand::random::<[u8; 8]>());
                    self.change_row(key, |object| match object {
                        Object::Tool(row) => Object::Tool(Tool { pin, ..row }),
                        other => other,
                    })
                    .await;
                }
                Op::Leave { who, gone } => {
                    let active = !gone;
                    let key = ObjectKey::new(provost_domain::Kind::Person, PEOPLE[*who]);
                    self.change_row(key, |object| match object {
                        Object::Person(row) => Object::Person(provost_domain::Person { active, ..row }),
                        other => other,
                    })
                    .await;
                }
                Op::AtOnce(all) => {
                    futures::future::join_all(all.iter().map(|one| self.happen(one))).await;
                }
            }
        })
    }

    /// The agent's call through a node, as the node knows the world.
    async fn call(&self, node: usize, amount: u32) {
        let node = &self.nodes[node];
        let view = node.replica.latest();
        let Some(attempt) = self.attempt(&view, amount) else { return };
        if let Ok(permit) = node.pipeline.authorise(&attempt).await {
            self.ran(&permit, amount).await;
        }
    }

    async fn ran(&self, permit: &Permit, amount: u32) {
        let decided = self.store.decision(permit.decision()).await.unwrap().unwrap().decision;
        let run = Run {
            grant: decided.approval.clone(),
            action: decided.action,
            amount,
            view: decided.view,
            at: decided.at,
        };
        self.runs.lock().unwrap().push(run);
    }

    fn attempt(&self, view: &Arc<View>, amount: u32) -> Option<Attempt> {
        let directory = &view.directory;
        let agent = directory.agents.get("invoice-clerk")?;
        let task = directory.tasks.get(&self.task).filter(|task| task.is_live(self.clock.now()))?;
        let key: (Name, ToolName) = ("bank".parse().unwrap(), "transfer".parse().unwrap());
        Some(Attempt {
            face: "mcp",
            view: Arc::clone(view),
            caller: Caller { agent: Arc::clone(agent), task: Arc::clone(task), chain: Arc::new([]) },
            system: Arc::clone(directory.systems.get("bank")?),
            name: key.1.clone(),
            tool: directory.tools.get(&key).cloned(),
            pinned: true,
            args: args(amount),
            uses: Uses::Any,
        })
    }

    fn digest(&self, amount: u32) -> Digest {
        let action = Action {
            agent: "invoice-clerk".parse().unwrap(),
            task: self.task,
            system: "bank".parse().unwrap(),
            tool: "transfer".parse().unwrap(),
            args: args(amount),
        };
        action.digest().unwrap()
    }

    /// A change on what is true now, made again when somebody else was faster, as `control` does.
    async fn change(&self, make: impl Fn(&View) -> Option<Vec<Object>>) {
        loop {
            self.desk.catch_up().await.unwrap();
            let view = self.desk.latest();
            let Some(objects) = make(&view) else { return };
            let mut writes = Vec::new();
            for object in objects {
                let expected = self.store.version(&object.key()).await.unwrap();
                writes.push(Write::Put { object, expected });
            }
            // The versions were read after the rows: only if nothing moved in between do they belong together.
            if self.store.head().await.unwrap() != view.directory.seq {
                continue;
            }
            match self.store.commit(set(writes, self.clock.now())).await {
                Ok(_receipt) => {
                    self.desk.catch_up().await.unwrap();
                    return;
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    async fn change_row(&self, key: ObjectKey, change: impl Fn(Object) -> Object) {
        self.change(|view| Some(vec![change(view.directory.get(&key)?)])).await;
    }

    async fn change_agent(&self, change: impl Fn(&mut provost_domain::Agent)) {
        let key = ObjectKey::new(provost_domain::Kind::Agent, "invoice-clerk");
        self.change_row(key, |object| match object {
            Object::Agent(mut row) => {
                change(&mut row);
                Object::Agent(row)
            }
            other => other,
        })
        .await;
    }

    async fn on_waiting(&self, amount: u32, make: impl Fn(&Approval, &View) -> Option<Vec<Object>>) {
        let digest = self.digest(amount);
        self.change(|view| make(view.directory.approval_of(&digest)?, view)).await;
    }

    async fn edit(&self, who: usize, from: u32, to: u32) {
        let digest = self.digest(to);
        let newest = provost_store::newest_approval(self.store.as_ref(), &digest).await.unwrap();
        let nth = match newest {
            Some(newest) if !newest.row.is_over() => return,
            Some(newest) => newest.nth + 1,
            None => 0,
        };
        self.on_waiting(from, |row, view| {
            // Somebody may have asked for it meanwhile.
            if view.directory.approvals.contains_key(&approval_id(&digest, nth)) {
                return None;
            }
            let change = (args(to), row.gates.clone());
            let edited = life::edit(row, &view.directory, change, (ballot(who, true), nth), self.clock.now());
            let (original, edited) = edited.ok()?;
            Some([original, edited].map(|row| Object::Approval(Box::new(row))).into())
        })
        .await;
    }

    async fn allow(&self, who: usize, amount: u32, (most, count, sum): (u32, u32, u32)) {
        let number = self.envelopes.fetch_add(1, Ordering::SeqCst);
        self.on_waiting(amount, |row, view| {
            let at_most = ArgRule { max: Some(format!("{most}.0").parse().unwrap()), ..ArgRule::default() };
            let wanted = Wanted {
                id: format!("envelope_{number}"),
                in_task: true,
                args: [("amount".to_owned(), at_most)].into(),
                count_max: count,
                sum: Some(BudgetSum { arg: "amount".into(), max: format!("{sum}.0").parse().unwrap() }),
                lasts: DurationMs(30 * MINUTE),
            };
            let now = self.clock.now();
            let envelope = life::envelope(row, &view.directory, wanted, ballot(who, true), now).ok()?;
            let over = life::withdraw(row, "answered with an envelope", now)?;
            Some(vec![Object::Approval(Box::new(over)), Object::Envelope(Box::new(envelope))])
        })
        .await;
    }

    async fn keep_house(&self) {
        self.change(|view| {
            let now = self.clock.now();
            let late = view.directory.approvals.values().filter_map(|row| life::expire(row, now));
            let late: Vec<Object> = late.map(|row| Object::Approval(Box::new(row))).collect();
            (!late.is_empty()).then_some(late)
        })
        .await;
    }

    /// Everything that ever ran, held against what the store says was true.
    async fn judge(&self) -> (usize, usize) {
        let runs = std::mem::take(&mut *self.runs.lock().unwrap());
        let mut by_grant: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in &runs {
            let grant = run.grant.clone().expect("nothing runs without a grant");
            self.was_true(run, &grant).await;
            by_grant.entry(grant).or_default().push(run);
        }
        let (mut approvals, mut envelopes) = (0, 0);
        for (grant, uses) in by_grant {
            if grant.starts_with("approval_") {
                approvals += 1;
                assert_eq!(uses.len(), 1, "{grant} was used more than once");
                continue;
            }
            envelopes += 1;
            let envelope = self.envelope_at(&grant, uses[0].view).await;
            let sum: u32 = uses.iter().map(|run| run.amount).sum();
            let most = envelope.sum.as_ref().unwrap().max.units();
            assert!(uses.len() <= envelope.count_max as usize, "{grant}: {} calls", uses.len());
            assert!(i64::from(sum) * 10_000 <= most, "{grant}: {sum} of {most}");
        }
        assert!(self.store.check().await.unwrap().is_empty(), "the store's own books are in order");
        (approvals, envelopes)
    }

    async fn at(&self, view: Seq, key: ObjectKey) -> Option<Object> {
        self.store.load_at(view, &[key]).await.unwrap().pop()
    }

    async fn envelope_at(&self, id: &str, view: Seq) -> Envelope {
        let key = ObjectKey::envelope(&"invoice-clerk".parse().unwrap(), id);
        match self.at(view, key).await {
            Some(Object::Envelope(row)) => *row,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Charter revision, pin and policies at a position.
    async fn facts(&self, view: Seq) -> (u32, Digest, Option<String>) {
        let agent = self.at(view, ObjectKey::new(provost_domain::Kind::Agent, "invoice-clerk")).await;
        let tool = ObjectKey::tool(&"bank".parse().unwrap(), &"transfer".parse().unwrap());
        let policy = self.at(view, ObjectKey::new(provost_domain::Kind::Policy, "x")).await;
        match (agent, self.at(view, tool).await) {
            (Some(Object::Agent(agent)), Some(Object::Tool(tool))) => {
                let policy = policy.map(|policy| format!("{policy:?}"));
                (agent.revision, tool.pin, policy)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn was_true(&self, run: &Run, grant: &str) {
        let said = format!("{grant} for {} at {:?} on {:?}", run.amount, run.at, run.view);
        assert_eq!(run.action, self.digest(run.amount), "{said}");
        let agent = self.at(run.view, ObjectKey::new(provost_domain::Kind::Agent, "invoice-clerk")).await;
        let Some(Object::Agent(agent)) = agent else { panic!("{said}") };
        assert_eq!(agent.status, AgentStatus::Active, "{said}");
        let Some(Object::Task(task)) = self.at(run.view, ObjectKey::task(self.task)).await else {
            panic!("{said}")
        };
        assert!(task.is_live(run.at), "{said}");
        let (approval, voters, held_at) = if grant.starts_with("approval_") {
            let Some(Object::Approval(row)) = self.at(run.view, ObjectKey::approval(grant)).await else {
                panic!("{said}: it was not there")
            };
            let ApprovalStatus::Granted { until, .. } = row.status else {
                panic!("{said}: {:?}", row.status)
            };
            assert!(run.at < until && row.action == run.action && row.args == args(run.amount), "{said}");
            let voters: Vec<_> =
                row.votes.iter().filter(|vote| vote.yes).map(|vote| vote.person.clone()).collect();
            (row.id.clone(), voters, row.decision)
        } else {
            let row = self.envelope_at(grant, run.view).await;
            assert!(row.status == EnvelopeStatus::Open && run.at < row.until, "{said}");
            let most = row.args["amount"].max.as_ref().unwrap().units();
            assert!(i64::from(run.amount) * 10_000 <= most, "{said}: {most}");
            let held = provost_store::approval(self.store.as_ref(), &row.approval).await.unwrap().unwrap().1;
            (row.approval.clone(), vec![row.by.clone()], held.decision)
        };
        assert!(!voters.is_empty(), "{said}: nobody said yes");
        for voter in voters {
            let key = ObjectKey::new(provost_domain::Kind::Person, voter.as_str());
            let Some(Object::Person(row)) = self.at(run.view, key).await else { panic!("{said}") };
            assert!(row.active, "{said}: {voter} had left");
        }
        // What it was given for is what was true when it was asked for.
        let held = self.store.decision(held_at).await.unwrap().unwrap().decision;
        assert_eq!(self.facts(held.view).await, self.facts(run.view).await, "{said}, asked as {approval}");
    }
}

fn args(amount: u32) -> Map<String, Value> {
    let args = json!({"from_account": "operations", "payee": "x", "amount": amount, "reference": "x"});
    args.as_object().unwrap().clone()
}

fn ballot(who: usize, yes: bool) -> Ballot {
    Ballot {
        person: PEOPLE[who].parse().unwrap(),
        yes,
        reason: Some("looked at it".into()),
        shown_by: "test".into(),
        break_glass: false,
        signature: crate::approvals::signature(),
    }
}

fn set(writes: Vec<Write>, at: Timestamp) -> ChangeSet {
    ChangeSet { by: Attribution { actor: "test".into(), why: "test".into() }, at, writes }
}

/// Maria owns the agent, ben and kim are deputies; where two must agree, all three are `finance`.
fn first_rows(task: TaskId, now: Timestamp, two: bool) -> Vec<Object> {
    let mut rows: Vec<Object> = PEOPLE.iter().map(|name| Object::Person(person(name))).collect();
    let members = PEOPLE.iter().map(|name| name.parse().unwrap()).collect();
    rows.push(Object::Organisation(Organisation {
        display: "Acme".into(),
        production_revocation_max: None,
        groups: [("finance".parse().unwrap(), Group { members, needs: 2 })].into(),
        approvals: ApprovalRules::default(),
        changes: Default::default(),
        drills: Default::default(),
        rules: Default::default(),
        autonomy: Default::default(),
        lifecycle: Default::default(),
    }));
    if two {
        let text = "@id(\"acme/two\") @gate(\"finance\") @reason(\"two of finance\")\n\
                    forbid (principal, action in Action::\"financial\", resource)\n\
                    unless { context.approvals.contains(\"finance\") };";
        rows.push(Object::Policy(PolicyFile { name: "two".parse().unwrap(), text: text.into() }));
    }
    rows.push(Object::System(bank()));
    let text = || json!({"type": "string"});
    let schema = json!({"type": "object", "properties": {
        "from_account": text(), "payee": text(), "reference": text(), "amount": {"type": "number"},
    }});
    rows.push(Object::Tool(Tool {
        system: "bank".parse().unwrap(),
        name: "transfer".parse().unwrap(),
        description: String::new(),
        pin: Digest::of(b"first"),
        effects: ["financial".parse().unwrap()].into(),
        args: provost_policy::args_from_json_schema(&schema).unwrap(),
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    }));
    let grants = json!([{"system": "bank", "tools": ["transfer"]}]);
    rows.push(
        serde_json::from_value(json!({"kind": "agent", "body": {
            "id": provost_domain::ids::AgentId::new(now, [1; 10]), "name": "invoice-clerk", "status": "active",
            "revision": 1, "charter": charter(json!({"deputies": ["ben", "kim"], "grants": grants})),
            "provenance": {"created_by": "t", "created_at": 1, "source": "t"},
        }}))
        .unwrap(),
    );
    rows.push(Object::Task(Task {
        id: task,
        agent: "invoice-clerk".parse().unwrap(),
        purpose: "pay".into(),
        requester: "maria".parse().unwrap(),
        scope: None,
        started: now,
        expires: now.plus(DurationMs(240 * MINUTE)),
        status: TaskStatus::Running,
        parent: None,
        revoked: Default::default(),
        for_person: false,
        refresh: None,
        trial: None,
        inputs: Default::default(),
        bill: None,
    }));
    rows
}

fn bank() -> System {
    System {
        name: "bank".parse().unwrap(),
        description: "accounts".into(),
        environment: provost_domain::Environment::Production,
        connection: provost_domain::system::Connection::McpHttp { url: "http://127.0.0.1:9/mcp".into() },
        credential: None,
        revocation_max: DurationMs(0),
        resource_labels: Default::default(),
        only_through_plane: false,
        scim: None,
    }
}

async fn node(store: &Arc<dyn Store>, clock: &Arc<HandClock>, number: u8) -> Node {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let replica = Replica::load(Arc::clone(store), Arc::clone(&clock)).await.unwrap();
    let limits = Limits::default();
    let upstreams = Upstreams::new(Config::new(limits.clone())).unwrap();
    let node = NodeId::new(Timestamp::from_millis(i64::from(number)), [number; 10]);
    let broker = Broker::new(BrokerParts {
        store: Arc::clone(store),
        replica: Arc::clone(&replica),
        clock: Arc::clone(&clock),
        sealing: Arc::new(SealingKey::from_bytes(&[9; 32]).unwrap()),
        upstreams: upstreams.clone(),
        node,
        issuer: "https://plane".into(),
        signer: Arc::new(SigningKey::es256_from_seed(&[6; 32]).unwrap()),
    });
    let key = SigningKey::from_seed(&[5; 32]).unwrap();
    let verifier = Verifier::new("https://plane".to_owned(), vec![key.verifying().clone()]);
    let pipeline = Arc::new(Pipeline::from(Parts {
        store: Arc::clone(store),
        replica: Arc::clone(&replica),
        clock,
        limits,
        node,
        identifier: Identifier::new(fixed(verifier), "https://plane/mcp".into(), Timestamp::from_millis(0)),
        upstreams,
        broker,
        marks: provost_connect::Marks::of(&SealingKey::from_bytes(&[9; 32]).unwrap()).unwrap(),
    }));
    Node { replica, pipeline }
}

/// What was used over all cases, so that a test which never gets anywhere is seen.
static USED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

async fn case(store: Arc<dyn Store>, two: bool, ops: &[Op]) {
    let world = World::new(store, two).await;
    for op in ops {
        world.happen(op).await;
    }
    let (approvals, envelopes) = world.judge().await;
    USED[0].fetch_add(approvals, Ordering::SeqCst);
    USED[1].fetch_add(envelopes, Ordering::SeqCst);
    world.store.close().await;
}

fn cases(fallback: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(fallback);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

fn run_all(fallback: u32, store: impl AsyncFn() -> (Arc<dyn Store>, Box<dyn std::any::Any>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let seed: [u8; 32] = match std::env::var("PROVOST_SEED") {
        Ok(text) => Digest::of(text.as_bytes()).as_bytes().to_owned(),
        Err(_) => {
            let text = format!("{:016x}", rand::random::<u64>());
            println!("PROVOST_SEED={text} makes the same cases again");
            Digest::of(text.as_bytes()).as_bytes().to_owned()
        }
    };
    let strategy = (prop::bool::ANY, prop::collection::vec(op(), 10..60));
    let used = || USED.each_ref().map(|count| count.load(Ordering::SeqCst));
    // A few cases may by chance use nothing: more are made until both kinds of grant were used.
    for round in 0..ROUNDS_MAX {
        // A runner makes its number of cases once.
        let seed = Digest::of(&[&seed[..], &[round]].concat());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, seed.as_bytes());
        let mut runner = TestRunner::new_with_rng(cases(fallback), rng);
        let result = runner.run(&strategy, |(two, ops)| {
            runtime.block_on(async {
                let (store, _kept) = store().await;
                case(store, two, &ops).await;
            });
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        if used().iter().all(|count| *count > 0) {
            break;
        }
    }
    println!("approvals and envelopes used: {:?}", used());
    assert!(used().iter().all(|count| *count > 0), "the cases never got as far as a use: {:?}", used());
}

const ROUNDS_MAX: u8 = 20;

#[test]
fn in_no_order_of_events_does_anything_run_twice_or_without_its_grant() {
    run_all(48, async || {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("provost.db"), &Limits::default()).unwrap();
        (Arc::new(store) as Arc<dyn Store>, Box::new(dir) as Box<dyn std::any::Any>)
    });
}

#[test]
fn in_no_order_of_events_does_anything_run_twice_or_without_its_grant_on_postgres() {
    run_all(6, async || {
        let database = Database::fresh().await;
        let store = PostgresStore::connect(
            &database.url,
            &Limits::default(),
            NodeId::new(Timestamp::from_millis(7), [7; 10]),
        )
        .await
        .unwrap();
        (Arc::new(store) as Arc<dyn Store>, Box::new(database) as Box<dyn std::any::Any>)
    });
}
