//! Signing in: which provider, the way there, the way back, and out again.

use super::{
    Notice, SCRIPTED, page, page_under,
    passkey::{Elsewhere, elsewhere},
    refused,
    visitor::{SignedIn, carried_cookie, carried_name, is_own_form, session_cookie},
};
use crate::{app::App, door::RequestId};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use provost_control::{
    browser,
    sign_in::{self, Callback, Choice},
};
use provost_domain::Name;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct To {
    #[serde(default)]
    to: String,
    /// The person has to prove who they are anew.
    #[serde(default)]
    again: bool,
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct Page<'a> {
    choices: &'a [Way],
    to: &'a str,
    elsewhere: Option<Elsewhere>,
}

struct Way {
    description: String,
    href: String,
}

/// The ways to sign in: passkeys, and the providers there are.
pub(super) async fn choose(State(app): State<App>, Query(query): Query<To>, headers: HeaderMap) -> Response {
    let to = sign_in::own_path(&query.to);
    let elsewhere = elsewhere(&app, &headers, "/signin");
    let again = if query.again { "true" } else { "false" };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("to", to)
        .append_pair("again", again)
        .finish();
    let way = |choice: Choice| Way {
        description: choice.description,
        href: format!("/signin/{}?{query}", choice.issuer),
    };
    let choices: Vec<Way> = sign_in::choices(&app.plane).into_iter().map(way).collect();
    page_under(StatusCode::OK, &Page { choices: &choices, to, elsewhere }, SCRIPTED)
}

/// The way to a provider.
pub(super) async fn leave(
    State(app): State<App>,
    Path(issuer): Path<String>,
    Query(to): Query<To>,
    jar: CookieJar,
) -> Response {
    let Ok(issuer) = issuer.parse::<Name>() else { return Redirect::to("/signin").into_response() };
    match sign_in::begin(&app.plane, &issuer, &to.to, to.again).await {
        Ok(leaving) => {
            let jar = jar.add(carried_cookie(&app, leaving.carried.to_string()));
            (jar, Redirect::to(&leaving.location)).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// The way back.
pub(super) async fn back(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    Query(came): Query<Callback>,
    jar: CookieJar,
) -> Response {
    let carried = jar.get(&carried_name(&app)).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    // Good for one way back, whatever comes of it.
    let jar = jar.remove(carried_cookie(&app, String::new()));
    match sign_in::finish(&app.plane, &id.0, &came, &carried).await {
        Ok(signed_in) => {
            let session = signed_in.session;
            let jar = jar.add(session_cookie(&app, session.secret.to_string()));
            (jar, Redirect::to(&signed_in.to)).into_response()
        }
        Err(error) => (jar, refused(&error)).into_response(),
    }
}

/// Out.
pub(super) async fn out(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    SignedIn(visitor): SignedIn,
    headers: HeaderMap,
    jar: CookieJar,
) -> Response {
    if !is_own_form(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Err(error) = browser::end(&visitor.op(&app.plane, &id.0), &visitor.session).await {
        return refused(&error);
    }
    let jar = jar.remove(session_cookie(&app, String::new()));
    let notice = Notice {
        title: "Signed out",
        what: "This browser is signed out of Provost.",
        because: None,
        cure: Some("Tasks that you agreed to go on; end them with `provost task end`."),
    };
    (jar, page(StatusCode::OK, &notice, "")).into_response()
}
