//! Who asks: a bearer token becomes the operator of one operation. Nothing of the request is looked at before.

use crate::{
    app::App,
    door::RequestId,
    problem::{Edge, Refusal},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use provost_control::{ControlError, Op, session};
use std::sync::Arc;

/// An operation that somebody known asks for.
pub(crate) struct Asked(pub(crate) Op);

impl FromRequestParts<App> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let token = bearer(&parts.headers)?;
        let subject = session::resolve(&app.plane, token).await.map_err(ControlError::from)?;
        let Some(subject) = subject else {
            return Err(unknown("nobody has this token, or it was replaced"));
        };
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        if !subject.may_administer() {
            return Err(Refusal::edge(Edge::Forbidden, format!("{subject} administers nothing"))
                .because("workloads only ask decisions, at /access/v1")
                .cure("use the token of an administrator"));
        }
        Ok(Self(Op { subject, request_id, plane: Arc::clone(&app.plane) }))
    }
}

/// The token of the one `Authorization: Bearer` header (RFC 6750 section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unknown("the request has no bearer token"));
    };
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(unknown("the request has no bearer token")),
    }
}

fn unknown(what: &str) -> Refusal {
    Refusal::edge(Edge::Unauthenticated, what).cure(
        "send `Authorization: Bearer <token>`; the local one is in the file `admin-token` of the plane's data",
    )
}
