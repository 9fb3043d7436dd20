//! What ends with somebody whom a connector lets go: in the same operation, and for good.

use crate::{Stage, apply};
use provost_control::outbox;
use provost_domain::{
    Digest, DurationMs, Object, ObjectKey, Session, Timestamp,
    approval::{Approval, Vote},
};
use serde_json::{Value, json};

const SIEM: &str =
    "\n[workload.siem]\npurpose = \"p\"\nowner = \"maria\"\nsignals = \"https://siem.example\"\n";

/// Somebody of the connector who is signed in, asked for a task, has said yes to something, and owns an agent.
struct Life {
    stage: Stage,
    task: String,
    session: Digest,
    approval: String,
    siem: String,
}

async fn life() -> Life {
    let stage = Stage::built().await;
    apply(&stage.served, &(crate::CONNECTORS.to_owned() + SIEM)).await;
    let served = &stage.served;
    let siem = served.post("/workloads/siem/token", json!({"reason": "test"})).await.ok();
    let siem = siem["token"].as_str().unwrap().to_owned();
    let made = served.send("POST", "/ssf/stream", Some(&siem), Some(&json!({}))).await;
    assert_eq!(made.status, 201);
    stage.user("ada@test.example").await;
    let task = json!({"agent": "clerk", "purpose": "look", "requester": "ada"});
    let task = served.post("/tasks", task).await.ok()["task"]["id"].as_str().unwrap().to_owned();
    let session = Digest::of(b"a browser");
    put(&stage, Object::Session(session_row(session, served.plane.now()))).await;
    let approval = "approval_0123456789abcdef".to_owned();
    put(&stage, Object::Approval(Box::new(approval_row(&approval, &task, served.plane.now())))).await;
    outbox::once(&served.plane).await.unwrap();
    Life { stage, task, session, approval, siem }
}

async fn put(stage: &Stage, object: Object) {
    let plane = &stage.served.plane;
    let expected = plane.store.version(&object.key()).await.unwrap();
    let by = provost_store::Attribution { actor: "test".to_owned(), why: "begins".to_owned() };
    let writes = vec![provost_store::Write::Put { expected, object }];
    plane.store.commit(provost_store::ChangeSet { by, at: plane.now(), writes }).await.unwrap();
    plane.replica.catch_up().await.unwrap();
}

fn session_row(id: Digest, now: Timestamp) -> Session {
    Session {
        id,
        person: "ada".parse().unwrap(),
        roles: Default::default(),
        by: "issuer acme".to_owned(),
        passkey: None,
        started: now,
        seen: None,
        expires: now.plus(DurationMs::from_mins(60)),
        ended: false,
    }
}

fn approval_row(id: &str, task: &str, now: Timestamp) -> Approval {
    let digest = Digest::of(id.as_bytes());
    let row = json!({
        "id": id, "agent": "clerk", "task": task, "purpose": "p", "askers": ["maria"], "system": "bank", "tool": "transfer",
        "action": digest, "args": {}, "gates": ["owner"], "reasons": [],
        "bound": {"revision": 1, "pin": digest, "policies": digest}, "decision": provost_domain::DecisionId::new(now, [1; 10]),
        "asked": now, "expires": now.plus(DurationMs::from_mins(60)),
        "status": {"is": "granted", "at": now, "until": now.plus(DurationMs::from_mins(15))},
    });
    let mut row: Approval = serde_json::from_value(row).unwrap();
    row.votes.push(Vote {
        person: "ada".parse().unwrap(),
        gates: ["owner".to_owned()].into(),
        yes: true,
        at: now,
        reason: None,
        on_behalf_of: None,
        shown_by: "test".to_owned(),
        break_glass: false,
        hurried: false,
        warned: false,
        signature: None,
    });
    row
}

impl Life {
    /// The position before, and the records that one request made.
    async fn records_of(&self, method: &str, body: Option<Value>) -> Vec<provost_store::ChangeRecord> {
        let before = self.stage.served.plane.store.head().await.unwrap();
        let answer = self.stage.send(method, "/Users/ada", body).await;
        assert!([200, 204].contains(&answer.status), "{:#}", answer.body);
        self.stage.served.plane.store.tail(before, 100).await.unwrap()
    }

