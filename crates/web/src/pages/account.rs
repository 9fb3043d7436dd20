//! The person's accounts at systems: connected once, used by agents that act for them, disconnected at any time.

use super::{
    SCRIPTED,
    console::Frame,
    page, page_under, refused,
    visitor::{SignedIn, is_own_form},
};
use crate::{app::App, door::RequestId};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use provost_control::{
    ControlError,
    account::{self, Offer},
    sign_in::Callback,
};
use provost_domain::Name;

#[derive(Template)]
#[template(path = "accounts.html")]
struct Page<'a> {
    frame: Frame,
    offers: &'a [Row],
    agents: Vec<String>,
}

struct Row {
    offer: Offer,
    since: Option<String>,
}

/// Where the person has, or could have, an account connected.
pub(super) async fn list(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    SignedIn(visitor): SignedIn,
) -> Response {
    let offers = match account::offers(&visitor.op(&app.plane, &id.0)) {
        Ok(offers) => offers,
        Err(error) => return refused(&error),
    };
    let row = |offer: Offer| Row {
        since: offer.connected.map(|at| provost_api::Moment::from(at).to_string()),
        offer,
    };
    let offers: Vec<Row> = offers.into_iter().map(row).collect();
    let view = app.plane.replica.latest();
    let mut agents: Vec<String> = view
        .directory
        .tasks
        .values()
        .filter(|task| {
            task.for_person && task.requester == visitor.person.name && task.is_live(app.plane.now())
        })
        .map(|task| format!("{}: {}", task.agent, task.purpose))
        .collect();
    agents.sort();
    page_under(
        StatusCode::OK,
        &Page { frame: Frame::of(&visitor, "/accounts"), offers: &offers, agents },
        SCRIPTED,
    )
}

/// To the system's own page, where the person agrees.
pub(super) async fn connect(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    SignedIn(visitor): SignedIn,
    Path(system): Path<String>,
) -> Response {
    let Ok(system) = system.parse::<Name>() else { return Redirect::to("/accounts").into_response() };
    match account::begin(&visitor.op(&app.plane, &id.0), &system).await {
        Ok(location) => Redirect::to(&location).into_response(),
        Err(error) => refused(&error),
    }
}

/// Back from there.
pub(super) async fn back(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    SignedIn(visitor): SignedIn,
    Query(came): Query<Callback>,
) -> Response {
    match account::finish(&visitor.op(&app.plane, &id.0), &came).await {
        Ok(_account) => Redirect::to("/accounts").into_response(),
        Err(error) => refused(&error),
    }
}

/// No more.
pub(super) async fn disconnect(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    SignedIn(visitor): SignedIn,
    Path(system): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !is_own_form(&headers) {
        return refused(&ControlError::refused("this was not asked for on a page of this plane"));
    }
    let Ok(system) = system.parse::<Name>() else { return Redirect::to("/accounts").into_response() };
    let op = visitor.op(&app.plane, &id.0);
    match account::disconnect(&op, &system, &visitor.person.name, "the person asked for it").await {
        Ok(gone) if gone.revoked => Redirect::to("/accounts").into_response(),
        Ok(_forgotten) => {
            let what = format!("Provost has forgotten your account at {system} and uses it no more.");
            let notice = super::Notice {
                title: "Disconnected here",
                what: &what,
                because: Some("The system did not confirm that what Provost had is worth nothing any more."),
                cure: Some("Take Provost off the list of connected applications there, too."),
            };
            page(StatusCode::OK, &notice, "")
        }
        Err(error) => refused(&error),
    }
}
