//! A person's own sign-in: passkeys and sessions, and what is done about them.

use super::{
    act::Sent,
    bits,
    look::{Frame, Looker, Shown, done},
};
use crate::pages::passkey::{Elsewhere, elsewhere};
use askama::Template;
use axum::{extract::Path, http::HeaderMap};
use provost_api::passkey::{PasskeyRemove, PasskeyRename, PasskeyView, SessionQuery, SessionView};
use provost_control::{ControlError, browser, passkey};
use provost_domain::Name;

#[derive(Template)]
#[template(path = "you.html")]
struct You {
    frame: Frame,
    person: Name,
    /// Who answers for them while they are away, and whether they are.
    away: Option<(Name, provost_api::Moment)>,
    elsewhere: Option<Elsewhere>,
    passkeys: Vec<PasskeyView>,
    sessions: Vec<SessionView>,
    here: String,
}

/// The person's passkeys and sessions.
pub(super) async fn show(looker: Looker, headers: HeaderMap) -> Shown {
    let person = &looker.visitor.person;
    let failed = |error: ControlError| looker.failed(&error);
    let passkeys = passkey::list(&looker.op, &person.name).map_err(failed)?;
    let sessions = browser::list(&looker.op, SessionQuery::default()).map_err(failed)?.items;
    let now = looker.plane().now();
    let away = person.away.as_ref().filter(|away| away.until > now);
    let page = You {
        frame: looker.frame("/you"),
        person: person.name.clone(),
        away: away.map(|away| (away.to.clone(), away.until.into())),
        elsewhere: elsewhere(&looker.app, &headers, "/you"),
        passkeys,
        sessions,
        here: looker.visitor.session.id.to_string(),
    };
    Ok(looker.page(&page))
}

/// Another name for a passkey, or its end.
pub(super) async fn passkey(Path((id, deed)): Path<(String, String)>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let (op, person) = (&looker.op, &looker.visitor.person.name);
    let outcome = match deed.as_str() {
        "rename" => {
            let name = sent.exactly("name").to_owned();
            let wanted = PasskeyRename { name, reason: "the person calls it so".to_owned() };
            passkey::rename(op, person, &id, &wanted).await.map(|_view| "renamed")
        }
        "remove" => {
            let wanted = PasskeyRemove { reason: "the person removed it".to_owned(), even_if_last: false };
            passkey::remove(op, person, &id, &wanted).await.map(|_view| "removed")
        }
        _ => Err(ControlError::unknown("form", "of a passkey")),
    };
    let word = outcome.map_err(|error| looker.failed(&error))?;
    Ok(done("/you", word))
}

/// Ends a session: the person's own, or as an administrator anybody's, on the page of the person it is of.
pub(super) async fn session(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let person = sent.text("person").parse::<Name>().ok();
    let back = person.map_or("/you".to_owned(), |person| format!("/console/people/{person}"));
    let ended = browser::end_other(&looker.op, &id, "the person ended it").await;
    ended.map_err(|error| looker.failed(&error))?;
    Ok(done(&back, "signed-out"))
}
