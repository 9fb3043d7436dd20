#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! Access reviews, on what agents really did: what is counted for each grant, what a proposal would have changed, who answers, what
//! silence does, and that what was taken is refused.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::{Served, later};
use console::{Browser, Stage, call};
use provost_control::{Op, Operator, Plane, finding, upkeep};
use provost_domain::{DurationMs, Name, Severity, Sighting, finding::About, person::Role};
use serde_json::{Value, json};
use std::sync::Arc;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The clerk listed accounts, tried a payment that is too much, and never paid.
async fn stage() -> Stage {
    let stage = Stage::set().await;
    for _ in 0..3 {
        call(&stage.served, &stage.task, "list_accounts", json!({})).await;
    }
    stage
}

async fn open(served: &Served, scope: Value) -> Value {
    let mut body = json!({ "due": "14d", "reason": "the quarter" });
    body.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    served.post("/reviews", body).await.ok()
}

async fn opened(served: &Served) -> String {
    open(served, json!({ "agent": "clerk" })).await["opened"][0]["id"].as_str().unwrap().to_owned()
}

fn line<'v>(review: &'v Value, tool: &str) -> &'v Value {
    review["lines"].as_array().unwrap().iter().find(|line| line["tool"] == tool).unwrap()
}

async fn grants(served: &Served) -> Vec<String> {
    served.plane.replica.catch_up().await.unwrap();
    let clerk = served.plane.replica.latest().directory.agents[&name("clerk")].clone();
    clerk.charter.grants.iter().flat_map(|grant| grant.tools.iter().map(ToString::to_string)).collect()
}

