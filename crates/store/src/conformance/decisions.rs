//! Promises about decisions, completions and what tasks have read.

use super::{Ground, sample::*};
use crate::{DecisionFilter, JournalKind, RecordError, Store, StoreError};
use provost_domain::{
    Decision, DecisionId, DurationMs, NodeId, TaskState, Timestamp, canonical, decision::Refused,
    limits::Limits, task::TaskStatus,
};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

/// Every verdict, with everything in it.
pub async fn a_recorded_decision_reads_back_whole(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    for verdict in [allow(), hold(), deny()] {
        let decision = decision(verdict);
        let receipt = store.record(plain(decision.clone())).await.unwrap();
        assert_eq!(receipt.decision(), decision.id);
        let stored = store.decision(decision.id).await.unwrap().unwrap();
        assert_eq!((stored.completion, stored.leaf), (None, None));
        assert_eq!(stored.decision, decision);
        let row = store.unsequenced(10).await.unwrap().pop().unwrap();
        assert_eq!((row.kind, row.id, row.at), (JournalKind::Decision, decision.id.to_string(), decision.at));
        assert_eq!(row.record, canonical::to_string(&decision).unwrap());
    }
    assert!(store.decision(DecisionId::new(NOON, random())).await.unwrap().is_none());
}

/// Who does not know whether it happened may ask again.
pub async fn recording_the_same_decision_again_takes_nothing_twice(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let task = task_id();
    let mut intent = on_task(task, 0);
    intent.charges = vec![charge("agent/clerk/calls", 1, 1)];
    store.record(intent.clone()).await.unwrap();
    store.complete(completion(intent.decision.id, &["untrusted"]), Some(task)).await.unwrap();
    let again =
        store.record(intent.clone()).await.expect("the budget is empty and the task moved, by itself");
    assert_eq!(again.decision(), intent.decision.id);
    let balance = store.balances(&[window("agent/clerk/calls", 1)], NOON).await.unwrap().remove(0);
    assert_eq!((balance.used, store.unsequenced(10).await.unwrap().len()), (1, 2));

    for conditional in [true, false] {
        let mut other = intent.clone();
        Arc::make_mut(&mut other.decision).tool = "balance".to_owned();
        if !conditional {
            (other.expects, other.charges) = (None, Vec::new());
        }
        let refused = store.record(other).await.unwrap_err();
        assert!(matches!(refused, RecordError::Store(StoreError::Unsupported(_))), "{refused}");
    }
    let plain_twice = plain(decision(deny()));
    store.record(plain_twice.clone()).await.unwrap();
    store.record(plain_twice).await.unwrap();
    assert_eq!(store.unsequenced(10).await.unwrap().len(), 3);
}

/// The decision has to be made again, on the state that comes with the refusal.
pub async fn a_moved_task_state_is_reported_and_nothing_is_taken(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let task = task_id();
    let first = on_task(task, 0);
    store.record(first.clone()).await.unwrap();
    let state = store.complete(completion(first.decision.id, &["untrusted"]), Some(task)).await.unwrap();
    assert_eq!(state, TaskState { version: 1, labels: labels(&["untrusted"]) });

    let mut late = on_task(task, 0);
    late.charges = vec![charge("agent/clerk/calls", 10, 1)];
    match store.record(late.clone()).await.unwrap_err() {
        RecordError::TaskMoved(found) => assert_eq!(found, state),
        other => panic!("{other}"),
    }
    assert!(store.decision(late.decision.id).await.unwrap().is_none());
    assert_eq!(store.balances(&[window("agent/clerk/calls", 10)], NOON).await.unwrap()[0].used, 0);

    Arc::make_mut(&mut late.decision).verdict = deny();
    store.record(late).await.expect("a denial stands on any state");
    store.record(on_task(task, 1)).await.unwrap();
    let ahead = store.record(on_task(task, 2)).await.unwrap_err();
    assert!(matches!(ahead, RecordError::TaskMoved(_)), "a state nobody has is refused too");
}

