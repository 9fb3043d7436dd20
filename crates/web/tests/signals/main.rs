#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Shared Signals over real sockets: streams, events that are pushed and fetched, and those of a trusted issuer.

#[path = "../common/mod.rs"]
mod common;

mod others;
mod streams;

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use common::{Served, interop, serve};
use provost_control::outbox;
use provost_domain::{DurationMs, Timestamp};
use provost_token::{
    KeyPurpose, KeySet, SigningKey,
    set::{SecurityEvent, read_event},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

const AUDIENCE: &str = "https://siem.acme.example";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const ACCOUNT_DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

/// A plane with two receivers and a workload that is none; with their tokens.
async fn plane() -> (Served, [String; 3]) {
    receiving(serve().await).await
}

async fn receiving(served: Served) -> (Served, [String; 3]) {
    served.apply().await;
    let workload =
        |name: &str, more: &str| format!("[workload.{name}]\npurpose = \"p\"\nowner = \"maria\"\n{more}\n");
    let text = [
        workload("siem", &format!("signals = \"{AUDIENCE}\"")),
        workload("other", "signals = \"https://other.acme.example\""),
        workload("plain", ""),
    ]
    .concat();
    let files = json!([{ "path": "receivers.toml", "text": text }]);
    served
        .post(
            "/apply",
            json!({ "files": files, "reason": "the test begins", "break_glass": true, "person": "maria" }),
        )
        .await
        .ok();
    let mut tokens = Vec::new();
    for name in ["siem", "other", "plain"] {
        let issued = served.post(&format!("/workloads/{name}/token"), json!({ "reason": "test" })).await.ok();
        tokens.push(issued["token"].as_str().unwrap().to_owned());
    }
    outbox::once(&served.plane).await.unwrap();
    (served, tokens.try_into().unwrap())
}

async fn stream(served: &Served, token: &str, body: Value) -> Value {
    let made = served.send("POST", "/ssf/stream", Some(token), Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

async fn suspend(served: &Served) {
    served.post("/agents/clerk/suspend", json!({ "reason": "it went wild" })).await.ok();
    outbox::once(&served.plane).await.unwrap();
}

async fn keys(served: &Served) -> KeySet {
    let jwks = served.send("GET", "/oauth/jwks", None, None).await.ok();
    KeySet::parse(jwks.to_string().as_bytes(), KeyPurpose::Signatures).unwrap()
}

/// A receiver of pushed events, which answers as it is told.
#[derive(Clone, Default)]
struct Pushed {
    script: Arc<Mutex<VecDeque<u16>>>,
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Pushed {
    async fn start(&self) -> String {
        async fn take(State(me): State<Pushed>, headers: HeaderMap, body: String) -> (StatusCode, String) {
            assert_eq!(headers["content-type"], "application/secevent+jwt");
            let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            me.got.lock().unwrap().push((authorization.unwrap_or_default(), body));
            let status = me.script.lock().unwrap().pop_front().unwrap_or(202);
            let body = if status == 400 {
                r#"{"err":"invalid_key","description":"d"}"#.to_owned()
            } else {
                String::new()
            };
            (StatusCode::from_u16(status).unwrap(), body)
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/events", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        format!("http://{address}/events")
    }

    fn got(&self) -> Vec<(String, String)> {
        self.got.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_event_is_sent_again_until_it_is_taken_and_not_again_when_it_is_refused() {
    let (served, [siem, _other, _plain]) = plane().await;
    let receiver = Pushed::default();
    let delivery = json!({ "method": "urn:ietf:rfc:8935", "endpoint_url": receiver.start().await,
        "authorization_header": "Bearer hunter2-hunter2" });
    let made =
        stream(&served, &siem, json!({ "delivery": delivery, "events_requested": [ACCOUNT_DISABLED] })).await;
    let id = made["stream_id"].as_str().unwrap();
    assert!(!made.to_string().contains("hunter2"), "{made}");
    let records = served.plane.store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    assert!(!serde_json::to_string(&records).unwrap().contains("hunter2"));
    receiver.script.lock().unwrap().extend([503]);
    suspend(&served).await;
    let later = common::later(&served, DurationMs::from_mins(2)).await;
    outbox::once(&later).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2, "once in vain, once taken");
    assert_eq!(got[0].0, "Bearer hunter2-hunter2");
    let keys = keys(&served).await;
    let read = |set: &str| {
        read_event(set, &keys, (&served.plane.issuer, &[AUDIENCE]), served.plane.now()).unwrap().jti
    };
    assert_eq!(read(&got[0].1), read(&got[1].1), "the same event");
    let shown = served.get(&format!("/deliveries/{}", read(&got[0].1))).await.ok();
    assert_eq!((&shown["state"], &shown["attempts"]), (&json!("delivered"), &json!(2)));

    receiver.script.lock().unwrap().extend([400]);
    let verify = json!({ "stream_id": id, "state": "abc" });
    assert_eq!(served.send("POST", "/ssf/verify", Some(&siem), Some(&verify)).await.status, 204);
    outbox::once(&served.plane).await.unwrap();
    let later = common::later(&served, DurationMs::from_mins(10)).await;
    outbox::once(&later).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 3, "refused is not sent again");
    let event =
        read_event(&got[2].1, &keys, (&served.plane.issuer, &[AUDIENCE]), served.plane.now()).unwrap();
    assert_eq!(
        (&event.subject, &event.payload["state"]),
        (&json!({"format": "opaque", "id": id}), &json!("abc"))
    );
    let shown = served.get(&format!("/deliveries/{}", event.jti)).await.ok();
    assert_eq!(shown["state"], "given-up");
    assert!(shown["said"].as_str().unwrap().contains("invalid_key"), "{shown}");
}

// --- events of others ---------------------------------------------------------------------------------------------

const IDP: &str = "https://idp.acme.example";

fn idp_key() -> SigningKey {
    SigningKey::es256_from_seed(&[7; 32]).unwrap()
}

async fn trusting() -> Served {
    let served = serve().await;
    served.apply().await;
    let jwks = json!({ "keys": [serde_json::to_value(idp_key().verifying().jwk()).unwrap()] }).to_string();
    let text = format!(
        "[person.ben]\ndisplay = \"Ben\"\nemail = \"ben@acme.example\"\n\
         [issuer.idp]\ndescription = \"The identity provider\"\nissuer = \"{IDP}\"\nkeys = {{ jwks = '{jwks}' }}\nowner = \"maria\"\n\
         signals = [\"{}\"]\n",
        served.plane.issuer
    );
    let files = json!([{ "path": "idp.toml", "text": text }]);
    served
        .post(
            "/apply",
            json!({ "files": files, "reason": "the test begins", "break_glass": true, "person": "maria" }),
        )
        .await
        .ok();
    served
}

fn event(served: &Served, jti: &str, kind: &str, changes: impl Fn(&mut SecurityEvent)) -> String {
    let mut event = SecurityEvent {
        iss: IDP.to_owned(),
        aud: served.plane.issuer.clone(),
        iat: served.plane.now().as_seconds(),
        jti: jti.to_owned(),
        sub_id: json!({"format": "email", "email": "BEN@acme.example"}),
        events: json!({ kind: {} }).as_object().unwrap().clone(),
        txn: None,
    };
    changes(&mut event);
    event.issue(&idp_key()).unwrap()
}

async fn tell(served: &Served, set: &str) -> (u16, Value) {
    let url = format!("http://{}/ssf/receive", served.address);
    let request =
        served.client.post(url).header("content-type", "application/secevent+jwt").body(set.to_owned());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

async fn session_of(served: &Served, person: &str) {
    use provost_domain::{Digest, Object, Session};
    let now: Timestamp = served.plane.now();
    let row = Session {
        id: Digest::of(person.as_bytes()),
        person: person.parse().unwrap(),
        roles: Default::default(),
        by: "test".to_owned(),
        passkey: None,
        seen: Some(now),
        started: now,
        expires: now.plus(DurationMs::from_mins(60)),
        ended: false,
    };
    let by = provost_store::Attribution { actor: "plane".to_owned(), why: "test".to_owned() };
    let writes = vec![provost_store::Write::Put { object: Object::Session(row), expected: 0 }];
    served.plane.store.commit(provost_store::ChangeSet { by, at: now, writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_issuer_says_of_a_person_holds_here_once() {
    let served = trusting().await;
    session_of(&served, "ben").await;
    let sessions = || served.plane.replica.latest().directory.sessions.len();
    let revoked = event(&served, "1", SESSION_REVOKED, |_event| {});
    assert_eq!(tell(&served, &revoked).await.0, 202);
    assert_eq!(sessions(), 0, "signed out");
    assert_eq!(served.get("/people/ben").await.ok()["active"], true);
    session_of(&served, "ben2").await;
    let disabled = event(&served, "2", ACCOUNT_DISABLED, |_event| {});
    assert_eq!(tell(&served, &disabled).await.0, 202);
    assert_eq!(served.get("/people/ben").await.ok()["active"], false, "as if the person had left");
    let head = served.plane.store.head().await.unwrap();
    assert_eq!(tell(&served, &disabled).await.0, 202);
    assert_eq!(served.plane.store.head().await.unwrap(), head, "the same event again is no news");
    let found = served.get("/findings").await.ok();
    let mut kinds: Vec<&str> =
        found["items"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    kinds.retain(|kind| kind.starts_with("signal"));
    kinds.sort_unstable();
    assert_eq!(kinds, ["signal-account-disabled", "signal-session-revoked"], "{found:#}");
    let person = provost_domain::ObjectKey::new(provost_domain::Kind::Person, "ben");
    let record = served.plane.store.history(&person, 1).await.unwrap().remove(0);
    assert!(record.by.why.contains("idp says account-disabled"), "{}", record.by.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_a_trusted_issuer_reports_leaked_stops_the_persons_agents_by_a_rule_as_often_as_it_says()
 {
    use provost_control::rule;
    let served = trusting().await;
    let rule = "[rule.leaked]\nfinding = \"signal-credential-compromise\"\nseverity = \"critical\"\nlevel = \"off\"\n\
                stops = \"owner\"\nat_most = \"1 in 1h\"\n";
    let bens = common::CLERK.replace("owner = \"maria\"", "owner = \"ben\"");
    let organisation = format!("{}\n{rule}", common::ORGANISATION);
    let files = json!([{ "path": "organisation.toml", "text": organisation }, { "path": "agents/bens.toml", "text": bens }]);
    let apply =
        json!({ "files": files, "reason": "the test begins", "break_glass": true, "person": "maria" });
    served.post("/apply", apply).await.ok();
    let mut position = None;
    assert_eq!(rule::once(&served.plane, &mut position).await.unwrap(), 0);
    let acts = |agent: &str| {
        let directory = served.plane.replica.latest().directory.clone();
        directory.acts(&directory.agents[&agent.parse::<provost_domain::Name>().unwrap()])
    };
    let leaked = "https://schemas.openid.net/secevent/risc/event-type/credential-compromise";
    let set = event(&served, "1", leaked, |_event| {});
    assert_eq!(tell(&served, &set).await.0, 202);
    assert!(acts("bens"), "until the rule hears of it");
    assert_eq!(rule::once(&served.plane, &mut position).await.unwrap(), 1);
    assert!(!acts("bens") && acts("clerk"), "ben's agents, and nobody else's");
    let orders = served.get("/containments").await.ok()["items"].clone();
    assert_eq!((&orders[0]["scope"], &orders[0]["by"]), (&json!("agents of ben"), &json!("rule leaked")));
    // The same event, and a node that reads the same again, order nothing more.
    tell(&served, &set).await;
    assert_eq!(rule::once(&served.plane, &mut position).await.unwrap(), 0);
    served.plane.store.put_meta("rule-position", b"0").await.unwrap();
    assert_eq!(rule::once(&served.plane, &mut None).await.unwrap(), 0);
    // What its limit holds back is told.
    let finding = served.get("/findings?kind=signal-credential-compromise").await.ok()["items"][0].clone();
    let close = format!("/findings/{}/close", finding["id"].as_str().unwrap());
    served.post(&close, json!({ "reason": "it was changed", "person": "jonas" })).await.ok();
    let again = event(&served, "2", leaked, |_event| {});
    assert_eq!(tell(&served, &again).await.0, 202);
    assert_eq!(rule::once(&served.plane, &mut position).await.unwrap(), 0);
    let limit = served.get("/findings?kind=rule-limit").await.ok();
    assert_eq!(limit["items"][0]["severity"], "critical", "{limit:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_whole_ours_and_of_a_trusted_issuer_changes_nothing() {
    let served = trusting().await;
    let head = served.plane.store.head().await.unwrap();
    let stranger = SigningKey::es256_from_seed(&[9; 32]).unwrap();
    let good = event(&served, "1", ACCOUNT_DISABLED, |_event| {});
    let forged = {
        let mut event = SecurityEvent {
            iss: IDP.to_owned(),
            aud: served.plane.issuer.clone(),
            iat: served.plane.now().as_seconds(),
            jti: "1".to_owned(),
            sub_id: json!({"format": "email", "email": "ben@acme.example"}),
            events: Default::default(),
            txn: None,
        };
        event.events.insert(ACCOUNT_DISABLED.to_owned(), json!({}));
        event.issue(&stranger).unwrap()
    };
    let table = [
        (
            event(&served, "1", ACCOUNT_DISABLED, |event| event.aud = "https://other.example".to_owned()),
            "invalid_audience",
        ),
        (
            event(&served, "1", ACCOUNT_DISABLED, |event| event.iss = "https://evil.example".to_owned()),
            "invalid_issuer",
        ),
        (event(&served, "1", ACCOUNT_DISABLED, |event| event.iat += 3_600), "invalid_request"),
        (event(&served, "1", ACCOUNT_DISABLED, |event| event.iat -= 30 * 24 * 3_600), "invalid_request"),
        (
            event(&served, "1", ACCOUNT_DISABLED, |event| {
                drop(event.events.insert("x".to_owned(), json!({})))
            }),
            "invalid_request",
        ),
        (forged, "invalid_key"),
        (good.replace('.', ""), "invalid_request"),
        (String::new(), "invalid_request"),
    ];
    for (set, err) in table {
        let (status, body) = tell(&served, &set).await;
        assert_eq!((status, &body["err"]), (400, &json!(err)), "{body}");
    }
    let plain = served.send("POST", "/ssf/receive", None, Some(&json!({ "set": good }))).await;
    assert_eq!(plain.status, 400);
    assert_eq!(served.plane.store.head().await.unwrap(), head);
    // Somebody nobody here is, is put on record and changes nobody.
    let unknown =
        event(&served, "2", ACCOUNT_DISABLED, |event| event.sub_id["email"] = json!("x@acme.example"));
    assert_eq!(tell(&served, &unknown).await.0, 202);
    assert_eq!(served.get("/people/ben").await.ok()["active"], true);
}

// --- accounts at systems ------------------------------------------------------------------------------------------

/// A SCIM server written by others.
struct Scim {
    child: std::process::Child,
    url: String,
}

impl Drop for Scim {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Scim {
    fn start() -> Self {
        use std::{
            io::{BufRead as _, BufReader},
            process::{Command, Stdio},
        };
        let interop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop");
        let ready = Command::new(format!("{interop}/setup.sh")).status().unwrap();
        assert!(ready.success(), "tests/interop/setup.sh");
        let mut child = Command::new(format!("{interop}/.venv/bin/python"))
            .arg(format!("{interop}/clients/scim.py"))
            .env("TOKEN", "scim-token-1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: said["url"].as_str().unwrap().to_owned() }
    }

    async fn ask(&self, served: &Served, method: &str, path: &str, body: Option<Value>) -> Value {
        let request = served
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .bearer_auth("scim-token-1")
            .header("content-type", "application/scim+json");
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap_or(Value::Null)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_agents_account_at_a_system_is_made_inactive_and_looked_at() {
    let served = serve().await;
    served.apply().await;
    let scim = Scim::start();
    let user = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "agent-clerk@acme.example", "active": true });
    let made = scim.ask(&served, "POST", "/Users", Some(user)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let bank = format!(
        "{}\n[system.scim]\nurl = \"{}\"\nuser = \"agent-{{agent}}@acme.example\"\ncredential = \"bank-scim\"\n",
        common::BANK,
        scim.url
    );
    let files = json!([{ "path": "systems/bank.toml", "text": bank }]);
    served
        .post(
            "/apply",
            json!({ "files": files, "reason": "the test begins", "break_glass": true, "person": "maria" }),
        )
        .await
        .ok();
    outbox::once(&served.plane).await.unwrap();
    served.post("/agents/clerk/suspend", json!({ "reason": "it went wild" })).await.ok();
    outbox::once(&served.plane).await.unwrap();
    let row = served.get("/deliveries?lane=scim/bank").await.ok()["items"][0].clone();
    assert!(row["said"].as_str().unwrap().contains("provost credential set bank-scim"), "{row}");
    let body = json!({ "secret": "scim-token-1", "reason": "the test begins" });
    served.put("/credentials/bank-scim", body).await.ok();
    let later = common::later(&served, DurationMs::from_mins(5)).await;
    outbox::once(&later).await.unwrap();
    let row = served.get(&format!("/deliveries/{}", row["id"].as_str().unwrap())).await.ok();
    assert_eq!(row["state"], "delivered", "{row:#}");
    assert_eq!(row["said"], format!("read back: {id} is not active, and was before"));
    assert_eq!(scim.ask(&served, "GET", &format!("/Users/{id}"), None).await["active"], false);
}
