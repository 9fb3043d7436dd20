//! A held call, put to a person by a client that can open a page for them: the address of the approval, never a decision. A
//! client that comes back and finds it still waiting is told so plainly and is not asked again, so that nobody is prompted in
//! a circle.

use crate::approval::Held;
use bytes::Bytes;
use moka::sync::Cache;
use provost_domain::approval::ApprovalStatus;
use provost_mcp::{
    Era, Message, Patch, RequestId, RpcError,
    error::URL_ELICITATION_REQUIRED_LEGACY,
    message::write_raw_result,
    translate::{Asked, AskedMethod, to_legacy},
};
use serde_json::{Value, json};
use std::time::Duration;

/// What a client can do for a call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Can {
    /// Show a result.
    Show,
    /// Open a page and come back with the same call (2026-07-28, Multi Round-Trip Requests).
    ComeBack,
    /// Open a page and call again (2025-11-25, URL elicitation), in this session.
    CallAgain(String),
}

/// Which approvals the clients of legacy sessions were sent to.
pub(super) struct Prompted(Cache<(String, String), ()>);

impl Prompted {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(PROMPTED_MAX).time_to_live(PROMPTED_FOR).build())
    }

    /// The answer that sends a client to the approval's page, if it can be sent and was not before.
    pub(super) fn answer(
        &self,
        held: &Held,
        id: &RequestId,
        method: &str,
        can: &Can,
    ) -> Option<(u16, String)> {
        let askable = matches!(method, "tools/call" | "prompts/get" | "resources/read");
        if !askable || held.approval.status != ApprovalStatus::Waiting {
            return None;
        }
        match can {
            Can::Show => None,
            Can::ComeBack => {
                let asked = Asked {
                    key: "approval".to_owned(),
                    method: AskedMethod::ElicitUrl,
                    params: json!({"mode": "url", "message": message(held), "url": held.url}).to_string(),
                };
                // A name and no more: what counts is who calls again, in which task, with which arguments.
                let state = format!("{STATE}{}", held.approval.id);
                let result = to_legacy::input_required(&[asked], &state);
                Some((200, write_raw_result(id, provost_mcp::Raw::trusted(&result))))
            }
            Can::CallAgain(session) => {
                let entry = self.0.entry((session.clone(), held.approval.id.clone()));
                if !entry.or_insert(()).is_fresh() {
                    return None;
                }
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

fn message(held: &Held) -> String {
    let reasons: Vec<&str> =
        held.decision.verdict.reasons().iter().map(|reason| reason.reason.as_str()).collect();
    format!(
        "{} waits for approval: {}. The page shows exactly what would run; an approver who signs in there decides.",
        held.decision.tool,
        reasons.join("; ")
    )
}

const STATE: &str = "provost.approval.";
const PROMPTED_MAX: u64 = 100_000;
const PROMPTED_FOR: Duration = Duration::from_secs(3_600);
