//! A plane around brokers: a store, people, agents, tasks, and a clock that can be moved.

use provost_broker::{Broker, BrokerError, BrokerParts, Whom};
use provost_connect::{Config, HostPolicy, SealingKey, Shown, Upstreams};
use provost_domain::{
    Clock, Directory, DurationMs, Minted, Name, NodeId, Object, System, Task, TaskId, Timestamp,
    limits::Limits, task::TaskStatus,
};
use provost_replica::Replica;
use provost_store::{Attribution, ChangeSet, Store, SystemClock, Write};
use provost_store_sqlite::SqliteStore;
use provost_token::{KeyPurpose, KeySet, SigningKey};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

pub const ISSUER: &str = "https://plane.example";

#[derive(Default)]
pub struct Moved(AtomicU64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(DurationMs(self.0.load(Ordering::Relaxed)))
    }
}

pub struct Desk {
    pub store: Arc<dyn Store>,
    pub replica: Arc<Replica>,
    pub broker: Arc<Broker>,
    pub sealing: Arc<SealingKey>,
    pub folder: tempfile::TempDir,
    clock: Arc<Moved>,
}

impl Desk {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&folder.path().join("provost.db"), &limits).unwrap());
        let clock = Arc::<Moved>::default();
        let sealing = Arc::new(SealingKey::from_bytes(&[9; 32]).unwrap());
        let replica = Replica::load(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let broker = broker(&store, &replica, &clock, &sealing, 1);
        let desk = Self { store, replica, broker, sealing, folder, clock };
        let person = |name: &str| {
            let person = json!({"name": name, "display": name, "email": format!("{name}@example.org"), "active": true});
            Object::Person(serde_json::from_value(person).unwrap())
        };
        for object in [person("maria"), person("otto"), agent("clerk", 1), agent("helper", 2)] {
            desk.put(object).await;
        }
        desk
    }

    /// The broker of a node that starts now: with nothing in hand.
    pub async fn another(&self, node: u8) -> Arc<Broker> {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let replica = Replica::load(Arc::clone(&self.store), clock).await.unwrap();
        broker(&self.store, &replica, &self.clock, &self.sealing, node)
    }

    /// Commits a row, in place of the one there is.
    pub async fn put(&self, object: Object) {
        let expected = self.store.version(&object.key()).await.unwrap();
        self.commit(Write::Put { object, expected }).await;
    }

    pub async fn remove(&self, object: Object) {
        let expected = self.store.version(&object.key()).await.unwrap();
        self.commit(Write::Remove { key: object.key(), expected }).await;
    }

    async fn commit(&self, write: Write) {
        let by = Attribution { actor: "test".into(), why: "test".into() };
        self.store.commit(ChangeSet { by, at: self.now(), writes: vec![write] }).await.unwrap();
        self.replica.catch_up().await.unwrap();
    }

    pub async fn seal(&self, name: &str, secret: &str) {
        let sealed = self.sealing.seal(name, secret.as_bytes()).unwrap();
        self.store.put_sealed(&name.parse().unwrap(), &sealed).await.unwrap();
    }

    /// A running task of an hour.
    pub async fn task(&self, byte: u8, agent: &str, parent: Option<&Whom>, for_person: bool) -> Whom {
        let now = self.now();
        let task: Task = serde_json::from_value(json!({
            "id": TaskId::from_bytes([byte; 16]), "agent": agent, "purpose": "p", "requester": "maria", "started": now,
            "expires": now.plus(DurationMs::from_mins(60)), "status": "running",
            "parent": parent.map(|parent| parent.task.id), "for_person": for_person,
        }))
        .unwrap();
        self.put(Object::Task(task.clone())).await;
        let above = parent.map(|parent| {
            std::iter::once((parent.agent.clone(), Arc::clone(&parent.task)))
                .chain(parent.above.clone())
                .collect()
        });
        Whom { agent: name(agent), task: Arc::new(task), above: above.unwrap_or_default() }
    }

    pub async fn end(&self, whom: &Whom) {
        let task = Task { status: TaskStatus::Ended, ..whom.task.as_ref().clone() };
        self.put(Object::Task(task)).await;
    }

    pub async fn shown(&self, system: &System, whom: &Whom) -> Result<Shown, BrokerError> {
        shown(&self.broker, system, whom).await
    }

    pub async fn sweep(&self) {
        sweep(&self.broker).await;
    }

    pub fn directory(&self) -> Directory {
        self.replica.latest().directory.clone()
    }

    pub fn owed(&self) -> Vec<Arc<Minted>> {
        self.directory().minted.values().map(Arc::clone).collect()
    }

    /// How a row ended, from its record.
    pub async fn ended_as(&self, id: &str) -> Value {
        let key = provost_domain::ObjectKey::new(provost_domain::Kind::Minted, id);
        let newest = self.store.history(&key, 1).await.unwrap().remove(0);
        assert_eq!(newest.by.actor, "plane");
        serde_json::to_value(newest.after.unwrap()).unwrap()["body"]["status"]["is"].clone()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, time: DurationMs) {
        self.clock.0.fetch_add(time.0, Ordering::Relaxed);
    }
}

