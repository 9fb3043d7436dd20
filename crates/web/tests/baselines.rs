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
use provost_api::baseline::BaselineReset;
use provost_control::{Op, Operator, Plane, baseline, rule};
use provost_domain::{
    Baseline, BaselineOf, DecisionId, DurationMs, Name, Object, ids::AgentId, usual::Counts,
};
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

/// What is usual for the clerk itself.
async fn known(served: &Served) -> Vec<Value> {
    let rows = everything(served).await;
    rows.into_iter().filter(|row| !row["agent"].is_null()).collect()
}

/// And for all agents with its purpose.
async fn everything(served: &Served) -> Vec<Value> {
    served.plane.replica.catch_up().await.unwrap();
    served.get("/agents/clerk/baselines").await.ok().as_array().unwrap().clone()
}

async fn told(served: &Served, kind: &str) -> Vec<Value> {
    served.plane.replica.catch_up().await.unwrap();
    served.get(&format!("/findings?kind={kind}")).await.ok()["items"].as_array().unwrap().clone()
}

/// In so many runs each of these tools was used.
fn counts(runs: u32, tools: &[(&str, u32)]) -> Counts {
    let tools = tools.iter().map(|(tool, count)| ((*tool).to_owned(), *count)).collect();
    Counts { runs, tools, calls: u64::from(runs), ..Counts::default() }
}

