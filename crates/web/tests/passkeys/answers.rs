//! The signed yes, and what it counts for.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_in_production_is_a_signature_and_nobodys_word() {
    let (served, mut maria, task) = stage().await;
    let approval = common::asked(&served, &task, "12.5").await;
    let shown = served.get("/approvals/approval_12.5").await.ok();
    assert_eq!(shown["signed"], true);
    let by = json!({ "person": "maria", "reason": "r", "action": approval.action.to_string() });
    let word = served.post("/approvals/approval_12.5/approve", by).await;
    assert_eq!(word.status, 403, "{}", word.body);
    let cure = word.body["do"].as_str().unwrap();
    assert!(cure.contains("http://localhost:") && cure.contains("/approvals/approval_12.5"), "{cure}");
    assert_eq!(
        maria.post("/api/v1/approvals/approval_12.5/approve", &json!({})).await.status,
        403,
        "nor a session alone"
    );
    let limits = json!({ "reason": "r", "count": 1, "lasts": "1h", "args": {} });
    assert_eq!(maria.post("/api/v1/approvals/approval_12.5/envelope", &limits).await.status, 403);
    let args = json!({ "args": { "payee": "ACME", "amount": 9.5 }, "reason": "r" });
    assert_eq!(maria.post("/api/v1/approvals/approval_12.5/edit", &args).await.status, 403);

    let answer = json!({ "reason": "the invoice is right", "action": approval.action.to_string() });
    let granted = maria.yes("approval_12.5", "answer", "approve", answer).await;
    assert_eq!((granted.status, &granted.body["status"]), (200, &json!("granted")), "{}", granted.body);
    let vote = &granted.body["votes"][0];
    assert_eq!(
        (&vote["shown_by"], &vote["passkey"]),
        (&json!("maria, by passkey laptop"), &json!(encode(&maria.device.id)))
    );
    let found = common::audit(&served).await;
    assert_eq!((found.signed, found.unsigned, found.answers[0].id.as_str()), (1, 0, "approval_12.5"));
    assert_eq!(found.answers[0].digest, approval.action);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_and_an_envelope_are_signed_too_and_hold_in_the_ledger() {
    let (served, mut maria, task) = stage().await;
    common::asked(&served, &task, "12.5").await;
    common::asked(&served, &task, "13.5").await;
    let args = json!({ "args": { "payee": "ACME", "amount": 9.5 }, "reason": "less" });
    let edited = maria.yes("approval_12.5", "edit", "edit", args).await;
    assert_eq!((edited.status, &edited.body["status"]), (200, &json!("granted")), "{}", edited.body);
    let limits = json!({ "reason": "daily", "count": 3, "lasts": "1h", "every_task": true,
        "args": { "amount": { "max": "100.0" } }, "sum": { "arg": "amount", "max": "250.0" } });
    let granted = maria.yes("approval_13.5", "envelope", "envelope", limits).await;
    assert_eq!((granted.status, &granted.body["status"]), (200, &json!("open")), "{}", granted.body);
    let found = common::audit(&served).await;
    let kinds: Vec<(&str, &str)> =
        found.answers.iter().map(|it| (it.kind.as_str(), it.id.as_str())).collect();
    assert_eq!(kinds, [("approval", edited.body["id"].as_str().unwrap()), ("envelope", "approval_13.5")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_counts_once_for_exactly_that_and_by_that_person_only() {
    let (served, mut maria, task) = stage().await;
    common::asked(&served, &task, "1").await;
    common::asked(&served, &task, "2").await;
    let path = |id: &str, deed: &str| format!("/api/v1/approvals/approval_{id}/{deed}");
    let ask = json!({ "answer": { "reason": "yes" } });
    // For another approval, with another reason, by the wrong answer, and after something was changed in it.
    let fresh = async |maria: &mut Browser| {
        let asked = maria.post(&path("1", "statement"), &ask).await.body;
        maria.signed(&asked)
    };
    let signed = fresh(&mut maria).await;
    assert_eq!(
        maria.post(&path("2", "approve"), &json!({ "reason": "yes", "signed": signed })).await.status,
        403
    );
    assert_eq!(
        maria.post(&path("1", "approve"), &json!({ "reason": "yes", "signed": signed })).await.status,
        403,
        "burnt"
    );
    let signed = fresh(&mut maria).await;
    assert_eq!(
        maria.post(&path("1", "approve"), &json!({ "reason": "no", "signed": signed })).await.status,
        403
    );
    let signed = fresh(&mut maria).await;
    let args = json!({ "args": { "payee": "EVE", "amount": 1 }, "reason": "yes", "signed": signed });
    assert_eq!(maria.post(&path("1", "edit"), &args).await.status, 403);
    let mut signed = fresh(&mut maria).await;
    signed["signature"] = json!(encode(&[0; 64]));
    let refused = maria.post(&path("1", "approve"), &json!({ "reason": "yes", "signed": signed })).await;
    assert!(refused.body["because"].as_str().unwrap().contains("not by this passkey"), "{}", refused.body);
    let mut signed = fresh(&mut maria).await;
    signed["ticket"] = json!("AAAA");
    assert_eq!(
        maria.post(&path("1", "approve"), &json!({ "reason": "yes", "signed": signed })).await.status,
        403
    );
    // Somebody else's passkey, over maria's statement.
    let link = served.post("/people/jonas/invite", json!({ "reason": "r" })).await.ok();
    let mut jonas = Browser::new(&served, 2);
    jonas.accept(link["url"].as_str().unwrap(), json!({})).await;
    let asked = maria.post(&path("1", "statement"), &ask).await.body;
    let signed = jonas.signed(&asked);
    assert_eq!(
        maria.post(&path("1", "approve"), &json!({ "reason": "yes", "signed": signed })).await.status,
        404
    );
    assert_eq!(jonas.post(&path("1", "statement"), &ask).await.status, 409, "nor is he told what it is");
    // Another action than the one that was read, and two answers at once.
    let other = json!({ "answer": { "action": "sha256:0000" } });
    assert_eq!(maria.post(&path("1", "statement"), &other).await.status, 409);
    assert_eq!(maria.post(&path("1", "statement"), &json!({})).await.status, 422);
    let view = served.plane.replica.latest();
    assert!(view.directory.approvals.values().all(|row| row.votes.is_empty()), "nothing was answered");
    assert_eq!(common::audit(&served).await, provost_passkey::audit::Found::default());
    // The administrator's token may carry it: what counts is the signature.
    let asked =
        served.post("/approvals/approval_1/statement", json!({ "answer": { "person": "maria" } })).await.ok();
    let signed = maria.signed(&asked);
    let granted =
        served.post("/approvals/approval_1/approve", json!({ "person": "maria", "signed": signed })).await;
    assert_eq!(granted.ok()["votes"][0]["shown_by"], "maria, by passkey laptop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_that_signs_an_answer_is_found_and_the_answer_does_not_count() {
    let (served, mut maria, task) = stage().await;
    common::asked(&served, &task, "1").await;
    maria.sign_in().await;
    maria.device.counter = 0;
    let refused = maria.yes("approval_1", "answer", "approve", json!({ "reason": "yes" })).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(served.get("/people/maria/passkeys").await.ok()[0]["doubted"], true);
    assert_eq!(served.get("/approvals/approval_1").await.ok()["votes"], json!([]));
    let none = maria.post("/api/v1/approvals/approval_1/statement", &json!({ "answer": {} })).await;
    assert!(none.body["do"].as_str().unwrap().contains("provost person invite maria"), "{}", none.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_breaks_the_glass_without_a_passkey_with_a_reason_and_it_is_marked() {
    let (served, _maria, task) = stage().await;
    change(&served, "jonas", |person| person.roles = [provost_domain::Role::Administrator].into()).await;
    common::asked(&served, &task, "1").await;
    let glass = json!({ "person": "jonas", "break_glass": true });
    assert_eq!(served.post("/approvals/approval_1/approve", glass).await.status, 422, "a reason is wanted");
    let glass = json!({ "person": "jonas", "break_glass": true, "reason": "the building is on fire" });
    let granted = served.post("/approvals/approval_1/approve", glass).await.ok();
    assert_eq!((&granted["status"], &granted["votes"][0]["break_glass"]), (&json!("granted"), &json!(true)));
    let found = common::audit(&served).await;
    assert_eq!((found.signed, found.unsigned, found.break_glass), (0, 1, 1));
}
