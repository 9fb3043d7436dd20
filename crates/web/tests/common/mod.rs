//! A plane on a real socket, over a real store, for tests: SQLite, or PostgreSQL where a whole file of them is run over that too.

pub mod decided;
pub mod interop;
#[path = "../../../store-postgres/tests/support/mod.rs"]
#[expect(clippy::expect_used, clippy::panic, reason = "tests")]
mod support;

use provost_connect::{SealingKey, Upstreams};
use provost_control::{
    Op, Operator, OsRandom, Plane, keys, metrics::Metrics, session, token_keys::TokenKeys,
};
use provost_domain::{Clock, DurationMs, NodeId, Timestamp, limits::Limits};
use provost_replica::Replica;
use provost_store::{Store, SystemClock};
use provost_store_postgres::PostgresStore;
use provost_store_sqlite::SqliteStore;
use provost_token::Algorithm;
use provost_web::{App, Hosts, router};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path, sync::Arc};
use tempfile::TempDir;

pub struct Served {
    pub plane: Arc<Plane>,
    pub address: SocketAddr,
    pub token: String,
    pub client: reqwest::Client,
    pub data: TempDir,
    serving: tokio::task::JoinHandle<()>,
    _database: Option<support::Database>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{:#}", self.body);
        self.body
    }
}

pub fn node() -> NodeId {
    NodeId::new(Timestamp::from_millis(1), [7; 10])
}

pub async fn plane_over(store: Arc<dyn Store>, data: &Path, issuer: String) -> Arc<Plane> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let limits = Limits::default();
    let sealing_key = SealingKey::from_bytes(&[3; 32]).unwrap();
    let replica = Replica::load(Arc::clone(&store), Arc::clone(&clock)).await.unwrap();
    session::ensure_local_token(store.as_ref(), &OsRandom, node(), &data.join("token")).await.unwrap();
    Arc::new(Plane {
        token_keys: Arc::new(
            TokenKeys::load(store.as_ref(), &sealing_key, &OsRandom, &issuer).await.unwrap(),
        ),
        documents: Default::default(),
        quality: Default::default(),
        lifted: Default::default(),
        connectors: Default::default(),
        checks: Default::default(),
        trusted: Default::default(),
        bound_tokens: [provost_domain::Environment::Production].into(),
        ledger_key: keys::ledger_key(store.as_ref(), &sealing_key, &OsRandom, "test.example/ledger")
            .await
            .unwrap(),
        upstreams: Upstreams::new(provost_connect::Config::new(limits.clone())).unwrap(),
        random: Arc::new(OsRandom),
        token_lifetime_max: DurationMs::from_mins(15),
        outbox: Default::default(),
        inventory: Default::default(),
        metrics: Metrics::default(),
        door: Default::default(),
        data: data.to_owned(),
        node: node(),
        store,
        replica,
        clock,
        limits,
        issuer,
        sealing_key,
    })
}

pub async fn serve() -> Served {
    serve_beside(axum::Router::new()).await
}

/// A plane that hears of nothing but what it does itself, as one does that is cut off from its store.
pub async fn serve_cut_off() -> Served {
    served(axum::Router::new(), false, Algorithm::Es256).await
}

/// A plane that signs security events with this.
pub async fn serve_signalling(signals: Algorithm) -> Served {
    served(axum::Router::new(), true, signals).await
}

/// A plane with the routes of somebody else beside its own.
pub async fn serve_beside(beside: axum::Router) -> Served {
    served(beside, true, Algorithm::Es256).await
}

