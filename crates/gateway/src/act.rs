//! Acting: the one way from a permit to a system. Whatever was sent gets an outcome on record before its result is
//! released; what was sent and has no known answer is `unknown`, never `success`. A stop order is watched for the
//! whole life of the call, streams included.

mod api;
mod look;

pub use api::{ApiWork, ask_api};

use crate::{
    decide::Attempt,
    identify::Caller,
    memory,
    outcome::{self, Brought, Seen},
    pipeline::Pipeline,
    refusal::Refusal,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderName, HeaderValue};
use moka::sync::Cache;
use provost_connect::{Upstream, UpstreamError};
use provost_domain::{
    Completion, DecisionId, Digest, DurationMs, Label, Level, Name, Outcome, Seq, TaskId, Timestamp, Tool,
    agent::AgentStatus, directory::Directory, limits::Limits,
};
use provost_mcp::Response;
use provost_store::Permit;
use std::{collections::BTreeSet, pin::Pin, sync::Arc, time::Duration};
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
    incoming: Option<Incoming>,
    watch: Watch,
    account: Account,
    _place: Place,
}

/// What a system answers to one request, from before the request is on its way: polling it sends the request.
pub type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, UpstreamError>> + Send + Sync>>;

/// A request as the answers it will get.
pub fn ask(upstream: Arc<Upstream>, request: Bytes, headers: Vec<(HeaderName, HeaderValue)>) -> Incoming {
    Box::pin(stream::once(async move { upstream.request(request, headers).await }).try_flatten())
}

/// Tells when a caller may no longer act on a system.
pub struct Watch {
    pipeline: Arc<Pipeline>,
    caller: Caller,
    system: Name,
    /// The operation that is under way; none for a stream that only listens.
    tool: Option<Arc<Tool>>,
    moves: watch::Receiver<Seq>,
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
        let task = of_task
            .try_acquire_owned()
            .map_err(|_none| full("calls_per_task_max", self.calls_per_task_max))?;
        let node = Arc::clone(&self.node).try_acquire_owned();
        let node = node.map_err(|_none| full("calls_per_node_max", self.calls_per_node_max))?;
        Ok(Place { _task: task, _node: node })
    }
}

impl Watch {
    /// For this caller, system and operation, from now on.
    #[must_use]
    pub fn new(pipeline: &Arc<Pipeline>, caller: &Caller, system: &Name, tool: Option<Arc<Tool>>) -> Self {
        let moves = pipeline.replica.moves();
        let (pipeline, caller, system) = (Arc::clone(pipeline), caller.clone(), system.clone());
        Self { pipeline, caller, system, tool, moves }
    }

    /// Resolves with the reason as soon as the caller may no longer act: a change of the plane, or the end of the task.
    /// May be dropped at any time and asked again.
    pub async fn stopped(&mut self) -> String {
        loop {
            // Also before anything moves: what began after the stop must not last until the next look.
            if let Err(why) = self.may_go_on() {
                return why;
            }
            let left = self.caller.task.left(self.pipeline.now());
            tokio::select! {
                biased;
                changed = self.moves.changed() => if changed.is_err() {
                    return "the plane is stopping".to_owned();
                },
                () = tokio::time::sleep(left.to_std().min(LOOK_EVERY)) => {}
            }
        }
    }

    /// Whether the newest view still lets this agent and task act; not a new decision, only the stops.
    ///
    /// # Errors
    /// Why not.
    pub fn may_go_on(&self) -> Result<(), String> {
        let directory = &self.pipeline.replica.latest().directory;
        let tool = self.tool.as_deref();
        stopped(&self.caller, (&self.system, tool), directory, self.pipeline.now()).map_or(Ok(()), Err)
    }
}

/// Carries out a permitted call; spends the permit. The request is sent when [`Running::next`] is first asked.
///
/// # Errors
/// [`Refusal::Cut`] when a stop was committed while the decision was being written; the outcome is then on record.
pub fn forward(
    permit: Permit,
    attempt: Attempt,
    work: Work,
    pipeline: &Arc<Pipeline>,
) -> Result<Running, Refusal> {
    let mut running = Running::open(permit, attempt, work.place, pipeline);
    // A stop that was committed while the decision was being written binds here.
    running.check()?;
    running.send(work.upstream, work.request, work.headers);
    Ok(running)
}

/// Hands a permitted call to an enforcement point that carries it out itself (the local wrapper), and keeps its
/// account; spends the permit. From here on it counts as sent.
///
/// # Errors
/// [`Refusal::Cut`] when a stop was committed while the decision was being written; the outcome is then on record.
pub fn entrust(
    permit: Permit,
    attempt: Attempt,
    place: Place,
    pipeline: &Arc<Pipeline>,
) -> Result<Running, Refusal> {
    let mut running = Running::open(permit, attempt, place, pipeline);
    running.check()?;
    running.account.sent = true;
    Ok(running)
}

