//! What a client that comes without a token is told: which resource this is and who issues tokens for it (RFC 9728).

use crate::{hosts::Hosts, refusal::Refusal};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the metadata says.
pub struct Metadata {
    /// `<public url>/mcp`.
    pub resource: String,
    /// The issuer of task tokens.
    pub issuer: String,
    /// The names this plane is served under.
    pub hosts: Arc<Hosts>,
}

/// `/.well-known/oauth-protected-resource`, for the address of all systems and for each system's own.
pub fn router(metadata: Metadata) -> Router {
    Router::new()
        .route("/.well-known/oauth-protected-resource", get(whole))
        .route("/.well-known/oauth-protected-resource/mcp", get(whole))
        .route("/.well-known/oauth-protected-resource/mcp/{system}", get(of_system))
        .with_state(Arc::new(metadata))
}

/// Where the metadata of a resource stands (RFC 9728 section 3.1).
#[must_use]
pub fn url_of(resource: &str, system: Option<&str>) -> String {
    let base = resource.strip_suffix("/mcp").unwrap_or(resource);
    let tail = system.map(|system| format!("/{system}")).unwrap_or_default();
    format!("{base}/.well-known/oauth-protected-resource/mcp{tail}")
}

async fn whole(State(metadata): State<Arc<Metadata>>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    metadata.document(&headers, "")
}

/// Any name gets an answer: which systems exist is not for strangers to find out.
async fn of_system(
    State(metadata): State<Arc<Metadata>>,
    Path(system): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    metadata.document(&headers, &format!("/{system}"))
}

impl Metadata {
    fn document(&self, headers: &HeaderMap, tail: &str) -> Result<Json<Value>, StatusCode> {
        self.hosts.check(headers).map_err(|_refused: Refusal| StatusCode::FORBIDDEN)?;
        Ok(Json(json!({
            "resource": format!("{}{tail}", self.resource),
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": provost_token::DPOP_ALGORITHMS,
            "resource_name": "Provost MCP gateway",
        })))
    }
}
