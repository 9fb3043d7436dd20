//! Approvals as the store has them, over ones too: what the directory of a node no longer holds.

use crate::{DecisionFilter, Store, StoreError};
use provost_domain::{
    Approval, Decision, DecisionId, Digest, Object, ObjectKey, Timestamp,
    approval::{ApprovalStatus, approval_id},
};

/// The approval of an action that was asked for last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestApproval {
    /// The how-manieth it is, from 0.
    pub nth: u32,
    /// The version its row stands at.
    pub version: u64,
    /// The row.
    pub row: Approval,
}

/// The approval of an action that was asked for last; they are numbered without gaps, so few looks find it.
///
/// # Errors
/// When the store cannot be read.
pub async fn newest_approval(
    store: &dyn Store,
    action: &Digest,
) -> Result<Option<NewestApproval>, StoreError> {
    let (mut found, mut absent, mut step) = (None, 0_u32, 1_u32);
    while let Some((version, row)) = approval(store, &approval_id(action, absent)).await? {
        found = Some(NewestApproval { nth: absent, version, row });
        absent = absent.saturating_add(step);
        step = step.saturating_mul(2);
    }
    let between = |found: &Option<NewestApproval>, absent: u32| {
        found.as_ref().map(|newest| newest.nth).filter(|low| absent - low > 1)
    };
    while let Some(low) = between(&found, absent) {
        let middle = low.midpoint(absent);
        match approval(store, &approval_id(action, middle)).await? {
            Some((version, row)) => found = Some(NewestApproval { nth: middle, version, row }),
            None => absent = middle,
        }
    }
    Ok(found)
}

/// An approval with the version its row stands at, over ones too.
///
/// # Errors
/// When the store cannot be read.
pub async fn approval(store: &dyn Store, id: &str) -> Result<Option<(u64, Approval)>, StoreError> {
    let history = store.history(&ObjectKey::approval(id), 1).await?;
    Ok(history.into_iter().find_map(|record| match record.after {
        Some(Object::Approval(row)) => Some((record.version, *row)),
        _ => None,
    }))
}

/// An approval as it stands, and from when until when it was good, if it was ever granted: what came afterwards does not undo
/// that people agreed.
///
/// # Errors
/// When the store cannot be read.
pub async fn approval_granted(
    store: &dyn Store,
    id: &str,
) -> Result<(Option<Approval>, Option<(Timestamp, Timestamp)>), StoreError> {
    let history = store.history(&ObjectKey::approval(id), HISTORY_MAX).await?;
    let rows = history.into_iter().filter_map(|record| match record.after {
        Some(Object::Approval(row)) => Some(*row),
        _ => None,
    });
    let rows: Vec<Approval> = rows.collect();
    let granted = rows.iter().find_map(|row| match row.status {
        ApprovalStatus::Granted { at, until } => Some((at, until)),
        _ => None,
    });
    Ok((rows.into_iter().next(), granted))
}

/// The decision that used an approval up, if it is among the newest of its task.
///
/// # Errors
/// When the store cannot be read.
pub async fn approval_used_by(store: &dyn Store, row: &Approval) -> Result<Option<DecisionId>, StoreError> {
    let verdict = Some("allow".to_owned());
    let filter = DecisionFilter { task: Some(row.task), verdict, max: LOOKED_AT_MAX, ..Default::default() };
    let page = store.decisions(&filter).await?;
    let using = |decision: &&Decision| decision.approval.as_deref() == Some(row.id.as_str());
    Ok(page.decisions.iter().map(|stored| &stored.decision).find(using).map(|decision| decision.id))
}

/// States of one approval that are looked through.
const HISTORY_MAX: usize = 100;
const LOOKED_AT_MAX: usize = 500;
