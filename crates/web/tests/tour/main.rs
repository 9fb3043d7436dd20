#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! A tour of administration, over a real socket and a real store.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../common/mod.rs"]
mod common;

mod kept;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{Served, decided::decide_at_a_cost, node, plane_over, serve};
use provost_control::{anchor, sequencer, unfinished};
use provost_domain::{DecisionId, TaskId, Verdict, limits::Limits};
use provost_store::{Charge, Store, WindowKey};
use provost_store_sqlite::SqliteStore;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Decides and records a call of the clerk, as the gateway would.
async fn call(served: &Served, task: &str, tool: &str, args: Value) -> DecisionId {
    let cost = |verdict: &Verdict| {
        let window = WindowKey {
            key: "agent/clerk/transfers-a-day/count".to_owned(),
            window: provost_domain::DurationMs::from_mins(24 * 60),
            max: 3,
        };
        let costs = tool == "transfer" && verdict.is_allow();
        if costs { vec![Charge { window, amount: 1 }] } else { Vec::new() }
    };
    decide_at_a_cost(served, ["clerk", "bank", tool], task, args, cost).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_planned_in_words_and_applied_once() {
    let served = serve().await;
    let plan = served.post("/plan", json!({ "files": common::files() })).await.ok();
    assert_eq!((plan["refused"].as_bool(), plan["widens"].as_bool()), (Some(false), Some(true)), "{plan:#}");
    let clerk = plan["steps"].as_array().unwrap().iter().find(|step| step["key"] == "clerk").unwrap();
    assert_eq!(clerk["verb"], "add");
    assert!(clerk["words"].to_string().contains("bank/transfer"), "{clerk:#}");
    let stale = json!({ "files": common::files(), "reason": "go", "plan": "sha256:0" });
    assert_eq!(served.post("/apply", stale).await.status, 409);
    let applied = served
        .post("/apply", json!({ "files": common::files(), "reason": "go", "plan": plan["digest"] }))
        .await
        .ok();
    assert!(applied["seq"].as_u64().unwrap() >= 7, "{applied:#}");
    let again = served.apply().await;
    assert_eq!((again["seq"].clone(), again["steps"].as_array().unwrap().len()), (applied["seq"].clone(), 0));
    // Taken away with `prune`: the agent is decommissioned, never removed, and its tasks end with it.
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let files = common::files();
    let without: Vec<&Value> =
        files.as_array().unwrap().iter().filter(|file| file["path"] != "agents/clerk.toml").collect();
    served.post("/apply", json!({ "files": without, "prune": true, "reason": "no clerk" })).await.ok();
    assert_eq!(served.get("/agents/clerk").await.ok()["status"], "decommissioned");
    assert_eq!(served.get(&format!("/tasks/{task}")).await.ok()["status"], "ended");
    let back = served.post("/apply", json!({ "files": files, "reason": "back" })).await;
    assert_eq!(back.status, 422, "a name is never given again: {:#}", back.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_once_among_people_workloads_and_agents() {
    let served = serve().await;
    served.apply().await;
    let agent = json!({ "purpose": "P", "owner": "maria", "environment": "production", "autonomy": "probation",
        "task_duration_max": "5m", "grant": [{ "system": "bank", "tools": ["list_accounts"] }] });
    for (name, status) in [("jonas", 422), ("checkout", 422), ("clerk", 409)] {
        let answer = served.post("/agents", json!({ "name": name, "agent": agent, "reason": "try" })).await;
        assert!([status, 409].contains(&answer.status), "{name}: {:#}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_shows_its_charter_in_words_its_moves_and_how_long_it_outlives_an_order() {
    let served = serve().await;
    served.apply().await;
    let agent = served.get("/agents/clerk").await.ok();
    assert!(agent["words"].to_string().contains("bank/transfer"), "{agent:#}");
    assert_eq!(agent["moves"], json!(["suspend", "decommission"]));
    // 2 s of lease, 15 min of token, 1 min of the bank.
    assert_eq!(
        (agent["bound"]["worst"].as_str(), agent["bound"]["set_by"].as_str()),
        (Some("962s"), Some("task tokens"))
    );
    assert_eq!(agent["bound"]["allowed"], "1d");
    assert_eq!(agent["history"][0]["summary"], json!(["created"]));
    let stopped = served.post("/agents/clerk/suspend", json!({ "reason": "odd" })).await.ok();
    assert_eq!(
        (stopped["status"].as_str(), &stopped["moves"]),
        (Some("suspended"), &json!(["resume", "decommission"]))
    );
    assert_eq!(stopped["history"][0]["summary"], json!(["status: active → suspended"]));
    let twice = served.post("/agents/clerk/suspend", json!({ "reason": "odd" })).await;
    assert_eq!(twice.status, 403);
    assert!(twice.body["detail"].as_str().unwrap().contains("resume"), "{:#}", twice.body);
    let refused = served.post("/tasks", json!({ "agent": "clerk", "purpose": "p" })).await;
    assert_eq!(refused.status, 403, "{:#}", refused.body);
    assert_eq!(served.post("/agents/clerk/dance", json!({ "reason": "odd" })).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charter_that_outlives_the_bound_of_its_organisation_is_refused() {
    let served = serve().await;
    let mut files = common::files();
    files[1]["text"] = json!(common::BANK.replace("revocation_max = \"1m\"", "revocation_max = \"25h\""));
    let plan = served.post("/plan", json!({ "files": files })).await.ok();
    assert_eq!(plan["refused"], true, "{plan:#}");
    assert!(plan["faults"].to_string().contains("after"), "{plan:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charter_changed_by_two_at_once_is_changed_by_one() {
    let served = serve().await;
    served.apply().await;
    let version = served.get("/agents/clerk").await.ok()["version"].clone();
    let charter = |purpose: &str| {
        json!({ "agent": { "purpose": purpose, "owner": "maria", "environment": "production",
            "autonomy": "probation", "task_duration_max": "5m",
            "grant": [{ "system": "bank", "tools": ["list_accounts"] }] },
            "reason": "narrower", "version": version, "person": "jonas", "break_glass": true })
    };
    let (one, two) = tokio::join!(
        served.put("/agents/clerk", charter("One")),
        served.put("/agents/clerk", charter("Two"))
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{:#} {:#}", one.body, two.body);
    assert_eq!(served.get("/agents/clerk").await.ok()["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_gets_a_token_that_verifies_and_ends_before_the_answer() {
    let served = serve().await;
    served.apply().await;
    let started = served
        .post("/tasks", json!({ "agent": "clerk", "purpose": "p", "duration": "5m", "requester": "jonas", "system": "bank",
            "scope": [{ "system": "bank", "tools": ["list_accounts"] }] }))
        .await
        .ok();
    let resource = started["resource"].as_str().unwrap();
    assert_eq!(resource, format!("http://{}/mcp/bank", served.address));
    let verifier = served.plane.token_keys.verifier();
    let token = started["token"].as_str().unwrap();
    let claims = verifier.verify(token, resource, served.plane.now()).unwrap();
    assert_eq!(claims.sub.as_str(), "clerk");
    assert!(claims.exp - claims.iat <= 300, "never beyond the task");
    let id = started["task"]["id"].as_str().unwrap();
    let renewed = served.post(&format!("/tasks/{id}/token"), json!({})).await.ok();
    assert!(renewed["resource"].as_str().unwrap().ends_with("/mcp"));
    let ended = served.post(&format!("/tasks/{id}/end"), json!({ "reason": "done" })).await.ok();
    assert_eq!(ended["status"], "ended");
    assert!(
        !served.plane.replica.latest().directory.tasks.contains_key(&claims.task),
        "it binds before the answer"
    );
    assert_eq!(served.post(&format!("/tasks/{id}/end"), json!({ "reason": "done" })).await.status, 200);
    assert_eq!(served.post(&format!("/tasks/{id}/token"), json!({})).await.status, 403);
    for (body, status) in [
        (json!({ "agent": "clerk", "purpose": "p", "requester": "nobody" }), 422),
        (json!({ "agent": "clerk", "purpose": "p", "duration": "2h" }), 422),
        (json!({ "agent": "clerk", "purpose": " " }), 422),
        (json!({ "agent": "clerk", "purpose": "p", "system": "mail" }), 403),
        (json!({ "agent": "clerk", "purpose": "p", "scope": [{ "system": "mail" }] }), 403),
        (json!({ "agent": "nobody", "purpose": "p" }), 404),
    ] {
        assert_eq!(served.post("/tasks", body.clone()).await.status, status, "{body}");
    }
}

async fn export(served: &Served) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut page = served.get("/ledger/export").await.ok();
    loop {
        for piece in page["pieces"].as_array().unwrap() {
            let bytes = STANDARD.decode(piece["base64"].as_str().unwrap()).unwrap();
            files.insert(piece["path"].as_str().unwrap().to_owned(), bytes);
        }
        let Some(next) = page["next"].as_str() else { return files };
        page = served.get(&format!("/ledger/export?cursor={next}")).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_goes_in_and_never_comes_out() {
    let served = serve().await;
    let secret = "hunter2-hunter2";
    let set = served
        .put("/credentials/early", json!({ "secret": secret, "reason": "before any system" }))
        .await
        .ok();
    assert_eq!(set, json!({ "name": "early", "set": true, "used_by": [] }));
    served.apply().await;
    assert_eq!(served.get("/systems/bank").await.ok()["credential_state"], "missing");
    served.put("/credentials/bank", json!({ "secret": secret, "reason": "first" })).await.ok();
    let listed = served.get("/credentials").await.ok();
    assert_eq!(listed[0], json!({ "name": "bank", "set": true, "used_by": ["bank"] }));
    let system = served.get("/systems/bank").await.ok();
    assert_eq!(system["credential_state"], "set");
    assert!(system["history"][0]["why"].as_str().unwrap().contains("credential bank was set"), "{system:#}");
    for bad in ["", "two\nlines", &"x".repeat(8_193)] {
        let answer = served.put("/credentials/bank", json!({ "secret": bad, "reason": "bad" })).await;
        assert_eq!(answer.status, 422);
        assert!(bad.is_empty() || !answer.body.to_string().contains("two"), "{:#}", answer.body);
    }
    served.delete("/credentials/bank?reason=gone").await.ok();
    assert_eq!(served.get("/systems/bank").await.ok()["credential_state"], "missing");
    assert_eq!(served.delete("/credentials/bank?reason=gone").await.status, 404);
    sequencer::sequence_all(&served.plane).await.unwrap();
    for (path, bytes) in export(&served).await {
        assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{path}");
    }
    let leaf = served.plane.store.leaves(0, 1).await.unwrap().remove(0);
    assert!(leaf.row.record.contains("credential early was set"), "{}", leaf.row.record);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_token_is_replaced_by_the_next_and_dies_with_its_workload() {
    let served = serve().await;
    served.apply().await;
    let issue = || served.post("/workloads/checkout/token", json!({ "reason": "rotate" }));
    let first = issue().await.ok()["token"].as_str().unwrap().to_owned();
    let second = issue().await.ok()["token"].as_str().unwrap().to_owned();
    let status = |token: String| {
        let served = &served;
        async move { served.send("GET", "/api/v1/status", Some(&token), None).await.status }
    };
    assert_eq!((status(first).await, status(second.clone()).await), (401, 403));
    let gone = common::ORGANISATION.replace("owner = \"maria\"\n", "owner = \"maria\"\nactive = false\n");
    served
        .post("/apply", json!({ "files": [{ "path": "organisation.toml", "text": gone }], "reason": "stop" }))
        .await
        .ok();
    assert_eq!(status(second).await, 401);
    assert_eq!(issue().await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuer_says_only_what_exists_and_the_node_says_how_it_is() {
    let served = common::serve_cut_off().await;
    let metadata = served.send("GET", "/.well-known/oauth-authorization-server", None, None).await.ok();
    assert_eq!(metadata["issuer"], served.plane.issuer);
    assert_eq!(metadata["response_types_supported"], json!([]));
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", served.plane.issuer));
    let keys = served.send("GET", "/oauth/jwks", None, None).await.ok();
    assert_eq!(keys["keys"][0]["kid"], served.plane.token_keys.kid().unwrap());
    assert!(keys["keys"][0].get("d").is_none());
    served.apply().await;
    assert_eq!(served.send("GET", "/readyz", None, None).await.status, 503, "nothing was sequenced yet");
    sequencer::sequence_all(&served.plane).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(served.send("GET", "/readyz", None, None).await.status, 200);
    let metrics = served.send("GET", "/metrics", None, None).await.ok();
    assert!(metrics.as_str().unwrap().contains("provost_agents 1"), "{metrics}");
    let status = served.get("/status").await.ok();
    assert_eq!(
        (status["node"].as_str(), status["agents"]["active"].as_u64()),
        (Some(&*node().to_string()), Some(1))
    );
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let ready = served.send("GET", "/readyz", None, None).await;
    assert_eq!(
        (ready.status, ready.body["checks"][1]["ok"].as_bool()),
        (503, Some(false)),
        "{:#}",
        ready.body
    );
    let home = served.send("GET", "/", None, None).await;
    assert!(home.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_checked_and_cases_run_against_files_that_are_not_applied() {
    let served = serve().await;
    served.apply().await;
    assert_eq!(served.post("/policies/check", json!({})).await.ok()["sound"], true);
    let cases = r#"
[[case]]
name = "a small payment passes"
given = { agent = "clerk" }
when = { system = "bank", tool = "transfer", args = { payee = "x", amount = 400 } }
then = { verdict = "deny", policies = ["test/small-payments-only"] }
"#;
    let report = served.post("/policies/test", json!({ "cases": cases })).await.ok();
    assert_eq!((report["passed"].as_u64(), report["failed"].as_u64()), (Some(1), Some(0)), "{report:#}");
    let softer = common::POLICY.replace("250.0", "500.0");
    let files = json!([{ "path": "policies/payments.cedar", "text": softer }]);
    let report = served.post("/policies/test", json!({ "files": files, "cases": cases })).await.ok();
    assert_eq!(report["failed"], 1, "{report:#}");
    assert_eq!(served.post("/policies/test", json!({ "cases": "[[cas]]" })).await.status, 422);
    assert!(served.get("/policies/schema").await.ok()["text"].as_str().unwrap().contains("bank/transfer"));
    assert_eq!(served.get("/policies").await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_token_is_private_and_a_removed_file_voids_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let served = serve().await;
    let path = served.data.path().join("token");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let ensure = || {
        provost_control::session::ensure_local_token(
            served.plane.store.as_ref(),
            &provost_control::OsRandom,
            node(),
            &path,
        )
    };
    ensure().await.unwrap();
    assert_eq!(served.get("/status").await.status, 200, "a start changes nothing");
    std::fs::remove_file(&path).unwrap();
    ensure().await.unwrap();
    assert_eq!(served.get("/status").await.status, 401);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(ensure().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_task_is_ended_by_the_plane_on_the_record() {
    let served = serve().await;
    served.apply().await;
    let start = json!({ "agent": "clerk", "purpose": "p", "duration": "1ms" });
    let task = served.post("/tasks", start).await.ok()["task"]["id"].as_str().unwrap().to_owned();
    assert_eq!(provost_control::housekeeping::once(&served.plane).await.unwrap(), 0, "not at once");
    assert_eq!(served.get(&format!("/tasks/{task}")).await.ok()["status"], "expired");
    let late = common::later(&served, provost_domain::DurationMs::from_mins(2)).await;
    assert_eq!(provost_control::housekeeping::once(&late).await.unwrap(), 1);
    served.plane.replica.catch_up().await.unwrap();
    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!(
        (shown["status"].as_str(), shown["history"][0]["actor"].as_str()),
        (Some("ended"), Some("plane"))
    );
}
