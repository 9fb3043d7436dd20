//! What happens when a step fails: the table at the head of the crate, row by row.

use crate::{
    SqliteStore,
    writer::fault::{Fault, Step},
};
use provost_domain::{DurationMs, Seq, TaskId, limits::Limits};
use provost_store::{CommitError, Intent, RecordError, Store, StoreError, TileKey, conformance::sample::*};
use rusqlite::Connection;
use std::{path::Path, process::Command, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::task::JoinSet;

fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(&file(folder), &Limits::default()).unwrap()
}

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("provost.db")
}

async fn used(store: &SqliteStore) -> i64 {
    store.balances(&[window("calls", 10)], NOON).await.unwrap().remove(0).used
}

fn conditional(task: TaskId) -> Intent {
    Intent { charges: vec![charge("calls", 10, 1)], ..on_task(task, 0) }
}

#[tokio::test]
async fn a_write_that_is_reported_failed_can_be_made_again_and_counts_once() {
    for (step, persisted) in [(Step::BeforeCommit, false), (Step::AfterCommit, true)] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let task = task_id();
        let intent = conditional(task);
        let id = intent.decision.id;
        store.record(conditional(task)).await.unwrap();

        store.faults.plan(step, Fault::Fails);
        let failed = store.record(intent.clone()).await.unwrap_err();
        assert!(matches!(failed, RecordError::Store(StoreError::Backend { .. })), "{step:?}: {failed}");
        assert_eq!(store.decision(id).await.unwrap().is_some(), persisted, "{step:?}");
        assert_eq!(used(&store).await, 1 + i64::from(persisted), "{step:?}");
        store.record(intent).await.unwrap();
        assert_eq!(used(&store).await, 2, "{step:?}");

        let done = completion(id, &["untrusted"]);
        store.faults.plan(step, Fault::Fails);
        assert!(store.complete(done.clone(), Some(task)).await.is_err());
        assert_eq!(store.task_state(task).await.unwrap().version, u64::from(persisted), "{step:?}");
        assert_eq!(store.complete(done, Some(task)).await.unwrap().version, 1, "{step:?}");

        let change = set(vec![put(person("maria"), 0)]);
        store.faults.plan(step, Fault::Fails);
        assert!(store.commit(change.clone()).await.is_err());
        assert_eq!(store.head().await.unwrap(), Seq(u64::from(persisted)), "{step:?}");
        match store.commit(change).await {
            Ok(_) => assert!(!persisted),
            Err(CommitError::Conflict { found: 1, .. }) => assert!(persisted, "its version tells"),
            Err(other) => panic!("{other}"),
        }

        let rows: Vec<i64> = store.unsequenced(10).await.unwrap().iter().map(|row| row.row).collect();
        let append = provost_store::conformance::sample::step(0, rows);
        store.faults.plan(step, Fault::Fails);
        assert!(store.sequence(append.clone()).await.is_err());
        assert_eq!(store.sequence(append).await.unwrap(), !persisted, "{step:?}: the size tells");
        assert_eq!(store.check().await.unwrap(), [], "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_at_a_commit_leaves_all_of_it_or_nothing() {
    for (step, stands) in [("before", false), ("after", true)] {
        let folder = tempfile::tempdir().unwrap();
        open(&folder).close().await;
        let died = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::dies_at_a_commit", "--ignored", "--nocapture"])
            .env(DIES_AT, step)
            .env(DIES_IN, file(&folder))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(!died.success());
        let store = open(&folder);
        let open_ones = store.unfinished(None, NOON.plus(DurationMs(1)), 10).await.unwrap();
        assert_eq!(open_ones.len(), usize::from(stands), "{step}");
        assert_eq!(used(&store).await, i64::from(stands), "{step}");
        assert_eq!(store.unsequenced(10).await.unwrap().len(), usize::from(stands), "{step}");
        assert_eq!(store.check().await.unwrap(), [], "{step}");
    }
}

/// The child of the test above.
#[tokio::test]
#[ignore = "dies; started by the test above"]
async fn dies_at_a_commit() {
    let (Ok(step), Ok(path)) = (std::env::var(DIES_AT), std::env::var(DIES_IN)) else { return };
    let store = SqliteStore::open(Path::new(&path), &Limits::default()).unwrap();
    let step = if step == "before" { Step::BeforeCommit } else { Step::AfterCommit };
    store.faults.plan(step, Fault::Dies);
    drop(store.record(conditional(task_id())).await);
}

const DIES_AT: &str = "STORE_TEST_DIES_AT";
const DIES_IN: &str = "STORE_TEST_DIES_IN";

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_does_not_spoil_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    store.record(plain(decision(allow()))).await.unwrap();
    let hold = Arc::clone(&store);
    let first = tokio::spawn(async move {
        hold.write(|_tx| {
            std::thread::sleep(Duration::from_millis(200));
            Ok(())
        })
        .await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    // All of these wait for the first, and so share one transaction.
    let mut good = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        good.spawn(async move { store.record(charged(vec![charge("calls", 10, 1)])).await.is_ok() });
    }
    let mut bad = step(0, vec![1]);
    bad.tiles = vec![(TileKey { level: 99, index: 0 }, vec![0; 32])];
    let bad = store.sequence(bad);
    let (bad, good) = tokio::join!(bad, good.join_all());
    first.await.unwrap().unwrap();
    assert!(matches!(bad, Err(StoreError::Backend { .. })), "{bad:?}");
    assert_eq!(
        good.into_iter().filter(|through| *through).count(),
        10,
        "the budget is neither lost nor passed"
    );
    assert_eq!(used(&store).await, 10);
    assert_eq!(store.check().await.unwrap(), []);
}

#[tokio::test]
async fn a_full_disk_is_said_so_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let pages = |tx: &mut crate::writer::Tx<'_>, more: i64| {
        let now: i64 = tx.db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        tx.db.query_row(&format!("PRAGMA max_page_count = {}", now + more), [], |_row| Ok(())).unwrap();
    };
    store
        .write(move |tx| {
            pages(tx, 20);
            Ok(())
        })
        .await
        .unwrap();
    let mut kept = Vec::new();
    let full = loop {
        let intent = charged(vec![charge("calls", 1_000, 1)]);
        let id = intent.decision.id;
        match store.record(intent).await {
            Ok(_) => kept.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, RecordError::Store(StoreError::DiskFull)), "{full}");
    assert!(full.to_string().contains("free space"), "{full}");
    let changed = store.commit(set((0..200).map(|n| put(person(&format!("p-{n}")), 0)).collect())).await;
    assert!(matches!(changed, Err(CommitError::Store(StoreError::DiskFull))), "{changed:?}");
    assert_eq!(store.head().await.unwrap(), Seq(0), "reading goes on");
    assert_eq!(used(&store).await, i64::try_from(kept.len()).unwrap());

    store
        .write(move |tx| {
            pages(tx, 10_000);
            Ok(())
        })
        .await
        .unwrap();
    store.record(plain(decision(allow()))).await.unwrap();
    for id in kept {
        assert!(store.decision(id).await.unwrap().is_some());
    }
    assert_eq!(store.check().await.unwrap(), []);
}

