//! The plane killed in the middle of what an order leads to outside. Whatever step it was at, after the restart everybody
//! outside has what they were owed, in order on each lane and under the same id when it came twice; and nothing more was said of
//! the order meanwhile than was shown.
//!
//! | killed | what is on record | after the restart |
//! |---|---|---|
//! | before the order's change was read | the order | it is read, and owed |
//! | between the rows and the position | the rows | it is read again, and nothing is owed twice |
//! | owed, and nobody answered yet | rows that are due | they are sent |
//! | sent, not answered | rows that are due, and a claim | the claim runs out; the same again, under the same id |
//! | done there, the answer lost | the same | it is looked at, seen to be done, and not taken for the order's own deed |
//! | marked | rows that are over | nothing is sent again |

use crate::program::{Plane, free_port, until};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;

/// Everybody outside, in the test's own process, so that they outlive the plane.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// By receiver: what came, in order, with whether it was answered.
    got: BTreeMap<String, Vec<(String, bool)>>,
    /// Receivers that take what they get and say nothing.
    silent: BTreeSet<String>,
    /// Receivers that fail.
    failing: BTreeSet<String>,
    /// Accounts, and whether each is active.
    accounts: BTreeMap<String, bool>,
    /// How often an account was changed.
    changes: usize,
}

impl Outside {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// What a receiver got, in order.
    fn got(&self, who: &str) -> Vec<(String, bool)> {
        self.seen(|seen| seen.got.get(who).cloned().unwrap_or_default())
    }

    /// What it got for the first time, in order.
    fn firsts(&self, who: &str) -> Vec<String> {
        let mut known = BTreeSet::new();
        self.got(who).into_iter().map(|(id, _answered)| id).filter(|id| known.insert(id.clone())).collect()
    }

    fn silence(&self, who: &[&str]) {
        self.seen(|seen| seen.silent = who.iter().map(|who| (*who).to_owned()).collect());
    }

    fn fail(&self, who: &[&str]) {
        self.seen(|seen| seen.failing = who.iter().map(|who| (*who).to_owned()).collect());
    }

    async fn heard(&self, who: &str, id: String) -> StatusCode {
        let (silent, failing) = self.seen(|seen| {
            let (silent, failing) = (seen.silent.contains(who), seen.failing.contains(who));
            seen.got.entry(who.to_owned()).or_default().push((id, !silent && !failing));
            (silent, failing)
        });
        if silent {
            tokio::time::sleep(Duration::from_secs(300)).await;
        }
        if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::ACCEPTED }
    }
}

async fn event(State(outside): State<Outside>, Path(who): Path<String>, body: String) -> StatusCode {
    let claims = body.split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&provost_passkey::decode("claims", &claims).unwrap()).unwrap();
    outside.heard(&who, claims["jti"].as_str().unwrap().to_owned()).await
}

async fn hook(State(outside): State<Outside>, Path(who): Path<String>, headers: HeaderMap) -> StatusCode {
    outside.heard(&who, headers["webhook-id"].to_str().unwrap().to_owned()).await
}

async fn list(State(outside): State<Outside>) -> Json<Value> {
    let rows = outside.seen(|seen| seen.accounts.clone());
    let rows: Vec<Value> =
        rows.iter().map(|(id, active)| json!({"id": id, "userName": id, "active": active})).collect();
    Json(json!({"totalResults": rows.len(), "Resources": rows}))
}

async fn read(State(outside): State<Outside>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let active = outside.seen(|seen| seen.accounts.get(&id).copied()).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"id": id, "userName": id, "active": active})))
}

async fn change(State(outside): State<Outside>, Path(id): Path<String>, body: String) -> StatusCode {
    let body: Value = serde_json::from_str(&body).unwrap();
    let silent = outside.seen(|seen| {
        seen.accounts.insert(id, body["Operations"][0]["value"].as_bool().unwrap());
        seen.changes += 1;
        seen.silent.contains("scim")
    });
    if silent {
        tokio::time::sleep(Duration::from_secs(300)).await;
    }
    StatusCode::NO_CONTENT
}

/// A plane, those outside, and agents that only the plane leads to their system.
struct Scene {
    outside: Outside,
    plane: Option<Plane>,
    folder: TempDir,
    port: u16,
    runtime: tokio::runtime::Runtime,
}

const AGENTS: [&str; 7] = ["a1", "a2", "a3", "a4", "a5", "a6", "a7"];

impl Scene {
    fn set() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let outside = Outside::default();
        outside.seen(|seen| seen.accounts = AGENTS.map(|name| (format!("{name}@acme"), true)).into());
        let app = Router::new()
            .route("/events/{who}", post(event))
            .route("/hook/{who}", post(hook))
            .route("/scim/Users", get(list))
            .route("/scim/Users/{id}", get(read).patch(change))
            .with_state(outside.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self { outside, plane: None, folder, port: free_port(), runtime };
        scene.start();
        scene.organise(&url);
        scene
    }

