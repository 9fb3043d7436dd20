//! From bytes to types: strict, bounded, with a path to what is wrong.

use crate::{
    app::App,
    problem::{Edge, Refusal},
    strict,
};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
};
use serde::de::DeserializeOwned;

/// A JSON body.
pub(crate) struct Said<T>(pub(crate) T);

/// A part of the path.
pub(crate) struct At<T>(pub(crate) T);

/// The query.
pub(crate) struct Asking<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Said<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        check_media_type(&request)?;
        let bytes =
            Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::edge(Edge::TooLarge, "the body is over its limit")
                    .because("the limit `body_bytes_max` (requests with files have a larger one)")
                    .cure("send less at once"),
                _ => Refusal::edge(Edge::Malformed, "the body ended early"),
            })?;
        let malformed = |error: serde_json::Error| {
            Refusal::edge(Edge::Malformed, format!("the body is not JSON as it should be: {error}"))
        };
        strict::check(&bytes, &app.plane.limits).map_err(malformed)?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        serde_path_to_error::deserialize(&mut reader).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { "the body".to_owned() } else { format!("`{path}`") };
            Refusal::edge(Edge::Invalid, format!("{place}: {}", error.into_inner()))
                .cure("see /api/v1/openapi.json")
        })
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Path(value) = Path::<T>::from_request_parts(parts, app).await.map_err(|rejection| {
            Refusal::edge(Edge::Invalid, format!("the path: {}", rejection.body_text()))
        })?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Asking<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Query(value) = Query::<T>::from_request_parts(parts, app).await.map_err(|rejection| {
            Refusal::edge(Edge::Invalid, format!("the query: {}", rejection.body_text()))
        })?;
        Ok(Self(value))
    }
}

fn check_media_type(request: &Request) -> Result<(), Refusal> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next()).map(str::trim).unwrap_or_default();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::edge(Edge::MediaType, "the body has another media type, or none")
        .cure("send it with `Content-Type: application/json`"))
}
