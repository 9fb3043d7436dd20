//! The life of one call, on a page: `read → identify → decide → record → act → complete → observe`. Each word is a
//! sibling file; every face (MCP, the local wrapper, AuthZEN for agents) goes through here.

use crate::{
    act::{self, Running, Work},
    approval,
    breach::Breaches,
    decide::{self, Attempt, Moment},
    identify::{Asked, Caller, Identifier},
    journal::Journal,
    memory::Memories,
    observe::Metrics,
    refusal::Refusal,
    watching::Watching,
};
use moka::sync::Cache;
use provost_broker::Broker;
use provost_connect::{Marks, Upstreams};
use provost_domain::{Clock, DecisionId, NodeId, TaskId, TaskState, Timestamp, Verdict, limits::Limits};
use provost_policy::Draw;
use provost_replica::{Replica, View};
use provost_store::{Charge, Intent, Permit, RecordError, Recorded, Store, TaskExpectation, WindowKey};
use std::sync::Arc;

/// Stands in the path of every call.
pub struct Pipeline {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) node: NodeId,
    pub(crate) identifier: Identifier,
    pub(crate) journal: Arc<Journal>,
    pub(crate) upstreams: Upstreams,
    pub(crate) broker: Arc<Broker>,
    pub(crate) marks: Marks,
    pub(crate) metrics: Metrics,
    pub(crate) slots: approval::Slots,
    /// What this node last saw of each task's state. The store has the last word when a decision is recorded.
    states: Cache<TaskId, TaskState>,
    pub(crate) memories: Memories,
    pub(crate) watching: Watching,
    pub(crate) breaches: Breaches,
}

impl Pipeline {
    /// One call from its credentials to its running answer. `read` made `wanted` from bytes; `work` is what is to be
    /// done once, and only if, it is allowed.
    ///
    /// # Errors
    /// The refusal, when the call was not made.
    pub async fn call(self: &Arc<Self>, attempt: Attempt, work: Work) -> Result<Running, Refusal> {
        let permit = self.authorise(&attempt).await?; // decide, record: durable before anything happens
        let running = act::forward(permit, attempt, work, self); // the only way to a system
        running.inspect_err(|refusal| self.metrics.refused(refusal))
    }

    /// What this node may decide on now, and who calls.
    ///
    /// # Errors
    /// When the node's knowledge is too old, or the caller is not who may call.
    pub fn admit(&self, asked: &Asked<'_>) -> Result<(Arc<View>, Caller), Refusal> {
        let view = self.replica.fresh(self.limits.staleness_max)?;
        let caller = self.identifier.resolve(asked, &view, self.now())?;
        Ok((view, caller))
    }

    /// Decides, and records what was decided; the permit exists only for a recorded `Allow`. When a budget or the
    /// task's state moved between the two, decides again on what is true now.
    ///
    /// # Errors
    /// The verdict, when it is no allow, or the reason why it could not be recorded.
    pub async fn authorise(&self, attempt: &Attempt) -> Result<Permit, Refusal> {
        match self.record(attempt).await?.permit() {
            Ok(permit) => Ok(permit),
            // Whoever hears that a person must agree hears it after the person can be asked.
            Err(held) if matches!(held.verdict, Verdict::Hold { .. }) => Err(self.ask(attempt, held).await),
            Err(denied) => Err(Refusal::Verdict(denied)),
        }
    }

