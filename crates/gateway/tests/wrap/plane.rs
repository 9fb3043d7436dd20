//! A plane in a runtime of its own: store, replica, pipeline, the wrapper's routes, and as much of the administration
//! as a wrapper uses.

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::post,
};
use provost_broker::{Broker, BrokerParts, Signer};
use provost_cli::{Client, wrap::Settings};
use provost_connect::{CallerKey, ClientProfile, Config, SealingKey, Upstreams};
use provost_domain::{
    Agent, AgentStatus, Clock, DurationMs, Environment, NodeId, Object, Person, System, Task, TaskId,
    Timestamp, Tool,
    agent::Provenance,
    ids::AgentId,
    limits::Limits,
    system::Connection,
    task::{TaskScope, TaskStatus},
};
use provost_gateway::{Hosts, Identifier, Parts, Pipeline, held, wrap};
use provost_replica::Replica;
use provost_store::{Attribution, ChangeSet, DecisionFilter, Store, StoredDecision, SystemClock, Write};
use provost_store_sqlite::SqliteStore;
use provost_token::{SigningKey, TaskClaims, Verifier, issue};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};

/// A running plane.
pub struct Plane {
    pub url: String,
    pub store: Arc<dyn Store>,
    pub replica: Arc<Replica>,
    /// How long the tokens it issues are good for.
    pub token_seconds: Arc<AtomicI64>,
    pub tokens_issued: Arc<AtomicI64>,
    /// What agents said they are made of, task by task.
    pub bills: Arc<Mutex<Vec<Value>>>,
    key: Arc<SigningKey>,
    follows: watch::Sender<bool>,
    runtime: Mutex<Option<Runtime>>,
    dir: tempfile::TempDir,
}

/// What the administration's stand-in needs.
#[derive(Clone)]
struct Desk {
    url: String,
    store: Arc<dyn Store>,
    replica: Arc<Replica>,
    key: Arc<SigningKey>,
    token_seconds: Arc<AtomicI64>,
    tokens_issued: Arc<AtomicI64>,
    bills: Arc<Mutex<Vec<Value>>>,
}

/// Which server is behind the wrapper.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    Bank,
    Child,
    /// The official filesystem server, over the test's own folder.
    Filesystem,
}

