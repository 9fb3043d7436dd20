//! The kill switch of the real program: order, what is in flight, what is proven, the evidence, and a plane that dies in the middle.

use crate::{
    death::{bank, governed, long_call, wait_until_under_way},
    program::{Plane, acme, complaint, until},
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cuts_what_is_in_flight_is_proven_and_leaves_evidence_that_verifies_offline() {
    let bank = bank().await;
    let plane = governed(&bank);
    let calling = long_call(&plane).await;
    wait_until_under_way(&bank).await;
    let order = plane.json(&["kill", "--agent", "bookkeeper", "--reason", "a key leaked", "--as", "maria"]);
    let id = order["id"].as_str().unwrap().to_owned();
    let cut = calling.await.unwrap();
    assert!(cut.is_err_and(|error| error.to_string().contains(&id)), "the client is told which order cut it");
    let shown = known(&plane, &id);
    assert_eq!((&shown["ended"]["tasks"], &shown["hits"]["tasks"]), (&json!(1), &json!(0)), "{shown:#}");
    let systems = shown["systems"].as_array().unwrap();
    assert!(!systems.is_empty());
    for system in systems {
        assert_eq!((&system["proof"], &system["stage"]), (&json!("partial"), &json!("probed")), "{system:#}");
        let because = system["because"].as_str().unwrap();
        assert!(because.contains("every face refused the tokens of 1 ended tasks"), "{because}");
        assert!(because.contains("only_through_plane"), "{because}");
    }
    let unknown = shown["unknown"].as_array().unwrap();
    assert_eq!(unknown.len(), 1, "{shown:#}");
    let call = unknown[0]["decision"].as_str().unwrap();
    let found =
        plane.json(&["kill", "settle", &id, "--call", call, "--found", "it did not happen", "--as", "jonas"]);
    assert_eq!(
        (&found["unknown"][0]["found"], &found["unknown"][0]["by"]),
        (&json!("it did not happen"), &json!("jonas"))
    );

    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("evidence");
    let dir = written.to_str().unwrap();
    let key = plane.json(&["ledger", "checkpoint"])["vkey"].as_str().unwrap().to_owned();
    let evidence = until(|| {
        let _fresh = std::fs::remove_dir_all(&written);
        let told = plane.ask(&["kill", "evidence", &id, dir, "--json"]);
        // The newest records enter the ledger within a second or so.
        told.status.success().then(|| serde_json::from_slice::<Value>(&told.stdout).unwrap())
    });
    let records = evidence["records"].as_array().unwrap();
    let about = |text: &str| records.iter().any(|record| record["about"].as_str().unwrap().contains(text));
    assert!(
        about("the order") && about("the trial of task_") && about("a call cut half-way"),
        "{records:#?}"
    );
    let verified = plane.ask(&["ledger", "verify", dir, "--key", &key]);
    assert!(verified.status.success(), "{}", complaint(&verified));
    let some = std::fs::read_dir(&written).unwrap().map(|entry| entry.unwrap().path());
    let receipt = some.filter(|path| path.extension().is_some_and(|end| end == "tlog-proof")).max().unwrap();
    let forged = std::fs::read_to_string(&receipt).unwrap().replacen("index ", "index 1", 1);
    std::fs::write(&receipt, forged).unwrap();
    assert_eq!(
        plane.ask(&["ledger", "verify", dir, "--key", &key]).status.code(),
        Some(3),
        "forged evidence is none"
    );
}

#[test]
fn a_system_that_nothing_else_leads_to_is_contained_and_the_token_of_the_machine_lifts_nothing_from_off() {
    let plane = Plane::fresh();
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("all.toml"), ONLY).unwrap();
    plane.json(&["apply", files.path().to_str().unwrap(), "--yes"]);
    plane.json(&["task", "start", "walker", "--purpose", "to be stopped"]);
    let order = plane.json(&["kill", "--owner", "maria", "--reason", "she left", "--as", "maria"]);
    let id = order["id"].as_str().unwrap();
    let shown = known(&plane, id);
    assert_eq!(shown["proof"], "contained", "{shown:#}");
    assert_eq!(shown["systems"][0]["proof"], "contained");
    let alone = plane.ask(&["kill", "lift", id, "--reason", "back", "--as", "maria"]);
    assert!(
        alone.status.success() && String::from_utf8_lossy(&alone.stdout).contains("another person"),
        "{alone:?}"
    );
    assert_eq!(plane.ask(&["kill", "lift", id, "--reason", "back", "--as", "maria"]).status.code(), Some(1));
    // Ben has to come himself: whoever holds the token could give his name.
    let named = plane.ask(&["kill", "lift", id, "--reason", "seen", "--as", "ben"]);
    let page = format!("/console/containments/{id}");
    assert!(named.status.code() == Some(1) && complaint(&named).contains(&page), "{named:?}");
    assert_eq!(plane.ask(&["task", "start", "walker", "--purpose", "works again"]).status.code(), Some(1));
    let less = plane.json(&["kill", "--agent", "walker", "--level", "read-only", "--reason", "a test"]);
    let less = less["id"].as_str().unwrap();
    assert_eq!(plane.json(&["kill", "lift", less, "--reason", "seen"])["status"], "lifted");
}

#[test]
fn a_plane_that_dies_in_the_middle_of_an_order_goes_on_with_it() {
    let mut plane = Plane::fresh();
    plane.json(&["apply", &acme(), "--yes"]);
    for _ in 0..3 {
        plane.json(&["task", "start", "invoice-clerk", "--purpose", "to be stopped"]);
    }
    let order = plane.json(&["kill", "--agent", "invoice-clerk", "--reason", "a test"]);
    plane.kill();
    let folder = plane.keep_folder();
    let plane = Plane::start(&folder.path().join("data")).unwrap();
    let refused = plane.ask(&["task", "start", "invoice-clerk", "--purpose", "again"]);
    assert_eq!(refused.status.code(), Some(1), "it binds from the first moment: {}", complaint(&refused));
    let shown = known(&plane, order["id"].as_str().unwrap());
    assert_eq!((&shown["ended"]["tasks"], &shown["hits"]["tasks"]), (&json!(3), &json!(0)), "{shown:#}");
    assert_eq!(plane.json(&["fsck"])["sound"], true);
}

/// The order, once nothing of it is unknown any more.
fn known(plane: &Plane, id: &str) -> Value {
    until(|| Some(plane.json(&["kill", "show", id])).filter(|shown| shown["proof"] != "unknown"))
}

const ONLY: &str = r#"
[organisation]
display = "Test Ltd"

[person.maria]
display = "Maria"

[person.ben]
display = "Ben"

[system.notes]
description = "Notes that only the plane leads to"
environment = "sandbox"
url = "http://127.0.0.1:9/mcp"
revocation_max = "0s"
only_through_plane = true

[system.notes.tool.read]
pin = "sha256:c875efd9f4bd358ea0138c5679a88ff4833a95f625b06ad8db3bd257d251af7f"
effects = ["read"]

[agent.walker]
purpose = "Reads notes"
owner = "maria"
environment = "sandbox"
autonomy = "probation"
task_duration_max = "60m"

[[agent.walker.grant]]
system = "notes"
tools = ["read"]
"#;