    /// As [`Pipeline::authorise`], for faces that tell the verdict to somebody else who acts.
    ///
    /// # Errors
    /// When the decision could not be recorded.
    pub async fn record(&self, attempt: &Attempt) -> Result<Recorded, Refusal> {
        let task = attempt.caller.task.id;
        // What a call takes from a budget and cannot be reckoned counts as more than there is.
        let (draws, exhausted) = match decide::draws(attempt) {
            Ok(draws) => (draws, Vec::new()),
            Err(unreckonable) => (Vec::new(), vec![unreckonable.budget]),
        };
        let mut moment = Moment { state: self.task_state(task).await?, exhausted, ..Moment::default() };
        moment.args_from = self.args_from(attempt, moment.state.version).await?;
        let mut breached = Vec::new();
        for _round in 0..ROUNDS_MAX {
            let now = self.now();
            let evaluation = decide::verdict(attempt, &moment, now);
            let opened = approval::opened(attempt, &moment, &evaluation, &self.marks, now);
            let (evaluation, grant) = match opened {
                Some((again, grant)) => (again, Some(grant)),
                None => (evaluation, None),
            };
            let said = (evaluation, grant.as_ref().map(|grant| grant.id.clone()));
            let decision = decide::decision(attempt, said, self.new_id(now), self.node, now)
                .map_err(|error| Refusal::internal(error.to_string()))?;
            let taken = grant.iter().flat_map(|grant| grant.charges.iter().cloned());
            let intent = Intent {
                expects: Some(TaskExpectation { task, version: moment.state.version }),
                charges: draws.iter().map(charge).chain(taken).collect(),
                decision: decision.into(),
            };
            match self.journal.record(intent).await {
                Ok(recorded) => {
                    self.metrics.decided(recorded.decision());
                    self.watched(attempt, &moment.args_from, recorded.decision()).await;
                    self.breached(attempt, &breached, recorded.decision());
                    if let Some(grant) = grant.filter(|grant| grant.once) {
                        self.mark_used(grant.id, recorded.decision().id);
                    }
                    return Ok(recorded);
                }
                Err(RecordError::TaskMoved(state)) => {
                    self.states.insert(task, state.clone());
                    moment.args_from = self.args_from(attempt, state.version).await?;
                    moment.state = state;
                }
                Err(RecordError::Exhausted { key, .. })
                    if grant
                        .as_ref()
                        .is_some_and(|grant| grant.charges.iter().any(|c| c.window.key == key)) =>
                {
                    moment.spent.extend(grant.map(|grant| grant.id)); // used up: decide without it
                }
                Err(RecordError::Exhausted { key, left, needed }) => {
                    let budget = draws.iter().find(|draw| draw.key == key).map(|draw| draw.budget.clone());
                    let unknown = RecordError::Exhausted { key, left, needed };
                    let budget = budget.ok_or(Refusal::NotRecorded(unknown))?;
                    breached.push(budget.to_string());
                    moment.exhausted.push(budget);
                }
                Err(error) => return Err(Refusal::NotRecorded(error)),
            }
        }
        Err(Refusal::internal("the task's state moved faster than a decision could be made on it"))
    }

    /// What this pipeline counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What the task has read, as far as this node knows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn task_state(&self, task: TaskId) -> Result<TaskState, Refusal> {
        if let Some(state) = self.states.get(&task) {
            return Ok(state);
        }
        let state = self.store.task_state(task).await?;
        self.states.insert(task, state.clone());
        Ok(state)
    }

    pub(crate) fn remember(&self, task: TaskId, state: TaskState) {
        self.states.insert(task, state);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn new_id(&self, now: Timestamp) -> DecisionId {
        DecisionId::new(now, rand::random())
    }
}

/// What a pipeline is built from.
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// What the node knows.
    pub replica: Arc<Replica>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub limits: Limits,
    /// Which node this is.
    pub node: NodeId,
    /// Whose tokens are good.
    pub identifier: Identifier,
    /// The systems behind.
    pub upstreams: Upstreams,
    /// What they are shown.
    pub broker: Arc<Broker>,
    /// Knows which approvals are checks, so that none of them is ever used.
    pub marks: Marks,
}

impl From<Parts> for Pipeline {
    fn from(parts: Parts) -> Self {
        let journal = Journal::new(Arc::clone(&parts.store), Arc::clone(&parts.clock), parts.node);
        Self {
            journal: Arc::new(journal),
            states: Cache::new(TASK_STATES_MAX),
            memories: Memories::new(),
            watching: Watching::new(),
            breaches: Breaches::default(),
            metrics: Metrics::default(),
            slots: approval::Slots::new(&parts.limits),
            store: parts.store,
            replica: parts.replica,
            clock: parts.clock,
            limits: parts.limits,
            node: parts.node,
            identifier: parts.identifier,
            upstreams: parts.upstreams,
            broker: parts.broker,
            marks: parts.marks,
        }
    }
}

fn charge(draw: &Draw) -> Charge {
    let window = WindowKey { key: draw.key.clone(), window: draw.window, max: draw.max };
    Charge { window, amount: draw.amount }
}

/// Each round another call of the same task or budget got ahead; more than this many in a row is not chance.
const ROUNDS_MAX: usize = 16;
const TASK_STATES_MAX: u64 = 100_000;
