//! A plane in this process: store, replica, pipeline and MCP face, with a bank behind it.

use crate::faults::{Faults, FaultyStore};
use provost_bank::{Bank, Server};
use provost_broker::{Broker, BrokerParts};
use provost_connect::{CallerKey, ClientProfile, Config, SealingKey, Secret, Upstreams};
use provost_domain::{
    Agent, AgentStatus, Charter, Clock, DurationMs, NodeId, Object, ObjectKey, Person, System, Task, TaskId,
    Timestamp, Tool,
    agent::Provenance,
    ids::AgentId,
    limits::Limits,
    system::{Connection, CredentialUse},
    task::TaskStatus,
};
use provost_gateway::{
    Hosts, Identifier, Parts, Pipeline, held,
    mcp::{Front, FrontParts},
    proxy::{Proxy, ProxyParts},
};
use provost_replica::Replica;
use provost_store::{Attribution, ChangeSet, DecisionFilter, Store, SystemClock, Write};
use provost_store_sqlite::SqliteStore;
use provost_token::{SigningKey, TaskClaims, Verifier, issue};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// A running plane. Dropping it drops the runtime's tasks with the test.
pub struct Plane {
    pub url: String,
    pub bank: Server,
    pub store: Arc<dyn Store>,
    pub replica: Arc<Replica>,
    pub pipeline: Arc<Pipeline>,
    /// Refuses to write or read, where a test says so.
    pub store_faults: Arc<Faults>,
    pub key: SigningKey,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

pub const BANK_KEY: &str = "the-bank-key-nobody-may-see";

/// What a plane is started with.
pub struct Setup {
    pub charter: Value,
    pub limits: Limits,
    /// Systems beside the bank. When there are any, everything is in the sandbox but the bank, and the charter is
    /// made to grant all that these offer.
    pub foreign: Vec<Foreign>,
    /// Whether the replica goes on following the store.
    pub follows: bool,
}

/// A system of other people's.
pub struct Foreign {
    pub name: &'static str,
    pub connection: Connection,
    /// Tools that are imported and not granted.
    pub withheld: Vec<&'static str>,
}

impl Foreign {
    pub fn http(name: &'static str, url: &str) -> Self {
        Self { name, connection: Connection::McpHttp { url: url.into() }, withheld: Vec::new() }
    }

    pub fn stdio(name: &'static str, command: Vec<String>, env: BTreeMap<String, String>) -> Self {
        Self { name, connection: Connection::McpStdio { command, env }, withheld: Vec::new() }
    }

    pub fn without(mut self, tool: &'static str) -> Self {
        self.withheld.push(tool);
        self
    }

    fn system(&self) -> System {
        System {
            name: self.name.parse().unwrap(),
            description: "somebody else's".into(),
            environment: provost_domain::Environment::Sandbox,
            connection: self.connection.clone(),
            credential: None,
            revocation_max: DurationMs(0),
            resource_labels: Default::default(),
            only_through_plane: false,
            scim: None,
        }
    }
}

impl Setup {
    pub fn charter(charter: Value) -> Self {
        Self { charter, limits: Limits::default(), foreign: Vec::new(), follows: true }
    }

    pub fn foreign(foreign: Vec<Foreign>) -> Self {
        Self { foreign, ..Self::charter(json!({})) }
    }
}

impl Plane {
    /// A plane whose one agent, `invoice-clerk`, holds this charter.
    pub async fn start(charter: Value) -> Self {
        Self::start_with(Setup::charter(charter)).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        let limits = setup.limits;
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&dir.path().join("provost.db"), &limits).unwrap());
        let store_faults = Arc::new(Faults::default());
        let store: Arc<dyn Store> = Arc::new(FaultyStore::new(store, Arc::clone(&store_faults)));
        let bank = Bank::open(None).unwrap();
        let bank = provost_bank::serve(loopback().await, bank, Some(BANK_KEY.into())).await.unwrap();
        let sealing = Arc::new(SealingKey::from_bytes(&[9; 32]).unwrap());
        let sealed = sealing.seal("bank-key", BANK_KEY.as_bytes()).unwrap();
        store.put_sealed(&"bank-key".parse().unwrap(), &sealed).await.unwrap();

