//! Connectors: who says who comes and who leaves.

use super::{
    asked::{self, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    PageQuery,
    connector::{ConnectorIssued, ConnectorSummary, ConnectorView},
};
use provost_control::{Action, connector};
use provost_domain::Name;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/connectors.html")]
struct List {
    frame: Frame,
    connectors: Vec<ConnectorSummary>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/connector.html")]
struct One {
    frame: Frame,
    connector: ConnectorView,
    may_issue: bool,
}

#[derive(Template)]
#[template(path = "console/issued.html")]
struct Issued {
    frame: Frame,
    issued: ConnectorIssued,
}

/// Connectors.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ConnectorRead)?;
    let query = PageQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS) };
    let page = connector::list(&looker.op, query).map_err(|error| looker.failed(&error))?;
    let pager = Pager::new(HERE, &[], &form.cursor, page.next.as_deref());
    Ok(looker.page(&List { frame: looker.frame(HERE), connectors: page.items, pager }))
}

/// One connector.
pub(super) async fn show(looker: Looker, Path(name): Path<String>) -> Shown {
    looker.may(Action::ConnectorRead)?;
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("connector", &name)) };
    let connector = connector::show(&looker.op, &name).await.map_err(|error| looker.failed(&error))?;
    let may_issue = looker.can(Action::ConnectorToken);
    Ok(looker.page(&One { frame: looker.frame(HERE), connector, may_issue }))
}

/// A token that was just issued; this page is the only place it is shown.
pub(super) fn issued(looker: &Looker, issued: ConnectorIssued) -> Shown {
    Ok(looker.page(&Issued { frame: looker.frame(HERE), issued }))
}

/// The page of the navigation.
pub(super) const HERE: &str = "/console/connectors";
