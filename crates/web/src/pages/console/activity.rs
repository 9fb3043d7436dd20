//! What agents do as they do it: the newest decisions, narrowed, and held still while somebody reads.

use super::{
    asked::{self, Choice, Faults},
    bits,
    decisions::{SEVERITIES, VERDICTS, operation},
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
    tool: String,
    verdict: String,
    severity: String,
}

#[derive(Template)]
#[template(path = "console/activity.html")]
struct Page {
    frame: Frame,
    verdicts: Vec<Choice>,
    severities: Vec<Choice>,
    faults: Vec<String>,
    decisions: Vec<DecisionSummary>,
    narrowed: bool,
    /// The same among all decisions, where there is a time and a task to narrow by, too.
    older: String,
    form: Form,
}

/// The newest, the very newest first.
pub(super) async fn show(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::DecisionRead)?;
    let mut faults = Faults::default();
    let (system, tool) = operation(&mut faults, &form.system, &form.tool);
    let query = DecisionQuery {
        agent: faults.read("name of an agent", &form.agent),
        system,
        tool,
        verdict: faults.read("verdict", &form.verdict),
        severity: faults.read("severity", &form.severity),
        limit: Some(SHOWN),
        ..DecisionQuery::default()
    };
    let decisions = decision::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?.items;
    let asked_for = [
        ("agent", form.agent.as_str()),
        ("system", &form.system),
        ("tool", &form.tool),
        ("verdict", &form.verdict),
        ("severity", &form.severity),
    ];
    let page = Page {
        frame: looker.frame("/console/activity"),
        verdicts: asked::choices(&form.verdict, VERDICTS),
        severities: asked::choices(&form.severity, SEVERITIES),
        faults: faults.into_lines(),
        decisions,
        narrowed: asked_for.iter().any(|(_, value)| !value.trim().is_empty()),
        older: asked::address("/console/decisions", &asked_for),
        form,
    };
    Ok(looker.page(&page))
}

const SHOWN: usize = 40;
