//! Who asks: a bearer token, or the session of a person in a browser on a page of this plane, becomes the operator of one
//! operation. Nothing of the request is looked at before.

use crate::{
    app::App,
    door::RequestId,
    pages,
    problem::{Edge, Refusal},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, header::AUTHORIZATION, request::Parts},
};
use provost_control::{ControlError, Op, browser, session};
use provost_domain::Session;
use std::sync::Arc;

/// An operation that somebody known asks for.
pub(crate) struct Asked(pub(crate) Op);

impl FromRequestParts<App> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        // A program's token goes before a browser's cookie.
        if !parts.headers.contains_key(AUTHORIZATION)
            && let Some(visitor) = pages::visitor_of(app, &parts.headers)?
        {
            if !pages::is_own(&parts.method, &parts.headers) {
                return Err(Refusal::edge(Edge::Forbidden, "this was not asked for on a page of this plane")
                    .because("a session counts only for requests that the plane's own pages send")
                    .cure("programs send `Authorization: Bearer <token>`"));
            }
            if parts.method != Method::GET {
                browser::touch(&visitor, &app.plane, &request_id).await;
            }
            return Ok(Self(visitor.op(&app.plane, &request_id)));
        }
        let token = bearer(&parts.headers)?;
        let subject = session::resolve(&app.plane, token).await.map_err(ControlError::from)?;
        let Some(subject) = subject else {
            return Err(unknown("nobody has this token, or it was replaced"));
        };
        if !subject.may_administer() {
            return Err(Refusal::edge(Edge::Forbidden, format!("{subject} administers nothing"))
                .because("workloads only ask decisions, at /access/v1")
                .cure("use the token of an administrator"));
        }
        Ok(Self(Op { subject, request_id, plane: Arc::clone(&app.plane) }))
    }
}

/// The session of a browser that asks, if it has one.
pub(crate) fn session_of(app: &App, headers: &HeaderMap) -> Option<Arc<Session>> {
    pages::visitor_of(app, headers).ok().flatten().map(|visitor| visitor.session)
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
