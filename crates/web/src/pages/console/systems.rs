//! Systems, and the tools of one: pins, effects, classes, what they are shown.

use super::{
    asked::{self, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    PageQuery, Span,
    system::{SystemSummary, SystemView},
};
use provost_control::{Action, system};
use provost_domain::{Name, System, system::Connection};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/systems.html")]
struct List {
    frame: Frame,
    systems: Vec<SystemSummary>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/system.html")]
struct One {
    frame: Frame,
    system: SystemView,
    /// How long, at worst, what it is shown outlives an order to stop, and why.
    bound: Option<(Span, String)>,
    /// What kind of credential it is shown.
    kind: Option<String>,
    /// Whether its server can be looked at again, by this person.
    may_look: bool,
}

/// Systems.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::SystemRead)?;
    let query = PageQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS) };
    let page = system::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let pager = Pager::new("/console/systems", &[], &form.cursor, page.next.as_deref());
    Ok(looker.page(&List { frame: looker.frame("/console/systems"), systems: page.items, pager }))
}

/// One system.
pub(super) async fn show(looker: Looker, Path(name): Path<String>) -> Shown {
    looker.may(Action::SystemRead)?;
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("system", &name)) };
    let system = system::show(&looker.op, &name).await.map_err(|error| looker.failed(&error))?;
    let view = looker.plane().replica.latest();
    let row = view.directory.systems.get(&name).map(AsRef::as_ref);
    let bound = row.map(System::credential_bound);
    let bound = bound.map(|bound| (bound.at_most.into(), bound.because.to_owned()));
    let kind = row.and_then(kind);
    let looked_at = row.is_some_and(|row| {
        matches!(row.connection, Connection::McpHttp { .. } | Connection::McpStdio { .. })
    });
    let may_look = looked_at && looker.can(Action::SystemImport);
    Ok(looker.page(&One { frame: looker.frame("/console/systems"), system, bound, kind, may_look }))
}

/// The word of its credential's source, as files write it.
fn kind(system: &System) -> Option<String> {
    let used = system.credential.as_ref()?;
    let source = serde_json::to_value(&used.source).ok()?;
    let kind = source.get("kind").or_else(|| source.get("from")).and_then(serde_json::Value::as_str);
    Some(kind.unwrap_or("sealed").to_owned())
}