impl Running {
    fn open(permit: Permit, attempt: Attempt, place: Place, pipeline: &Arc<Pipeline>) -> Self {
        let account = Account::open(&permit, &attempt, pipeline);
        let watch = Watch::new(pipeline, &attempt.caller, &attempt.system.name, attempt.tool.clone());
        Self { pipeline: Arc::clone(pipeline), attempt, incoming: None, watch, account, _place: place }
    }

    /// The decision this call stands on.
    #[must_use]
    pub fn decision(&self) -> DecisionId {
        self.account.decision
    }

    /// How long a call may last altogether.
    #[must_use]
    pub fn call_duration_max(&self) -> DurationMs {
        self.pipeline.limits.call_duration_max
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
        let Some(incoming) = self.incoming.as_mut() else { return Ok(None) };
        tokio::select! {
            biased;
            why = self.watch.stopped() => Err(self.cut(why).await),
            reply = incoming.next() => match reply {
                Some(Ok(message)) => Ok(Some(message)),
                Some(Err(error)) => Err(self.failed(error).await),
                None => {
                    self.incoming = None;
                    Ok(None)
                }
            },
        }
    }

    /// Sends a message of this permitted call, the first or the next round of one that needed input, as soon as
    /// [`Running::next`] is asked.
    pub fn send(&mut self, upstream: Arc<Upstream>, request: Bytes, headers: Vec<(HeaderName, HeaderValue)>) {
        self.account.sent = true;
        self.incoming = Some(ask(upstream, request, headers));
    }

    /// Puts the outcome on record and the labels into the task's state, then lets the result go.
    ///
    /// # Errors
    /// When the labels could not be made durable: the result must not be released.
    pub async fn finish(mut self, response: &Response<'_>) -> Result<(), Refusal> {
        let result = Digest::of(response.raw.as_str().as_bytes());
        let brought = match memory::is_traced(&self.attempt) {
            true => outcome::brought(response),
            false => Brought::Unseen,
        };
        self.put_on_record(&outcome::of(response), &brought, Some(result)).await
    }

    /// As [`Running::finish`], and the outcome is durable on return whatever the labels: for a result that another
    /// process releases.
    ///
    /// # Errors
    /// As [`Running::finish`].
    pub async fn finish_durably(mut self, response: &[u8]) -> Result<(), Refusal> {
        let result = Some(Digest::of(response));
        let chunk = self.pipeline.chunk(&self.attempt, &outcome::read_brought(response)).await?;
        let Some(completion) = self.completion(&outcome::read(response), result) else { return Ok(()) };
        self.pipeline.complete(&self.attempt.caller, completion, chunk).await
    }

    /// Puts an outcome on record that brings no result.
    pub async fn close(mut self, outcome: Outcome) {
        self.incoming = None;
        self.settle(outcome).await;
    }

    /// Waits until the call must be stopped, and tells why; what is to be done about it is the caller's. May be
    /// dropped at any time.
    pub async fn stop_ordered(&mut self) -> String {
        self.watch.stopped().await
    }

    /// The client went away in a way that means cancel.
    pub async fn cancel(mut self) {
        self.incoming = None;
        let outcome =
            Outcome::Unknown { error: "cancelled by the client before the system answered".to_owned() };
        self.settle(outcome).await;
    }

    /// The record of what came of it; `None` if there is one already.
    fn completion(&mut self, seen: &Seen, result: Option<Digest>) -> Option<Completion> {
        let labels = self.attempt.tool.as_ref().map(|tool| outcome::labels(tool, seen)).unwrap_or_default();
        let completion = self.account.close(seen.outcome.clone(), labels, result, self.pipeline.now())?;
        self.count(&completion);
        Some(completion)
    }

    /// Puts the outcome on record: durable on return if the next decision depends on it.
    async fn put_on_record(
        &mut self,
        seen: &Seen,
        brought: &Brought,
        result: Option<Digest>,
    ) -> Result<(), Refusal> {
        let task = self.attempt.caller.task.id;
        let known = self.pipeline.task_state(task).await?.labels;
        let chunk = self.pipeline.chunk(&self.attempt, brought).await?;
        let Some(completion) = self.completion(seen, result) else { return Ok(()) };
        if completion.labels.is_subset(&known) && chunk.is_none() {
            // Nothing the next decision depends on: the outcome may become durable while the answer travels. Should
            // this node die first, the outcome is `unknown` at the next start.
            let pipeline = Arc::clone(&self.pipeline);
            tokio::spawn(async move { pipeline.settle(completion, Some(task)).await });
            return Ok(());
        }
        self.pipeline.complete(&self.attempt.caller, completion, chunk).await
    }

    fn check(&mut self) -> Result<(), Refusal> {
        self.watch.may_go_on().map_err(Refusal::Cut)
    }

