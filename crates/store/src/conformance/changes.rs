//! Promises about changes.

use super::{Ground, PATIENCE, sample::*};
use crate::{ChangeRecord, CommitError, JournalKind, Store, Write};
use provost_domain::{Directory, Kind, Object, ObjectKey, Seq, canonical, limits::Limits, task::TaskStatus};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Nothing stands, nothing waits.
pub async fn an_empty_plane_is_at_zero(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    assert_eq!(store.head().await.unwrap(), Seq(0));
    assert!(loaded(store.as_ref()).await.1.is_empty());
    assert!(store.tail(Seq(0), 10).await.unwrap().is_empty());
    assert_eq!(store.version(&ObjectKey::organisation()).await.unwrap(), 0);
    let head = store.ledger_head().await.unwrap();
    assert_eq!((head.size, head.checkpoint.as_str(), head.waiting), (0, "", 0));
}

/// A set is made whole with its records, or leaves no trace.
pub async fn a_change_and_its_record_are_one(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let spoiled = set(vec![put(person("maria"), 0), put(agent("clerk"), 0), put(system("bank"), 5)]);
    let refused = store.commit(spoiled).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict { found: 0, expected: 5, .. }), "{refused}");
    assert_eq!(store.head().await.unwrap(), Seq(0));
    assert_eq!(store.version(&person("maria").key()).await.unwrap(), 0);
    assert!(store.unsequenced(10).await.unwrap().is_empty());

    let good = set(vec![put(person("maria"), 0), put(agent("clerk"), 0)]);
    assert_eq!(store.commit(good.clone()).await.unwrap().seq, Seq(2));
    let records = store.tail(Seq(0), 10).await.unwrap();
    let rows = store.unsequenced(10).await.unwrap();
    assert_eq!((records.len(), rows.len()), (2, 2));
    for ((record, row), write) in records.iter().zip(&rows).zip(&good.writes) {
        let Write::Put { object, .. } = write else { panic!("a put") };
        assert_eq!((record.v, record.at, &record.by, record.version), (1, NOON, &good.by, 1));
        assert_eq!((record.key.clone(), record.after.as_ref()), (object.key(), Some(object)));
        assert_eq!(row.kind, JournalKind::Change);
        assert_eq!(row.id, format!("change-{}", record.seq));
        assert_eq!(
            row.record,
            canonical::to_string(record).unwrap(),
            "the record is journalled as it is told"
        );
        assert_ne!(row.salt, [0; 16]);
    }
    assert_ne!(rows[0].salt, rows[1].salt);
}

/// The version decides, and the refusal tells both.
pub async fn a_stale_version_is_a_conflict(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let key = person("maria").key();
    store.commit(set(vec![put(person("maria"), 0)])).await.unwrap();
    store.commit(set(vec![put(person_displayed("maria", "M"), 1)])).await.unwrap();
    let missing = person("nobody").key();
    let cases = [
        (put(person("maria"), 0), 2),
        (put(person("maria"), 1), 2),
        (put(person("maria"), 3), 2),
        (Write::Remove { key: key.clone(), expected: 1 }, 2),
        (Write::Remove { key: missing.clone(), expected: 1 }, 0),
        (Write::Remove { key: missing, expected: 0 }, 0),
        (put(person("new"), 1), 0),
        (Write::Keep { key: key.clone(), expected: 1 }, 2),
        (Write::Keep { key: person("new").key(), expected: 1 }, 0),
    ];
    for (write, stands_at) in cases {
        let refused = store.commit(set(vec![write.clone()])).await.unwrap_err();
        let CommitError::Conflict { key, found, .. } = refused else { panic!("{refused}") };
        assert_eq!((key, found), (write.key(), stands_at), "{write:?}");
    }
    assert_eq!(store.version(&key).await.unwrap(), 2);
    // What a change was decided on and does not write: the change is made while it stands, and leaves no record of it.
    let head = store.head().await.unwrap();
    let kept = |expected| Write::Keep { key: key.clone(), expected };
    let absent = Write::Keep { key: person("absent").key(), expected: 0 };
    let stale = set(vec![put(person("ben"), 0), kept(1)]);
    assert!(matches!(store.commit(stale).await, Err(CommitError::Conflict { found: 2, expected: 1, .. })));
    assert_eq!(store.version(&person("ben").key()).await.unwrap(), 0, "nothing of it was made");
    let good = store.commit(set(vec![kept(2), put(person("ben"), 0), absent])).await.unwrap();
    assert_eq!(good.seq, Seq(head.0 + 1));
    let records = store.tail(head, 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.key.clone()).collect::<Vec<_>>(), [person("ben").key()]);
    store.commit(set(vec![Write::Remove { key: person("ben").key(), expected: 1 }])).await.unwrap();
    assert_eq!(store.version(&key).await.unwrap(), 2);
    store.commit(set(vec![Write::Remove { key: key.clone(), expected: 2 }])).await.unwrap();
    assert_eq!(store.version(&key).await.unwrap(), 0, "a removed row stands at no version");
    assert!(loaded(store.as_ref()).await.1.is_empty());
    store.commit(set(vec![put(person("maria"), 0)])).await.unwrap();
    assert_eq!(store.version(&key).await.unwrap(), 4, "a version never comes twice");
}

