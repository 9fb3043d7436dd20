//! Gone, not dormant (REQUIREMENTS.md B5): the plane does not believe that an ended task is gone, it tries. For each task
//! that ended, however it did, it makes a token that is good in every other way, presents it at each of its own faces that
//! the task could have reached, and writes what they said into the task's row, and so into the ledger.
//!
//! ```text
//! a change ends a task ─▶ owed ─▶ claimed ─▶ tried (door.rs, faces.rs) ─▶ row.trial
//!                          ▲                                 │
//!                          └──── a face did not refuse ◀─────┘   alarm; again later, a few times
//! ```
//!
//! What is owed is read from the changes themselves, so that it makes no difference who ended the task, on which node, and
//! whether a node stopped in between. How far everything is settled stands in the store ([`POSITION`]). A round of a task is
//! claimed in the store before it is tried, and its result is a change of the row at the version that was read: of several
//! nodes, one tries.

mod door;
mod faces;
mod queue;

pub use door::Door;
pub(crate) use door::Request as DoorRequest;
pub(crate) use faces::try_all;

use crate::{Action, ControlError, Op, Operator, change::Draft, plane::Plane};
use provost_domain::{
    Digest, DurationMs, Object, ObjectKey, Task, TaskId,
    task::{Probe, ProbeAnswer, TaskStatus, Trial},
};
use provost_store::CommitError;
use queue::Queue;
use std::sync::Arc;
use tokio::{sync::watch, task::JoinSet};

/// Tries ended tasks for as long as the node lives, at the faces behind this door.
pub async fn run(plane: Arc<Plane>, door: Door, mut stop: watch::Receiver<bool>) {
    let door = Arc::new(door);
    let mut moves = plane.replica.moves();
    let mut queue = None;
    while !*stop.borrow() {
        let wait = match turn(&plane, &door, &mut queue).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "ended tasks could not be tried; that is made up for");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait.to_std()) => {}
            moved = moves.changed() => {
                if moved.is_err() { return }
                // Changes come in crowds: what ended in this moment is tried together.
                tokio::time::sleep(GATHER.to_std()).await;
            }
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Tries everything that is owed and due now, once. Gives how many tasks were tried by this node.
///
/// # Errors
/// When the store fails; what is owed stays owed.
pub async fn once(plane: &Arc<Plane>, door: &Arc<Door>) -> Result<usize, ControlError> {
    let mut queue = open(plane).await?;
    queue.read(plane.store.as_ref()).await?;
    let tried = try_due(plane, door, &mut queue).await?;
    queue.read(plane.store.as_ref()).await?;
    settle(plane, &mut queue).await?;
    Ok(tried)
}

/// One look at what is owed; gives how long nothing more is due.
async fn turn(
    plane: &Arc<Plane>,
    door: &Arc<Door>,
    queue: &mut Option<Queue>,
) -> Result<DurationMs, ControlError> {
    let queue = match queue {
        Some(queue) => queue,
        none => none.insert(open(plane).await?),
    };
    queue.read(plane.store.as_ref()).await?;
    try_due(plane, door, queue).await?;
    queue.read(plane.store.as_ref()).await?;
    settle(plane, queue).await?;
    Ok(queue.next_due(plane.now()).unwrap_or(LOOK_EVERY).min(LOOK_EVERY))
}

/// From where everything may still be owed. A plane that never tried anything begins with what ends from now on.
async fn open(plane: &Plane) -> Result<Queue, ControlError> {
    Ok(Queue::from(crate::position::remembered(plane, POSITION, "ended tasks were tried").await?))
}

/// Remembers how far nothing is owed any more.
async fn settle(plane: &Plane, queue: &mut Queue) -> Result<(), ControlError> {
    let Some(position) = queue.settled() else { return Ok(()) };
    plane.store.put_meta(POSITION, position.0.to_string().as_bytes()).await?;
    queue.remembered(position);
    Ok(())
}

