//! One-use links: whoever opens one registers a passkey as the person it is for. The link has 32 random bytes behind `#`, which
//! browsers send to nobody; the row has their SHA-256.

use super::ceremony;
use crate::{
    Action, ControlError, Op, Operator, Plane, browser,
    change::{Change, Draft},
    plan::{Author, Made, make_rows},
    reason::reason,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_api::passkey::{InviteBegin, InviteFinish, InviteMake, InviteSeen, InviteView, PasskeyCreation};
use provost_domain::{
    Digest, Directory, DurationMs, Invite, Kind, Name, Object, ObjectKey, Person, person::Role,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Makes a link for a person.
///
/// # Errors
/// When the operator may not, nobody of that name is here, or passkeys do not work at this address.
pub async fn make(op: &Op, name: &Name, wanted: &InviteMake) -> Result<InviteView, ControlError> {
    let lasts = wanted.lasts.map_or(LASTS, |span| span.0);
    if lasts.0 == 0 || lasts > LASTS_MAX {
        return Err(ControlError::caller("a link is good for a week at most").cure("write it like 24h"));
    }
    op.plane.replica.catch_up().await?;
    if super::has_way_in(&op.plane.replica.latest().directory, name) {
        return another_way(op, name, lasts, wanted).await;
    }
    write(op, Some(name.clone()), lasts, &wanted.reason).await
}

/// A link for somebody who can sign in already. It is given out at once and is good once those who must have agreed: whoever
/// holds it is that person from then on.
async fn another_way(
    op: &Op,
    name: &Name,
    lasts: DurationMs,
    wanted: &InviteMake,
) -> Result<InviteView, ControlError> {
    let authorised = op.authorize(Action::PersonInvite)?;
    let why = reason(&wanted.reason)?;
    let author = Author::of(op, wanted.person.clone(), wanted.break_glass)?;
    let (secret, row, origin) = drawn(op, Some(name.clone()), lasts)?;
    let what = format!("{name} invited to register another passkey");
    let made = make_rows(&authorised, &author, (&what, why), |directory| {
        check_here(directory, name)?;
        let text = format!(
            "{name} can sign in already, and whoever opens a link of {} within {lasts} can sign in as {name}, too",
            row.by
        );
        Ok(vec![(Draft::Put(Object::Invite(row.clone())), text)])
    });
    let proposal = match made.await? {
        Made::Waits(row, _checked) => Some(Box::new(crate::proposal::view(op, &row).await?)),
        Made::Done(..) => None,
    };
    Ok(InviteView { proposal, ..shown(&origin, &secret, &row) })
}

/// The first administrator's link, when nobody could sign in otherwise: no passkey, no provider, no link that is still good.
///
/// # Errors
/// When the store fails.
pub async fn first(plane: &Arc<Plane>) -> Result<Option<InviteView>, ControlError> {
    plane.replica.catch_up().await?;
    let view = plane.replica.latest();
    let directory = &view.directory;
    let provider =
        directory.issuers.values().any(|row| row.people.as_ref().is_some_and(|people| people.sign_in));
    let open = directory.invites.values().any(|row| row.is_open(plane.now()));
    if !directory.passkeys.is_empty() || provider || open || super::party(plane).is_err() {
        return Ok(None);
    }
    let op = plane_op(plane, "first start");
    write(&op, None, LASTS, "nobody could sign in").await.map(Some)
}

/// Whom a link is for.
///
/// # Errors
/// When it is none that is good.
pub fn seen(plane: &Plane, secret: &str) -> Result<InviteSeen, ControlError> {
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    let invite = open(plane, &view.directory, secret)?;
    let person = invite.person.as_ref().and_then(|name| view.directory.people.get(name));
    Ok(InviteSeen {
        person: invite.person.clone(),
        display: person.map(|person| person.display.clone()),
        expires: invite.expires.into(),
    })
}

/// What the browser that opened a link is asked to make.
///
/// # Errors
/// When the link is none that is good, or the first administrator's name cannot be.
pub async fn begin(plane: &Plane, wanted: &InviteBegin) -> Result<PasskeyCreation, ControlError> {
    plane.replica.catch_up().await?;
    let view = plane.replica.latest();
    let invite = open(plane, &view.directory, &wanted.secret)?;
    let (person, display) = whom(&view.directory, invite, wanted)?;
    ceremony::asked(plane, &view.directory, &person, &display, invite.id)
}

/// Keeps the passkey, uses the link up, and signs the person in: all of it, or none.
///
/// # Errors
/// As [`begin`]; or when what the browser made is not what was asked for.
pub async fn finish(
    plane: &Arc<Plane>,
    request_id: &str,
    wanted: &InviteFinish,
) -> Result<browser::Started, ControlError> {
    let id = Digest::of(wanted.secret.as_bytes());
    let (ticket, row) = ceremony::made(plane, &wanted.passkey, id).await?;
    let op = plane_op(plane, request_id);
    let authorised = op.authorize(Action::PasskeyAdd)?;
    let person_key = ObjectKey::new(Kind::Person, ticket.person.as_str());
    let keys = [ObjectKey::invite(&id), ObjectKey::passkey(&row.person, &row.id), person_key];
    let (_seq, ()) = authorised
        .change(&keys, "the one-use link was opened", |seen| {
            let invite = open(plane, seen.directory, &wanted.secret)?;
            ceremony::check_room(seen.directory, &row.person)?;
            let [_invite, passkey, _person] = &keys;
            if seen.version(passkey) != 0 {
                return Err(ceremony::registered_already());
            }
            let mut drafts = Vec::new();
            if let Some(person) = changed_person(seen.directory, invite, &ticket)? {
                drafts.push(Draft::Put(Object::Person(person)));
            }
            drafts.push(Draft::Put(Object::Passkey(Box::new(row.clone()))));
            drafts.push(Draft::Put(Object::Invite(Invite { used: Some(plane.now()), ..invite.clone() })));
            let what =
                format!("passkey {} registered for {} (invited by {})", row.name, row.person, invite.by);
            Ok(Change { drafts, what, answer: () })
        })
        .await?;
    let way = browser::Way {
        by: format!("passkey {}", row.name),
        passkey: Some(row.clone()),
        roles: Default::default(),
    };
    browser::start(plane, request_id, &row.person, way).await
}

/// What housekeeping does: links that ran out and that nobody opened leave.
pub(crate) async fn sweep(op: &Op) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::PersonInvite)?;
    let (view, now) = (op.plane.replica.latest(), op.plane.now());
    let late = view.directory.invites.values().filter(|row| now >= row.expires).take(SWEPT_MAX);
    for row in late {
        let key = ObjectKey::invite(&row.id);
        let whom = row.person.as_ref().map_or("the first administrator".to_owned(), ToString::to_string);
        authorised
            .change(std::slice::from_ref(&key), "nobody opened it in time", |seen| {
                let there = seen.directory.invites.get(&row.id).filter(|row| now >= row.expires);
                let drafts = there.map(|_late| Draft::Remove(key.clone())).into_iter().collect();
                Ok(Change { drafts, what: format!("the link of {whom} ran out"), answer: () })
            })
            .await?;
    }
    Ok(())
}

