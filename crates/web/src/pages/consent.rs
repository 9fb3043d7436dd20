//! Which agent may act for the person, for what: the authorization endpoint as a page.

use super::{
    Notice, page, refused,
    visitor::{SignedIn, is_own_form},
};
use crate::{app::App, door::RequestId};
use askama::Template;
use axum::{
    Extension,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use provost_control::oauth::authorize::{self, Answer, Question, Unasked};
use provost_token::OauthError;

#[derive(Template)]
#[template(path = "consent.html")]
struct Page<'a> {
    person: &'a str,
    question: &'a Question,
}

/// The question.
pub(super) async fn ask(
    State(app): State<App>,
    SignedIn(visitor): SignedIn,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    match authorize::question(&app.plane, &visitor, query.as_bytes()).await {
        Ok(question) => {
            let shown = Page { person: &visitor.person.display, question: &question };
            page(StatusCode::OK, &shown, &question.redirect_origin)
        }
        Err(Unasked::SignInAgain) => {
            let to = format!("/oauth/authorize?{query}");
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("to", &to)
                .append_pair("again", "true")
                .finish();
            Redirect::to(&format!("/signin?{query}")).into_response()
        }
        Err(unasked) => told(unasked),
    }
}

/// The answer.
pub(super) async fn answer(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    SignedIn(visitor): SignedIn,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_own_form(&headers) || body.len() > BODY_BYTES_MAX {
        let text =
            provost_control::ControlError::refused("this answer was not given on a page of this plane");
        return refused(&text);
    }
    match authorize::answer(&app.plane, &id.0, &visitor, &read(&body)).await {
        Ok(location) => Redirect::to(&location).into_response(),
        Err(unasked) => told(unasked),
    }
}

fn read(body: &[u8]) -> Answer {
    let mut answer =
        Answer { carried: String::new(), agent: None, purpose: String::new(), tools: Vec::new() };
    for (name, value) in url::form_urlencoded::parse(body) {
        match name.as_ref() {
            "asked" => answer.carried = value.into_owned(),
            // What is not a name of an agent is a no.
            "agent" => answer.agent = value.parse().ok(),
            "purpose" => answer.purpose = value.into_owned(),
            "tool" if answer.tools.len() < TOOLS_MAX => answer.tools.push(value.into_owned()),
            _ => {}
        }
    }
    answer
}

fn told(unasked: Unasked) -> Response {
    match unasked {
        Unasked::Sent(location) => Redirect::to(&location).into_response(),
        Unasked::Shown(error) => shown(&error),
        Unasked::SignInAgain => Redirect::to("/signin?again=true").into_response(),
    }
}

fn shown(error: &OauthError) -> Response {
    // 401 and its like are for programs; a person reads a page.
    let status = match error.status() {
        503 => StatusCode::SERVICE_UNAVAILABLE,
        500 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let notice = Notice {
        title: "The application asked wrongly",
        what: error.description(),
        because: Some("Nothing was given to it, and nothing was sent to it."),
        cure: Some("Go back to the application and begin again, or tell whoever makes it."),
    };
    page(status, &notice, "")
}

const BODY_BYTES_MAX: usize = 131_072;
const TOOLS_MAX: usize = 1_024;
