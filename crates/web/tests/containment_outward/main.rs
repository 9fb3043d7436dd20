#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! An order leads outward: receivers of signals, accounts at systems and channels hear of it, what each said stands with the
//! order, and nothing is called contained before they did.

#[path = "../common/mod.rs"]
mod common;

mod odd;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use common::{Served, lift, serve};
use provost_control::{
    containment::{clean, prove},
    outbox,
};
use provost_domain::DurationMs;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Somebody else's server: SCIM accounts, and a webhook. It answers as it is told to.
#[derive(Clone, Default)]
struct Elsewhere {
    /// By user name: whether the account is active.
    accounts: Arc<Mutex<std::collections::BTreeMap<String, bool>>>,
    behaves: Arc<Mutex<Behaves>>,
    hooks: Arc<Mutex<Vec<Value>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Behaves {
    #[default]
    Well,
    /// It says that it did, and did not.
    Lies,
    /// It does what it is told and cannot say so.
    Forgets,
    /// It fails.
    Dead,
    /// It will never do it.
    Two,
    /// It fails for one account.
    NotForClerk,
}

impl Elsewhere {
    async fn start(&self) -> String {
        let app = Router::new()
            .route("/Users", get(list))
            .route("/Users/{id}", get(read).patch(change))
            .route("/hook", post(hook))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        format!("http://{address}")
    }

    fn has(&self, user: &str, active: bool) {
        self.accounts.lock().unwrap().insert(user.to_owned(), active);
    }

    fn is_active(&self, user: &str) -> bool {
        self.accounts.lock().unwrap()[user]
    }

    fn behave(&self, how: Behaves) {
        *self.behaves.lock().unwrap() = how;
    }
}

async fn list(State(me): State<Elsewhere>) -> Result<Json<Value>, StatusCode> {
    let behaves = *me.behaves.lock().unwrap();
    if behaves == Behaves::Dead {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let accounts = me.accounts.lock().unwrap().clone();
    let rows = accounts.iter().map(|(user, active)| json!({"id": user, "userName": user, "active": active}));
    let mut rows: Vec<Value> = rows.collect();
    if behaves == Behaves::Two {
        rows.extend(rows.clone());
    }
    Ok(Json(json!({"totalResults": rows.len(), "Resources": rows})))
}

async fn read(State(me): State<Elsewhere>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    if *me.behaves.lock().unwrap() == Behaves::Forgets {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let active = *me.accounts.lock().unwrap().get(&id).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"id": id, "userName": id, "active": active})))
}

async fn change(State(me): State<Elsewhere>, Path(id): Path<String>, body: String) -> StatusCode {
    let body: Value = serde_json::from_str(&body).unwrap();
    let behaves = *me.behaves.lock().unwrap();
    if behaves == Behaves::NotForClerk && id == CLERK {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if behaves != Behaves::Lies {
        me.has(&id, body["Operations"][0]["value"].as_bool().unwrap());
    }
    StatusCode::NO_CONTENT
}

async fn hook(State(me): State<Elsewhere>, headers: HeaderMap, body: String) -> StatusCode {
    assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    me.hooks.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    StatusCode::NO_CONTENT
}

const CLERK: &str = "agent-clerk@acme.example";
const OTHER: &str = "agent-other@acme.example";

/// A plane whose bank keeps accounts of agents elsewhere; nothing leads there but the plane. With the token of a receiver.
async fn plane() -> (Served, Elsewhere, String) {
    let served = serve().await;
    served.apply().await;
    let elsewhere = Elsewhere::default();
    let url = elsewhere.start().await;
    let bank = common::BANK.replace("revocation_max", "only_through_plane = true\nrevocation_max");
    let bank = format!("{bank}\n[system.scim]\nurl = \"{url}\"\nuser = \"agent-{{agent}}@acme.example\"\n");
    let other = common::CLERK.replace("Looks at", "Also looks at");
    let more = format!(
        "[channel.ops]\ndescription = \"Operations\"\nkind = \"webhook\"\nurl = \"{url}/hook\"\nsecrets = [\"hook\"]\n\
         events = [\"containment\"]\n\
         [workload.siem]\npurpose = \"p\"\nowner = \"maria\"\nsignals = \"https://siem.acme.example\"\n"
    );
    let files = json!([
        {"path": "systems/bank.toml", "text": bank},
        {"path": "agents/other.toml", "text": other},
        {"path": "more.toml", "text": more},
    ]);
    let apply = json!({"files": files, "reason": "the test begins", "break_glass": true, "person": "maria"});
    served.post("/apply", apply).await.ok();
    let secret = json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "reason": "the test begins"});
    served.put("/credentials/hook", secret).await.ok();
    let issued = served.post("/workloads/siem/token", json!({"reason": "test"})).await.ok();
    outbox::once(&served.plane).await.unwrap();
    elsewhere.has(CLERK, true);
    elsewhere.has(OTHER, true);
    (served, elsewhere, issued["token"].as_str().unwrap().to_owned())
}

