//! How far each task has moved from what is usual, as this node sees it: before a call is decided, so that policies may hold it,
//! and right after, so that people hear of the first call that is notable.
//!
//! What is usual are rows of the directory (`provost_domain::Baseline`); a run is measured against those that stood when this
//! node first met its task. A node that meets a task late reads its earlier calls from the records; calls that other nodes
//! decide later it does not see, and whoever learns from ended tasks measures the whole run again
//! (`control/src/baseline/learn.rs`). Nothing waits for a finding: it is raised beside the call.

use crate::{decide::Attempt, pipeline::Pipeline, refusal::Refusal};
use moka::sync::Cache;
use provost_domain::{
    ArgsFrom, Baseline, BaselineOf, Decision, DurationMs, Sighting, TaskId, Verdict, usual::Mark,
};
use provost_store::DecisionFilter;
use provost_watch::{
    drift::{Against, Drift, Measure, NOTABLE},
    kind,
    record::{self, Decided, Recorded},
    run::{Ended, Marker, Step},
    unusual::{self, Whose},
};
use std::{
    cell::OnceCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Semaphore;

/// The runs of the tasks of a node, and what people were told of them a moment ago.
pub(crate) struct Watching {
    runs: Cache<TaskId, Arc<Mutex<Live>>>,
    told: Cache<String, ()>,
    telling: Arc<Semaphore>,
}

/// A run that goes on.
struct Live {
    marker: Marker,
    past: Past,
    recorded: Recorded,
    measure: Measure,
    purpose: Arc<str>,
}

/// What a run is held against.
#[derive(Default)]
struct Past {
    words: Option<String>,
    kind: Option<Arc<Baseline>>,
    agent: Option<Arc<Baseline>>,
    peers: Option<Arc<Baseline>>,
}

impl Watching {
    pub(crate) fn new() -> Self {
        let idle = IDLE.to_std();
        Self {
            runs: Cache::builder().max_capacity(RUNS_MAX).time_to_idle(idle).build(),
            told: Cache::builder().max_capacity(TOLD_MAX).time_to_live(TOLD_FOR.to_std()).build(),
            telling: Arc::new(Semaphore::new(TELLING_MAX)),
        }
    }
}

impl Pipeline {
    /// Adds to what is known of a call how far the run would be with it. Calls that only read are not held for it.
    ///
    /// # Errors
    /// When what the task did before cannot be read: then nothing may be decided on it.
    pub(crate) async fn drift(&self, attempt: &Attempt, known: &mut ArgsFrom) -> Result<(), Refusal> {
        let Some(tool) = attempt.tool.as_ref().filter(|tool| !tool.only_reads() || tool.sends_out) else {
            return Ok(());
        };
        let live = self.live(attempt).await?;
        let live = locked(&live);
        if live.is_blank() {
            return Ok(());
        }
        let path = tool.path();
        let decided = Decided { path: &path, tool: Some(tool), args: &attempt.args, steered: &known.steered };
        let step = record::step(&decided, Ended::Done, &live.marker);
        let against = live.past.against();
        known.drift = Drift::hundredths(live.measure.score_with(&step, &against));
        if known.drift > 0 {
            let mut with = live.measure.clone();
            with.add(&step, &against);
            let reasons = with.drift(&against).reasons;
            known.unusual = reasons.iter().take(REASONS_MAX).map(ToString::to_string).collect();
        }
        Ok(())
    }

    /// Takes in what was decided, and tells people if that made the run notable. The decision stands on record whatever comes
    /// of this: a run whose earlier calls cannot be read now is measured at its next call.
    pub(crate) async fn watched(&self, attempt: &Attempt, known: &ArgsFrom, decision: &Decision) {
        let declared = attempt.caller.agent.charter.grants_tool(&attempt.system.name, &attempt.name);
        let ended = record::ended(&decision.verdict, None, declared);
        let live = match self.live(attempt).await {
            Ok(live) => live,
            Err(error) => {
                tracing::warn!(%error, decision = %decision.id, "a run could not be measured");
                return;
            }
        };
        let found = {
            let mut live = locked(&live);
            if live.past.is_nothing() && matches!(decision.verdict, Verdict::Allow { .. }) {
                return;
            }
            let before = live.measure.drift(&live.past.against()).score;
            live.take(attempt, known, ended, decision);
            live.found(attempt, before)
        };
        found.into_iter().for_each(|sighting| self.tell(sighting));
    }

    /// Whether a value is usual at its place, in tasks of the kind that this one is. Of a task that another agent handed on,
    /// that agent chose the words that make its kind: nothing is usual in it.
    pub(crate) fn usual<'a>(&self, attempt: &'a Attempt) -> impl Fn(&str, &str) -> bool + use<'a> {
        let known: OnceCell<Option<(Arc<Baseline>, Marker, String)>> = OnceCell::new();
        move |arg, value| {
            let known = known.get_or_init(|| {
                let (agent, task) = (&attempt.caller.agent.name, &attempt.caller.task);
                let kind = kind::of(&task.purpose).filter(|_| attempt.caller.chain.is_empty())?;
                let of = BaselineOf::Kind { agent: agent.clone(), kind };
                let row = Arc::clone(attempt.view.directory.baseline(&of)?);
                Some((row, Marker::of(agent.as_str()), attempt.tool.as_ref()?.path()))
            });
            let mark = |marker: &Marker, path: &str| -> Mark { marker.mark(path, arg, value) };
            known.as_ref().is_some_and(|(row, marker, path)| row.usual.is_usual(mark(marker, path)))
        }
    }

    /// The run of the task that calls, as far as it has gone.
    async fn live(&self, attempt: &Attempt) -> Result<Arc<Mutex<Live>>, Refusal> {
        let task = &attempt.caller.task;
        if let Some(live) = self.watching.runs.get(&task.id) {
            return Ok(live);
        }
        let mut live = Live::begun(attempt);
        if !live.past.is_nothing() {
            let filter =
                DecisionFilter { task: Some(task.id), max: EARLIER_MAX, ..DecisionFilter::default() };
            let earlier = self.store.decisions(&filter).await?.decisions;
            for stored in earlier.iter().rev() {
                let what = (&stored.decision, stored.completion.as_ref());
                let of = (&attempt.view.directory, &attempt.caller.agent.charter);
                live.recorded.read(what, of, &live.marker);
            }
            live.measured_anew();
        }
        Ok(self.watching.runs.get_with(task.id, || Arc::new(Mutex::new(live))))
    }

    /// Raises a finding beside the call. The same within a minute is one; of very many at once, the rest is found again by
    /// whoever measures the whole run.
    fn tell(&self, sighting: Sighting) {
        let key = format!("{} {}", provost_lifecycle::finding::id(&sighting), sighting.severity);
        if self.watching.told.contains_key(&key) {
            return;
        }
        let Ok(place) = Arc::clone(&self.watching.telling).try_acquire_owned() else { return };
        self.watching.told.insert(key, ());
        let (store, replica, now) = (Arc::clone(&self.store), Arc::clone(&self.replica), self.now());
        tokio::spawn(async move {
            let _place = place;
            let directory = replica.latest().directory.clone();
            if let Err(error) = provost_store::raise_finding(store.as_ref(), &directory, &sighting, now).await
            {
                tracing::warn!(%error, key = sighting.key, "a finding could not be raised");
            }
        });
    }
}

