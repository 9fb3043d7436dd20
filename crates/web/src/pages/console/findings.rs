//! Findings: what a person should know, and the answer.

use super::{
    act::Sent,
    asked::{self, Choice, Faults, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown, done},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    Span,
    finding::{FindingAnswer, FindingQuery, FindingSummary, FindingSuppress, FindingView},
};
use provost_control::{Action, ControlError, finding};
use provost_domain::Severity;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    state: String,
    severity: String,
    kind: String,
    agent: String,
    owner: String,
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
    /// Those that wait, by severity, the worst first: class, how many, word, where they are listed.
    counts: Vec<(&'static str, usize, &'static str, String)>,
    narrowed: bool,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/finding.html")]
struct One {
    frame: Frame,
    finding: FindingView,
    /// Where what it is about is stopped, for who may.
    contain: Option<String>,
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
        owner: faults.read("name of a person", &form.owner),
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
        ("owner", &*form.owner),
    ];
    let shown = List {
        frame: looker.frame("/console/findings"),
        faults: faults.into_lines(),
        states: asked::choices(&form.state, STATES),
        counts: counts(&looker),
        narrowed: asked.iter().any(|(_, value)| !value.trim().is_empty()),
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
    let contain = looker.can(Action::ContainmentOrder).then(|| contain(&finding)).flatten();
    Ok(looker.page(&One { frame: looker.frame("/console/findings"), finding, contain, why_not, answerable }))
}

/// The order about it, filled in as far as the finding says; nothing, if it is about nothing that can be stopped.
fn contain(finding: &FindingView) -> Option<String> {
    let (about, because) =
        (&finding.summary.about, format!("{}: {}", finding.summary.id, finding.summary.what));
    let agent = about.agent.as_ref().map(ToString::to_string).unwrap_or_default();
    let system = about.system.as_ref().map(ToString::to_string).unwrap_or_default();
    let because: String = because.chars().take(REASON_CHARS_MAX).collect();
    let some = !agent.is_empty() || !system.is_empty();
    // An agent is stopped everywhere, not only at the system where it was seen.
    let system = if agent.is_empty() { system.as_str() } else { "" };
    some.then(|| {
        asked::address("/console/contain", &[("agent", &agent), ("system", system), ("reason", &because)])
    })
}

fn counts(looker: &Looker) -> Vec<(&'static str, usize, &'static str, String)> {
    let waiting = finding::waiting(&looker.op);
    let row = |(severity, class, word): &(Severity, &'static str, &'static str)| {
        let count = waiting.get(severity).copied().filter(|count| *count > 0)?;
        Some((*class, count, *word, asked::address("/console/findings", &[("severity", *word)])))
    };
    WORST_FIRST.iter().filter_map(row).collect()
}

/// An answer, given on the page.
pub(super) async fn answer(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let reason = sent.text("reason").to_owned();
    let (outcome, word) = match sent.text("answer") {
        "acknowledge" => {
            // Being at it needs no words.
            let reason = if reason.is_empty() { "taken up in the console".to_owned() } else { reason };
            (finding::acknowledge(&looker.op, &id, FindingAnswer { person: None, reason }).await, "taken-up")
        }
        "close" => (finding::close(&looker.op, &id, FindingAnswer { person: None, reason }).await, "closed"),
        "suppress" => match sent.text("lasts").parse::<Span>() {
            Ok(lasts) => {
                let wanted = FindingSuppress { person: None, reason, lasts };
                (finding::suppress(&looker.op, &id, wanted).await, "suppressed")
            }
            Err(error) => (Err(ControlError::caller(error.to_string())), ""),
        },
        _ => (Err(ControlError::caller("an answer is to take it up, to close it or to suppress it")), ""),
    };
    outcome.map_err(|error| looker.failed(&error))?;
    let path: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    Ok(done(&format!("/console/findings/{path}"), word))
}

const WORST_FIRST: &[(Severity, &str, &str)] = &[
    (Severity::Critical, "stop", "critical"),
    (Severity::High, "stop", "high"),
    (Severity::Medium, "risk", "medium"),
    (Severity::Low, "wait", "low"),
    (Severity::Info, "plain", "info"),
];
const REASON_CHARS_MAX: usize = 300;
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
