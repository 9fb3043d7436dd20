#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Approvals over the HTTP interface: what is shown, who may answer, and what an answer does.

mod common;

use common::{Served, serve};
use serde_json::{Value, json};

async fn plane() -> (Served, String) {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    (served, task)
}

fn by(person: &str) -> Value {
    json!({ "person": person, "reason": "because of the test" })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_shows_what_would_run_and_who_may_answer_and_one_yes_grants_it() {
    let (served, task) = plane().await;
    let asked = common::asked(&served, &task, "12.5").await;
    let listed = served.get("/approvals?person=maria").await.ok();
    assert_eq!(listed["items"][0]["id"], "approval_12.5");
    assert_eq!(served.get("/approvals?person=jonas").await.ok()["items"], json!([]));
    let shown = served.get("/approvals/approval_12.5").await.ok();
    assert_eq!(shown["args"], json!({ "payee": "ACME", "amount": 12.5 }));
    assert_eq!(shown["missing"], json!([{ "gate": "owner", "more": 1, "approvers": ["maria"] }]));
    let why = served.get("/approvals/approval_12.5/eligible/jonas").await.ok();
    assert!(why["why_not"]["owner"].as_str().unwrap().contains("neither the owner (maria)"), "{why}");

    let path = "/approvals/approval_12.5/approve";
    let nobody = served.post(path, json!({})).await;
    assert_eq!(nobody.status, 422, "an approval is one person's word: {}", nobody.body);
    let stranger = served.post(path, by("jonas")).await;
    assert_eq!(stranger.status, 403, "{}", stranger.body);
    let mut other = by("maria");
    other["action"] = json!("sha256:0000");
    assert_eq!(served.post(path, other).await.status, 409, "not what the person saw");
    let mut yes = by("maria");
    yes["action"] = json!(asked.action.to_string());
    let granted = served.post(path, yes).await.ok();
    assert_eq!(
        (&granted["status"], &granted["votes"][0]["shown_by"]),
        (&json!("granted"), &json!("local administrator for maria"))
    );
    assert_eq!(served.post(path, by("maria")).await.status, 409, "answered already");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_for_the_owner_answers_in_the_owners_place_and_nobody_else() {
    let (served, task) = plane().await;
    common::asked(&served, &task, "12.5").await;
    let path = "/approvals/approval_12.5/approve";
    assert_eq!(served.post(path, by("jonas")).await.status, 403);
    let away = json!({ "to": "jonas", "lasts": "1d", "reason": "on leave" });
    let maria = provost_control::Op {
        subject: provost_control::Operator::Person("maria".parse().unwrap(), Default::default()),
        ..served.op()
    };
    let away = serde_json::from_value(away).unwrap();
    provost_control::approval::away(&maria, &"maria".parse().unwrap(), away).await.unwrap();
    let granted = served.post(path, by("jonas")).await.ok();
    assert_eq!(
        (&granted["status"], &granted["votes"][0]["on_behalf_of"]),
        (&json!("granted"), &json!("maria"))
    );
    // Applying the files again does not end the leave.
    served.apply().await;
    assert!(served.plane.replica.latest().directory.people.get("maria").unwrap().away.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_decided_like_a_call_and_waits_under_an_approval_of_its_own() {
    let (served, task) = plane().await;
    common::asked(&served, &task, "12.5").await;
    let edit = |amount: &str| {
        let mut edit = by("maria");
        edit["args"] = json!({ "payee": "ACME", "amount": amount.parse::<f64>().unwrap() });
        edit
    };
    let denied = served.post("/approvals/approval_12.5/edit", edit("999")).await;
    assert_eq!(denied.status, 403, "{}", denied.body);
    assert!(denied.body["because"].as_str().unwrap().contains("payments above 250 EUR"), "{}", denied.body);
    assert_eq!(served.post("/approvals/approval_12.5/edit", edit("12.5")).await.status, 422);
    let edited = served.post("/approvals/approval_12.5/edit", edit("9.5")).await.ok();
    assert_eq!((&edited["status"], &edited["edited_from"]), (&json!("granted"), &json!("approval_12.5")));
    let original = served.get("/approvals/approval_12.5").await.ok();
    assert_eq!((&original["status"], &original["edited_to"]), (&json!("edited"), &edited["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_has_bounds_shows_what_is_left_and_can_be_taken_back() {
    let (served, task) = plane().await;
    common::asked(&served, &task, "12.5").await;
    let grant = |changes: Value| {
        let mut grant = json!({ "person": "maria", "reason": "every day", "count": 3, "lasts": "1h",
            "args": { "amount": { "max": "100.0" } }, "sum": { "arg": "amount", "max": "250.0" } });
        for (key, value) in changes.as_object().unwrap() {
            grant[key] = value.clone();
        }
        grant
    };
    let path = "/approvals/approval_12.5/envelope";
    let wrong = [
        json!({ "count": 0 }),
        json!({ "lasts": "91d" }),
        json!({ "reason": " " }),
        json!({ "args": { "amuont": { "max": "1.0" } } }),
        json!({ "sum": { "arg": "payee", "max": "1.0" } }),
    ];
    for changes in wrong {
        let answer = served.post(path, grant(changes.clone())).await;
        assert_eq!(answer.status, 422, "{changes}: {}", answer.body);
    }
    assert_eq!(served.post(path, grant(json!({ "person": "jonas" }))).await.status, 403);
    let envelope = served.post(path, grant(json!({}))).await.ok();
    assert_eq!((&envelope["status"], &envelope["balances"][0]["left"]), (&json!("open"), &json!("3")));
    assert_eq!(envelope["balances"][1]["left"], "250.0");
    assert_eq!(served.get("/approvals/approval_12.5").await.ok()["status"], "withdrawn");
    let id = envelope["id"].as_str().unwrap();
    assert_eq!(served.get("/envelopes").await.ok()["items"][0]["id"], id);
    let revoked = served.post(&format!("/envelopes/{id}/revoke"), json!({ "reason": "enough" })).await.ok();
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(served.get("/envelopes").await.ok()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn housekeeping_closes_what_ran_out_and_what_lost_its_task() {
    let (served, task) = plane().await;
    common::asked(&served, &task, "1").await;
    served.post(&format!("/tasks/{task}/end"), json!({ "reason": "done" })).await.ok();
    provost_control::housekeeping::once(&served.plane).await.unwrap();
    assert_eq!(served.get("/approvals/approval_1").await.ok()["status"], "withdrawn");
    let late = served.post("/approvals/approval_1/approve", by("maria")).await;
    assert_eq!(late.status, 409, "{}", late.body);
}
