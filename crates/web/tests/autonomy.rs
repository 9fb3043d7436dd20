#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! Trust that is earned: where an agent begins, what is asked before it is trusted further and by whom it is said, and that an
//! incident takes all of it; over the interface, on what is on record.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::{BANK, CLERK, POLICY, Served, later, serve};
use console::Stage;
use provost_api::autonomy::Promote;
use provost_control::{Op, Operator, autonomy, finding, plan::Outcome};
use provost_domain::{DurationMs, Name, Object, Severity, Sighting, finding::About};
use serde_json::{Value, json};
use std::sync::Arc;

const ORGANISATION: &str = r#"
[organisation]
display = "Test Ltd"
approvals = { signed = "never" }
autonomy = { trust = "graduated", supervised = { time = "1d", actions = 2, quiet = "1d" } }

[person.maria]
display = "Maria"
manager = "ada"
[person.jonas]
display = "Jonas"
[person.ada]
display = "Ada"
roles = ["administrator"]
"#;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Files without any agent, so that the rules stand before the first one comes.
async fn plane() -> Served {
    let served = serve().await;
    let files = json!([
        { "path": "organisation.toml", "text": ORGANISATION },
        { "path": "systems/bank.toml", "text": BANK },
        { "path": "policies/payments.cedar", "text": POLICY },
    ]);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    served
}

/// Brings an agent in and has it agreed to, or its file applied again.
async fn apply(served: &Served, agent: &str, text: &str) {
    let files = json!([{ "path": format!("agents/{agent}.toml"), "text": text }]);
    let body = json!({ "files": files, "reason": "it is wanted", "person": "jonas" });
    let answer = served.post("/apply", body).await;
    assert!(matches!(answer.status, 200 | 202), "{:#}", answer.body);
    let Some(id) = answer.body["proposal"]["id"].as_str() else { return };
    agree(served, id, "maria").await;
}

async fn agree(served: &Served, id: &str, person: &str) {
    let roles = served.plane.replica.latest().directory.people[&name(person)].roles.clone();
    let op = Op { subject: Operator::Person(name(person), roles), ..served.op() };
    provost_control::proposal::approve(&op, id, Default::default()).await.unwrap();
}

async fn stands(served: &Served) -> (String, String) {
    let standing = served.get("/agents/clerk/standing").await.ok();
    let word = |key: &str| standing[key].as_str().unwrap().to_owned();
    (word("autonomy"), word("declared"))
}

fn unmet(standing: &Value) -> Vec<String> {
    let gates = standing["gates"].as_array().unwrap().iter();
    gates.filter(|gate| gate["met"] == false).map(|gate| gate["gate"].as_str().unwrap().to_owned()).collect()
}

