//! What agents do as they do it: the newest decisions, narrowed, and held still while somebody reads.

use super::{
    asked::{self, Choice, Faults},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::Query;
use provost_api::decision::{DecisionQuery, DecisionSummary};
use provost_control::{Action, decision};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    agent: String,
    system: String,
    verdict: String,
}

#[derive(Template)]
#[template(path = "console/activity.html")]
struct Page {
    frame: Frame,
    form: Form,
    verdicts: Vec<Choice>,
    faults: Vec<String>,
    decisions: Vec<DecisionSummary>,
    narrowed: bool,
}

/// The newest, the very newest first.
pub(super) async fn show(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::DecisionRead)?;
    let mut faults = Faults::default();
    let query = DecisionQuery {
        agent: faults.read("name of an agent", &form.agent),
        system: faults.read("name of a system", &form.system),
        verdict: faults.read("verdict", &form.verdict),
        limit: Some(SHOWN),
        ..DecisionQuery::default()
    };
    let decisions = decision::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?.items;
    let page = Page {
        frame: looker.frame("/console/activity"),
        verdicts: asked::choices(&form.verdict, VERDICTS),
        faults: faults.into_lines(),
        decisions,
        narrowed: [&form.agent, &form.system, &form.verdict].iter().any(|value| !value.trim().is_empty()),
        form,
    };
    Ok(looker.page(&page))
}

const SHOWN: usize = 40;
const VERDICTS: &[(&str, &str)] = &[("", "any"), ("allow", "allowed"), ("hold", "held"), ("deny", "refused")];
