//! The OpenAPI document, made from the handlers. The file `openapi.json` beside this crate is a copy, compared by a
//! test, so that a change of the interface shows in review.

use crate::{app, app::App, problem};
use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "machines", responses((status = 200, body = Object)))]
pub(crate) async fn openapi(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], app.document.to_string())
}

/// The document, as the handlers make it.
#[must_use]
pub fn document() -> OpenApi {
    app::routes(0).into_openapi()
}

/// The document as text: indented, with a final newline.
///
/// # Errors
/// When it cannot be written, which a test rules out.
pub fn document_text() -> Result<String, serde_json::Error> {
    let mut text = document().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// What stands around the paths.
pub(crate) fn frame() -> OpenApi {
    let mut components = Components::new();
    for (name, schema) in problem::schemas() {
        components.schemas.insert(name, schema);
    }
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(TOKEN)).build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Provost")
        .version("v1")
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

const ABOUT: &str = "Administration of a Provost plane. Requests refuse members they do not know; answers may gain \
                     members. Moments are RFC 3339, durations a number with a unit (`15m`). Every refusal is a \
                     problem (RFC 9457) that says what, why, and what to do.";
const TOKEN: &str = "The local administrator token: the file `admin-token` in the plane's data folder";