/// Every row of the plane, as if it had learned this for long.
async fn long_ago(served: &Served, reference: &Counts, recent: &Counts) {
    served.plane.replica.catch_up().await.unwrap();
    let rows: Vec<_> = served.plane.replica.latest().directory.baselines.values().cloned().collect();
    for row in rows {
        let mut row = row.as_ref().clone();
        (row.usual.reference, row.usual.recent, row.usual.period) =
            (reference.clone(), recent.clone(), (0, 0));
        console::put(served, Object::Baseline(Box::new(row))).await;
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_slowly_is_not_followed_and_is_told_of_the_agent_and_of_all_with_its_purpose() {
    let served = begun().await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(everything(&served).await.len(), 3);
    let reference = counts(200, &[("bank/list_accounts", 200)]);
    long_ago(&served, &reference, &counts(100, &[("bank/list_accounts", 100), ("bank/close", 30)])).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(told(&served, "baseline-shift").await, [] as [Value; 0], "23 in 100 is no shift yet");

    long_ago(&served, &reference, &counts(100, &[("bank/list_accounts", 100), ("bank/close", 60)])).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    let found = told(&served, "baseline-shift").await;
    let of = |agent: &str| {
        found.iter().filter(|row| row["about"]["agent"].as_str().unwrap_or_default() == agent).count()
    };
    assert_eq!((of("clerk"), of("")), (2, 1), "the agent, its kind of task, and the population: {found:#?}");
    assert_eq!(known(&served).await[0]["reference"]["runs"], 200, "the reference stands");

    // What others do too is no one owner's to forget.
    let reset = || BaselineReset { kind: None, peers: true, reason: "it is to be so".to_owned() };
    let owner = Op { subject: Operator::Person("maria".parse().unwrap(), [].into()), ..served.op() };
    let clerk: Name = "clerk".parse().unwrap();
    assert!(baseline::reset(&owner, &clerk, reset()).await.is_err());
    served.post("/agents/clerk/baselines/reset", json!(reset())).await.ok();
    let rows = everything(&served).await;
    assert_eq!(rows[2]["reference"]["runs"], 0, "{rows:#?}");
    assert_eq!(rows[0]["reference"]["runs"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_does_other_things_than_those_with_its_purpose_is_told_of_and_its_like_are_not() {
    let served = begun().await;
    let clerk: Name = "clerk".parse().unwrap();
    let peers = async |tool: &str| {
        for n in 1..=2_u8 {
            let name: Name = format!("clerk-{n}").parse().unwrap();
            let mut row = served.plane.replica.latest().directory.agents[&clerk].as_ref().clone();
            (row.name, row.id) = (name.clone(), AgentId::from_bytes([n; 16]));
            console::put(&served, Object::Agent(row)).await;
            let of = BaselineOf::Agent { agent: name };
            let mut row = Baseline::begun(of, served.plane.now());
            row.usual.recent = counts(40, &[(tool, 40)]);
            console::put(&served, Object::Baseline(Box::new(row))).await;
        }
    };
    let recent = counts(40, &[("bank/list_accounts", 40)]);
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    peers("bank/list_accounts").await;
    long_ago(&served, &recent, &recent).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(told(&served, "baseline-unlike").await, [] as [Value; 0]);

    long_ago(&served, &recent, &recent).await;
    peers("bank/transfer").await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    let found = told(&served, "baseline-unlike").await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["about"]["agent"], "clerk");
    let what = found[0]["what"].as_str().unwrap();
    assert!(what.contains("than the 2 agents with its purpose: 100 in 100"), "{what}");
    // What is said of its ways while it runs is nothing that was found about the run.
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let rows = served.plane.replica.latest().directory.findings.clone();
    let mut row = rows.values().find(|row| row.kind == "baseline-unlike").unwrap().as_ref().clone();
    row.last = served.plane.now();
    console::put(&served, Object::Finding(Box::new(row))).await;
    town::decide(&served, ["clerk", "bank", "list_accounts"], &task, json!({})).await;
    served.post(&format!("/tasks/{task}/end"), json!({"reason": "done"})).await.ok();
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(known(&served).await[0]["aside"]["runs"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_use_of_a_tool_and_another_model_open_a_review() {
    let served = begun().await;
    let reviews = async || {
        served.plane.replica.catch_up().await.unwrap();
        served.get("/reviews").await.ok()["items"].as_array().unwrap().clone()
    };
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(reviews().await, [] as [Value; 0], "of what is not known yet everything is new");
    long_ago(&served, &counts(2, &[("bank/close", 2)]), &Counts::default()).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(reviews().await, [] as [Value; 0], "nor is much known after two runs");
    long_ago(&served, &counts(9, &[("bank/list_accounts", 9)]), &Counts::default()).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    assert_eq!(reviews().await, [] as [Value; 0], "that is nothing new");
    long_ago(&served, &counts(9, &[("bank/close", 9)]), &Counts::default()).await;
    run(&served, &["list_accounts"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    let open = reviews().await;
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0]["because"], "it used bank/list_accounts for the first time");

    let id = open[0]["id"].as_str().unwrap();
    let keep = json!({ "rest": "keep", "reason": "it is to", "person": "maria" });
    served.post(&format!("/reviews/{id}/answer"), keep).await.ok();
    let mut position = None;
    provost_control::autonomy::once(&served.plane, &mut position).await.unwrap();
    let clerk: Name = "clerk".parse().unwrap();
    let mut row = served.plane.replica.latest().directory.agents[&clerk].as_ref().clone();
    row.charter.manifest = serde_json::from_value(json!({"model": "another"})).unwrap();
    console::put(&served, Object::Agent(row)).await;
    provost_control::autonomy::once(&served.plane, &mut position).await.unwrap();
    let open: Vec<Value> = reviews().await.into_iter().filter(|row| row["state"] == "open").collect();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0]["because"], "it is made of something else");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_contains_the_agent_where_a_rule_says_so() {
    let served = begun().await;
    let rule = "[rule.drifted]\nfinding = \"drift\"\nseverity = \"medium\"\nlevel = \"read-only\"\nstops = \"agent\"\nat_most = \"3 in 1h\"\n";
    let organisation = format!("{}\n{rule}", common::ORGANISATION);
    let files = json!([{ "path": "organisation.toml", "text": organisation }]);
    let apply = json!({ "files": files, "reason": "drift contains", "break_glass": true, "person": "maria" });
    served.post("/apply", apply).await.ok();
    let mut position = None;
    assert_eq!(rule::once(&served.plane, &mut position).await.unwrap(), 0);
    let bank = ("bank".parse().unwrap(), "transfer".parse().unwrap());
    let mut close = served.plane.replica.latest().directory.tools[&bank].as_ref().clone();
    close.name = "close".parse().unwrap();
    close.args.clear();
    console::put(&served, Object::Tool(close)).await;
    run(&served, &["close"]).await;
    baseline::once(&soon(&served).await).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(rule::once(&served.plane, &mut position).await.unwrap(), 1);
    served.plane.replica.catch_up().await.unwrap();
    let orders = served.get("/containments").await.ok();
    let order = &orders["items"][0];
    assert_eq!(
        (&order["scope"], &order["level"]),
        (&json!("agent clerk"), &json!("read-only")),
        "{orders:#}"
    );
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let args = json!({ "payee": "ACME", "amount": 1.5 });
    let (id, verdict) = town::decide(&served, ["clerk", "bank", "transfer"], &task, args).await;
    let why = served.get(&format!("/decisions/{id}")).await.ok();
    assert_eq!(verdict, "deny", "{why:#}");
    assert!(why["reasons"].to_string().contains("read-only"), "{why:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_position_stops_the_learning_and_says_what_stands_still_rather_than_beginning_anywhere() {
    let served = begun().await;
    run(&served, &["list_accounts"]).await;
    for damaged in [&b"x"[..], b"", b"-1", b"\xff\xfe", b"99999999999999999999"] {
        served.plane.store.put_meta("baseline-position", damaged).await.unwrap();
        let error = baseline::once(&soon(&served).await).await.unwrap_err().to_string();
        assert!(error.contains("the position up to which runs were learned"), "{error}");
        let kept = served.plane.store.meta("baseline-position").await.unwrap();
        assert_eq!(kept.as_deref(), Some(damaged), "it is left as it was found");
    }
    assert_eq!(known(&served).await, [] as [Value; 0]);
    served.plane.store.put_meta("baseline-position", b"0").await.unwrap();
    assert_eq!(baseline::once(&soon(&served).await).await.unwrap(), 1);
}

#[test]
fn all_of_this_holds_over_postgresql_too() {
    common::all_over_postgres();
}
