//! Whose browser it is. The cookie is the session's secret; on a plane behind TLS it is bound to this host and to TLS by its
//! name (RFC 6265bis section 4.1.3.2).

use super::refused;
use crate::{app::App, door::RequestId};
use axum::{
    extract::{FromRequestParts, Query},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ORIGIN, REFRESH},
        request::Parts,
    },
    response::{IntoResponse as _, Redirect, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use provost_control::{ControlError, browser};
use serde::Deserialize;

/// A person who is signed in; everybody else is sent to sign in, and comes back.
pub(super) struct SignedIn(pub(super) browser::Visitor);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        if let Some(visitor) = visitor_of(app, &parts.headers).map_err(|error| refused(&error))? {
            let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
            // What a page fetches by itself while nobody looks keeps nobody signed in.
            if is_navigation(&parts.headers) {
                browser::touch(&visitor, &app.plane, &id).await;
            }
            return Ok(Self(visitor));
        }
        // After signing in, a form has to be filled in again: only pages are come back to.
        let to = match parts.method == Method::GET {
            true => parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            false => "/",
        };
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
        // A strict cookie does not come along from another site, so whoever followed a link from there looks like nobody.
        if parts.method == Method::GET && site(&parts.headers) == Some("cross-site") {
            return Err(come_in(&format!("/here?{query}")));
        }
        Err(Redirect::to(&format!("/signin?{query}")).into_response())
    }
}

/// A page that leads on by itself: what it leads to is asked for by this plane, and the cookie comes along.
fn come_in(to: &str) -> Response {
    let notice = super::Notice {
        title: "Welcome back",
        what: "One moment: this page leads on by itself.",
        because: None,
        cure: None,
    };
    let mut response = super::page(StatusCode::OK, &notice, "");
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={to}")) {
        response.headers_mut().insert(REFRESH, value);
    }
    response
}

/// Where [`come_in`] leads: on to the page that was asked for.
pub(super) async fn here(Query(to): Query<To>) -> Redirect {
    Redirect::to(provost_control::sign_in::own_path(&to.to))
}

#[derive(Deserialize)]
pub(super) struct To {
    #[serde(default)]
    to: String,
}

/// Who sits at the browser that asks.
pub(crate) fn visitor_of(app: &App, headers: &HeaderMap) -> Result<Option<browser::Visitor>, ControlError> {
    let jar = CookieJar::from_headers(headers);
    let cookie = jar.get(&session_name(app)).map(|cookie| cookie.value().to_owned());
    cookie.map_or(Ok(None), |cookie| browser::visitor(&app.plane, &cookie))
}

/// Whether the browser that asks is somebody's who is signed in.
pub(crate) fn is_signed_in(app: &App, headers: &HeaderMap) -> bool {
    matches!(visitor_of(app, headers), Ok(Some(_)))
}

/// Whether a request of a browser was sent by a page of this plane, or, if it only looks, typed by the person.
pub(crate) fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    match (method == Method::GET, site(headers)) {
        (true, site) => !matches!(site, Some("cross-site" | "same-site")),
        (false, _) => is_own_form(headers),
    }
}

fn site(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-site").and_then(|value| value.to_str().ok())
}

fn is_navigation(headers: &HeaderMap) -> bool {
    let mode = headers.get("sec-fetch-mode").and_then(|value| value.to_str().ok());
    mode.is_none_or(|mode| mode == "navigate")
}

/// Whether a form was sent from a page of this plane. The door has refused foreign origins already; a browser that names
/// none at all is too old to be trusted with a session.
pub(super) fn is_own_form(headers: &HeaderMap) -> bool {
    match site(headers) {
        Some(site) => site == "same-origin",
        None => headers.contains_key(ORIGIN),
    }
}

/// The session's cookie. It goes with the browser; the session's own end is kept here. Strict: no other site's page makes a
/// browser send it, not even by a link ([`come_in`]).
pub(super) fn session_cookie(app: &App, secret: String) -> Cookie<'static> {
    cookie(app, session_name(app), secret, SameSite::Strict)
}

/// What a browser carries to an identity provider and back. Lax: it comes back by a link of the provider's.
pub(super) fn carried_cookie(app: &App, carried: String) -> Cookie<'static> {
    cookie(app, carried_name(app), carried, SameSite::Lax)
}

pub(super) fn session_name(app: &App) -> String {
    name(app, "provost")
}

pub(super) fn carried_name(app: &App) -> String {
    name(app, "provost-signin")
}

fn cookie(app: &App, name: String, value: String, site: SameSite) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").http_only(true).same_site(site).secure(is_tls(app)).build()
}

fn name(app: &App, name: &str) -> String {
    if is_tls(app) { format!("__Host-{name}") } else { name.to_owned() }
}

/// Without TLS a plane is on a laptop, where browsers would not keep such a cookie.
fn is_tls(app: &App) -> bool {
    app.plane.issuer.starts_with("https://")
}
