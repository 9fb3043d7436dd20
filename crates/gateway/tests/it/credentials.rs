//! Bound tokens, tokens that were taken back, and work that was handed on, at the gateway.

use crate::plane::{Plane, answer, charter};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use provost_domain::{
    Agent, AgentStatus, Clock as _, Digest, Object, Task, TaskId, ids::AgentId, task::TaskStatus,
};
use provost_store::SystemClock;
use provost_token::{AccessClaims, Actor, Confirmation, SigningKey};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const HOLDER: [u8; 32] = [21; 32];
const THIEF: [u8; 32] = [22; 32];

fn access(plane: &Plane, task: TaskId, spoil: impl FnOnce(&mut AccessClaims)) -> String {
    let plain = serde_json::to_value(plane.claims(task)).unwrap();
    let mut claims: AccessClaims = serde_json::from_value(plain).unwrap();
    spoil(&mut claims);
    claims.issue(&plane.key).unwrap()
}

fn jwk(seed: &[u8; 32]) -> Value {
    json!(SigningKey::from_seed(seed).unwrap().verifying().jwk())
}

fn proof(plane: &Plane, seed: &[u8; 32], token: &str, spoil: impl FnOnce(&mut Value)) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut claims = json!({
        "htm": "POST", "htu": format!("{}/mcp/bank", plane.url), "iat": SystemClock.now().as_seconds(),
        "jti": format!("proof-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        "ath": URL_SAFE_NO_PAD.encode(Digest::of(token.as_bytes()).as_bytes()),
    });
    spoil(&mut claims);
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("dpop+jwt".to_owned());
    header.jwk = Some(serde_json::from_value::<Jwk>(jwk(seed)).unwrap());
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(seed);
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&der)).unwrap()
}

/// One `list_accounts` with these credentials.
async fn list(plane: &Plane, authorization: &str, proofs: &[&str]) -> (u16, Value) {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "list_accounts", "arguments": {}, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let mut request = plane
        .post("/mcp/bank")
        .header("authorization", authorization)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "list_accounts");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    answer(request.body(body.to_string()).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_worth_nothing_without_its_key() {
    let plane = Plane::start(charter(json!({}))).await;
    let (task, _plain) = plane.task().await;
    let holder = SigningKey::from_seed(&HOLDER).unwrap();
    let jkt = holder.verifying().kid().parse().unwrap();
    let bound = access(&plane, task, |claims| claims.cnf = Some(Confirmation::Jkt(jkt)));
    let unbound = access(&plane, task, |_| {});
    let dpop = format!("DPoP {bound}");
    let good = proof(&plane, &HOLDER, &bound, |_| {});
    let (status, said) = list(&plane, &dpop, &[&good]).await;
    assert_eq!(status, 200, "{said}");

    let elsewhere = format!("{}/mcp/other", plane.url);
    let long_ago = SystemClock.now().as_seconds() - 400;
    let table: Vec<(&str, String, Vec<String>)> = vec![
        ("as a bearer token", format!("Bearer {bound}"), vec![]),
        (
            "as a bearer token beside a proof",
            format!("Bearer {bound}"),
            vec![proof(&plane, &HOLDER, &bound, |_| {})],
        ),
        ("without a proof", dpop.clone(), vec![]),
        ("with the proof of before", dpop.clone(), vec![good]),
        ("with a thief's proof", dpop.clone(), vec![proof(&plane, &THIEF, &bound, |_| {})]),
        (
            "with two proofs",
            dpop.clone(),
            vec![proof(&plane, &HOLDER, &bound, |_| {}), proof(&plane, &HOLDER, &bound, |_| {})],
        ),
        ("with a proof for another token", dpop.clone(), vec![proof(&plane, &HOLDER, &unbound, |_| {})]),
        (
            "with a proof for another address",
            dpop.clone(),
            vec![proof(&plane, &HOLDER, &bound, |p| p["htu"] = json!(elsewhere))],
        ),
        (
            "with a proof for another method",
            dpop.clone(),
            vec![proof(&plane, &HOLDER, &bound, |p| p["htm"] = json!("GET"))],
        ),
        ("with an old proof", dpop, vec![proof(&plane, &HOLDER, &bound, |p| p["iat"] = json!(long_ago))]),
        (
            "an unbound one with a proof",
            format!("DPoP {unbound}"),
            vec![proof(&plane, &HOLDER, &unbound, |_| {})],
        ),
    ];
    for (what, authorization, proofs) in table {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let (status, said) = list(&plane, &authorization, &proofs).await;
        assert_eq!(status, 401, "{what}: {said}");
        assert!(!said.to_string().contains(&bound), "{what}");
    }
    assert_eq!(plane.outcomes().await, ["bank/list_accounts success"], "only the first was ever decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_taken_back_is_refused_and_its_task_goes_on() {
    let plane = Plane::start(charter(json!({}))).await;
    let (id, other) = plane.task().await;
    let token = access(&plane, id, |claims| claims.jti = "gone".to_owned());
    assert_eq!(list(&plane, &format!("Bearer {token}"), &[]).await.0, 200);
    let mut task = plane.replica.latest().directory.tasks.get(&id).unwrap().as_ref().clone();
    task.revoked.insert("gone".to_owned());
    plane.change(Object::Task(task), 1).await;
    let (status, said) = list(&plane, &format!("Bearer {token}"), &[]).await;
    assert_eq!(status, 401, "{said}");
    assert!(said.to_string().contains("revoked"), "{said}");
    assert_eq!(list(&plane, &format!("Bearer {other}"), &[]).await.0, 200);
}

/// A second agent with the same charter, and a task of its own below the clerk's.
async fn child(plane: &Plane, parent: TaskId) -> (TaskId, String) {
    let clerk = plane.agent();
    let now = SystemClock.now();
    let helper = Agent { id: AgentId::new(now, [9; 10]), name: "helper".parse().unwrap(), ..clerk };
    plane.change(Object::Agent(helper), 0).await;
    let above = plane.replica.latest().directory.tasks.get(&parent).unwrap().as_ref().clone();
    let id = TaskId::new(now, [9; 10]);
    let task = Task { id, agent: "helper".parse().unwrap(), parent: Some(parent), ..above };
    plane.change(Object::Task(task), 0).await;
    let token = access(plane, id, |claims| {
        claims.client_id = "helper".parse().unwrap();
        claims.act = Some(Actor { sub: "helper".parse().unwrap(), iss: None, act: None });
    });
    (id, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_may_do_what_its_parent_may_do_now_and_dies_with_it() {
    let plane = Plane::start(charter(json!({}))).await;
    let (parent, _token) = plane.task().await;
    let (child, token) = child(&plane, parent).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(list(&plane, &bearer, &[]).await.0, 200);

    let suspended = Agent { status: AgentStatus::Suspended, ..plane.agent() };
    plane.change(Object::Agent(suspended), 1).await;
    let (_status, said) = list(&plane, &bearer, &[]).await;
    assert!(said.to_string().contains("invoice-clerk, who handed this on"), "{said}");
    let active = Agent { status: AgentStatus::Active, ..plane.agent() };
    plane.change(Object::Agent(active), 2).await;
    assert_eq!(list(&plane, &bearer, &[]).await.0, 200);

    let mut over = plane.replica.latest().directory.tasks.get(&parent).unwrap().as_ref().clone();
    over.status = TaskStatus::Ended;
    plane.change(Object::Task(over), 1).await;
    assert!(plane.replica.latest().directory.tasks.contains_key(&child), "nobody ended the child's own row");
    let (status, said) = list(&plane, &bearer, &[]).await;
    assert_eq!(status, 401, "{said}");
}
