//! What happens when PostgreSQL, or the way to it, fails: the table at the head of the crate, row by row.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/private.rs"]
mod private;
mod support;

use private::Private;
use provost_domain::{DecisionId, NodeId, Seq, limits::Limits};
use provost_store::{CommitError, Intent, RecordError, Store, StoreError, conformance::sample::*};
use provost_store_postgres::PostgresStore;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};
use support::Database;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

async fn connect(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::connect(url, &Limits::default(), NodeId::from_bytes([7; 16])).await
}

async fn used(store: &PostgresStore) -> i64 {
    store.balances(&[window("calls", 10)], NOON).await.unwrap().remove(0).used
}

fn conditional() -> Intent {
    Intent { charges: vec![charge("calls", 10, 1)], ..on_task(task_id(), 0) }
}

/// The connection breaks just before the server sees the `COMMIT`, or just after it did it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_in_the_commit_is_uncertain_and_never_success() {
    for (breaks, persisted) in [(BEFORE, false), (AFTER, true)] {
        let database = Database::fresh().await;
        let way = Way::to(&database.url).await;
        let store = connect(&way.url).await.unwrap();
        store.record(conditional()).await.unwrap();

        let intent = conditional();
        let id = intent.decision.id;
        way.breaks.store(breaks, Ordering::SeqCst);
        let lost = store.record(intent.clone()).await.unwrap_err();
        assert!(matches!(lost, RecordError::Store(StoreError::Uncertain)), "{lost}");
        assert_eq!(store.decision(id).await.unwrap().is_some(), persisted);
        assert_eq!(used(&store).await, 1 + i64::from(persisted));
        store.record(intent).await.unwrap();
        assert_eq!(used(&store).await, 2, "asked again, it is charged once");

        way.breaks.store(breaks, Ordering::SeqCst);
        let lost = store.complete(completion(id, &[]), None).await.unwrap_err();
        assert!(matches!(lost, StoreError::Uncertain), "{lost}");
        store.complete(completion(id, &[]), None).await.unwrap();

        way.breaks.store(breaks, Ordering::SeqCst);
        let lost = store.commit(set(vec![put(person("maria"), 0)])).await.unwrap_err();
        assert!(matches!(lost, CommitError::Store(StoreError::Uncertain)), "{lost}");
        assert_eq!(store.version(&person("maria").key()).await.unwrap(), u64::from(persisted));
        assert_eq!(store.head().await.unwrap(), Seq(u64::from(persisted)));
        assert_eq!(store.check().await.unwrap(), []);
    }
}

/// The wire stays up and brings nothing: whether the write was made is open, and the next one is made over another connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_says_nothing_any_more_is_given_up_and_the_next_write_is_made() {
    let database = Database::fresh().await;
    let way = Way::to(&database.url).await;
    let store = connect(&format!("{}?tcp_user_timeout=4", way.url)).await.unwrap();
    store.record(conditional()).await.unwrap();
    let intent = conditional();
    way.breaks.store(QUIET, Ordering::SeqCst);
    let lost = store.record(intent.clone()).await.unwrap_err();
    assert!(matches!(lost, RecordError::Store(StoreError::Uncertain)), "{lost}");
    assert!(store.decision(intent.decision.id).await.unwrap().is_none());
    store.record(intent).await.unwrap();
    assert_eq!(used(&store).await, 2, "it is charged once");
}

