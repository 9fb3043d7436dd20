//! Promises about secrets, faults, copies and the end.

use super::{Contradiction, Ground, sample::*};
use crate::{CommitError, RecordError, Store, StoreError};
use provost_domain::{Digest, DurationMs, Seq, TaskId, limits::Limits, task::TaskStatus};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Across a restart too, until its time has passed.
pub async fn a_word_is_remembered_once_until_its_time_has_passed(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let (word, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let until = NOON.plus(DurationMs::from_secs(60));
    assert!(store.remember(word, until, NOON).await.unwrap());
    assert!(store.remember(other, until, NOON).await.unwrap());
    assert!(!store.remember(word, until, NOON).await.unwrap());
    store.close().await;
    drop(store);
    let store = ground.open(&Limits::default()).await;
    assert!(!store.remember(word, until, NOON).await.unwrap());
    let later = until.plus(DurationMs(1));
    assert!(store.remember(word, later.plus(DurationMs::from_secs(60)), later).await.unwrap());
}

/// Of many who present it at once, one is first.
pub async fn of_many_who_bring_one_word_one_is_first(ground: impl Ground) {
    let store = Arc::new(ground.open(&Limits::default()).await);
    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let until = NOON.plus(DurationMs::from_secs(60));
            store.remember(Digest::of(b"one"), until, NOON).await.unwrap()
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|first| *first).count(), 1);
}

/// All nodes agree on the first, across a restart too; afterwards the next is the first.
pub async fn what_is_kept_for_a_while_is_the_first_of_many_until_its_time_has_passed(ground: impl Ground) {
    let store = Arc::new(ground.open(&Limits::default()).await);
    let (word, until) = (Digest::of(b"one"), NOON.plus(DurationMs::from_secs(60)));
    assert_eq!(store.kept(word, NOON).await.unwrap(), None);
    let mut racing = JoinSet::new();
    for n in 0..16_u8 {
        let store = Arc::clone(&store);
        racing.spawn(async move { store.keep(word, &[n, 0, 255], until, NOON).await.unwrap() });
    }
    let stands = racing.join_all().await;
    let first = stands[0].clone();
    assert!(stands.iter().all(|value| *value == first) && first[1..] == [0, 255], "{stands:?}");
    assert_eq!(store.kept(Digest::of(b"other"), NOON).await.unwrap(), None);
    store.close().await;
    drop(store);
    let store = ground.open(&Limits::default()).await;
    assert_eq!(store.kept(word, NOON).await.unwrap(), Some(first));
    assert_eq!(store.kept(word, until).await.unwrap(), None, "its time has passed");
    let later = until.plus(DurationMs::from_secs(60));
    assert_eq!(store.keep(word, b"new", later, until).await.unwrap(), b"new");
    assert_eq!(store.kept(word, until).await.unwrap().as_deref(), Some(&b"new"[..]));
}

