//! One run that goes on, and what it is held against.

use crate::decide::Attempt;
use provost_domain::{
    Agent, ArgsFrom, Baseline, BaselineOf, DecisionId, Directory, DurationMs, Sighting, TaskId, Timestamp,
};
use provost_store::StoredDecision;
use provost_watch::{
    drift::{Against, Measure, NOTABLE},
    kind,
    record::{self, Call, Decided, Recorded},
    run::{Ended, Marker, Step},
    unusual::{self, Whose},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A run that goes on.
pub(super) struct Live {
    pub(super) marker: Marker,
    pub(super) past: Past,
    pub(super) measure: Measure,
    recorded: Recorded,
    agent: Arc<Agent>,
    task: TaskId,
    purpose: Arc<str>,
    /// When the records were last asked what was decided elsewhere; never, if absent.
    looked: Option<Timestamp>,
    /// From when on that is to be asked again.
    since: Timestamp,
}

/// What the records are to be asked of a run.
pub(super) struct Look {
    pub(super) since: Timestamp,
    /// Of this node's own calls, too: those that it decided before it was started again.
    pub(super) own: bool,
}

/// What a run is held against.
#[derive(Default)]
pub(super) struct Past {
    words: Option<String>,
    kind: Option<Arc<Baseline>>,
    agent: Option<Arc<Baseline>>,
    peers: Option<Arc<Baseline>>,
}

impl Live {
    pub(super) fn begun(attempt: &Attempt) -> Self {
        let (agent, task) = (&attempt.caller.agent, &attempt.caller.task);
        let recorded = Recorded::begun(task.started);
        Self {
            marker: Marker::of(agent.name.as_str()),
            past: Past::of(attempt),
            measure: Measure::begun(recorded.run.hour, &task.purpose),
            recorded,
            agent: Arc::clone(agent),
            task: task.id,
            purpose: Arc::clone(&task.purpose),
            looked: None,
            since: task.started,
        }
    }

    /// Whether nothing could be unusual about it: there is no past, and nothing was held, refused or failed.
    pub(super) fn is_blank(&self) -> bool {
        self.past.is_nothing() && self.recorded.run.steps.is_empty()
    }

    /// How unusual it is so far.
    pub(super) fn score(&self) -> f64 {
        self.measure.drift(&self.past.against()).score
    }

    /// A call as this run has it.
    pub(super) fn step(&self, attempt: &Attempt, known: &ArgsFrom, ended: Ended) -> Step {
        // A name that nobody reviewed is the agent's own word: all of them are one thing that was tried.
        let path = match &attempt.tool {
            Some(tool) => tool.path(),
            None => format!("{}/{UNREVIEWED}", attempt.system.name),
        };
        let tool = attempt.tool.as_deref();
        let decided = Decided { path: &path, tool, args: &attempt.args, steered: &known.steered };
        record::step(&decided, ended, &self.marker)
    }

    /// Takes a decision in, unless it was read from the records by now; a call that was held and is made again takes the place
    /// of itself.
    pub(super) fn take(&mut self, call: Call) {
        if self.recorded.has(call.decision) {
            return;
        }
        let step = call.step.clone();
        if self.recorded.push(call) {
            self.measured_anew();
        } else {
            self.measure.add(&step, &self.past.against());
        }
    }

    /// A call that was let through failed. Without a past such calls were not taken in, so it is now.
    pub(super) fn failed(&mut self, attempt: &Attempt, decision: DecisionId) {
        if self.recorded.failed(decision) {
            self.measure.failed();
        } else if !self.recorded.has(decision) && self.past.is_nothing() {
            let step = self.step(attempt, &ArgsFrom::default(), Ended::Failed);
            self.measure.add(&step, &self.past.against());
            self.recorded.push(Call { decision, action: provost_domain::Digest::of(b""), step });
        }
    }

    /// Takes in everything that is on record of it.
    pub(super) fn caught_up(&mut self, stored: &[StoredDecision], directory: &Directory, now: Timestamp) {
        self.looked = Some(now);
        self.merge(stored, directory);
    }

    /// Takes in what is on record of it.
    pub(super) fn merge(&mut self, stored: &[StoredDecision], directory: &Directory) {
        let newest = stored.iter().map(|stored| stored.decision.at).max();
        self.since = newest.map_or(self.since, |newest| self.since.max(newest.minus(OVERLAP)));
        let of = (directory, &self.agent.charter);
        let nothing = self.past.is_nothing();
        let calls = stored
            .iter()
            .map(|stored| Call::read((&stored.decision, stored.completion.as_ref()), of, &self.marker));
        // Without a past, what was done says nothing.
        let calls: Vec<Call> = calls.filter(|call| !nothing || call.step.ended != Ended::Done).collect();
        if self.recorded.merge(calls) {
            self.measured_anew();
        }
    }

    /// What the records are to be asked, if it is time to.
    pub(super) fn look(&mut self, now: Timestamp) -> Option<Look> {
        let last = self.looked;
        if last.is_some_and(|last| now.since(last) < LOOK_EVERY) {
            return None;
        }
        self.looked = Some(now);
        Some(Look { since: self.since, own: last.is_none() })
    }

    fn measured_anew(&mut self) {
        let mut measure = Measure::begun(self.recorded.run.hour, &self.purpose);
        let against = self.past.against();
        self.recorded.run.steps.iter().for_each(|step| measure.add(step, &against));
        self.measure = measure;
    }

    /// What people are told, if the run is notable, and more so than before.
    pub(super) fn found(&self, before: f64) -> Option<Sighting> {
        let against = self.past.against();
        let drift = self.measure.drift(&against);
        if drift.score < NOTABLE || drift.score <= before {
            return None;
        }
        let whose = Whose {
            agent: &self.agent.name,
            task: self.task,
            kind: self.past.words.as_deref(),
            runs: against.runs().unwrap_or(0),
        };
        unusual::sighting(whose, &drift, &unusual::evidence(&drift, &self.recorded.decisions))
    }
}

impl Past {
    fn of(attempt: &Attempt) -> Self {
        let directory = &attempt.view.directory;
        if directory.baselines.is_empty() {
            return Self::default();
        }
        let (agent, task) = (&attempt.caller.agent, &attempt.caller.task);
        let known = |of: BaselineOf| directory.baseline(&of).cloned();
        let words = kind::of(&task.purpose);
        let of_kind =
            words.clone().and_then(|kind| known(BaselineOf::Kind { agent: agent.name.clone(), kind }));
        let purpose = kind::of(&agent.charter.purpose);
        Self {
            words,
            kind: of_kind,
            agent: known(BaselineOf::Agent { agent: agent.name.clone() }),
            peers: purpose.and_then(|purpose| known(BaselineOf::Purpose { purpose })),
        }
    }

    pub(super) fn against(&self) -> Against<'_> {
        Against {
            kind: self.kind.as_ref().map(|row| &row.usual),
            agent: self.agent.as_ref().map(|row| &row.usual),
            peers: self.peers.as_ref().map(|row| &row.usual),
        }
    }

    /// Whether there is too little to hold anything against.
    pub(super) fn is_nothing(&self) -> bool {
        self.against().runs().is_none()
    }
}

pub(super) fn locked(live: &Mutex<Live>) -> MutexGuard<'_, Live> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stands for every operation that nobody reviewed.
const UNREVIEWED: &str = "unreviewed";
/// How often a run that goes on is looked for at other nodes.
const LOOK_EVERY: DurationMs = DurationMs::from_secs(1);
/// So far before what was seen last is looked at again: clocks differ, and outcomes come later.
const OVERLAP: DurationMs = DurationMs::from_secs(10);
