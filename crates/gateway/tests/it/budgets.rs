//! Budgets under concurrent calls, and what a task has read.

use crate::plane::{Plane, charter, text};
use proptest::prelude::*;
use serde_json::{Value, json};

fn of_count(count_max: u64) -> Value {
    let budget = json!({"name": "looks", "system": "bank", "tools": ["list_accounts"], "window": 3_600_000, "per": "agent", "count_max": count_max});
    charter(json!({"budgets": [budget]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_at_once_exactly_as_many_get_through_as_the_budget_allows() {
    let plane = Plane::start(of_count(5)).await;
    let tokens = [plane.task().await.1, plane.task().await.1];
    let calls = (0..64).map(|n| plane.call(&tokens[n % 2], "list_accounts", json!({})));
    let answers = futures::future::join_all(calls).await;
    let refused: Vec<String> = answers
        .iter()
        .filter(|(_, answer)| answer["result"]["isError"] == true)
        .map(|(_, answer)| text(answer))
        .collect();
    assert_eq!(plane.bank.bank().calls("list_accounts"), 5, "{refused:?}");
    assert_eq!(refused.len(), 59);
    assert!(refused.iter().all(|said| said.contains("looks")), "{refused:?}");
    assert_eq!(plane.store.check().await.unwrap(), []);
}

/// One plane for each case: few cases, but every number of calls and every budget is a different race.
#[test]
fn whatever_the_sums_no_more_is_spent_at_once_than_the_budget_has() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 6, max_shrink_iters: 4, ..ProptestConfig::default() };
    proptest!(config, |(amounts in prop::collection::vec(1u32..200, 8..32), max in 100u32..900)| {
        runtime.block_on(async {
            let budget = json!({"name": "steps", "system": "bank", "tools": ["reconcile"], "window": 3_600_000, "per": "task", "sum": {"arg": "steps", "max": max.to_string()}});
            let grant = json!({"system": "bank", "tools": ["reconcile"]});
            let plane = Plane::start(charter(json!({"budgets": [budget], "grants": [grant]}))).await;
            let (_, token) = plane.task().await;
            // An account that does not exist: the bank refuses at once, and the budget is drawn on all the same.
            let calls = amounts.iter().map(|steps| plane.call(&token, "reconcile", json!({"account": "nowhere", "steps": steps})));
            let answers = futures::future::join_all(calls).await;
            let through: Vec<u32> = answers.iter().zip(&amounts).filter(|((_, answer), _)| !text(answer).contains("Provost")).map(|(_, steps)| *steps).collect();
            let spent: u32 = through.iter().sum();
            assert_eq!(plane.bank.bank().calls("reconcile"), through.len() as u64);
            assert!(spent <= max, "{spent} of {max}");
            // What was refused did not fit into what was left at the end.
            let smallest = answers.iter().zip(&amounts).filter(|((_, answer), _)| text(answer).contains("Provost")).map(|(_, steps)| *steps).min();
            assert!(smallest.is_none_or(|steps| spent + steps > max), "{smallest:?} would have fitted: {spent} of {max}");
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_held_once_the_task_has_read_what_is_confidential_and_what_strangers_wrote() {
    let plane = Plane::start(charter(json!({"autonomy": "bounded"}))).await;
    let ((_, first), (_, second)) = (plane.task().await, plane.task().await);
    let message = json!({"to": "maria@example.com", "subject": "accounts", "body": "all is well"});
    let verdict = |answer: &Value| answer["result"]["_meta"]["dev.provost/decision"]["verdict"].clone();
    let (_, before) = plane.call(&first, "send_message", message.clone()).await;
    let (_, read) = plane.call(&first, "get_statement", json!({"account": "operations"})).await;
    assert!(
        read["result"]["structuredContent"]["lines"].as_array().is_some_and(|lines| !lines.is_empty()),
        "{read}"
    );
    let (_, after) = plane.call(&first, "send_message", message.clone()).await;
    let (_, other) = plane.call(&second, "send_message", message).await;
    assert_eq!(verdict(&after), "hold", "{after}");
    assert_eq!((verdict(&before), verdict(&other)), (Value::Null, Value::Null), "{before} {other}");
    assert_eq!(plane.bank.bank().calls("send_message"), 2);
}