    /// Ends the call from this side.
    pub(crate) async fn cut(&mut self, why: String) -> Refusal {
        self.incoming = None; // dropping them cancels the request at the system
        self.settle(Outcome::Unknown { error: format!("cut by the plane: {why}") }).await;
        Refusal::Cut(why)
    }

    async fn failed(&mut self, error: UpstreamError) -> Refusal {
        self.incoming = None;
        self.pipeline.note_refused(&self.attempt.system, &self.attempt.caller, &error);
        let text: String = error.to_string().chars().take(OUTCOME_ERROR_CHARS_MAX).collect();
        let outcome = match error.may_have_acted() {
            true => Outcome::Unknown { error: text.clone() },
            false => Outcome::Unsent { error: text.clone() },
        };
        self.settle(outcome).await;
        Refusal::Upstream(text)
    }

    fn count(&self, completion: &Completion) {
        self.pipeline.metrics.completed(completion);
        self.pipeline.came_of(&self.attempt, completion);
    }

    async fn settle(&mut self, outcome: Outcome) {
        if let Some(completion) = self.account.close(outcome, BTreeSet::new(), None, self.pipeline.now()) {
            self.count(&completion);
            self.pipeline.settle(completion, None).await;
        }
    }
}

impl Pipeline {
    /// Completes a permitted action that consists in nothing being sent.
    pub(crate) async fn close_unsent(&self, permit: Permit) {
        let completion = Completion {
            v: 1,
            decision: permit.decision(),
            at: self.now(),
            outcome: Outcome::Success,
            took_ms: 0,
            labels: BTreeSet::new(),
            result: None,
        };
        self.settle(completion, None).await;
    }

    /// Writes an outcome that no waiting result depends on. If it cannot be written, the call stays open in the store
    /// and is `unknown` from the next start on.
    pub(crate) async fn settle(&self, completion: Completion, task: Option<TaskId>) {
        let decision = completion.decision;
        if let Err(error) = self.journal.complete_in_company(completion, task).await {
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
        Some(Completion {
            v: 1,
            decision: self.decision,
            at: now,
            outcome,
            took_ms: now.since(self.started).0,
            labels,
            result,
        })
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

/// Why this agent or task may no longer act on this system, or go on with this operation of it, if so. Not a decision,
/// only the stops.
pub(crate) fn stopped(
    caller: &Caller,
    (system, tool): (&Name, Option<&Tool>),
    directory: &Directory,
    now: Timestamp,
) -> Option<String> {
    let above = caller.chain.iter().map(|link| (&link.agent.name, link.task.id));
    let acting = std::iter::once((&caller.agent.name, caller.task.id)).chain(above);
    if !directory.systems.contains_key(system) {
        return Some(format!("the system {system} is gone"));
    }
    acting.into_iter().find_map(|(agent, task)| {
        ended(agent, task, directory, now).or_else(|| contained(agent, (system, tool), directory))
    })
}

/// Why this agent or task may do nothing at all any more, if so.
pub(crate) fn stopped_altogether(caller: &Caller, directory: &Directory, now: Timestamp) -> Option<String> {
    let above = caller.chain.iter().map(|link| (&link.agent.name, link.task.id));
    let acting = std::iter::once((&caller.agent.name, caller.task.id)).chain(above);
    acting.into_iter().find_map(|(agent, task)| {
        ended(agent, task, directory, now).or_else(|| {
            let order = directory.order_off(directory.agents.get(agent)?)?;
            Some(format!("contained by {}: {}", order.id, order.words()))
        })
    })
}

/// The order by which a call of this agent may not go on, in words that name it.
fn contained(agent: &Name, (system, tool): (&Name, Option<&Tool>), directory: &Directory) -> Option<String> {
    if directory.containments.is_empty() {
        return None;
    }
    let agent = directory.agents.get(agent)?;
    let (organisation, name) = (directory.organisation.as_deref(), tool.map(|tool| &tool.name));
    let mut matching = directory.containments.matching(agent, organisation, system, name);
    let order = matching.find(|order| order.level.cuts(tool))?;
    Some(format!("contained by {}: {}", order.id, order.words()))
}

/// Why an agent may no longer act in a task of its own, if so.
fn ended(agent: &Name, task: TaskId, directory: &Directory, now: Timestamp) -> Option<String> {
    match directory.agents.get(agent) {
        None => return Some(format!("the agent {agent} is gone")),
        Some(agent) if agent.status != AgentStatus::Active => {
            return Some(format!("the agent {} is {}", agent.name, agent.status));
        }
        Some(agent) if agent.level == Level::Off => {
            return Some(format!("the agent {} is contained", agent.name));
        }
        Some(_active) => {}
    }
    match directory.tasks.get(&task) {
        Some(task) if task.is_live(now) => None,
        _ => Some(format!("the task {task} has ended")),
    }
}

const TASKS_COUNTED_MAX: u64 = 100_000;
const LOOK_EVERY: Duration = Duration::from_secs(5);
const OUTCOME_ERROR_CHARS_MAX: usize = 500;