fn broker(
    store: &Arc<dyn Store>,
    replica: &Arc<Replica>,
    clock: &Arc<Moved>,
    sealing: &Arc<SealingKey>,
    node: u8,
) -> Arc<Broker> {
    let config = Config { hosts: HostPolicy::default(), ..Config::new(Limits::default()) };
    Broker::new(BrokerParts {
        store: Arc::clone(store),
        replica: Arc::clone(replica),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        sealing: Arc::clone(sealing),
        upstreams: Upstreams::new(config).unwrap(),
        node: NodeId::new(Timestamp::from_millis(1), [node; 10]),
        issuer: ISSUER.to_owned(),
        signer: Arc::new(key()),
    })
}

pub fn key() -> SigningKey {
    SigningKey::es256_from_seed(&[6; 32]).unwrap()
}

/// What others verify with.
pub fn keys() -> KeySet {
    let set = json!({"keys": [key().verifying().jwk()]}).to_string();
    KeySet::parse(set.as_bytes(), KeyPurpose::Signatures).unwrap()
}

/// What a statement of the plane says, once its signature, audience and issuer are good.
pub fn verified(token: &str, audience: &str) -> Value {
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(json!(key().verifying().jwk())).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[ISSUER]);
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &rules).unwrap().claims
}

pub async fn shown(broker: &Broker, system: &System, whom: &Whom) -> Result<Shown, BrokerError> {
    broker.shown(system, || whom.clone()).await.map(Option::unwrap)
}

/// As a node does it that has waited long enough for others.
pub async fn sweep(broker: &Broker) {
    broker.close_ended().await;
    broker.sweep(&mut Default::default()).await;
}

pub fn text(shown: &Shown) -> String {
    String::from_utf8(shown.secret().unwrap().dangerous_expose().to_vec()).unwrap()
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn system(source: Value) -> System {
    let child = source["kind"] == "postgres-role" || source["kind"] == "aws-role";
    let connection = match child {
        true => json!({"kind": "mcp-stdio", "command": ["x"]}),
        false => json!({"kind": "http", "url": "https://crm.example"}),
    };
    let target = if child { "DATABASE_URL" } else { "Authorization" };
    serde_json::from_value(json!({
        "name": "crm", "description": "d", "environment": "sandbox", "revocation_max": 0, "connection": connection,
        "credential": {"name": "crm-key", "target": target, "source": source},
    }))
    .unwrap()
}

fn agent(name: &str, byte: u8) -> Object {
    Object::Agent(
        serde_json::from_value(json!({
            "id": provost_domain::ids::AgentId::from_bytes([byte; 16]), "name": name, "status": "active", "revision": 1,
            "charter": {"purpose": "p", "owner": "maria", "environment": "sandbox", "autonomy": "bounded",
                "task_duration_max": 1000, "grants": []},
            "provenance": {"created_by": "t", "created_at": 0, "source": "t"},
        }))
        .unwrap(),
    )
}
