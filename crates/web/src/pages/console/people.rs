//! People and workloads.

use super::{
    asked::{self, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{
    extract::{Path, Query},
    http::HeaderMap,
};
use provost_api::{
    PageQuery,
    identity::{LoginView, PersonView, WorkloadView},
    passkey::{InviteMake, InviteView, PasskeyView, SessionQuery, SessionView},
};
use provost_control::{Action, ControlError, browser, passkey, person, workload};
use provost_domain::Name;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/people.html")]
struct List {
    frame: Frame,
    people: Vec<PersonView>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/person.html")]
struct One {
    frame: Frame,
    person: PersonView,
    passkeys: Vec<PasskeyView>,
    /// For administrators.
    sessions: Vec<SessionView>,
    administers: bool,
    may_link: bool,
    /// Whether it is the person who looks.
    own: bool,
}

#[derive(Template)]
#[template(path = "console/invited.html")]
struct Invited {
    frame: Frame,
    name: String,
    link: InviteView,
}

#[derive(Template)]
#[template(path = "console/workloads.html")]
struct Workloads {
    frame: Frame,
    workloads: Vec<WorkloadView>,
    pager: Pager,
}

/// People.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::PersonRead)?;
    let query = PageQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS) };
    let page = person::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let pager = Pager::new("/console/people", &[], &form.cursor, page.next.as_deref());
    Ok(looker.page(&List { frame: looker.frame("/console/people"), people: page.items, pager }))
}

/// One person.
pub(super) async fn show(looker: Looker, Path(name): Path<String>) -> Shown {
    looker.may(Action::PersonRead)?;
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("person", &name)) };
    let person = person::show(&looker.op, &name).await.map_err(|error| looker.failed(&error))?;
    let passkeys = passkey::list(&looker.op, &name).map_err(|error| looker.failed(&error))?;
    let administers = looker.op.subject.is_administrator();
    let own = looker.visitor.person.name == name;
    let query = SessionQuery { person: Some(name), ..SessionQuery::default() };
    let sessions = match administers {
        true => browser::list(&looker.op, query).map_err(|error| looker.failed(&error))?.items,
        false => Vec::new(),
    };
    let frame = looker.frame("/console/people");
    let may_link = looker.can(Action::PersonLink);
    Ok(looker.page(&One { frame, person, passkeys, sessions, administers, may_link, own }))
}

/// A link with which the person registers a passkey; this page is the only place it is shown.
pub(super) async fn invite(looker: Looker, Path(name): Path<String>, headers: HeaderMap) -> Shown {
    if !is_own_form(&headers) {
        return Err(looker.failed(&ControlError::refused("this was not asked for on a page of this plane")));
    }
    let Ok(person) = name.parse::<Name>() else { return Err(looker.no_such("person", &name)) };
    let wanted = InviteMake {
        lasts: None,
        reason: "invited from the console".to_owned(),
        person: None,
        break_glass: false,
    };
    let link = passkey::invite::make(&looker.op, &person, &wanted).await;
    let link = link.map_err(|error| looker.failed(&error))?;
    Ok(looker.page(&Invited { frame: looker.frame("/console/people"), name, link }))
}

/// Workloads.
pub(super) async fn workloads(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::WorkloadRead)?;
    let query = PageQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS) };
    let page = workload::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let pager = Pager::new("/console/workloads", &[], &form.cursor, page.next.as_deref());
    Ok(looker.page(&Workloads { frame: looker.frame("/console/workloads"), workloads: page.items, pager }))
}

impl One {
    /// Where a login is taken from the person.
    fn unlink(&self, login: &LoginView) -> String {
        let path = format!("/console/people/{}/unlink", self.person.name);
        asked::address(&path, &[("issuer", login.issuer.as_str()), ("subject", &login.subject)])
    }
}