#[tokio::test]
async fn a_locked_database_is_refused_in_words_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let intent = conditional(task_id());
    let locked = store.record(intent.clone()).await.unwrap_err();
    let RecordError::Store(error @ StoreError::Backend { .. }) = locked else { panic!("{locked}") };
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("locked"), "{source}");
    assert!(store.decision(intent.decision.id).await.unwrap().is_none(), "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    store.record(intent).await.unwrap();
    assert_eq!(used(&store).await, 1);
}

#[tokio::test]
async fn a_second_plane_on_the_same_file_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let second = SqliteStore::open(&file(&folder), &Limits::default()).unwrap_err();
    let source = std::error::Error::source(&second).unwrap().to_string();
    assert!(source.contains("another plane"), "{source}");
    store.close().await;
    drop(store);
    open(&folder).close().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_and_one_of_the_future_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        file(&folder),
        "nothing that SQLite would write, and long enough to be looked at".repeat(20),
    )
    .unwrap();
    let refused = SqliteStore::open(&file(&folder), &Limits::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    open(&folder).close().await;
    let db = Connection::open(file(&folder)).unwrap();
    db.execute("INSERT INTO schema_version (name) VALUES ('9999_future')", []).unwrap();
    let refused = SqliteStore::open(&file(&folder), &Limits::default()).unwrap_err();
    assert!(refused.to_string().contains("newer"), "{refused}");
}

#[tokio::test]
async fn what_somebody_else_writes_into_the_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.record(charged(vec![charge("calls", 10, 1)])).await.unwrap();
    let other = Connection::open(file(&folder)).unwrap();
    other.execute("UPDATE charge SET amount = 10", []).unwrap();
    let refused = store.record(charged(vec![charge("calls", 10, 1)])).await.unwrap_err();
    assert!(matches!(refused, RecordError::Exhausted { left: 0, .. }), "{refused}");
}

#[tokio::test]
async fn a_remembered_balance_that_drifted_would_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.record(charged(vec![charge("calls", 10, 1)])).await.unwrap();
    let found = store
        .write(|tx| {
            // Inside the transaction, so that no other connection's commit makes the writer forget.
            tx.db.execute("UPDATE charge SET amount = 5", []).unwrap();
            crate::check::remembered(tx)
        })
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn the_files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn both_drivers_have_the_same_steps_of_the_schema() {
    let names = |driver: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(driver).join("migrations");
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let ours: Vec<String> =
        crate::migrate::MIGRATIONS.iter().map(|(name, _)| format!("{name}.sql")).collect();
    assert_eq!(names("store-sqlite"), ours);
    assert_eq!(names("store-postgres"), ours);
}
