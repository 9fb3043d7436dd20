//! What earlier runs of the same kind of task did: the benign runs of **other** models on the same user task. Nothing of the
//! run itself, nothing of attacked runs, and not whether a run succeeded. There are at most seven for a task, fewer
//! than the ten of the target, because no more were recorded.
//!
//! What was held in those runs counts as approved: nobody attacked them, so whoever was asked would have seen their own request.

use crate::{
    records::{Kind, Run},
    replay::Replayed,
    world::NOW,
};
use provost_domain::{DurationMs, Timestamp, Usual};
use provost_watch::{
    baseline,
    run::{self, Ended},
};
use std::collections::BTreeMap;

pub struct History<'a> {
    runs: Vec<(&'a Run, run::Run)>,
}

/// What is left out for a run: itself, by its model; and for a new task, the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The same user task.
    Task,
    /// The other user tasks of the suite: what is known of the agent when a task is new.
    OtherTasks,
    /// Every user task of the suite.
    Agent,
}

impl<'a> History<'a> {
    pub fn new(benign: impl Iterator<Item = (&'a Run, &'a Replayed)>) -> Self {
        let approved = |(run, replayed): (&'a Run, &'a Replayed)| {
            let mut seen = replayed.run.clone();
            seen.steps
                .iter_mut()
                .filter(|step| step.ended == Ended::Held)
                .for_each(|step| step.ended = Ended::Done);
            (run.kind == Kind::Benign).then_some((run, seen))
        };
        Self { runs: benign.filter_map(approved).collect() }
    }

    /// What a run may know.
    pub fn before(&self, run: &Run, scope: Scope) -> Usual {
        let mut usual = Usual::default();
        let own = |other: &Run| match scope {
            Scope::Task => other.user_task == run.user_task && other.model != run.model,
            Scope::OtherTasks => other.user_task != run.user_task,
            Scope::Agent => other.model != run.model,
        };
        let earlier = self.runs.iter().filter(|(other, _)| other.suite == run.suite && own(other));
        for (day, (_, seen)) in earlier.enumerate() {
            let day = u64::try_from(day).unwrap_or(0);
            let at: Timestamp = NOW.plus(DurationMs::from_mins(day * 24 * 60));
            baseline::learn(&mut usual, seen, at);
        }
        usual
    }

    /// The same for many runs, each kind once.
    pub fn table(&self, runs: &[&Run], scope: Scope) -> BTreeMap<(String, String, String), Usual> {
        let mut table = BTreeMap::new();
        for run in runs {
            table.entry(key(run, scope)).or_insert_with(|| self.before(run, scope));
        }
        table
    }
}

pub fn key(run: &Run, scope: Scope) -> (String, String, String) {
    let task = run.user_task.clone().unwrap_or_default();
    match scope {
        Scope::Task => (run.suite.clone(), task, run.model.clone()),
        Scope::OtherTasks => (run.suite.clone(), task, String::new()),
        Scope::Agent => (run.suite.clone(), String::new(), run.model.clone()),
    }
}