async fn look(plane: &Arc<Plane>) {
    plane.replica.catch_up().await.unwrap();
    upkeep::once(plane, &mut None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_shows_what_was_granted_what_was_done_with_it_and_what_its_proposal_would_have_changed() {
    let stage = stage().await;
    let id = opened(&stage.served).await;
    let review = stage.served.get(&format!("/reviews/{id}")).await.ok();
    let list = line(&review, "bank/list_accounts");
    assert_eq!((&list["used"], &list["risk"], &list["proposed"]), (&json!(4), &json!("low"), &json!("keep")));
    assert_eq!(list["tasks"], json!([stage.task]));
    assert!(list["first"].as_str().unwrap() <= list["last"].as_str().unwrap());
    let pay = line(&review, "bank/transfer");
    assert_eq!((&pay["used"], &pay["denied"], &pay["risk"]), (&json!(0), &json!(1), &json!("high")));
    assert_eq!((&pay["proposed"], &pay["tasks"]), (&json!("revoke"), &json!([])));
    assert_eq!(review["effect"], "0 of 4 calls since then would have come out otherwise");
    // One at a time, and its owner hears of it.
    assert_eq!(open(&stage.served, json!({ "all": true })).await["opened"], json!([]));
    let told = stage.served.get("/findings?kind=review-open").await.ok();
    assert_eq!((&told["items"][0]["owner"], told["items"].as_array().unwrap().len()), (&json!("maria"), 1));
    for bad in [json!({}), json!({ "agent": "clerk", "due": "0s" })] {
        let mut body = json!({ "due": "14d", "reason": "the quarter" });
        body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        assert_eq!(stage.served.post("/reviews", body).await.status, 422, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_for_the_agent_narrows_it_with_one_word_and_what_was_taken_is_refused_and_tried() {
    let stage = stage().await;
    let id = opened(&stage.served).await;
    let path = format!("/reviews/{id}/answer");
    let word = |person: &str| json!({ "rest": "proposed", "reason": "it never pays", "person": person });
    let stranger = stage.served.post(&path, word("jonas")).await;
    assert_eq!(stranger.status, 403, "{:#}", stranger.body);
    for bad in [
        json!({ "reason": "x", "person": "maria" }),
        json!({ "lines": { "bank/other": "keep" }, "reason": "x", "person": "maria" }),
        json!({ "lines": { "bank/transfer": "narrow" }, "reason": "x", "person": "maria" }),
        json!({ "rest": "all", "reason": "x", "person": "maria" }),
        json!({ "rest": "keep", "reason": "x" }),
    ] {
        assert_eq!(stage.served.post(&path, bad.clone()).await.status, 422, "{bad}");
    }
    // One line at a time: nothing happens before all of them have an answer.
    let half =
        json!({ "lines": { "bank/list_accounts": "keep" }, "reason": "it is its work", "person": "maria" });
    let review = stage.served.post(&path, half).await.ok();
    assert_eq!((&review["state"], &review["unanswered"]), (&json!("open"), &json!(1)));
    assert_eq!(grants(&stage.served).await, ["list_accounts", "transfer"]);
    let review = stage.served.post(&path, word("maria")).await.ok();
    assert_eq!((&review["state"], &review["became"]), (&json!("done"), &json!(2)));
    assert_eq!((&review["verified"], &review["refused"]), (&json!(true), &json!(["bank/transfer"])));
    assert_eq!(grants(&stage.served).await, ["list_accounts"]);
    let agent = stage.served.get("/agents/clerk").await.ok();
    assert_eq!(
        (&agent["revised"]["how"], &agent["revised"]["by"]),
        (&json!("narrower"), &json!("local administrator for maria"))
    );
    let told = stage.served.get("/findings?kind=review-open&state=all").await.ok();
    assert_eq!(told["items"][0]["state"], "closed");
    assert_eq!(stage.served.post(&path, word("maria")).await.status, 409, "it is done");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_does_what_is_proposed_and_is_told_and_a_keep_is_kept() {
    let stage = stage().await;
    let id = opened(&stage.served).await;
    let ahead = later(&stage.served, DurationMs::from_mins(13 * 24 * 60)).await;
    look(&ahead).await;
    assert_eq!(grants(&stage.served).await, ["list_accounts", "transfer"], "not before its time");
    let ahead = later(&stage.served, DurationMs::from_mins(15 * 24 * 60)).await;
    look(&ahead).await;
    assert_eq!(grants(&stage.served).await, ["list_accounts"]);
    let review = stage.served.get(&format!("/reviews/{id}")).await.ok();
    assert_eq!(
        (&review["by"], &review["lapsed"], &review["verified"]),
        (&json!("plane"), &json!(true), &json!(true))
    );
    let told = stage.served.get("/findings?kind=review-lapsed").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 1);
    look(&ahead).await;
    assert_eq!(stage.served.get("/agents/clerk").await.ok()["revision"], 2, "nothing is done twice");

    let again = opened(&stage.served).await;
    let keep = json!({ "rest": "keep", "reason": "all of it", "person": "maria" });
    stage.served.post(&format!("/reviews/{again}/answer"), keep).await.ok();
    assert_eq!(stage.served.get("/agents/clerk").await.ok()["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_opens_a_review_by_itself() {
    let stage = stage().await;
    let op = Op { subject: Operator::Plane, ..stage.served.op() };
    let mut position = None;
    provost_control::autonomy::once(&stage.served.plane, &mut position).await.unwrap();
    let sighting = Sighting::new("drift", "clerk", Severity::High, "w").about(About::agent(&name("clerk")));
    finding::raise(&op, &sighting).await.unwrap();
    provost_control::autonomy::once(&stage.served.plane, &mut position).await.unwrap();
    let reviews = stage.served.get("/reviews?agent=clerk").await.ok();
    assert!(
        reviews["items"][0]["because"].as_str().unwrap().starts_with("an incident: finding_"),
        "{reviews:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_any_role_answers_on_the_page_and_a_stranger_is_shown_nothing() {
    let stage = stage().await;
    let id = opened(&stage.served).await;
    let path = format!("/console/reviews/{id}");
    let maria = stage.signed_in("maria", &[]).await;
    let (jonas, viewer) =
        (stage.signed_in("jonas", &[]).await, stage.signed_in("jonas", &[Role::Viewer]).await);
    let page = maria.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("bank/transfer") && page.body.contains("Do what is proposed"));
    assert_eq!(jonas.get(&path).await.status, 404);
    assert_eq!(viewer.get(&path).await.status, 200);
    assert!(maria.get("/console/reviews").await.body.contains(&path));
    assert!(!jonas.get("/console/reviews").await.body.contains(&path));
    let said = async |browser: &Browser| {
        let fields = [("rest", "proposed"), ("reason", "it never pays")];
        browser.post(&path, "same-origin", &fields).await.status
    };
    assert_eq!(said(&viewer).await, 403);
    assert_eq!(grants(&stage.served).await, ["list_accounts", "transfer"]);
    assert_eq!(said(&maria).await, 303);
    assert_eq!(grants(&stage.served).await, ["list_accounts"]);
    assert!(maria.get(&path).await.body.contains("refused now: bank/transfer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_gives_back_what_a_review_took_says_so_and_needs_whoever_agrees_to_what_it_gains() {
    let stage = stage().await;
    let served = &stage.served;
    let planned = async || served.post("/plan", json!({ "files": common::files() })).await.ok();
    let back = |faults: &Value| {
        let told = faults.as_array().unwrap().iter().map(|fault| fault["what"].as_str().unwrap());
        told.filter(|told| told.contains("narrowed this on")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(back(&planned().await["faults"]), [""; 0]);
    let id = opened(served).await;
    let answer = json!({ "rest": "proposed", "reason": "it never pays", "person": "maria" });
    served.post(&format!("/reviews/{id}/answer"), answer).await.ok();

    let plan = planned().await;
    let told = back(&plan["faults"]);
    assert_eq!(told.len(), 1, "{plan:#}");
    assert!(told[0].starts_with(&id) && told[0].contains("the file still has bank/transfer"), "{}", told[0]);
    assert!(!plan["asks"].as_array().unwrap().is_empty(), "somebody must agree: {plan:#}");
    let apply = json!({ "files": common::files(), "reason": "as ever", "person": "jonas" });
    let applied = served.post("/apply", apply).await;
    assert!(!applied.body["proposal"].is_null(), "{:#}", applied.body);
    assert_eq!(back(&applied.body["warnings"]).len(), 1, "{:#}", applied.body);
    assert_eq!(grants(served).await, ["list_accounts"], "nothing comes back by itself");

    let apply = json!({ "files": common::files(), "reason": "it pays again", "break_glass": true, "person": "maria" });
    served.post("/apply", apply).await.ok();
    assert_eq!(grants(served).await, ["list_accounts", "transfer"]);
    assert_eq!(back(&planned().await["faults"]), [""; 0], "it was given back knowingly");
}

#[test]
fn all_of_this_holds_over_postgresql_too() {
    common::all_over_postgres();
}
