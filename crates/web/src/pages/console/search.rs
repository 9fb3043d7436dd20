//! What one box found across everything.

use super::{
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::{
    extract::Query,
    response::{IntoResponse as _, Redirect},
};
use provost_api::search::{FoundView, HitView, SearchQuery};
use provost_control::search;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    q: String,
}

#[derive(Template)]
#[template(path = "console/search.html")]
struct Page {
    frame: Frame,
    q: String,
    found: Vec<FoundView>,
}

/// What was found; the thing itself, if an id was asked for.
pub(super) async fn show(looker: Looker, Query(form): Query<Form>) -> Shown {
    let query = SearchQuery { q: form.q.clone() };
    let found = search::find(&looker.op, &query).await.map_err(|error| looker.failed(&error))?.found;
    if let [one] = found.as_slice()
        && let [hit] = one.hits.as_slice()
        && hit.key == form.q.trim()
    {
        return Ok(Redirect::to(&Page::href(&one.kind, hit)).into_response());
    }
    let frame = Frame { asked: form.q.clone(), ..looker.frame("") };
    Ok(looker.page(&Page { frame, q: form.q, found }))
}

impl Page {
    /// Where a hit is looked at.
    fn href(kind: &str, hit: &HitView) -> String {
        let key = &hit.key;
        match kind {
            "agent" => format!("/console/agents/{key}"),
            "task" => format!("/console/tasks/{key}"),
            "approval" => format!("/approvals/{key}"),
            "decision" => format!("/console/decisions/{key}"),
            "system" => format!("/console/systems/{key}"),
            "tool" => match key.split_once('/') {
                Some((system, tool)) => format!("/console/systems/{system}#tool-{tool}"),
                None => "/console/systems".to_owned(),
            },
            "person" => format!("/console/people/{key}"),
            "issuer" => format!("/console/issuers/{key}"),
            "connector" => format!("/console/connectors/{key}"),
            "workload" => "/console/workloads".to_owned(),
            _ => "/console/policies".to_owned(),
        }
    }

    /// What a group of hits is called, and where the rest of it is.
    fn group(&self, kind: &str) -> (&'static str, String) {
        let rest = |path: &str, name: &str| super::asked::address(path, &[(name, &self.q)]);
        match kind {
            "agent" => ("Agents", rest("/console/agents", "q")),
            "task" => ("Tasks", "/console/tasks".to_owned()),
            "approval" => ("Approvals", "/approvals".to_owned()),
            "decision" => ("Decisions", rest("/console/decisions", "agent")),
            "system" => ("Systems", "/console/systems".to_owned()),
            "tool" => ("Tools", "/console/systems".to_owned()),
            "person" => ("People", "/console/people".to_owned()),
            "workload" => ("Workloads", "/console/workloads".to_owned()),
            "issuer" => ("Issuers", "/console/issuers".to_owned()),
            "connector" => ("Connectors", "/console/connectors".to_owned()),
            _ => ("Policies", "/console/policies".to_owned()),
        }
    }
}
