//! A call that stays open while people think: it hears of every change of the plane, never asks in a circle, and ends with the
//! task, the agent, the answer, or its bound, whichever comes first. It decides nothing: what moved is decided again.

use super::Held;
use crate::{act::stopped, identify::Caller, pipeline::Pipeline, refusal::Refusal};
use moka::sync::Cache;
use provost_domain::{
    Approval, Directory, DurationMs, Name, Seq, Timestamp, approval::ApprovalStatus, limits::Limits,
};
use provost_lifecycle::approval as life;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// One open call that waits for an approval. Dropping it is all there is to giving up.
pub(crate) struct Wait {
    pipeline: Arc<Pipeline>,
    caller: Caller,
    held: Box<Held>,
    moves: watch::Receiver<Seq>,
    until: Timestamp,
    said: Option<(String, Timestamp)>,
    /// Whether the row was in the view: it is committed before, and may come a moment later.
    seen: bool,
    _slot: Slot,
}

/// What a waiting call hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It still waits: for whom, in words.
    Still(String),
    /// Somebody answered, or what it is bound to has changed.
    Moved,
    /// It was held open for as long as it may be.
    Enough,
    /// The agent or the task may not go on, and why.
    Stopped(String),
}

impl Wait {
    /// From now on; `None` when too many wait like this already, or nobody is to wait.
    pub(crate) fn open(
        pipeline: &Arc<Pipeline>,
        caller: &Caller,
        held: Box<Held>,
    ) -> Result<Self, Box<Held>> {
        let now = pipeline.now();
        let most = pipeline.hold_open_max();
        let slot = pipeline.slots.take(&caller.agent.name);
        let (Some(slot), true) = (slot, most.0 > 0) else { return Err(held) };
        Ok(Self {
            pipeline: Arc::clone(pipeline),
            caller: caller.clone(),
            moves: pipeline.replica.moves(),
            until: now.plus(most),
            held,
            said: None,
            seen: false,
            _slot: slot,
        })
    }

    /// Goes on waiting for what was asked for instead, within the same bound.
    pub(crate) fn on(self, held: Box<Held>) -> Self {
        Self { held, seen: false, ..self }
    }

    /// Who waits.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// For what.
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// Until when at most.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }

    /// The next thing to hear: at once when it is new, at last when its bound is reached. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            self.moves.borrow_and_update();
            let now = self.pipeline.now();
            let view = self.pipeline.replica.latest();
            if let Some(heard) = self.look(&view.directory, now) {
                return heard;
            }
            let spoken = self.said.as_ref().map_or(now, |(_words, at)| at.plus(SPEAK_EVERY));
            let next = spoken.min(self.until).min(self.held.approval.expires);
            tokio::select! {
                moved = self.moves.changed() => if moved.is_err() {
                    return Heard::Stopped("the plane is stopping".to_owned());
                },
                () = tokio::time::sleep(next.since(now).to_std().max(LEAST)) => {}
            }
        }
    }

    fn look(&mut self, directory: &Directory, now: Timestamp) -> Option<Heard> {
        let approval = &self.held.approval;
        let tool = directory.tools.get(&(approval.system.clone(), approval.tool.clone()));
        let about = (&approval.system, tool.map(AsRef::as_ref));
        if let Some(why) = stopped(&self.caller, about, directory, now) {
            return Some(Heard::Stopped(why));
        }
        let known = directory.approvals.get(&approval.id);
        if known.is_none() && !self.seen && now < self.until {
            return None;
        }
        self.seen = true;
        let Some(row) = known.filter(|row| still_waiting(directory, row, now)) else {
            return Some(Heard::Moved);
        };
        if now >= self.until {
            return Some(Heard::Enough);
        }
        let words = super::words::waits_for(row, directory, now);
        let due = match &self.said {
            Some((said, at)) => *said != words || now >= at.plus(SPEAK_EVERY),
            None => true,
        };
        due.then(|| {
            self.said = Some((words.clone(), now));
            Heard::Still(words)
        })
    }
}

/// Whether nothing has happened to it, and what it is bound to is as it was as far as can be told without deciding.
fn still_waiting(directory: &Directory, row: &Approval, now: Timestamp) -> bool {
    let agent = directory.agents.get(&row.agent);
    let tool = directory.tools.get(&(row.system.clone(), row.tool.clone()));
    agent.is_some_and(|agent| agent.revision == row.bound.revision)
        && tool.is_none_or(|tool| tool.pin == row.bound.pin)
        && row.status == ApprovalStatus::Waiting
        && life::expire(row, now).is_none()
}

impl Pipeline {
    /// Where a held call stands now, whoever decided what meanwhile; its own decision stays the one that held it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn standing(&self, held: &Held) -> Result<Held, Refusal> {
        let now = self.now();
        let found = provost_store::approval(self.store.as_ref(), &held.approval.id).await?;
        let row = found.map_or_else(|| held.approval.clone(), |(_version, row)| row);
        let row = life::expire(&row, now).unwrap_or(row);
        self.held_as(Arc::clone(&held.decision), &row).await
    }

    /// For how long this organisation lets a call stay open, within the node's limit.
    pub(crate) fn hold_open_max(&self) -> DurationMs {
        life::rules(&self.replica.latest().directory).hold_open.min(self.limits.held_open_max)
    }
}

/// Room for calls that stay open while people think.
pub(crate) struct Slots {
    node: Arc<Semaphore>,
    agents: Cache<Name, Arc<Semaphore>>,
    per_agent_max: usize,
}

/// Room for one of them; free again on drop.
struct Slot {
    _node: OwnedSemaphorePermit,
    _agent: OwnedSemaphorePermit,
}

impl Slots {
    /// All free.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            node: Arc::new(Semaphore::new(limits.held_open_calls_max)),
            agents: Cache::builder().max_capacity(AGENTS_COUNTED_MAX).build(),
            per_agent_max: limits.held_open_calls_per_agent_max,
        }
    }

    /// `None` when there is no room: the agent is told to come back, as everybody else.
    fn take(&self, agent: &Name) -> Option<Slot> {
        let of_agent = self.agents.get_with(agent.clone(), || Arc::new(Semaphore::new(self.per_agent_max)));
        let agent = of_agent.try_acquire_owned().ok()?;
        let node = Arc::clone(&self.node).try_acquire_owned().ok()?;
        Some(Slot { _node: node, _agent: agent })
    }
}

/// A client hears of the same at least so often: some give up on a call that is silent.
const SPEAK_EVERY: DurationMs = DurationMs::from_secs(15);
/// Clocks that are read twice may differ by a moment; nobody asks again at once.
const LEAST: Duration = Duration::from_millis(5);
const AGENTS_COUNTED_MAX: u64 = 100_000;
