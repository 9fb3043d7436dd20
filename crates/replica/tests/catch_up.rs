//! Many who catch up at once: one reads for all, and nobody misses what was there when they asked.

use provost_domain::limits::Limits;
use provost_replica::Replica;
use provost_store::{Store, SystemClock, Write, conformance::sample};
use provost_store_sqlite::SqliteStore;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_committed_and_caught_up_sees_it_however_many_do_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&folder.path().join("provost.db"), &Limits::default()).unwrap());
    let replica = Replica::load(Arc::clone(&store), Arc::new(SystemClock)).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..32 {
        let (store, replica) = (Arc::clone(&store), Arc::clone(&replica));
        writers.spawn(async move {
            for turn in 0..25 {
                let row = sample::person(&format!("p{writer}-{turn}"));
                let key = row.key();
                let committed =
                    store.commit(sample::set(vec![Write::Put { object: row, expected: 0 }])).await.unwrap();
                let reached = replica.catch_up().await.unwrap();
                assert!(reached >= committed.seq, "{reached} before {}", committed.seq);
                assert!(replica.latest().directory.get(&key).is_some());
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert_eq!(replica.latest().directory.people.len(), 32 * 25);
}
