//! Decisions, searched; and one of them, with why it was what it was.

use super::{
    asked::{self, Choice, Faults, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::decision::{DecisionQuery, DecisionSummary, WhyView};
use provost_control::{Action, ControlError, decision};
use provost_domain::{DecisionId, DurationMs, Name, Timestamp};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    agent: String,
    task: String,
    system: String,
    tool: String,
    verdict: String,
    severity: String,
    since: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/decisions.html")]
struct List {
    frame: Frame,
    form: Form,
    verdicts: Vec<Choice>,
    severities: Vec<Choice>,
    times: Vec<Choice>,
    faults: Vec<String>,
    decisions: Vec<DecisionSummary>,
    pager: Pager,
    narrowed: bool,
}

#[derive(Template)]
#[template(path = "console/decision.html")]
struct One {
    frame: Frame,
    why: WhyView,
    /// What the agent sent, as JSON.
    args: String,
    /// Everything else the policies saw, as JSON.
    input: String,
}

/// Decisions, newest first.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::DecisionRead)?;
    let mut faults = Faults::default();
    let back = SINCE.iter().find(|(word, ..)| *word == form.since).and_then(|(_, _, back)| *back);
    let now = looker.plane().now();
    let (system, tool) = operation(&mut faults, &form.system, &form.tool);
    let query = DecisionQuery {
        agent: faults.read("name of an agent", &form.agent),
        task: faults.read("id of a task", &form.task),
        system,
        tool,
        verdict: faults.read("verdict", &form.verdict),
        severity: faults.read("severity", &form.severity),
        since: back.map(|back| before(now, back).into()),
        cursor: asked::cursor(&form.cursor),
        limit: Some(ROWS),
    };
    let page = decision::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let asked_for = [
        ("agent", form.agent.as_str()),
        ("task", &form.task),
        ("system", &form.system),
        ("tool", &form.tool),
        ("verdict", &form.verdict),
        ("severity", &form.severity),
        ("since", &form.since),
    ];
    let times: Vec<(&str, &str)> = SINCE.iter().map(|(word, label, _)| (*word, *label)).collect();
    let shown = List {
        frame: looker.frame("/console/decisions"),
        verdicts: asked::choices(&form.verdict, VERDICTS),
        severities: asked::choices(&form.severity, SEVERITIES),
        times: asked::choices(&form.since, &times),
        faults: faults.into_lines(),
        pager: Pager::new("/console/decisions", &asked_for, &form.cursor, page.next.as_deref()),
        narrowed: asked_for.iter().any(|(_, value)| !value.trim().is_empty()),
        decisions: page.items,
        form,
    };
    Ok(looker.page(&shown))
}

/// One decision, made again.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    let Ok(id) = id.parse::<DecisionId>() else { return Err(looker.no_such("decision", &id)) };
    let why = match decision::why(&looker.op, id).await {
        Err(error @ ControlError::Refused(_)) => {
            looker.may(Action::DecisionRead)?;
            return Err(looker.failed(&error));
        }
        shown => shown.map_err(|error| looker.failed(&error))?,
    };
    let mut input = why.decision.record.input.clone();
    let args = input.as_object_mut().and_then(|members| members.remove("args"));
    let (args, input) = (pretty(args.as_ref()), pretty(Some(&input)));
    Ok(looker.page(&One { frame: looker.frame("/console/decisions"), why, args, input }))
}

/// A system and an operation (`system/tool`) as they are typed. A system that is not the operation's is left out: nothing is about
/// both.
pub(super) fn operation(faults: &mut Faults, system: &str, tool: &str) -> (Option<Name>, Option<String>) {
    let system: Option<Name> = faults.read("name of a system", system);
    let tool: Option<String> = faults.read("operation", tool);
    let of = |text: &String| text.split_once('/').and_then(|(system, _)| system.parse::<Name>().ok());
    match (tool.as_ref().and_then(of), system) {
        (Some(own), Some(system)) if own != system => {
            faults.say(format!("An operation of {own} is asked for, so the system {system} was left out."));
            (None, tool)
        }
        (None, system) if tool.is_some() => {
            // Said as any other word that is none.
            let text = tool.unwrap_or_default();
            faults.read::<Name>("operation: it is written system/tool", &format!("/{text}"));
            (system, None)
        }
        (_, system) => (system, tool),
    }
}

/// JSON for people, cut where it gets too long to read.
fn pretty(value: Option<&serde_json::Value>) -> String {
    let text = value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default();
    match text.char_indices().nth(JSON_CHARS_MAX) {
        Some((end, _)) => {
            format!("{}\n… cut here; the whole is in the ledger", text.get(..end).unwrap_or_default())
        }
        None => text,
    }
}

fn before(now: Timestamp, back: DurationMs) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(i64::try_from(back.0).unwrap_or(i64::MAX)))
}

const JSON_CHARS_MAX: usize = 20_000;
pub(super) const SEVERITIES: &[(&str, &str)] = &[
    ("", "any"),
    ("low", "low or more"),
    ("medium", "medium or more"),
    ("high", "high or more"),
    ("critical", "critical"),
];
pub(super) const VERDICTS: &[(&str, &str)] =
    &[("", "any"), ("allow", "allowed"), ("hold", "held"), ("deny", "refused")];
const SINCE: &[(&str, &str, Option<DurationMs>)] = &[
    ("", "any time", None),
    ("hour", "the last hour", Some(DurationMs::from_mins(60))),
    ("day", "the last day", Some(DurationMs::from_mins(24 * 60))),
    ("week", "the last week", Some(DurationMs::from_mins(7 * 24 * 60))),
];