/// Under load, from several nodes: a decision on version 0 is never recorded after a completion raised it to 1.
pub async fn a_decision_on_an_old_state_never_passes_a_completion(ground: impl Ground) {
    let nodes = ground.nodes().await;
    for _ in 0..10 {
        let task = task_id();
        let reading = on_task(task, 0);
        nodes[0].record(reading.clone()).await.unwrap();
        let mut racing = JoinSet::new();
        for n in 0..8 {
            let store = Arc::clone(&nodes[n % nodes.len()]);
            racing.spawn(async move {
                let intent = on_task(task, 0);
                store.record(intent.clone()).await.is_ok().then_some(intent.decision.id)
            });
        }
        let last = nodes.len() - 1;
        nodes[last].complete(completion(reading.decision.id, &["untrusted"]), Some(task)).await.unwrap();
        let order: Vec<String> =
            nodes[last].unsequenced(100_000).await.unwrap().into_iter().map(|row| row.id).collect();
        let recorded_before = BTreeSet::from_iter(order);
        let mut after = racing.join_all().await.into_iter().flatten();
        // The completion has returned: whatever was recorded was visible then.
        let late = after.find(|id| !recorded_before.contains(&id.to_string()));
        assert_eq!(late, None, "a decision on an old state was recorded after the completion returned");
    }
}

/// The record of the first stands; what the second brings still binds.
pub async fn completing_twice_keeps_the_first(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let task = task_id();
    let intent = on_task(task, 0);
    let id = intent.decision.id;
    store.record(intent).await.unwrap();
    let first = completion(id, &["untrusted"]);
    store.complete(first.clone(), Some(task)).await.unwrap();
    let mut second = completion(id, &["confidential"]);
    second.took_ms = 99;
    let state = store.complete(second, Some(task)).await.unwrap();
    assert_eq!(store.decision(id).await.unwrap().unwrap().completion, Some(first));
    assert_eq!(state, TaskState { version: 2, labels: labels(&["confidential", "untrusted"]) });
    assert_eq!(store.unsequenced(10).await.unwrap().len(), 2);

    let plain_one = plain(decision(allow()));
    let id = plain_one.decision.id;
    store.record(plain_one).await.unwrap();
    let mut both = JoinSet::new();
    let nodes = ground_copies(&store);
    for store in nodes {
        both.spawn(async move { store.complete(completion(id, &[]), None).await });
    }
    assert!(both.join_all().await.into_iter().all(|done| done.unwrap() == TaskState::default()));
    assert_eq!(store.unsequenced(10).await.unwrap().len(), 4);
}

fn ground_copies(store: &Arc<dyn Store>) -> [Arc<dyn Store>; 4] {
    std::array::from_fn(|_| Arc::clone(store))
}

/// A completion tells of an act, and there was none.
pub async fn only_an_allowed_decision_can_be_completed(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    for verdict in [deny(), hold()] {
        let refused = decision(verdict);
        store.record(plain(refused.clone())).await.unwrap();
        let error = store.complete(completion(refused.id, &[]), None).await.unwrap_err();
        assert!(matches!(error, StoreError::Unsupported(_)), "{error}");
    }
    let unknown = store.complete(completion(DecisionId::new(NOON, random()), &[]), None).await;
    assert!(matches!(unknown, Err(StoreError::Unsupported(_))));
    assert!(store.check().await.unwrap().is_empty());
}

/// A version that moved without news would make decisions again for nothing.
pub async fn labels_raise_the_version_only_when_new(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let task = task_id();
    assert_eq!(store.task_state(task).await.unwrap(), TaskState::default());
    let cases: [(&[&str], u64); 5] = [
        (&[], 0),
        (&["untrusted"], 1),
        (&["untrusted"], 1),
        (&["untrusted", "payroll"], 2),
        (&["payroll"], 2),
    ];
    for (words, version) in cases {
        let decision = decision(allow());
        store.record(plain(decision.clone())).await.unwrap();
        let state = store.complete(completion(decision.id, words), Some(task)).await.unwrap();
        assert_eq!(state.version, version, "{words:?}");
        assert_eq!(store.task_state(task).await.unwrap(), state);
    }
    assert_eq!(store.task_state(task).await.unwrap().labels, labels(&["payroll", "untrusted"]));
}

