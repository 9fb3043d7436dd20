//! What a group of commands comes to, given what the tables say: pure, in the order of the commands.

use super::Command;
use provost_domain::{Completion, TaskId, TaskState, Timestamp};
use provost_store::{
    RecordError, StoreError,
    driver::{DecisionDraft, Draft, Taken, gain, weigh},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What must be known, and locked, before a group can be planned.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Words to lock, so that no other node reads or writes what they stand for.
    pub(super) locks: BTreeSet<String>,
    /// Decisions to be recorded: are they there already?
    pub(super) new: Vec<String>,
    /// Decisions to be completed.
    pub(super) completed: Vec<String>,
    /// Tasks whose state matters.
    pub(super) tasks: BTreeSet<TaskId>,
    /// Windows: a key, and the moment after which its slots count.
    pub(super) windows: BTreeSet<(String, i64)>,
}

impl Questions {
    pub(super) fn of(group: &[Command]) -> Self {
        let mut asked = Self::default();
        for command in group {
            match command {
                Command::Record { draft, .. } => {
                    asked.new.push(draft.draft.id.clone());
                    asked.tasks.extend(draft.expects.map(|expects| expects.task));
                    for charge in &draft.charges {
                        let after = charge.window.counts_after(draft.draft.at).as_millis();
                        asked.locks.insert(format!("charge/{}", charge.window.key));
                        asked.windows.insert((charge.window.key.clone(), after));
                    }
                }
                Command::Complete { draft, task, .. } => {
                    asked.completed.push(draft.id.clone());
                    asked.tasks.extend(*task);
                }
                Command::Refused { .. } | Command::Stop => {}
            }
        }
        asked.locks.extend(asked.tasks.iter().map(|task| format!("state/{task}")));
        asked
    }
}

/// What the tables said.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Records of decisions that are there already, by id.
    pub(super) stored: HashMap<String, String>,
    /// Decisions that may be completed, by id.
    pub(super) decided: HashMap<String, Decided>,
    /// States of tasks; one that is not here has gained nothing.
    pub(super) states: HashMap<TaskId, TaskState>,
    /// What the slots of a key after a moment add up to.
    pub(super) used: HashMap<(String, i64), i64>,
}

/// A decision that may be completed.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) row: i64,
    pub(super) allow: bool,
    pub(super) done: bool,
}

/// What is told to a caller once the transaction is committed.
#[derive(Debug)]
pub(super) enum Answer {
    Recorded(Result<(), RecordError>),
    Completed(Result<TaskState, StoreError>),
    Journalled,
}

/// What the transaction writes.
#[derive(Debug, Default)]
pub(super) struct Writes<'a> {
    pub(super) decisions: Vec<&'a DecisionDraft>,
    pub(super) completions: Vec<(&'a Draft, i64)>,
    pub(super) refused: Vec<&'a Draft>,
    pub(super) charges: BTreeMap<(String, Timestamp), i64>,
    pub(super) states: BTreeMap<TaskId, TaskState>,
    pub(super) memories: Vec<(TaskId, u64, &'a [u8])>,
}

impl Writes<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.decisions.is_empty()
            && self.completions.is_empty()
            && self.refused.is_empty()
            && self.charges.is_empty()
            && self.states.is_empty()
    }
}

/// Decides every command on what was seen and on what the commands before it write.
pub(super) fn plan(group: &[Command], seen: Seen) -> (Vec<Answer>, Writes<'_>) {
    let mut planned = Planned { seen, writes: Writes::default() };
    let answers = group
        .iter()
        .map(|command| match command {
            Command::Record { draft, .. } => Answer::Recorded(planned.record(draft)),
            Command::Complete { draft, completion, task, chunk, .. } => {
                Answer::Completed(planned.complete(draft, completion, *task, chunk))
            }
            Command::Refused { draft, .. } => {
                planned.writes.refused.push(draft);
                Answer::Journalled
            }
            Command::Stop => Answer::Journalled,
        })
        .collect();
    (answers, planned.writes)
}

struct Planned<'a> {
    seen: Seen,
    writes: Writes<'a>,
}

impl<'a> Planned<'a> {
    fn record(&mut self, draft: &'a DecisionDraft) -> Result<(), RecordError> {
        // A caller who was told that it failed may come again; what was taken the first time stays taken once.
        if let Some(stored) = self.seen.stored.get(&draft.draft.id) {
            if *stored == draft.draft.record {
                return Ok(());
            }
            let taken = "another decision was already recorded under this id: make a new one";
            return Err(StoreError::Unsupported(taken).into());
        }
        if let Some(expects) = draft.expects {
            let state = self.state(expects.task);
            if state.version != expects.version {
                return Err(RecordError::TaskMoved(state));
            }
        }
        let taken = weigh(&draft.charges, draft.draft.at, |key, after| Ok(self.used(key, after)))?;
        for Taken { key, slot, amount } in taken {
            let sum = self.writes.charges.entry((key, slot)).or_default();
            *sum = sum.saturating_add(amount);
        }
        self.writes.decisions.push(draft);
        Ok(())
    }

    fn complete(
        &mut self,
        draft: &'a Draft,
        completion: &Completion,
        task: Option<TaskId>,
        chunk: &'a [u8],
    ) -> Result<TaskState, StoreError> {
        match self.seen.decided.get(&draft.id) {
            None => {
                return Err(StoreError::Unsupported(
                    "a decision that was never recorded cannot be completed",
                ));
            }
            Some(decided) if !decided.allow => {
                return Err(StoreError::Unsupported("a decision that allowed nothing cannot be completed"));
            }
            Some(decided) if decided.done => {}
            Some(decided) => self.writes.completions.push((draft, decided.row)),
        }
        let Some(task) = task else { return Ok(TaskState::default()) };
        let before = self.state(task);
        let Some(after) = gain(&before, &completion.labels, !chunk.is_empty()) else { return Ok(before) };
        if !chunk.is_empty() {
            self.writes.memories.push((task, after.version, chunk));
        }
        self.writes.states.insert(task, after.clone());
        Ok(after)
    }

    fn state(&self, task: TaskId) -> TaskState {
        self.writes.states.get(&task).or_else(|| self.seen.states.get(&task)).cloned().unwrap_or_default()
    }

    /// What the tables say and what this group took before; a window nobody asked about is full.
    fn used(&self, key: &str, after: Timestamp) -> i64 {
        let stored = self.seen.used.get(&(key.to_owned(), after.as_millis())).copied().unwrap_or(i64::MAX);
        let first = (key.to_owned(), after.plus(provost_domain::DurationMs(1)));
        let ours = self.writes.charges.range(first..).take_while(|((other, _), _)| other == key);
        ours.fold(stored, |sum, (_, amount)| sum.saturating_add(*amount))
    }
}
