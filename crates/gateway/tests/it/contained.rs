//! Containment orders at the gateway: what a call that starts after the acknowledgement meets, what is left at each level, and
//! which calls in flight are cut.

use crate::{
    desk::Desk,
    plane::{Plane, charter, text},
};
use provost_store::DecisionFilter;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_call_that_starts_after_the_acknowledgement_is_let_through() {
    for scope in [
        json!({}),
        json!({"agent": "invoice-clerk"}),
        json!({"owner": "maria"}),
        json!({"environment": "production"}),
        json!({"system": "bank"}),
        json!({"system": "bank", "tool": "list_accounts"}),
    ] {
        let plane = Arc::new(Plane::start(charter(json!({}))).await);
        let (_, token) = plane.task().await;
        let (ordered, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let refused = Arc::new(AtomicUsize::new(0));
        let callers = (0..6).map(|_| {
            let (plane, token) = (Arc::clone(&plane), token.clone());
            let (ordered, late, refused) = (Arc::clone(&ordered), Arc::clone(&late), Arc::clone(&refused));
            tokio::spawn(async move {
                for _ in 0..40 {
                    let after = ordered.load(Ordering::SeqCst);
                    let (_, answer) = plane.call(&token, "list_accounts", json!({})).await;
                    let allowed = answer["result"]["structuredContent"]["accounts"].is_array();
                    if after && allowed {
                        late.fetch_add(1, Ordering::SeqCst);
                    }
                    refused.fetch_add(usize::from(!allowed), Ordering::SeqCst);
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        tokio::time::sleep(Duration::from_millis(60)).await;
        plane.contain(scope.clone(), json!({"is": "off"})).await;
        ordered.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(late.load(Ordering::SeqCst), 0, "{scope}");
        assert!(refused.load(Ordering::SeqCst) > 0, "{scope}: the order came too late to refuse anything");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_order_and_who_gave_it_and_why() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    plane.contain(json!({"system": "bank"}), json!({"is": "off"})).await;
    let (_, answer) = plane.call(&token, "list_accounts", json!({})).await;
    let said = text(&answer);
    assert!(said.contains("system bank at level off, ordered by maria: a key leaked"), "{said}");
    let page = plane.store.decisions(&DecisionFilter { max: 1, ..Default::default() }).await.unwrap();
    let reasons = page.decisions[0].decision.verdict.reasons();
    let ids: Vec<&str> = reasons.iter().map(|reason| reason.policy.as_str()).collect();
    assert_eq!(ids, ["guardrail/level-off", "containment/containment_1"]);
    assert_eq!(plane.bank.bank().calls("list_accounts"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_leaves_what_it_says() {
    let said = |answer: &Value| match answer["result"]["structuredContent"]["accounts"].is_array() {
        true => "allow".to_owned(),
        false => answer["result"]["_meta"]["dev.provost/decision"]["verdict"].as_str().unwrap().to_owned(),
    };
    let pay = json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": 120, "reference": "x"});
    for (level, read, write) in [
        (json!({"is": "observe"}), "allow", "hold"),
        (json!({"is": "read-only"}), "allow", "deny"),
        (json!({"is": "without", "effects": ["financial"]}), "allow", "deny"),
        (json!({"is": "without", "effects": ["delete"]}), "allow", "hold"),
        (json!({"is": "approvals-only"}), "hold", "hold"),
        (json!({"is": "off"}), "deny", "deny"),
    ] {
        let plane = Plane::start(charter(json!({}))).await;
        let (_, token) = plane.task().await;
        plane.contain(json!({"agent": "invoice-clerk"}), level.clone()).await;
        let (_, answer) = plane.call(&token, "list_accounts", json!({})).await;
        assert_eq!(said(&answer), read, "{level}: {answer}");
        let (_, answer) = plane.call(&token, "transfer", pay.clone()).await;
        assert_eq!(said(&answer), write, "{level}: {answer}");
        assert_eq!(plane.bank.bank().calls("transfer"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cuts_the_calls_it_is_about_and_no_others() {
    for (scope, level, is_cut) in [
        (json!({"system": "bank", "tool": "reconcile"}), json!({"is": "off"}), true),
        (json!({"system": "bank", "tool": "transfer"}), json!({"is": "off"}), false),
        (json!({"agent": "somebody-else"}), json!({"is": "off"}), false),
        (json!({}), json!({"is": "without", "effects": ["read"]}), true),
        (json!({}), json!({"is": "read-only"}), false),
        (json!({}), json!({"is": "observe"}), false),
    ] {
        let plane = Arc::new(Plane::start(charter(json!({}))).await);
        let (_, token) = plane.task().await;
        let calling = {
            let plane = Arc::clone(&plane);
            let args = json!({"account": "operations", "steps": 12});
            tokio::spawn(async move { plane.call(&token, "reconcile", args).await })
        };
        while plane.bank.bank().calls("reconcile") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        plane.contain(scope.clone(), level.clone()).await;
        let (_, answer) = calling.await.unwrap();
        let outcome = if is_cut { "bank/reconcile unknown" } else { "bank/reconcile success" };
        assert_eq!(plane.outcomes().await, [outcome], "{scope} {level}: {answer}");
        let words = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(words.contains("contained by containment_1"), is_cut, "{scope} {level}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_listened_to_or_listed_under_an_order() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let listed = |answer: &Value| answer["result"]["tools"].as_array().map(Vec::len);
    let (_, before) = plane.modern(&token, "tools/list", json!({}), None).await;
    assert!(listed(&before) > Some(0), "{before}");
    plane.contain(json!({"agent": "invoice-clerk"}), json!({"is": "off"})).await;
    let (_, after) = plane.modern(&token, "tools/list", json!({}), None).await;
    assert!(listed(&after).unwrap_or_default() == 0, "{after}");
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let (status, listening) = plane.modern(&token, "subscriptions/listen", wanted, None).await;
    assert!(
        listening["error"]["message"].as_str().unwrap_or_default().contains("contained by"),
        "{status} {listening}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_whose_record_was_waited_for_while_an_order_came_is_told_to_nobody() {
    let desk = Desk::open().await;
    let question = json!({
        "subject": {"type": "agent", "id": "invoice-clerk"}, "context": {"task": desk.task},
        "action": {"name": "list_accounts", "properties": {"arguments": {}}},
        "resource": {"type": "system", "id": "bank"},
    });
    assert_eq!(desk.evaluate("gateway", &question).await["decision"], true);
    let faults = Arc::clone(&desk.pdp.plane.store_faults);
    let held = faults.recording.write().await;
    let (told, ()) =
        tokio::join!(desk.send("gateway", "POST", "/access/v1/evaluation", None, Some(&question)), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            desk.pdp.plane.contain(json!({"agent": "invoice-clerk"}), json!({"is": "off"})).await;
            drop(held);
        });
    assert_ne!(told.body["decision"], true, "{}", told.body);
    assert!(told.body.to_string().contains("contained by"), "{} {}", told.status, told.body);
}
