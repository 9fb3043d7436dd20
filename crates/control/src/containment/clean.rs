//! What ends because of orders at level `off`. Nothing of it is needed for a refusal: whoever is contained is refused from the
//! moment the order binds. What is owed follows from the rows alone (which tasks, approvals and envelopes are of somebody who
//! is contained), so it makes no difference who does it, on which node, and whether a node died in between.
//!
//! ```text
//! order binds ─▶ owed: tasks, and all below; approvals; envelopes ─▶ ended, some hundred in one change ─▶ nothing left: done
//!                 ▲                                                            │
//!                 └────────────── a node dies, another is faster ◀─────────────┘
//! ```
//! Ending a task ends its tokens and refresh tokens; `gone` tries them, and the broker takes back what was made for it.

use super::{hits::stopped_tasks, put};
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    plane::Plane,
};
use provost_domain::{
    Approval, Containment, Directory, Envelope, Object, ObjectKey, Restraint, approval::EnvelopeStatus,
};
use provost_lifecycle::approval as life;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Ends what orders end, for as long as the node lives.
pub async fn run(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    let mut moves = plane.replica.moves();
    while !*stop.borrow() {
        moves.mark_unchanged();
        let wait = match once(&plane).await {
            Ok(_ended) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!(%error, "what contained agents still have could not be ended; it is tried again");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            moved = moves.changed() => {
                if moved.is_err() { return }
                tokio::time::sleep(GATHER).await;
            }
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Ends all that is owed now, in batches. Gives how many things this node ended.
///
/// # Errors
/// When the store fails; what was ended by then stays so, and the rest stays owed.
pub async fn once(plane: &Arc<Plane>) -> Result<u64, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "containment".to_owned(), plane: Arc::clone(plane) };
    let mut ended = 0_u64;
    for _round in 0..ROUNDS_MAX {
        let owed = Owed::read(&plane.replica.latest().directory);
        if owed.is_empty() {
            return Ok(ended);
        }
        for (id, batch) in owed.0 {
            ended = ended.saturating_add(end(&op, &id, &batch).await?);
        }
    }
    Ok(ended)
}

/// What is to be ended, by order; an order with nothing left is to be marked done.
#[derive(Debug, Default)]
struct Owed(BTreeMap<String, Batch>);

#[derive(Debug, Default)]
struct Batch {
    keys: Vec<ObjectKey>,
}

impl Owed {
    fn read(directory: &Directory) -> Self {
        let mut owed: BTreeMap<String, Batch> = BTreeMap::new();
        let mut add = |id: &str, key: ObjectKey| {
            let batch = owed.entry(id.to_owned()).or_default();
            if batch.keys.len() < BATCH_MAX {
                batch.keys.push(key);
            }
        };
        for (task, order) in stopped_tasks(directory) {
            add(&order, ObjectKey::task(task));
        }
        let order_of = |agent| directory.agents.get(agent).and_then(|agent| directory.order_off(agent));
        if !directory.containments.is_empty() {
            for row in directory.approvals.values() {
                if let Some(order) = order_of(&row.agent) {
                    add(&order.id, ObjectKey::approval(&row.id));
                }
            }
            for row in directory.envelopes.values() {
                if let Some(order) = order_of(&row.agent) {
                    add(&order.id, ObjectKey::envelope(&row.agent, &row.id));
                }
            }
        }
        for order in directory.containments.values().filter(|order| ends(order) && order.ended.done.is_none())
        {
            owed.entry(order.id.clone()).or_default();
        }
        Self(owed)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether an order ends anything, rather than only refusing calls.
fn ends(order: &Containment) -> bool {
    order.level == Restraint::Off && order.scope.is_about_agents()
}

/// Ends one batch, and counts it in the order's row in the same change.
async fn end(op: &Op, id: &str, batch: &Batch) -> Result<u64, ControlError> {
    let authorised = op.authorize(Action::ContainmentEnd)?;
    let order_key = ObjectKey::containment(id);
    let mut keys = batch.keys.clone();
    keys.push(order_key);
    let why = format!("contained by {id}");
    let (_seq, count) = authorised
        .change(&keys, &why, |seen| {
            let Some(order) = seen.directory.containments.get(id) else {
                // Lifted meanwhile: nothing more is ended for it.
                return Ok(Change { drafts: Vec::new(), what: String::new(), answer: 0 });
            };
            let mut order = order.as_ref().clone();
            let mut drafts: Vec<Draft> = batch
                .keys
                .iter()
                .filter_map(|key| ended(op, key, &why, seen.directory, &mut order))
                .collect();
            let count = u64::try_from(drafts.len()).unwrap_or(u64::MAX);
            if drafts.is_empty() && batch.keys.is_empty() && order.ended.done.is_none() {
                order.ended.done = Some(op.plane.now());
            } else if drafts.is_empty() {
                return Ok(Change { drafts, what: String::new(), answer: 0 });
            }
            drafts.push(put(order));
            Ok(Change { drafts, what: format!("{count} things of contained agents ended"), answer: count })
        })
        .await?;
    Ok(count)
}

/// One row, ended, and counted.
fn ended(
    op: &Op,
    key: &ObjectKey,
    why: &str,
    directory: &Directory,
    order: &mut Containment,
) -> Option<Draft> {
    let counts = &mut order.ended;
    let row = match directory.get(key)? {
        Object::Task(task) => {
            counts.tasks = counts.tasks.saturating_add(1);
            if counts.some.len() < SOME_MAX {
                counts.some.insert(task.id);
            }
            Object::Task(provost_lifecycle::task::end(&task))
        }
        Object::Approval(row) => {
            let over: Approval = life::withdraw(&row, why, op.plane.now())?;
            counts.approvals = counts.approvals.saturating_add(1);
            Object::Approval(Box::new(over))
        }
        Object::Envelope(row) => {
            counts.envelopes = counts.envelopes.saturating_add(1);
            let (at, by) = (op.plane.now(), op.subject.to_string());
            let status = EnvelopeStatus::Revoked { at, by, why: why.to_owned() };
            Object::Envelope(Box::new(Envelope { status, ..*row }))
        }
        _ => return None,
    };
    Some(Draft::Put(row))
}

/// Tasks whose trial is part of an order's proof.
const SOME_MAX: usize = 100;
/// Rows ended in one change: a bounded transaction, and a bounded wait for whoever wants to change something meanwhile.
const BATCH_MAX: usize = 200;
/// More than any plane has tasks; the next look goes on.
const ROUNDS_MAX: usize = 10_000;
const LOOK_EVERY: Duration = Duration::from_secs(5);
const GATHER: Duration = Duration::from_millis(20);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
