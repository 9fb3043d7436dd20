//! Findings: what a person should know, and the answer.

use super::{
    asked::{self, Choice, Faults, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Path, Query},
    http::HeaderMap,
    response::{IntoResponse as _, Redirect},
};
use provost_api::{
    Span,
    finding::{FindingAnswer, FindingQuery, FindingSummary, FindingSuppress, FindingView},
};
use provost_control::{Action, ControlError, finding};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    state: String,
    severity: String,
    kind: String,
    agent: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/findings.html")]
struct List {
    frame: Frame,
    form: Form,
    faults: Vec<String>,
    states: Vec<Choice>,
    severities: Vec<Choice>,
    findings: Vec<FindingSummary>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/finding.html")]
struct One {
    frame: Frame,
    finding: FindingView,
    /// Why this person may not answer it; nothing, if they may.
    why_not: Option<String>,
    /// Whether it can be answered at all.
    answerable: bool,
}

/// Findings, the worst first.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::FindingRead)?;
    let mut faults = Faults::default();
    let state = STATES.iter().find(|(state, _)| *state == form.state && !state.is_empty());
    let query = FindingQuery {
        state: state.map(|(state, _)| (*state).to_owned()),
        severity: faults.read("severity", &form.severity),
        kind: faults.read("kind", &form.kind),
        agent: faults.read("name of an agent", &form.agent),
        cursor: asked::cursor(&form.cursor),
        limit: Some(ROWS),
        ..FindingQuery::default()
    };
    let page = finding::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let asked = [
        ("state", &*form.state),
        ("severity", &*form.severity),
        ("kind", &*form.kind),
        ("agent", &*form.agent),
    ];
    let shown = List {
        frame: looker.frame("/console/findings"),
        faults: faults.into_lines(),
        states: asked::choices(&form.state, STATES),
        severities: asked::choices(&form.severity, SEVERITIES),
        pager: Pager::new("/console/findings", &asked, &form.cursor, page.next.as_deref()),
        findings: page.items,
        form,
    };
    Ok(looker.page(&shown))
}

/// One of them.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::FindingRead)?;
    let finding = finding::show(&looker.op, &id).await.map_err(|error| looker.failed(&error))?;
    let answerable = finding.summary.state != "closed";
    let why_not = finding::may_answer(&looker.op, &id).err().map(|error| error.to_string());
    Ok(looker.page(&One { frame: looker.frame("/console/findings"), finding, why_not, answerable }))
}

/// An answer, given on the page.
pub(super) async fn answer(looker: Looker, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Shown {
    if !is_own_form(&headers) || body.len() > BODY_BYTES_MAX {
        return Err(
            looker.failed(&ControlError::refused("this answer was not given on a page of this plane"))
        );
    }
    let (mut word, mut reason, mut lasts) = (String::new(), String::new(), String::new());
    for (name, value) in url::form_urlencoded::parse(&body) {
        match name.as_ref() {
            "answer" => word = value.into_owned(),
            "reason" => reason = value.trim().to_owned(),
            "lasts" => lasts = value.trim().to_owned(),
            _ => {}
        }
    }
    let told = match word.as_str() {
        "acknowledge" => {
            // Being at it needs no words.
            let reason = if reason.is_empty() { "taken up in the console".to_owned() } else { reason };
            finding::acknowledge(&looker.op, &id, FindingAnswer { person: None, reason }).await
        }
        "close" => finding::close(&looker.op, &id, FindingAnswer { person: None, reason }).await,
        "suppress" => match lasts.parse::<Span>() {
            Ok(lasts) => {
                finding::suppress(&looker.op, &id, FindingSuppress { person: None, reason, lasts }).await
            }
            Err(error) => Err(ControlError::caller(error.to_string())),
        },
        _ => Err(ControlError::caller("an answer is to take it up, to close it or to suppress it")),
    };
    told.map_err(|error| looker.failed(&error))?;
    let path: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    Ok(Redirect::to(&format!("/console/findings/{path}")).into_response())
}

const STATES: &[(&str, &str)] = &[
    ("", "open or taken up"),
    ("open", "open"),
    ("acknowledged", "taken up"),
    ("suppressed", "suppressed"),
    ("closed", "closed"),
    ("all", "all"),
];
const SEVERITIES: &[(&str, &str)] = &[
    ("", "any"),
    ("low", "low or worse"),
    ("medium", "medium or worse"),
    ("high", "high or worse"),
    ("critical", "critical"),
];
const BODY_BYTES_MAX: usize = 16_384;