/// Over and over, under load; the same store goes on once the server is back.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_server_crashes() {
    const BUDGET: i64 = 300;
    let cluster = tokio::task::spawn_blocking(Private::started).await.unwrap();
    let cluster = Arc::new(cluster);
    let nodes =
        [connect(&cluster.url()).await.unwrap(), connect(&cluster.url()).await.unwrap()].map(Arc::new);
    let acknowledged: Arc<Mutex<Vec<(DecisionId, bool)>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    for producer in 0..16_usize {
        let (store, acknowledged) = (Arc::clone(&nodes[producer % 2]), Arc::clone(&acknowledged));
        let stop = Arc::clone(&stop);
        running.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let mut intent = on_task(task_id(), 0);
                if producer < 4 {
                    intent.charges = vec![charge("calls", BUDGET, 1)];
                }
                let id = intent.decision.id;
                let recorded = store.record(intent).await.is_ok();
                let completed = recorded && store.complete(completion(id, &[]), None).await.is_ok();
                if recorded {
                    acknowledged.lock().unwrap().push((id, completed));
                } else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    for round in 0..4_u64 {
        tokio::time::sleep(Duration::from_millis(300 + 130 * round)).await;
        let crashing = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || {
            crashing.crash();
            crashing.start();
        })
        .await
        .unwrap();
        let before = acknowledged.lock().unwrap().len();
        let started = Instant::now();
        while acknowledged.lock().unwrap().len() < before + 20 {
            assert!(started.elapsed() < Duration::from_secs(30), "the store did not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    running.join_all().await;
    assert_eq!(nodes[0].check().await.unwrap(), []);
    let acknowledged = acknowledged.lock().unwrap().clone();
    for (id, completed) in &acknowledged {
        let stored = nodes[0].decision(*id).await.unwrap();
        let stored = stored.unwrap_or_else(|| panic!("{id} was acknowledged and is missing"));
        assert!(stored.completion.is_some() || !completed, "the completion of {id} is missing");
    }
    let balance = nodes[0].balances(&[window("calls", BUDGET)], NOON).await.unwrap().remove(0);
    assert!(balance.left() >= 0, "{balance:?}");
}

/// In its own words, and not after minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_refused_and_found_again() {
    let cluster = Arc::new(tokio::task::spawn_blocking(Private::started).await.unwrap());
    let store = connect(&cluster.url()).await.unwrap();
    store.record(conditional()).await.unwrap();
    cluster.crash();
    let started = Instant::now();
    let gone = store.record(conditional()).await.unwrap_err();
    assert!(matches!(gone, RecordError::Store(StoreError::Backend { .. })), "{gone}");
    assert!(store.head().await.is_err() && store.commit(set(vec![put(person("maria"), 0)])).await.is_err());
    assert!(connect(&cluster.url()).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(20));
    cluster.start();
    store.record(conditional()).await.unwrap();
    assert_eq!(used(&store).await, 2);

    cluster.crash();
    cluster.start_unsynced();
    let refused = connect(&cluster.url()).await.unwrap_err();
    assert!(refused.to_string().contains("fsync"), "{refused}");
}

/// A trigger stands in for the disk, and for a row that the server will not take.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_so_and_a_bad_row_spoils_no_neighbour() {
    let database = Database::fresh().await;
    let store = Arc::new(connect(&database.url).await.unwrap());
    database
        .plant(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file' USING ERRCODE = tg_argv[0]; END $$",
        )
        .await;
    database
        .plant(
            "CREATE TRIGGER full_disk BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION refuse('53100')",
        )
        .await;
    let full = store.record(conditional()).await.unwrap_err();
    assert!(matches!(full, RecordError::Store(StoreError::DiskFull)), "{full}");
    let full = store.commit(set(vec![put(person("maria"), 0)])).await.unwrap_err();
    assert!(matches!(full, CommitError::Store(StoreError::DiskFull)), "{full}");
    assert_eq!((used(&store).await, store.head().await.unwrap()), (0, Seq(0)));
    database.plant("DROP TRIGGER full_disk ON journal").await;
    store.record(conditional()).await.unwrap();

    database
        .plant(
            "CREATE TRIGGER poison BEFORE INSERT ON journal FOR EACH ROW
        WHEN (new.record LIKE '%poison%') EXECUTE FUNCTION refuse('22000')",
        )
        .await;
    let mut running = JoinSet::new();
    for n in 0..30 {
        let store = Arc::clone(&store);
        running.spawn(async move {
            let mut intent = charged(vec![charge("calls", 10, 1)]);
            if n % 10 == 0 {
                intent = plain(decision(allow()));
                Arc::make_mut(&mut intent.decision).tool = "poison".to_owned();
            }
            store.record(intent).await
        });
    }
    let results = running.join_all().await;
    let refused = |result: &&Result<_, RecordError>| {
        matches!(result, Err(RecordError::Store(StoreError::Backend { .. })))
    };
    assert_eq!(results.iter().filter(refused).count(), 3);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 9, "and the budget is used up");
    assert_eq!(used(&store).await, 10);
    assert_eq!(store.check().await.unwrap(), []);
}

/// Two nodes that want the same budgets in another order each do not lock each other out.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_take_the_same_budgets_in_other_orders_do_not_deadlock() {
    let database = Database::fresh().await;
    let nodes = [connect(&database.url).await.unwrap(), connect(&database.url).await.unwrap()].map(Arc::new);
    let mut running = JoinSet::new();
    for n in 0..32_usize {
        let store = Arc::clone(&nodes[n % 2]);
        running.spawn(async move {
            for _ in 0..10 {
                let mut keys = ["a", "b", "c", "d"];
                keys.rotate_left(n % 4);
                store.record(charged(keys.map(|key| charge(key, 10_000, 1)).to_vec())).await.unwrap();
            }
        });
    }
    let started = Instant::now();
    running.join_all().await;
    assert!(started.elapsed() < Duration::from_secs(20));
    let balances = nodes[0].balances(&["a", "b", "c", "d"].map(|key| window(key, 1)), NOON).await.unwrap();
    assert!(balances.iter().all(|balance| balance.used == 320), "{balances:?}");
}

const NEVER: u8 = 0;
const BEFORE: u8 = 1;
const AFTER: u8 = 2;
/// It does not break: nothing passes any more, and both ends stay open.
const QUIET: u8 = 3;

/// A way to the server that breaks once, at the next `COMMIT` that passes.
struct Way {
    url: String,
    breaks: Arc<AtomicU8>,
}

impl Way {
    async fn to(url: &str) -> Self {
        let (rest, database) = url.rsplit_once('/').unwrap();
        let server = rest.rsplit_once('@').unwrap().1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let breaks = Arc::new(AtomicU8::new(NEVER));
        let shared = Arc::clone(&breaks);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { url: format!("postgres://postgres@127.0.0.1:{port}/{database}"), breaks }
    }
}

async fn pass(client: TcpStream, server: TcpStream, breaks: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let silent = Arc::new(AtomicBool::new(false));
    let muted = Arc::clone(&silent);
    let back = tokio::spawn(async move {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
            if muted.load(Ordering::SeqCst) {
                // The answer to the commit came, so it was made; the client never hears of it.
                return;
            }
            if to_client.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from_client.read(&mut bytes).await {
        let commits = bytes[..n].windows(7).any(|word| word == b"COMMIT\0");
        let breaks = if commits { breaks.swap(NEVER, Ordering::SeqCst) } else { NEVER };
        match breaks {
            BEFORE => break,
            QUIET => std::future::pending().await,
            _ => {}
        }
        silent.store(breaks == AFTER, Ordering::SeqCst);
        if to_server.write_all(&bytes[..n]).await.is_err() {
            break;
        }
        if breaks == AFTER {
            drop(back.await);
            return;
        }
    }
    back.abort();
}
