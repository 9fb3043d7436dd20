//! What is owed: ended tasks that were not tried, or whose token some face did not refuse. Read from the changes alone.

use super::ROUNDS_MAX;
use crate::ControlError;
use provost_domain::{DurationMs, Object, Seq, TaskId, Timestamp, task::TaskStatus};
use provost_store::{ChangeRecord, Store};
use std::collections::BTreeMap;

/// What one node knows to be owed.
pub(super) struct Queue {
    /// Changes up to here were read.
    read: Seq,
    /// Up to here nothing is owed, as the store knows it.
    remembered: Seq,
    owed: BTreeMap<TaskId, Owed>,
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    /// The change that says so.
    since: Seq,
    due: Timestamp,
    round: u8,
}

impl Queue {
    /// Nothing is owed up to here.
    pub(super) fn from(position: Seq) -> Self {
        Self { read: position, remembered: position, owed: BTreeMap::new() }
    }

    /// Reads what changed since. Stops early, and reads on later, when very much is owed.
    pub(super) async fn read(&mut self, store: &dyn Store) -> Result<(), ControlError> {
        while self.owed.len() < OWED_MAX {
            let records = store.tail(self.read, PAGE).await?;
            let last = records.len() < PAGE;
            for record in &records {
                self.hear(record);
            }
            if last {
                break;
            }
        }
        Ok(())
    }

    fn hear(&mut self, record: &ChangeRecord) {
        self.read = record.seq;
        let Some(Object::Task(task)) = &record.after else { return };
        let owed = match (&task.status, &task.trial) {
            (TaskStatus::Running, _) => None,
            (TaskStatus::Ended, None) => Some((record.at, 1)),
            (TaskStatus::Ended, Some(trial)) if trial.is_gone() || trial.round >= ROUNDS_MAX => None,
            (TaskStatus::Ended, Some(trial)) => {
                Some((record.at.plus(backoff(trial.round)), trial.round.saturating_add(1)))
            }
        };
        match owed {
            Some((due, round)) => drop(self.owed.insert(task.id, Owed { since: record.seq, due, round })),
            None => drop(self.owed.remove(&task.id)),
        }
    }

    /// What is due, what was due first at first.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(TaskId, u8)> {
        let due = self.owed.iter().filter(|(_, owed)| owed.due <= now);
        let mut due: Vec<_> = due.map(|(id, owed)| (owed.due, *id, owed.round)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id, round)| (id, round)).collect()
    }

    /// Not before this moment, unless a change says otherwise.
    pub(super) fn put_off(&mut self, id: TaskId, due: Timestamp) {
        if let Some(owed) = self.owed.get_mut(&id) {
            owed.due = due;
        }
    }

    /// How long nothing more is due; nothing is owed, if absent.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<DurationMs> {
        self.owed.values().map(|owed| owed.due.since(now)).min()
    }

    /// The position up to which nothing is owed, if the store does not know it yet.
    pub(super) fn settled(&self) -> Option<Seq> {
        let first = self.owed.values().map(|owed| owed.since).min();
        let settled = first.map_or(self.read, |first| Seq(first.0.saturating_sub(1)));
        (settled > self.remembered).then_some(settled)
    }

    /// The store knows that position.
    pub(super) fn remembered(&mut self, position: Seq) {
        self.remembered = position;
    }
}

/// How long after a round the next one comes.
pub(super) fn backoff(round: u8) -> DurationMs {
    let seconds = match round {
        0 | 1 => 2,
        2 => 10,
        3 => 60,
        4 => 600,
        5 => 3_600,
        6 => 6 * 3_600,
        _ => 24 * 3_600,
    };
    DurationMs::from_secs(seconds)
}

const PAGE: usize = 500;
/// Tasks known to be owed at once; more wait in the changes.
const OWED_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::{
        ObjectKey, Task,
        task::{Probe, ProbeAnswer, Trial},
    };
    use provost_store::Attribution;

    fn record(seq: u64, id: u8, status: TaskStatus, trial: Option<(u8, ProbeAnswer)>) -> ChangeRecord {
        let at = Timestamp::from_millis(i64::try_from(seq).unwrap() * 1_000);
        let probe = |answer| Probe { face: "/mcp".to_owned(), at, answer, status: None };
        let trial = trial.map(|(round, answer)| Box::new(Trial { round, probes: vec![probe(answer)] }));
        let id = TaskId::new(Timestamp::from_millis(1), [id; 10]);
        let task = Task {
            id,
            agent: "clerk".parse().unwrap(),
            purpose: "p".into(),
            requester: "maria".parse().unwrap(),
            scope: None,
            started: at,
            expires: at,
            status,
            parent: None,
            revoked: Default::default(),
            for_person: false,
            refresh: None,
            trial,
            inputs: Default::default(),
            bill: None,
        };
        let by = Attribution { actor: "plane".to_owned(), why: "w".to_owned() };
        let key = ObjectKey::task(id);
        ChangeRecord { v: 1, seq: Seq(seq), at, by, key, version: 1, after: Some(Object::Task(task)) }
    }

    #[test]
    fn what_is_owed_and_up_to_where_nothing_is_follows_from_the_changes_alone() {
        use ProbeAnswer::{Accepted, Refused, Unreachable};
        use TaskStatus::{Ended, Running};
        let mut queue = Queue::from(Seq(3));
        let now = Timestamp::from_millis(1_000_000);
        // Which task, what became of it, how a trial of it ended; what is owed then, and the position that is settled.
        type Step = (u8, TaskStatus, Option<(u8, ProbeAnswer)>, &'static [(u8, u8)], Option<u64>);
        let steps: &[Step] = &[
            (1, Running, None, &[], Some(4)),
            (1, Ended, None, &[(1, 1)], Some(4)),
            (2, Ended, None, &[(1, 1), (2, 1)], Some(4)),
            (1, Ended, Some((1, Accepted)), &[(2, 1), (1, 2)], Some(5)),
            (2, Ended, Some((1, Refused)), &[(1, 2)], Some(6)),
            (1, Ended, Some((2, Unreachable)), &[(1, 3)], Some(8)),
            (1, Ended, Some((3, Refused)), &[], Some(10)),
            (3, Ended, Some((ROUNDS_MAX, Accepted)), &[], Some(11)),
        ];
        for (step, (id, status, trial, owed, settled)) in steps.iter().enumerate() {
            let seq = 4 + u64::try_from(step).unwrap();
            queue.hear(&record(seq, *id, *status, *trial));
            let id = |id: u8| TaskId::new(Timestamp::from_millis(1), [id; 10]);
            let owed: Vec<_> = owed.iter().map(|(task, round)| (id(*task), *round)).collect();
            assert_eq!(queue.due(now), owed, "step {step}");
            assert_eq!(queue.settled(), settled.map(Seq), "step {step}");
        }
        queue.remembered(Seq(11));
        assert_eq!(queue.settled(), None);
    }

    #[test]
    fn a_task_that_was_not_refused_waits_longer_each_time() {
        let waits: Vec<u64> = (1..ROUNDS_MAX).map(|round| backoff(round).0).collect();
        assert!(waits.is_sorted() && waits.first() < waits.last());
        let mut queue = Queue::from(Seq(0));
        let trial = Some((1, ProbeAnswer::Accepted));
        queue.hear(&record(1, 1, TaskStatus::Ended, trial));
        assert!(queue.due(Timestamp::from_millis(1_000 + 1_999)).is_empty());
        assert_eq!(queue.due(Timestamp::from_millis(1_000 + 2_000)).len(), 1);
    }
}
