//! Passkeys of people: a person's own, and what administrators see and end of others'.
//!
//! | file | what |
//! |---|---|
//! | `ceremony` | a new one: what the browser is asked, and what it answered |
//! | `invite` | the one-use link with which a person registers one |
//! | `sign_in` | a session for whoever signs with one |
//! | `counted` | what a signature changes about the passkey that made it |

mod ceremony;
pub(crate) mod counted;
pub mod invite;
pub mod sign_in;

pub use ceremony::{begin, finish};

use crate::{
    Action, ControlError, Op, Operator, Plane,
    change::{Change, Draft},
};
use provost_api::passkey::{PasskeyRemove, PasskeyRename, PasskeyView};
use provost_domain::{
    Directory, Name, Object, ObjectKey, Passkey, Session, issuer::LinkBy, passkey::Removed,
};
use provost_passkey::{Party, PartyFault};

/// The passkeys of a person, oldest first.
///
/// # Errors
/// When the operator may not, or nobody has that name.
pub fn list(op: &Op, name: &Name) -> Result<Vec<PasskeyView>, ControlError> {
    op.authorize(Action::PasskeyRead)?;
    if !crate::access::allows(&op.subject, Action::PersonRead) {
        theirs(op, name)?;
    }
    let view = op.plane.replica.latest();
    view.directory.people.get(name).ok_or_else(|| ControlError::unknown("person", name.as_str()))?;
    let mut rows: Vec<PasskeyView> = view.directory.passkeys_of(name).map(|row| view_of(row)).collect();
    rows.sort_by_key(|row| row.added);
    Ok(rows)
}

/// Gives a passkey another name.
///
/// # Errors
/// When the operator may not, or the person has no such passkey.
pub async fn rename(
    op: &Op,
    person: &Name,
    id: &str,
    wanted: &PasskeyRename,
) -> Result<PasskeyView, ControlError> {
    let authorised = op.authorize(Action::PasskeyEnd)?;
    theirs(op, person)?;
    let name = good_name(&wanted.name)?;
    let (_seq, row) = authorised
        .change(&[ObjectKey::passkey(person, id)], &wanted.reason, |seen| {
            let row = Passkey { name: name.clone(), ..find(seen.directory, person, id)?.clone() };
            let drafts = vec![Draft::Put(Object::Passkey(Box::new(row.clone())))];
            Ok(Change { drafts, what: format!("passkey of {person} called {name}"), answer: row })
        })
        .await?;
    Ok(view_of(&row))
}

/// Takes a passkey from a person, and ends the sessions it started.
///
/// # Errors
/// When the operator may not, the person has no such passkey, or could not sign in any more.
pub async fn remove(
    op: &Op,
    person: &Name,
    id: &str,
    wanted: &PasskeyRemove,
) -> Result<PasskeyView, ControlError> {
    let authorised = op.authorize(Action::PasskeyEnd)?;
    theirs(op, person)?;
    if wanted.even_if_last && !op.subject.is_administrator() {
        return Err(ControlError::refused("only an administrator takes away the last way to sign in"));
    }
    op.plane.replica.catch_up().await?;
    let directory = op.plane.replica.latest().directory.clone();
    let started = sessions_of(&directory, person, id).map(|row| ObjectKey::session(&row.id));
    let keys: Vec<ObjectKey> = [ObjectKey::passkey(person, id)].into_iter().chain(started).collect();
    let (_seq, row) = authorised
        .change(&keys, &wanted.reason, |seen| {
            let row = find(seen.directory, person, id)?;
            let leaves = has_other_way(seen.directory, person, id);
            if !wanted.even_if_last && !leaves {
                return Err(last_way(person));
            }
            check_leaves_way(op, person, leaves)?;
            let by = op.subject.to_string();
            let row = Passkey { removed: Some(Removed { at: op.plane.now(), by }), ..row.clone() };
            let ended = sessions_of(seen.directory, person, id)
                .filter(|session| keys.contains(&ObjectKey::session(&session.id)))
                .map(|session| Draft::Put(Object::Session(Session { ended: true, ..session.clone() })));
            let drafts = ended.chain([Draft::Put(Object::Passkey(Box::new(row.clone())))]).collect();
            Ok(Change { drafts, what: format!("passkey {} taken from {person}", row.name), answer: row })
        })
        .await?;
    Ok(view_of(&row))
}

