//! Whose browser it is. The cookie is the session's secret; on a plane behind TLS it is bound to this host and to TLS by its
//! name (RFC 6265bis section 4.1.3.2).

use super::refused;
use crate::app::App;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::ORIGIN, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use provost_control::browser;

/// A person who is signed in; everybody else is sent to sign in, and comes back.
pub(super) struct SignedIn(pub(super) browser::Visitor);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let jar = CookieJar::from_headers(&parts.headers);
        let cookie = jar.get(&session_name(app)).map(|cookie| cookie.value().to_owned());
        let found = match cookie {
            Some(cookie) => browser::visitor(&app.plane, &cookie).map_err(|error| refused(&error))?,
            None => None,
        };
        found.map(Self).ok_or_else(|| {
            // After signing in, a form has to be filled in again: only pages are come back to.
            let to = match parts.method == axum::http::Method::GET {
                true => parts.uri.path_and_query().map_or("/", |path| path.as_str()),
                false => "/",
            };
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
            Redirect::to(&format!("/signin?{query}")).into_response()
        })
    }
}

/// Whether the browser that asks is somebody's who is signed in.
pub(crate) fn is_signed_in(app: &App, headers: &HeaderMap) -> bool {
    let jar = CookieJar::from_headers(headers);
    let cookie = jar.get(&session_name(app));
    cookie.is_some_and(|cookie| matches!(browser::visitor(&app.plane, cookie.value()), Ok(Some(_))))
}

/// Whether a form was sent from a page of this plane. The door has refused foreign origins already; a browser that names
/// none at all is too old to be trusted with a session.
pub(super) fn is_own_form(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match site {
        Some(site) => site == "same-origin",
        None => headers.contains_key(ORIGIN),
    }
}

/// The session's cookie. It goes with the browser; the session's own end is kept here.
pub(super) fn session_cookie(app: &App, secret: String) -> Cookie<'static> {
    cookie(app, session_name(app), secret)
}

/// What a browser carries to an identity provider and back.
pub(super) fn carried_cookie(app: &App, carried: String) -> Cookie<'static> {
    cookie(app, carried_name(app), carried)
}

pub(super) fn session_name(app: &App) -> String {
    name(app, "provost")
}

pub(super) fn carried_name(app: &App) -> String {
    name(app, "provost-signin")
}

/// Lax: a person comes to the consent page from the client's site, and back here from the provider's. What changes
/// something is a form, and those are checked.
fn cookie(app: &App, name: String, value: String) -> Cookie<'static> {
    Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_tls(app))
        .build()
}

fn name(app: &App, name: &str) -> String {
    if is_tls(app) { format!("__Host-{name}") } else { name.to_owned() }
}

/// Without TLS a plane is on a laptop, where browsers would not keep such a cookie.
fn is_tls(app: &App) -> bool {
    app.plane.issuer.starts_with("https://")
}
