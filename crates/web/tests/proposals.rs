#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! Changes that wait for people, over a real socket and a real store: who must agree, what a yes does, and that nothing else
//! is ever written.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

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
async fn a_wider_charter_in_production_waits_for_its_owner_and_the_group_and_then_says_who_agreed() {
    let served = plane().await;
    let plan = served.post("/plan", json!({ "files": files(&wider(), ORGANISATION) })).await.ok();
    assert_eq!(plan["asks"][0]["gate"], "owner of clerk", "{:#}", plan["asks"]);
    assert_eq!(plan["asks"][1], json!({ "gate": "security", "more": 1, "approvers": ["sid", "sue"] }));

    let anonymous = apply(&served, &wider(), json!({})).await;
    assert_eq!(anonymous.status, 422, "nobody says whose it is: {:#}", anonymous.body);
    assert!(anonymous.body["detail"].as_str().unwrap().contains("--as PERSON"));
    assert_eq!(apply(&served, &wider(), as_of("nobody")).await.status, 422);

    let before = served.plane.store.head().await.unwrap();
    let answer = apply(&served, &wider(), as_of("maria")).await;
    assert_eq!(answer.status, 202);
    let proposal = &answer.body["proposal"];
    let id = proposal["id"].as_str().unwrap();
    assert_eq!((&proposal["person"], &proposal["status"]), (&json!("maria"), &json!("waiting")));
    assert_eq!(proposal["environments"], json!(["production"]));
    assert_eq!(proposal["missing"][0]["approvers"], json!(["jonas"]), "the owner wrote it: a deputy agrees");
    assert_eq!(served.plane.store.tail(before, 10).await.unwrap().len(), 1, "the proposal and nothing else");
    assert_eq!(count_max(&served).await, 3);
    assert_eq!(served.get("/proposals?person=sid").await.ok()["items"][0]["id"], id);
    assert_eq!(served.get("/proposals?person=maria").await.ok()["items"], json!([]));
    assert_eq!(served.get("/proposals?agent=toy").await.ok()["items"], json!([]));

    // The token of the machine agrees to nothing in somebody's name, nor does somebody's session alone.
    assert_eq!(proposal["signed"], true);
    let relayed = served.post(&format!("/proposals/{id}/approve"), as_of("jonas")).await;
    assert_eq!(relayed.status, 403, "{:#}", relayed.body);
    assert!(relayed.body["detail"].as_str().unwrap().contains("takes jonas's passkey"), "{:#}", relayed.body);
    let word =
        proposal::approve(&signed_in(&served, "jonas"), id, ProposalAnswer::default()).await.unwrap_err();
    let cure = word.text().cure.clone().unwrap();
    assert!(
        cure.contains(&format!("{}/proposals/{id}", provost_control::passkey::origin(&served.plane))),
        "{cure}"
    );
    for (who, why) in
        [("maria", "proposed this"), ("ada", "neither the owner"), ("ben", "not a member of security")]
    {
        let error = yes(&served, id, who).await.unwrap_err().to_string();
        assert!(error.contains(why), "{who}: {error}");
    }
    let one = yes(&served, id, "sid").await.unwrap();
    assert_eq!((one.summary.status.as_str(), one.missing.len()), ("waiting", 1));
    assert_eq!(count_max(&served).await, 3);
    let two = yes(&served, id, "jonas").await.unwrap();
    assert_eq!(two.summary.status, "applied");
    assert_eq!(count_max(&served).await, 5);
    assert!(yes(&served, id, "jonas").await.is_err(), "it is applied once");
    let found = common::audit(&served).await;
    let signed: Vec<(&str, &str, &str)> =
        found.answers.iter().map(|it| (it.kind.as_str(), it.id.as_str(), it.person.as_str())).collect();
    assert_eq!(
        signed,
        [("proposal", id, "sid"), ("proposal", id, "jonas")],
        "anybody can verify who said yes"
    );
    assert_eq!((found.unsigned, &json!(found.answers[0].digest)), (0, &proposal["digest"]));

    let agent = served.get("/agents/clerk").await.ok();
    assert_eq!(agent["revision"], 2);
    let revised = &agent["revised"];
    assert_eq!(
        (&revised["how"], &revised["by"], &revised["approvers"], &revised["proposal"], &revised["why"]),
        (
            &json!("approved"),
            &json!("local administrator for maria"),
            &json!(["jonas", "sid"]),
            &json!(id),
            &json!("more is wanted")
        )
    );
    let revisions: Vec<&Value> =
        agent["history"].as_array().unwrap().iter().filter(|change| change["revised"].is_object()).collect();
    assert_eq!(revisions.len(), 2, "each revision, once: {:#}", agent["history"]);
    assert_eq!(revisions[1]["revised"]["how"], "first");
    // A mark that the agent was stopped is no revision.
    served.post("/agents/clerk/suspend", json!({ "reason": "odd" })).await.ok();
    let history = served.get("/agents/clerk").await.ok()["history"].clone();
    assert!(history[0]["revised"].is_null() && history[0]["summary"][0] == "status: active → suspended");
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
async fn what_gains_nothing_and_what_is_in_the_sandbox_is_direct_and_says_so() {
    let served = plane().await;
    let narrower = clerk().replace("count_max = 3", "count_max = 2");
    apply(&served, &narrower, json!({})).await.ok();
    assert_eq!(served.get("/agents/clerk").await.ok()["revised"]["how"], "narrower");
    let toy = TOY.replace("supervised", "bounded");
    let file = json!([{ "path": "agents/toy.toml", "text": toy }]);
    apply_files(&served, file, json!({})).await.ok();
    assert_eq!(served.get("/agents/toy").await.ok()["revised"]["how"], "direct");
    // However well it went there: in production its owner and the group are asked.
    let copied = toy.replace("sandbox", "production");
    for path in ["agents/toy.toml", "agents/toy-two.toml"] {
        let file = json!([{ "path": path, "text": copied }]);
        let answer = apply_files(&served, file, as_of("ada")).await;
        assert_eq!(answer.status, 202, "{path}: {:#}", answer.body);
        assert!(answer.body["proposal"]["gates"].to_string().contains("security"), "{path}");
    }
    // As through the other door.
    let agent = json!({ "purpose": "P", "owner": "maria", "environment": "production", "autonomy": "probation",
        "task_duration_max": "5m", "grant": [{ "system": "bank", "tools": ["list_accounts"] }] });
    let create = json!({ "name": "fresh", "agent": agent, "reason": "r", "person": "ada" });
    let answer = served.post("/agents", create).await;
    assert_eq!((answer.status, &answer.body["agents"]), (202, &json!(["fresh"])), "{:#}", answer.body);
    let reach = &answer.body["reach"][0];
    assert_eq!(
        (&reach["gains"][0]["tool"], &reach["systems"]),
        (&json!("bank/list_accounts"), &json!(["bank"]))
    );
    assert_eq!((&reach["bound_before"], &reach["bound_after"]), (&Value::Null, &json!("962s")));
    let update = json!({ "agent": agent, "reason": "r", "person": "ada" });
    assert_eq!(served.put("/agents/clerk", update).await.status, 202);
    assert_eq!(served.get("/agents/clerk").await.ok()["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_around_the_gate_end_at_a_gate() {
    let served = plane().await;
    let rows: [(&str, String, &[&str]); 7] = [
        ("the group first", ORGANISATION.replace("\"sue\"]", "\"sue\", \"jonas\"]"), &["administrators"]),
        (
            "the rules first",
            ORGANISATION.replace("[\"owner\", \"security\"]", "\"owner\""),
            &["administrators"],
        ),
        (
            "a role for oneself",
            ORGANISATION.replace("\"Jonas\"", "\"Jonas\"\nroles = [\"administrator\"]"),
            &["administrators"],
        ),
        (
            "somebody who is nobody",
            format!("{ORGANISATION}[person.sock]\ndisplay = \"Sock\"\n"),
            &["administrators"],
        ),
        ("another name", ORGANISATION.replace("\"Jonas\"", "\"Maria\""), &["administrators"]),
        (
            "a manager",
            ORGANISATION.replace("\"Maria\"", "\"Maria\"\nmanager = \"jonas\""),
            &["administrators"],
        ),
        (
            "the approvals' rules",
            ORGANISATION.replace("changes =", "approvals = { escalate_after = \"1m\" }\nchanges ="),
            &["administrators"],
        ),
    ];
    for (what, organisation, gates) in rows {
        let answer = apply_files(&served, files(&clerk(), &organisation), as_of("jonas")).await;
        assert_eq!(answer.status, 202, "{what}: {:#}", answer.body);
        assert_eq!(answer.body["proposal"]["gates"], json!(gates), "{what}");
    }
    let charters = [
        ("the deputies first", clerk().replace("[\"jonas\"]", "[\"jonas\", \"ben\"]")),
        ("the owner first", clerk().replace("owner = \"maria\"", "owner = \"sue\"")),
        ("another environment", clerk().replace("environment = \"production\"", "environment = \"sandbox\"")),
    ];
    for (what, text) in charters {
        let answer = apply(&served, &text, as_of("jonas")).await;
        assert_eq!(answer.status, 202, "{what}: {:#}", answer.body);
        assert!(answer.body["proposal"]["gates"].to_string().contains("security"), "{what}");
    }
    let bank = common::BANK.replace("effects = [\"financial\"]", "effects = [\"read\"]");
    let file = json!([{ "path": "systems/bank.toml", "text": bank }]);
    let answer = apply_files(&served, file, as_of("jonas")).await;
    assert_eq!(
        (answer.status, &answer.body["proposal"]["gates"]),
        (202, &json!(["security"])),
        "a class first"
    );
    let gone: Vec<Value> = files(&clerk(), ORGANISATION).as_array().unwrap()[..4].to_vec();
    let answer = apply_files(&served, json!(gone), json!({ "prune": true, "person": "jonas" })).await;
    assert_eq!(
        (answer.status, &answer.body["proposal"]["gates"]),
        (202, &json!(["administrators"])),
        "what a policy forbids: {:#}",
        answer.body
    );
    // Nothing of all that has happened.
    assert_eq!(served.get("/agents/clerk").await.ok()["revision"], 1);
    assert!(served.get("/people/jonas").await.ok()["roles"].is_null(), "none");
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
async fn a_change_of_owner_needs_the_old_one_and_the_new_one() {
    let served = plane().await;
    let text = clerk().replace("owner = \"maria\"", "owner = \"sue\"");
    let answer = apply(&served, &text, as_of("ada")).await;
    let id = answer.body["proposal"]["id"].as_str().unwrap();
    assert_eq!(answer.body["proposal"]["gates"], json!(["new owner of clerk", "owner of clerk", "security"]));
    yes(&served, id, "sid").await.unwrap();
    yes(&served, id, "maria").await.unwrap();
    assert_eq!(served.get("/agents/clerk").await.ok()["owner"], "maria", "she has not accepted yet");
    assert_eq!(yes(&served, id, "sue").await.unwrap().summary.status, "applied");
    assert_eq!(served.get("/agents/clerk").await.ok()["owner"], "sue");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_first_apply_is_direct_once_also_when_two_are_first() {
    let served = serve().await;
    let one = json!([
        { "path": "people.toml", "text": "[person.maria]\ndisplay = \"Maria\"\n" },
        { "path": "systems/bank.toml", "text": common::BANK },
        { "path": "agents/clerk.toml", "text": common::CLERK },
    ]);
    let two = json!([
        { "path": "people.toml", "text": "[person.mallory]\ndisplay = \"Mallory\"\n" },
        { "path": "systems/vault.toml", "text": common::BANK.replace("A bank", "A vault") },
        { "path": "agents/thief.toml", "text": common::CLERK.replace("\"maria\"", "\"mallory\"").replace("\"bank\"", "\"vault\"") },
    ]);
    let (one, two) = tokio::join!(apply_files(&served, one, json!({})), apply_files(&served, two, json!({})));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [200, 422],
        "the second has to say whose it is, and waits: {:#} {:#}",
        one.body,
        two.body
    );
    let first = served.get("/proposals/proposal_first").await.ok();
    assert_eq!((&first["status"], &first["gates"]), (&json!("applied"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_of_sandboxes_where_nobody_has_a_role_asks_nobody() {
    let served = serve().await;
    let people = json!([{ "path": "people.toml", "text": "[person.maria]\ndisplay = \"Maria\"\n" }]);
    apply_files(&served, people, json!({})).await.ok();
    let more = json!([
        { "path": "more.toml", "text": "[person.you]\ndisplay = \"You\"\n" },
        { "path": "agents/toy.toml", "text": TOY },
        { "path": "systems/bank.toml", "text": common::BANK.replace("production", "sandbox") },
    ]);
    apply_files(&served, more, json!({})).await.ok();
    let clerk = json!([{ "path": "agents/real.toml", "text": TOY.replace("sandbox", "production") }]);
    assert_eq!(
        apply_files(&served, clerk, as_of("you")).await.status,
        202,
        "outside of it somebody is asked"
    );
}

/// A form, as a browser sends it from a page of this origin.
async fn form(served: &Served, browser: &Browser, path: &str, site: &str, form: &str) -> u16 {
    let request = served.client.post(format!("{}{path}", served.plane.issuer));
    let request = request
        .header(header::COOKIE, format!("provost={}", browser.secret))
        .header("sec-fetch-site", site)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned());
    request.send().await.unwrap().status().as_u16()
}

async fn browser(served: &Served, name: &str) -> Browser {
    let secret = format!("test-{name}");
    let row = Session {
        id: Digest::of(secret.as_bytes()),
        person: name.parse().unwrap(),
        roles: Default::default(),
        by: "a test".to_owned(),
        passkey: None,
        started: Timestamp::from_millis(0),
        seen: Some(served.plane.now()),
        expires: served.plane.now().plus(DurationMs::from_mins(60)),
        ended: false,
    };
    console::put(served, Object::Session(row)).await;
    Browser::new(served, &secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_what_would_change_side_by_side_and_agrees_to_exactly_that() {
    let served = plane().await;
    let hostile = "<img src=x onerror=alert(1)>";
    let reason = json!({ "person": "ada", "reason": hostile });
    let text = wider().replace("pays a little", &format!("pays {hostile}"));
    let answer = apply(&served, &text, reason).await;
    let id = answer.body["proposal"]["id"].as_str().unwrap();
    let digest = answer.body["proposal"]["digest"].as_str().unwrap();
    let (maria, sid, ada, sue) = (
        browser(&served, "maria").await,
        browser(&served, "sid").await,
        browser(&served, "ada").await,
        browser(&served, "sue").await,
    );
    let list = maria.get("/proposals").await;
    assert!(list.status == 200 && list.body.contains(&format!("/proposals/{id}")), "{}", list.body);
    let page = maria.get(&format!("/proposals/{id}")).await;
    let wanted =
        ["count_max = 3", "count_max = 5", "Yes, make this change", digest, "owner of clerk", "962s"];
    for text in wanted.into_iter().chain(["data-signed", "data-answer=\"proposal\"", "/assets/passkey.js"]) {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("<img") && page.body.contains("&#60;img src=x"), "it is text: {}", page.body);
    // Whoever wrote it has no button but the one that takes it back.
    let own = ada.get(&format!("/proposals/{id}")).await;
    assert!(!own.body.contains("Yes, make this change") && own.body.contains("Take it back"), "{}", own.body);

    let path = format!("/proposals/{id}/answer");
    let agree = format!("answer=yes&digest={digest}");
    for (browser, site, said, why) in [
        (&maria, "cross-site", agree.as_str(), "from another site"),
        (&ada, "same-origin", agree.as_str(), "by who wrote it"),
        (&maria, "same-origin", "answer=yes&digest=sha256:0000", "to another change than was read"),
        (&maria, "same-origin", "answer=perhaps", "neither yes nor no"),
        (&maria, "same-origin", agree.as_str(), "without the signature"),
    ] {
        let status = form(&served, browser, &path, site, said).await;
        assert!((400..500).contains(&status), "{why}: {status}");
    }
    assert!(served.get(&format!("/proposals/{id}")).await.ok()["votes"].as_array().unwrap().is_empty());
    yes(&served, id, "maria").await.unwrap();
    let page = sue.get(&format!("/proposals/{id}")).await;
    assert!(page.body.contains("security: 1 more must say yes"), "{}", page.body);
    yes(&served, id, "sid").await.unwrap();
    assert_eq!(count_max(&served).await, 5);
    let page = sid.get(&format!("/proposals/{id}")).await;
    assert!(
        page.body.contains("applied")
            && page.body.contains(">signed<")
            && !page.body.contains("Yes, make this change"),
        "{}",
        page.body
    );
    let agent = ada.get("/console/agents/clerk").await;
    assert!(
        agent.body.contains(&format!("/proposals/{id}")) && agent.body.contains("agreed to by"),
        "{}",
        agent.body
    );
    // Somebody it does not concern does not know of it.
    let stranger = browser_of_nobody(&served).await;
    assert_eq!(stranger.get(&format!("/proposals/{id}")).await.status, 404);
}

async fn browser_of_nobody(served: &Served) -> Browser {
    let row: provost_domain::Person =
        serde_json::from_value(json!({ "name": "otto", "display": "Otto", "active": true })).unwrap();
    console::put(served, Object::Person(row)).await;
    browser(served, "otto").await
}