/// What the next decision depends on is there when the outcome is, moves the task on, and goes with the task.
pub async fn what_a_result_brought_is_kept_with_its_outcome_until_the_task_ends(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let (task, other) = (task_id(), task_id());
    store.commit(set(vec![put(super::sample::task(task, TaskStatus::Running), 0)])).await.unwrap();
    let steps: [(&[&str], &[u8], u64); 4] = [
        (&[], b"one", 1),
        (&["untrusted"], b"", 2),
        (&["untrusted"], b"two", 3),
        (&["payroll"], b"three", 4),
    ];
    for (words, chunk, version) in steps {
        let intent = on_task(task, version - 1);
        let id = intent.decision.id;
        store.record(intent).await.unwrap();
        let state = store.complete_remembering(completion(id, words), task, chunk.to_vec()).await.unwrap();
        assert_eq!(state.version, version, "{words:?}");
    }
    let kept = |after| store.task_memory(task, after);
    let all = [(1, b"one".to_vec()), (3, b"two".to_vec()), (4, b"three".to_vec())];
    assert_eq!(kept(0).await.unwrap(), all);
    assert_eq!(kept(3).await.unwrap(), all[2..]);
    assert_eq!(store.task_memory(other, 0).await.unwrap(), []);
    let stale = store.record(on_task(task, 3)).await.unwrap_err();
    assert!(matches!(stale, RecordError::TaskMoved(state) if state.version == 4));
    drop(store);
    let store = ground.open(&Limits::default()).await;
    assert_eq!(store.task_memory(task, 0).await.unwrap(), all, "after a restart");
    let late = on_task(task, 4);
    let id = late.decision.id;
    store.record(late).await.unwrap();
    store.commit(set(vec![put(super::sample::task(other, TaskStatus::Running), 0)])).await.unwrap();
    let lives = on_task(other, 0);
    let lives_id = lives.decision.id;
    store.record(lives).await.unwrap();
    store.complete_remembering(completion(lives_id, &[]), other, b"lives".to_vec()).await.unwrap();
    store.commit(set(vec![put(super::sample::task(task, TaskStatus::Ended), 1)])).await.unwrap();
    assert_eq!(store.task_memory(task, 0).await.unwrap(), []);
    // A call that was under way when the task ended comes back after it.
    store.complete_remembering(completion(id, &[]), task, b"late".to_vec()).await.unwrap();
    store.sweep(NOON, DurationMs::from_mins(1)).await.unwrap();
    assert_eq!(store.task_memory(task, 0).await.unwrap(), [], "swept");
    assert_eq!(store.task_memory(other, 0).await.unwrap().len(), 1, "and what runs keeps its own");
    assert!(store.check().await.unwrap().is_empty());
}

/// For the node that starts again: what it sent and never heard of.
pub async fn unfinished_finds_exactly_the_open_ones(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let other_node = NodeId::from_bytes([9; 16]);
    let mut open = Vec::new();
    for n in 0..4_u64 {
        let mut decision = decision(allow());
        decision.at = NOON.plus(DurationMs(n));
        decision.node = if n % 2 == 0 { node() } else { other_node };
        store.record(plain(decision.clone())).await.unwrap();
        open.push(decision.id);
    }
    let done = decision(allow());
    store.record(plain(done.clone())).await.unwrap();
    store.complete(completion(done.id, &[]), None).await.unwrap();
    let mut asked = decision(allow());
    asked.face = "authzen".to_owned();
    for closed in [asked, decision(deny()), decision(hold())] {
        store.record(plain(closed)).await.unwrap();
    }
    let later = NOON.plus(DurationMs(100));
    assert_eq!(store.unfinished(None, later, 100).await.unwrap(), open);
    assert_eq!(store.unfinished(Some(node()), later, 100).await.unwrap(), [open[0], open[2]]);
    assert_eq!(store.unfinished(None, NOON.plus(DurationMs(2)), 100).await.unwrap(), open[..2]);
    assert_eq!(store.unfinished(None, later, 3).await.unwrap(), open[..3]);
    for id in &open {
        store.complete(completion(*id, &[]), None).await.unwrap();
    }
    assert!(store.unfinished(None, later, 100).await.unwrap().is_empty());
}