impl Live {
    fn begun(attempt: &Attempt) -> Self {
        let (agent, task) = (&attempt.caller.agent, &attempt.caller.task);
        let recorded = Recorded::begun(task.started);
        Self {
            marker: Marker::of(agent.name.as_str()),
            past: Past::of(attempt),
            measure: Measure::begun(recorded.run.hour, &task.purpose),
            purpose: Arc::clone(&task.purpose),
            recorded,
        }
    }

    /// Whether nothing could be unusual about it: there is no past, and nothing was held or refused.
    fn is_blank(&self) -> bool {
        self.past.is_nothing() && self.recorded.run.steps.is_empty()
    }

    /// Takes a decision in; a call that was held and is made again takes the place of itself.
    fn take(&mut self, attempt: &Attempt, known: &ArgsFrom, ended: Ended, decision: &Decision) {
        // A name that nobody reviewed is the agent's own word: all of them are one thing that was tried.
        let path = match &attempt.tool {
            Some(tool) => tool.path(),
            None => format!("{}/{UNREVIEWED}", attempt.system.name),
        };
        let tool = attempt.tool.as_deref();
        let decided = Decided { path: &path, tool, args: &attempt.args, steered: &known.steered };
        let step: Step = record::step(&decided, ended, &self.marker);
        if self.recorded.push(step.clone(), decision.id, decision.action) {
            self.measured_anew();
        } else {
            self.measure.add(&step, &self.past.against());
        }
    }

    fn measured_anew(&mut self) {
        let mut measure = Measure::begun(self.recorded.run.hour, &self.purpose);
        let against = self.past.against();
        self.recorded.run.steps.iter().for_each(|step| measure.add(step, &against));
        self.measure = measure;
    }

    /// What people are told, if the last decision made the run notable, or more so.
    fn found(&self, attempt: &Attempt, before: f64) -> Option<Sighting> {
        let against = self.past.against();
        let drift = self.measure.drift(&against);
        if drift.score < NOTABLE || drift.score <= before {
            return None;
        }
        let whose = Whose {
            agent: &attempt.caller.agent.name,
            task: attempt.caller.task.id,
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

    fn against(&self) -> Against<'_> {
        Against {
            kind: self.kind.as_ref().map(|row| &row.usual),
            agent: self.agent.as_ref().map(|row| &row.usual),
            peers: self.peers.as_ref().map(|row| &row.usual),
        }
    }

    /// Whether there is too little to hold anything against.
    fn is_nothing(&self) -> bool {
        self.against().runs().is_none()
    }
}

fn locked(live: &Mutex<Live>) -> MutexGuard<'_, Live> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stands for every operation that nobody reviewed.
const UNREVIEWED: &str = "unreviewed";
const RUNS_MAX: u64 = 10_000;
const IDLE: DurationMs = DurationMs::from_mins(60);
/// Earlier calls of a task that a node reads when it meets it.
const EARLIER_MAX: usize = 256;
const TOLD_MAX: u64 = 10_000;
const TOLD_FOR: DurationMs = DurationMs::from_mins(1);
/// Findings raised at once.
const TELLING_MAX: usize = 8;
const REASONS_MAX: usize = 3;
