//! Where a held call stands, for the agent that made it: `GET /held/{approval}`, with a task token. It waits a little for news
//! if it is asked to (`?wait_ms=`), decides nothing, and tells nobody of calls that are not their own.

use crate::{
    approval::{Held, waits_for, when},
    hosts::Hosts,
    identify::Asked,
    metadata,
    pipeline::Pipeline,
    refusal::Refusal,
};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use provost_domain::{Approval, approval::ApprovalStatus};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{sync::Arc, time::Duration};

/// `/held/{approval}`.
pub fn router(pipeline: Arc<Pipeline>, hosts: Arc<Hosts>) -> Router {
    Router::new().route("/held/{approval}", get(on_held)).with_state(Arc::new(Desk { pipeline, hosts }))
}

/// Where an agent asks after a held call.
pub(crate) fn status_url(pipeline: &Pipeline, approval: &str) -> String {
    let resource = pipeline.identifier.resource();
    format!("{}/held/{approval}", resource.strip_suffix("/mcp").unwrap_or(resource))
}

/// Where it stands, for programs: the members of every answer about a held call.
pub(crate) fn members(held: &Held) -> Map<String, Value> {
    let row = &held.approval;
    let mut members = Map::from_iter([
        ("approval".to_owned(), json!(row.id)),
        ("status".to_owned(), json!(row.status.as_str())),
        ("url".to_owned(), json!(held.url)),
        ("expires_at".to_owned(), json!(when(row.expires))),
        ("retry".to_owned(), json!(may_retry(row))),
    ]);
    if let Some(edited) = &held.edited {
        let instead = json!({"approval_id": edited.id, "arguments": edited.args});
        members.insert("call_instead".to_owned(), instead);
    }
    members
}

/// How long to wait before the same call is worth making again, in seconds; `None` when waiting changes nothing.
pub(crate) fn retry_after(row: &Approval) -> Option<u64> {
    match row.status {
        ApprovalStatus::Waiting => Some(RETRY_AFTER_S),
        ApprovalStatus::Granted { .. } => Some(0),
        _ => None,
    }
}

/// Whether the same call may come through under this approval.
fn may_retry(row: &Approval) -> bool {
    matches!(row.status, ApprovalStatus::Waiting | ApprovalStatus::Granted { .. })
}

struct Desk {
    pipeline: Arc<Pipeline>,
    hosts: Arc<Hosts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patience {
    /// How long to wait for something to tell; eight seconds at most.
    #[serde(default)]
    wait_ms: u64,
}

impl Desk {
    async fn stands(&self, id: &str, headers: &HeaderMap, wait: Duration) -> Result<Value, Refusal> {
        self.hosts.check(headers)?;
        let found = provost_store::approval(self.pipeline.store.as_ref(), id).await?;
        let row = found.map(|(_version, row)| row);
        let path = format!("/held/{id}");
        // A token for one system asks about calls of that system.
        let system = row.as_ref().map(|row| row.system.as_str());
        let (_view, caller) = self.pipeline.admit(&Asked { headers, method: "GET", path: &path, system })?;
        let own = |row: &Approval| row.agent == caller.agent.name && row.task == caller.task.id;
        let unknown = || Refusal::UnknownApproval(id.chars().take(ID_CHARS_MAX).collect());
        let row = row.filter(own).ok_or_else(unknown)?;
        let decision = self.pipeline.store.decision(row.decision).await?.ok_or_else(unknown)?.decision;
        self.news(&row, wait).await;
        let held = self.pipeline.held_as(Arc::new(decision), &row).await?;
        let held = self.pipeline.standing(&held).await?;
        let mut members = members(&held);
        let view = self.pipeline.replica.latest();
        let words = match held.approval.status {
            ApprovalStatus::Waiting => waits_for(&held.approval, &view.directory, self.pipeline.now()),
            _ => held.note(),
        };
        members.insert("message".to_owned(), json!(words));
        Ok(Value::Object(members))
    }

    /// Returns when the row moved, or after a while.
    async fn news(&self, known: &Approval, wait: Duration) {
        let mut moves = self.pipeline.replica.moves();
        let waited = tokio::time::sleep(wait.min(WAIT_MAX));
        tokio::pin!(waited);
        loop {
            moves.borrow_and_update();
            let view = self.pipeline.replica.latest();
            let same = view.directory.approvals.get(&known.id).is_some_and(|row| row.as_ref() == known);
            if !same || known.status != ApprovalStatus::Waiting {
                return;
            }
            tokio::select! {
                moved = moves.changed() => if moved.is_err() { return },
                () = &mut waited => return,
            }
        }
    }
}

async fn on_held(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
) -> Response {
    let stands = desk.stands(&id, &headers, Duration::from_millis(patience.wait_ms)).await;
    let mut response = match stands {
        Ok(stands) => Json(stands).into_response(),
        Err(refusal) => problem(&desk, &refusal),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn problem(desk: &Desk, refusal: &Refusal) -> Response {
    desk.pipeline.journal.refused(FACE, refusal);
    desk.pipeline.metrics.refused(refusal);
    let status = refusal.http_status();
    let body = json!({
        "type": format!("urn:provost:problem:{}", refusal.code()),
        "title": "Where the call stands cannot be told",
        "status": status,
        "detail": refusal.to_string(),
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED
        && let Some(value) = refusal.challenge(&metadata::url_of(desk.pipeline.identifier.resource(), None))
    {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

const FACE: &str = "held";
const RETRY_AFTER_S: u64 = 5;
const WAIT_MAX: Duration = Duration::from_secs(8);
const ID_CHARS_MAX: usize = 64;