async fn write(
    op: &Op,
    person: Option<Name>,
    lasts: DurationMs,
    why: &str,
) -> Result<InviteView, ControlError> {
    let authorised = op.authorize(Action::PersonInvite)?;
    let (secret, row, origin) = drawn(op, person.clone(), lasts)?;
    authorised
        .change(&[ObjectKey::invite(&row.id)], why, |seen| {
            if let Some(name) = &person {
                check_here(seen.directory, name)?;
                if super::has_way_in(seen.directory, name) {
                    return Err(ControlError::conflict(format!("{name} can sign in since a moment ago")));
                }
            }
            let whom = person.as_ref().map_or("the first administrator".to_owned(), ToString::to_string);
            let drafts = vec![Draft::Put(Object::Invite(row.clone()))];
            Ok(Change { drafts, what: format!("{whom} invited to register a passkey"), answer: () })
        })
        .await?;
    Ok(shown(&origin, &secret, &row))
}

/// A link that nobody has seen, and its row.
fn drawn(
    op: &Op,
    person: Option<Name>,
    lasts: DurationMs,
) -> Result<(Zeroizing<String>, Invite, String), ControlError> {
    let origin = super::party(&op.plane)?.origin;
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(op.plane.random::<32>()));
    let made = op.plane.now();
    let row = Invite {
        id: Digest::of(secret.as_bytes()),
        person,
        by: op.subject.to_string(),
        made,
        expires: made.plus(lasts),
        used: None,
    };
    Ok((secret, row, origin))
}

