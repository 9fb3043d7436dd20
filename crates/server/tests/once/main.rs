//! Nothing runs twice, nothing runs without its grant, and no grant is for something else: any order of what people do through
//! the plane's own operations, and of what agents, nodes, time and crashes do, over a real store.
//!
//! Two nodes decide on a replica each, that follows only when the case says so: a node that lags decides on what it knows, as
//! within its lease. Two desks, with replicas of their own, are where people answer, sign, order and lift: the operations of
//! `provost-control`, none of their rules written again here. A run is a permit: nothing but a permit can act, and acting spends it
//! (`store/tests/compile_fail`). The oracle is as plain as it can be: it looks up what was true at the position the node decided
//! on, in the history that the store keeps.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod events;
mod oracle;
mod people;
mod places;
mod rows;
mod world;

#[path = "../../../gateway/tests/it/faults.rs"]
mod faults;

#[path = "../../../store-postgres/tests/support/mod.rs"]
#[expect(dead_code, reason = "a part of what the tests of the store share")]
mod support;

use events::{Event, events};
use oracle::Uses;
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use provost_domain::{Digest, NodeId, Timestamp, limits::Limits};
use provost_store::Store;
use provost_store_postgres::PostgresStore;
use provost_store_sqlite::SqliteStore;
use std::sync::Arc;
use support::Database;
use world::World;

#[test]
fn in_no_order_of_events_does_anything_run_twice_or_without_its_grant() {
    run_all(48, async || {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("provost.db"), &Limits::default()).unwrap();
        (Arc::new(store) as Arc<dyn Store>, Box::new(dir) as Box<dyn std::any::Any>)
    });
}

#[test]
fn in_no_order_of_events_does_anything_run_twice_or_without_its_grant_on_postgres() {
    run_all(6, async || {
        let database = Database::fresh().await;
        let node = NodeId::new(Timestamp::from_millis(7), [7; 10]);
        let store = PostgresStore::connect(&database.url, &Limits::default(), node).await.unwrap();
        (Arc::new(store) as Arc<dyn Store>, Box::new(database) as Box<dyn std::any::Any>)
    });
}

fn run_all(fallback: u32, store: impl AsyncFn() -> (Arc<dyn Store>, Box<dyn std::any::Any>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let text = std::env::var("PROVOST_SEED").unwrap_or_else(|_| format!("{:016x}", rand::random::<u64>()));
    println!("PROVOST_SEED={text} makes the same cases again");
    let strategy = (prop::bool::ANY, prop::bool::ANY, events());
    let uses = std::cell::RefCell::new(Uses::default());
    // A few cases may by chance get nowhere: more are made until every kind of grant was used and every kind of stop was given.
    for round in 0..ROUNDS_MAX {
        // A runner makes its number of cases once.
        let seed = Digest::of(format!("{text}{round}").as_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, seed.as_bytes());
        let mut runner = TestRunner::new_with_rng(cases(fallback), rng);
        let result = runner.run(&strategy, |(two, signed, events)| {
            let used = runtime.block_on(async {
                let (store, _kept) = store().await;
                case(store, (two, signed), &events).await
            });
            uses.borrow_mut().add(&used);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        if uses.borrow().got_everywhere() {
            break;
        }
    }
    println!("{:?}", uses.borrow());
    assert!(uses.borrow().got_everywhere(), "the cases never got as far as this: {:?}", uses.borrow());
}

async fn case(store: Arc<dyn Store>, rules: (bool, bool), events: &[Event]) -> Uses {
    let world = World::new(store, rules).await;
    for event in events {
        world.happen(event).await;
    }
    let uses = world.judge().await;
    world.store.close().await;
    uses
}

fn cases(fallback: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(fallback);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

const ROUNDS_MAX: u8 = 20;
