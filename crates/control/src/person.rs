//! People: to look at, who they are to identity providers, and where they are signed in. They are declared in files.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    inventory::Sought,
    page::page,
    passkey,
    plan::{Author, Outcome, make_rows},
    reason::reason,
};
use provost_api::{
    Page, PageQuery,
    identity::{AwayView, LoginChange, LoginLink, LoginView, PersonView},
};
use provost_domain::{Agent, Directory, Kind, Name, Object, ObjectKey, Person, Timestamp, person::Login};
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
        view_of(&view.directory, person, Vec::new(), op.plane.now())
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
    Ok(view_of(&view.directory, person, owned_names(op, name).await?, op.plane.now()))
}

/// Says that a subject of an identity provider is this person; or proposes it, where the person can sign in already, to those who
/// must agree.
///
/// # Errors
/// When the operator may not, nobody here has that name, the provider's word about people is not taken, or the subject is
/// somebody's already.
pub async fn link(op: &Op, name: &Name, wanted: &LoginLink) -> Result<Outcome<PersonView>, ControlError> {
    let authorised = op.authorize(Action::PersonLink)?;
    let subject = wanted.subject.trim();
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(ControlError::caller("`subject` is empty, too long, or not plain text")
            .cure("give it exactly as the provider writes `sub`"));
    }
    let what = format!("{name} signs in at {}", wanted.issuer);
    let linked = |directory: &Directory| linked(directory, name, (&wanted.issuer, subject), op.plane.now());
    op.plane.replica.catch_up().await?;
    if passkey::has_way_in(&op.plane.replica.latest().directory, name) {
        let author = Author::of(op, wanted.person.clone(), wanted.break_glass)?;
        let made = make_rows(&authorised, &author, (&what, reason(&wanted.reason)?), |directory| {
            let text = format!(
                "{name} can sign in already, and whoever {} says is {} can sign in as {name}, too",
                wanted.issuer,
                subject.escape_debug()
            );
            let row = linked(directory)?.map(|person| (Draft::Put(Object::Person(person)), text));
            Ok(row.into_iter().collect())
        });
        return made.await?.outcome(op, async || shown(op, name).await).await;
    }
    authorised
        .change(&[key(name)], &wanted.reason, |seen| {
            let Some(person) = linked(seen.directory)? else {
                return Ok(Change { drafts: Vec::new(), what: String::new(), answer: () });
            };
            if passkey::has_way_in(seen.directory, name) {
                return Err(ControlError::conflict(format!("{name} can sign in since a moment ago")));
            }
            let drafts = vec![Draft::Put(Object::Person(person))];
            Ok(Change { drafts, what: what.clone(), answer: () })
        })
        .await?;
    Ok(Outcome::Done(shown(op, name).await?))
}

/// The person with one login more; nothing, if it is theirs already.
fn linked(
    directory: &Directory,
    name: &Name,
    (issuer, subject): (&Name, &str),
    now: Timestamp,
) -> Result<Option<Person>, ControlError> {
    let person = here(directory, name)?;
    if directory.issuers.get(issuer).is_none_or(|issuer| issuer.people.is_none()) {
        return Err(ControlError::caller(format!("no issuer `{issuer}` says who people are"))
            .cure("name one of `provost issuer list` that vouches for people"));
    }
    if person.logins.iter().any(|login| login.issuer == *issuer && login.subject == subject) {
        return Ok(None);
    }
    let mut person = person.clone();
    person.logins.push(Login { issuer: issuer.clone(), subject: subject.to_owned(), added: now });
    Ok(Some(person))
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
            let leaves =
                !person.logins.is_empty() || seen.directory.passkeys_of(name).any(|row| row.is_good());
            passkey::check_leaves_way(op, name, leaves)?;
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
    Ok(view_of(&view.directory, person, owned_names(op, name).await?, op.plane.now()))
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

fn view_of(directory: &Directory, person: &Person, owns: Vec<Name>, now: Timestamp) -> PersonView {
    let away = person.away.as_ref().filter(|away| now < away.until);
    PersonView {
        name: person.name.clone(),
        display: person.display.clone(),
        email: person.email.clone(),
        manager: person.manager.clone(),
        active: person.active,
        roles: directory.roles_of(person).iter().map(|role| role.as_str().to_owned()).collect(),
        logins: person.logins.iter().map(login).collect(),
        away: away.map(|away| AwayView { to: away.to.clone(), until: away.until.into() }),
        connector: person.provisioned().map(|said| said.connector.clone()),
        owns,
    }
}

fn login(login: &Login) -> LoginView {
    LoginView { issuer: login.issuer.clone(), subject: login.subject.clone(), added: login.added.into() }
}

const SUBJECT_BYTES_MAX: usize = 255;
const OWNED_MAX: usize = 1_000;