impl Plane {
    pub async fn start(behind: Behind) -> Self {
        let limits = Limits { staleness_max: DurationMs(1_000), ..Limits::default() };
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&dir.path().join("provost.db"), &limits).unwrap());
        let upstreams = Upstreams::new(Config::new(limits.clone())).unwrap();
        let command = command(behind, &dir.path().join("review.log"));
        let tools = review(&upstreams, behind, command).await;
        let mut objects = vec![Object::Person(person())];
        objects.push(Object::System(system(behind.system(), Connection::McpLocal)));
        objects.push(Object::System(system(
            "elsewhere",
            Connection::McpHttp { url: "http://127.0.0.1:9/mcp".into() },
        )));
        objects.extend(tools.into_iter().map(Object::Tool));
        objects.push(Object::Agent(agent(behind)));
        let writes = objects.into_iter().map(|object| Write::Put { object, expected: 0 }).collect();
        store.commit(change_set(writes)).await.unwrap();

        let replica = Replica::load(Arc::clone(&store), Arc::clone(&clock)).await.unwrap();
        let (follows, stopped) = watch::channel(false);
        let following = Arc::clone(&replica);
        runtime.spawn(async move { following.follow(DurationMs(20), stopped).await });

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(SigningKey::from_seed(&[5; 32]).unwrap());
        let verifier = Verifier::new(url.clone(), vec![key.verifying().clone()]);
        let broker = Broker::new(BrokerParts {
            store: Arc::clone(&store),
            replica: Arc::clone(&replica),
            clock: Arc::clone(&clock),
            sealing: Arc::new(SealingKey::from_bytes(&[9; 32]).unwrap()),
            upstreams: upstreams.clone(),
            node: NodeId::new(Timestamp::from_millis(1), [1; 10]),
            issuer: url.clone(),
            signer: Arc::clone(&key) as Arc<dyn Signer>,
        });
        let pipeline = Arc::new(Pipeline::from(Parts {
            store: Arc::clone(&store),
            replica: Arc::clone(&replica),
            clock,
            limits,
            node: NodeId::new(Timestamp::from_millis(1), [1; 10]),
            identifier: Identifier::new(fixed(verifier), format!("{url}/mcp"), Timestamp::from_millis(0)),
            upstreams,
            broker,
            marks: provost_connect::Marks::of(&SealingKey::from_bytes(&[9; 32]).unwrap()).unwrap(),
        }));
        let token_seconds = Arc::new(AtomicI64::new(300));
        let tokens_issued = Arc::new(AtomicI64::new(0));
        let bills = Arc::new(Mutex::new(Vec::new()));
        let desk = Desk {
            url: url.clone(),
            store: Arc::clone(&store),
            replica: Arc::clone(&replica),
            key: Arc::clone(&key),
            token_seconds: Arc::clone(&token_seconds),
            tokens_issued: Arc::clone(&tokens_issued),
            bills: Arc::clone(&bills),
        };
        let hosts = Arc::new(Hosts::new([]));
        let asked_after = held::router(Arc::clone(&pipeline), Arc::clone(&hosts));
        let router = wrap::router(pipeline, hosts).merge(asked_after).merge(desk.router());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        let runtime = Mutex::new(Some(runtime));
        Self { url, store, replica, token_seconds, tokens_issued, bills, key, follows, runtime, dir }
    }

    /// Ends the plane's process, as far as anybody outside can tell.
    pub fn kill(&self) {
        if let Some(runtime) = self.runtime.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }

    /// The plane's node hears nothing from its store any more.
    pub fn cut_off_store(&self) {
        self.follows.send_replace(true);
    }

    /// What a wrapper is made from that starts a task by itself.
    pub fn settings(&self, behind: Behind) -> Settings {
        Settings {
            url: self.url.clone(),
            starter: Some(Client::with_token(&self.url, "the administrator's".into()).unwrap()),
            token: None,
            agent: "clerk".parse().unwrap(),
            system: Some(behind.system().parse().unwrap()),
            purpose: "a test".into(),
            duration: None,
            made_of: provost_cli::wrap::MadeOf::default(),
            command: command(behind, &self.log()).into_iter().map(Into::into).collect(),
            hidden: vec!["PROVOST_TOKEN".into(), "HOME".into()],
        }
    }

    /// The folder of this test.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Where every line that reaches the server is kept.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("reached.log")
    }

    /// The methods, and tools called, of everything that reached the server.
    pub fn reached(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of = |message: Value| match message["method"].as_str() {
            Some("tools/call") => message["params"]["name"].as_str().unwrap().to_owned(),
            Some(method) => method.to_owned(),
            None => "a response".to_owned(),
        };
        messages.map(of).collect()
    }

    /// Waits until a call has reached the server.
    pub async fn until_reached(&self, tool: &str) {
        for _ in 0..500 {
            if self.reached().iter().any(|name| name == tool) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.reached(), [tool]);
    }

    /// Starts a task and gives its token, for one system.
    pub async fn task(&self, system: &str) -> (TaskId, String) {
        let task = new_task();
        self.change(Object::Task(task.clone()), 0).await;
        (task.id, token(&self.url, &self.key, task.id, system, 300))
    }

    /// Commits one row; the replica follows within some 20 ms.
    pub async fn change(&self, object: Object, expected: u64) {
        self.store.commit(change_set(vec![Write::Put { object, expected }])).await.unwrap();
        self.replica.catch_up().await.unwrap();
    }

    pub async fn suspend(&self) {
        let mut agent = self.replica.latest().directory.agents.get("clerk").unwrap().as_ref().clone();
        agent.status = AgentStatus::Suspended;
        self.change(Object::Agent(agent), 1).await;
    }

    /// An order that nobody calls this system any more.
    pub async fn contain(&self) {
        let order = json!({"id": "containment_1", "scope": {"system": "files"}, "level": {"is": "off"}, "reason": "r",
            "by": {"shown_by": "test"}, "at": 0, "status": {"is": "in-force"}});
        self.change(Object::Containment(serde_json::from_value(order).unwrap()), 0).await;
    }

    pub fn running_tasks(&self) -> usize {
        let view = self.replica.latest();
        view.directory.tasks.values().filter(|task| task.status == TaskStatus::Running).count()
    }

    /// Decisions, oldest first, once they all have what `wanted` asks of their outcomes.
    pub async fn decisions(&self, wanted: &[(&str, &str, Option<&str>)]) {
        let mut seen = Vec::new();
        for _ in 0..200 {
            let page = self.store.decisions(&DecisionFilter { max: 50, ..Default::default() }).await.unwrap();
            let told = |stored: &StoredDecision| {
                let tool = stored.decision.tool.split_once('/').unwrap().1.to_owned();
                assert_eq!(stored.decision.face, "wrap");
                let outcome = stored.completion.as_ref().map(|completion| completion.outcome.as_str());
                (tool, stored.decision.verdict.as_str().to_owned(), outcome)
            };
            seen = page.decisions.iter().rev().map(told).collect();
            let same = seen.len() == wanted.len()
                && seen
                    .iter()
                    .zip(wanted)
                    .all(|(seen, wanted)| (seen.0.as_str(), seen.1.as_str(), seen.2) == *wanted);
            if same {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(format!("{seen:?}"), format!("{wanted:?}"));
    }
}

impl Drop for Plane {
    /// A runtime must not be waited for inside of another.
    fn drop(&mut self) {
        self.kill();
    }
}

impl Behind {
    pub fn system(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Child => "files",
            Self::Filesystem => "folder",
        }
    }
}

