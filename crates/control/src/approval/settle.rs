//! What housekeeping does: approvals whose time or task is over, and those whose use a crash left unmarked. Nothing here is
//! needed for a refusal.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    check,
    plane::Plane,
};
use provost_domain::{
    Approval, Directory, Envelope, Object, ObjectKey, Timestamp,
    approval::{ApprovalStatus, EnvelopeStatus, USE_WINDOW},
};
use provost_lifecycle::approval as life;
use provost_store::WindowKey;

/// Does it once.
pub(crate) async fn settle(op: &Op) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::ApprovalSettle)?;
    let (view, plane) = (op.plane.replica.latest(), &op.plane);
    let now = plane.now();
    for row in view.directory.approvals.values() {
        let Some((next, why)) = settled(plane, row, &view.directory, now).await? else { continue };
        let next = check::missed(plane, next)?;
        let id = row.id.as_str();
        authorised
            .change(&[ObjectKey::approval(id)], why, |seen| {
                let same = seen.directory.approvals.get(id).is_some_and(|known| known == row);
                let draft = same.then(|| Draft::Put(Object::Approval(Box::new(next.clone()))));
                Ok(Change { drafts: draft.into_iter().collect(), what: format!("{id} settled"), answer: () })
            })
            .await?;
    }
    for row in view.directory.envelopes.values().filter(|row| now >= row.until) {
        let over = Envelope { status: EnvelopeStatus::Expired { at: now }, ..row.as_ref().clone() };
        authorised
            .change(&[ObjectKey::envelope(&row.agent, &row.id)], "its time is over", |seen| {
                let key = (row.agent.clone(), row.id.clone());
                let same = seen.directory.envelopes.get(&key).is_some_and(|known| known == row);
                let draft = same.then(|| Draft::Put(Object::Envelope(Box::new(over.clone()))));
                Ok(Change { drafts: draft.into_iter().collect(), what: "expired".to_owned(), answer: () })
            })
            .await?;
    }
    Ok(())
}

async fn settled(
    plane: &Plane,
    row: &Approval,
    directory: &Directory,
    now: Timestamp,
) -> Result<Option<(Approval, &'static str)>, ControlError> {
    if matches!(row.status, ApprovalStatus::Granted { .. }) {
        let key = WindowKey { key: row.charge_key(), window: USE_WINDOW, max: 1 };
        let balances = plane.store.balances(&[key], now).await?;
        if balances.iter().any(|balance| balance.used > 0) {
            let by = provost_store::approval_used_by(plane.store.as_ref(), row).await?;
            return Ok(life::used(row, by, now).map(|row| (row, "its use is on record")));
        }
    }
    if !directory.tasks.get(&row.task).is_some_and(|task| task.is_live(now)) {
        return Ok(life::withdraw(row, "its task has ended", now).map(|row| (row, "its task has ended")));
    }
    Ok(life::expire(row, now).map(|row| (row, "nobody answered or used it in time")))
}