/// Whatever the filter and the size of the page, newest first, even where many share a moment.
pub async fn decisions_page_through_every_row_once(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let tasks = [task_id(), task_id()];
    let another = NodeId::from_bytes([7; 16]);
    let mut all: Vec<Decision> = Vec::new();
    for n in 0..60_usize {
        let mut decision = decision([allow(), deny(), hold()][n % 3].clone());
        decision.at = NOON.plus(DurationMs((n / 10) as u64));
        decision.subject.id = ["clerk", "bot"][n % 2].to_owned();
        decision.system = name(["bank", "mail"][usize::from(n % 5 == 0)]);
        decision.subject.task = (n % 4 != 0).then_some(tasks[n % 2]);
        if n % 7 == 0 {
            decision.node = another;
        }
        store.record(plain(decision.clone())).await.unwrap();
        all.push(decision);
    }
    let base = DecisionFilter::default;
    let filters = [
        base(),
        DecisionFilter { agent: Some(name("bot")), ..base() },
        DecisionFilter { task: Some(tasks[1]), ..base() },
        DecisionFilter { system: Some(name("mail")), ..base() },
        DecisionFilter { verdict: Some("deny".to_owned()), ..base() },
        DecisionFilter { verdict: Some("allow".to_owned()), agent: Some(name("clerk")), ..base() },
        DecisionFilter { since: Some(NOON.plus(DurationMs(3))), ..base() },
        DecisionFilter { agent: Some(name("nobody")), ..base() },
        DecisionFilter { other_than: Some(node()), ..base() },
        DecisionFilter { other_than: Some(another), task: Some(tasks[1]), ..base() },
    ];
    for filter in filters {
        let fits = |decision: &&Decision| {
            filter.agent.as_ref().is_none_or(|agent| decision.subject.id == agent.as_str())
                && filter.task.is_none_or(|task| decision.subject.task == Some(task))
                && filter.system.as_ref().is_none_or(|system| decision.system == *system)
                && filter.verdict.as_ref().is_none_or(|verdict| decision.verdict.as_str() == verdict)
                && filter.since.is_none_or(|since| decision.at >= since)
                && filter.other_than.is_none_or(|node| decision.node != node)
        };
        let expected: Vec<DecisionId> = all.iter().filter(fits).rev().map(|decision| decision.id).collect();
        for max in [1, 7, 30, 1_000] {
            assert_eq!(pages(store.as_ref(), &filter, max).await, expected, "{filter:?} by {max}");
        }
    }
    let nonsense = DecisionFilter { cursor: Some("x".to_owned()), max: 5, ..base() };
    assert!(matches!(store.decisions(&nonsense).await, Err(StoreError::Unsupported(_))));
    let unknown = DecisionFilter { verdict: Some("maybe".to_owned()), max: 5, ..base() };
    assert!(matches!(store.decisions(&unknown).await, Err(StoreError::Unsupported(_))));
}

async fn pages(store: &dyn Store, filter: &DecisionFilter, max: usize) -> Vec<DecisionId> {
    let mut filter = DecisionFilter { max, ..filter.clone() };
    let mut ids = Vec::new();
    loop {
        let page = store.decisions(&filter).await.unwrap();
        assert!(page.decisions.len() <= max);
        ids.extend(page.decisions.iter().map(|stored| stored.decision.id));
        match page.next {
            None => return ids,
            next => filter.cursor = next,
        }
    }
}

/// Two alike are two.
pub async fn a_refusal_before_any_decision_is_journalled(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let refused = Refused {
        v: 1,
        at: NOON,
        node: node(),
        face: "mcp".to_owned(),
        code: "token-expired".to_owned(),
        message: "the token expired".to_owned(),
        count: 3,
    };
    store.refused(refused.clone()).await.unwrap();
    store.refused(refused.clone()).await.unwrap();
    let rows = store.unsequenced(10).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0].id, rows[1].id);
    for row in rows {
        assert_eq!((row.kind, row.at), (JournalKind::Refused, NOON));
        assert_eq!(row.record, canonical::to_string(&refused).unwrap());
    }
}

/// It may be kept back for company, but what it says when it answers holds.
pub async fn an_outcome_in_company_is_durable_when_it_answers(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let task = task_id();
    let decision = decision(allow());
    store.record(plain(decision.clone())).await.unwrap();
    let done = completion(decision.id, &["untrusted"]);
    let state = store.complete_in_company(done.clone(), Some(task)).await.unwrap();
    assert_eq!(state.version, 1);
    assert_eq!(store.decision(decision.id).await.unwrap().unwrap().completion, Some(done.clone()));
    store.close().await;
    assert!(matches!(store.complete_in_company(done, Some(task)).await, Err(StoreError::Closed)));
}

