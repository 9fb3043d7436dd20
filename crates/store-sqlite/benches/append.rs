//! How many decisions a second become durable, next to what the same disk does with nothing but group commit.
//!
//! `cargo bench -p provost-store-sqlite --bench append -- [producers] [seconds] [folder]`
//!
//! The floor is one thread that takes what waits, inserts the same texts into a table of one column, commits with
//! `synchronous=FULL` and answers. The two take turns, since a disk has moods; the medians are compared.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark")]

use provost_domain::{
    Decision, DecisionId, Digest, NodeId, Seq, TaskId, Timestamp, Verdict, canonical, decision::Subject,
    limits::Limits,
};
use provost_store::{Charge, Intent, Store, WindowKey};
use provost_store_sqlite::SqliteStore;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let producers = args.first().and_then(|n| n.parse().ok()).unwrap_or(64);
    let seconds = Duration::from_secs(args.get(1).and_then(|n| n.parse().ok()).unwrap_or(2));
    let folder = args.get(2).map_or_else(|| tempfile::tempdir().unwrap().keep(), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bytes = canonical::to_string(&decision(NodeId::from_bytes([1; 16]))).unwrap().len();
    println!("{producers} producers, records of {bytes} bytes, {ROUNDS} rounds of {seconds:?} each");
    let mut rates: [Vec<f64>; 3] = Default::default();
    for round in 0..ROUNDS {
        let path = |what: &str| folder.join(format!("{what}-{round}.db"));
        rates[0].push(runtime.block_on(floor(&path("floor"), producers, seconds)));
        rates[1].push(runtime.block_on(store(&path("plain"), producers, seconds, false)));
        rates[2].push(runtime.block_on(store(&path("charged"), producers, seconds, true)));
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let [floor, plain, charged] = rates.each_mut().map(median);
    println!("raw group commit                 {floor:>10.0} records/s");
    println!("store, plain decision            {plain:>10.0} records/s  {:.2} of raw", plain / floor);
    println!("store, task state and a budget   {charged:>10.0} records/s  {:.2} of raw", charged / floor);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Producers that each wait for their record to be durable before they make the next.
async fn drive<F, Fut>(producers: usize, duration: Duration, one: F) -> f64
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let one = Arc::new(one);
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for producer in 0..producers {
        let one = Arc::clone(&one);
        running.spawn(async move {
            let mut made = 0_u64;
            while started.elapsed() < duration {
                one(producer).await;
                made += 1;
            }
            made
        });
    }
    let made: u64 = running.join_all().await.into_iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = made as f64 / started.elapsed().as_secs_f64();
    rate
}

async fn store(path: &Path, producers: usize, duration: Duration, charged: bool) -> f64 {
    let store = Arc::new(SqliteStore::open(path, &Limits::default()).unwrap());
    let node = NodeId::from_bytes([1; 16]);
    let shared = Arc::clone(&store);
    let rate = drive(producers, duration, move |producer| {
        let store = Arc::clone(&shared);
        async move {
            let mut decision = decision(node);
            decision.subject.id = format!("agent-{producer}");
            let task = TaskId::from_bytes([u8::try_from(producer % 256).unwrap(); 16]);
            decision.subject.task = Some(task);
            let charges = if charged { vec![charge(producer)] } else { Vec::new() };
            let expects = charged.then_some(provost_store::TaskExpectation { task, version: 0 });
            store.record(Intent { decision, expects, charges }).await.unwrap();
        }
    })
    .await;
    store.close().await;
    rate
}

async fn floor(path: &Path, producers: usize, duration: Duration) -> f64 {
    type Message = (String, oneshot::Sender<()>);
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000").unwrap();
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
    let node = NodeId::from_bytes([1; 16]);
    let rate = drive(producers, duration, move |_producer| {
        let send = send.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let record = canonical::to_string(&decision(node)).unwrap();
            send.send((record, reply)).await.unwrap();
            answer.await.unwrap();
        }
    })
    .await;
    thread.join().unwrap();
    rate
}

fn charge(producer: usize) -> Charge {
    let key = format!("agent/agent-{producer}/calls/count");
    let window = WindowKey { key, window: provost_domain::DurationMs::from_mins(60), max: i64::MAX };
    Charge { window, amount: 1 }
}

fn decision(node: NodeId) -> Decision {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let at = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap());
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    Decision {
        v: 1,
        id: DecisionId::new(at, random),
        at,
        node,
        view: Seq(4_211),
        policies: Digest::of(b"policies"),
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: "invoice-clerk".to_owned(),
            owner: "maria".parse().ok(),
            revision: Some(3),
            task: None,
            requester: "jonas".parse().ok(),
        },
        system: "bank".parse().unwrap(),
        tool: "transfer".to_owned(),
        action: Digest::of(b"action"),
        input: serde_json::json!({
            "args": {"amount": "1250.00", "payee": "ACME GmbH", "reference": "invoice 2026-0711", "urgent": false},
            "task": {"labels": ["confidential"], "purpose": "pay the invoices of May"},
            "now": at.as_millis(),
        }),
        verdict: Verdict::Allow {
            reasons: vec![provost_domain::Reason {
                policy: "charter/invoice-clerk/3/bank.transfer".to_owned(),
                reason: "the charter grants transfers up to 5,000 to known payees".to_owned(),
            }],
        },
        errors: Vec::new(),
    }
}
