//! One event of a trusted issuer (RFC 8935), and what it does here: it is judged strictly, the person it is about is found by the
//! issuer's own subject or the mail address, and what it says of that person holds.

use super::event::{
    ACCOUNT_DISABLED, ACCOUNT_ENABLED, ACCOUNT_PURGED, CREDENTIAL_COMPROMISE, SESSION_REVOKED,
};
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    finding, leaving,
    plane::Plane,
};
use provost_domain::{
    Directory, Issuer, Kind, Name, Object, ObjectKey, Session, Severity, Sighting,
    finding::{About, Response, finding_id},
};
use provost_notify::text::clean;
use provost_token::{
    Fault,
    set::{ReceivedEvent, claimed_issuer, read_event},
};
use serde_json::Value;
use std::sync::Arc;

/// Why an event was not taken (RFC 8935 section 2.4): a word of the protocol, and words.
#[derive(Debug)]
pub struct NotTaken {
    /// `invalid_request`, `invalid_key`, `invalid_issuer`, `invalid_audience`; nothing when the plane cannot just now.
    pub err: Option<&'static str>,
    /// In words.
    pub why: String,
}

/// Takes one event. Taken means: what it leads to here is on record.
///
/// # Errors
/// When it is none of a trusted issuer for this plane, or the plane cannot act on it just now.
pub async fn take(plane: &Arc<Plane>, token: &str) -> Result<(), NotTaken> {
    let (issuer, audiences) = trusted(plane, token)?;
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    let now = plane.now();
    let judged = plane
        .trusted
        .judged(plane, &issuer, |keys| read_event(token, keys, (&issuer.issuer, &audiences), now))
        .await
        .map_err(|error| later(format!("the keys of {} cannot be had: {error}", issuer.name)))?;
    let event = judged.map_err(|fault| refused(&fault))?;
    // Its finding is made last: where that stands, all that it leads to was done. Doing it twice would do no harm.
    let seen = ObjectKey::finding(&finding_id(&kind(&event), &key(&event)));
    if plane.store.version(&seen).await.map_err(|error| later(error.to_string()))? > 0 {
        return Ok(());
    }
    let op = Op {
        subject: Operator::Plane,
        request_id: format!("signal {}", event.jti),
        plane: Arc::clone(plane),
    };
    act(&op, &issuer, &event).await.map_err(|error| later(error.text().what.clone()))
}

/// The kind of finding that an event makes, so that a rule can be about one of them: `signal-account-disabled`.
fn kind(event: &ReceivedEvent) -> String {
    let known = [ACCOUNT_DISABLED, ACCOUNT_PURGED, ACCOUNT_ENABLED, CREDENTIAL_COMPROMISE, SESSION_REVOKED];
    let short = known.iter().find(|known| **known == event.event).and_then(|known| known.rsplit('/').next());
    format!("{KIND}-{}", short.unwrap_or("other"))
}

/// What makes two sightings one event.
fn key(event: &ReceivedEvent) -> String {
    format!("{} {}", event.issuer, event.jti)
}

fn trusted(plane: &Plane, token: &str) -> Result<(Arc<Issuer>, Vec<String>), NotTaken> {
    let wrong = |err, why: &str| NotTaken { err: Some(err), why: why.to_owned() };
    let claimed =
        claimed_issuer(token).ok_or_else(|| wrong("invalid_request", "it is no security event token"))?;
    let view = plane.replica.latest();
    let issuer = view.directory.issuers.values().find(|row| row.issuer == claimed).cloned();
    let taken = issuer.and_then(|row| row.signals.clone().map(|audiences| (row, audiences)));
    let (issuer, audiences) =
        taken.ok_or_else(|| wrong("invalid_issuer", "events of this issuer are not taken here"))?;
    Ok((issuer, audiences.into_iter().collect()))
}