async fn served(beside: axum::Router, follows: bool, signals: Algorithm) -> Served {
    let data = tempfile::tempdir().unwrap();
    let (store, database) = store(data.path()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut plane = plane_over(Arc::clone(&store), data.path(), format!("http://{address}")).await;
    if signals != Algorithm::Es256 {
        let mut own = Arc::into_inner(plane).unwrap();
        let keys = Arc::into_inner(own.token_keys).unwrap();
        let keys = keys.signalling_with(signals, store.as_ref(), &own.sealing_key, &OsRandom).await;
        own.token_keys = Arc::new(keys.unwrap());
        plane = Arc::new(own);
    }
    let app = router(App::new(Arc::clone(&plane)).unwrap(), Hosts::new(address, []), beside);
    let replica = Arc::clone(&plane.replica);
    let serving = tokio::spawn(async move {
        // As a node does, so that a slow test is not decided on old knowledge.
        let follow = async {
            if !follows {
                std::future::pending::<()>().await;
            }
            loop {
                let _next_time = replica.catch_up().await;
                tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            }
        };
        tokio::select! {
            served = axum::serve(listener, app).into_future() => served.unwrap(),
            () = follow => {}
        }
    });
    let token = std::fs::read_to_string(data.path().join("token")).unwrap().trim().to_owned();
    Served { plane, address, token, client: reqwest::Client::new(), data, serving, _database: database }
}

async fn store(data: &Path) -> (Arc<dyn Store>, Option<support::Database>) {
    let limits = Limits::default();
    if std::env::var_os(OVER_POSTGRES).is_none() {
        return (Arc::new(SqliteStore::open(&data.join("provost.db"), &limits).unwrap()), None);
    }
    let database = support::Database::fresh().await;
    let store = PostgresStore::connect(&database.url, &limits, node()).await.unwrap();
    (Arc::new(store), Some(database))
}

/// Runs every test of this file once more, over PostgreSQL.
pub fn all_over_postgres() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let again = again
        .env(OVER_POSTGRES, "1")
        .args(["--skip", "over_postgresql", "--test-threads", "2"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("test result: ok") && !said.contains(" 0 passed"),
        "{said}"
    );
}

const OVER_POSTGRES: &str = "PROVOST_TEST_OVER_POSTGRES";

/// A plane over the same store whose clock is ahead.
pub async fn later(served: &Served, by: DurationMs) -> Arc<Plane> {
    struct Ahead(DurationMs);
    impl Clock for Ahead {
        fn now(&self) -> Timestamp {
            SystemClock.now().plus(self.0)
        }
    }
    let store = Arc::clone(&served.plane.store);
    let plane = plane_over(store, served.data.path(), served.plane.issuer.clone()).await;
    let mut plane = Arc::into_inner(plane).unwrap();
    plane.clock = Arc::new(Ahead(by));
    Arc::new(plane)
}

impl Served {
    pub fn op(&self) -> Op {
        Op {
            subject: Operator::LocalAdministrator,
            request_id: "test".to_owned(),
            plane: Arc::clone(&self.plane),
        }
    }

    /// A request with any token, or none; any body, or none.
    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let method: reqwest::Method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/api/v1{path}"), Some(&self.token), None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", &format!("/api/v1{path}"), Some(&self.token), Some(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", &format!("/api/v1{path}"), Some(&self.token), Some(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", &format!("/api/v1{path}"), Some(&self.token), None).await
    }

    /// Makes the small organisation so.
    pub async fn apply(&self) -> Value {
        self.post("/apply", json!({ "files": files(), "reason": "the test begins" })).await.ok()
    }

    /// Starts a task of the clerk and gives what the plane answered.
    pub async fn task(&self) -> Value {
        self.post("/tasks", json!({ "agent": "clerk", "purpose": "look at the accounts" })).await.ok()
    }
}

pub fn files() -> Value {
    json!([
        { "path": "organisation.toml", "text": ORGANISATION },
        { "path": "systems/bank.toml", "text": BANK },
        { "path": "agents/clerk.toml", "text": CLERK },
        { "path": "policies/payments.cedar", "text": POLICY },
    ])
}

pub const ORGANISATION: &str = r#"
[organisation]
display = "Test Ltd"
production_revocation_max = "24h"
# Signatures have tests of their own (`passkeys.rs`); here a word is enough.
approvals = { signed = "never" }

