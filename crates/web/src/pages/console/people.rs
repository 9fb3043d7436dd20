//! People and workloads.

use super::{
    asked::{self, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    PageQuery,
    identity::{PersonView, WorkloadView},
};
use provost_control::{Action, person, workload};
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
    Ok(looker.page(&One { frame: looker.frame("/console/people"), person }))
}

/// Workloads.
pub(super) async fn workloads(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::WorkloadRead)?;
    let query = PageQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS) };
    let page = workload::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let pager = Pager::new("/console/workloads", &[], &form.cursor, page.next.as_deref());
    Ok(looker.page(&Workloads { frame: looker.frame("/console/workloads"), workloads: page.items, pager }))
}