    async fn is_over(&self) {
        let plane = &self.stage.served.plane;
        let view = plane.replica.latest();
        assert!(!view.directory.sessions.contains_key(&self.session), "their sessions end");
        assert!(!view.directory.approvals.contains_key(&self.approval), "what they agreed to is void");
        let task = self.stage.served.get(&format!("/tasks/{}", self.task)).await.ok();
        assert_eq!(task["status"], "ended", "what they asked for ends");
        let row = plane.store.version(&ObjectKey::approval(&self.approval)).await.unwrap();
        assert!(row > 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_active_any_more_loses_what_they_had_in_the_same_change_and_finds_none_of_it_when_back()
 {
    let life = life().await;
    let active = |active: bool| {
        Some(
            json!({"Operations": [{"op": "Replace", "path": "active", "value": if active { "True" } else { "False" }}]}),
        )
    };
    let records = life.records_of("PATCH", active(false)).await;
    let kinds: Vec<&str> = records.iter().map(|record| record.key.kind.as_str()).collect();
    assert_eq!(kinds, ["person", "session", "task", "approval"], "in one change");
    for record in &records {
        assert_eq!(record.by.actor, "connector entra");
        // What is only ended afterwards says so.
        assert_eq!(record.by.why, "ada leaves: connector entra says so", "{}", record.key);
    }
    life.is_over().await;
    let started = json!({"agent": "clerk", "purpose": "look", "requester": "ada"});
    assert_eq!(life.stage.served.post("/tasks", started.clone()).await.status, 403);
    outbox::once(&life.stage.served.plane).await.unwrap();
    let streams = life.stage.served.send("GET", "/ssf/stream", Some(&life.siem), None).await.ok();
    let stream = streams[0]["stream_id"].as_str().unwrap();
    let told = life
        .stage
        .served
        .send("POST", &format!("/ssf/poll/{stream}"), Some(&life.siem), Some(&json!({})))
        .await;
    let sets = told.ok()["sets"].as_object().unwrap().len();
    assert!(sets >= 2, "receivers hear of the session and of the task: {sets}");
    assert!(life.records_of("PATCH", active(false)).await.is_empty(), "said again, nothing happens");
    let back = life.records_of("PATCH", active(true)).await;
    assert_eq!(back.iter().map(|record| record.key.kind.as_str()).collect::<Vec<_>>(), ["person"]);
    life.is_over().await;
    assert_eq!(life.stage.served.post("/tasks", started).await.status, 200, "they begin anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_deleted_leaves_for_ever_and_somebody_of_the_same_name_is_somebody_else() {
    let life = life().await;
    let group = life.stage.group("Finance Approvers", &["ada"]).await;
    life.records_of("DELETE", None).await;
    life.is_over().await;
    let ada = life.stage.person("ada").await;
    assert_eq!((&ada["active"], ada.get("connector"), ada.get("roles")), (&json!(false), None, None));
    assert!(life.stage.get(&format!("/Groups/{group}")).await.ok().get("members").is_none());
    let again = life.stage.send("POST", "/Users", Some(json!({"userName": "ada@test.example"}))).await;
    assert_eq!((again.status, &again.body["id"]), (201, &json!("ada-2")), "no name is given twice");
    assert_eq!(life.stage.person("ada").await["active"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_stopped_here_is_not_brought_back_by_a_connector() {
    let stage = Stage::built().await;
    stage.user("ada@test.example").await;
    let stopped = format!("{}[person.ada]\ndisplay = \"Ada\"\nactive = false\n", crate::CONNECTORS);
    apply(&stage.served, &stopped).await;
    for active in [false, true] {
        let said = stage
            .patch("/Users/ada", json!([{"op": "replace", "path": "active", "value": active}]))
            .await
            .ok();
        assert_eq!(said["active"], json!(false), "what is so is answered");
        assert_eq!(stage.person("ada").await["active"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_of_whoever_leaves_are_handed_on() {
    let stage = Stage::built().await;
    let link = json!({"person": "maria", "user_name": "maria@test.example", "reason": "the same"});
    stage.served.post("/connectors/entra/people", link).await.ok();
    stage.patch("/Users/maria", json!([{"op": "replace", "value": {"active": false}}])).await.ok();
    let mut place = None;
    provost_control::upkeep::once(&stage.served.plane, &mut place).await.unwrap();
    let clerk = stage.served.get("/agents/clerk").await.ok();
    let waits = clerk["level"] == "read-only" || clerk["status"] == "suspended";
    assert!(waits, "nobody answers for it any more: {:#}", clerk["status"]);
}
