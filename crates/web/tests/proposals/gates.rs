//! Who must agree, and what goes around nobody.

use super::*;

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
