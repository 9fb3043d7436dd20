#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Gone, not dormant: a task that ended is tried at every face, and what they say is on record. The faces of the gateway
//! are played here, so that their guard can be taken out; `provost-server` has the same with the real ones.

mod common;
#[path = "common/console.rs"]
mod console;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse,
    routing::any,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{Served, later, serve_beside};
use provost_control::{Plane, gone, upkeep};
use provost_domain::{DurationMs, TaskId};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use zeroize::Zeroizing;

#[tokio::test(flavor = "multi_thread")]
async fn after_its_end_a_task_is_refused_at_every_face_and_that_is_on_record() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let door = door(&served, served.address);
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 0, "nothing ended yet");
    let task = start(&served).await;
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 0, "it runs");
    end(&served, &task).await;
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 1);
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 0, "tried once is tried");

    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!((&shown["trial"]["gone"], &shown["trial"]["round"]), (&json!(true), &json!(1)), "{shown:#}");
    assert_eq!(
        answers(&shown),
        [
            ("/mcp".into(), "refused".into(), json!(401)),
            ("/held/approval_0".into(), "refused".into(), json!(401)),
            ("/mcp/bank".into(), "refused".into(), json!(401)),
            ("/oauth/introspect".into(), "refused".into(), json!(200)),
            ("/access/v1/evaluation".into(), "refused".into(), json!(401)),
            ("/oauth/token".into(), "refused".into(), Value::Null),
        ]
    );
    let newest = &shown["history"][0];
    assert_eq!(newest["actor"], "plane");
    assert!(
        newest["why"].as_str().unwrap().starts_with("tried at 6 faces after its end: 6 refused"),
        "{newest}"
    );
    // Production: the token was bound to a key, and came with a proof for that face.
    let asked = faces.asked.lock().unwrap().clone();
    let (path, headers) = asked.iter().find(|(path, _)| path == "/mcp/bank").unwrap();
    let token = headers["authorization"].to_str().unwrap().strip_prefix("DPoP ").unwrap();
    let bank = served.plane.resource(Some(&"bank".parse().unwrap()));
    let good = served.plane.token_keys.verifier().access(token, &[&bank], served.plane.now());
    assert!(good.is_ok_and(|claims| claims.cnf.is_some()), "{path}: good in every other way");
    assert!(headers.contains_key("dpop"));
    // The record is a change like any other: in the ledger, and sound.
    provost_control::sequencer::sequence_all(&served.plane).await.unwrap();
    assert_eq!(served.post("/fsck", json!({})).await.ok()["sound"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_that_does_not_refuse_is_an_alarm_and_is_tried_again_until_it_does() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let door = door(&served, served.address);
    gone::once(&served.plane, &door).await.unwrap();
    let task = start(&served).await;
    end(&served, &task).await;
    faces.guarded.store(false, Ordering::SeqCst);
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 1);
    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!(shown["trial"]["gone"], false);
    let accepted: Vec<_> =
        answers(&shown).into_iter().filter(|(_, answer, _)| answer == "accepted").collect();
    assert_eq!(accepted.len(), 4, "{shown:#}");
    assert!(metric(&served, "provost_gone_accepted_total").await >= 3);
    let why = shown["history"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("2 refused, 4 DID NOT REFUSE"), "{why}");

    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 0, "not at once");
    let late = later(&served, DurationMs::from_secs(3)).await;
    assert_eq!(gone::once(&late, &door).await.unwrap(), 1, "again, and still");
    faces.guarded.store(true, Ordering::SeqCst);
    let late = later(&served, DurationMs::from_mins(1)).await;
    assert_eq!(gone::once(&late, &door).await.unwrap(), 1, "and now it does");
    served.plane.replica.catch_up().await.unwrap();
    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!((&shown["trial"]["gone"], &shown["trial"]["round"]), (&json!(true), &json!(3)), "{shown:#}");
    let late = later(&served, DurationMs::from_mins(60 * 24 * 30)).await;
    assert_eq!(gone::once(&late, &door).await.unwrap(), 0, "what is gone is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_another_reason_proves_nothing() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let door = door(&served, served.address);
    gone::once(&served.plane, &door).await.unwrap();
    let task = start(&served).await;
    end(&served, &task).await;
    faces.says.lock().unwrap().replace("the token is for another resource".to_owned());
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 1);
    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!(shown["trial"]["gone"], false);
    assert!(answers(&shown).contains(&("/mcp".into(), "unreachable".into(), json!(401))), "{shown:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ended_while_nobody_tried_is_tried_after_the_restart() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let door = door(&served, served.address);
    gone::once(&served.plane, &door).await.unwrap();
    let (first, second) = (start(&served).await, start(&served).await);
    end(&served, &first).await;
    // Of the first node nothing is left but what is in the store.
    let restarted = later(&served, DurationMs(0)).await;
    assert_eq!(gone::once(&restarted, &door).await.unwrap(), 1);
    // However it ends, and with the tasks of everybody below.
    served.post("/agents/clerk/decommission", json!({ "reason": "r" })).await.ok();
    let restarted = later(&served, DurationMs(0)).await;
    assert_eq!(gone::once(&restarted, &door).await.unwrap(), 1);
    served.plane.replica.catch_up().await.unwrap();
    for task in [first, second] {
        assert_eq!(served.get(&format!("/tasks/{task}")).await.ok()["trial"]["gone"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_try_a_task_once() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let door = door(&served, served.address);
    gone::once(&served.plane, &door).await.unwrap();
    let other = later(&served, DurationMs(0)).await;
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let task = start(&served).await;
        end(&served, &task).await;
        tasks.push(task);
    }
    let (one, two) = tokio::join!(gone::once(&served.plane, &door), gone::once(&other, &door));
    assert_eq!(one.unwrap() + two.unwrap(), tasks.len());
    let asked = faces.asked.lock().unwrap().iter().filter(|(path, _)| path == "/mcp").count();
    assert_eq!(asked, tasks.len(), "each was presented once");
    for task in tasks {
        let shown = served.get(&format!("/tasks/{task}")).await.ok();
        let tries = shown["history"].as_array().unwrap().iter();
        let tries = tries.filter(|change| change["why"].as_str().unwrap().contains("after its end"));
        assert_eq!(tries.count(), 1, "{shown:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_nobody_opens_is_no_refusal() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let door = door(&served, nobody);
    gone::once(&served.plane, &door).await.unwrap();
    let task = start(&served).await;
    end(&served, &task).await;
    assert_eq!(gone::once(&served.plane, &door).await.unwrap(), 1);
    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    let unreachable = answers(&shown).into_iter().filter(|(_, answer, _)| answer == "unreachable").count();
    assert_eq!((unreachable, &shown["trial"]["gone"]), (5, &json!(false)), "{shown:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_expired_is_tried_when_the_plane_notices() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let door = door(&served, served.address);
    gone::once(&served.plane, &door).await.unwrap();
    let wanted = json!({ "agent": "clerk", "purpose": "p", "duration": "1ms" });
    let task = served.post("/tasks", wanted).await.ok()["task"]["id"].as_str().unwrap().to_owned();
    let late = later(&served, DurationMs::from_mins(2)).await;
    assert_eq!(provost_control::housekeeping::once(&late).await.unwrap(), 1);
    // The node that serves is another in this test.
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(gone::once(&late, &door).await.unwrap(), 1);
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(served.get(&format!("/tasks/{task}")).await.ok()["trial"]["gone"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_over_is_tried_on_schedule_and_what_still_answers_is_a_finding() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let _first = served.plane.door.set(door(&served, served.address));
    let task = start(&served).await;
    console::call(&served, &task, "list_accounts", json!({})).await;
    upkeep::once(&served.plane, &mut None).await.unwrap();
    assert!(faces.asked.lock().unwrap().is_empty(), "what works is not tried");
    served.post("/agents/clerk/decommission", json!({ "reason": "replaced" })).await.ok();
    upkeep::once(&served.plane, &mut None).await.unwrap();
    let tried = faces.asked.lock().unwrap().len();
    assert!(tried >= 4, "{tried}");
    assert_eq!(served.get("/findings?kind=agent-zombie").await.ok()["items"], json!([]));

    faces.guarded.store(false, Ordering::SeqCst);
    upkeep::once(&served.plane, &mut None).await.unwrap();
    assert_eq!(faces.asked.lock().unwrap().len(), tried, "not before its time");
    let late = later(&served, DurationMs::from_mins(8 * 24 * 60)).await;
    let _first = late.door.set(door(&served, served.address));
    upkeep::once(&late, &mut None).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    let found = served.get("/findings?kind=agent-zombie").await.ok()["items"][0].clone();
    assert_eq!(
        (&found["severity"], &found["about"]["agent"]),
        (&json!("critical"), &json!("clerk")),
        "{found:#}"
    );
    assert!(found["what"].as_str().unwrap().contains(&format!("/mcp takes a token of {task}")), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_over_and_never_did_anything_is_tried_too() {
    let faces = Faces::new();
    let served = serve(&faces).await;
    let _first = served.plane.door.set(door(&served, served.address));
    served.post("/agents/clerk/decommission", json!({ "reason": "never needed" })).await.ok();
    upkeep::once(&served.plane, &mut None).await.unwrap();
    assert!(faces.asked.lock().unwrap().len() >= 4);
    assert_eq!(served.get("/findings?kind=agent-zombie").await.ok()["items"], json!([]));
    faces.guarded.store(false, Ordering::SeqCst);
    let late = later(&served, DurationMs::from_mins(8 * 24 * 60)).await;
    let _first = late.door.set(door(&served, served.address));
    upkeep::once(&late, &mut None).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    let found = served.get("/findings?kind=agent-zombie").await.ok()["items"][0].clone();
    assert_eq!(found["about"]["agent"], "clerk", "{found:#}");
}

/// The gateway's faces, played: who presents a token of a task that is over gets a 401 that says so.
struct Faces {
    guarded: AtomicBool,
    /// What a refusal says instead.
    says: Mutex<Option<String>>,
    asked: Mutex<Vec<(String, HeaderMap)>>,
    plane: Mutex<Option<Arc<Plane>>>,
}

impl Faces {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            guarded: AtomicBool::new(true),
            says: Mutex::default(),
            asked: Mutex::default(),
            plane: Mutex::default(),
        })
    }
}

async fn on_any(
    State(faces): State<Arc<Faces>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    let path = uri.path().to_owned();
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    faces.asked.lock().unwrap().push((path.clone(), headers));
    let plane = faces.plane.lock().unwrap().clone().unwrap();
    let task = if path.starts_with("/access") {
        serde_json::from_str::<Value>(&body).unwrap()["context"]["task"].clone()
    } else {
        let payload = authorization.split('.').nth(1).unwrap();
        serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()["task"].clone()
    };
    let task: TaskId = task.as_str().unwrap().parse().unwrap();
    let runs = plane.replica.latest().directory.tasks.contains_key(&task);
    if runs || !faces.guarded.load(Ordering::SeqCst) {
        return (StatusCode::OK, "{}".to_owned());
    }
    let says = faces.says.lock().unwrap().clone();
    (StatusCode::UNAUTHORIZED, says.unwrap_or_else(|| format!("the task {task} has ended or expired")))
}

async fn serve(faces: &Arc<Faces>) -> Served {
    let played = Router::new()
        .route("/mcp", any(on_any))
        .route("/mcp/{system}", any(on_any))
        .route("/held/{approval}", any(on_any))
        .route("/access/v1/evaluation", any(on_any))
        .with_state(Arc::clone(faces));
    let served = serve_beside(played).await;
    faces.plane.lock().unwrap().replace(Arc::clone(&served.plane));
    served.apply().await;
    served
}

fn door(served: &Served, at: SocketAddr) -> Arc<gone::Door> {
    Arc::new(gone::Door::new(at, Zeroizing::new(served.token.clone())))
}

async fn start(served: &Served) -> String {
    served.task().await["task"]["id"].as_str().unwrap().to_owned()
}

async fn end(served: &Served, task: &str) {
    served.post(&format!("/tasks/{task}/end"), json!({ "reason": "done" })).await.ok();
}

fn answers(shown: &Value) -> Vec<(String, String, Value)> {
    let text = |probe: &Value, member: &str| probe[member].as_str().unwrap().to_owned();
    let probes = shown["trial"]["probes"].as_array().unwrap().iter();
    probes.map(|probe| (text(probe, "face"), text(probe, "answer"), probe["status"].clone())).collect()
}

async fn metric(served: &Served, name: &str) -> u64 {
    let text = served.send("GET", "/metrics", None, None).await.body;
    let line =
        text.as_str().unwrap().lines().find(|line| line.starts_with(&format!("{name} "))).unwrap().to_owned();
    line.split_once(' ').unwrap().1.parse().unwrap()
}
