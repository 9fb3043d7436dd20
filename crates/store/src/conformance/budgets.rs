//! Promises about budgets.

use super::{Ground, sample::*};
use crate::{Charge, RecordError, Store, StoreError, WindowKey};
use provost_domain::{DurationMs, limits::Limits, task::TaskStatus};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Thirty-two at once, from every node.
pub async fn a_count_of_k_lets_exactly_k_through(ground: impl Ground) {
    const K: i64 = 50;
    let nodes = ground.nodes().await;
    let mut running = JoinSet::new();
    for n in 0..32 {
        let store = Arc::clone(&nodes[n % nodes.len()]);
        running.spawn(async move {
            let mut through = 0;
            for _ in 0..4 {
                match store.record(charged(vec![charge("agent/clerk/calls", K, 1)])).await {
                    Ok(_) => through += 1,
                    Err(RecordError::Exhausted { left: 0, needed: 1, key }) => {
                        assert_eq!(key, "agent/clerk/calls");
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            through
        });
    }
    assert_eq!(running.join_all().await.into_iter().sum::<i64>(), K);
    assert_eq!(used(nodes[0].as_ref(), "agent/clerk/calls").await, K);
}

/// Thirty-two at once, each with another amount.
pub async fn a_sum_is_never_passed_and_never_refused_too_early(ground: impl Ground) {
    const MAX: i64 = 1_000;
    let nodes = ground.nodes().await;
    let mut running = JoinSet::new();
    for n in 0..32_usize {
        let store = Arc::clone(&nodes[n % nodes.len()]);
        running.spawn(async move {
            let mut taken = 0;
            for i in 0..4 {
                let amount = i64::try_from((n * 7 + i * 13) % 40 + 1).unwrap();
                match store.record(charged(vec![charge("agent/clerk/sum", MAX, amount)])).await {
                    Ok(_) => taken += amount,
                    Err(RecordError::Exhausted { left, needed, .. }) => {
                        assert!(left < needed, "{left} were left and {needed} refused");
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            taken
        });
    }
    let taken: i64 = running.join_all().await.into_iter().sum();
    assert_eq!(used(nodes[0].as_ref(), "agent/clerk/sum").await, taken);
    assert!(taken <= MAX && taken > MAX - 40, "{taken}");
}

/// What was taken before is still taken.
pub async fn a_budget_holds_across_a_restart(ground: impl Ground) {
    let mut through = 0;
    for _ in 0..3 {
        let store = ground.open(&Limits::default()).await;
        for _ in 0..4 {
            through += u32::from(store.record(charged(vec![charge("a", 9, 1)])).await.is_ok());
        }
        store.close().await;
    }
    assert_eq!(through, 9);
}

/// The second budget is exhausted: the first keeps what it has.
pub async fn charges_are_taken_all_or_none(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let both = || charged(vec![charge("a", 10, 4), charge("b", 5, 3)]);
    store.record(both()).await.unwrap();
    let intent = both();
    match store.record(intent.clone()).await.unwrap_err() {
        RecordError::Exhausted { key, left, needed } => assert_eq!((key.as_str(), left, needed), ("b", 2, 3)),
        other => panic!("{other}"),
    }
    assert_eq!((used(store.as_ref(), "a").await, used(store.as_ref(), "b").await), (4, 3));
    assert!(store.decision(intent.decision.id).await.unwrap().is_none());
    let thrice = charged(vec![charge("c", 10, 4), charge("c", 10, 4), charge("c", 10, 4)]);
    assert!(matches!(store.record(thrice).await, Err(RecordError::Exhausted { left: 2, needed: 4, .. })));
    store.record(charged(vec![charge("c", 10, 4), charge("c", 10, 6)])).await.unwrap();
    assert_eq!(used(store.as_ref(), "c").await, 10);
}

/// Never more than the maximum in any window; free again a grain after it at the latest.
pub async fn a_window_refills_as_time_passes(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let window = WindowKey { key: "a".to_owned(), window: DurationMs::from_secs(10), max: 2 };
    let grain = window.grain();
    let at = |ms: u64| {
        let mut intent = charged(vec![Charge { window: window.clone(), amount: 1 }]);
        Arc::make_mut(&mut intent.decision).at = NOON.plus(DurationMs(ms));
        intent
    };
    store.record(at(0)).await.unwrap();
    store.record(at(4_000)).await.unwrap();
    for full in [4_000, 9_000, 9_999] {
        assert!(matches!(store.record(at(full)).await, Err(RecordError::Exhausted { .. })), "{full}");
    }
    store.record(at(10_000 + grain.0)).await.expect("the first has passed");
    assert!(store.record(at(13_999)).await.is_err());
    store.record(at(14_000 + grain.0)).await.expect("the second has passed");
    let now = NOON.plus(DurationMs(30_000));
    assert_eq!(store.balances(&[window], now).await.unwrap()[0].left(), 2);
}

/// And is recorded all the same.
pub async fn a_denial_takes_nothing(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    for verdict in [deny(), hold()] {
        let mut intent = charged(vec![charge("a", 1, 5)]);
        Arc::make_mut(&mut intent.decision).verdict = verdict;
        store.record(intent).await.unwrap();
    }
    assert_eq!(used(store.as_ref(), "a").await, 0);
}

/// It would fill the budget.
pub async fn a_negative_charge_is_refused(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let refused = store.record(charged(vec![charge("a", 10, -5)])).await.unwrap_err();
    assert!(matches!(refused, RecordError::Store(StoreError::Unsupported(_))), "{refused}");
    let huge = charged(vec![charge("a", i64::MAX, i64::MAX), charge("a", i64::MAX, 1)]);
    assert!(matches!(store.record(huge).await, Err(RecordError::Exhausted { .. })));
    assert_eq!(used(store.as_ref(), "a").await, 0);
}

/// And says how many.
pub async fn a_sweep_forgets_only_what_has_passed(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    for (key, seconds) in [("a", 0), ("a", 100), ("b", 0), ("c", 200)] {
        let mut intent = charged(vec![charge(key, 10, 1)]);
        Arc::make_mut(&mut intent.decision).at = NOON.plus(DurationMs::from_secs(seconds));
        store.record(intent).await.unwrap();
    }
    let now = NOON.plus(DurationMs::from_secs(120));
    assert_eq!(store.sweep(now, DurationMs::from_secs(60)).await.unwrap(), 2);
    assert_eq!(store.sweep(now, DurationMs::from_secs(60)).await.unwrap(), 0);
    let left = [window("a", 10), window("b", 10), window("c", 10)];
    let used: Vec<i64> =
        store.balances(&left, NOON).await.unwrap().iter().map(|balance| balance.used).collect();
    assert_eq!(used, [1, 0, 1]);
    assert_eq!(store.check().await.unwrap(), []);
}

/// However alike their names.
pub async fn the_end_of_a_task_ends_its_charges_and_no_others(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let (ends, stays) = (task_id(), task_id());
    store.commit(set(vec![put(task(ends, TaskStatus::Running), 0)])).await.unwrap();
    let keys =
        [format!("task/{ends}/calls"), format!("task/{ends}"), format!("task/{stays}/calls"), "z".to_owned()];
    for key in &keys {
        store.record(charged(vec![charge(key, 10, 1)])).await.unwrap();
    }
    store.commit(set(vec![put(task(ends, TaskStatus::Ended), 1)])).await.unwrap();
    for (key, expected) in keys.iter().zip([0, 1, 1, 1]) {
        assert_eq!(used(store.as_ref(), key).await, expected, "{key}");
        store.record(charged(vec![charge(key, 10, 10 - expected)])).await.unwrap();
        assert!(store.record(charged(vec![charge(key, 10, 1)])).await.is_err(), "{key}");
    }
}

async fn used(store: &dyn Store, key: &str) -> i64 {
    store.balances(&[window(key, 1)], NOON).await.unwrap().remove(0).used
}
