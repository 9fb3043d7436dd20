#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! What becomes of agents by itself, on a real store: owners who leave, agents nobody confirms, that do nothing, that expire, and
//! what is tried of them long after. People hear of it, and answer over the interface.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::{BANK, CLERK, POLICY, Served, later, serve};
use provost_control::{Op, Operator, Plane, upkeep};
use provost_domain::{AgentStatus, DurationMs, Level, Name, Object};
use serde_json::{Value, json};
use std::sync::Arc;

const PEOPLE: &str = r#"
[person.maria]
display = "Maria"
manager = "ada"
[person.jonas]
display = "Jonas"
[person.ada]
display = "Ada"
roles = ["administrator"]
"#;

async fn plane(lifecycle: &str) -> Served {
    let served = serve().await;
    let organisation = format!(
        "[organisation]\ndisplay = \"Test Ltd\"\napprovals = {{ signed = \"never\" }}\n{lifecycle}\n{PEOPLE}"
    );
    let clerk = CLERK.replace("owner = \"maria\"", "owner = \"maria\"\ndeputies = [\"jonas\"]");
    let files = json!([
        { "path": "organisation.toml", "text": organisation },
        { "path": "systems/bank.toml", "text": BANK },
        { "path": "policies/payments.cedar", "text": POLICY },
        { "path": "agents/clerk.toml", "text": clerk },
    ]);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    served
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn clerk(plane: &Plane) -> Arc<provost_domain::Agent> {
    Arc::clone(&plane.replica.latest().directory.agents[&name("clerk")])
}

async fn look(plane: &Arc<Plane>) -> usize {
    plane.replica.catch_up().await.unwrap();
    let done = upkeep::once(plane, &mut None).await.unwrap();
    plane.replica.catch_up().await.unwrap();
    done
}

async fn leaves(served: &Served, person: &str) {
    let mut row = served.plane.replica.latest().directory.people[&name(person)].as_ref().clone();
    row.active = false;
    console::put(served, Object::Person(row)).await;
}

async fn told(served: &Served, kind: &str) -> Vec<Value> {
    served.plane.replica.catch_up().await.unwrap();
    let found = served.get(&format!("/findings?kind={kind}&state=all")).await.ok();
    found["items"].as_array().unwrap().clone()
}

const DAY_MINS: u64 = 24 * 60;

async fn days(served: &Served, days: u64) -> Arc<Plane> {
    later(served, DurationMs::from_mins(days * DAY_MINS)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_an_owner_who_left_is_asked_and_answers_and_until_then_the_agent_only_reads() {
    let served = plane("").await;
    assert_eq!(look(&served.plane).await, 0);
    leaves(&served, "maria").await;
    assert_eq!(look(&served.plane).await, 1);
    assert_eq!(clerk(&served.plane).level, Level::ReadOnly);
    assert_eq!(look(&served.plane).await, 0, "nothing is asked twice");
    let found = told(&served, "agent-ownerless").await;
    assert_eq!((found.len(), &found[0]["owner"], &found[0]["state"]), (1, &json!("jonas"), &json!("open")));
    let agent = served.get("/agents/clerk").await.ok();
    assert_eq!(agent["upkeep"]["heir"], "jonas");

    let word = |person: &str| json!({ "reason": "I know what it does", "person": person });
    let other = served.post("/agents/clerk/ownership", word("ada")).await;
    assert_eq!(other.status, 403, "{:#}", other.body);
    assert_eq!(served.post("/agents/clerk/ownership", word("maria")).await.status, 404, "she has left");
    let taken = served.post("/agents/clerk/ownership", word("jonas")).await.ok();
    assert_eq!((&taken["owner"], &taken["level"]), (&json!("jonas"), &json!("normal")));
    assert_eq!(taken["revised"]["approvers"], json!(["jonas"]));
    assert_eq!(told(&served, "agent-ownerless").await[0]["state"], "closed");
    assert_eq!(look(&served.plane).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_nobody_takes_is_suspended_and_no_file_of_an_absent_owner_starts_it() {
    let served = plane("").await;
    leaves(&served, "maria").await;
    leaves(&served, "jonas").await;
    look(&served.plane).await;
    assert_eq!(clerk(&served.plane).answers(), &name("ada"), "the manager");
    let ahead = days(&served, 4).await;
    assert_eq!(look(&ahead).await, 1);
    assert_eq!(clerk(&ahead).status, AgentStatus::Suspended);
    assert_eq!(told(&served, "agent-ownerless").await.len(), 2);
    assert_eq!(look(&days(&served, 9).await).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_confirms_or_the_agent_is_suspended_and_is_asked_twice_before() {
    let served = plane("lifecycle = { attested = \"90d\", grace = \"10d\" }").await;
    assert_eq!(look(&days(&served, 89).await).await, 0);
    assert_eq!(look(&days(&served, 91).await).await, 1);
    let severity = async || told(&served, "agent-attestation").await[0]["severity"].clone();
    assert_eq!(severity().await, "low");
    look(&days(&served, 97).await).await;
    assert_eq!(severity().await, "medium");
    look(&days(&served, 98).await).await;
    assert_eq!(told(&served, "agent-attestation").await[0]["count"], 2, "reminded once");
    let word = |person: &str| json!({ "reason": "still needed", "person": person });
    assert_eq!(
        served.post("/agents/clerk/attestation", word("ada")).await.status,
        403,
        "ada does not answer for it"
    );
    served.post("/agents/clerk/attestation", word("maria")).await.ok();
    assert_eq!(told(&served, "agent-attestation").await[0]["state"], "closed");
    let shown = served.get("/agents/clerk").await.ok()["upkeep"].clone();
    assert_eq!(shown["attested_by"], "local administrator for maria");
    assert_eq!((look(&days(&served, 80).await).await, look(&days(&served, 91).await).await), (0, 1));
    let ahead = days(&served, 102).await;
    assert_eq!(look(&ahead).await, 1);
    assert_eq!(clerk(&ahead).status, AgentStatus::Suspended);
    assert_eq!(severity().await, "high");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_nothing_is_told_of_and_suspended_and_what_works_is_left_alone() {
    let served = plane("lifecycle = { idle = \"40d\" }").await;
    let stage =
        console::Stage::over(served, "look at the accounts", json!({ "payee": "ACME", "amount": 1.0 })).await;
    let task = stage.served.get(&format!("/tasks/{}", stage.task)).await.ok();
    assert_eq!(task["status"], "running");
    assert_eq!(look(&days(&stage.served, 29).await).await, 0);
    let body = json!({ "reason": "done" });
    stage.served.post(&format!("/tasks/{}/end", stage.task), body).await.ok();
    let ahead = days(&stage.served, 41).await;
    assert_eq!(look(&ahead).await, 1, "told, and not stopped before it was");
    assert_eq!(clerk(&ahead).status, AgentStatus::Active);
    let ahead = days(&stage.served, 52).await;
    assert_eq!(look(&ahead).await, 1);
    assert_eq!(clerk(&ahead).status, AgentStatus::Suspended);
    assert_eq!(told(&stage.served, "agent-idle").await[0]["severity"], "medium");
    let op = Op {
        subject: Operator::LocalAdministrator,
        request_id: "test".to_owned(),
        plane: Arc::clone(&ahead),
    };
    let resume = provost_control::agent::move_named("resume").unwrap();
    let said = provost_api::agent::AgentStep { reason: "needed again".to_owned(), ..Default::default() };
    provost_control::agent::step(&op, &name("clerk"), resume, said).await.unwrap();
    assert_eq!(look(&days(&stage.served, 60).await).await, 0, "it has its time again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_told_of_and_suspended() {
    let served = plane("").await;
    let mut row = clerk(&served.plane).as_ref().clone();
    row.charter.retirement.expires = Some(served.plane.now().plus(DurationMs::from_mins(20 * DAY_MINS)));
    console::put(&served, Object::Agent(row)).await;
    assert_eq!(look(&served.plane).await, 0);
    look(&days(&served, 10).await).await;
    assert_eq!(told(&served, "agent-expiry").await.len(), 1);
    look(&days(&served, 11).await).await;
    assert_eq!(told(&served, "agent-expiry").await[0]["count"], 1, "told once");
    let ahead = days(&served, 21).await;
    look(&ahead).await;
    assert_eq!(clerk(&ahead).status, AgentStatus::Suspended);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_call_waits_for_a_person_is_not_idle_and_is_once_nobody_answered() {
    let served = plane("lifecycle = { idle = \"40d\" }").await;
    let stage =
        console::Stage::over(served, "look at the accounts", json!({ "payee": "ACME", "amount": 1.0 })).await;
    let body = json!({ "reason": "done" });
    let mut waits = common::asked(&stage.served, &stage.task, "412.5").await;
    stage.served.post(&format!("/tasks/{}/end", stage.task), body).await.ok();
    waits.expires = stage.served.plane.now().plus(DurationMs::from_mins(50 * DAY_MINS));
    console::put(&stage.served, Object::Approval(Box::new(waits))).await;
    assert_eq!(look(&days(&stage.served, 45).await).await, 0, "it waits for people, not they for it");
    assert_eq!(look(&days(&stage.served, 51).await).await, 1);
    assert_eq!(told(&stage.served, "agent-idle").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_agents_that_are_over_and_accounts_of_nobody_are_found_at_systems() {
    let elsewhere = axum::Router::new().route("/Users", axum::routing::get(accounts));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, elsewhere).await.unwrap() });
    let served = plane("").await;
    let scim = format!("\n[system.scim]\nurl = \"{url}\"\nuser = \"agent-{{agent}}@acme.example\"\n");
    let files = json!([{ "path": "systems/bank.toml", "text": format!("{BANK}{scim}") }]);
    let apply = json!({ "files": files, "reason": "accounts", "break_glass": true, "person": "maria" });
    served.post("/apply", apply).await.ok();
    look(&served.plane).await;
    let found = told(&served, "account-unowned").await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0]["what"].as_str().unwrap().starts_with("the account agent-ghost-120@acme.example at bank")
    );
    assert_eq!(told(&served, "agent-zombie").await, [] as [Value; 0], "the clerk works");

    let mut row = clerk(&served.plane).as_ref().clone();
    row.status = AgentStatus::Decommissioned;
    console::put(&served, Object::Agent(row)).await;
    look(&served.plane).await;
    assert_eq!(told(&served, "agent-zombie").await, [] as [Value; 0], "not before its time");
    look(&days(&served, 8).await).await;
    let found = told(&served, "agent-zombie").await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0]["what"].as_str().unwrap().contains("Agent-Clerk@acme.example at bank may still act"));
}

/// 130 accounts in pages of 100, whatever is asked for: the clerk's, one of no agent, one that is not active, and people's.
async fn accounts(axum::extract::RawQuery(query): axum::extract::RawQuery) -> axum::Json<Value> {
    let query = query.unwrap();
    assert!(query.contains("filter=userName+sw+%22agent-%22"), "{query}");
    let from =
        query.split("startIndex=").nth(1).unwrap().split('&').next().unwrap().parse::<usize>().unwrap();
    let user = |n: usize| match n {
        1 => json!({ "userName": "Agent-Clerk@acme.example", "active": true }),
        2 => json!({ "userName": "agent-old@acme.example", "active": false }),
        120 => json!({ "userName": "agent-ghost-120@acme.example" }),
        n => json!({ "userName": format!("person-{n}@acme.example"), "active": true }),
    };
    let rows: Vec<Value> = (from..=130).take(100).map(user).collect();
    axum::Json(json!({ "totalResults": 130, "startIndex": from, "Resources": rows }))
}

#[test]
fn all_of_this_holds_over_postgresql_too() {
    common::all_over_postgres();
}