[person.maria]
display = "Maria"

[person.jonas]
display = "Jonas"

[workload.checkout]
purpose = "asks who may read what"
owner = "maria"
"#;

pub const BANK: &str = r#"
[system]
description = "A bank"
environment = "production"
url = "http://127.0.0.1:9/mcp"
credential = { name = "bank", target = "Authorization", prefix = "Bearer " }
revocation_max = "1m"

[tool.list_accounts]
pin = "sha256:c875efd9f4bd358ea0138c5679a88ff4833a95f625b06ad8db3bd257d251af7f"
description = "List accounts"
effects = ["read"]
returns = ["confidential"]

[tool.transfer]
pin = "sha256:4ecc49dbf99cde40f600c42a1edba0bedc66893e2994a69da4e058f0afc04b16"
description = "Pay"
effects = ["financial"]
args = { payee = "string", amount = "decimal" }
sends_out = true
"#;

pub const CLERK: &str = r#"
[agent]
purpose = "Looks at accounts and pays a little"
owner = "maria"
environment = "production"
autonomy = "supervised"
task_duration_max = "60m"
data = ["confidential"]

[[grant]]
system = "bank"
tools = ["list_accounts", "transfer"]

[[budget]]
name = "transfers-a-day"
system = "bank"
tools = ["transfer"]
window = "24h"
per = "agent"
count_max = 3
"#;

pub const POLICY: &str = r#"
@id("test/small-payments-only")
@reason("payments above 250 EUR are for people")
forbid (principal, action == Action::"bank/transfer", resource == System::"bank")
when { context.args.amount.greaterThan(decimal("250.0")) };
"#;

