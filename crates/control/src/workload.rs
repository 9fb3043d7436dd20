//! Workloads and their tokens.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    page::page,
    reason::reason,
    session,
};
use provost_api::{
    Page, PageQuery,
    identity::{WorkloadToken, WorkloadView},
};
use provost_domain::{Directory, Kind, Name, Object, ObjectKey, Workload};

/// Workloads, in order of their names.
///
/// # Errors
/// When the operator may not, the cursor is not one of ours, or the store fails.
pub async fn list(op: &Op, query: PageQuery) -> Result<Page<WorkloadView>, ControlError> {
    op.authorize(Action::WorkloadRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.workloads.iter().map(|(name, row)| (name.to_string(), row)).collect();
    let found = page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| row)?;
    let mut items = Vec::with_capacity(found.items.len());
    for workload in found.items {
        items.push(view_of(op, workload).await?);
    }
    Ok(Page { items, next: found.next })
}

/// One workload.
///
/// # Errors
/// When the operator may not, nobody has that name, or the store fails.
pub async fn show(op: &Op, name: &Name) -> Result<WorkloadView, ControlError> {
    op.authorize(Action::WorkloadRead)?;
    let view = op.plane.replica.latest();
    let workload = view.directory.workloads.get(name);
    view_of(op, workload.ok_or_else(|| ControlError::unknown("workload", name.as_str()))?).await
}

/// Gives a workload a new token; the one before is void. The digest is kept first and the record follows, so that
/// whoever remembers digests by the workload's row forgets the old one with the record. After a crash in between
/// nobody holds a token that works, and the caller, without an answer, asks again.
///
/// # Errors
/// When the operator may not, the workload is unknown or inactive, or the store fails.
pub async fn issue_token(op: &Op, name: &Name, why: &str) -> Result<WorkloadToken, ControlError> {
    let authorised = op.authorize(Action::WorkloadToken)?;
    reason(why)?;
    active(&op.plane.replica.latest().directory, name)?;
    let (token, digest) = session::new_workload_token(op.plane.random.as_ref(), name);
    op.plane.store.put_meta(&session::workload_key(name), digest.as_bytes()).await?;
    let key = ObjectKey::new(Kind::Workload, name.as_str());
    authorised
        .change(&[key], why, |seen| {
            let row = active(seen.directory, name)?;
            Ok(Change {
                drafts: vec![Draft::Put(Object::Workload(row.clone()))],
                what: "a new token was issued".to_owned(),
                answer: (),
            })
        })
        .await?;
    Ok(WorkloadToken { workload: name.clone(), token })
}

fn active<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Workload, ControlError> {
    let row =
        directory.workloads.get(name).ok_or_else(|| ControlError::unknown("workload", name.as_str()))?;
    if row.active {
        return Ok(row);
    }
    Err(ControlError::refused(format!("workload {name} is not active"))
        .cure("set `active = true` in its file, and apply it"))
}

async fn view_of(op: &Op, workload: &Workload) -> Result<WorkloadView, ControlError> {
    let token = op.plane.store.meta(&session::workload_key(&workload.name)).await?;
    Ok(WorkloadView {
        name: workload.name.clone(),
        purpose: workload.purpose.clone(),
        owner: workload.owner.clone(),
        applications: workload.applications.clone(),
        active: workload.active,
        has_token: token.is_some_and(|digest| !digest.is_empty()),
    })
}