        let upstreams = Upstreams::new(Config::new(limits.clone())).unwrap();
        let secret = sealing.open("bank-key", &sealed).unwrap();
        let system = bank_system(&bank.url());
        let mut tools = import(&upstreams, &system, Some(&secret)).await;
        let mut objects = vec![Object::Person(person("maria")), Object::System(system)];
        let mut grants = Vec::new();
        for foreign in &setup.foreign {
            let system = foreign.system();
            let found = import(&upstreams, &system, None).await;
            let granted = found.iter().map(|tool| tool.name.to_string());
            let granted = granted.filter(|name| !foreign.withheld.contains(&name.as_str()));
            let granted: Vec<String> =
                granted.chain(["@resources", "@prompts", "@completion"].map(str::to_owned)).collect();
            grants.push(json!({"system": foreign.name, "tools": granted}));
            objects.push(Object::System(system));
            tools.extend(found);
        }
        let charter = match grants.is_empty() {
            true => setup.charter,
            false => charter(json!({"environment": "sandbox", "autonomy": "bounded", "grants": grants})),
        };
        objects.extend(tools.into_iter().map(Object::Tool));
        objects.push(Object::Agent(agent(charter)));
        commit(&store, objects).await;

        let replica = Replica::load(Arc::clone(&store), Arc::clone(&clock)).await.unwrap();
        if setup.follows {
            let (stop, stopped) = tokio::sync::watch::channel(false);
            let replica = Arc::clone(&replica);
            tokio::spawn(async move {
                let _kept = stop;
                replica.follow(DurationMs(20), stopped).await;
            });
        }
        let listener = loopback().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = SigningKey::from_seed(&[5; 32]).unwrap();
        let verifier = Verifier::new(url.clone(), vec![key.verifying().clone()]);
        let node = NodeId::new(Timestamp::from_millis(1), [1; 10]);
        let broker = Broker::new(BrokerParts {
            store: Arc::clone(&store),
            replica: Arc::clone(&replica),
            clock: Arc::clone(&clock),
            sealing: Arc::clone(&sealing),
            upstreams: upstreams.clone(),
            node,
            issuer: url.clone(),
            signer: Arc::new(SigningKey::es256_from_seed(&[6; 32]).unwrap()),
        });
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let following = Arc::clone(&broker);
        tokio::spawn(async move {
            let _kept = stop;
            provost_broker::follow(following, stopped).await;
        });
        let pipeline = Arc::new(Pipeline::from(Parts {
            store: Arc::clone(&store),
            replica: Arc::clone(&replica),
            clock,
            limits,
            node,
            identifier: Identifier::new(fixed(verifier), format!("{url}/mcp"), Timestamp::from_millis(0)),
            upstreams,
            broker,
            marks: provost_connect::Marks::of(&SealingKey::from_bytes(&[9; 32]).unwrap()).unwrap(),
        }));
        let hosts = Arc::new(Hosts::new([]));
        let proxy = Proxy::new(ProxyParts { pipeline: Arc::clone(&pipeline), hosts: Arc::clone(&hosts) });
        let held = held::router(Arc::clone(&pipeline), Arc::clone(&hosts));
        let front = Front::new(FrontParts { pipeline: Arc::clone(&pipeline), hosts });
        let router = front.router().merge(proxy.router()).merge(held);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            bank,
            store,
            replica,
            pipeline,
            store_faults,
            key,
            http: reqwest::Client::new(),
            _dir: dir,
        }
    }

    /// Starts a task and gives its token.
    pub async fn task(&self) -> (TaskId, String) {
        let now = SystemClock.now();
        let id = TaskId::new(now, rand::random());
        let task = Task {
            id,
            agent: "invoice-clerk".parse().unwrap(),
            purpose: "pay the November invoices".into(),
            requester: "maria".parse().unwrap(),
            scope: None,
            started: now,
            expires: now.plus(DurationMs::from_mins(10)),
            status: TaskStatus::Running,
            parent: None,
            revoked: Default::default(),
            for_person: false,
            refresh: None,
            trial: None,
            inputs: Default::default(),
            bill: None,
        };
        self.change(Object::Task(task), 0).await;
        (id, self.token(id, |_| {}))
    }

    /// A token for a task, spoilt in some way.
    pub fn token(&self, task: TaskId, spoil: impl FnOnce(&mut TaskClaims)) -> String {
        let mut claims = self.claims(task);
        spoil(&mut claims);
        issue(&claims, &self.key).unwrap()
    }

    /// What a good token says.
    pub fn claims(&self, task: TaskId) -> TaskClaims {
        let now = SystemClock.now();
        TaskClaims {
            iss: self.url.clone(),
            aud: format!("{}/mcp", self.url),
            sub: "invoice-clerk".parse().unwrap(),
            client_id: "invoice-clerk".parse().unwrap(),
            task,
            iat: now.as_seconds(),
            exp: now.as_seconds() + 300,
            jti: rand::random::<u64>().to_string(),
        }
    }

    /// Commits one row and waits until it binds.
    pub async fn change(&self, object: Object, expected: u64) {
        let set = change_set(vec![Write::Put { object, expected }]);
        self.store.commit(set).await.unwrap();
        self.replica.catch_up().await.unwrap();
    }

    /// Gives a containment order and waits until it binds.
    pub async fn contain(&self, scope: Value, level: Value) {
        let order = json!({"id": "containment_1", "scope": scope, "level": level, "reason": "a key leaked",
            "by": {"person": "maria", "shown_by": "test"}, "at": SystemClock.now(), "status": {"is": "in-force"}});
        self.change(Object::Containment(serde_json::from_value(order).unwrap()), 0).await;
    }

    /// Removes one row and waits until it binds.
    pub async fn remove(&self, key: ObjectKey, expected: u64) {
        self.store.commit(change_set(vec![Write::Remove { key, expected }])).await.unwrap();
        self.replica.catch_up().await.unwrap();
    }

    /// A row as it stands.
    pub fn agent(&self) -> Agent {
        self.replica.latest().directory.agents.get("invoice-clerk").unwrap().as_ref().clone()
    }

    /// One modern `tools/call` at the bank's address.
    pub async fn call(&self, token: &str, tool: &str, args: Value) -> (u16, Value) {
        self.modern(token, "tools/call", json!({"name": tool, "arguments": args}), Some(tool)).await
    }

    /// One modern request at the bank's address; the answer is the last message.
    pub async fn modern(
        &self,
        token: &str,
        method: &str,
        mut params: Value,
        name: Option<&str>,
    ) -> (u16, Value) {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let mut request = self
            .http
            .post(format!("{}/mcp/bank", self.url))
            .bearer_auth(token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        answer(
            request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap(),
        )
        .await
    }

    /// Waits until every allowed decision has its outcome, and gives `tool outcome` of each, oldest first.
    pub async fn outcomes(&self) -> Vec<String> {
        for _ in 0..100 {
            let page =
                self.store.decisions(&DecisionFilter { max: 500, ..Default::default() }).await.unwrap();
            let allowed = page.decisions.iter().filter(|stored| stored.decision.verdict.is_allow());
            let told = allowed.map(|stored| {
                let outcome = stored.completion.as_ref()?.outcome.as_str();
                Some(format!("{} {outcome}", stored.decision.tool))
            });
            if let Some(mut told) = told.collect::<Option<Vec<_>>>() {
                told.reverse();
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("an outcome never came on record");
    }

    /// Opens a legacy session, and gives its id.
    pub async fn initialize(&self, token: &str, path: &str, revision: &str, capabilities: Value) -> String {
        let params = json!({"protocolVersion": revision, "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let response = self.post(path).bearer_auth(token).body(body.to_string()).send().await.unwrap();
        let id = response.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        let (status, said) = answer(response).await;
        assert_eq!((status, said["result"]["protocolVersion"].as_str()), (200, Some(revision)), "{said}");
        let session = id.unwrap();
        let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
        let done = self
            .post(path)
            .bearer_auth(token)
            .header("mcp-session-id", &session)
            .body(done)
            .send()
            .await
            .unwrap();
        assert_eq!(done.status(), 202);
        session
    }

    /// The client that tests send with.
    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Any POST.
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).header("content-type", "application/json")
    }
}

/// Status and last message of an answer, be it JSON or a stream.
pub async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let last = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").or_else(|| line.strip_prefix("data:")))
        .next_back();
    let json = last.unwrap_or(&text);
    (status, serde_json::from_str(json).unwrap_or_else(|_| Value::String(text.clone())))
}

/// The text a refused or answered tool call shows.
pub fn text(answer: &Value) -> String {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

pub fn charter(changes: Value) -> Value {
    let mut charter = json!({
        "purpose": "pays supplier invoices", "owner": "maria", "environment": "production", "autonomy": "supervised",
        "data": ["confidential"], "task_duration_max": 3_600_000,
        "grants": [
            {"system": "bank", "tools": ["list_accounts", "get_statement", "list_payees", "reconcile", "send_message"]},
            {"system": "bank", "tools": ["transfer"], "args": {"amount": {"max": "500.0"}, "from_account": {"one_of": ["operations"]}}},
        ],
    });
    for (key, value) in changes.as_object().unwrap() {
        charter[key] = value.clone();
    }
    charter
}

fn agent(charter: Value) -> Agent {
    let charter: Charter = serde_json::from_value(charter).unwrap();
    Agent {
        id: AgentId::new(Timestamp::from_millis(1), [2; 10]),
        name: "invoice-clerk".parse().unwrap(),
        status: AgentStatus::Active,
        level: Default::default(),
        revision: 1,
        charter,
        loosening: None,
        proofs: Vec::new(),
        life: None,
        provenance: Provenance {
            created_by: "test".into(),
            created_at: Timestamp::from_millis(1),
            source: "test".into(),
            revised: None,
        },
    }
}

pub fn person(name: &str) -> Person {
    Person {
        name: name.parse().unwrap(),
        display: name.into(),
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    }
}

fn bank_system(url: &str) -> System {
    System {
        name: "bank".parse().unwrap(),
        description: "accounts and transfers".into(),
        environment: provost_domain::Environment::Production,
        connection: Connection::McpHttp { url: url.into() },
        credential: Some(CredentialUse {
            name: "bank-key".parse().unwrap(),
            target: "Authorization".into(),
            prefix: "Bearer ".into(),
            source: Default::default(),
        }),
        revocation_max: DurationMs(0),
        resource_labels: Default::default(),
        only_through_plane: false,
        scim: None,
    }
}

async fn import(upstreams: &Upstreams, system: &System, secret: Option<&Secret>) -> Vec<Tool> {
    let caller = CallerKey { agent: "importer".parse().unwrap(), task: TaskId::from_bytes([0; 16]) };
    let profile = ClientProfile {
        capabilities: json!({"elicitation": {"form": {}, "url": {}}}),
        client_info: json!({"name": "import", "version": "1"}),
    };
    let upstream = upstreams.get(system, &caller, &profile, secret).await.unwrap();
    let (listed, unusable) = provost_connect::list_tools(&upstream).await.unwrap();
    assert!(unusable.is_empty(), "{unusable:?}");
    let effects: BTreeMap<&str, &[&str]> = [
        ("list_accounts", &["read"][..]),
        ("get_statement", &["read"]),
        ("list_payees", &["read"]),
        ("reconcile", &["read"]),
        ("transfer", &["financial"]),
        ("send_message", &["communicate"]),
    ]
    .into();
    let returns = |name: &str| match name {
        "get_statement" => json!([{"label": "confidential"}, {"label": "untrusted", "field": "lines.memo"}]),
        _ => json!([]),
    };
    listed
        .into_iter()
        .map(|definition| Tool {
            system: system.name.clone(),
            name: definition.name.parse().unwrap(),
            description: String::new(),
            pin: definition.pin(),
            effects: match (system.name.as_str(), effects.get(definition.name.as_str())) {
                ("bank", known) => {
                    known.copied().unwrap_or_default().iter().map(|e| e.parse().unwrap()).collect()
                }
                (_foreign, _) => [provost_domain::Effect::Read].into(),
            },
            // A schema that is not one list of arguments is imported as a tool without any.
            args: provost_policy::args_from_json_schema(&definition.input_schema).unwrap_or_default(),
            returns: serde_json::from_value(returns(&definition.name)).unwrap(),
            sends_out: definition.name == "send_message",
            steering: Default::default(),
            request: None,
        })
        .collect()
}

async fn commit(store: &Arc<dyn Store>, objects: Vec<Object>) {
    let writes = objects.into_iter().map(|object| Write::Put { object, expected: 0 }).collect();
    store.commit(change_set(writes)).await.unwrap();
}

fn change_set(writes: Vec<Write>) -> ChangeSet {
    ChangeSet { by: Attribution { actor: "test".into(), why: "test".into() }, at: SystemClock.now(), writes }
}

pub async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Keys that do not change.
pub fn fixed(verifier: Verifier) -> provost_gateway::Verifiers {
    let verifier = Arc::new(verifier);
    Arc::new(move || Arc::clone(&verifier))
}
