//! Acting: the one way from a permit to a system. Whatever was sent gets an outcome on record before its result is
//! released; what was sent and has no known answer is `unknown`, never `success`. A stop order is watched for the
//! whole life of the call, streams included.

use crate::{decide::Attempt, outcome, pipeline::Pipeline, refusal::Refusal};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderName, HeaderValue};
use moka::sync::Cache;
use provost_connect::{Replies, Upstream, UpstreamError};
use provost_domain::{
    Completion, DecisionId, Digest, Label, Level, Outcome, TaskId, Timestamp, agent::AgentStatus,
    directory::Directory, limits::Limits,
};
use provost_store::Permit;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// One message to one system, ready to be sent.
pub struct Work {
    /// The caller's connection.
    pub upstream: Arc<Upstream>,
    /// The whole JSON-RPC request.
    pub request: Bytes,
    /// `Mcp-Param-*` headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The caller's place among the calls at once, held for the life of the call.
    pub place: Place,
}

/// A permitted call under way.
pub struct Running {
    pipeline: Arc<Pipeline>,
    attempt: Attempt,
    replies: Option<Replies>,
    moves: watch::Receiver<provost_domain::Seq>,
    account: Account,
    _place: Place,
}

/// A place among the calls that may be under way at once, of the task and of the node; freed on drop.
pub struct Place {
    _task: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

/// The places of a node.
pub struct Places {
    node: Arc<Semaphore>,
    tasks: Cache<TaskId, Arc<Semaphore>>,
    calls_per_node_max: usize,
    calls_per_task_max: usize,
}

impl Places {
    /// All free.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            node: Arc::new(Semaphore::new(limits.calls_per_node_max)),
            tasks: Cache::builder().max_capacity(TASKS_COUNTED_MAX).build(),
            calls_per_node_max: limits.calls_per_node_max,
            calls_per_task_max: limits.calls_per_task_max,
        }
    }

    /// A place for one more call of a task.
    ///
    /// # Errors
    /// [`Refusal::Limit`] when the task or the node has none left.
    pub fn take(&self, task: TaskId) -> Result<Place, Refusal> {
        let of_task = self.tasks.get_with(task, || Arc::new(Semaphore::new(self.calls_per_task_max)));
        let full = |limit, value: usize| Refusal::Limit {
            limit,
            value: value.try_into().unwrap_or(u64::MAX),
            cure: "wait until a call under way has ended",
        };
        let task = of_task.try_acquire_owned().map_err(|_none| full("calls_per_task_max", self.calls_per_task_max))?;
        let node = Arc::clone(&self.node).try_acquire_owned();
        let node = node.map_err(|_none| full("calls_per_node_max", self.calls_per_node_max))?;
        Ok(Place { _task: task, _node: node })
    }
}

/// Carries out a permitted call; spends the permit.
///
/// # Errors
/// When the system could not be reached, or refused the connection; the outcome is then on record.
pub async fn forward(permit: Permit, attempt: Attempt, work: Work, pipeline: &Arc<Pipeline>) -> Result<Running, Refusal> {
    let account = Account::open(&permit, &attempt, pipeline);
    let mut running = Running {
        pipeline: Arc::clone(pipeline),
        moves: pipeline.replica.moves(),
        attempt,
        replies: None,
        account,
        _place: work.place,
    };
    // A stop that was committed while the decision was being written binds here.
    running.check()?;
    running.send(&work.upstream, work.request, work.headers).await?;
    Ok(running)
}

impl Running {
    /// The decision this call stands on.
    #[must_use]
    pub fn decision(&self) -> DecisionId {
        self.account.decision
    }