/// Puts a row there as it is, whatever stood in its place.
pub async fn put(served: &Served, object: provost_domain::Object) {
    let expected = served.plane.store.version(&object.key()).await.unwrap();
    let by = provost_store::Attribution { actor: "test".into(), why: "test".into() };
    let writes = vec![provost_store::Write::Put { object, expected }];
    served.plane.store.commit(provost_store::ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

/// Somebody who signed in, and operates.
pub fn signed_in(served: &Served, person: &str) -> Op {
    let subject = Operator::Person(person.parse().unwrap(), [provost_domain::Role::Operator].into());
    Op { subject, ..served.op() }
}

/// Lifts an order at `off`: the token of the machine asks in maria's name, and jonas, signed in, agrees.
pub async fn lift(served: &Served, id: &str) -> provost_api::containment::ContainmentView {
    let said = json!({"reason": "it is mended", "person": "maria"});
    served.post(&format!("/containments/{id}/lift"), said).await.ok();
    let said = serde_json::from_value(json!({"reason": "it is mended"})).unwrap();
    provost_control::containment::lift(&signed_in(served, "jonas"), id, said).await.unwrap()
}

/// Puts an approval of a payment of so much there, as the gateway would; its id is `approval_` and the amount.
pub async fn asked(served: &Served, task: &str, amount: &str) -> provost_domain::Approval {
    use provost_domain::{
        Approval, Clock as _, Digest, DurationMs, Object, Timestamp,
        approval::{ApprovalStatus, Bound},
    };
    served.plane.replica.catch_up().await.unwrap();
    let task: provost_domain::TaskId = task.parse().unwrap();
    let directory = served.plane.replica.latest().directory.clone();
    let row = directory.tasks.get(&task).unwrap();
    let now: Timestamp = provost_store::SystemClock.now();
    let args =
        json!({ "payee": "ACME", "amount": amount.parse::<f64>().unwrap() }).as_object().unwrap().clone();
    let tool = directory.tools.get(&("bank".parse().unwrap(), "transfer".parse().unwrap())).unwrap();
    let approval = Approval {
        id: format!("approval_{amount}"),
        agent: row.agent.clone(),
        task,
        purpose: row.purpose.to_string(),
        askers: Default::default(),
        system: "bank".parse().unwrap(),
        tool: "transfer".parse().unwrap(),
        action: Digest::of(amount.as_bytes()),
        args,
        gates: ["owner".to_owned()].into(),
        reasons: Vec::new(),
        bound: Bound {
            revision: directory.agents.get(&row.agent).unwrap().revision,
            pin: tool.pin,
            policies: Digest::of(b"policies"),
        },
        decision: provost_domain::DecisionId::new(now, [3; 10]),
        asked: now,
        expires: now.plus(DurationMs::from_mins(5)),
        votes: Vec::new(),
        edited_from: None,
        mark: Some(Digest::of(amount.as_bytes())),
        check: None,
        status: ApprovalStatus::Waiting,
    };
    put(served, Object::Approval(Box::new(approval.clone()))).await;
    approval
}

/// Puts a proposal there by jonas, as an administrator who signed in: so many transfers a day. Gives its id.
pub async fn proposed(served: &Served, most: u32) -> String {
    let op = Op {
        subject: Operator::Person("jonas".parse().unwrap(), [provost_domain::Role::Administrator].into()),
        ..served.op()
    };
    let text = CLERK.replace("count_max = 3", &format!("count_max = {most}"));
    let request = json!({ "files": [{ "path": "agents/clerk.toml", "text": text }], "reason": "more" });
    let applied = provost_control::plan::apply(&op, serde_json::from_value(request).unwrap()).await.unwrap();
    applied.proposal.unwrap().summary.id
}

/// A call of the clerk that was allowed, and whose node stopped before it heard what came of it.
pub async fn lost_call(served: &Served, task: &str) -> String {
    use provost_domain::{Completion, Decision, DecisionId, Digest, Outcome, Verdict, decision::Subject};
    let (now, task) = (served.plane.now(), task.parse().unwrap());
    let id = DecisionId::new(now, served.plane.random());
    let decision = Decision {
        v: 1,
        id,
        at: now,
        node: node(),
        view: served.plane.replica.latest().directory.seq,
        policies: Digest::of(b"policies"),
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: "clerk".to_owned(),
            owner: None,
            revision: None,
            task: Some(task),
            requester: None,
        },
        system: "bank".parse().unwrap(),
        tool: "bank/transfer".to_owned(),
        action: Digest::of(b"action"),
        approval: None,
        input: json!({}),
        verdict: Verdict::Allow { reasons: Vec::new() },
        errors: Vec::new(),
    };
    let intent = provost_store::Intent { decision: decision.into(), expects: None, charges: Vec::new() };
    served.plane.store.record(intent).await.unwrap();
    let error = "the node stopped before an outcome was recorded".to_owned();
    let completion = Completion {
        v: 1,
        decision: id,
        at: served.plane.now(),
        outcome: Outcome::Unknown { error },
        took_ms: 1,
        labels: Default::default(),
        result: None,
    };
    served.plane.store.complete(completion, Some(task)).await.unwrap();
    id.to_string()
}

/// The one open envelope, or a word that is none.
pub fn open_envelope(served: &Served) -> String {
    let view = served.plane.replica.latest();
    view.directory.envelopes.values().next().map_or("none".to_owned(), |row| row.id.clone())
}

/// Something about the clerk waits to be agreed to.
pub async fn put_aside(served: &Served) {
    use provost_domain::Object;
    use provost_store::{Attribution, ChangeSet, Write};
    let agent = "clerk".parse().unwrap();
    let of = provost_domain::BaselineOf::Agent { agent };
    let mut row = provost_domain::Baseline::begun(of, served.plane.now());
    row.usual.aside.runs = 1;
    let writes = vec![Write::Put { object: Object::Baseline(Box::new(row)), expected: 0 }];
    let by = Attribution { actor: "plane".into(), why: "learned".into() };
    served.plane.store.commit(ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

/// Puts something there that was owed to somebody and is not tried any more.
pub async fn given_up(served: &Served, id: &str) {
    use provost_domain::{Clock as _, Delivery, Object, delivery::DeliveryState};
    let now: Timestamp = provost_store::SystemClock.now();
    let delivery = Delivery {
        id: id.to_owned(),
        lane: "channel/nowhere".to_owned(),
        order: 0,
        kind: "asked".to_owned(),
        about: None,
        payload: Default::default(),
        only_while_waiting: false,
        followed: false,
        created: now,
        until: now,
        attempts: 1,
        last: None,
        state: DeliveryState::GivenUp { at: now, why: "it is gone".to_owned() },
    };
    put(served, Object::Delivery(Box::new(delivery))).await;
}

/// The passkey of a person, made of their name: registered at the plane once, it signs what they are asked to.
pub async fn device(served: &Served, person: &str) -> provost_passkey::soft::Authenticator {
    use provost_passkey::{Party, encode, soft::Authenticator};
    let mut seed = [7; 32];
    seed.iter_mut().zip(person.bytes()).for_each(|(at, byte)| *at = byte);
    let mut device = Authenticator::from_seed(&seed).unwrap();
    let now = served.plane.now();
    let row = provost_domain::Passkey {
        id: encode(&device.id),
        person: person.parse().unwrap(),
        name: "laptop".to_owned(),
        key: encode(&device.cose_key()),
        party: Party::of(&served.plane.issuer).unwrap().id,
        counter: 0,
        synced: false,
        added: now.minus(DurationMs::from_mins(60)),
        used: None,
        doubt: None,
        removed: None,
    };
    let object = provost_domain::Object::Passkey(Box::new(row));
    if served.plane.store.version(&object.key()).await.unwrap() == 0 {
        let by = provost_store::Attribution { actor: "test".to_owned(), why: "test".to_owned() };
        let writes = vec![provost_store::Write::Put { object, expected: 0 }];
        served.plane.store.commit(provost_store::ChangeSet { by, at: now, writes }).await.unwrap();
        served.plane.replica.catch_up().await.unwrap();
    }
    served.plane.replica.catch_up().await.unwrap();
    let (view, name) = (served.plane.replica.latest(), person.parse().unwrap());
    let known = view.directory.passkeys_of(&name).find(|row| row.id == encode(&device.id));
    device.counter = known.unwrap().counter;
    device
}

/// What the person's passkey makes of what they are asked to sign.
pub async fn signed(
    served: &Served,
    person: &str,
    asked: &provost_api::passkey::StatementView,
) -> provost_api::passkey::Signed {
    use provost_passkey::{Party, decode, encode};
    let mut device = device(served, person).await;
    let challenge = decode("challenge", &asked.challenge).unwrap();
    let made = device.sign(&challenge, &Party::of(&served.plane.issuer).unwrap());
    provost_api::passkey::Signed {
        ticket: asked.ticket.clone(),
        passkey: encode(&device.id),
        client_data: encode(&made.client_data),
        authenticator_data: encode(&made.authenticator_data),
        signature: encode(&made.signature),
        user: None,
    }
}

/// What the exported ledger says of signed answers, by itself.
pub async fn audit(served: &Served) -> provost_passkey::audit::Found {
    use provost_ledger::{Options, verify_export};
    use provost_passkey::audit::SignedAnswers;
    use std::collections::BTreeMap;
    provost_control::sequencer::sequence_all(&served.plane).await.unwrap();
    let (mut files, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = served.get(&format!("/ledger/export{cursor}")).await.ok();
        for piece in page["pieces"].as_array().unwrap() {
            use base64::Engine as _;
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(piece["base64"].as_str().unwrap()).unwrap();
            files.insert(piece["path"].as_str().unwrap().to_owned(), bytes);
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    let mut signed = SignedAnswers::default();
    let mut options = Options::default();
    options.checks.push(Box::new(&mut signed));
    let report = verify_export(&files, options);
    assert!(report.is_sound(), "{:?}", report.faults);
    signed.found().clone()
}
