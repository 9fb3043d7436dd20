//! What the plane goes by: issuers whose word it takes, and the organisation's policies.

use super::{
    asked::{self, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    PageQuery,
    issuer::{IssuerSummary, IssuerView},
    policy::PolicyView,
};
use provost_control::{Action, issuer, policy};
use provost_domain::{Name, issuer::KeySource};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/issuers.html")]
struct List {
    frame: Frame,
    issuers: Vec<IssuerSummary>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/issuer.html")]
struct One {
    frame: Frame,
    issuer: IssuerView,
    keys: &'static str,
    /// Which subjects are which agent, as JSON.
    rules: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/policies.html")]
struct Policies {
    frame: Frame,
    policies: Vec<PolicyView>,
}

/// Issuers.
pub(super) async fn issuers(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::IssuerRead)?;
    let query = PageQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS) };
    let page = issuer::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let pager = Pager::new("/console/issuers", &[], &form.cursor, page.next.as_deref());
    Ok(looker.page(&List { frame: looker.frame("/console/issuers"), issuers: page.items, pager }))
}

/// One issuer.
pub(super) async fn issuer(looker: Looker, Path(name): Path<String>) -> Shown {
    looker.may(Action::IssuerRead)?;
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("issuer", &name)) };
    let issuer = issuer::show(&looker.op, &name).await.map_err(|error| looker.failed(&error))?;
    let keys = match &issuer.keys {
        KeySource::Discovery => "from its discovery document",
        KeySource::Url { .. } => "from an address",
        KeySource::Inline { .. } => "from its file",
    };
    let rules = issuer.workloads.iter().flat_map(|taken| &taken.rules);
    let rules = rules.filter_map(|rule| serde_json::to_string_pretty(rule).ok()).collect();
    Ok(looker.page(&One { frame: looker.frame("/console/issuers"), issuer, keys, rules }))
}

/// The organisation's policies, with their text.
pub(super) async fn policies(looker: Looker) -> Shown {
    looker.may(Action::PolicyRead)?;
    let policies = policy::list(&looker.op).await.map_err(|error| looker.failed(&error))?;
    Ok(looker.page(&Policies { frame: looker.frame("/console/policies"), policies }))
}
