//! What the plane says about itself as the issuer of task tokens: only what exists.

use crate::app::App;
use axum::{Json, extract::State};
use provost_api::oauth::{IssuerMetadata, KeySet};

/// Authorization server metadata (RFC 8414). Task tokens come from `POST /api/v1/tasks`; there is no authorization
/// endpoint and no token endpoint yet, and the document says so.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "issuer",
    responses((status = 200, body = IssuerMetadata))
)]
pub(crate) async fn issuer_metadata(State(app): State<App>) -> Json<IssuerMetadata> {
    let issuer = app.plane.issuer.clone();
    Json(IssuerMetadata {
        jwks_uri: format!("{issuer}/oauth/jwks"),
        service_documentation: format!("{issuer}/"),
        issuer,
        response_types_supported: Vec::new(),
        grant_types_supported: Vec::new(),
        token_endpoint_auth_methods_supported: Vec::new(),
    })
}

/// The keys task tokens are signed with (RFC 7517).
#[utoipa::path(get, path = "/oauth/jwks", tag = "issuer", responses((status = 200, body = KeySet)))]
pub(crate) async fn jwks(State(app): State<App>) -> Json<KeySet> {
    let key = serde_json::to_value(app.plane.token_key.verifying().jwk());
    Json(KeySet { keys: key.into_iter().collect() })
}
