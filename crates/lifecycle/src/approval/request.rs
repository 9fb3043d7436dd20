//! Where an access request stands, in the words of the AuthZEN Access Request and Approval Profile (draft 1, "Task Status"). Behind
//! each of its items is an approval of the plane.
//!
//! | state of the approval | status |
//! |---|---|
//! | waiting | `pending` |
//! | granted, used, and whatever came after that | `approved` |
//! | refused, edited | `denied` |
//! | nobody answered in time | `expired` |
//! | taken back before anybody had agreed | `cancelled` |

use super::expire;
use provost_domain::{Approval, Timestamp, approval::ApprovalStatus};

/// The status of one item; `granted`: whether people had agreed at any time.
#[must_use]
pub fn request_status(row: Option<&Approval>, granted: bool, now: Timestamp) -> &'static str {
    let Some(row) = row else { return FAILED };
    let late = expire(row, now).is_some();
    match (&row.status, granted) {
        (_, true) => "approved",
        (ApprovalStatus::Waiting, false) if !late => PENDING,
        (ApprovalStatus::Waiting | ApprovalStatus::Expired { .. }, false) => "expired",
        (ApprovalStatus::Refused { .. } | ApprovalStatus::Edited { .. }, false) => "denied",
        (ApprovalStatus::Withdrawn { .. }, false) => "cancelled",
        (ApprovalStatus::Granted { .. } | ApprovalStatus::Used { .. }, false) => FAILED,
    }
}

/// One status for all items (profile, "Response Items and Aggregation").
#[must_use]
pub fn request_aggregate<'s>(statuses: impl Iterator<Item = &'s str>) -> &'s str {
    let mut all: Vec<&str> = statuses.collect();
    if all.contains(&PENDING) {
        return PENDING;
    }
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [one] => one,
        [] => FAILED,
        _ => "partial",
    }
}

/// Something of it still waits.
pub const PENDING: &str = "pending";
const FAILED: &str = "failed";
/// The ends that a callback can be asked for (callback profile, "Callback Completion").
pub const ENDS: [&str; 6] = ["approved", "denied", "expired", "cancelled", FAILED, "partial"];
