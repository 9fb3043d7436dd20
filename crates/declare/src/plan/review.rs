//! What access reviews took from agents, and a file gives back.

use super::{Planner, charter};
use crate::Severity;
use provost_domain::{ObjectKey, life::Taken};

impl Planner<'_> {
    /// A review narrowed the charter of the plane, and the file still has what it took.
    pub(super) fn warn_given_back(&mut self, key: &ObjectKey, back: &[Taken]) {
        for one in back {
            let tools = one.tools.iter().take(TAKEN_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
            let more = match one.tools.len().saturating_sub(TAKEN_SHOWN_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!(
                "{} narrowed this on {}: the file still has {tools}{more}, and applying gives it back",
                one.review,
                charter::moment(one.at)
            );
            let cure = "write into the file what the review left, or say in the reason why it comes back";
            let fault = self.declared.fault_in((key, "grant"), Severity::Warning, message, cure);
            self.faults.push(fault);
        }
    }
}

/// Tools shown one by one.
const TAKEN_SHOWN_MAX: usize = 8;
