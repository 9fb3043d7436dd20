//! People, to look at. They are declared in files.

use crate::{Action, ControlError, Op, page::page};
use provost_api::{
    Page, PageQuery,
    identity::{LoginView, PersonView},
};
use provost_domain::{Directory, Name, Person, person::Login};

/// People, in order of their names.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: PageQuery) -> Result<Page<PersonView>, ControlError> {
    op.authorize(Action::PersonRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.people.iter().map(|(name, person)| (name.to_string(), person)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |person| {
        view_of(person, Vec::new())
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
    Ok(view_of(person, owned(&view.directory, name)))
}

fn owned(directory: &Directory, person: &Name) -> Vec<Name> {
    let owned = directory.agents.values().filter(|agent| agent.charter.owner == *person);
    let mut names: Vec<Name> = owned.map(|agent| agent.name.clone()).collect();
    names.sort();
    names.truncate(OWNED_MAX);
    names
}

fn view_of(person: &Person, owns: Vec<Name>) -> PersonView {
    PersonView {
        name: person.name.clone(),
        display: person.display.clone(),
        email: person.email.clone(),
        manager: person.manager.clone(),
        active: person.active,
        roles: person.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        logins: person.logins.iter().map(login).collect(),
        owns,
    }
}

fn login(login: &Login) -> LoginView {
    LoginView { issuer: login.issuer.clone(), subject: login.subject.clone(), added: login.added.into() }
}

const OWNED_MAX: usize = 1_000;
