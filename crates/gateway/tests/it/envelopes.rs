//! An envelope, from its first use to its last.

use crate::approvals::{done, hold, pay, plane, row};
use provost_domain::{
    Approval, Clock, DurationMs, Envelope, Object, TaskId,
    approval::EnvelopeStatus,
    charter::{ArgRule, BudgetSum},
};
use provost_store::SystemClock;
use std::sync::Arc;

fn envelope(row: &Approval, count_max: u32, task: Option<TaskId>) -> Envelope {
    let now = SystemClock.now();
    let at_most = ArgRule { max: Some("100.0".parse().unwrap()), ..ArgRule::default() };
    Envelope {
        id: "envelope_1".into(),
        agent: row.agent.clone(),
        task,
        system: row.system.clone(),
        tool: row.tool.clone(),
        args: [("amount".to_owned(), at_most)].into(),
        count_max,
        sum: Some(BudgetSum { arg: "amount".into(), max: "250.0".parse().unwrap() }),
        gates: row.gates.clone(),
        bound: row.bound,
        by: "ben".parse().unwrap(),
        on_behalf_of: None,
        shown_by: "test".into(),
        // What it is of is control's to judge; where answers are signed, there is one.
        signature: Some(Box::new(provost_domain::Signature {
            stamp: provost_domain::Stamp { plane: String::new(), at: now, nonce: String::new() },
            passkey: String::new(),
            key: String::new(),
            authenticator_data: String::new(),
            client_data: String::new(),
            signature: String::new(),
        })),
        why: "the same every day".into(),
        approval: row.id.clone(),
        mark: row.mark,
        granted: now,
        until: now.plus(DurationMs::from_mins(5)),
        status: EnvelopeStatus::Open,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_burns_down_to_zero_and_no_further_whatever_runs_at_once() {
    let plane = Arc::new(plane().await);
    let (_, token) = plane.task().await;
    let id = hold(&plane, &token, pay(1)).await;
    let row = row(&plane, &id).await.1;
    plane.change(Object::Envelope(Box::new(envelope(&row, 3, None))), 0).await;
    assert!(!done(&plane.call(&token, "transfer", pay(101)).await.1), "outside its arguments");
    let calls = (0..10).map(|n| {
        let (plane, token) = (Arc::clone(&plane), token.clone());
        tokio::spawn(async move { done(&plane.call(&token, "transfer", pay(10 + n)).await.1) })
    });
    let calls = futures::future::join_all(calls).await;
    assert_eq!(calls.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 3);
    assert_eq!(plane.bank.bank().calls("transfer"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_ends_with_its_sum_with_its_task_and_when_it_is_taken_back() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    let id = hold(&plane, &token, pay(1)).await;
    let row = row(&plane, &id).await.1;
    let open = envelope(&row, 9, Some(task));
    plane.change(Object::Envelope(Box::new(open.clone())), 0).await;
    let (_, other) = plane.task().await;
    assert!(!done(&plane.call(&other, "transfer", pay(100)).await.1), "another task");
    for (amount, through) in [(100, true), (99, true), (60, false), (51, true)] {
        assert_eq!(done(&plane.call(&token, "transfer", pay(amount)).await.1), through, "{amount}");
    }
    let second = Envelope { id: "envelope_2".into(), ..open };
    plane.change(Object::Envelope(Box::new(second.clone())), 0).await;
    assert!(done(&plane.call(&token, "transfer", pay(5)).await.1));
    let status = EnvelopeStatus::Revoked { at: SystemClock.now(), by: "ben".into(), why: "enough".into() };
    plane.change(Object::Envelope(Box::new(Envelope { status, ..second })), 1).await;
    assert!(!done(&plane.call(&token, "transfer", pay(6)).await.1), "taken back");
}