async fn try_due(plane: &Arc<Plane>, door: &Arc<Door>, queue: &mut Queue) -> Result<usize, ControlError> {
    let mut due = queue.due(plane.now()).into_iter();
    let mut trying = JoinSet::new();
    let mut tried = 0_usize;
    loop {
        while trying.len() < AT_ONCE
            && let Some((id, round)) = due.next()
        {
            let (plane, door) = (Arc::clone(plane), Arc::clone(door));
            // Until its record is read back, or somebody else's, or the claim runs out.
            queue.put_off(id, plane.now().plus(CLAIMED_FOR));
            trying.spawn(async move { (id, try_task(&plane, &door, id, round).await) });
        }
        match trying.join_next().await {
            None => return Ok(tried),
            Some(Ok((_id, Ok(true)))) => tried = tried.saturating_add(1),
            Some(Ok((_id, Ok(false)))) => {}
            Some(Ok((id, Err(error)))) => {
                tracing::warn!(task = %id, %error, "an ended task could not be tried; it is tried again");
            }
            Some(Err(error)) => return Err(ControlError::us("trying ended tasks broke down", error)),
        }
    }
}

/// One round of one task; false when it is another node's, or done.
async fn try_task(plane: &Arc<Plane>, door: &Door, id: TaskId, round: u8) -> Result<bool, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "gone".to_owned(), plane: Arc::clone(plane) };
    let authorised = op.authorize(Action::TaskTry)?;
    let key = ObjectKey::task(id);
    let now = plane.now();
    let claim = Digest::of(format!("gone {id} {round}").as_bytes());
    if !plane.store.remember(claim, now.plus(CLAIMED_FOR), now).await? {
        return Ok(false);
    }
    // A node that has not heard of the end yet would be accused of what is only news on its way.
    plane.replica.catch_up().await?;
    let versions = authorised.versions(std::slice::from_ref(&key)).await?;
    let last = plane.store.history(&key, 1).await?.pop();
    let Some(Object::Task(mut task)) = last.and_then(|record| record.after) else { return Ok(false) };
    if task.status != TaskStatus::Ended || task.trial.as_ref().is_some_and(|trial| trial.round >= round) {
        return Ok(false);
    }
    let probes = faces::try_all(plane, door, &task).await?;
    alarm(plane, &task, round, &probes);
    let what = summary(&probes);
    task.trial = Some(Box::new(Trial { round, probes }));
    let drafts = vec![Draft::Put(Object::Task(task))];
    match authorised.commit(drafts, &versions, &what, "it ended, and must be gone everywhere").await {
        Ok(_seq) => Ok(true),
        Err(CommitError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn alarm(plane: &Plane, task: &Task, round: u8, probes: &[Probe]) {
    for probe in probes {
        plane.metrics.tried(probe.answer);
        match probe.answer {
            ProbeAnswer::Refused => {}
            ProbeAnswer::Accepted => tracing::error!(
                task = %task.id, agent = %task.agent, face = %probe.face, status = probe.status, round,
                "ALARM: a face did not refuse a token of a task that has ended"
            ),
            ProbeAnswer::Unreachable => tracing::warn!(
                task = %task.id, agent = %task.agent, face = %probe.face, status = probe.status, round,
                "a face could not be asked whether it refuses a token of a task that has ended"
            ),
        }
    }
    if round >= ROUNDS_MAX && probes.iter().any(|probe| probe.answer != ProbeAnswer::Refused) {
        tracing::error!(task = %task.id, "given up: this ended task is not tried again");
    }
}

/// `tried after its end: 5 faces refused`.
fn summary(probes: &[Probe]) -> String {
    let count = |answer: ProbeAnswer| probes.iter().filter(|probe| probe.answer == answer).count();
    let words = [
        (count(ProbeAnswer::Refused), "refused"),
        (count(ProbeAnswer::Accepted), "DID NOT REFUSE"),
        (count(ProbeAnswer::Unreachable), "could not be asked"),
    ];
    let said = words.iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, word)| format!("{count} {word}")).collect();
    format!("tried at {} faces after its end: {}", probes.len(), said.join(", "))
}

/// Every ended task up to here is settled.
const POSITION: &str = "gone-position";
/// Tasks tried at once by one node.
const AT_ONCE: usize = 4;
/// How often a task is tried whose token some face did not refuse.
const ROUNDS_MAX: u8 = 8;
/// A claim of a node that died in between runs out after this.
const CLAIMED_FOR: DurationMs = DurationMs::from_mins(1);
const LOOK_EVERY: DurationMs = DurationMs::from_secs(5);
const PAUSE_AFTER_FAILURE: DurationMs = DurationMs::from_secs(2);
const GATHER: DurationMs = DurationMs(100);
