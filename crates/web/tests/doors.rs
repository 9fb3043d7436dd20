#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! What nobody can forget: every operation refuses nobody and strangers, every change leaves a record, the document
//! is the committed one.

mod common;

use common::serve;
use serde_json::{Value, json};

/// Operations that need no token. Each has a reason; the list may only shrink or be argued for.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/"),                                       // names the command line
    ("GET", "/.well-known/oauth-authorization-server"), // RFC 8414 section 3: public
    ("GET", "/.well-known/openid-configuration"),       // the same, for who looks there
    ("GET", "/api/v1/openapi.json"),                    // the same for every plane
    ("GET", "/healthz"),                                // probes have no token
    ("GET", "/metrics"),                                // names nobody
    ("POST", "/oauth/introspect"),                      // knows who asks by signature or token
    ("GET", "/oauth/jwks"),                             // public keys
    ("POST", "/oauth/revoke"),                          // knows clients by their signature
    ("POST", "/oauth/token"),                           // knows clients by their signature
    ("GET", "/readyz"),                                 // probes have no token
];

/// Operations that change no row and so leave no record: they look, or check, or write a file. A rotation of keys leaves a
/// notice; what agents do at OAuth's endpoints is recorded as theirs (see `oauth.rs`).
const WITHOUT_RECORD: &[&str] = &[
    "plan",
    "system_import",
    "system_repin",
    "policy_check",
    "policy_test",
    "containment_dry_run",
    "rule_test",
    "drill_run", // its node has to listen; tried with the whole program (`provost-server`)
    "fsck",
    "backup",
    "task_token",
    "keys_rotate",
    "token",
    "revoke",
    "introspect",
    "approval_statement",
    "proposal_statement",
    "containment_statement",
    "passkey_begin",
];

