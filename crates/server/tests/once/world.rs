//! Two nodes, two desks and one store, and how things happen there.

use crate::{
    events::Event,
    faults::{Faults, FaultyStore},
    people,
    places::{HandClock, Node, desk, node},
    rows::{MINUTE, PEOPLE, START, args, first_rows},
};
use provost_control::{Op, Plane, containment, housekeeping};
use provost_domain::{
    Action, Clock, Digest, Kind, Name, Object, ObjectKey, Person, Seq, TaskId, Timestamp, Tool, ToolName,
    policy_file::PolicyFile,
};
use provost_gateway::{Attempt, Caller, Uses};
use provost_replica::View;
use provost_store::{Attribution, ChangeSet, Permit, Store, Write};
use std::sync::{Arc, Mutex};

/// Everything of one case.
pub struct World {
    pub store: Arc<dyn Store>,
    pub task: TaskId,
    /// Whether a yes takes a signature.
    pub signed: bool,
    pub clock: Arc<HandClock>,
    pub desk_faults: Arc<Faults>,
    pub runs: Mutex<Vec<Run>>,
    node_faults: Arc<Faults>,
    nodes: Vec<Node>,
    desks: Vec<Arc<Plane>>,
}

/// One use of a grant: the decision that allowed it.
pub struct Run {
    pub grant: Option<String>,
    pub action: Digest,
    pub amount: u32,
    pub view: Seq,
    pub at: Timestamp,
}

impl World {
    pub async fn new(store: Arc<dyn Store>, rules: (bool, bool)) -> Self {
        let clock = Arc::new(HandClock(START.into()));
        let task = TaskId::new(clock.now(), [3; 10]);
        let first = first_rows(task, rules).into_iter();
        let writes = first.map(|object| Write::Put { object, expected: 0 }).collect();
        store.commit(set(writes, clock.now())).await.unwrap();
        let (node_faults, desk_faults) = (Arc::new(Faults::default()), Arc::new(Faults::default()));
        let behind = |faults: &Arc<Faults>| -> Arc<dyn Store> {
            Arc::new(FaultyStore::new(Arc::clone(&store), Arc::clone(faults)))
        };
        let (mut nodes, mut desks) = (Vec::new(), Vec::new());
        for number in 1..=2 {
            nodes.push(node(&behind(&node_faults), &clock, number).await);
            desks.push(desk(&behind(&desk_faults), &clock, number + 2).await);
        }
        let runs = Mutex::default();
        Self { store, task, signed: rules.1, clock, desk_faults, runs, node_faults, nodes, desks }
    }

    pub fn happen<'w>(&'w self, event: &'w Event) -> futures::future::BoxFuture<'w, ()> {
        Box::pin(async move {
            // No two things happen at quite the same moment, unless the case says so.
            self.clock.pass(1);
            match event {
                Event::Call { node, amount, fresh } => {
                    if *fresh {
                        self.nodes[*node].replica.catch_up().await.unwrap();
                    }
                    self.call(*node, *amount).await;
                }
                Event::CallThenCrash { node, amount } => {
                    self.node_faults.set(&self.node_faults.marks);
                    self.call(*node, *amount).await;
                    tokio::task::yield_now().await;
                    self.node_faults.heal();
                }
                Event::CatchUp { node } => {
                    self.nodes[*node].replica.catch_up().await.unwrap();
                }
                Event::Tick { minutes } => self.clock.pass(u64::from(*minutes) * MINUTE),
                Event::Person { desk, who, does } => people::act(self, &self.desks[*desk], *who, does).await,
                Event::Unheard { desk, who, does } => {
                    self.desk_faults.set(&self.desk_faults.unheard);
                    people::act(self, &self.desks[*desk], *who, does).await;
                    self.desk_faults.heal();
                }
                Event::KeepHouse { desk } => {
                    housekeeping::once(&self.desks[*desk]).await.unwrap();
                }
                Event::CleanUp { desk } => {
                    containment::clean::once(&self.desks[*desk]).await.unwrap();
                }
                Event::ChangePolicy => {
                    let number = rand::random::<u32>();
                    let text = format!(
                        "@id(\"acme/x\") @reason(\"never {number}\")\nforbid (principal, action, resource) when {{ context.weekday == \"moonday\" }};"
                    );
                    self.put(Object::Policy(PolicyFile { name: "x".parse().unwrap(), text })).await;
                }
                Event::PinAnew => {
                    let pin = Digest::of(&rand::random::<[u8; 8]>());
                    self.alter(tool_key(), |object| match object {
                        Object::Tool(row) => Object::Tool(Tool { pin, ..row }),
                        other => other,
                    })
                    .await;
                }
                Event::NewCharter => {
                    self.alter(agent_key(), |object| match object {
                        Object::Agent(row) => {
                            let revision = row.revision + 1;
                            Object::Agent(provost_domain::Agent { revision, ..row })
                        }
                        other => other,
                    })
                    .await;
                }
                Event::Leave { who, gone } => {
                    let active = !gone;
                    self.alter(ObjectKey::new(Kind::Person, PEOPLE[*who]), |object| match object {
                        Object::Person(row) => Object::Person(Person { active, ..row }),
                        other => other,
                    })
                    .await;
                }
                Event::AtOnce(all) => {
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

    /// What is asked for when the agent pays so much.
    pub fn digest(&self, amount: u32) -> Digest {
        let action = Action {
            agent: "invoice-clerk".parse().unwrap(),
            task: self.task,
            system: "bank".parse().unwrap(),
            tool: "transfer".parse().unwrap(),
            args: args(amount),
        };
        action.digest().unwrap()
    }

    /// The approval of so much that a desk knows of.
    pub fn waiting(&self, op: &Op, amount: u32) -> Option<String> {
        let directory = op.plane.replica.latest().directory.clone();
        directory.approval_of(&self.digest(amount)).map(|row| row.id.clone())
    }

    /// Changes a row as files or a review of tools would, whatever anybody else does to it meanwhile.
    async fn alter(&self, key: ObjectKey, change: impl Fn(Object) -> Object) {
        loop {
            let expected = self.store.version(&key).await.unwrap();
            let head = self.store.head().await.unwrap();
            let Some(row) = self.store.load_at(head, std::slice::from_ref(&key)).await.unwrap().pop() else {
                return;
            };
            let writes = vec![Write::Put { object: change(row), expected }];
            if self.store.version(&key).await.unwrap() == expected
                && self.store.commit(set(writes, self.clock.now())).await.is_ok()
            {
                return;
            }
        }
    }

    async fn put(&self, object: Object) {
        loop {
            let expected = self.store.version(&object.key()).await.unwrap();
            let writes = vec![Write::Put { object: object.clone(), expected }];
            if self.store.commit(set(writes, self.clock.now())).await.is_ok() {
                return;
            }
        }
    }
}

pub fn agent_key() -> ObjectKey {
    ObjectKey::new(Kind::Agent, "invoice-clerk")
}

pub fn tool_key() -> ObjectKey {
    ObjectKey::tool(&"bank".parse().unwrap(), &"transfer".parse().unwrap())
}

fn set(writes: Vec<Write>, at: Timestamp) -> ChangeSet {
    ChangeSet { by: Attribution { actor: "case".into(), why: "case".into() }, at, writes }
}
