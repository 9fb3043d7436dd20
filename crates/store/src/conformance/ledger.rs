//! Promises to the sequencer.

use super::{Ground, PATIENCE, sample::*};
use crate::{JournalKind, StoreError, TileKey};
use provost_domain::limits::Limits;
use std::{collections::BTreeSet, sync::Arc, time::Instant};
use tokio::task::JoinSet;

/// Of those who saw the same size, one appends.
pub async fn appending_is_compare_and_swap(ground: impl Ground) {
    let nodes = ground.nodes().await;
    for round in 0..3_u64 {
        for _ in 0..4 {
            nodes[0].record(plain(decision(allow()))).await.unwrap();
        }
        let rows: Vec<i64> = nodes[0].unsequenced(100).await.unwrap().iter().map(|row| row.row).collect();
        let mut racing = JoinSet::new();
        for n in 0..8 {
            let store = Arc::clone(&nodes[n % nodes.len()]);
            let step = step(round * 4, rows.clone());
            racing.spawn(async move { store.sequence(step).await.unwrap() });
        }
        assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
        let head = nodes[nodes.len() - 1].ledger_head().await.unwrap();
        let size = (round + 1) * 4;
        assert_eq!((head.size, head.checkpoint, head.waiting), (size, format!("checkpoint of {size}"), 0));
    }
    assert!(!nodes[0].sequence(step(0, vec![1])).await.unwrap(), "an old size changes nothing");
    assert!(!nodes[0].sequence(step(99, vec![1])).await.unwrap());
    assert_eq!(nodes[0].check().await.unwrap(), []);
}

/// A row once seen keeps its place, none is forgotten, none comes twice.
pub async fn the_order_of_waiting_rows_is_stable_and_complete_under_writers(ground: impl Ground) {
    const EACH: usize = 30;
    let nodes = ground.nodes().await;
    let mut writers = JoinSet::new();
    for n in 0..8_usize {
        let store = Arc::clone(&nodes[n % nodes.len()]);
        writers.spawn(async move {
            for i in 0..EACH {
                if n % 4 == 3 {
                    store.commit(set(vec![put(person(&format!("p-{n}-{i}")), 0)])).await.unwrap();
                } else {
                    store.record(plain(decision(allow()))).await.unwrap();
                }
            }
        });
    }
    let mut leaves: Vec<i64> = Vec::new();
    let mut polls = 0_usize;
    let started = Instant::now();
    while leaves.len() < 8 * EACH {
        assert!(started.elapsed() < PATIENCE, "the writers stopped at {}", leaves.len());
        let (one, two) = (&nodes[polls % nodes.len()], &nodes[(polls + 1) % nodes.len()]);
        let rows = |store: &Arc<dyn crate::Store>| {
            let store = Arc::clone(store);
            async move {
                let rows = store.unsequenced(1_000).await.unwrap();
                rows.into_iter().map(|row| row.row).collect::<Vec<_>>()
            }
        };
        let (earlier, later) = (rows(one).await, rows(two).await);
        assert_eq!(earlier, later[..earlier.len()], "a row once returned moved");
        // Leave some waiting, so that the next round sees old rows and new ones together.
        let some = earlier[..earlier.len().div_ceil(2)].to_vec();
        if !some.is_empty() {
            assert!(two.sequence(step(leaves.len() as u64, some.clone())).await.unwrap());
            leaves.extend(some);
        }
        polls += 1;
    }
    writers.join_all().await;
    assert_eq!(leaves.iter().collect::<BTreeSet<_>>().len(), 8 * EACH);
    let stored = nodes[0].leaves(0, 10_000).await.unwrap();
    assert_eq!(stored.iter().map(|leaf| leaf.row.row).collect::<Vec<_>>(), leaves);
    assert!(nodes[0].unsequenced(10).await.unwrap().is_empty());
    assert_eq!(nodes[0].check().await.unwrap(), []);
}

