//! Passkeys in the browser: signing in with one, and the page of a one-use link. What the module `passkey.js` asks in between is
//! JSON, no part of the API, and taken from our own pages only.

use super::{
    SCRIPTED, page_under,
    visitor::{is_own_form, session_cookie},
};
use crate::{
    app::App,
    door::RequestId,
    input::Said,
    problem::{Edge, Refusal},
};
use askama::Template;
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header::HOST},
    response::{IntoResponse as _, Response},
};
use axum_extra::extract::CookieJar;
use provost_api::passkey::{
    InviteBegin, InviteFinish, InviteOpen, InviteSeen, PasskeyCreation, SignInAsk, Signed,
};
use provost_control::passkey;
use serde::{Deserialize, Serialize};

/// Why passkeys do not work where a page was opened, in four parts, and where they do.
pub(super) struct Elsewhere {
    pub(super) what: String,
    pub(super) because: String,
    pub(super) means: &'static str,
    /// The same page at the right address.
    pub(super) href: Option<String>,
    pub(super) cure: String,
}

#[derive(Template)]
#[template(path = "invite.html")]
struct InvitePage {
    elsewhere: Option<Elsewhere>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Began {
    #[serde(default)]
    to: String,
}

/// Where the browser goes afterwards.
#[derive(Serialize)]
pub(super) struct GoOn {
    to: String,
}

/// Compares where a page was opened with where passkeys work.
pub(super) fn elsewhere(app: &App, headers: &HeaderMap, path: &str) -> Option<Elsewhere> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match passkey::party(&app.plane) {
        Ok(party) => {
            let right = party.origin.split_once("://").map(|(_scheme, host)| host).unwrap_or_default();
            (!host.eq_ignore_ascii_case(right)).then(|| Elsewhere {
                what: format!("Passkeys do not work at {host}"),
                because:
                    "browsers make and use them for one name, and this page was opened under another address"
                        .to_owned(),
                means: "nobody can register a passkey, sign in with one or sign an answer on this page",
                href: Some(format!("{}{path}", party.origin)),
                cure: format!("open {}{path} instead", party.origin),
            })
        }
        Err(error) => {
            let text = error.text();
            Some(Elsewhere {
                what: "Passkeys do not work at this plane".to_owned(),
                because: text.because.clone().unwrap_or_default(),
                means: "nobody can register a passkey, sign in with one or sign an answer here",
                href: None,
                cure: text.cure.clone().unwrap_or_default(),
            })
        }
    }
}

/// A challenge for whoever wants to sign in.
pub(super) async fn sign_in_begin(
    State(app): State<App>,
    headers: HeaderMap,
    Said(began): Said<Began>,
) -> Result<Json<SignInAsk>, Refusal> {
    own(&headers)?;
    Ok(Json(passkey::sign_in::begin(&app.plane, &began.to)?))
}

/// The session of whoever signed it.
pub(super) async fn sign_in_finish(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    jar: CookieJar,
    Said(signed): Said<Signed>,
) -> Result<Response, Refusal> {
    own(&headers)?;
    let signed_in = passkey::sign_in::finish(&app.plane, &id.0, &signed).await?;
    let jar = jar.add(session_cookie(&app, signed_in.session.secret.to_string()));
    Ok((jar, Json(GoOn { to: signed_in.to })).into_response())
}

/// The page of a link. The secret is behind `#`, where no server sees it; the module reads it there.
pub(super) async fn invite(State(app): State<App>, headers: HeaderMap) -> Response {
    page_under(StatusCode::OK, &InvitePage { elsewhere: elsewhere(&app, &headers, "/invite") }, SCRIPTED)
}

/// Whom a link is for.
pub(super) async fn invite_open(
    State(app): State<App>,
    headers: HeaderMap,
    Said(open): Said<InviteOpen>,
) -> Result<Json<InviteSeen>, Refusal> {
    own(&headers)?;
    Ok(Json(passkey::invite::seen(&app.plane, &open.secret)?))
}

/// What the browser is to make.
pub(super) async fn invite_begin(
    State(app): State<App>,
    headers: HeaderMap,
    Said(wanted): Said<InviteBegin>,
) -> Result<Json<PasskeyCreation>, Refusal> {
    own(&headers)?;
    Ok(Json(passkey::invite::begin(&app.plane, &wanted).await?))
}

/// The passkey, and a session.
pub(super) async fn invite_finish(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    jar: CookieJar,
    Said(wanted): Said<InviteFinish>,
) -> Result<Response, Refusal> {
    own(&headers)?;
    let session = passkey::invite::finish(&app.plane, &id.0, &wanted).await?;
    let jar = jar.add(session_cookie(&app, session.secret.to_string()));
    Ok((jar, Json(GoOn { to: "/console".to_owned() })).into_response())
}

/// Refuses what no page of this plane sent.
fn own(headers: &HeaderMap) -> Result<(), Refusal> {
    if is_own_form(headers) {
        return Ok(());
    }
    Err(Refusal::edge(Edge::Forbidden, "this was not asked for on a page of this plane"))
}
