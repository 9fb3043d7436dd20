//! How far each task has moved from what is usual: before a call is decided, so that policies may hold it, and right after, so
//! that people hear of the first call that is notable.
//!
//! What is usual are rows of the directory (`provost_domain::Baseline`); a run is measured against those that stood when this
//! node first met its task. A node that meets a task late reads its earlier calls from the records, so nothing is forgotten
//! by a restart; calls that other nodes decide meanwhile it reads beside its own (`others`). Whoever learns from ended tasks
//! measures the whole run again (`control/src/baseline/learn.rs`). Nothing waits for a finding: it is raised beside the call.
//!
//! | file | what it does |
//! |---|---|
//! | `live` | one run that goes on, and what it is held against |
//! | `others` | calls of the same run that other nodes decided |

mod live;
mod others;

use crate::{decide::Attempt, pipeline::Pipeline, refusal::Refusal};
use live::{Live, locked};
use moka::sync::Cache;
use others::Teller;
use provost_domain::{
    ArgsFrom, Baseline, BaselineOf, Completion, Decision, DurationMs, Outcome, TaskId, Verdict, usual::Mark,
};
use provost_store::DecisionFilter;
use provost_watch::{
    drift::Drift,
    kind,
    record::{self, Call, Decided},
    run::{Ended, Marker},
};
use std::{
    cell::OnceCell,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// The runs of the tasks of a node, and what people were told of them a moment ago.
pub(crate) struct Watching {
    runs: Cache<TaskId, Arc<Mutex<Live>>>,
    told: Cache<String, ()>,
    telling: Arc<Semaphore>,
    looking: Arc<Semaphore>,
}

impl Watching {
    pub(crate) fn new() -> Self {
        let idle = IDLE.to_std();
        Self {
            runs: Cache::builder().max_capacity(RUNS_MAX).time_to_idle(idle).build(),
            told: Cache::builder().max_capacity(TOLD_MAX).time_to_live(TOLD_FOR.to_std()).build(),
            telling: Arc::new(Semaphore::new(TELLING_MAX)),
            looking: Arc::new(Semaphore::new(LOOKING_MAX)),
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
        let run = match self.live(attempt).await {
            Ok(run) => run,
            Err(error) => {
                tracing::warn!(%error, decision = %decision.id, "a run could not be measured");
                return;
            }
        };
        let (found, due) = {
            let mut live = locked(&run);
            if live.past.is_nothing() && matches!(decision.verdict, Verdict::Allow { .. }) {
                return;
            }
            let before = live.score();
            let step = live.step(attempt, known, ended);
            live.take(Call { decision: decision.id, action: decision.action, step });
            (live.found(before), live.look(self.now()))
        };
        found.into_iter().for_each(|sighting| self.teller().tell(sighting));
        if let Some(look) = due {
            self.look(attempt, run, &look);
        }
    }

    /// Takes in what came of a call, if that is more than was thought: it failed.
    pub(crate) fn came_of(&self, attempt: &Attempt, completion: &Completion) {
        if !matches!(completion.outcome, Outcome::Failure { .. } | Outcome::Unsent { .. }) {
            return;
        }
        let Some(run) = self.watching.runs.get(&attempt.caller.task.id) else { return };
        let found = {
            let mut live = locked(&run);
            let before = live.score();
            live.failed(attempt, completion.decision);
            live.found(before)
        };
        found.into_iter().for_each(|sighting| self.teller().tell(sighting));
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
            live.caught_up(&earlier, &attempt.view.directory, self.now());
        }
        Ok(self.watching.runs.get_with(task.id, || Arc::new(Mutex::new(live))))
    }

    fn teller(&self) -> Teller {
        Teller {
            store: Arc::clone(&self.store),
            replica: Arc::clone(&self.replica),
            told: self.watching.told.clone(),
            telling: Arc::clone(&self.watching.telling),
            now: self.now(),
        }
    }
}

const RUNS_MAX: u64 = 10_000;
const IDLE: DurationMs = DurationMs::from_mins(60);
/// Earlier calls of a task that a node reads when it meets it, and of other nodes' at one look.
const EARLIER_MAX: usize = 256;
const TOLD_MAX: u64 = 10_000;
const TOLD_FOR: DurationMs = DurationMs::from_mins(1);
/// Findings raised at once.
const TELLING_MAX: usize = 8;
/// Looks at what other nodes decided at once; what finds no place is looked at with a later call.
const LOOKING_MAX: usize = 4;
const REASONS_MAX: usize = 3;
