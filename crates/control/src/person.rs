//! People: to look at, who they are to identity providers, and where they are signed in. They are declared in files.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    inventory::Sought,
    page::page,
};
use provost_api::{
    Page, PageQuery,
    identity::{AwayView, LoginChange, LoginView, PersonView},
};
use provost_domain::{Agent, Directory, Kind, Name, Object, ObjectKey, Person, person::Login};
use std::sync::Arc;

/// People, in order of their names.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: PageQuery) -> Result<Page<PersonView>, ControlError> {
    op.authorize(Action::PersonRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.people.iter().map(|(name, person)| (name.as_str(), person)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |person| {
        view_of(person, Vec::new(), op.plane.now())
    })
}

/// One person, with the agents owned.
///
/// # Errors
/// When the operator may not, or nobody has that name.
pub async fn show(op: &Op, name: &Name) -> Result<PersonView, ControlError> {
    op.authorize(Action::PersonRead)?;
    let view = op.plane.replica.latest();
    let person =
        view.directory.people.get(name).ok_or_else(|| ControlError::unknown("person", name.as_str()))?;
    Ok(view_of(person, owned_names(op, name).await?, op.plane.now()))
}

/// Says that a subject of an identity provider is this person.
///
/// # Errors
/// When the operator may not, nobody here has that name, the provider's word about people is not taken, or the subject is
/// somebody's already.
pub async fn link(op: &Op, name: &Name, wanted: &LoginChange) -> Result<PersonView, ControlError> {
    let authorised = op.authorize(Action::PersonLink)?;
    let subject = wanted.subject.trim();
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(ControlError::caller("`subject` is empty, too long, or not plain text")
            .cure("give it exactly as the provider writes `sub`"));
    }
    authorised
        .change(&[key(name)], &wanted.reason, |seen| {
            let person = here(seen.directory, name)?;
            let issuer = seen.directory.issuers.get(&wanted.issuer);
            if issuer.is_none_or(|issuer| issuer.people.is_none()) {
                return Err(ControlError::caller(format!(
                    "no issuer `{}` says who people are",
                    wanted.issuer
                ))
                .cure("name one of `provost issuer list` that vouches for people"));
            }
            let known = |login: &Login| login.issuer == wanted.issuer && login.subject == subject;
            if person.logins.iter().any(known) {
                return Ok(Change { drafts: Vec::new(), what: String::new(), answer: () });
            }
            let mut person = person.clone();
            let (issuer, subject) = (wanted.issuer.clone(), subject.to_owned());
            person.logins.push(Login { issuer, subject, added: op.plane.now() });
            let drafts = vec![Draft::Put(Object::Person(person))];
            Ok(Change { drafts, what: format!("{name} signs in at {}", wanted.issuer), answer: () })
        })
        .await?;
    shown(op, name).await
}

/// Says that a subject of an identity provider is this person no more. Sessions that it began go on until they are ended.
///
/// # Errors
/// When the operator may not, nobody has that name, or the subject is not theirs.
pub async fn unlink(op: &Op, name: &Name, wanted: &LoginChange) -> Result<PersonView, ControlError> {
    let authorised = op.authorize(Action::PersonLink)?;
    authorised
        .change(&[key(name)], &wanted.reason, |seen| {
            let mut person = here(seen.directory, name)?.clone();
            let before = person.logins.len();
            person.logins.retain(|login| login.issuer != wanted.issuer || login.subject != wanted.subject);
            if person.logins.len() == before {
                return Err(ControlError::unknown("login of theirs", &wanted.subject));
            }
            let drafts = vec![Draft::Put(Object::Person(person))];
            Ok(Change { drafts, what: format!("{name} signs in at {} no more", wanted.issuer), answer: () })
        })
        .await?;
    shown(op, name).await
}

fn here<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Person, ControlError> {
    let person = directory.people.get(name).map(AsRef::as_ref);
    person.ok_or_else(|| ControlError::unknown("person", name.as_str()))
}

/// A person after a change that was allowed.
async fn shown(op: &Op, name: &Name) -> Result<PersonView, ControlError> {
    let view = op.plane.replica.latest();
    let person = here(&view.directory, name)?;
    Ok(view_of(person, owned_names(op, name).await?, op.plane.now()))
}

fn key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Person, name.as_str())
}

/// Agents that somebody answers for, in order of their names, at most so many.
///
/// # Errors
/// When the node cannot lay out its agents.
pub async fn owned(op: &Op, person: &Name, most: usize) -> Result<Vec<Arc<Agent>>, ControlError> {
    let look = op.plane.inventory.look(&op.plane).await?;
    let sought = Sought { owner: Some(person.clone()), ..Sought::default() };
    Ok(look.agents(&sought, None, most).into_iter().cloned().collect())
}

async fn owned_names(op: &Op, person: &Name) -> Result<Vec<Name>, ControlError> {
    let owned = owned(op, person, OWNED_MAX).await?;
    Ok(owned.iter().map(|agent| agent.name.clone()).collect())
}

fn view_of(person: &Person, owns: Vec<Name>, now: provost_domain::Timestamp) -> PersonView {
    let away = person.away.as_ref().filter(|away| now < away.until);
    PersonView {
        name: person.name.clone(),
        display: person.display.clone(),
        email: person.email.clone(),
        manager: person.manager.clone(),
        active: person.active,
        roles: person.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        logins: person.logins.iter().map(login).collect(),
        away: away.map(|away| AwayView { to: away.to.clone(), until: away.until.into() }),
        owns,
    }
}

fn login(login: &Login) -> LoginView {
    LoginView { issuer: login.issuer.clone(), subject: login.subject.clone(), added: login.added.into() }
}

const SUBJECT_BYTES_MAX: usize = 255;
const OWNED_MAX: usize = 1_000;
