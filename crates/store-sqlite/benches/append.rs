//! How many decisions a second become durable, next to what the same disk does with nothing but group commit.
//!
//! `cargo bench -p provost-store-sqlite --bench append -- [producers] [seconds] [folder]`
//!
//! The floor is one thread that takes what waits, inserts the same texts into a table of one column, commits with
//! `synchronous=FULL` and answers. All take turns, since a disk has moods.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use provost_domain::{canonical, limits::Limits};
use provost_store::{
    Store as _,
    conformance::load::{ROUNDS, decision, drive, median, rate},
};
use provost_store_sqlite::SqliteStore;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let producers = args.first().and_then(|n| n.parse().ok()).unwrap_or(64);
    let seconds = Duration::from_secs(args.get(1).and_then(|n| n.parse().ok()).unwrap_or(2));
    let folder = args.get(2).map_or_else(|| tempfile::tempdir().unwrap().keep(), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bytes = canonical::to_string(&decision()).unwrap().len();
    println!("{producers} producers, records of {bytes} bytes, {ROUNDS} rounds of {seconds:?} each");
    let (mut floors, mut plain, mut conditional) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let path = |what: &str| folder.join(format!("{what}-{round}.db"));
        floors.push(runtime.block_on(floor(&path("floor"), producers, seconds)));
        plain.push(runtime.block_on(store(&path("plain"), producers, seconds, false)));
        conditional.push(runtime.block_on(store(&path("conditional"), producers, seconds, true)));
    }
    let [floor, plain, conditional] = [floors, plain, conditional].map(median);
    println!("raw group commit                 {floor:>10.0} records/s");
    println!("store, plain decision            {plain:>10.0} records/s  {:.2} of raw", plain / floor);
    println!(
        "store, task state and a budget   {conditional:>10.0} records/s  {:.2} of raw",
        conditional / floor
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn store(path: &Path, producers: usize, duration: Duration, conditional: bool) -> f64 {
    let store = Arc::new(SqliteStore::open(path, &Limits::default()).unwrap());
    let rate = rate(Arc::clone(&store) as _, producers, duration, conditional).await;
    store.close().await;
    rate
}

async fn floor(path: &Path, producers: usize, duration: Duration) -> f64 {
    type Message = (String, oneshot::Sender<()>);
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000",
    )
    .unwrap();
    db.execute_batch("CREATE TABLE raw (row INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT").unwrap();
    let (send, mut inbox) = mpsc::channel::<Message>(16_384);
    let thread = std::thread::spawn(move || {
        let mut messages = Vec::new();
        while inbox.blocking_recv_many(&mut messages, 1_024) > 0 {
            db.execute_batch("BEGIN IMMEDIATE").unwrap();
            for (record, _) in &messages {
                db.prepare_cached("INSERT INTO raw (record) VALUES (?1)").unwrap().execute([record]).unwrap();
            }
            db.execute_batch("COMMIT").unwrap();
            for (_, reply) in messages.drain(..) {
                reply.send(()).unwrap();
            }
        }
    });
    let rate = drive(producers, duration, move |_producer| {
        let send = send.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let record = canonical::to_string(&decision()).unwrap();
            send.send((record, reply)).await.unwrap();
            answer.await.unwrap();
        }
    })
    .await;
    thread.join().unwrap();
    rate
}
