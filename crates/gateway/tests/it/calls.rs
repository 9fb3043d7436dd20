//! One call at a time: what is let through, what is not, and what is on record afterwards.

use crate::plane::{Plane, charter, text};
use provost_domain::{AgentStatus, Object};
use provost_store::DecisionFilter;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_call_reaches_the_bank_and_is_on_record_with_its_outcome() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let (status, answer) = plane.call(&token, "list_accounts", json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["result"]["isError"] != json!(true) && answer["id"] == 7, "{answer}");
    assert_eq!(plane.bank.bank().calls("list_accounts"), 1);
    // The outcome may become durable after the answer.
    for _ in 0..50 {
        let page = plane.store.decisions(&DecisionFilter { max: 10, ..Default::default() }).await.unwrap();
        assert_eq!(page.decisions.len(), 1);
        assert!(page.decisions[0].decision.verdict.is_allow());
        if let Some(completion) = &page.decisions[0].completion {
            assert_eq!(completion.outcome.as_str(), "success");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the outcome never came on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_an_argument_limit_is_refused_with_the_reason_and_never_reaches_the_bank() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let args = json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": 9400, "reference": "x"});
    let (status, answer) = plane.call(&token, "transfer", args).await;
    assert_eq!(status, 200);
    let said = text(&answer);
    assert!(answer["result"]["isError"] == json!(true) && said.contains("at most 500"), "{said}");
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_financial_call_in_production_is_held_under_an_id_that_stays_the_same() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    let args = json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": 120, "reference": "x"});
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (_, answer) = plane.call(&token, "transfer", args.clone()).await;
        let told = &answer["result"]["_meta"]["dev.provost/decision"];
        assert_eq!(told["verdict"], "hold", "{answer}");
        ids.push(told["requestable"]["approval_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_agent_is_refused_even_with_a_live_token() {
    let plane = Plane::start(charter(json!({}))).await;
    let (_, token) = plane.task().await;
    assert_ne!(plane.call(&token, "list_accounts", json!({})).await.1["result"]["isError"], true);
    let mut agent = plane.agent();
    agent.status = AgentStatus::Suspended;
    plane.change(Object::Agent(agent), 1).await;
    let (_, answer) = plane.call(&token, "list_accounts", json!({})).await;
    assert!(text(&answer).contains("not active"), "{answer}");
    assert_eq!(plane.bank.bank().calls("list_accounts"), 1);
}
