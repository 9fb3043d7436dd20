//! Held calls of a client that listens, through the wrapper.

use crate::{
    client::{Mcp, text},
    plane::{Behind, Plane},
};
use provost_domain::{Approval, Object};
use provost_lifecycle::approval::{self as life, Ballot};
use serde_json::{Value, json};
use std::time::Duration;

fn transfer() -> Value {
    json!({
        "name": "transfer", "_meta": {"progressToken": "t"},
        "arguments": {"from_account": "operations", "payee": "Kantoor Zuid BV", "amount": 120, "reference": "x"},
    })
}

async fn waiting(plane: &Plane) -> Approval {
    for _ in 0..100 {
        plane.replica.catch_up().await.unwrap();
        let view = plane.replica.latest();
        if let Some(row) = view.directory.approvals.values().next() {
            return row.as_ref().clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("nothing was asked for")
}

async fn answer_it(plane: &Plane, yes: bool) {
    let row = waiting(plane).await;
    let owner = plane.replica.latest().directory.agents.values().next().unwrap().charter.owner.clone();
    let reason = Some("looked at it".into());
    // Whoever writes a vote has judged its signature.
    let stamp = json!({"plane": "http://127.0.0.1:7070", "at": 0, "nonce": "0"});
    let signature = json!({"stamp": stamp, "passkey": "k", "key": "", "authenticator_data": "", "client_data": "", "signature": ""});
    let signature = Some(serde_json::from_value(signature).unwrap());
    let ballot =
        Ballot { person: owner, yes, reason, shown_by: "test".into(), break_glass: false, signature };
    let directory = plane.replica.latest().directory.clone();
    let now = provost_domain::Clock::now(&provost_store::SystemClock);
    let voted = life::vote(&row, &directory, ballot, now).unwrap();
    plane.change(Object::Approval(Box::new(voted)), 1).await;
}

/// Begins a payment and hears that it waits.
async fn begun(client: &mut Mcp) -> i64 {
    let id = client.begin("tools/call", transfer()).await;
    let said = loop {
        let said = client.hear().await;
        if said["method"] == "notifications/progress" {
            break said;
        }
    };
    assert_eq!(said["params"]["progressToken"], "t");
    assert!(said["params"]["message"].as_str().unwrap().starts_with("waiting for "), "{said}");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_stays_open_and_is_made_once_after_the_yes() {
    let plane = Plane::start(Behind::Bank).await;
    let mut client = Mcp::open(plane.settings(Behind::Bank)).await;
    let id = begun(&mut client).await;
    answer_it(&plane, true).await;
    let answer = client.answer(id).await;
    assert!(answer["result"]["isError"] != json!(true) && answer["result"].is_object(), "{answer}");
    client.close().await;
    assert_eq!(plane.reached().iter().filter(|tool| *tool == "transfer").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_a_cancellation_and_a_stop_make_nothing_run() {
    for what in ["no", "cancelled", "suspended"] {
        let plane = Plane::start(Behind::Bank).await;
        let mut client = Mcp::open(plane.settings(Behind::Bank)).await;
        let id = begun(&mut client).await;
        match what {
            "no" => {
                answer_it(&plane, false).await;
                let answer = client.answer(id).await;
                assert!(text(&answer).contains("said no: looked at it"), "{answer}");
            }
            "cancelled" => {
                let params = json!({"requestId": id});
                client
                    .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
                    .await;
                tokio::time::sleep(Duration::from_millis(200)).await;
                answer_it(&plane, true).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            _ => {
                plane.suspend().await;
                let answer = client.answer(id).await;
                assert!(text(&answer).contains("suspended"), "{answer}");
            }
        }
        assert!(!plane.reached().contains(&"transfer".to_owned()), "{what}");
        client.close().await;
    }
}
