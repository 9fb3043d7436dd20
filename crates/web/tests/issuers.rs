#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Issuers declared in files are shown; agents are registered as their subjects; people show who they are.

mod common;

use common::serve;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_from_a_file_is_shown_with_what_it_is_believed_about() {
    let served = serve().await;
    served.apply().await;
    let listed = served.get("/issuers").await.ok();
    assert_eq!(listed["items"], json!([]));
    served
        .post("/apply", json!({ "files": [file()], "reason": "ci", "person": "maria", "break_glass": true }))
        .await
        .ok();
    let listed = served.get("/issuers").await.ok();
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["ci", "mesh", "okta"]);
    assert_eq!(listed["items"][2]["vouches_for"], json!(["people"]));
    let ci = served.get("/issuers/ci").await.ok();
    assert_eq!(ci["keys"], json!({ "from": "discovery" }));
    assert_eq!(ci["workloads"]["ahead_max"], "1d");
    assert_eq!(
        ci["workloads"]["rules"],
        json!([{ "agent": "clerk", "claims": [{ "claim": "/ref", "like": "refs/tags/v*" }] }])
    );
    assert_eq!(ci["history"][0]["actor"], "local administrator");
    let okta = served.get("/issuers/okta").await.ok();
    assert_eq!(okta["people"]["roles"], json!({ "admins": ["administrator"] }));
    assert_eq!(okta["people"]["secret"], "okta-secret", "its name, as in the file");
    assert_eq!(served.get("/issuers/nobody").await.status, 404);
    let jonas = served.get("/people/jonas").await.ok();
    assert_eq!(jonas["roles"], json!(["operator"]));
    assert_eq!(
        (&jonas["logins"][0]["issuer"], &jonas["logins"][0]["subject"]),
        (&json!("okta"), &json!("00u1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_one_agent_and_a_client_may_run_many() {
    let served = serve().await;
    served.apply().await;
    let other = common::CLERK.replace("Looks at", "Also looks at");
    let other = json!({ "path": "agents/other.toml", "text": other });
    served
        .post(
            "/apply",
            json!({ "files": [file(), other], "reason": "ci", "person": "maria", "break_glass": true }),
        )
        .await
        .ok();
    let subject =
        |issuer: &str, subject: &str| json!({ "issuer": issuer, "subject": subject, "reason": "r" });
    let add = async |agent: &str, mut body: Value| {
        // That others are asked has a test of its own (`ways_in.rs`).
        body["person"] = json!("maria");
        body["break_glass"] = json!(true);
        served.post(&format!("/agents/{agent}/proofs"), body).await
    };
    let added = add("clerk", subject("ci", "repo:acme/x")).await.ok();
    assert_eq!((&added["kind"], &added["id"]), (&json!("subject"), &json!("ci#repo:acme/x")));
    let head = served.plane.store.head().await.unwrap();
    add("clerk", subject("ci", "repo:acme/x")).await.ok();
    assert_eq!(served.plane.store.head().await.unwrap(), head, "said twice, it is registered once");

    let taken = add("other", subject("ci", "repo:acme/x")).await;
    assert_eq!(taken.status, 409, "{}", taken.body);
    assert!(
        taken.body["detail"].as_str().unwrap().contains("subject:ci#repo:acme/x belongs to agent clerk"),
        "{}",
        taken.body
    );
    assert_eq!(served.get("/issuers/ci").await.ok()["agents"], json!(["clerk"]));
    for (body, status) in [
        (subject("nobody", "x"), 404),
        (subject("okta", "x"), 403),
        (subject("ci", ""), 422),
        (subject("ci", " x"), 422),
        (subject("mesh", "spiffe://evil.example/ns/a"), 422),
        (subject("mesh", "spiffe://acme.example"), 422),
        (json!({ "issuer": "ci", "reason": "r" }), 422),
        (json!({ "issuer": "ci", "subject": "x", "client_id": "https://a.example/c", "reason": "r" }), 422),
        (json!({ "client_id": "http://a.example/c", "reason": "r" }), 422),
        (json!({ "reason": "r" }), 422),
    ] {
        let answer = add("other", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    add("other", subject("mesh", "spiffe://acme.example/ns/a")).await.ok();
    for agent in ["clerk", "other"] {
        let client = json!({ "client_id": "https://app.example/client.json", "reason": "r" });
        assert_eq!(add(agent, client).await.ok()["kind"], "client");
    }
    let path = "/agents/clerk/proofs?reason=r&id=ci%23repo%3Aacme%2Fx";
    assert_eq!(served.delete(path).await.ok()["id"], "ci#repo:acme/x");
    assert_eq!(served.delete(path).await.status, 404);
    // What was a mistake can be mended: it is free once its agent let go, and held again by whoever has it now.
    add("other", subject("ci", "repo:acme/x")).await.ok();
    assert_eq!(add("clerk", subject("ci", "repo:acme/x")).await.status, 409);
}

fn file() -> Value {
    json!({ "path": "issuers.toml", "text": ISSUERS })
}

const ISSUERS: &str = r#"
[person.jonas]
display = "Jonas"
roles = ["operator"]
logins = { okta = "00u1" }

[issuer.ci]
description = "The CI"
issuer = "https://ci.example"
keys = "discovery"
owner = "maria"
[issuer.ci.workloads]
audiences = ["https://plane.example"]
[[issuer.ci.rule]]
agent = "clerk"
claims = { "/ref" = { like = "refs/tags/v*" } }

[issuer.okta]
description = "People"
issuer = "https://okta.example"
keys = "discovery"
owner = "maria"
[issuer.okta.people]
client_id = "provost"
secret = "okta-secret"
sign_in = true
groups_claim = "groups"
roles = { admins = ["administrator"] }

[issuer.mesh]
description = "The mesh"
issuer = "spiffe://acme.example"
keys = { url = "https://mesh.example/bundle" }
owner = "maria"
workloads = { audiences = ["https://plane.example"] }
"#;