async fn act(op: &Op, issuer: &Issuer, event: &ReceivedEvent) -> Result<(), ControlError> {
    let view = op.plane.replica.latest();
    let person = person(&view.directory, issuer, &event.subject);
    let short = event.event.rsplit('/').next().unwrap_or_default();
    let why = why(issuer, event, short);
    let (severity, response) = match event.event.as_str() {
        ACCOUNT_DISABLED | ACCOUNT_PURGED => (Severity::High, Response::Hold),
        CREDENTIAL_COMPROMISE => (Severity::Critical, Response::Contain),
        SESSION_REVOKED => (Severity::Low, Response::Notify),
        ACCOUNT_ENABLED => (Severity::Info, Response::Notify),
        _ => (Severity::Info, Response::Notify),
    };
    if let Some(person) = &person {
        match event.event.as_str() {
            ACCOUNT_DISABLED | ACCOUNT_PURGED => {
                leaves(op, person, &why).await?;
            }
            SESSION_REVOKED | CREDENTIAL_COMPROMISE => end_sessions(op, person, &why).await?,
            _ => {}
        }
    }
    let whom = person.as_ref().map_or_else(|| "somebody nobody here is".to_owned(), ToString::to_string);
    let what = format!("{} says of {whom}: {short}", issuer.name);
    let sighting = Sighting::new(&kind(event), key(event), severity, what)
        .about(About { person, ..About::default() })
        .evidence([clean(&key(event), TEXT_CHARS_MAX)])
        .response(response);
    finding::raise(op, &sighting).await.map(drop)
}

/// The person has left, as the identity provider says; what they had ends with it.
async fn leaves(op: &Op, name: &Name, why: &str) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::SignalHear)?;
    let view = op.plane.replica.latest();
    let accounts = leaving::accounts(&view.directory, name);
    let mut keys = vec![ObjectKey::new(Kind::Person, name.as_str())];
    keys.extend(leaving::keys(&view.directory, name, false));
    authorised
        .change(&keys, why, |seen| {
            let row = seen.directory.people.get(name).filter(|row| row.active);
            let mut drafts = Vec::new();
            if let Some(row) = row {
                let mut row = row.as_ref().clone();
                (row.active, row.away) = (false, None);
                drafts.push(Draft::Put(Object::Person(row)));
                drafts.extend(leaving::drafts(seen, name, &op.subject.to_string(), op.plane.now()));
            }
            Ok(Change { drafts, what: format!("{name} leaves"), answer: () })
        })
        .await?;
    leaving::rest(&authorised, name, accounts, why).await
}

async fn end_sessions(op: &Op, name: &Name, why: &str) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::SignalHear)?;
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let theirs: Vec<Arc<Session>> =
        view.directory.sessions.values().filter(|row| row.person == *name).map(Arc::clone).collect();
    for session in theirs {
        authorised
            .change(&[ObjectKey::session(&session.id)], why, |seen| {
                let row = seen.directory.sessions.get(&session.id);
                let over = row
                    .map(|row| Draft::Put(Object::Session(Session { ended: true, ..row.as_ref().clone() })));
                let what = format!("session of {name} ended");
                Ok(Change { drafts: over.into_iter().collect(), what, answer: () })
            })
            .await?;
    }
    Ok(())
}

/// Whom a subject means: the issuer's own subjects, or the mail address of exactly one person (RFC 9493 sections 3.2.2, 3.2.3).
fn person(directory: &Directory, issuer: &Issuer, subject: &Value) -> Option<Name> {
    let text = |name: &str| subject.get(name).and_then(Value::as_str);
    match text("format").or_else(|| text("subject_type"))? {
        "iss_sub" | "iss-sub" if text("iss")? == issuer.issuer => {
            directory.person_of(&issuer.name, text("sub")?).map(|row| row.name.clone())
        }
        "email" => {
            let address = text("email")?;
            let is_theirs = |row: &&Arc<provost_domain::Person>| {
                row.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(address))
            };
            let mut found = directory.people.values().filter(is_theirs);
            match (found.next(), found.next()) {
                (Some(row), None) => Some(row.name.clone()),
                _ => None,
            }
        }
        "complex" => person(directory, issuer, subject.get("user")?),
        _ => None,
    }
}

fn why(issuer: &Issuer, event: &ReceivedEvent, short: &str) -> String {
    let said = event.payload.get("reason_admin").and_then(|reason| reason.get("en")).and_then(Value::as_str);
    let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
    clean(&format!("{} says {short}{said}, event {}", issuer.name, event.jti), TEXT_CHARS_MAX)
}

fn refused(fault: &Fault) -> NotTaken {
    let err = match fault {
        Fault::Audience => "invalid_audience",
        Fault::UnknownKey | Fault::Signature => "invalid_key",
        Fault::Claim("iss") => "invalid_issuer",
        _ => "invalid_request",
    };
    NotTaken { err: Some(err), why: fault.to_string() }
}

fn later(why: String) -> NotTaken {
    tracing::warn!(why, "an event of another issuer could not be taken; it is sent again");
    NotTaken { err: None, why: "not just now".to_owned() }
}

const TEXT_CHARS_MAX: usize = 300;
/// What the kinds of finding that events make begin with.
const KIND: &str = "signal";
