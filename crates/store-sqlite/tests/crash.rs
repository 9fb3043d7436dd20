//! `kill -9`, in a loop, under load: no acknowledged record is missing, no budget is passed, nothing contradicts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use provost_domain::{DecisionId, limits::Limits};
use provost_store::{RecordError, Store, TaskExpectation, conformance::sample::*, driver::salt};
use provost_store_sqlite::SqliteStore;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const ROUNDS: usize = 10;
const PRODUCERS: usize = 16;
const FILE: &str = "STORE_TEST_CRASHES_IN";
/// Small enough to be reached before the last round.
const BUDGET: i64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("provost.db");
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        let before = acknowledged.len();
        acknowledged
            .extend(run_and_kill(&file, Duration::from_millis(40 + 37 * u64::try_from(round).unwrap())));
        assert!(acknowledged.len() > before, "nothing was acknowledged in round {round}");
        let store = SqliteStore::open(&file, &Limits::default()).unwrap();
        verify(&store, &acknowledged, round).await;
        store.close().await;
    }
}

/// Starts the writer, lets it run for so long after its first acknowledgement, kills it, and says what it acknowledged.
fn run_and_kill(file: &Path, after: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut first = None;
        let mut acknowledged = Vec::new();
        // A line that was cut by the kill was never told whole.
        for line in output.split(b'\n').map_while(Result::ok) {
            if let Some(text) = String::from_utf8(line).unwrap().strip_prefix("ack ") {
                first.get_or_insert_with(Instant::now);
                acknowledged.push(text.strip_suffix('.').map(str::to_owned));
            }
        }
        acknowledged.into_iter().flatten().collect()
    });
    // Long enough for the process to start even on a busy machine; then the moment of the kill moves on by rounds.
    let started = Instant::now();
    while std::fs::metadata(file.with_extension("db-wal")).map_or(0, |wal| wal.len()) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the writer did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(150) + after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

async fn verify(store: &SqliteStore, acknowledged: &[String], round: usize) {
    assert_eq!(store.check().await.unwrap(), [], "round {round}");
    let head = store.head().await.unwrap();
    let size = store.ledger_head().await.unwrap().size;
    for told in acknowledged {
        let (what, which) = told.split_once(' ').unwrap();
        let stands = match what {
            "decision" => store.decision(which.parse().unwrap()).await.unwrap().is_some(),
            "completion" => {
                let stored = store.decision(which.parse().unwrap()).await.unwrap();
                stored.is_some_and(|stored| stored.completion.is_some())
            }
            "change" => head.0 >= which.parse().unwrap(),
            "leaf" => size >= which.parse().unwrap(),
            other => panic!("{other}"),
        };
        assert!(stands, "round {round}: {told} was acknowledged and is missing");
    }
    // Every charge is one, so a balance is the number of decisions that took from it: no more, no less.
    let mut taken: BTreeMap<String, i64> = BTreeMap::new();
    let mut filter = provost_store::DecisionFilter { max: 500, ..Default::default() };
    loop {
        let page = store.decisions(&filter).await.unwrap();
        for stored in page.decisions {
            *taken.entry(format!("agent/{}/calls", stored.decision.subject.id)).or_default() += 1;
        }
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    for (key, count) in taken {
        let used = store.balances(&[window(&key, BUDGET)], NOON).await.unwrap().remove(0).used;
        assert_eq!(used, count, "round {round}: {key}");
        assert!(used <= BUDGET, "round {round}: {key} stands at {used}");
    }
}

/// The child: decisions with budgets and states, completions, changes and leaves, each told once it is durable.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs until it is killed; started by the test above"]
async fn writes_until_it_is_killed() {
    let Ok(file) = std::env::var(FILE) else { return };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(Path::new(&file), &Limits::default()).unwrap());
    let mut running = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let store = Arc::clone(&store);
        running.spawn(async move {
            loop {
                one(store.as_ref(), producer).await;
            }
        });
    }
    running.spawn(async move {
        loop {
            if append(store.as_ref(), 50).await {
                tell("leaf", &store.ledger_head().await.unwrap().size.to_string());
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    });
    running.join_all().await;
}

async fn one(store: &dyn Store, producer: usize) {
    let agent = format!("agent-{}", producer % 4);
    // Fresh in every process, where the samples' counter starts again.
    let random = || *salt().unwrap().first_chunk::<10>().unwrap();
    let task = provost_domain::TaskId::new(NOON, random());
    let mut intent = charged(vec![charge(&format!("agent/{agent}/calls"), BUDGET, 1)]);
    let decision = std::sync::Arc::make_mut(&mut intent.decision);
    decision.id = DecisionId::new(NOON, random());
    decision.subject.id = agent;
    decision.subject.task = Some(task);
    intent.expects = Some(TaskExpectation { task, version: 0 });
    let id = intent.decision.id;
    match store.record(intent).await {
        Ok(_) => tell("decision", &id.to_string()),
        Err(RecordError::Exhausted { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    if producer.is_multiple_of(2) && store.complete(completion(id, &["untrusted"]), Some(task)).await.is_ok()
    {
        tell("completion", &id.to_string());
    }
    if producer % 8 == 3 {
        let person =
            person(&format!("p{}", DecisionId::new(NOON, random()).to_string().replace("decision", "")));
        let receipt = store.commit(set(vec![put(person, 0)])).await.unwrap();
        tell("change", &receipt.seq.to_string());
    }
}

/// In one write, so that a kill leaves no half of it before another's.
fn tell(what: &str, which: &str) {
    let line = format!("ack {what} {which}.\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}