/// Byte for byte, the newest.
pub async fn sealed_and_named_values_are_kept_as_given(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    assert_eq!(store.sealed(&name("bank")).await.unwrap(), None);
    assert_eq!(store.meta("bank").await.unwrap(), None);
    let all: Vec<u8> = (0..=255).collect();
    for value in [all.as_slice(), b"", b"new"] {
        store.put_sealed(&name("bank"), value).await.unwrap();
        assert_eq!(store.sealed(&name("bank")).await.unwrap().as_deref(), Some(value));
        store.put_meta("k", value).await.unwrap();
        assert_eq!(store.meta("k").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.meta("bank").await.unwrap(), None, "they are two shelves");
    assert_eq!(store.head().await.unwrap(), Seq(0));
}

/// All nodes agree on the first.
pub async fn a_value_put_if_absent_is_put_once(ground: impl Ground) {
    let nodes = ground.nodes().await;
    let mut racing = JoinSet::new();
    for n in 0..16_u8 {
        let store = Arc::clone(&nodes[usize::from(n) % nodes.len()]);
        racing.spawn(async move { store.put_meta_if_absent("key", &[n]).await.unwrap() });
    }
    let mut seen = racing.join_all().await;
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(nodes[0].meta("key").await.unwrap().as_ref(), seen.first());
}

/// After a bit of everything.
pub async fn a_store_in_order_has_no_faults(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    assert_eq!(store.check().await.unwrap(), []);
    story(store.as_ref()).await;
    assert_eq!(store.check().await.unwrap(), []);
}

/// Each by itself, in words.
pub async fn a_planted_contradiction_is_found<G: Ground>(_ground: G) {
    for contradiction in Contradiction::ALL {
        let ground = G::fresh().await;
        let store = ground.open(&Limits::default()).await;
        story(store.as_ref()).await;
        store.close().await;
        drop(store);
        ground.plant(contradiction).await;
        let store = ground.open(&Limits::default()).await;
        let faults = store.check().await.unwrap();
        assert!(!faults.is_empty(), "{contradiction:?} was not found");
        assert!(faults.iter().all(|fault| !fault.check.is_empty() && !fault.detail.is_empty()));
        store.close().await;
    }
}

/// Or says what can.
pub async fn a_backup_opens_and_equals(ground: impl Ground) {
    let folder = std::env::temp_dir().join(format!("backup-{}", TaskId::new(NOON, random_bytes())));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("copy.db");
    let store = ground.open(&Limits::default()).await;
    story(store.as_ref()).await;
    match store.backup(&file).await {
        Err(StoreError::Unsupported(cure)) => assert!(cure.contains("pg_dump"), "{cure}"),
        Err(other) => panic!("{other}"),
        Ok(()) => {
            let copy = ground.open_backup(&file).await;
            assert_eq!(copy.tail(Seq(0), 100).await.unwrap(), store.tail(Seq(0), 100).await.unwrap());
            assert_eq!(copy.ledger_head().await.unwrap(), store.ledger_head().await.unwrap());
            assert_eq!(copy.leaves(0, 100).await.unwrap(), store.leaves(0, 100).await.unwrap());
            assert_eq!(copy.unsequenced(100).await.unwrap(), store.unsequenced(100).await.unwrap());
            assert_eq!(copy.sealed(&name("bank")).await.unwrap(), store.sealed(&name("bank")).await.unwrap());
            assert_eq!(copy.check().await.unwrap(), []);
            copy.close().await;
            let again = store.backup(&file).await.unwrap_err();
            assert!(matches!(again, StoreError::Backend { .. }), "a file that is there is not written over");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Closed and opened again, it says the same.
pub async fn everything_stands_after_a_restart(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let task = story(store.as_ref()).await;
    let before = told(store.as_ref(), task).await;
    store.close().await;
    drop(store);
    let store = ground.open(&Limits::default()).await;
    assert_eq!(told(store.as_ref(), task).await, before);
}

/// Nobody waits for ever.
pub async fn closing_writes_out_what_waits_and_refuses_what_comes(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let mut running = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        running.spawn(async move {
            let decision = decision(allow());
            (decision.id, store.record(plain(decision)).await.is_ok())
        });
    }
    tokio::task::yield_now().await;
    store.close().await;
    store.close().await;
    let told = running.join_all().await;
    let late = store.record(plain(decision(allow()))).await.unwrap_err();
    assert!(matches!(late, RecordError::Store(StoreError::Closed)), "{late}");
    let late = store.commit(set(vec![put(person("maria"), 0)])).await.unwrap_err();
    assert!(matches!(late, CommitError::Store(StoreError::Closed)), "{late}");
    drop(store);
    let store = ground.open(&Limits::default()).await;
    for (id, acknowledged) in told {
        let stored = store.decision(id).await.unwrap().is_some();
        assert!(stored || !acknowledged, "an acknowledged decision is missing");
    }
}

/// A bit of everything; says the task in it.
async fn story(store: &dyn Store) -> TaskId {
    let id = task_id();
    let rows = vec![put(person("maria"), 0), put(agent("clerk"), 0), put(task(id, TaskStatus::Running), 0)];
    store.commit(set(rows)).await.unwrap();
    store.commit(set(vec![put(person_displayed("maria", "Maria"), 1)])).await.unwrap();
    let mut first = on_task(id, 0);
    first.charges = vec![charge("agent/clerk/calls", 10, 1)];
    let decided = first.decision.id;
    store.record(first).await.unwrap();
    store.complete(completion(decided, &["untrusted"]), Some(id)).await.unwrap();
    store.record(plain(decision(deny()))).await.unwrap();
    store.record(on_task(id, 1)).await.unwrap();
    assert!(append(store, 5).await);
    store.put_sealed(&name("bank"), b"sealed").await.unwrap();
    store.put_meta("setting", b"value").await.unwrap();
    id
}

async fn told(store: &dyn Store, task: TaskId) -> impl PartialEq + std::fmt::Debug + use<> {
    let later = NOON.plus(DurationMs::from_mins(1));
    (
        loaded(store).await,
        store.tail(Seq(0), 100).await.unwrap(),
        store.task_state(task).await.unwrap(),
        store.balances(&[window("agent/clerk/calls", 10)], NOON).await.unwrap(),
        store.unfinished(None, later, 100).await.unwrap(),
        store.unsequenced(100).await.unwrap(),
        store.leaves(0, 100).await.unwrap(),
        store.ledger_head().await.unwrap(),
        (store.sealed(&name("bank")).await.unwrap(), store.meta("setting").await.unwrap()),
    )
}

/// The counter alone would give two processes the same folder.
fn random_bytes() -> [u8; 10] {
    let mut bytes = random();
    let drawn = crate::driver::salt().unwrap();
    bytes.copy_from_slice(&drawn[..10]);
    bytes
}
