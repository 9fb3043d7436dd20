//! What the plane does by itself, now and then: tasks and sessions that expired are ended on the record, and charges that no
//! window counts any more are forgotten. Nothing here is needed for a refusal: an expired task is refused anyway.

use crate::{
    ControlError, Operator,
    plane::{Op, Plane},
    task,
};
use provost_domain::{DurationMs, Session, TaskId};
use std::sync::Arc;
use tokio::sync::watch;

/// Keeps house every `every` for as long as the node lives. Nodes that do the same at once get in no other's way.
pub async fn run(plane: Arc<Plane>, every: DurationMs, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match once(&plane).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "expired tasks ended"),
            Err(error) => tracing::warn!(%error, "keeping house failed; it is tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(every.to_std()) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Does it once, a bounded part; gives how many tasks were ended.
///
/// # Errors
/// When the store fails; what was done by then stays done.
pub async fn once(plane: &Arc<Plane>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "housekeeping".to_owned(), plane: Arc::clone(plane) };
    let expired = expired(plane);
    for id in &expired {
        task::end(&op, *id, "it expired").await?;
    }
    for session in expired_sessions(plane) {
        crate::browser::end(&op, &session).await?;
    }
    crate::passkey::invite::sweep(&op).await?;
    crate::approval::settle(&op).await?;
    crate::finding::settle(&op).await?;
    crate::proposal::settle(&op).await?;
    crate::review::escalate(&op).await?;
    // So that nobody who answers waits until it is read.
    crate::quality::with(plane, |_window| ()).await?;
    let view = plane.replica.latest();
    let budgets = view.directory.agents.values().flat_map(|agent| agent.charter.budgets.iter());
    let longest = budgets.map(|budget| budget.window).max().unwrap_or_default();
    plane.store.sweep(plane.now(), longest.max(WINDOW_KEPT_MIN)).await?;
    Ok(expired.len())
}

fn expired(plane: &Plane) -> Vec<TaskId> {
    let view = plane.replica.latest();
    let now = plane.now();
    // Not at once: nodes' clocks differ a little, and a call that began in time may still be under way.
    let expired = view.directory.tasks.values().filter(|task| now.since(task.expires) > GRACE);
    expired.take(TASKS_MAX).map(|task| task.id).collect()
}

fn expired_sessions(plane: &Plane) -> Vec<Arc<Session>> {
    let view = plane.replica.latest();
    let now = plane.now();
    let expired = view.directory.sessions.values().filter(|session| now.since(session.expires) > GRACE);
    expired.take(TASKS_MAX).map(Arc::clone).collect()
}

const GRACE: DurationMs = DurationMs::from_mins(1);
const TASKS_MAX: usize = 500;
/// A charter may have had a longer window until a moment ago.
const WINDOW_KEPT_MIN: DurationMs = DurationMs::from_mins(366 * 24 * 60);