/// Where people's browsers meet this plane: passkeys work on this origin only.
#[must_use]
pub fn origin(plane: &Plane) -> String {
    Party::of(&plane.issuer).map_or_else(|_fault| plane.issuer.clone(), |party| party.origin)
}

/// The relying party of this plane.
///
/// # Errors
/// When browsers make no passkeys for its address, and what to do about it.
pub fn party(plane: &Plane) -> Result<Party, ControlError> {
    Party::of(&plane.issuer).map_err(|fault: PartyFault| {
        ControlError::unavailable("passkeys do not work at this plane's address")
            .because(format!("{fault}; nobody could register or use one here"))
            .cure(fault.cure())
    })
}

pub(crate) fn find<'d>(
    directory: &'d Directory,
    person: &Name,
    id: &str,
) -> Result<&'d Passkey, ControlError> {
    let row = directory.passkeys.get(&(person.clone(), id.to_owned()));
    row.map(AsRef::as_ref).ok_or_else(|| ControlError::unknown("passkey of that person", &clip(id)))
}

pub(crate) fn view_of(row: &Passkey) -> PasskeyView {
    PasskeyView {
        id: row.id.clone(),
        person: row.person.clone(),
        name: row.name.clone(),
        synced: row.synced,
        added: row.added.into(),
        used: row.used.map(Into::into),
        doubted: row.doubt.is_some(),
    }
}

/// People do what is theirs; administrators for others.
pub(crate) fn theirs(op: &Op, name: &Name) -> Result<(), ControlError> {
    match &op.subject {
        Operator::Person(person, _) if person == name => Ok(()),
        subject if subject.is_administrator() => Ok(()),
        subject => Err(ControlError::refused(format!("{subject} may not do this for {name}"))),
    }
}

/// What a person calls a passkey: one line, not empty, of a bounded length.
pub(crate) fn good_name(text: &str) -> Result<String, ControlError> {
    let name: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(ControlError::caller(format!("a passkey's name has 1 to {NAME_CHARS_MAX} characters"))
            .cure("call it after the device it is in, such as: laptop"));
    }
    Ok(name)
}

fn sessions_of<'d>(directory: &'d Directory, person: &Name, id: &str) -> impl Iterator<Item = &'d Session> {
    let of = move |session: &&Session| session.person == *person && session.passkey.as_deref() == Some(id);
    directory.sessions.values().map(AsRef::as_ref).filter(of)
}

/// Whether somebody can sign in already: what lets them in another way is then a gain, and agreed to like one. Not even an
/// administrator's word alone makes a second somebody of them.
pub(crate) fn has_way_in(directory: &Directory, person: &Name) -> bool {
    let logins = directory.people.get(person).is_some_and(|row| !row.logins.is_empty());
    directory.passkeys_of(person).next().is_some() || logins || has_other_way(directory, person, "")
}

/// The token of the machine leaves everybody a way in: whoever it took the last from, it could invite as somebody new.
pub(crate) fn check_leaves_way(op: &Op, person: &Name, leaves: bool) -> Result<(), ControlError> {
    if leaves || op.subject != Operator::LocalAdministrator {
        return Ok(());
    }
    Err(last_way(person).cure(
        "an administrator who signed in takes it; or let them in another way first, then take this one: \
         `provost person invite` (with --break-glass, if nobody can agree)",
    ))
}

/// Another passkey that is good, a subject of a provider that people sign in with, or a mail address that one vouches for.
fn has_other_way(directory: &Directory, person: &Name, id: &str) -> bool {
    let passkey = directory.passkeys_of(person).any(|row| row.id != id && row.is_good());
    let signs_in = |name: &Name| {
        let provider = directory.issuers.get(name).and_then(|issuer| issuer.people.as_ref());
        provider.filter(|provider| provider.sign_in)
    };
    let row = directory.people.get(person);
    let login = row.is_some_and(|row| row.logins.iter().any(|login| signs_in(&login.issuer).is_some()));
    let mail = row.is_some_and(|row| row.email.is_some())
        && directory.issuers.keys().filter_map(signs_in).any(|provider| provider.link == LinkBy::Email);
    passkey || login || mail
}

fn last_way(person: &Name) -> ControlError {
    ControlError::refused(format!("this passkey is the only way in which {person} can sign in"))
        .because("without it nobody could sign in as them, not even to add another")
        .cure("add another passkey first; for a device that was stolen, an administrator takes it with `--even-if-last`")
}

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}

const NAME_CHARS_MAX: usize = 60;
/// How many passkeys a person may have.
pub(crate) const PASSKEYS_MAX: usize = 20;
