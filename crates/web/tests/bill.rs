#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! What an agent is made of: presented when a task starts, held against what was approved, and nothing runs in between; over
//! the interface and at the token endpoint.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;

use common::{CLERK, Served, files, serve};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use provost_control::{Op, Operator};
use provost_domain::{AgentStatus, Name};
use provost_token::SigningKey;
use serde_json::{Value, json};

async fn plane(agent: &str) -> Served {
    let served = serve().await;
    let mut files = files();
    files[2]["text"] = json!(agent);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    served
}

fn of_model(model: &str) -> String {
    CLERK.replace("task_duration_max", &format!("manifest = {{ model = \"{model}\" }}\ntask_duration_max"))
}

async fn start(served: &Served, bill: Value) -> common::Answer {
    let mut body = json!({ "agent": "clerk", "purpose": "look at the accounts" });
    if !bill.is_null() {
        body["bill"] = bill;
    }
    served.post("/tasks", body).await
}

fn status(served: &Served) -> AgentStatus {
    let name: Name = "clerk".parse().unwrap();
    served.plane.replica.latest().directory.agents[&name].status
}

/// Somebody reapproves it, and its owner agrees.
async fn reapprove(served: &Served) {
    let said = json!({ "reason": "looked at the new prompt", "person": "jonas" });
    let waits = served.post("/agents/clerk/reapprove", said).await;
    assert_eq!(waits.status, 202, "{:#}", waits.body);
    let words = waits.body["steps"].to_string();
    assert!(words.contains("presented sha256:"), "who agrees reads what is new: {words}");
    let maria = Operator::Person("maria".parse().unwrap(), Default::default());
    let op = Op { subject: maria, ..served.op() };
    let id = waits.body["id"].as_str().unwrap();
    provost_control::proposal::approve(&op, id, Default::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prompt_stops_the_agent_before_its_first_action_and_the_finding_shows_the_difference() {
    let served = plane(&of_model("m1")).await;
    let good = json!({ "model": "m1", "prompt": "sha256:aa" });
    let task = start(&served, good.clone()).await.ok();
    let task = served.get(&format!("/tasks/{}", task["task"]["id"].as_str().unwrap())).await.ok();
    assert_eq!(task["made_of"], good, "the task says what it ran as");
    assert_eq!(start(&served, good.clone()).await.status, 200);

    let other = json!({ "model": "m1", "prompt": "sha256:bb" });
    let refused = start(&served, other.clone()).await;
    assert_eq!(refused.status, 403, "{:#}", refused.body);
    assert!(
        refused.body.to_string().contains("prompt: approved sha256:aa, presented sha256:bb"),
        "{:#}",
        refused.body
    );
    assert_eq!(status(&served), AgentStatus::PendingReapproval);
    let found = served.get("/findings?kind=agent-bill").await.ok();
    assert_eq!(
        (&found["items"][0]["severity"], &found["items"][0]["owner"]),
        (&json!("high"), &json!("maria"))
    );
    // What was approved is no way around it: a person looks first.
    assert_eq!(start(&served, good.clone()).await.status, 403);
    let agent = served.get("/agents/clerk").await.ok();
    let prompt = agent["made_of"].as_array().unwrap().iter().find(|part| part["part"] == "prompt").unwrap();
    assert_eq!((&prompt["presented"], &prompt["differs"]), (&json!("sha256:bb"), &json!(true)));

    reapprove(&served).await;
    assert_eq!(start(&served, good).await.status, 403, "what was approved before is not any more");
    reapprove(&served).await;
    assert_eq!(status(&served), AgentStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_charter_s_manifest_is_held_too_and_who_said_something_once_says_it_every_time() {
    let served = plane(&of_model("m1")).await;
    assert_eq!(start(&served, Value::Null).await.status, 200, "nothing was ever presented");
    assert_eq!(start(&served, json!({ "model": "m1", "image": "sha256:cc" })).await.status, 200);
    let silent = start(&served, Value::Null).await;
    assert_eq!(silent.status, 403);
    assert!(silent.body.to_string().contains("nothing was presented"), "{:#}", silent.body);
    assert_eq!(status(&served), AgentStatus::Active, "silence is refused, and is no other agent");
    for bad in [json!({}), json!({ "Model": "m1" }), json!({ "model": "a\u{1b}[2Jb" }), json!({ "model": 7 })]
    {
        assert_eq!(start(&served, bad.clone()).await.status, 422, "{bad}");
    }
    assert_eq!(start(&served, json!({ "model": "m2", "image": "sha256:cc" })).await.status, 403);
    assert_eq!(status(&served), AgentStatus::PendingReapproval);
}

const SEED: [u8; 32] = [11; 32];

async fn token(served: &Served, claim: Value, beside: Option<&str>) -> (u16, Value) {
    let now = served.plane.now().as_seconds();
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let jti = format!("jti-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut claims = json!({
        "iss": "clerk", "sub": "clerk", "aud": served.plane.issuer, "iat": now, "exp": now + 60, "jti": jti,
    });
    if !claim.is_null() {
        claims["provost_bill"] = claim;
    }
    // PKCS#8 v1 of an Ed25519 key (RFC 8410 section 7).
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(&SEED);
    let key = EncodingKey::from_ed_der(&der);
    let assertion = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap();
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    form.extend(beside.map(|bill| ("bill", bill)));
    let mut body = reqwest::Url::parse("form:").unwrap();
    body.query_pairs_mut().extend_pairs(form);
    let request = served
        .client
        .post(format!("http://{}/oauth/token", served.address))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.query().unwrap().to_owned());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_with_a_bill_that_is_signed_or_beside_and_never_two_that_differ() {
    // The sandbox asks for no proof of possession and nobody's yes to a key, so that this test is of bills.
    let served = plane(&CLERK.replace("production", "sandbox").replace("[[grant]]\nsystem = \"bank\"\ntools = [\"list_accounts\", \"transfer\"]\n", "").replace("[[budget]]\nname = \"transfers-a-day\"\nsystem = \"bank\"\ntools = [\"transfer\"]\nwindow = \"24h\"\nper = \"agent\"\ncount_max = 3\n", "")).await;
    let public = json!(SigningKey::from_seed(&SEED).unwrap().verifying().jwk());
    served.post("/agents/clerk/keys", json!({ "jwk": public, "reason": "its runtime" })).await.ok();
    let (status_code, granted) = token(&served, json!({ "prompt": "sha256:aa" }), None).await;
    assert_eq!(status_code, 200, "{granted}");
    let life = {
        let name: Name = "clerk".parse().unwrap();
        served.plane.replica.latest().directory.agents[&name].bill().clone()
    };
    assert_eq!(life.get("prompt"), Some("sha256:aa"));
    assert_eq!(token(&served, Value::Null, Some(r#"{"prompt":"sha256:aa"}"#)).await.0, 200);
    assert_eq!(
        token(&served, json!({ "prompt": "sha256:aa" }), Some(r#"{"prompt":"sha256:aa"}"#)).await.0,
        200
    );
    for (claim, beside) in [
        (json!({ "prompt": "sha256:aa" }), Some(r#"{"prompt":"sha256:bb"}"#)),
        (json!("sha256:aa"), None),
        (json!({ "prompt": ["sha256:aa"] }), None),
        (Value::Null, Some("sha256:aa")),
        (Value::Null, Some(r#"{"prompt":"é"}"#)),
    ] {
        let (status_code, answer) = token(&served, claim.clone(), beside).await;
        assert_eq!((status_code, &answer["error"]), (400, &json!("invalid_request")), "{claim} {beside:?}");
    }
    assert_eq!(status(&served), AgentStatus::Active, "what cannot be read is no other agent");
    let (status_code, answer) = token(&served, json!({ "prompt": "sha256:bb" }), None).await;
    assert_eq!((status_code, &answer["error"]), (400, &json!("invalid_grant")), "{answer}");
    assert_eq!(status(&served), AgentStatus::PendingReapproval);
    let found = served.get("/findings?kind=agent-bill").await.ok();
    assert!(found["items"][0]["what"].as_str().unwrap().contains("(key)"), "{found:#}");
}

#[test]
fn all_of_this_holds_over_postgresql_too() {
    common::all_over_postgres();
}