/// The tree would forget a record for ever.
pub async fn rows_are_appended_in_their_order_and_none_is_left_out(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    for _ in 0..4 {
        store.record(plain(decision(allow()))).await.unwrap();
    }
    let rows: Vec<i64> = store.unsequenced(100).await.unwrap().iter().map(|row| row.row).collect();
    let wrong = [
        vec![rows[1], rows[0]],
        vec![rows[0], rows[2]],
        vec![rows[1]],
        vec![rows[0], rows[0]],
        vec![rows[0], rows[1], rows[2], rows[3], rows[3] + 1],
    ];
    for rows in wrong {
        let refused = store.sequence(step(0, rows.clone())).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsupported(_)), "{rows:?}: {refused}");
    }
    assert_eq!(store.ledger_head().await.unwrap().size, 0);
    assert_eq!(store.unsequenced(2).await.unwrap().len(), 2, "at most as many as asked for");
    assert!(store.sequence(step(0, rows[..3].to_vec())).await.unwrap());
    let head = store.ledger_head().await.unwrap();
    assert_eq!((head.size, head.waiting), (3, 1));
}

/// One tile, longer each time.
pub async fn a_tile_is_replaced_as_it_grows(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let key = TileKey { level: 0, index: 0 };
    assert_eq!(store.tile(key).await.unwrap(), None);
    for size in 1..4_u64 {
        store.record(plain(decision(allow()))).await.unwrap();
        let rows: Vec<i64> = store.unsequenced(10).await.unwrap().iter().map(|row| row.row).collect();
        let mut step = step(size - 1, rows);
        let bytes = vec![u8::try_from(size).unwrap(); 32 * usize::try_from(size).unwrap()];
        step.tiles = vec![(key, bytes.clone())];
        assert!(store.sequence(step).await.unwrap());
        assert_eq!(store.tile(key).await.unwrap(), Some(bytes));
    }
    for other in [TileKey { level: 0, index: 1 }, TileKey { level: 1, index: 0 }] {
        assert_eq!(store.tile(other).await.unwrap(), None);
    }
}

/// Of every kind.
pub async fn every_record_is_found_by_its_leaf_and_its_leaf_by_the_record(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let allowed = decision(allow());
    store.commit(set(vec![put(person("maria"), 0)])).await.unwrap();
    store.record(plain(allowed.clone())).await.unwrap();
    store.complete(completion(allowed.id, &[]), None).await.unwrap();
    store.record(plain(decision(deny()))).await.unwrap();
    let rows = store.unsequenced(3).await.unwrap();
    assert!(append(store.as_ref(), 3).await);
    let leaves = store.leaves(0, 10).await.unwrap();
    assert_eq!(leaves.len(), 3, "what waits is no leaf");
    for (index, (leaf, row)) in leaves.iter().zip(&rows).enumerate() {
        assert_eq!((leaf.index, &leaf.row), (index as u64, row));
        assert_eq!(store.leaf_of(row.kind, &row.id).await.unwrap().as_ref(), Some(leaf));
    }
    assert_eq!(store.leaves(1, 1).await.unwrap(), leaves[1..2]);
    assert!(store.leaves(3, 10).await.unwrap().is_empty());
    assert_eq!(store.decision(allowed.id).await.unwrap().unwrap().leaf, Some(1));
    let waiting = store.unsequenced(10).await.unwrap().remove(0);
    assert_eq!(store.leaf_of(waiting.kind, &waiting.id).await.unwrap(), None);
    assert_eq!(store.leaf_of(JournalKind::Change, "change-9").await.unwrap(), None);
    assert_eq!(store.leaf_of(JournalKind::Refused, &allowed.id.to_string()).await.unwrap(), None);
}

/// Newest first, the newest always among them.
pub async fn earlier_checkpoints_are_kept_and_thinned_out(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    assert!(store.checkpoints(10).await.unwrap().is_empty());
    for _ in 0..150 {
        store.record(plain(decision(allow()))).await.unwrap();
        assert!(append(store.as_ref(), 1).await);
    }
    let kept = store.checkpoints(1_000).await.unwrap();
    assert!(kept.len() < 120, "{} of 150 are kept", kept.len());
    let sizes: Vec<u64> = kept.iter().map(|text| text.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(sizes.is_sorted_by(|a, b| a > b));
    assert_eq!(sizes[..60], (91..=150).rev().collect::<Vec<u64>>());
    let few = store.checkpoints(5).await.unwrap();
    assert!(few.len() <= 5 && few[0] == "checkpoint of 150", "{few:?}");
}