impl Desk {
    fn router(self) -> Router {
        Router::new()
            .route("/api/v1/tasks", post(Self::start))
            .route("/api/v1/tasks/{id}/token", post(Self::renew))
            .route("/api/v1/tasks/{id}/end", post(Self::end))
            .with_state(self)
    }

    async fn start(State(desk): State<Self>, Json(wanted): Json<Value>) -> Json<Value> {
        let system = wanted["system"].as_str().unwrap();
        desk.bills.lock().unwrap().push(wanted["bill"].clone());
        let mut task = new_task();
        let scope =
            TaskScope { system: system.parse().unwrap(), tools: Arc::default(), args: Default::default() };
        task.scope = Some(Arc::new([scope]));
        desk.put(&task, 0).await;
        Json(desk.started(&task, system))
    }

    async fn renew(
        State(desk): State<Self>,
        Path(id): Path<String>,
        Json(wanted): Json<Value>,
    ) -> Json<Value> {
        let task = desk.task(&id);
        Json(desk.started(&task, wanted["system"].as_str().unwrap()))
    }

    async fn end(State(desk): State<Self>, Path(id): Path<String>) -> Json<Value> {
        let mut task = desk.task(&id);
        task.status = TaskStatus::Ended;
        desk.put(&task, 1).await;
        Json(summary(&task))
    }

    fn task(&self, id: &str) -> Task {
        self.replica.latest().directory.tasks.get(&id.parse::<TaskId>().unwrap()).unwrap().as_ref().clone()
    }

    async fn put(&self, task: &Task, expected: u64) {
        let write = Write::Put { object: Object::Task(task.clone()), expected };
        self.store.commit(change_set(vec![write])).await.unwrap();
        self.replica.catch_up().await.unwrap();
    }

    fn started(&self, task: &Task, system: &str) -> Value {
        self.tokens_issued.fetch_add(1, Ordering::SeqCst);
        let token = token(&self.url, &self.key, task.id, system, self.token_seconds.load(Ordering::SeqCst));
        json!({"task": summary(task), "token": token, "token_expires": AT, "resource": format!("{}/mcp/{system}", self.url)})
    }
}

fn summary(task: &Task) -> Value {
    json!({
        "id": task.id, "agent": task.agent, "purpose": task.purpose, "requester": task.requester, "status": "running",
        "started": AT, "expires": AT,
    })
}

fn new_task() -> Task {
    let now = SystemClock.now();
    Task {
        id: TaskId::new(now, rand::random()),
        agent: "clerk".parse().unwrap(),
        purpose: "a test".into(),
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
    }
}

fn token(url: &str, key: &SigningKey, task: TaskId, system: &str, seconds: i64) -> String {
    let now = SystemClock.now();
    let claims = TaskClaims {
        iss: url.to_owned(),
        aud: format!("{url}/mcp/{system}"),
        sub: "clerk".parse().unwrap(),
        client_id: "clerk".parse().unwrap(),
        task,
        iat: now.as_seconds(),
        exp: now.as_seconds() + seconds,
        jti: rand::random::<u64>().to_string(),
    };
    issue(&claims, key).unwrap()
}

/// The server as a command; whatever reaches it is written into `log`.
fn command(behind: Behind, log: &std::path::Path) -> Vec<String> {
    let (server, folder) = (filesystem_server(), log.parent().unwrap());
    let tee =
        |server: String| vec!["sh".into(), "-c".into(), format!("tee -a '{}' | {server}", log.display())];
    match behind {
        Behind::Bank => tee(format!("'{}' --stdio", bank().display())),
        Behind::Child => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wrap/child.py");
            vec!["python3".into(), script.into(), log.display().to_string()]
        }
        Behind::Filesystem => tee(format!("node '{}' '{}'", server.display(), folder.display())),
    }
}

