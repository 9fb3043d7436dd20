//! Pages for people: HTML made here, no script needed, nothing of it from elsewhere. What others wrote (names of software,
//! descriptions of tools) is text in them, never markup: askama escapes it.
//!
//! | file | page |
//! |---|---|
//! | `sign_in` | how to sign in; the way to an identity provider and back |
//! | `consent` | which agent may act for the person, for what |
//! | `account` | the person's accounts at systems, for agents that act for them |
//! | `passkey` | signing in with a passkey, the page of a one-use link |
//! | `visitor` | whose browser it is, and that a form was sent from a page of this plane |
//! | `assets` | the style and the icon |
//! | `console` | what is looked at: agents, tasks, decisions, systems, ledger |

mod account;
mod assets;
mod consent;
mod console;
mod passkey;
mod sign_in;
mod visitor;

pub(crate) use console::Live;
pub(crate) use visitor::{is_own, is_signed_in, visitor_of};

use crate::app::App;
use askama::Template;
use axum::{
    Router,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY},
    },
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use provost_control::ControlError;

/// The routes of the pages. They are no part of the API: programs have better ways.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/signin", get(sign_in::choose))
        .route("/signin/callback", get(sign_in::back))
        .route("/signin/{issuer}", get(sign_in::leave))
        .route("/signin/passkey/begin", post(passkey::sign_in_begin))
        .route("/signin/passkey/finish", post(passkey::sign_in_finish))
        .route("/signout", post(sign_in::out))
        .route("/here", get(visitor::here))
        .route("/invite", get(passkey::invite))
        .route("/invite/open", post(passkey::invite_open))
        .route("/invite/begin", post(passkey::invite_begin))
        .route("/invite/finish", post(passkey::invite_finish))
        .route("/oauth/authorize", get(consent::ask).post(consent::answer))
        .route("/accounts", get(account::list))
        .route("/accounts/{system}", get(account::list))
        .route("/accounts/{system}/connect", get(account::connect))
        .route("/accounts/{system}/disconnect", post(account::disconnect))
        .route("/oauth/accounts/callback", get(account::back))
        .route("/assets/provost.css", get(assets::style))
        .route("/assets/provost.svg", get(assets::icon))
        .route("/assets/passkey.js", get(assets::passkey))
        .merge(console::routes())
}

/// A page, under a policy that lets it load our style, send forms here and to `also`, and nothing else.
fn page(status: StatusCode, template: &impl Template, also: &str) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {also}; base-uri 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    page_under(status, template, &policy)
}

/// The policy of pages that use our own module: it may ask this plane, and make no markup from text.
const SCRIPTED: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; \
                        form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                        require-trusted-types-for 'script'; trusted-types 'none'";

/// A page under this policy.
fn page_under(status: StatusCode, template: &impl Template, policy: &str) -> Response {
    let Ok(text) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, seen(text)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // An address of a client that is no header value would leave the page without a policy.
    let strict = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(policy).unwrap_or(strict));
    // With `no-referrer`, browsers send `Origin: null` with our own forms.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// The page with a mark for each character that would only change how the others are read: overrides of direction make a payee
/// read backwards, characters without width make two names look the same.
fn seen(text: String) -> String {
    if text.is_ascii() || !text.contains(is_hidden) {
        return text;
    }
    text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Joiners are left alone, which scripts and pictures need, and marks that say which way a number reads.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    title: &'a str,
    what: &'a str,
    because: Option<&'a str>,
    cure: Option<&'a str>,
}

/// What stands at the address alone, for whoever is not signed in.
#[derive(Template)]
#[template(path = "home.html")]
struct Home;

/// What stands at the address alone.
pub(crate) fn home() -> Response {
    page(StatusCode::OK, &Home, "")
}

/// A path that leads nowhere, for a person who followed or typed it.
pub(crate) fn nowhere(app: &App, headers: &HeaderMap) -> Response {
    let error = ControlError::NotFound("there is no page under this address".to_owned().into());
    match visitor_of(app, headers) {
        Ok(Some(visitor)) => console::failed(&visitor, &error),
        Ok(None) | Err(_) => refused(&error),
    }
}

/// What went wrong, for a person.
fn refused(error: &ControlError) -> Response {
    let (status, text) = (status_of(error), error.text());
    let notice = Notice {
        title: if status == StatusCode::NOT_FOUND { "There is nothing here" } else { "That did not work" },
        what: &text.what,
        because: text.because.as_deref(),
        cure: text.cure.as_deref(),
    };
    page(status, &notice, "")
}

fn status_of(error: &ControlError) -> StatusCode {
    match error {
        ControlError::Caller(_) => StatusCode::BAD_REQUEST,
        ControlError::NotFound(_) => StatusCode::NOT_FOUND,
        ControlError::Refused(_) => StatusCode::FORBIDDEN,
        ControlError::Conflict(_) => StatusCode::CONFLICT,
        ControlError::Upstream { .. } => StatusCode::BAD_GATEWAY,
        ControlError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        ControlError::Us { .. } => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_only_change_how_others_are_read_are_seen() {
        assert_eq!(seen("pay \u{202e}EMCA\u{202c}".to_owned()), "pay \u{fffd}EMCA\u{fffd}");
        assert_eq!(seen("cl\u{200b}erk \u{e0041}".to_owned()), "cl\u{fffd}erk \u{fffd}");
        for fine in ["plain", "Jürgen 請求書", "مرحبا\u{200f}", "👩\u{200d}🚀"] {
            assert_eq!(seen(fine.to_owned()), fine);
        }
    }
}