    fn plane(&self) -> &Plane {
        self.plane.as_ref().unwrap()
    }

    /// Starts the plane on what the last one left, at the same address.
    fn start(&mut self) {
        let public = format!("http://127.0.0.1:{}", self.port);
        let data = self.folder.path().join("data");
        let plane = Plane::start_with(&data, |command| {
            command.args(["--public-url", &public]);
        });
        self.plane = Some(plane.unwrap_or_else(|output| panic!("{output:?}")));
    }

    fn kill(&mut self) {
        self.plane.take().unwrap().kill();
    }

    fn organise(&self, url: &str) {
        let mut text = ORGANISATION.replace("OUTSIDE", url);
        for agent in AGENTS {
            text.push_str(&AGENT.replace("NAME", agent));
        }
        let files = self.folder.path().join("files");
        std::fs::create_dir(&files).unwrap();
        std::fs::write(files.join("all.toml"), text).unwrap();
        self.plane().json(&["apply", files.to_str().unwrap(), "--yes"]);
        for secret in ["first-key", "second-key"] {
            self.plane().say(&["credential", "set", secret], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        }
        for who in ["siem", "soar"] {
            let token = self.plane().json(&["workload", "token", who, "--reason", "a test"])["token"]
                .as_str()
                .unwrap()
                .to_owned();
            let body = json!({"delivery": {"method": "urn:ietf:rfc:8935", "endpoint_url": format!("{url}/events/{who}")},
                "events_requested": [DISABLED]});
            let made = posted(&self.plane().url, "/ssf/stream", &token, &body.to_string());
            assert!(made.starts_with("HTTP/1.1 201"), "{made}");
        }
    }

    fn order(&self, agent: &str) -> String {
        let order = self.plane().json(&["kill", "--agent", agent, "--reason", "a test", "--as", "maria"]);
        order["id"].as_str().unwrap().to_owned()
    }

    fn shown(&self, order: &str) -> Value {
        self.plane().json(&["kill", "show", order])
    }

    /// What is on its way to a lane that begins so, and where it stands.
    fn states(&self, lane: &str) -> Vec<String> {
        let listed = self.plane().json(&["delivery", "list", "--lane", lane]);
        let states = listed["items"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap());
        states.map(str::to_owned).collect()
    }

    fn is_active(&self, agent: &str) -> bool {
        self.outside.seen(|seen| seen.accounts[&format!("{agent}@acme")])
    }
}

/// A request as it stands on the wire, and the answer as it came.
fn posted(url: &str, path: &str, token: &str, body: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_plane_that_dies_while_others_are_told_tells_them_again_under_the_same_id_and_claims_nothing_meanwhile() {
    let mut scene = Scene::set();
    let outside = scene.outside.clone();
    // One receiver takes everything, one hears and says nothing, one fails, and the system does what it is told and cannot say so.
    outside.silence(&["siem", "scim"]);
    outside.fail(&["second"]);
    let order = scene.order("a1");
    until(|| {
        let told = !outside.got("soar").is_empty() && !outside.got("siem").is_empty();
        let marked = scene.states("channel/first") == ["delivered"];
        let tried = !outside.got("second").is_empty() && !scene.is_active("a1");
        (told && marked && tried).then_some(())
    });
    until(|| scene.states("stream/").contains(&"delivered".to_owned()).then_some(()));
    let unknown = scene.shown(&order);
    assert_eq!(unknown["proof"], "unknown", "nobody has seen the account inactive: {unknown:#}");
    scene.kill();
    outside.silence(&[]);
    outside.fail(&[]);
    let before = ["siem", "soar", "first", "second"].map(|who| (who, outside.got(who)));
    scene.start();
    let unknown = scene.shown(&order);
    assert_eq!(unknown["systems"][0]["proof"], "unknown", "nor has it since: {unknown:#}");
    let shown = until(|| Some(scene.shown(&order)).filter(|shown| shown["proof"] == "contained"));
    assert_eq!(shown["systems"][0]["accounts"]["done"], 1, "{shown:#}");
    for (who, before) in before {
        let after = outside.got(who);
        assert_eq!(
            outside.firsts(who),
            [before[0].0.clone()],
            "{who}: the same id, and nothing else: {after:?}"
        );
        let again = matches!(who, "siem" | "second");
        assert!(after.last().unwrap().1, "{who} has it, and said so: {after:?}");
        assert_eq!(
            after.len() > before.len(),
            again,
            "{who}: sent again only if nobody had said so: {after:?}"
        );
    }
    // Whether it was the order that made it inactive nobody can know now, and nobody says so.
    let row = scene.plane().json(&["delivery", "list", "--lane", "scim/notes/a1"])["items"][0].clone();
    assert_eq!(row["said"], "read back: a1@acme is not active", "{row:#}");
    assert!(outside.seen(|seen| seen.changes) >= 2);
    assert_eq!(scene.plane().json(&["fsck"])["sound"], true);
}

#[test]
fn whenever_a_plane_dies_everybody_outside_has_everything_in_order_after_the_restart() {
    let mut scene = Scene::set();
    let outside = scene.outside.clone();
    let mut orders = Vec::new();
    // At once, while the change is read, while rows are made, while they are sent, while they are marked, and afterwards.
    for (agent, millis) in AGENTS.into_iter().zip([0, 30, 80, 120, 170, 250, 600]) {
        orders.push((agent, scene.order(agent)));
        std::thread::sleep(Duration::from_millis(millis));
        scene.kill();
        scene.start();
    }
    let contained = |order: &str| scene.shown(order)["proof"] == "contained";
    until(|| orders.iter().all(|(_agent, order)| contained(order)).then_some(()));
    until(|| {
        let whole = |who: &str| outside.firsts(who).len() == AGENTS.len();
        (whole("siem") && whole("soar") && whole("first") && whole("second")).then_some(())
    });
    for (agent, _order) in &orders {
        assert!(!scene.is_active(agent), "{agent}");
    }
    let owed = |lane: &str| -> Vec<(String, Value)> {
        let mut rows =
            scene.plane().json(&["delivery", "list", "--lane", lane])["items"].as_array().unwrap().clone();
        // The last stands first in a listing.
        rows.reverse();
        rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row["state"].clone())).collect()
    };
    for (who, lane) in [("first", "channel/first"), ("second", "channel/second")] {
        let rows = owed(lane);
        assert!(rows.iter().all(|(_id, state)| state == "delivered"), "{who}: {rows:?}");
        let ids: Vec<String> = rows.into_iter().map(|(id, _state)| id).collect();
        assert_eq!(outside.firsts(who), ids, "{who}: in order, each under its id");
    }
    for who in ["siem", "soar", "first", "second"] {
        let (got, firsts) = (outside.got(who), outside.firsts(who));
        // What came again came before the next: nothing overtakes on a lane.
        let places: Vec<usize> =
            got.iter().map(|(id, _)| firsts.iter().position(|first| first == id).unwrap()).collect();
        assert!(places.is_sorted(), "{who}: {places:?}");
    }
    // The rows are there and the position is behind them, as after a death between the two: nothing is owed or sent twice.
    let all = ["siem", "soar", "first", "second"];
    let before = all.map(|who| outside.got(who).len());
    scene.kill();
    set_back(&scene);
    scene.start();
    // What this order leads to is owed once everything before it was read again.
    scene.plane().json(&["kill", "--like", "a*", "--reason", "a test", "--as", "maria"]);
    until(|| {
        (outside.got("first").len() > before[2] && outside.got("second").len() > before[3]).then_some(())
    });
    for (who, before) in all.into_iter().zip(before) {
        let (old, new) =
            outside.got(who).split_at_checked(before).map(|(a, b)| (a.to_vec(), b.to_vec())).unwrap();
        assert!(
            new.iter().all(|came| !old.iter().any(|had| had.0 == came.0)),
            "{who}: {old:?}, then {new:?}"
        );
    }
    assert_eq!(scene.plane().json(&["fsck"])["sound"], true);
}

