//! The lease of a local supervisor (`provost run`): whether a task may go on at all, on whatever system. Answers at once when
//! it may not, and soon in any case; what it answers holds for what is left of this node's own lease.

use crate::{act::stopped_altogether, hosts::Hosts, identify::Asked, pipeline::Pipeline, refusal::Refusal};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// The route, for task tokens.
pub fn router(pipeline: Arc<Pipeline>, hosts: Arc<Hosts>) -> Router {
    Router::new().route(PATH, get(on_lease)).with_state((pipeline, hosts))
}

#[derive(Deserialize)]
struct Patience {
    #[serde(default)]
    wait_ms: u64,
}

/// What a supervisor hears.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Heard {
    LeaseMs(u64),
    Stopped(String),
}

type At = State<(Arc<Pipeline>, Arc<Hosts>)>;

async fn on_lease(
    State((pipeline, hosts)): At,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
) -> Response {
    match lease(&pipeline, &hosts, &headers, &patience).await {
        Ok(heard) => Json(heard).into_response(),
        Err(refusal) => problem(&pipeline, &refusal),
    }
}

async fn lease(
    pipeline: &Pipeline,
    hosts: &Hosts,
    headers: &HeaderMap,
    patience: &Patience,
) -> Result<Heard, Refusal> {
    hosts.check(headers)?;
    let asked = Asked { headers, method: "GET", path: PATH, system: None };
    let (_view, caller) = pipeline.admit(&asked)?;
    let most = pipeline.limits.staleness_max;
    let mut moves = pipeline.replica.moves();
    let waited = tokio::time::sleep(Duration::from_millis(patience.wait_ms).min(most.to_std() / 4));
    tokio::pin!(waited);
    loop {
        let view = pipeline.replica.latest();
        if let Some(why) = stopped_altogether(&caller, &view.directory, pipeline.now()) {
            return Ok(Heard::Stopped(why));
        }
        tokio::select! {
            moved = moves.changed() => if moved.is_err() {
                return Err(Refusal::internal("the plane is stopping"));
            },
            () = &mut waited => break,
        }
    }
    let _not_stale = pipeline.replica.fresh(most)?;
    Ok(Heard::LeaseMs(most.0.saturating_sub(pipeline.replica.age().0)))
}

/// A refusal as problem details (RFC 9457); its type ends with the refusal's code.
fn problem(pipeline: &Pipeline, refusal: &Refusal) -> Response {
    pipeline.journal.refused("lease", refusal);
    pipeline.metrics.refused(refusal);
    let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = json!({
        "type": format!("urn:provost:problem:{}", refusal.code()),
        "title": "The supervisor may not go on",
        "status": status.as_u16(),
        "detail": refusal.to_string(),
    });
    let mut response = (status, Json(problem)).into_response();
    let json = header::HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

const PATH: &str = "/enforce/v1/lease";