/// The same plane a few days on, with the clerk's two calls of today behind it.
async fn earned(served: Served) -> (Stage, Arc<provost_control::Plane>) {
    let payment = json!({ "payee": "ACME", "amount": 10.0 });
    let stage = Stage::over(served, "look at the accounts", payment).await;
    console::call(&stage.served, &stage.task, "list_accounts", json!({})).await;
    let ahead = later(&stage.served, DurationMs::from_mins(3 * 24 * 60)).await;
    (stage, ahead)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_begins_in_probation_and_a_file_never_raises_it() {
    let served = plane().await;
    apply(&served, "clerk", CLERK).await;
    assert_eq!(stands(&served).await, ("probation".to_owned(), "supervised".to_owned()));
    apply(&served, "clerk", &CLERK.replace("supervised", "bounded")).await;
    assert_eq!(stands(&served).await, ("probation".to_owned(), "bounded".to_owned()));
    let again =
        json!({ "files": [{ "path": "agents/clerk.toml", "text": CLERK.replace("supervised", "bounded") }] });
    let plan = served.post("/plan", again).await.ok();
    assert!(plan["steps"].as_array().unwrap().iter().all(|step| step["verb"] == "keep"), "{plan:#}");
    let agent = served.get("/agents/clerk").await.ok();
    assert_eq!((&agent["autonomy"], &agent["declared"]), (&json!("probation"), &json!("bounded")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_probationer_changes_waits_for_its_owner_and_what_it_reads_does_not() {
    let served = plane().await;
    apply(&served, "clerk", CLERK).await;
    let payment = json!({ "payee": "ACME", "amount": 10.0 });
    let stage = Stage::over(served, "look at the accounts", payment).await;
    let verdict = async |id: &str| {
        stage.served.get(&format!("/decisions/{id}")).await.ok()["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(&stage.decisions[0]).await, "allow");
    assert_eq!(verdict(&stage.decisions[1]).await, "hold");
    let held = stage.served.get(&format!("/decisions/{}", stage.decisions[1])).await.ok();
    let reasons = held["reasons"].as_array().unwrap().iter();
    assert!(reasons.clone().any(|reason| reason["policy"] == "guardrail/probation"), "{held:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_evidence_and_the_word_of_who_answers_for_it_promotes() {
    let served = plane().await;
    apply(&served, "clerk", CLERK).await;
    let standing = served.get("/agents/clerk/standing").await.ok();
    assert_eq!(unmet(&standing), ["time", "actions"]);
    assert_eq!((&standing["next"], &standing["ready"]), (&json!("supervised"), &json!(false)));
    let ask = json!({ "reason": "it works well", "person": "maria" });
    let early = served.post("/agents/clerk/promotion", ask).await;
    assert_eq!(early.status, 403, "{:#}", early.body);
    assert!(early.body.to_string().contains("2 actions that were allowed (found: 0)"), "{:#}", early.body);

    let (stage, ahead) = earned(served).await;
    let op = |person: &str| Op {
        subject: Operator::Person(name(person), Default::default()),
        request_id: "test".to_owned(),
        plane: Arc::clone(&ahead),
    };
    let wanted = || Promote { reason: "it works well".to_owned(), person: None };
    assert!(autonomy::standing(&op("maria"), &name("clerk")).await.unwrap().ready);
    let stranger = autonomy::promote(&op("jonas"), &name("clerk"), wanted()).await;
    assert!(stranger.is_err(), "jonas does not answer for it");
    let waits = autonomy::promote(&op("maria"), &name("clerk"), wanted()).await.unwrap();
    let Outcome::Waits(proposal) = waits else { panic!("production asks somebody besides the owner") };
    stage.served.plane.replica.catch_up().await.unwrap();
    assert_eq!(stands(&stage.served).await.0, "probation", "nothing changes before they agree");
    agree(&stage.served, &proposal.summary.id, "ada").await;
    assert_eq!(stands(&stage.served).await, ("supervised".to_owned(), "supervised".to_owned()));
    let revised = stage.served.get("/agents/clerk").await.ok()["revised"].clone();
    assert_eq!(revised["approvers"], json!(["ada"]));
    // No further than its charter, whatever it has earned.
    ahead.replica.catch_up().await.unwrap();
    let further = autonomy::promote(&op("maria"), &name("clerk"), wanted()).await.unwrap_err();
    assert!(further.to_string().contains("declares `supervised`"), "{further}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_takes_all_trust_at_once_on_record_and_no_file_brings_it_back() {
    let served = serve().await;
    let files = json!([
        { "path": "organisation.toml", "text": ORGANISATION },
        { "path": "systems/bank.toml", "text": BANK },
        { "path": "policies/payments.cedar", "text": POLICY },
        { "path": "agents/clerk.toml", "text": CLERK },
    ]);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    assert_eq!(stands(&served).await.0, "supervised", "what works already is taken over by the first apply");
    let mut position = None;
    assert_eq!(autonomy::once(&served.plane, &mut position).await.unwrap(), 0);
    let op = Op { subject: Operator::Plane, ..served.op() };
    let seen = |severity| {
        let sighting = Sighting::new("drift", "clerk", severity, "it lists accounts a hundred times");
        sighting.about(About::agent(&name("clerk")))
    };
    finding::raise(&op, &seen(Severity::Medium)).await.unwrap();
    assert_eq!(autonomy::once(&served.plane, &mut position).await.unwrap(), 0);
    finding::raise(&op, &seen(Severity::High)).await.unwrap();
    assert_eq!(autonomy::once(&served.plane, &mut position).await.unwrap(), 1);
    assert_eq!(stands(&served).await, ("probation".to_owned(), "supervised".to_owned()));
    // A node that reads the same again takes nothing twice.
    served.plane.store.put_meta("autonomy-position", b"0").await.unwrap();
    assert_eq!(autonomy::once(&served.plane, &mut None).await.unwrap(), 0);
    let told = served.get("/findings?kind=agent-demoted").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "{told:#}");
    apply(&served, "clerk", CLERK).await;
    assert_eq!(stands(&served).await.0, "probation");
    let agent = served.get("/agents/clerk").await.ok();
    assert!(agent["history"].to_string().contains("demoted to probation"), "{agent:#}");
    let standing = served.get("/agents/clerk/standing").await.ok();
    assert!(
        unmet(&standing).contains(&"incidents".to_owned()) && unmet(&standing).contains(&"drift".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_names_an_agent_takes_its_trust_and_another_model_begins_anew() {
    let served = serve().await;
    let of_model = |model: &str| {
        CLERK
            .replace("task_duration_max", &format!("manifest = {{ model = \"{model}\" }}\ntask_duration_max"))
    };
    let files = json!([
        { "path": "organisation.toml", "text": ORGANISATION },
        { "path": "systems/bank.toml", "text": BANK },
        { "path": "policies/payments.cedar", "text": POLICY },
        { "path": "agents/clerk.toml", "text": of_model("one") },
    ]);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    apply(&served, "clerk", &of_model("two")).await;
    let agent = served.get("/agents/clerk").await.ok();
    assert_eq!((&agent["status"], &agent["autonomy"]), (&json!("pending-reapproval"), &json!("probation")));

    let mut clerk = served.plane.replica.latest().directory.agents[&name("clerk")].as_ref().clone();
    clerk.charter.autonomy = provost_domain::Autonomy::Supervised;
    console::put(&served, Object::Agent(clerk)).await;
    let mut position = None;
    autonomy::once(&served.plane, &mut position).await.unwrap();
    let order = json!({ "agent": "clerk", "reason": "it pays twice", "person": "ada" });
    served.post("/containments", order).await.ok();
    assert_eq!(autonomy::once(&served.plane, &mut position).await.unwrap(), 1);
    assert_eq!(stands(&served).await.0, "probation");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_the_trust_of_everybody_it_is_about_by_what_is_said_of_agents_and_of_nobody_else() {
    let organisation = format!("{ORGANISATION}\n[group.finance]\nmembers = [\"maria\"]\n");
    let of_model = CLERK.replace("task_duration_max", "manifest = { model = \"gpt-9\" }\ntask_duration_max");
    let theirs = CLERK.replace("owner = \"maria\"", "owner = \"jonas\"");
    for (scope, level, taken) in [
        (json!({"owner": "maria"}), "read-only", vec!["clerk", "invoicer"]),
        (json!({"group": "finance"}), "off", vec!["clerk", "invoicer"]),
        (json!({"like": "inv*"}), "off", vec!["invoicer"]),
        (json!({"model": "gpt-*"}), "off", vec!["invoicer"]),
        (json!({"environment": "production"}), "off", vec!["clerk", "invoicer", "other"]),
        (json!({"owner": "maria", "system": "bank"}), "off", vec!["clerk", "invoicer"]),
        (json!({"owner": "maria"}), "observe", vec![]),
        (json!({"system": "bank"}), "off", vec![]),
        (json!({"everything": true}), "off", vec![]),
    ] {
        let served = serve().await;
        let files = json!([
            { "path": "organisation.toml", "text": organisation },
            { "path": "systems/bank.toml", "text": BANK },
            { "path": "policies/payments.cedar", "text": POLICY },
            { "path": "agents/clerk.toml", "text": CLERK },
            { "path": "agents/invoicer.toml", "text": of_model },
            { "path": "agents/other.toml", "text": theirs },
        ]);
        served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
        let mut position = None;
        autonomy::once(&served.plane, &mut position).await.unwrap();
        let mut order = json!({ "reason": "they pay twice", "level": level });
        order.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
        served.post("/containments", order).await.ok();
        assert_eq!(
            autonomy::once(&served.plane, &mut position).await.unwrap(),
            taken.len(),
            "{scope} {level}"
        );
        let mut lost = Vec::new();
        for agent in ["clerk", "invoicer", "other"] {
            if served.get(&format!("/agents/{agent}/standing")).await.ok()["autonomy"] == "probation" {
                lost.push(agent);
            }
        }
        assert_eq!(lost, taken, "{scope} {level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_charters_declare_trust_nothing_is_earned_and_nothing_taken() {
    let stage = Stage::set().await;
    let op = Op { subject: Operator::Plane, ..stage.served.op() };
    let mut position = None;
    autonomy::once(&stage.served.plane, &mut position).await.unwrap();
    let sighting =
        Sighting::new("drift", "clerk", Severity::Critical, "w").about(About::agent(&name("clerk")));
    finding::raise(&op, &sighting).await.unwrap();
    assert_eq!(autonomy::once(&stage.served.plane, &mut position).await.unwrap(), 0);
    assert_eq!(stands(&stage.served).await, ("supervised".to_owned(), "supervised".to_owned()));
    let asked =
        stage.served.post("/agents/clerk/promotion", json!({ "reason": "more", "person": "maria" })).await;
    assert_eq!(asked.status, 403);
}

#[test]
fn all_of_this_holds_over_postgresql_too() {
    common::all_over_postgres();
}