fn shown(origin: &str, secret: &str, row: &Invite) -> InviteView {
    InviteView {
        url: format!("{origin}/invite#{secret}"),
        person: row.person.clone(),
        expires: row.expires.into(),
        proposal: None,
    }
}

fn check_here(directory: &Directory, name: &Name) -> Result<(), ControlError> {
    if directory.people.get(name).is_some_and(|person| person.active) {
        return Ok(());
    }
    Err(ControlError::unknown("person", name.as_str()).cure(format!(
        "write [person.{name}] into the organisation's files and apply them, then invite them"
    )))
}

fn open<'d>(plane: &Plane, directory: &'d Directory, secret: &str) -> Result<&'d Invite, ControlError> {
    let id = Digest::of(secret.as_bytes());
    let row = directory.invites.get(&id).filter(|row| row.is_open(plane.now()));
    row.map(AsRef::as_ref).ok_or_else(|| {
        ControlError::refused("this link is not good any more")
            .because("it was used, it is too old, or it was never one")
            .cure("ask an administrator for another: `provost person invite NAME`")
    })
}

fn whom(
    directory: &Directory,
    invite: &Invite,
    wanted: &InviteBegin,
) -> Result<(Name, String), ControlError> {
    let name = match (&invite.person, &wanted.person) {
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) => {
            return Err(
                ControlError::caller("say what you are called here").cure("a short name, such as maria")
            );
        }
    };
    let known = directory.people.get(&name);
    if known.is_some_and(|person| !person.active) {
        return Err(ControlError::refused(format!("{name} has left")));
    }
    let display = wanted.display.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(one_line);
    let display = known.map(|person| person.display.clone()).or(display).unwrap_or_else(|| name.to_string());
    Ok((name, display))
}

/// The first administrator's row, new or with that role; nobody else's row changes.
fn changed_person(
    directory: &Directory,
    invite: &Invite,
    ticket: &ceremony::Ticket,
) -> Result<Option<Person>, ControlError> {
    let known = directory.people.get(&ticket.person).map(AsRef::as_ref);
    if let Some(name) = &invite.person {
        let here = known.is_some_and(|person| person.active) && *name == ticket.person;
        return if here {
            Ok(None)
        } else {
            Err(ControlError::refused(format!("{name} is not here any more")))
        };
    }
    let mut person = known.cloned().unwrap_or_else(|| Person {
        name: ticket.person.clone(),
        display: ticket.display.clone(),
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    });
    person.roles.insert(Role::Administrator);
    Ok(Some(person))
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(DISPLAY_CHARS_MAX).collect()
}

fn plane_op(plane: &Arc<Plane>, request_id: &str) -> Op {
    Op { subject: Operator::Plane, request_id: request_id.to_owned(), plane: Arc::clone(plane) }
}

/// Links that ran out, swept at once.
const SWEPT_MAX: usize = 500;
const LASTS: DurationMs = DurationMs::from_mins(24 * 60);
const LASTS_MAX: DurationMs = DurationMs::from_mins(7 * 24 * 60);
const DISPLAY_CHARS_MAX: usize = 100;
