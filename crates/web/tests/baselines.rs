#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! What is usual, learned from tasks that ended: once each, whichever node does it; proposed after a change, and agreed to.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/town.rs"]
mod town;

use common::{Served, later, serve};
use provost_control::{Plane, baseline};
use provost_domain::{DecisionId, DurationMs, Name, Object};
use serde_json::{Value, json};
use std::sync::Arc;

/// A plane with its organisation, that learns from here on.
async fn begun() -> Served {
    let served = serve().await;
    served.apply().await;
    assert_eq!(baseline::once(&served.plane).await.unwrap(), 0);
    served
}

/// A task of the clerk that calls these tools and ends.
async fn run(served: &Served, tools: &[&str]) -> Vec<DecisionId> {
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let mut made = Vec::new();
    for tool in tools {
        made.push(town::decide(served, ["clerk", "bank", tool], &task, json!({})).await.0);
    }
    served.post(&format!("/tasks/{task}/end"), json!({"reason": "done"})).await.ok();
    made
}

/// A node whose clock says that outcomes have settled.
async fn soon(served: &Served) -> Arc<Plane> {
    later(served, DurationMs::from_secs(30)).await
}

async fn known(served: &Served) -> Vec<Value> {
    served.plane.replica.catch_up().await.unwrap();
    served.get("/agents/clerk/baselines").await.ok().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_tasks_did_is_usual_and_nothing_is_counted_twice() {
    let served = begun().await;
    for _ in 0..3 {
        run(&served, &["list_accounts", "list_accounts"]).await;
    }
    assert_eq!(baseline::once(&served.plane).await.unwrap(), 0, "outcomes may still be on their way");
    let node = soon(&served).await;
    assert_eq!(baseline::once(&node).await.unwrap(), 3);
    assert_eq!(baseline::once(&node).await.unwrap(), 0);
    let rows = known(&served).await;
    let of: Vec<&str> = rows.iter().map(|row| row["of"].as_str().unwrap()).collect();
    assert_eq!(of, ["clerk", "clerk, tasks like look-at-the-accounts"]);
    for row in &rows {
        assert_eq!(
            (&row["reference"]["runs"], &row["reference"]["calls"]),
            (&json!(3), &json!(6)),
            "{row:#}"
        );
        assert_eq!(row["reference"]["tools"], json!([{"what": "bank/list_accounts", "runs": 3}]));
    }
    // A node that stopped before it could say how far it was reads again, and counts nothing again.
    served.plane.store.put_meta("baseline-position", b"0").await.unwrap();
    assert_eq!(baseline::once(&soon(&served).await).await.unwrap(), 0);
    assert_eq!(known(&served).await, rows);
    let newest = served.plane.store.check().await.unwrap();
    assert!(newest.is_empty(), "{newest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_what_is_usual_in_a_day() {
    let served = begun().await;
    for _ in 0..22 {
        run(&served, &["list_accounts"]).await;
    }
    assert_eq!(baseline::once(&soon(&served).await).await.unwrap(), 20);
    assert_eq!(known(&served).await[0]["reference"]["runs"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_model_or_charter_waits_for_a_person_and_is_never_silent() {
    let served = begun().await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    let clerk: Name = "clerk".parse().unwrap();
    let mut row = served.plane.replica.latest().directory.agents[&clerk].as_ref().clone();
    row.revision += 1;
    row.charter.manifest = serde_json::from_value(json!({"model": "another"})).unwrap();
    console::put(&served, Object::Agent(row)).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    let rows = known(&served).await;
    for row in &rows {
        assert!(row["waits"].as_str().unwrap().contains("made of"), "{row:#}");
        assert_eq!((&row["reference"]["runs"], &row["aside"]["runs"]), (&json!(1), &json!(1)));
    }
    let found = served.get("/findings?kind=baseline-proposed").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found:#}");
    let answer = json!({"new": true, "reason": "we tried the new model"});
    let nobody = served.send("POST", "/api/v1/agents/clerk/baselines/agree", None, Some(&answer)).await;
    assert_eq!(nobody.status, 401);
    let agreed = served.post("/agents/clerk/baselines/agree", answer.clone()).await.ok();
    assert_eq!(agreed.as_array().unwrap().len(), 2);
    for row in known(&served).await {
        assert_eq!((&row["waits"], &row["reference"]["runs"]), (&Value::Null, &json!(1)), "{row:#}");
        assert_eq!((&row["agreed_to"], &row["agreed_by"]), (&json!("new"), &json!("local administrator")));
    }
    assert_eq!(served.post("/agents/clerk/baselines/agree", answer).await.status, 409, "nothing waits");
    served.post("/agents/clerk/baselines/reset", json!({"reason": "again"})).await.ok();
    assert_eq!(known(&served).await[0]["reference"]["runs"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_did_what_its_charter_does_not_name_is_found_and_makes_nothing_usual() {
    let served = begun().await;
    let bank = ("bank".parse().unwrap(), "transfer".parse().unwrap());
    let mut close = served.plane.replica.latest().directory.tools[&bank].as_ref().clone();
    close.name = "close".parse().unwrap();
    close.args.clear();
    console::put(&served, Object::Tool(close)).await;
    run(&served, &["list_accounts"]).await;
    let made = run(&served, &["list_accounts", "close"]).await;
    assert_eq!(baseline::once(&soon(&served).await).await.unwrap(), 2);
    served.plane.replica.catch_up().await.unwrap();
    let found = served.get("/findings?kind=drift").await.ok();
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{found:#}");
    let shown = served.get(&format!("/findings/{}", items[0]["id"].as_str().unwrap())).await.ok();
    assert_eq!(shown["evidence"], json!([made[1].to_string()]), "{shown:#}");
    let row = known(&served).await.remove(0);
    assert_eq!((&row["reference"]["runs"], &row["aside"]["runs"]), (&json!(1), &json!(1)), "{row:#}");
    // A person may say that it is usual all the same.
    served.post("/agents/clerk/baselines/agree", json!({"new": true, "reason": "it is fine"})).await.ok();
    assert_eq!(known(&served).await[0]["reference"]["runs"], 2);
}