/// Operations of people in their own browsers, with a test that says who and why in another file.
const OF_PEOPLE: &[&str] = &[
    "passkey_add",   // `passkeys.rs`
    "agent_accept",  // `upkeep.rs`
    "agent_promote", // `autonomy.rs`
];

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if ["get", "put", "post", "delete", "patch", "head", "options", "trace"]
                .contains(&method.as_str())
            {
                found.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

fn document() -> Value {
    serde_json::from_str(&provost_web::document_text().unwrap()).unwrap()
}

fn concrete(path: &str) -> String {
    path.replace("{id}", "task_00000000000000000000000000")
        .replace("{name}", "clerk")
        .replace("{move}", "suspend")
        .replace("{kind}", "decision")
}

#[test]
fn the_document_is_the_committed_one() {
    let text = provost_web::document_text().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("PROVOST_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "openapi.json is not what the handlers say: run with PROVOST_BLESS=1 and look at the diff"
    );
}

#[test]
fn every_reference_in_the_document_leads_somewhere_and_every_operation_has_its_own_name() {
    let document = document();
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
    let mut names: Vec<String> = operations(&document)
        .iter()
        .map(|(_, _, op)| op["operationId"].as_str().unwrap().to_owned())
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count > 45, "{count} operations; did a router get lost?");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_nobody_and_strangers() {
    let served = serve().await;
    served.apply().await;
    let issued = served.post("/workloads/checkout/token", json!({ "reason": "test" })).await.ok();
    let workload = issued["token"].as_str().unwrap();
    let task = served.task().await;
    provost_control::sequencer::sequence_all(&served.plane).await.unwrap();
    let head = served.plane.store.head().await.unwrap();
    let mut open = Vec::new();
    for (method, path, operation) in operations(&document()) {
        let at = concrete(&path);
        if operation.get("security").is_none() {
            open.push((method.clone(), path.clone()));
            if method == "POST" {
                // OAuth's own endpoints know clients by their signature, and nobody has none.
                let nobody = served.send(&method, &at, None, None).await;
                assert!(matches!(nobody.status, 400 | 401), "{method} {at}: {}", nobody.body);
                assert!(nobody.body["error"].is_string(), "{method} {at}: {}", nobody.body);
                continue;
            }
            // Ready is who heard of the store just now.
            served.plane.replica.catch_up().await.unwrap();
            assert_eq!(served.send(&method, &at, None, None).await.status, 200, "{method} {at}");
            continue;
        }
        let nobody = served.send(&method, &at, None, Some(&json!({}))).await;
        assert_eq!(nobody.status, 401, "{method} {at} as nobody: {}", nobody.body);
        assert!(nobody.headers.contains_key("www-authenticate"), "{method} {at}");
        assert_eq!(nobody.headers["content-type"], "application/problem+json", "{method} {at}");
        let strangers = [
            ("a forged local token", format!("provost_local_{}", "A".repeat(43)), 401),
            ("a forged workload token", format!("provost_workload_checkout.{}", "A".repeat(43)), 401),
            ("a task token", task["token"].as_str().unwrap().to_owned(), 401),
            ("a workload", workload.to_owned(), 403),
        ];
        for (who, token, status) in strangers {
            let answer = served.send(&method, &at, Some(&token), Some(&json!({}))).await;
            assert_eq!(answer.status, status, "{method} {at} as {who}: {}", answer.body);
        }
    }
    let wanted: Vec<(String, String)> =
        OPEN.iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
    assert_eq!(open, wanted, "operations without a token");
    assert_eq!(served.plane.store.head().await.unwrap(), head, "a refused request changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_a_record_of_who_and_why() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let why = json!({ "reason": "because of the test" });
    let charter = json!({
        "purpose": "Looks", "owner": "maria", "environment": "production", "autonomy": "probation",
        "task_duration_max": "5m", "grant": [{ "system": "bank", "tools": ["list_accounts"] }],
    });
    // RFC 8037 appendix A.2.
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let spare =
        "[system]\ndescription = \"S\"\nenvironment = \"sandbox\"\nurl = \"http://127.0.0.1:9/mcp\"\n";
    for amount in 1..=6 {
        common::asked(&served, &task, &amount.to_string()).await;
    }
    let seen = provost_domain::Sighting::new("drift", "a", provost_domain::Severity::Low, "something new");
    let finding = provost_control::finding::raise(&served.op(), &seen).await.unwrap().unwrap().id;
    common::given_up(&served, "delivery_given_up").await;
    let channel = "[channel.nowhere]\ndescription = \"N\"\nkind = \"slack\"\naddress = \"nowhere\"\n";
    let okta = "[issuer.okta]\ndescription = \"People\"\nissuer = \"https://okta.example\"\nkeys = \"discovery\"\n\
                owner = \"maria\"\n[issuer.okta.people]\nclient_id = \"provost\"\nsign_in = true\n\
                [connector.entra]\ndescription = \"The directory\"\nowner = \"maria\"\n";
    let files =
        json!([{ "path": "channels.toml", "text": channel }, { "path": "issuers.toml", "text": okta }]);
    let wanted =
        json!({ "files": files, "reason": "the test begins", "person": "maria", "break_glass": true });
    served.post("/apply", wanted).await.ok();
    let mut proposals = Vec::new();
    for most in [4, 5, 6] {
        proposals.push(common::proposed(&served, most).await);
    }
    let at = |nth: usize, what: &str| {
        let id: &String = proposals.get(nth).unwrap();
        format!("/proposals/{id}/{what}")
    };
    common::put_aside(&served).await;
    let order = |answer: Value| answer["id"].as_str().unwrap().to_owned();
    let about = json!({ "agent": "clerk", "level": "observe", "reason": "because" });
    let looked_at = order(served.post("/containments", about).await.ok());
    let about = json!({ "like": "nobody-*", "reason": "because", "person": "maria" });
    let off = order(served.post("/containments", about).await.ok());
    let asks = json!({ "person": "maria", "reason": "because" });
    served.post(&format!("/containments/{off}/lift"), asks).await.ok();
    let lost = common::lost_call(&served, &task).await;
    let answer = || Some(json!({ "person": "maria", "reason": "because of the test" }));
    let envelope = json!({ "person": "maria", "reason": "because of the test", "count": 1, "lasts": "1h" });
    let edited = json!({
        "person": "maria", "reason": "because of the test", "args": { "payee": "ACME", "amount": 9.5 },
    });
    // What the token of the machine hands in is a yes only with the person's signature.
    common::device(&served, "maria").await;
    let mut yes = answer().unwrap();
    let asked = served.post(&at(2, "statement"), yes.clone()).await.ok();
    yes["signed"] = json!(common::signed(&served, "maria", &serde_json::from_value(asked).unwrap()).await);
    let session = signed_in(&served).await;
    // He has another way in, which is a gain that somebody answers for.
    common::device(&served, "jonas").await;
    let another = json!({ "reason": "because of the test", "person": "maria", "break_glass": true });
    let passkey = json!({ "name": "phone", "reason": "because of the test" });
    let remove = json!({ "reason": "because of the test", "even_if_last": true });
    let calls: Vec<(&str, &str, String, Option<Value>)> = vec![
        ("person_invite", "POST", "/people/jonas/invite".into(), Some(another.clone())),
        ("passkey_rename", "POST", "/people/jonas/passkeys/k1/rename".into(), Some(passkey)),
        ("passkey_remove", "POST", "/people/jonas/passkeys/k1/remove".into(), Some(remove)),
        ("session_end", "POST", format!("/sessions/{session}/end"), Some(why.clone())),
        ("approval_approve", "POST", "/approvals/approval_1/approve".into(), answer()),
        ("approval_refuse", "POST", "/approvals/approval_2/refuse".into(), answer()),
        ("approval_edit", "POST", "/approvals/approval_3/edit".into(), Some(edited)),
        ("approval_withdraw", "POST", "/approvals/approval_4/withdraw".into(), Some(why.clone())),
        ("approval_answer_all", "POST", "/approvals/answers".into(), Some(json!({
            "person": "maria", "reason": "because of the test", "yes": false, "these": [{
                "id": "approval_6", "action": provost_domain::Digest::of(b"6").to_string() }] }))),
        ("envelope_grant", "POST", "/approvals/approval_5/envelope".into(), Some(envelope)),
        ("envelope_revoke", "POST", "/envelopes/ENVELOPE/revoke".into(), Some(why.clone())),
        ("finding_acknowledge", "POST", format!("/findings/{finding}/acknowledge"), answer()),
        ("finding_suppress", "POST", format!("/findings/{finding}/suppress"), Some(json!({
            "lasts": "1d", "reason": "because of the test" }))),
        ("finding_close", "POST", format!("/findings/{finding}/close"), answer()),
        ("baseline_agree", "POST", "/agents/clerk/baselines/agree".into(), Some(json!({
            "new": true, "reason": "because of the test" }))),
        ("baseline_reset", "POST", "/agents/clerk/baselines/reset".into(), Some(why.clone())),
        ("channel_test", "POST", "/channels/nowhere/test".into(), Some(why.clone())),
        ("delivery_retry", "POST", "/deliveries/delivery_given_up/retry".into(), Some(why.clone())),
        ("proposal_refuse", "POST", at(0, "refuse"), answer()),
        ("proposal_withdraw", "POST", at(1, "withdraw"), Some(why.clone())),
        ("proposal_approve", "POST", at(2, "approve"), Some(yes)),
        ("containment_order", "POST", "/containments".into(), Some(json!({
            "system": "bank", "level": "observe", "reason": "because of the test" }))),
        ("containment_keep", "POST", format!("/containments/{off}/keep"), answer()),
        ("containment_settle", "POST", format!("/containments/{looked_at}/settle"), Some(json!({
            "decision": lost, "found": "it did not happen, because of the test" }))),
        ("containment_lift", "POST", format!("/containments/{looked_at}/lift"), answer()),
        ("person_away", "POST", "/people/jonas/away".into(), Some(json!({
            "to": "maria", "lasts": "1d", "reason": "because of the test", "person": "maria", "break_glass": true }))),
        ("person_link", "POST", "/people/jonas/logins".into(), Some(json!({
            "issuer": "okta", "subject": "00u1", "reason": "because of the test", "person": "maria",
            "break_glass": true }))),
        (
            "person_unlink",
            "DELETE",
            "/people/jonas/logins?issuer=okta&subject=00u1&reason=because%20of%20the%20test".into(),
            None,
        ),
        ("connector_token", "POST", "/connectors/entra/token".into(), Some(why.clone())),
        (
            "connector_revoke",
            "DELETE",
            "/connectors/entra/token?reason=because%20of%20the%20test".into(),
            None,
        ),
        ("connector_link", "POST", "/connectors/entra/people".into(), Some(json!({
            "person": "jonas", "user_name": "jonas", "reason": "because of the test" }))),
        (
            "connector_unlink",
            "DELETE",
            "/connectors/entra/people/jonas?reason=because%20of%20the%20test".into(),
            None,
        ),
        ("agent_attest", "POST", "/agents/clerk/attestation".into(), answer()),
        ("review_open", "POST", "/reviews".into(), Some(json!({
            "agent": "clerk", "due": "1d", "reason": "because of the test" }))),
        ("review_answer", "POST", "/reviews/REVIEW/answer".into(), Some(json!({
            "rest": "keep", "person": "maria", "reason": "because of the test" }))),
        ("agent_demote", "POST", "/agents/clerk/autonomy".into(), Some(json!({
            "autonomy": "probation", "reason": "because of the test" }))),
        (
            "apply",
            "POST",
            "/apply".into(),
            Some(json!({
            "files": [{ "path": "systems/spare.toml", "text": spare }], "reason": "because of the test" })),
        ),
        (
            "agent_create",
            "POST",
            "/agents".into(),
            Some(json!({ "name": "fresh", "agent": charter, "reason": "because of the test", "person": "maria",
                "break_glass": true })),
        ),
        (
            "agent_update",
            "PUT",
            "/agents/clerk".into(),
            Some(json!({ "agent": charter, "reason": "because of the test", "person": "maria",
                "break_glass": true })),
        ),
        (
            "agent_restrict",
            "POST",
            "/agents/clerk/level".into(),
            Some(json!({ "level": "read-only", "reason": "because of the test" })),
        ),
        ("agent_move", "POST", "/agents/clerk/suspend".into(), Some(why.clone())),
        ("agent_move", "POST", "/agents/clerk/resume".into(), Some(why.clone())),
        (
            "task_start",
            "POST",
            "/tasks".into(),
            Some(json!({ "agent": "clerk", "purpose": "because of the test" })),
        ),
        ("task_end", "POST", format!("/tasks/{task}/end"), Some(why.clone())),
        (
            "credential_set",
            "PUT",
            "/credentials/bank".into(),
            Some(json!({ "secret": "hunter2-hunter2", "reason": "because of the test" })),
        ),
        ("credential_delete", "DELETE", "/credentials/bank?reason=because%20of%20the%20test".into(), None),
        ("workload_token", "POST", "/workloads/checkout/token".into(), Some(why.clone())),
        (
            "agent_key_add",
            "POST",
            "/agents/clerk/keys".into(),
            Some(json!({ "jwk": key, "reason": "because of the test", "person": "maria", "break_glass": true })),
        ),
        (
            "agent_key_remove",
            "DELETE",
            "/agents/clerk/keys/kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k?reason=because%20of%20the%20test"
                .into(),
            None,
        ),
        (
            "agent_proof_add",
            "POST",
            "/agents/clerk/proofs".into(),
            Some(json!({ "client_id": "https://app.example/client.json", "reason": "because of the test",
                "person": "maria", "break_glass": true })),
        ),
        (
            "agent_proof_remove",
            "DELETE",
            "/agents/clerk/proofs?id=https%3A%2F%2Fapp.example%2Fclient.json&reason=because%20of%20the%20test"
                .into(),
            None,
        ),
        ("system_remove", "DELETE", "/systems/spare?reason=because%20of%20the%20test".into(), None),
    ];
    let mut covered: Vec<&str> = [WITHOUT_RECORD, OF_PEOPLE].concat();
    for (operation, method, path, body) in calls {
        let path = path.replace("ENVELOPE", &common::open_envelope(&served));
        let reviews = served.plane.replica.latest().directory.reviews.clone();
        let path = path.replace("REVIEW", reviews.keys().next().map_or("none", String::as_str));
        let before = served.plane.store.head().await.unwrap();
        let answer = served.send(method, &format!("/api/v1{path}"), Some(&served.token), body.as_ref()).await;
        assert_eq!(answer.status, 200, "{operation}: {:#}", answer.body);
        let records = served.plane.store.tail(before, 10).await.unwrap();
        assert!(!records.is_empty(), "{operation} left no record");
        for record in records {
            assert_eq!(record.by.actor, "local administrator", "{operation}");
            assert!(record.by.why.contains("because of the test"), "{operation}: {}", record.by.why);
            assert!(!serde_json::to_string(&record).unwrap().contains("hunter2"), "{operation}");
        }
        assert_eq!(served.plane.replica.latest().directory.seq, served.plane.store.head().await.unwrap());
        covered.push(operation);
    }
    for (method, path, operation) in operations(&document()) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(
            method == "GET" || covered.contains(&name),
            "{method} {path} ({name}) is not covered by this test"
        );
    }
}

/// A passkey and a session of jonas; the session's id.
async fn signed_in(served: &common::Served) -> String {
    use provost_domain::{Object, Session};
    let now = served.plane.now();
    let session = Session {
        id: provost_domain::Digest::of(b"secret"),
        person: "jonas".parse().unwrap(),
        roles: Default::default(),
        by: "a test".to_owned(),
        passkey: None,
        started: now,
        seen: None,
        expires: now.plus(provost_domain::DurationMs::from_mins(60)),
        ended: false,
    };
    let id = session.id.to_string();
    let passkey = json!({"kind": "passkey", "body": {
        "id": "k1", "person": "jonas", "name": "laptop", "key": "pQ", "party": "localhost", "counter": 0, "added": 0,
    }});
    let by = provost_store::Attribution { actor: "test".into(), why: "test".into() };
    let rows = [Object::Session(session), serde_json::from_value(passkey).unwrap()];
    let writes = rows.map(|object| provost_store::Write::Put { object, expected: 0 }).into();
    served.plane.store.commit(provost_store::ChangeSet { by, at: now, writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_leaves_no_record_either() {
    let served = serve().await;
    served.apply().await;
    let before = served.plane.store.head().await.unwrap();
    served.apply().await;
    served.post("/plan", json!({ "files": common::files() })).await.ok();
    let clerk = json!({ "level": "normal", "reason": "as it was" });
    served.post("/agents/clerk/level", clerk).await.ok();
    assert_eq!(served.plane.store.head().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_without_a_reason_is_refused() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let before = served.plane.store.head().await.unwrap();
    for (method, path, body) in [
        ("POST", "/agents/clerk/suspend".to_owned(), Some(json!({ "reason": "  " }))),
        ("POST", "/agents/clerk/level".to_owned(), Some(json!({ "level": "off", "reason": "" }))),
        ("POST", format!("/tasks/{task}/end"), Some(json!({ "reason": "" }))),
        ("PUT", "/credentials/bank".to_owned(), Some(json!({ "secret": "x", "reason": "" }))),
        ("DELETE", "/systems/bank?reason=".to_owned(), None),
        ("DELETE", "/systems/bank".to_owned(), None),
        ("POST", "/workloads/checkout/token".to_owned(), Some(json!({ "reason": "" }))),
        ("POST", "/apply".to_owned(), Some(json!({ "files": [], "reason": "" }))),
    ] {
        let answer = served.send(method, &format!("/api/v1{path}"), Some(&served.token), body.as_ref()).await;
        assert_eq!(answer.status, 422, "{method} {path}: {}", answer.body);
    }
    assert_eq!(served.plane.store.head().await.unwrap(), before);
    assert_eq!(served.get("/workloads/checkout").await.ok()["has_token"], false);
}