    /// The attempt that was permitted.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// The next message from the system: notifications and questions, then the response. The response is released
    /// by [`Running::finish`] only.
    ///
    /// # Errors
    /// When the call was cut, or the system failed; the outcome is then on record.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let Some(replies) = self.replies.as_mut() else { return Ok(None) };
            let left = self.attempt.caller.task.left(self.pipeline.now());
            tokio::select! {
                biased;
                changed = self.moves.changed() => {
                    if changed.is_err() {
                        return Err(self.cut("the plane is stopping".to_owned()).await);
                    }
                    self.check_or_cut().await?;
                }
                () = tokio::time::sleep(left.to_std().min(LOOK_EVERY)) => self.check_or_cut().await?,
                reply = replies.next() => return match reply {
                    Some(Ok(message)) => Ok(Some(message)),
                    Some(Err(error)) => Err(self.failed(error).await),
                    None => {
                        self.replies = None;
                        Ok(None)
                    }
                },
            }
        }
    }

    /// Sends a further message of the same permitted call: the next round of one that needed input.
    ///
    /// # Errors
    /// As [`forward`].
    pub async fn send(
        &mut self,
        upstream: &Upstream,
        request: Bytes,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<(), Refusal> {
        self.account.sent = true;
        match upstream.request(request, headers).await {
            Ok(replies) => {
                self.replies = Some(replies);
                Ok(())
            }
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// Puts the outcome on record and the labels into the task's state, then lets the result go.
    ///
    /// # Errors
    /// When the labels could not be made durable: the result must not be released.
    pub async fn finish(mut self, response: &[u8]) -> Result<(), Refusal> {
        let seen = outcome::read(response);
        let labels = self.attempt.tool.as_ref().map(|tool| outcome::labels(tool, &seen)).unwrap_or_default();
        let known = self.pipeline.task_state(self.attempt.caller.task.id).await?.labels;
        let completion = self.account.close(seen.outcome, labels, Some(Digest::of(response)), self.pipeline.now());
        let Some(completion) = completion else { return Ok(()) };
        self.pipeline.metrics.completed(&completion);
        let task = self.attempt.caller.task.id;
        if completion.labels.is_subset(&known) {
            // Nothing the next decision depends on: the outcome may become durable while the answer travels. Should
            // this node die first, the outcome is `unknown` at the next start.
            let pipeline = Arc::clone(&self.pipeline);
            tokio::spawn(async move { pipeline.settle(completion, Some(task)).await });
            return Ok(());
        }
        let state = self.pipeline.journal.complete(completion, Some(task)).await?;
        self.pipeline.remember(task, state);
        Ok(())
    }

    /// The client went away in a way that means cancel.
    pub async fn cancel(mut self) {
        self.replies = None;
        let outcome = Outcome::Unknown { error: "cancelled by the client before the system answered".to_owned() };
        self.settle(outcome).await;
    }

    async fn check_or_cut(&mut self) -> Result<(), Refusal> {
        match self.may_go_on() {
            Ok(()) => Ok(()),
            Err(why) => Err(self.cut(why).await),
        }
    }

    fn check(&mut self) -> Result<(), Refusal> {
        self.may_go_on().map_err(Refusal::Cut)
    }

    /// Whether the newest view still lets this agent and task act; not a new decision, only the stops.
    fn may_go_on(&self) -> Result<(), String> {
        let directory = &self.pipeline.replica.latest().directory;
        stopped(&self.attempt, directory, self.pipeline.now()).map_or(Ok(()), Err)
    }

    async fn cut(&mut self, why: String) -> Refusal {
        self.replies = None; // dropping them cancels the request at the system
        self.settle(Outcome::Unknown { error: format!("cut by the plane: {why}") }).await;
        Refusal::Cut(why)
    }

    async fn failed(&mut self, error: UpstreamError) -> Refusal {
        self.replies = None;
        let text: String = error.to_string().chars().take(OUTCOME_ERROR_CHARS_MAX).collect();
        let outcome = match error.may_have_acted() {
            true => Outcome::Unknown { error: text.clone() },
            false => Outcome::Unsent { error: text.clone() },
        };
        self.settle(outcome).await;
        Refusal::Upstream(text)
    }

    async fn settle(&mut self, outcome: Outcome) {
        if let Some(completion) = self.account.close(outcome, BTreeSet::new(), None, self.pipeline.now()) {
            self.pipeline.metrics.completed(&completion);
            self.pipeline.settle(completion, None).await;
        }
    }
}

impl Pipeline {
    /// Writes an outcome that no waiting result depends on. If it cannot be written, the call stays open in the store
    /// and is `unknown` from the next start on.
    pub(crate) async fn settle(&self, completion: Completion, task: Option<TaskId>) {
        let decision = completion.decision;
        if let Err(error) = self.journal.complete(completion, task).await {
            tracing::error!(%error, %decision, "the outcome of a call could not be recorded; it stays unknown");
        }
    }
}

/// What is owed to the record for one permitted call: exactly one outcome.
struct Account {
    pipeline: Arc<Pipeline>,
    decision: DecisionId,
    started: Timestamp,
    sent: bool,
    closed: bool,
}

impl Account {
    fn open(permit: &Permit, _attempt: &Attempt, pipeline: &Arc<Pipeline>) -> Self {
        Self {
            pipeline: Arc::clone(pipeline),
            decision: permit.decision(),
            started: pipeline.now(),
            sent: false,
            closed: false,
        }
    }

    /// The record of the outcome; `None` if there is one already.
    fn close(
        &mut self,
        outcome: Outcome,
        labels: BTreeSet<Label>,
        result: Option<Digest>,
        now: Timestamp,
    ) -> Option<Completion> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        Some(Completion { v: 1, decision: self.decision, at: now, outcome, took_ms: now.since(self.started).0, labels, result })
    }
}

impl Drop for Account {
    /// A call that is dropped (its client hung up, its handler panicked) still gets its outcome.
    fn drop(&mut self) {
        let error = "the call was dropped before the system answered".to_owned();
        let outcome = if self.sent { Outcome::Unknown { error } } else { Outcome::Unsent { error } };
        let now = self.pipeline.now();
        if let (Some(completion), Ok(runtime)) =
            (self.close(outcome, BTreeSet::new(), None, now), tokio::runtime::Handle::try_current())
        {
            let pipeline = Arc::clone(&self.pipeline);
            runtime.spawn(async move { pipeline.settle(completion, None).await });
        }
    }
}

/// Why this agent or task may no longer act, if so.
fn stopped(attempt: &Attempt, directory: &Directory, now: Timestamp) -> Option<String> {
    let (agent, task) = (&attempt.caller.agent.name, attempt.caller.task.id);
    match directory.agents.get(agent) {
        None => return Some(format!("the agent {agent} is gone")),
        Some(agent) if agent.status != AgentStatus::Active => {
            return Some(format!("the agent {} is {}", agent.name, agent.status));
        }
        Some(agent) if agent.level == Level::Off => return Some(format!("the agent {} is contained", agent.name)),
        Some(_active) => {}
    }
    if !directory.systems.contains_key(&attempt.system.name) {
        return Some(format!("the system {} is gone", attempt.system.name));
    }
    match directory.tasks.get(&task) {
        Some(task) if task.is_live(now) => None,
        _ => Some(format!("the task {task} has ended")),
    }
}

const TASKS_COUNTED_MAX: u64 = 100_000;
const LOOK_EVERY: Duration = Duration::from_secs(5);
const OUTCOME_ERROR_CHARS_MAX: usize = 500;
