//! A held call, put to a person by a client that can open a page for them: the address of the approval, never a decision. A
//! client that comes back and finds it still waiting is told so plainly and is not asked again, so that nobody is prompted in
//! a circle. What is offered, in this order: a task (its client said that it takes tasks for answers), a page, a call that
//! stays open (its client listens), and to everybody a result that says what to do.

use super::{session::Session, tasks};
use crate::approval::Held;
use bytes::Bytes;
use moka::sync::Cache;
use provost_domain::{Timestamp, approval::ApprovalStatus};
use provost_mcp::{
    Era, Message, Patch, RequestId, RpcError,
    error::URL_ELICITATION_REQUIRED_LEGACY,
    message::{write_raw_result, write_result},
    translate::{Asked, AskedMethod, to_legacy},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// What a client can do for a call that waits, besides showing a result.
#[derive(Clone, Default)]
pub(super) struct Can {
    /// Take a task for an answer, and ask after it (2026-07-28, tasks extension): until its task of the plane ends.
    pub task: Option<Timestamp>,
    /// Open a page.
    pub page: Page,
    /// Listen while the call stays open: it asked to hear of progress.
    pub listens: bool,
}

/// How a client opens a page.
#[derive(Clone, Default)]
pub(super) enum Page {
    /// It does not.
    #[default]
    No,
    /// It comes back with the same call (2026-07-28, Multi Round-Trip Requests).
    ComeBack,
    /// It calls again (2025-11-25, URL elicitation), in this session.
    CallAgain(Arc<Session>),
}

/// Which approvals the clients of legacy sessions were sent to.
pub(super) struct Prompted(Cache<(String, String), ()>);

impl Prompted {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(PROMPTED_MAX).time_to_live(PROMPTED_FOR).build())
    }

    /// Whether the client would be answered with something else than that the call waits.
    pub(super) fn has_better(&self, held: &Held, method: &str, can: &Can) -> bool {
        let page = match &can.page {
            Page::No => false,
            Page::ComeBack => true,
            Page::CallAgain(session) => !self.0.contains_key(&(session.id.clone(), held.approval.id.clone())),
        };
        !is_askable(held, method) || page || (can.task.is_some() && method == "tools/call")
    }

    /// The answer that gives a client a task or sends it to the approval's page, if it can do that and was not sent before.
    pub(super) fn answer(
        &self,
        held: &Held,
        id: &RequestId,
        method: &str,
        can: &Can,
    ) -> Option<(u16, String)> {
        if !is_askable(held, method) {
            return None;
        }
        if can.task.is_some() && method == "tools/call" {
            return Some((200, write_result(id, &tasks::created(held, can))));
        }
        match &can.page {
            Page::No => None,
            Page::ComeBack => {
                let asked = Asked {
                    key: KEY.to_owned(),
                    method: AskedMethod::ElicitUrl,
                    params: elicitation(held).to_string(),
                };
                // A name and no more: what counts is who calls again, in which task, with which arguments.
                let state = format!("{STATE}{}", held.approval.id);
                let result = to_legacy::input_required(&[asked], &state);
                Some((200, write_raw_result(id, provost_mcp::Raw::trusted(&result))))
            }
            Page::CallAgain(session) => {
                let entry = self.0.entry((session.id.clone(), held.approval.id.clone()));
                if !entry.or_insert(()).is_fresh() {
                    return None;
                }
                session.sent_to(&held.approval.id);
                let elicitation = json!({
                    "mode": "url", "elicitationId": held.approval.id, "message": message(held), "url": held.url,
                });
                let error = RpcError::new(URL_ELICITATION_REQUIRED_LEGACY, Era::Legacy, message(held));
                let error = error.with_data(json!({"elicitations": [elicitation]}));
                Some((error.http_status, error.write(Some(id))))
            }
        }
    }
}

/// The question that opens the approval's page.
pub(super) fn elicitation(held: &Held) -> Value {
    json!({"mode": "url", "message": message(held), "url": held.url})
}

/// The request without what we had asked its client to come back with; `None` for every other request. A system must not see
/// answers to questions it did not ask.
pub(super) fn stripped(message: &Message<'_>) -> Option<Bytes> {
    let Message::Request(request) = message else { return None };
    let state = request.params.as_ref()?.string("requestState")?;
    if !state.starts_with(STATE) {
        return None;
    }
    let patch = Patch::new().remove(&["params", "requestState"]).remove(&["params", "inputResponses"]);
    patch.apply(request.raw).ok().map(Bytes::from)
}

/// Whether a legacy client said at the start that it opens pages.
pub(super) fn opens_pages(capabilities: &Value) -> bool {
    capabilities.pointer("/elicitation/url").is_some_and(Value::is_object)
}

fn is_askable(held: &Held, method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
        && held.approval.status == ApprovalStatus::Waiting
}

fn message(held: &Held) -> String {
    let reasons: Vec<&str> = held.approval.reasons.iter().map(|reason| reason.reason.as_str()).collect();
    format!(
        "{}/{} waits for approval: {}. The page shows exactly what would run; an approver who signs in there decides.",
        held.approval.system,
        held.approval.tool,
        reasons.join("; ")
    )
}

/// Names the one question that is asked about an approval.
pub(super) const KEY: &str = "approval";
const STATE: &str = "provost.approval.";
const PROMPTED_MAX: u64 = 100_000;
const PROMPTED_FOR: Duration = Duration::from_secs(3_600);
