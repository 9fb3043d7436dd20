//! Tasks, and one of them as it went.

use super::{
    act,
    asked::{self, Faults, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    Moment,
    decision::{DecisionQuery, DecisionSummary},
    task::{TaskQuery, TaskSummary, TaskView},
};
use provost_control::{Action, ControlError, decision, task};
use provost_domain::TaskId;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    agent: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/tasks.html")]
struct List {
    frame: Frame,
    form: Form,
    faults: Vec<String>,
    tasks: Vec<TaskSummary>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/task.html")]
struct One {
    frame: Frame,
    task: TaskView,
    /// Tasks on whose behalf it runs, the nearest last.
    above: Vec<TaskSummary>,
    events: Vec<Event>,
    /// Whether there are decisions that are not in the timeline.
    more: bool,
    may_end: bool,
}

/// Something that happened in a task.
struct Event {
    at: Moment,
    what: What,
}

enum What {
    Started,
    Decided(Box<DecisionSummary>),
    Changed { actor: String, why: String, lines: Vec<String> },
    Expires,
    Tried { face: String, answer: String, status: Option<u16> },
}

/// Tasks that have not ended.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::TaskRead)?;
    let mut faults = Faults::default();
    let query = TaskQuery {
        agent: faults.read("name of an agent", &form.agent),
        cursor: asked::cursor(&form.cursor),
        limit: Some(ROWS),
    };
    let page = task::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let shown = List {
        frame: looker.frame("/console/tasks"),
        faults: faults.into_lines(),
        pager: Pager::new("/console/tasks", &[("agent", &form.agent)], &form.cursor, page.next.as_deref()),
        tasks: page.items,
        form,
    };
    Ok(looker.page(&shown))
}

/// One task.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    let Ok(id) = id.parse::<TaskId>() else { return Err(looker.no_such("task", &id)) };
    let failed = |error| looker.failed(&error);
    let task = match task::show(&looker.op, id).await {
        Err(error @ ControlError::Refused(_)) => {
            looker.may(Action::TaskRead)?;
            return Err(looker.failed(&error));
        }
        shown => shown.map_err(failed)?,
    };
    // Who answers for the agent sees what it did.
    let agent = (!looker.can(Action::DecisionRead)).then(|| task.summary.agent.clone());
    let query = DecisionQuery { task: Some(id), agent, limit: Some(DECISIONS), ..DecisionQuery::default() };
    let decided = match decision::list(&looker.op, query).await {
        // Who only asked for the task sees how it went, not each decision.
        Err(ControlError::Refused(_)) => provost_api::Page { items: Vec::new(), next: None },
        decided => decided.map_err(failed)?,
    };
    let mut above = Vec::new();
    let mut next = task.summary.parent;
    while let Some(parent) = next.filter(|_| above.len() < ABOVE_MAX) {
        let Ok(parent) = task::show(&looker.op, parent).await.map(|shown| shown.summary) else { break };
        next = parent.parent;
        above.insert(0, parent);
    }
    let events = events(&task, decided.items);
    let frame = looker.frame("/console/tasks");
    let may_end = act::task::may_end(&looker, &task);
    Ok(looker.page(&One { frame, task, above, events, more: decided.next.is_some(), may_end }))
}

/// Everything known of the task, oldest first.
fn events(task: &TaskView, decided: Vec<DecisionSummary>) -> Vec<Event> {
    let mut events = vec![Event { at: task.summary.started, what: What::Started }];
    events.extend(
        decided.into_iter().map(|decision| Event { at: decision.at, what: What::Decided(decision.into()) }),
    );
    // The oldest change is the start itself.
    let changes = task.history.iter().filter(|change| change.version > 1);
    events.extend(changes.map(|change| Event {
        at: change.at,
        what: What::Changed {
            actor: change.actor.clone(),
            why: change.why.clone(),
            // What was tried has lines of its own.
            lines: change.summary.iter().filter(|line| !line.starts_with("trial")).cloned().collect(),
        },
    }));
    for probe in task.trial.iter().flat_map(|trial| &trial.probes) {
        let what =
            What::Tried { face: probe.face.clone(), answer: probe.answer.clone(), status: probe.status };
        events.push(Event { at: probe.at, what });
    }
    if task.summary.status != "ended" {
        events.push(Event { at: task.summary.expires, what: What::Expires });
    }
    events.sort_by_key(|event| event.at);
    events
}

const DECISIONS: usize = 100;
const ABOVE_MAX: usize = 8;
