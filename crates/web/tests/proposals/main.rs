#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

//! Changes that wait for people, over a real socket and a real store: who must agree, what a yes does, and that nothing else
//! is ever written.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../common/mod.rs"]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../common/console.rs"]
mod console;

mod gates;
mod page;

use common::{Served, serve};
use console::Browser;
use provost_api::proposal::{ProposalAnswer, ProposalView};
use provost_control::{ControlError, Op, Operator, housekeeping, proposal};
use provost_domain::{Digest, DurationMs, Name, Object, Session, Timestamp, person::Role};
use reqwest::header;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ORGANISATION: &str = r#"
[organisation]
display = "Test Ltd"
production_revocation_max = "24h"
changes = { production = ["owner", "security"] }

[group.security]
members = ["sid", "sue"]

[person.maria]
display = "Maria"
[person.jonas]
display = "Jonas"
[person.sid]
display = "Sid"
[person.sue]
display = "Sue"
[person.ada]
display = "Ada"
roles = ["administrator"]
[person.ben]
display = "Ben"
roles = ["administrator"]
"#;

const TOY: &str = r#"
[agent]
purpose = "Plays"
owner = "maria"
environment = "sandbox"
autonomy = "supervised"
task_duration_max = "60m"
"#;

fn files(clerk: &str, organisation: &str) -> Value {
    json!([
        { "path": "organisation.toml", "text": organisation },
        { "path": "systems/bank.toml", "text": common::BANK },
        { "path": "agents/clerk.toml", "text": clerk },
        { "path": "agents/toy.toml", "text": TOY },
        { "path": "policies/payments.cedar", "text": common::POLICY },
    ])
}

fn clerk() -> String {
    common::CLERK.replace("owner = \"maria\"", "owner = \"maria\"\ndeputies = [\"jonas\"]")
}

/// Five transfers a day instead of three.
fn wider() -> String {
    clerk().replace("count_max = 3", "count_max = 5")
}

async fn plane() -> Served {
    let served = serve().await;
    apply(&served, &clerk(), json!({})).await.ok();
    served
}

async fn apply(served: &Served, clerk: &str, more: Value) -> common::Answer {
    apply_files(served, files(clerk, ORGANISATION), more).await
}

async fn apply_files(served: &Served, files: Value, more: Value) -> common::Answer {
    let mut request = json!({ "files": files, "reason": "more is wanted" });
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    served.post("/apply", request).await
}

fn as_of(person: &str) -> Value {
    json!({ "person": person })
}

/// An operation of somebody who signed in.
fn signed_in(served: &Served, name: &str) -> Op {
    let roles: BTreeSet<Role> =
        served.plane.replica.latest().directory.people.get(name).unwrap().roles.clone();
    Op { subject: Operator::Person(name.parse().unwrap(), roles), ..served.op() }
}

/// A yes with the person's passkey, where one is wanted.
async fn yes(served: &Served, id: &str, name: &str) -> Result<ProposalView, ControlError> {
    let op = signed_in(served, name);
    let answer = signed(served, &op, id, ProposalAnswer::default()).await?;
    proposal::approve(&op, id, answer).await
}

/// The answer with what the person who operates signed of it.
async fn signed(
    served: &Served,
    op: &Op,
    id: &str,
    answer: ProposalAnswer,
) -> Result<ProposalAnswer, ControlError> {
    let Operator::Person(name, _) = &op.subject else { panic!("no person") };
    common::device(served, name.as_str()).await;
    let asked = proposal::statement(op, id, answer.clone()).await?;
    let signed = common::signed(served, name.as_str(), &asked).await;
    Ok(ProposalAnswer { signed: Some(signed), ..answer })
}

async fn count_max(served: &Served) -> Value {
    served.get("/agents/clerk").await.ok()["charter"]["budgets"][0]["count_max"].clone()
}

