//! The worker: a look at every agent now and then, and at once when somebody leaves.
//!
//! **Bounded.** A look carries out at most [`ACTS_MAX`] steps, and asks the store of at most [`LOOKED_MAX`] agents when they last did
//! something, going on the next time where it stopped.

use super::{accounts, carry_out, is_told, sweep};
use crate::{ControlError, Op, Operator, plane::Plane};
use provost_domain::{Directory, Kind, Name, Object, Seq, Timestamp, approval::ApprovalStatus};
use provost_lifecycle::upkeep as life;
use provost_store::DecisionFilter;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Looks every `every` for as long as the node lives.
pub async fn run(plane: Arc<Plane>, every: Duration, mut stop: watch::Receiver<bool>) {
    let mut moves = plane.replica.moves();
    let mut from = plane.replica.latest().directory.seq;
    let mut place = None;
    let mut next = tokio::time::Instant::now();
    while !*stop.borrow() {
        moves.mark_unchanged();
        let left = somebody_left(&plane, &mut from).await;
        if left || tokio::time::Instant::now() >= next {
            if let Err(error) = once(&plane, &mut place).await {
                tracing::warn!(%error, "looking after agents failed; it is tried again");
            }
            next = tokio::time::Instant::now() + every;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            moved = moves.changed() => if moved.is_err() { return },
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Whether a person left with the changes since; what cannot be read is seen at the next look anyway.
async fn somebody_left(plane: &Plane, from: &mut Seq) -> bool {
    let mut left = false;
    while let Ok(records) = plane.store.tail(*from, PAGE).await {
        left |= records.iter().any(|record| match &record.after {
            Some(Object::Person(row)) => !row.active,
            Some(_) => false,
            None => record.key.kind == Kind::Person,
        });
        *from = records.last().map_or(*from, |record| record.seq);
        if records.len() < PAGE {
            break;
        }
    }
    left
}

/// One look. `place` is where the look before stopped asking the store. Gives how many steps were carried out.
///
/// # Errors
/// When the store fails; what was done by then stays done.
pub async fn once(plane: &Arc<Plane>, place: &mut Option<Name>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "upkeep".to_owned(), plane: Arc::clone(plane) };
    let directory = plane.replica.latest().directory.clone();
    let now = plane.now();
    let mut acts: Vec<(Name, Option<Timestamp>)> = Vec::new();
    let mut quiet: Vec<Name> = Vec::new();
    for agent in directory.agents.values() {
        let due = life::due(&directory, agent, None, now);
        if due.is_some_and(|due| !is_told(&directory, &agent.name, &due)) {
            acts.push((agent.name.clone(), None));
        } else if life::may_be_idle(&directory, agent, now) {
            quiet.push(agent.name.clone());
        }
    }
    quiet.sort();
    let start = place.as_ref().map_or(0, |place| quiet.partition_point(|name| name <= place));
    let looked: Vec<Name> = quiet.iter().skip(start).take(LOOKED_MAX).cloned().collect();
    *place = looked.last().filter(|last| quiet.last() != Some(*last)).cloned();
    let busy = if looked.is_empty() { Busy::default() } else { Busy::of(&directory, now) };
    for name in looked {
        let last = last_act(&op, &name, &busy).await?;
        acts.push((name, Some(last)));
    }
    let mut done = 0_usize;
    for (name, last) in acts.into_iter().take(ACTS_MAX) {
        // One that is told of already is no step.
        if let Some(step) = carry_out(&op, &name, last).await? {
            tracing::debug!(agent = %name, ?step, "upkeep");
            done = done.saturating_add(1);
        }
    }
    sweep::once(&op).await?;
    accounts::once(&op).await?;
    crate::access_review::settle(&op).await?;
    Ok(done)
}

/// What counts as doing something beside decisions: a task that runs, since it began, which is also what a token that was asked for
/// leads to or belongs to; and a call that waits for a person, for as long as it does.
#[derive(Default)]
struct Busy(BTreeMap<Name, Timestamp>);

impl Busy {
    /// One pass, for however many agents are asked for.
    fn of(directory: &Directory, now: Timestamp) -> Self {
        let running = directory.tasks.values().map(|task| (&task.agent, task.started));
        let waits = directory
            .approvals
            .values()
            .filter(|row| row.status == ApprovalStatus::Waiting && now < row.expires);
        let mut busy = BTreeMap::new();
        for (agent, at) in running.chain(waits.map(|row| (&row.agent, now))) {
            let last = busy.entry(agent.clone()).or_insert(at);
            *last = at.max(*last);
        }
        Self(busy)
    }
}

/// When an agent last did something, or the beginning of time.
async fn last_act(op: &Op, name: &Name, busy: &Busy) -> Result<Timestamp, ControlError> {
    let filter = DecisionFilter { agent: Some(name.clone()), max: 1, ..DecisionFilter::default() };
    let decided = op.plane.store.decisions(&filter).await?.decisions.first().map(|last| last.decision.at);
    Ok(busy.0.get(name).copied().max(decided).unwrap_or(Timestamp::from_millis(0)))
}

const PAGE: usize = 500;
const ACTS_MAX: usize = 500;
const LOOKED_MAX: usize = 500;
