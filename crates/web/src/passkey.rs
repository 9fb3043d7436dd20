//! Passkeys of people, links to register them with, and sessions.

use crate::{
    app::{Answer, App},
    asked::{Asked, session_of},
    input::{Asking, At, Said},
    problem::{Problems, Refusal},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use provost_api::{
    Because, Page,
    passkey::{
        InviteMake, InviteView, PasskeyAdd, PasskeyCreation, PasskeyRemove, PasskeyRename, PasskeyView,
        SessionQuery, SessionView,
    },
};
use provost_control::{browser, passkey};
use provost_domain::Name;

/// Makes a link with which this person registers one passkey, once. The answer is the only place it is ever shown.
#[utoipa::path(
    post,
    path = "/people/{name}/invite",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    request_body = InviteMake,
    responses(
        (status = 200, body = InviteView),
        (status = 202, description = "They can sign in already: the link is good once those who must have agreed", body = InviteView),
        Problems
    )
)]
pub(crate) async fn person_invite(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<InviteMake>,
) -> Result<(StatusCode, Json<InviteView>), Refusal> {
    let made = passkey::invite::make(&op, &name, &wanted).await?;
    let status = if made.proposal.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(made)))
}

/// The passkeys of a person, oldest first.
#[utoipa::path(
    get,
    path = "/people/{name}/passkeys",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    responses((status = 200, body = Vec<PasskeyView>), Problems)
)]
pub(crate) async fn passkey_list(Asked(op): Asked, At(name): At<Name>) -> Answer<Vec<PasskeyView>> {
    Ok(Json(passkey::list(&op, &name)?))
}

/// What the person's browser is asked to make; for the person themself, signed in within the last 15 minutes.
#[utoipa::path(
    post,
    path = "/people/{name}/passkeys/begin",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    responses((status = 200, body = PasskeyCreation), Problems)
)]
pub(crate) async fn passkey_begin(
    State(app): State<App>,
    Asked(op): Asked,
    At(name): At<Name>,
    headers: HeaderMap,
) -> Answer<PasskeyCreation> {
    let session = session_of(&app, &headers);
    Ok(Json(passkey::begin(&op, &name, session.as_deref())?))
}

/// Keeps the passkey that the browser made.
#[utoipa::path(
    post,
    path = "/people/{name}/passkeys",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    request_body = PasskeyAdd,
    responses((status = 200, body = PasskeyView), Problems)
)]
pub(crate) async fn passkey_add(
    State(app): State<App>,
    Asked(op): Asked,
    At(name): At<Name>,
    headers: HeaderMap,
    Said(wanted): Said<PasskeyAdd>,
) -> Answer<PasskeyView> {
    let session = session_of(&app, &headers);
    Ok(Json(passkey::finish(&op, &name, session.as_deref(), &wanted).await?))
}

/// Gives a passkey another name.
#[utoipa::path(
    post,
    path = "/people/{name}/passkeys/{id}/rename",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person"), ("id" = String, Path, description = "The passkey")),
    request_body = PasskeyRename,
    responses((status = 200, body = PasskeyView), Problems)
)]
pub(crate) async fn passkey_rename(
    Asked(op): Asked,
    At((name, id)): At<(Name, String)>,
    Said(wanted): Said<PasskeyRename>,
) -> Answer<PasskeyView> {
    Ok(Json(passkey::rename(&op, &name, &id, &wanted).await?))
}

/// Takes a passkey from a person and ends the sessions it started.
#[utoipa::path(
    post,
    path = "/people/{name}/passkeys/{id}/remove",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person"), ("id" = String, Path, description = "The passkey")),
    request_body = PasskeyRemove,
    responses((status = 200, body = PasskeyView), Problems)
)]
pub(crate) async fn passkey_remove(
    Asked(op): Asked,
    At((name, id)): At<(Name, String)>,
    Said(wanted): Said<PasskeyRemove>,
) -> Answer<PasskeyView> {
    Ok(Json(passkey::remove(&op, &name, &id, &wanted).await?))
}

/// Sessions that are good, newest first: one's own; for administrators everybody's.
#[utoipa::path(
    get,
    path = "/sessions",
    tag = "identities",
    security(("token" = [])),
    params(SessionQuery),
    responses((status = 200, body = Page<SessionView>), Problems)
)]
pub(crate) async fn session_list(
    Asked(op): Asked,
    Asking(query): Asking<SessionQuery>,
) -> Answer<Page<SessionView>> {
    Ok(Json(browser::list(&op, query)?))
}

/// Ends a session: one's own; for administrators anybody's.
#[utoipa::path(
    post,
    path = "/sessions/{id}/end",
    tag = "identities",
    security(("token" = [])),
    params(("id" = String, Path, description = "The session")),
    request_body = Because,
    responses((status = 200, body = SessionView), Problems)
)]
pub(crate) async fn session_end(
    Asked(op): Asked,
    At(id): At<String>,
    Said(why): Said<Because>,
) -> Answer<SessionView> {
    Ok(Json(browser::end_other(&op, &id, &why.reason).await?))
}