async fn proposed(served: &Served) -> String {
    let answer = apply(served, &wider(), as_of("ada")).await;
    assert_eq!(answer.status, 202, "{:#}", answer.body);
    answer.body["proposal"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_is_a_yes_to_that_change_once_and_by_that_person_only() {
    let served = plane().await;
    let (one, two) = (proposed(&served).await, proposed(&served).await);
    let sid = signed_in(&served, "sid");
    let said = |reason: &str| ProposalAnswer { reason: Some(reason.to_owned()), ..Default::default() };
    for (what, id, answer) in
        [("to another change", &two, said("r")), ("with other words", &one, said("other"))]
    {
        let signed = signed(&served, &sid, &one, said("r")).await.unwrap().signed;
        let answer = ProposalAnswer { signed, ..answer };
        let error = proposal::approve(&sid, id, answer.clone()).await.unwrap_err().to_string();
        assert!(error.contains("is not a yes to this"), "{what}: {error}");
        let again = proposal::approve(&sid, id, answer).await.unwrap_err().to_string();
        assert!(again.contains("came too late"), "{what}, again: {again}");
    }
    // His signature in another's name.
    let his = signed(&served, &sid, &one, said("r")).await.unwrap();
    common::device(&served, "sue").await;
    let hers = proposal::approve(&signed_in(&served, "sue"), &one, his).await.unwrap_err().to_string();
    assert!(hers.contains("passkey"), "{hers}");
    assert!(served.get(&format!("/proposals/{one}")).await.ok()["votes"].as_array().unwrap().is_empty());
    // Through whoever's hands it comes: the token that proposed it passes it on, and it is his.
    let asked = served.post(&format!("/proposals/{one}/statement"), as_of("sid")).await.ok();
    let asked: provost_api::passkey::StatementView = serde_json::from_value(asked).unwrap();
    let mut relayed = as_of("sid");
    relayed["signed"] = json!(common::signed(&served, "sid", &asked).await);
    let vote = served.post(&format!("/proposals/{one}/approve"), relayed).await.ok()["votes"][0].clone();
    assert_eq!((&vote["person"], &vote["shown_by"]), (&json!("sid"), &json!("sid, by passkey laptop")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_the_machine_agrees_to_nothing_that_somebody_who_signed_in_proposed() {
    let served = serve().await;
    let staging = clerk().replace("environment = \"production\"", "environment = \"staging\"");
    let bank = common::BANK.replace("production", "staging");
    let files = |clerk: &str| {
        json!([{ "path": "organisation.toml", "text": ORGANISATION },
            { "path": "systems/bank.toml", "text": bank }, { "path": "agents/clerk.toml", "text": clerk }])
    };
    apply_files(&served, files(&staging), json!({})).await.ok();
    let request =
        json!({ "files": files(&staging.replace("count_max = 3", "count_max = 5")), "reason": "more" });
    let ada = signed_in(&served, "ada");
    let applied = provost_control::plan::apply(&ada, serde_json::from_value(request).unwrap()).await.unwrap();
    let waits = applied.proposal.unwrap();
    assert!(!waits.signed, "what does not reach production takes no signature");
    let id = waits.summary.id;
    // Ada is at the machine, too: its token gives the owner's name, or breaks the glass in another administrator's.
    let glass = json!({ "person": "ben", "break_glass": true, "reason": "fire" });
    for said in [as_of("maria"), glass] {
        let relayed = served.post(&format!("/proposals/{id}/approve"), said).await;
        assert_eq!(relayed.status, 403, "{:#}", relayed.body);
        assert!(
            relayed.body["detail"].as_str().unwrap().contains("token of the machine"),
            "{:#}",
            relayed.body
        );
        assert!(relayed.body["do"].as_str().unwrap().contains("signs in"), "{:#}", relayed.body);
    }
    assert_eq!(count_max(&served).await, 3);
    let own = proposal::approve(&signed_in(&served, "maria"), &id, ProposalAnswer::default()).await.unwrap();
    assert_eq!(own.summary.status, "applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_meanwhile_and_rows_that_move_make_it_stale_and_it_is_never_applied_over_them() {
    let served = plane().await;
    let id = proposed(&served).await;
    yes(&served, &id, "sid").await.unwrap();
    // The charter narrows meanwhile, and is as it was again: it is another row.
    apply(&served, &clerk().replace("count_max = 3", "count_max = 2"), json!({})).await.ok();
    let shown = served.get(&format!("/proposals/{id}")).await.ok();
    assert_eq!(shown["moved"], json!(["agent clerk"]));
    let asked = yes(&served, &id, "maria").await.unwrap_err().to_string();
    assert!(asked.contains("has to be proposed again"), "nobody is asked to sign it: {asked}");
    let maria = signed_in(&served, "maria");
    let error = proposal::approve(&maria, &id, ProposalAnswer::default()).await.unwrap_err().to_string();
    assert!(error.contains("has to be proposed again"), "{error}");
    assert_eq!(served.get(&format!("/proposals/{id}")).await.ok()["status"], "stale", "and stays so");
    assert_eq!(count_max(&served).await, 2);

    // One that waits while a group changes under it is found by housekeeping.
    let id = proposed(&served).await;
    let fewer = ORGANISATION.replace("[\"sid\", \"sue\"]", "[\"sid\"]");
    let narrow = clerk().replace("count_max = 3", "count_max = 2");
    apply_files(&served, files(&narrow, &fewer), json!({})).await.ok();
    housekeeping::once(&served.plane).await.unwrap();
    let shown = served.get(&format!("/proposals/{id}")).await.ok();
    assert_eq!(shown["status"], "stale");
    assert!(shown["over"].as_str().unwrap().contains("organisation"), "{shown:#}");

    // And one whose agent was stopped: the proposal would have set it going again.
    let id = proposed(&served).await;
    served.post("/agents/clerk/suspend", json!({ "reason": "odd" })).await.ok();
    yes(&served, &id, "sid").await.unwrap_err();
    assert_eq!(served.get("/agents/clerk").await.ok()["status"], "suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_last_answers_at_once_apply_it_once_and_a_no_beside_a_yes_is_one_of_the_two() {
    let served = plane().await;
    for round in 0..4_u8 {
        let id = proposed(&served).await;
        yes(&served, &id, "sid").await.unwrap();
        let revision = served.get("/agents/clerk").await.ok()["revision"].as_u64().unwrap();
        let (maria, jonas) = (signed_in(&served, "maria"), signed_in(&served, "jonas"));
        let hers = signed(&served, &maria, &id, ProposalAnswer::default()).await.unwrap();
        let his = signed(&served, &jonas, &id, ProposalAnswer::default()).await.unwrap();
        let (one, two) = if round % 2 == 0 {
            tokio::join!(proposal::approve(&maria, &id, hers), proposal::approve(&jonas, &id, his))
        } else {
            tokio::join!(
                proposal::approve(&maria, &id, hers),
                proposal::refuse(&jonas, &id, ProposalAnswer::default())
            )
        };
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "round {round}");
        let status = served.get(&format!("/proposals/{id}")).await.ok()["status"].clone();
        let now = served.get("/agents/clerk").await.ok()["revision"].as_u64().unwrap();
        assert_eq!(now, revision + u64::from(status == "applied"), "round {round}: {status}");
        // Back again, for the next round.
        apply(&served, &clerk(), json!({})).await;
        if status == "applied" {
            assert_eq!(count_max(&served).await, 3, "narrower is direct");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_taken_back_by_its_author_refused_by_one_and_runs_out() {
    let served = plane().await;
    let id = proposed(&served).await;
    let stranger = proposal::withdraw(&signed_in(&served, "jonas"), &id, "no").await.unwrap_err();
    assert!(stranger.to_string().contains("did not propose"), "{stranger}");
    let over = proposal::withdraw(&signed_in(&served, "ada"), &id, "not needed").await.unwrap();
    assert_eq!(
        (over.summary.status.as_str(), over.over.as_deref()),
        ("withdrawn", Some("person ada: not needed"))
    );

    let withdrawn = id;
    let id = proposed(&served).await;
    let no = ProposalAnswer { reason: Some("too much".to_owned()), ..Default::default() };
    let refused = proposal::refuse(&signed_in(&served, "sue"), &id, no).await.unwrap();
    assert_eq!(refused.summary.status, "refused");
    assert!(yes(&served, &id, "maria").await.is_err());

    let id = proposed(&served).await;
    yes(&served, &id, "sid").await.unwrap();
    let late = common::later(&served, DurationMs::from_mins(7 * 24 * 60)).await;
    let maria = Op { plane: std::sync::Arc::clone(&late), ..signed_in(&served, "maria") };
    let error = proposal::approve(&maria, &id, ProposalAnswer::default()).await.unwrap_err().to_string();
    assert!(error.contains("expired"), "{error}");
    housekeeping::once(&late).await.unwrap();
    assert_eq!(served.get(&format!("/proposals/{id}")).await.ok()["status"], "expired");
    assert_eq!(count_max(&served).await, 3);
    // What is over is found without its id, too.
    let found = async |query: &str| {
        let page = served.get(&format!("/proposals{query}")).await.ok();
        let rows = page["items"].as_array().unwrap().clone();
        rows.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(found("").await.is_empty());
    assert_eq!(found("?status=withdrawn").await, ["withdrawn"]);
    let mut all = found("?status=all").await;
    all.sort();
    assert_eq!(all, ["applied", "expired", "refused", "withdrawn"], "with the first apply");
    assert_eq!(found("?status=all&agent=clerk").await.len(), 3);
    assert_eq!(served.get("/proposals?status=over").await.status, 422);
    assert!(served.get("/proposals?status=withdrawn").await.ok().to_string().contains(&withdrawn));
}

#[tokio::test(flavor = "multi_thread")]
async fn breaking_the_glass_applies_at_once_and_stands_there_as_that() {
    let served = plane().await;
    let anonymous = apply(&served, &wider(), json!({ "break_glass": true })).await;
    assert_eq!(anonymous.status, 422, "whoever reviews it is somebody else, so somebody it has to be");
    let applied = apply(&served, &wider(), json!({ "break_glass": true, "person": "jonas" })).await.ok();
    assert!(applied["proposal"].is_null());
    assert_eq!(count_max(&served).await, 5);
    let revised = served.get("/agents/clerk").await.ok()["revised"].clone();
    assert_eq!((&revised["how"], &revised["approvers"]), (&json!("break-glass"), &json!([])));
    let id = revised["proposal"].as_str().unwrap();
    let shown = served.get(&format!("/proposals/{id}")).await.ok();
    assert_eq!(
        (&shown["status"], &shown["broken"]["person"], &shown["broken"]["reason"]),
        (&json!("applied"), &json!("jonas"), &json!("more is wanted"))
    );
    // It is up for review: by somebody else, who signs in.
    let found = served.get("/findings?kind=break-glass").await.ok()["items"][0].clone();
    assert_eq!(
        (&found["about"]["person"], &found["about"]["agent"], &found["severity"], &found["owner"]),
        (&json!("jonas"), &json!("clerk"), &json!("high"), &json!("maria")),
        "{found:#}"
    );
    let finding = found["id"].as_str().unwrap();
    let close = json!({ "person": "maria", "reason": "looked at" });
    let by_token = served.post(&format!("/findings/{finding}/close"), close).await;
    assert_eq!(by_token.status, 403, "the token does not review what it did: {:#}", by_token.body);
    let reviewed = || provost_api::finding::FindingAnswer { person: None, reason: "looked at".to_owned() };
    let own = provost_control::finding::close(&signed_in(&served, "jonas"), finding, reviewed()).await;
    assert!(own.is_err(), "nor does who did it");
    let late = common::later(&served, DurationMs::from_mins(3 * 24 * 60 + 1)).await;
    housekeeping::once(&late).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(served.get(&format!("/findings/{finding}")).await.ok()["severity"], "critical", "it got late");
    provost_control::finding::close(&signed_in(&served, "maria"), finding, reviewed()).await.unwrap();
    // Administrators may, others not; and an administrator may on somebody else's proposal.
    let operator = |name: &str, role: Role| Op {
        subject: Operator::Person(name.parse::<Name>().unwrap(), [role].into()),
        ..served.op()
    };
    let request = provost_api::plan::ApplyRequest {
        files: serde_json::from_value(files(
            &clerk().replace("count_max = 3", "count_max = 9"),
            ORGANISATION,
        ))
        .unwrap(),
        prune: false,
        reason: "fire".to_owned(),
        plan: None,
        person: None,
        break_glass: true,
    };
    let refused = provost_control::plan::apply(&operator("sue", Role::Operator), request.clone()).await;
    assert!(refused.is_err());
    let proposal =
        ProposalAnswer { break_glass: true, reason: Some("fire".to_owned()), ..Default::default() };
    let ada = operator("ada", Role::Administrator);
    let waits =
        provost_control::plan::apply(&ada, provost_api::plan::ApplyRequest { break_glass: false, ..request });
    let id = waits.await.unwrap().proposal.unwrap().summary.id;
    let own = proposal::approve(&signed_in(&served, "ada"), &id, proposal.clone()).await.unwrap_err();
    assert!(own.to_string().contains("proposed this"), "{own}");
    let applied = proposal::approve(&signed_in(&served, "ben"), &id, proposal).await.unwrap();
    assert_eq!(
        (applied.summary.status.as_str(), applied.broken.unwrap().person),
        ("applied", Some("ben".parse().unwrap()))
    );
}