/// Of eight at once on one version, one is made.
pub async fn of_two_changes_on_one_version_one_wins(ground: impl Ground) {
    let nodes = ground.nodes().await;
    nodes[0].commit(set(vec![put(person("maria"), 0)])).await.unwrap();
    let mut running = JoinSet::new();
    for n in 0..8 {
        let store = Arc::clone(&nodes[n % nodes.len()]);
        running.spawn(async move {
            store.commit(set(vec![put(person_displayed("maria", &format!("{n}")), 1)])).await
        });
    }
    let results = running.join_all().await;
    let won = results.iter().filter(|result| result.is_ok()).count();
    let lost = results.iter().filter(|result| matches!(result, Err(CommitError::Conflict { found: 2, .. })));
    assert_eq!((won, lost.count()), (1, 7));
}

/// People, workloads and agents share one space of names, and a name is not given again to another.
pub async fn a_name_is_claimed_once_across_the_classes_and_for_ever(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let taken = |result: Result<_, CommitError>| match result {
        Err(CommitError::Taken { claim, by }) => (claim, by),
        other => panic!("{other:?}"),
    };
    let both = set(vec![put(person("maria"), 0), put(agent("maria"), 0)]);
    let (claim, by) = taken(store.commit(both).await);
    assert_eq!((claim.as_str(), by), ("identity:maria", person("maria").key()));
    assert_eq!(store.head().await.unwrap(), Seq(0));

    store.commit(set(vec![put(person("maria"), 0), put(system("maria"), 0)])).await.unwrap();
    for other in [agent("maria"), workload("maria")] {
        taken(store.commit(set(vec![put(other, 0)])).await);
    }
    store.commit(set(vec![Write::Remove { key: person("maria").key(), expected: 1 }])).await.unwrap();
    taken(store.commit(set(vec![put(agent("maria"), 0)])).await);
    store.commit(set(vec![put(person("maria"), 0)])).await.unwrap();
}

/// Two rows never hold one subject, but one that a row no longer names is free: what a provider said can have been a
/// mistake. A key stays its agent's for ever.
pub async fn a_subject_is_held_by_one_row_until_it_lets_go_and_a_key_for_ever(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let taken = |result: Result<_, CommitError>| assert!(matches!(result, Err(CommitError::Taken { .. })));
    store
        .commit(set(vec![put(person_of("maria", Some("00u1")), 0), put(person_of("ben", None), 0)]))
        .await
        .unwrap();
    taken(store.commit(set(vec![put(person_of("ben", Some("00u1")), 1)])).await);
    // Something else about the row changes: it still holds the subject.
    store.commit(set(vec![put(person_of("maria", Some("00u1")), 1)])).await.unwrap();
    taken(store.commit(set(vec![put(person_of("ben", Some("00u1")), 1)])).await);
    store.commit(set(vec![put(person_of("maria", None), 2)])).await.unwrap();
    store.commit(set(vec![put(person_of("ben", Some("00u1")), 1)])).await.unwrap();
    taken(store.commit(set(vec![put(person_of("maria", Some("00u1")), 3)])).await);
    store.commit(set(vec![Write::Remove { key: person("ben").key(), expected: 2 }])).await.unwrap();
    store.commit(set(vec![put(person_of("maria", Some("00u1")), 3)])).await.unwrap();

    store
        .commit(set(vec![put(agent_with("clerk", Some("k1")), 0), put(agent_with("other", None), 0)]))
        .await
        .unwrap();
    store.commit(set(vec![put(agent_with("clerk", None), 1)])).await.unwrap();
    taken(store.commit(set(vec![put(agent_with("other", Some("k1")), 1)])).await);
}

