#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Word to whoever asked for access how that ended, over real sockets. That it is owed is the gateway's doing
//! (`gateway/tests/it/access_requests.rs`); a whole conversation is in `server/tests/it/arap.rs`.

mod common;
#[path = "common/receiver.rs"]
mod receiver;

use common::{Served, serve};
use provost_control::outbox;
use provost_domain::{
    Delivery, DurationMs, Object, ObjectKey,
    callback::{KIND, Owed, lane},
    delivery::{DeliveryState, delivery_id},
};
use receiver::{Does, Receiver};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

async fn plane(endpoint: &str) -> (Served, String) {
    let served = serve().await;
    let mut files = common::files();
    let callbacks = format!("callbacks = {{ endpoints = [\"{endpoint}\"], secret = \"pep\" }}\n");
    files[0]["text"] = json!(format!("{}{callbacks}", files[0]["text"].as_str().unwrap()));
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    served.put("/credentials/pep", json!({ "secret": SECRET, "reason": "the test begins" })).await.ok();
    outbox::once(&served.plane).await.unwrap();
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    (served, task)
}

/// What the gateway puts there when this was asked for.
async fn owed(served: &Served, task: &str, amounts: &[&str], endpoint: &str, events: &[&str]) -> String {
    let mut rows = Vec::new();
    for amount in amounts {
        rows.push(common::asked(served, task, amount).await);
    }
    let request = format!("request_{}", amounts.join("-"));
    let owed = Owed {
        title: "somebody is told".to_owned(),
        task: request.clone(),
        status_endpoint: format!("{}/access/v1/requests/{request}", served.plane.issuer),
        endpoint: endpoint.to_owned(),
        state: Some("session 7".to_owned()),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        approvals: rows.iter().map(|row| row.id.clone()).collect(),
    };
    let lane = lane(&"checkout".parse().unwrap(), &request);
    let last = rows.iter().map(|row| row.expires).max().unwrap();
    let row = Delivery {
        id: delivery_id(KIND, &lane),
        lane,
        order: 0,
        kind: KIND.to_owned(),
        about: Some(ObjectKey::approval(&rows[0].id)),
        payload: owed.payload().unwrap(),
        only_while_waiting: false,
        followed: false,
        created: served.plane.now(),
        until: last.plus(DurationMs::from_mins(60)),
        attempts: 0,
        last: None,
        state: DeliveryState::Due { next: last.plus(DurationMs::from_secs(1)) },
    };
    let id = row.id.clone();
    let by = provost_store::Attribution { actor: "plane".to_owned(), why: "test".to_owned() };
    let writes = vec![provost_store::Write::Put { object: Object::Delivery(Box::new(row)), expected: 0 }];
    served.plane.store.commit(provost_store::ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    id
}

async fn answer(served: &Served, amount: &str, deed: &str) {
    let by = json!({ "person": "maria", "reason": "r" });
    served.post(&format!("/approvals/approval_{amount}/{deed}"), by).await.ok();
}

async fn state_of(served: &Served, id: &str) -> Value {
    served.get(&format!("/deliveries/{id}")).await.ok()["state"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_is_told_when_it_is_over_signed_and_not_before() {
    let receiver = Receiver::default();
    let endpoint = receiver.start().await;
    let (served, task) = plane(&endpoint).await;
    let id = owed(&served, &task, &["1.5"], &endpoint, &[]).await;
    assert_eq!(outbox::once(&served.plane).await.unwrap(), 0, "nobody has answered yet");
    answer(&served, "1.5", "approve").await;
    // A receiver that fails gets it again, under the same id.
    receiver.does(&[Does::Answers(503)]);
    outbox::once(&served.plane).await.unwrap();
    let later = common::later(&served, DurationMs::from_secs(30)).await;
    outbox::once(&later).await.unwrap();
    outbox::once(&later).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2, "until it was taken, and not once more");
    assert!(got.iter().all(|got| got.id == id && got.signature.starts_with("v1,")));
    let status = format!("{}/access/v1/requests/request_1.5", served.plane.issuer);
    let said = json!({ "state": "session 7", "task": {
        "id": "request_1.5", "status": "approved", "status_endpoint": status } });
    assert_eq!(got[1].body, said, "where to look, and nothing that could be enforced");
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(state_of(&served, &id).await, "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_items_have_one_end_and_silence_is_an_end_too() {
    let receiver = Receiver::default();
    let endpoint = receiver.start().await;
    let (served, task) = plane(&endpoint).await;
    owed(&served, &task, &["1.5", "2.5"], &endpoint, &["partial"]).await;
    let silent = owed(&served, &task, &["3.5"], &endpoint, &["expired"]).await;
    answer(&served, "1.5", "approve").await;
    assert_eq!(outbox::once(&served.plane).await.unwrap(), 0, "one of two still waits");
    answer(&served, "2.5", "refuse").await;
    outbox::once(&served.plane).await.unwrap();
    let later = common::later(&served, DurationMs::from_mins(6)).await;
    provost_control::housekeeping::once(&later).await.unwrap();
    outbox::once(&later).await.unwrap();
    let statuses: Vec<Value> = receiver.got().iter().map(|got| got.body["task"]["status"].clone()).collect();
    assert_eq!(statuses, [json!("partial"), json!("expired")]);
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(state_of(&served, &silent).await, "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_told_is_not_and_nobody_is_told_where_the_row_no_longer_says() {
    let receiver = Receiver::default();
    let endpoint = receiver.start().await;
    let (served, task) = plane(&endpoint).await;
    let unwanted = owed(&served, &task, &["1.5"], &endpoint, &["approved"]).await;
    let elsewhere = owed(&served, &task, &["2.5"], "https://evil.example/x", &[]).await;
    for amount in ["1.5", "2.5"] {
        answer(&served, amount, "refuse").await;
    }
    outbox::once(&served.plane).await.unwrap();
    assert!(receiver.got().is_empty());
    assert_eq!(state_of(&served, &unwanted).await, "withdrawn");
    assert_eq!(state_of(&served, &elsewhere).await, "given-up");
}
