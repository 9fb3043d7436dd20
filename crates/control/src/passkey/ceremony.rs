//! A new passkey: what the browser is asked to make, and what it made of it. What has to be known again in between is sealed
//! and carried, and a challenge counts once, on every node.

use super::{PASSKEYS_MAX, good_name, party, view_of};
use crate::{
    Action, ControlError, Op, Operator, Plane, carried,
    change::{Change, Draft},
};
use provost_api::passkey::{PasskeyAdd, PasskeyCreation, PasskeyView};
use provost_domain::{Digest, Directory, DurationMs, Name, Object, ObjectKey, Passkey};
use provost_passkey::{ALGORITHMS, Registration, decode, encode, register, user_handle};
use serde::{Deserialize, Serialize};

/// What is known again when the browser answers.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    challenge: Digest,
    pub(super) person: Name,
    pub(super) display: String,
    /// What let the person do this: their session, or a link.
    via: Digest,
}

/// What a person's browser is asked to make, for a person who signed in a moment ago.
///
/// # Errors
/// When the operator is nobody who is signed in, signed in too long ago, or passkeys do not work here.
pub fn begin(
    op: &Op,
    name: &Name,
    session: Option<&provost_domain::Session>,
) -> Result<PasskeyCreation, ControlError> {
    op.authorize(Action::PasskeyAdd)?;
    let via = fresh(op, name, session)?;
    let view = op.plane.replica.fresh(op.plane.limits.staleness_max)?;
    let person =
        view.directory.people.get(name).ok_or_else(|| ControlError::unknown("person", name.as_str()))?;
    asked(&op.plane, &view.directory, name, &person.display, via)
}

/// Keeps what the browser made.
///
/// # Errors
/// As [`begin`]; or when it is not what was asked for, or somebody has it already.
pub async fn finish(
    op: &Op,
    name: &Name,
    session: Option<&provost_domain::Session>,
    wanted: &PasskeyAdd,
) -> Result<PasskeyView, ControlError> {
    let authorised = op.authorize(Action::PasskeyAdd)?;
    let via = fresh(op, name, session)?;
    let (ticket, row) = made(&op.plane, wanted, via).await?;
    if ticket.person != *name {
        return Err(not_ours());
    }
    let key = ObjectKey::passkey(&row.person, &row.id);
    let why = format!("added by {name}, signed in");
    authorised
        .change(std::slice::from_ref(&key), &why, |seen| {
            check_room(seen.directory, &row.person)?;
            if seen.version(&key) != 0 {
                return Err(registered_already());
            }
            let drafts = vec![Draft::Put(Object::Passkey(Box::new(row.clone())))];
            Ok(Change { drafts, what: format!("passkey {} registered for {name}", row.name), answer: () })
        })
        .await?;
    Ok(view_of(&row))
}

/// What the browser is asked to make for this person.
pub(super) fn asked(
    plane: &Plane,
    directory: &Directory,
    person: &Name,
    display: &str,
    via: Digest,
) -> Result<PasskeyCreation, ControlError> {
    let party = party(plane)?;
    check_room(directory, person)?;
    let challenge = Digest::from_bytes(plane.random::<32>());
    let ticket = Ticket { challenge, person: person.clone(), display: display.to_owned(), via };
    let sealed = carried::seal(plane, PURPOSE, &ticket, CEREMONY_MAX)
        .ok_or_else(|| ControlError::unavailable("the question could not be sealed"))?;
    Ok(PasskeyCreation {
        party: party.id,
        origin: party.origin,
        user: encode(user_handle(&plane.issuer, person).as_bytes()),
        person: person.clone(),
        display: display.to_owned(),
        challenge: encode(challenge.as_bytes()),
        algorithms: ALGORITHMS.to_vec(),
        exclude: directory.passkeys_of(person).map(|row| row.id.clone()).collect(),
        ticket: sealed,
    })
}

/// The passkey that an answer is, once: judged, and not kept yet.
pub(super) async fn made(
    plane: &Plane,
    wanted: &PasskeyAdd,
    via: Digest,
) -> Result<(Ticket, Passkey), ControlError> {
    let party = party(plane)?;
    let name = good_name(&wanted.name)?;
    let ticket: Ticket = carried::open(plane, PURPOSE, &wanted.ticket).ok_or_else(not_ours)?;
    if ticket.via != via {
        return Err(not_ours());
    }
    let now = plane.now();
    if !plane.store.remember(once(&ticket.challenge), now.plus(CEREMONY_MAX), now).await? {
        return Err(not_ours());
    }
    let refused = |fault: provost_passkey::Fault| {
        ControlError::refused("this passkey is not taken").because(fault.to_string()).cure("begin again")
    };
    let answer = Registration {
        id: decode("credential's id", &wanted.id).map_err(refused)?,
        client_data: decode("client data", &wanted.client_data).map_err(refused)?,
        attestation: decode("attestation", &wanted.attestation).map_err(refused)?,
    };
    let made = register(&answer, ticket.challenge.as_bytes(), &party).map_err(refused)?;
    let row = Passkey {
        id: encode(&made.id),
        person: ticket.person.clone(),
        name,
        key: encode(&made.key_bytes),
        party: party.id,
        counter: made.counter,
        synced: made.synced,
        added: now,
        used: None,
        doubt: None,
        removed: None,
    };
    Ok((ticket, row))
}

pub(super) fn check_room(directory: &Directory, person: &Name) -> Result<(), ControlError> {
    if directory.passkeys_of(person).count() < PASSKEYS_MAX {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} has {PASSKEYS_MAX} passkeys already"))
        .cure("remove one that is no longer used"))
}

pub(super) fn registered_already() -> ControlError {
    ControlError::refused("this passkey was registered here before")
        .because("one credential is one person's, once and for all")
        .cure("make another one")
}

/// The word under which a challenge is remembered.
pub(super) fn once(challenge: &Digest) -> Digest {
    Digest::of(format!("passkey challenge {challenge}").as_bytes())
}

/// A session that began a moment ago: whoever finds an unlocked browser must not leave a key of theirs behind.
fn fresh(op: &Op, name: &Name, session: Option<&provost_domain::Session>) -> Result<Digest, ControlError> {
    match (&op.subject, session) {
        (Operator::Person(person, _), Some(session)) if person == name && session.person == *name => {
            if op.plane.now().since(session.started) <= FRESH_MAX {
                return Ok(session.id);
            }
            Err(ControlError::refused("sign in again before you add a passkey")
                .because(
                    "you signed in more than 15 minutes ago, and a passkey opens everything that you may do",
                )
                .cure("sign in again, at /signin?again=true&to=/you"))
        }
        _ => Err(ControlError::refused("a person adds a passkey in their own browser, signed in")
            .cure(format!("`provost person invite {name}` makes a link for it"))),
    }
}

fn not_ours() -> ControlError {
    ControlError::refused("this answer is to nothing that was asked here, or came too late")
        .cure("begin again")
}

const PURPOSE: &str = "passkey-add";
const CEREMONY_MAX: DurationMs = DurationMs::from_mins(5);
const FRESH_MAX: DurationMs = DurationMs::from_mins(15);