fn set_back(scene: &Scene) {
    use provost_store::Store as _;
    let path = scene.folder.path().join("data").join("provost.db");
    let store =
        provost_store_sqlite::SqliteStore::open(&path, &provost_domain::limits::Limits::default()).unwrap();
    scene.runtime.block_on(store.put_meta("outbox-position", b"0")).unwrap();
}

const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const ORGANISATION: &str = r#"
[organisation]
display = "Test Ltd"

[person.maria]
display = "Maria"

[workload.siem]
purpose = "hears of agents"
owner = "maria"
signals = "https://siem.acme.example"

[workload.soar]
purpose = "hears of agents, too"
owner = "maria"
signals = "https://soar.acme.example"

[channel.first]
description = "Operations"
kind = "webhook"
url = "OUTSIDE/hook/first"
secrets = ["first-key"]
events = ["containment"]

[channel.second]
description = "Operations, too"
kind = "webhook"
url = "OUTSIDE/hook/second"
secrets = ["second-key"]
events = ["containment"]

[system.notes]
description = "Notes that only the plane leads to"
environment = "sandbox"
url = "http://127.0.0.1:9/mcp"
revocation_max = "0s"
only_through_plane = true
scim = { url = "OUTSIDE/scim", user = "{agent}@acme" }

[system.notes.tool.read]
pin = "sha256:c875efd9f4bd358ea0138c5679a88ff4833a95f625b06ad8db3bd257d251af7f"
effects = ["read"]
"#;
const AGENT: &str = r#"
[agent.NAME]
purpose = "Reads notes"
owner = "maria"
environment = "sandbox"
autonomy = "probation"
task_duration_max = "60m"

[[agent.NAME.grant]]
system = "notes"
tools = ["read"]
"#;