/// Only a crash loses it.
pub async fn a_buffered_decision_is_written_when_the_store_closes(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let decisions: Vec<Decision> = (0..50).map(|_| decision(allow())).collect();
    for decision in &decisions {
        store.record_buffered(plain(decision.clone())).await.unwrap();
    }
    store.close().await;
    drop(store);
    let store = ground.open(&Limits::default()).await;
    for decision in decisions {
        assert_eq!(store.decision(decision.id).await.unwrap().unwrap().decision, decision);
    }
}

/// And only so many.
pub async fn only_a_plain_decision_can_be_buffered(ground: impl Ground) {
    let store = ground.open(&Limits { journal_buffered_max: 0, ..Limits::default() }).await;
    for intent in [charged(vec![charge("a", 1, 1)]), on_task(task_id(), 0)] {
        let refused = store.record_buffered(intent).await.unwrap_err();
        assert!(matches!(refused, RecordError::Store(StoreError::Unsupported(_))), "{refused}");
    }
    let full = store.record_buffered(plain(decision(allow()))).await.unwrap_err();
    assert!(matches!(full, RecordError::QueueFull), "{full}");
}

/// With the limit's name.
pub async fn a_record_larger_than_the_limit_is_refused(ground: impl Ground) {
    let store = ground.open(&Limits { body_bytes_max: 1_000, ..Limits::default() }).await;
    let mut large = decision(allow());
    large.input = json!({"args": "x".repeat(70_000)});
    let refused = store.record(plain(large)).await.unwrap_err();
    assert!(refused.to_string().contains("body_bytes_max"), "{refused}");
    store.record(plain(decision(allow()))).await.unwrap();
}

/// An application's subjects are named by strangers.
pub async fn a_subject_with_a_nul_in_its_name_is_kept(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let mut odd = decision(allow());
    odd.subject.id = "a\0b".to_owned();
    odd.face = "m\0".to_owned();
    odd.input = json!({"args": {"k\0": "\0"}});
    store.record(plain(odd.clone())).await.unwrap();
    assert_eq!(store.decision(odd.id).await.unwrap().unwrap().decision, odd);
    assert_eq!(store.check().await.unwrap(), []);
}

/// A queue of one place, and two hundred who come at once.
pub async fn a_full_queue_refuses_and_loses_nothing(ground: impl Ground) {
    let store = ground.open(&Limits { journal_queue_max: 1, ..Limits::default() }).await;
    let mut running = JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&store);
        running.spawn(async move {
            let decision = decision(allow());
            (decision.id, store.record(plain(decision)).await)
        });
    }
    for (id, result) in running.join_all().await {
        let stored = store.decision(id).await.unwrap().is_some();
        match result {
            Ok(_) => assert!(stored, "an acknowledged decision is missing"),
            Err(RecordError::QueueFull) => assert!(!stored),
            Err(other) => panic!("{other}"),
        }
    }
}

/// What a chart is drawn from.
pub async fn decisions_are_counted_in_their_step_and_verdict_and_no_more_than_asked(ground: impl Ground) {
    let store = ground.open(&Limits::default()).await;
    let minute = DurationMs::from_mins(1);
    // Before the first step; at its very beginning; within it; in the third.
    for (at, verdict) in [(-1, deny()), (0, deny()), (59_999, allow()), (59_998, allow()), (120_000, hold())]
    {
        let at = Timestamp::from_millis(NOON.as_millis() + at);
        let made = Decision { at, id: DecisionId::new(at, random()), ..decision(verdict) };
        store.record(plain(made)).await.unwrap();
    }
    let tally = store.tally(NOON, minute, 10).await.unwrap();
    let counts: Vec<_> = tally.counts.iter().map(|one| (one.step, one.verdict.as_str(), one.count)).collect();
    assert_eq!(counts, [(0, "allow", 2), (0, "deny", 1), (2, "hold", 1)]);
    assert_eq!(tally.only_since, None);
    let cut = store.tally(NOON, minute, 2).await.unwrap();
    let counts: Vec<_> = cut.counts.iter().map(|one| (one.step, one.verdict.as_str(), one.count)).collect();
    assert_eq!(counts, [(0, "allow", 1), (2, "hold", 1)], "the newest");
    assert_eq!(cut.only_since, Some(Timestamp::from_millis(NOON.as_millis() + 59_999)));
}
