//! An approval that comes with an evaluation (`context.approval`). Knowing its name is worth nothing: it is looked up, must be
//! this caller's and of exactly this action, and the policies decide as they stand now. A denial says what to do next.

use super::{Asker, Authzen, access::POLL_AFTER_S, ticket::of_handle};
use crate::{
    approval::{Uses, when},
    refusal::Refusal,
};
use provost_domain::{Approval, Decision, Timestamp, Verdict, approval::ApprovalStatus};
use provost_policy::AuthzenRequest;
use serde_json::{Map, Value, json};

/// What came at `context.approval`.
pub(super) enum Presented {
    /// Nothing.
    Nothing,
    /// Something that is no approval of this caller's.
    Unverifiable,
    /// An approval of this caller's.
    Approval(Box<Known>),
}

pub(super) struct Known {
    handle: String,
    row: Approval,
    until: Option<Timestamp>,
    /// Whether its time is over, as the caller asked for it or as it was given.
    late: bool,
}

impl Presented {
    /// What the evaluation may use up.
    pub(super) fn uses(&self) -> Uses {
        match self {
            Self::Approval(known) if !known.late => Uses::Only(known.row.id.clone()),
            Self::Approval(_) | Self::Nothing | Self::Unverifiable => Uses::None,
        }
    }

    /// Adds to a decision's context what the caller should know of its approval.
    pub(super) fn explain(&self, decision: &Decision, context: &mut Map<String, Value>) {
        let known = match self {
            Self::Nothing => return,
            Self::Unverifiable => return deny(context, "approval_unverifiable", "none", false),
            Self::Approval(known) => known,
        };
        match &decision.verdict {
            Verdict::Allow { .. } => {
                let used = decision.approval.as_ref() == Some(&known.row.id);
                if let (true, Some(until)) = (used, known.until) {
                    let approval = json!({"id": known.handle, "approved_until": when(until)});
                    context.insert("approval".to_owned(), approval);
                }
            }
            Verdict::Deny { .. } => deny(context, "policy_denied", "none", false),
            Verdict::Hold { .. } => {
                let (reason, next) = known.why_not(decision);
                deny(context, reason, next, next == "request");
                if next == "retry" {
                    context.insert("retry_after".to_owned(), json!(POLL_AFTER_S));
                }
            }
        }
    }
}

impl Known {
    /// Why it did not open the gates, and what to do next (profile, "Re-evaluation").
    fn why_not(&self, decision: &Decision) -> (&'static str, &'static str) {
        match self.row.status {
            _ if self.row.action != decision.action => ("out_of_scope", "request"),
            ApprovalStatus::Waiting if !self.late => ("grant_pending", "retry"),
            ApprovalStatus::Refused { .. } => ("policy_denied", "none"),
            // Used, expired, taken back, superseded, or of other policies, charter or tool than now.
            _ => ("approval_expired", "request"),
        }
    }
}

impl Authzen {
    /// What came at `context.approval` of a question.
    pub(super) async fn presented(
        &self,
        asker: &Asker,
        question: &AuthzenRequest,
    ) -> Result<Presented, Refusal> {
        let Some(presented) = question.context.get("approval") else { return Ok(Presented::Nothing) };
        let handle = presented.get("id").and_then(Value::as_str).unwrap_or_default();
        let Some((id, index)) = of_handle(handle) else { return Ok(Presented::Unverifiable) };
        let unreadable = |_answer| Refusal::internal("a request for access cannot be read");
        let ticket = self.ticket(&id).await.map_err(unreadable)?;
        let Some(ticket) = ticket.filter(|ticket| ticket.caller == asker.id()) else {
            return Ok(Presented::Unverifiable);
        };
        let standing = self.standing(&ticket, index).await.map_err(unreadable)?;
        let Some(row) = standing.row else { return Ok(Presented::Unverifiable) };
        // The caller gives it back as it was given: what it says beside the name must be what was said.
        let said = standing.result.as_ref().and_then(|result| result.get("approval"));
        let same = |name: &str| match (presented.get(name), said.and_then(|said| said.get(name))) {
            (Some(theirs), ours) => ours == Some(theirs),
            (None, _) => true,
        };
        if !same("approved_at") || !same("approved_until") || presented.get("state").is_some() {
            return Ok(Presented::Unverifiable);
        }
        let now = self.pipeline.now();
        let late = standing.until.is_some_and(|until| now >= until)
            || now >= row.expires && standing.until.is_none();
        Ok(Presented::Approval(Box::new(Known {
            handle: handle.to_owned(),
            row,
            until: standing.until,
            late,
        })))
    }
}

/// Says why and what next; a fresh request makes sense only where something else than this approval is missing.
fn deny(context: &mut Map<String, Value>, reason: &str, next: &str, requestable: bool) {
    context.insert("reason".to_owned(), json!(reason));
    context.insert("next_action".to_owned(), json!(next));
    if !requestable {
        context.remove("access_request");
    }
}