/// What a connector calls a person or a group is held by one of them, whatever the case, until it says otherwise.
pub async fn a_connectors_name_is_held_by_one_row_until_it_lets_go(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let taken = |result: Result<_, CommitError>| assert!(matches!(result, Err(CommitError::Taken { .. })));
    store.commit(set(vec![put(person_provisioned("ada", "Ada@x"), 0)])).await.unwrap();
    taken(store.commit(set(vec![put(person_provisioned("ada-2", "aDA@X"), 0)])).await);
    store.commit(set(vec![put(person_provisioned("ada", "countess@x"), 1)])).await.unwrap();
    store.commit(set(vec![put(person_provisioned("ada-2", "aDA@X"), 0)])).await.unwrap();
    taken(store.commit(set(vec![put(person_provisioned("ada", "ada@x"), 2)])).await);
    store.commit(set(vec![put(roster("group-1", "Finance"), 0)])).await.unwrap();
    taken(store.commit(set(vec![put(roster("group-2", "FINANCE"), 0)])).await);
    let key = roster("group-1", "Finance").key();
    store.commit(set(vec![Write::Remove { key, expected: 1 }])).await.unwrap();
    store.commit(set(vec![put(roster("group-2", "FINANCE"), 0)])).await.unwrap();
}

/// A later write of a set stands on the earlier ones.
pub async fn the_writes_of_one_set_see_each_other(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let key = person("maria").key();
    let writes = vec![
        put(person("maria"), 0),
        put(person_displayed("maria", "M"), 1),
        Write::Remove { key: key.clone(), expected: 2 },
        put(person("maria"), 0),
    ];
    store.commit(set(writes)).await.unwrap();
    let versions: Vec<u64> = store.tail(Seq(0), 10).await.unwrap().iter().map(|r| r.version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    assert_eq!(store.version(&key).await.unwrap(), 4);
    let twice = set(vec![put(person("anna"), 0), put(person("anna"), 0)]);
    assert!(matches!(store.commit(twice).await, Err(CommitError::Conflict { found: 1, .. })));
}

/// Whoever reads on, while others write, sees every change and each once.
pub async fn the_tail_has_no_gaps_under_eight_writers(ground: impl Ground) {
    const EACH: u64 = 20;
    let nodes = ground.nodes().await;
    let mut writers = JoinSet::new();
    for n in 0..8_usize {
        let store = Arc::clone(&nodes[n % nodes.len()]);
        writers.spawn(async move {
            for i in 0..EACH {
                store.commit(set(vec![put(person(&format!("p-{n}-{i}")), 0)])).await.unwrap();
            }
        });
    }
    let reader = Arc::clone(&nodes[nodes.len() - 1]);
    let mut seen = Seq(0);
    let started = Instant::now();
    while seen.0 < 8 * EACH {
        assert!(started.elapsed() < PATIENCE, "the writers stopped at {seen}");
        let head = reader.head().await.unwrap();
        let records = reader.tail(seen, 7).await.unwrap();
        assert!(head <= seen || !records.is_empty(), "the head is ahead of what can be read");
        for record in records {
            assert_eq!(record.seq.0, seen.0 + 1, "a change was skipped");
            seen = record.seq;
        }
    }
    writers.join_all().await;
    assert_eq!(reader.head().await.unwrap(), seen);
}

/// A replica may start from either.
pub async fn what_is_loaded_equals_the_tail_from_zero(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    story(store.as_ref()).await;
    let (seq, objects) = loaded(store.as_ref()).await;
    let records = store.tail(Seq(0), 1_000).await.unwrap();
    assert_eq!(seq, records.last().unwrap().seq);
    let folded = fold(&records);
    let mut loaded = Directory::default();
    for object in &objects {
        assert_eq!(folded.get(&object.key()).as_ref(), Some(object));
        loaded.put(object.clone());
    }
    for record in &records {
        assert_eq!(folded.get(&record.key), loaded.get(&record.key), "{}", record.key);
    }
    assert!(!objects.iter().any(Object::is_over));
    let order: Vec<Kind> = objects.iter().map(|object| object.key().kind).collect();
    assert!(order.is_sorted(), "rows come after those they may refer to");
}

/// What a decision saw can be read again.
pub async fn the_past_reads_as_it_was(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    story(store.as_ref()).await;
    let records = store.tail(Seq(0), 1_000).await.unwrap();
    let mut keys: Vec<ObjectKey> = records.iter().map(|record| record.key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys.push(person("nobody").key());
    for position in 0..=records.len() {
        let seq = Seq(position as u64);
        let newest = |key: &ObjectKey| {
            records[..position].iter().rev().find(|record| record.key == *key).and_then(|r| r.after.clone())
        };
        let expected: Vec<Object> = keys.iter().filter_map(newest).collect();
        assert_eq!(store.load_at(seq, &keys).await.unwrap(), expected, "at {seq}");
        let mut shared = store.load_shared_at(seq).await.unwrap();
        shared.sort_by_key(Object::key);
        let expected: Vec<Object> =
            expected.into_iter().filter(|object| object.key().kind.is_shared()).collect();
        assert_eq!(shared, expected, "at {seq}");
    }
}

/// And no longer than asked for.
pub async fn the_history_of_a_row_is_newest_first(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    story(store.as_ref()).await;
    let key = person("maria").key();
    let all = store.history(&key, 100).await.unwrap();
    let versions: Vec<u64> = all.iter().map(|record| record.version).collect();
    assert_eq!(versions, [3, 2, 1]);
    assert!(all.iter().all(|record| record.key == key));
    assert_eq!(store.history(&key, 2).await.unwrap(), all[..2]);
    assert!(store.history(&person("nobody").key(), 5).await.unwrap().is_empty());
}

/// A small organisation, changed, with a removal, and with a task, a session and a minted credential that are over.
async fn story(store: &dyn Store) {
    let (open, over) = (task_id(), task_id());
    let sets = [
        vec![put(agent("clerk"), 0), put(person("maria"), 0), put(system("bank"), 0)],
        vec![put(tool("bank", "transfer"), 0), put(tool("bank", "balance"), 0)],
        vec![put(person_displayed("maria", "Maria"), 1), put(task(open, TaskStatus::Running), 0)],
        vec![put(task(over, TaskStatus::Running), 0), put(workload("payroll"), 0)],
        vec![put(task(over, TaskStatus::Ended), 1)],
        vec![Write::Remove { key: tool("bank", "balance").key(), expected: 1 }],
        vec![put(person_displayed("maria", "Maria K."), 2)],
        vec![put(issuer("ci"), 0), put(account("bank", "maria"), 0)],
        vec![
            put(connector("entra"), 0),
            put(roster("group-1", "Finance"), 0),
            put(roster("group-2", "IT"), 0),
        ],
        vec![
            put(person_provisioned("ada", "ada@x"), 0),
            Write::Remove { key: roster("group-2", "IT").key(), expected: 1 },
        ],
        vec![put(session(1, false), 0), put(session(2, false), 0), put(minted("r1", open, false), 0)],
        vec![put(session(2, true), 1), put(minted("r2", open, false), 0)],
        vec![put(minted("r1", open, true), 1)],
        vec![put(approval(open, false), 0), put(approval(open, true), 0)],
        vec![put(envelope("e1", false), 0), put(envelope("e2", true), 0)],
        vec![put(passkey("maria", "k1", false), 0), put(passkey("maria", "k2", true), 0)],
        vec![put(invite("i1", false), 0), put(invite("i2", true), 0)],
        vec![put(proposal("p1", false), 0), put(proposal("p2", false), 0)],
        vec![put(proposal("p2", true), 1)],
        vec![put(finding("f1", false), 0), put(finding("f2", false), 0)],
        vec![put(finding("f2", true), 1)],
        vec![put(delivery("d1", true, true), 0), put(delivery("d2", false, false), 0)],
        vec![put(delivery("d3", false, true), 0), put(stream("stream-1"), 0)],
        vec![put(containment("c1", false), 0), put(containment("c2", true), 0), put(drill("d1"), 0)],
        vec![put(baseline(3), 0)],
        vec![put(baseline(4), 1)],
        vec![put(review("r1", false), 0), put(review("r2", true), 0)],
    ];
    for writes in sets {
        store.commit(set(writes)).await.unwrap();
    }
}

fn fold(records: &[ChangeRecord]) -> Directory {
    let mut directory = Directory::default();
    for record in records {
        match &record.after {
            Some(object) => directory.put(object.clone()),
            None => directory.remove(&record.key),
        }
    }
    directory
}