/// Where `tests/interop/setup.sh` puts the official filesystem server.
pub fn filesystem_server() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/node_modules");
    folder.join("@modelcontextprotocol/server-filesystem/dist/index.js")
}

/// The example bank as a program, built if nobody has.
fn bank() -> &'static PathBuf {
    static BANK: OnceLock<PathBuf> = OnceLock::new();
    BANK.get_or_init(|| {
        let built =
            std::process::Command::new(env!("CARGO")).args(["build", "-q", "-p", "provost-bank"]).status();
        assert!(built.unwrap().success(), "the bank does not build");
        let here = std::env::current_exe().unwrap();
        here.ancestors().nth(2).unwrap().join("provost-bank")
    })
}

/// Looks at the server's tools as a reviewer would.
async fn review(upstreams: &Upstreams, behind: Behind, command: Vec<String>) -> Vec<Tool> {
    let system = system(behind.system(), Connection::McpStdio { command, env: BTreeMap::new() });
    let caller = CallerKey { agent: "importer".parse().unwrap(), task: TaskId::from_bytes([0; 16]) };
    let profile =
        ClientProfile { capabilities: json!({}), client_info: json!({"name": "import", "version": "1"}) };
    let upstream = upstreams.get(&system, &caller, &profile, None).await.unwrap();
    let (listed, _) = provost_connect::list_tools(&upstream).await.unwrap();
    upstreams.end_task(caller.task).await;
    let effects = |name: &str| match name {
        "transfer" => vec!["financial".parse().unwrap()],
        _ => vec!["read".parse().unwrap()],
    };
    let tool = |definition: provost_mcp::tools::ToolDefinition| Tool {
        system: system.name.clone(),
        name: definition.name.parse().unwrap(),
        description: String::new(),
        pin: definition.pin(),
        effects: effects(&definition.name).into_iter().collect(),
        args: provost_policy::args_from_json_schema(&definition.input_schema).unwrap(),
        returns: match definition.name.as_str() {
            "get_statement" | "echo" => serde_json::from_value(json!([{"label": "confidential"}])).unwrap(),
            _ => Default::default(),
        },
        sends_out: false,
        steering: Default::default(),
        request: None,
    };
    listed.into_iter().map(tool).collect()
}

fn system(name: &str, connection: Connection) -> System {
    System {
        name: name.parse().unwrap(),
        description: "beside the agent".into(),
        environment: Environment::Production,
        connection,
        credential: None,
        revocation_max: DurationMs(0),
        resource_labels: Default::default(),
        only_through_plane: false,
        scim: None,
    }
}

fn agent(behind: Behind) -> Agent {
    let mut grants = match behind {
        Behind::Bank => vec![
            json!({"system": "bank", "tools": ["list_accounts", "get_statement"]}),
            json!({"system": "bank", "tools": ["transfer"], "args": {"amount": {"max": "500.0"}}}),
        ],
        Behind::Child => vec![json!({"system": "files", "tools": [
            "echo", "hang", "slow", "garbage", "unreadable", "huge", "crash", "ask", "env", "change",
        ]})],
        Behind::Filesystem => {
            vec![json!({"system": "folder", "tools": ["read_text_file", "list_directory"]})]
        }
    };
    grants.push(json!({"system": "elsewhere", "tools": ["@resources"]}));
    let charter = json!({
        "purpose": "a test", "owner": "maria", "environment": "production", "autonomy": "supervised",
        "data": ["confidential"], "task_duration_max": 3_600_000, "grants": grants,
    });
    Agent {
        id: AgentId::new(Timestamp::from_millis(1), [2; 10]),
        name: "clerk".parse().unwrap(),
        status: AgentStatus::Active,
        level: Default::default(),
        revision: 1,
        charter: serde_json::from_value(charter).unwrap(),
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

fn person() -> Person {
    Person {
        name: "maria".parse().unwrap(),
        display: "Maria".into(),
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    }
}

fn change_set(writes: Vec<Write>) -> ChangeSet {
    ChangeSet { by: Attribution { actor: "test".into(), why: "test".into() }, at: SystemClock.now(), writes }
}

const AT: &str = "2026-11-22T05:54:29.123Z";

/// Keys that do not change.
fn fixed(verifier: Verifier) -> provost_gateway::Verifiers {
    let verifier = Arc::new(verifier);
    Arc::new(move || Arc::clone(&verifier))
}