async fn kill(served: &Served, scope: Value) -> String {
    let mut order = json!({"reason": "a key leaked", "person": "maria"});
    order.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    served.post("/containments", order).await.ok()["id"].as_str().unwrap().to_owned()
}

/// What workers of a node do, once; as if it was so much later.
async fn settle(served: &Served, after: DurationMs) {
    let plane = common::later(served, after).await;
    outbox::once(&plane).await.unwrap();
    clean::once(&plane).await.unwrap();
    plane.replica.catch_up().await.unwrap();
    prove::once(&plane).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

async fn shown(served: &Served, id: &str) -> Value {
    served.get(&format!("/containments/{id}")).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_told_and_carried_outside_and_lifting_takes_back_what_it_did_and_no_more() {
    let (served, elsewhere, siem) = plane().await;
    let stream = served.send("POST", "/ssf/stream", Some(&siem), Some(&json!({}))).await.body;
    let stream = stream["stream_id"].as_str().unwrap().to_owned();
    let fetch = async |ack: &[String]| {
        let body = json!({"returnImmediately": true, "ack": ack});
        let got = served.send("POST", &format!("/ssf/poll/{stream}"), Some(&siem), Some(&body)).await.ok();
        got["sets"].as_object().unwrap().keys().cloned().collect::<Vec<String>>()
    };
    // One account was inactive before: it is none of the order's.
    elsewhere.has(OTHER, false);
    let id = kill(&served, json!({"owner": "maria"})).await;
    let head = served.plane.store.head().await.unwrap();
    settle(&served, DurationMs(0)).await;
    assert!(!elsewhere.is_active(CLERK));
    let told = shown(&served, &id).await;
    assert_eq!(told["proof"], "partial", "its receiver has not acknowledged anything: {told:#}");
    let accounts = &told["systems"][0]["accounts"];
    assert_eq!((&accounts["owed"], &accounts["done"]), (&json!(2), &json!(2)), "{told:#}");
    let to: Vec<&str> =
        told["told"].as_array().unwrap().iter().map(|row| row["to"].as_str().unwrap()).collect();
    assert_eq!(to, ["channel ops", "workload siem"]);
    let sets = fetch(&[]).await;
    assert_eq!(sets.len(), 4, "two events for each of two agents");
    // All of it was put on record together.
    let records = served.plane.store.tail(head, 100).await.unwrap();
    let owed = records.iter().filter(|record| record.version == 1 && record.key.key.starts_with("delivery_"));
    let whys: std::collections::BTreeSet<String> = owed.map(|record| record.by.why.clone()).collect();
    assert_eq!(whys.len(), 1, "one transaction: {whys:?}");
    assert!(whys.iter().next().unwrap().contains("7 deliveries are owed"), "{whys:?}");
    assert!(fetch(&sets).await.is_empty());
    settle(&served, DurationMs::from_mins(120)).await;
    assert_eq!(shown(&served, &id).await["proof"], "contained");
    let hook = elsewhere.hooks.lock().unwrap()[0].clone();
    assert_eq!(hook["type"], "provost.containment", "{hook:#}");

    lift(&served, &id).await;
    settle(&served, DurationMs(0)).await;
    settle(&served, DurationMs(0)).await;
    assert!(elsewhere.is_active(CLERK), "the order made it inactive");
    assert!(!elsewhere.is_active(OTHER), "the order did not");
    assert_eq!(fetch(&[]).await.len(), 2, "both may act again");
    let titles = elsewhere.hooks.lock().unwrap().clone();
    let titles: Vec<String> = titles.iter().map(|hook| hook["data"]["title"].to_string()).collect();
    assert_eq!(titles.len(), 3, "given, asked, lifted: {titles:?}");
    let left = served.plane.replica.latest().directory.deliveries.values().filter(|row| row.followed).count();
    assert_eq!(left, 0, "nothing of an order that is over is kept in mind");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_by_two_orders_stays_stopped_outside_until_both_are_lifted() {
    let (served, elsewhere, _siem) = plane().await;
    let first = kill(&served, json!({"agent": "clerk"})).await;
    settle(&served, DurationMs(0)).await;
    let second = kill(&served, json!({"owner": "maria"})).await;
    settle(&served, DurationMs(0)).await;
    lift(&served, &first).await;
    settle(&served, DurationMs(0)).await;
    settle(&served, DurationMs(0)).await;
    assert!(!elsewhere.is_active(CLERK), "the other order stands");
    lift(&served, &second).await;
    settle(&served, DurationMs(0)).await;
    settle(&served, DurationMs(0)).await;
    assert!(elsewhere.is_active(CLERK) && elsewhere.is_active(OTHER));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_appears_under_an_order_is_stopped_outside_too() {
    let (served, elsewhere, _siem) = plane().await;
    let id = kill(&served, json!({"like": "late-*"})).await;
    settle(&served, DurationMs(0)).await;
    elsewhere.has("agent-late-1@acme.example", true);
    let files = json!([{"path": "agents/late-1.toml", "text": common::CLERK}]);
    let apply = json!({"files": files, "reason": "later", "break_glass": true, "person": "maria"});
    served.post("/apply", apply).await.ok();
    settle(&served, DurationMs::from_mins(120)).await;
    assert!(!elsewhere.is_active("agent-late-1@acme.example"));
    assert_eq!(shown(&served, &id).await["systems"][0]["accounts"]["done"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_lies_is_dead_or_cannot_say_is_unknown_with_an_alarm_and_never_contained() {
    for (behaves, alarmed, active) in [
        (Behaves::Lies, false, true),
        (Behaves::Dead, false, true),
        (Behaves::Forgets, false, false),
        (Behaves::Two, true, true),
    ] {
        let (served, elsewhere, _siem) = plane().await;
        elsewhere.behave(behaves);
        let id = kill(&served, json!({"agent": "clerk"})).await;
        settle(&served, DurationMs(0)).await;
        let told = shown(&served, &id).await;
        let system = &told["systems"][0];
        assert_eq!(
            (&told["proof"], &system["proof"], &system["stage"]),
            (&json!("unknown"), &json!("unknown"), &json!("delivered")),
            "{behaves:?}: {told:#}"
        );
        assert!(system["because"].as_str().unwrap().contains("1 of 1 accounts"), "{system:#}");
        assert_eq!(elsewhere.is_active(CLERK), active, "{behaves:?}");
        let found = served.get("/findings?kind=containment-unknown").await.ok();
        assert_eq!(!found["items"].as_array().unwrap().is_empty(), alarmed, "{behaves:?}");
        // It is asked again and again; what stays unknown alarms.
        for round in 1..12 {
            settle(&served, DurationMs(round * 60_000)).await;
        }
        let found = served.get("/findings?kind=containment-unknown").await.ok();
        assert_eq!(found["items"][0]["severity"], "critical", "{behaves:?}: {found:#}");
        elsewhere.behave(Behaves::Well);
        settle(&served, DurationMs::from_mins(60 * 12)).await;
        settle(&served, DurationMs::from_mins(60 * 13)).await;
        let told = shown(&served, &id).await;
        let wanted = if behaves == Behaves::Two { "unknown" } else { "contained" };
        assert_eq!(told["proof"], wanted, "{behaves:?}: {told:#}");
        if behaves == Behaves::Forgets {
            // Whether the order made it inactive is not known: a person is asked to look, and nothing is done.
            lift(&served, &id).await;
            settle(&served, DurationMs(0)).await;
            settle(&served, DurationMs(0)).await;
            assert!(!elsewhere.is_active(CLERK));
            let found = served.get("/findings?kind=account-left-inactive").await.ok();
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_changed_keeps_no_other_of_its_system_waiting() {
    let (served, elsewhere, _siem) = plane().await;
    elsewhere.behave(Behaves::NotForClerk);
    let id = kill(&served, json!({"owner": "maria"})).await;
    settle(&served, DurationMs(0)).await;
    assert!(elsewhere.is_active(CLERK) && !elsewhere.is_active(OTHER));
    let accounts = shown(&served, &id).await["systems"][0]["accounts"].clone();
    assert_eq!((&accounts["owed"], &accounts["done"]), (&json!(2), &json!(1)), "{accounts:#}");
    let lanes = served.get("/deliveries?lane=scim/bank").await.ok();
    let lanes: std::collections::BTreeSet<&str> =
        lanes["items"].as_array().unwrap().iter().map(|row| row["lane"].as_str().unwrap()).collect();
    assert_eq!(lanes, ["scim/bank/clerk", "scim/bank/other"].into(), "in order for each account");
    // What comes to be owed to the account that fails waits for what is owed to it already; the other goes its way.
    lift(&served, &id).await;
    let second = kill(&served, json!({"agent": "other"})).await;
    settle(&served, DurationMs(0)).await;
    settle(&served, DurationMs(0)).await;
    assert!(elsewhere.is_active(CLERK), "nobody wants it any more");
    assert!(!elsewhere.is_active(OTHER), "{:#}", shown(&served, &second).await);
    // After its time it is given up, and said once for the system.
    elsewhere.behave(Behaves::Dead);
    kill(&served, json!({"agent": "clerk"})).await;
    lift(&served, &second).await;
    settle(&served, DurationMs::from_mins(1)).await;
    settle(&served, DurationMs::from_mins(60 * 25)).await;
    let found = served.get("/findings?kind=delivery-given-up").await.ok();
    let about: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|row| &row["what"]).collect();
    assert!(about.len() == 1 && about[0].as_str().unwrap().contains("scim/bank/"), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_nobodys_business_outside() {
    let (served, elsewhere, _siem) = plane().await;
    let row = provost_domain::Containment {
        id: "containment_0123456789abcdef01234567".to_owned(),
        scope: provost_domain::containment::Scope {
            agent: Some("clerk".parse().unwrap()),
            ..Default::default()
        },
        level: provost_domain::Restraint::Off,
        reason: "a drill".to_owned(),
        by: provost_domain::containment::Who { person: None, shown_by: "plane".to_owned() },
        at: served.plane.now(),
        status: provost_domain::containment::ContainmentStatus::InForce,
        drill: true,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    };
    let by = provost_store::Attribution { actor: "plane".to_owned(), why: "test".to_owned() };
    let object = provost_domain::Object::Containment(Box::new(row));
    let writes = vec![provost_store::Write::Put { object, expected: 0 }];
    let set = provost_store::ChangeSet { by, at: served.plane.now(), writes };
    served.plane.store.commit(set).await.unwrap();
    settle(&served, DurationMs(0)).await;
    assert!(elsewhere.is_active(CLERK) && elsewhere.hooks.lock().unwrap().is_empty());
}
