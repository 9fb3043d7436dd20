//! Ending a task.

use super::{Act, Sent};
use crate::pages::console::look::{Looker, Shown, Stopped};
use axum::extract::Path;
use provost_api::task::TaskView;
use provost_control::{Action, task};
use provost_domain::{Role, TaskId};

/// Whether ending it is offered: to who asked for it, who answers for its agent, and who operates.
pub(in crate::pages::console) fn may_end(looker: &Looker, task: &TaskView) -> bool {
    let roles = looker.visitor.roles();
    let runs = roles.contains(&Role::Operator) || roles.contains(&Role::Administrator);
    let asked = task.summary.requester == looker.visitor.person.name;
    let answers = looker.answers_for(&task.summary.agent);
    task.summary.status != "ended" && (runs || asked || answers)
}

/// Asks before a task is ended.
pub(in crate::pages::console) async fn ask(looker: Looker, Path(id): Path<String>) -> Shown {
    Ok(act(&looker, &id).await?.0.ask(&looker))
}

/// Ends it.
pub(in crate::pages::console) async fn make(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let (act, id) = act(looker, &id).await?;
    let outcome = task::end(&looker.op, id, sent.text("reason")).await;
    act.over(looker, &sent, outcome, "ended")
}

async fn act(looker: &Looker, id: &str) -> Result<(Act, TaskId), Stopped> {
    looker.may(Action::TaskEnd)?;
    let Ok(id) = id.parse::<TaskId>() else { return Err(looker.no_such("task", id)) };
    let task = task::show(&looker.op, id).await.map_err(|error| looker.failed(&error))?;
    let below = |task: &provost_api::task::TaskSummary| {
        (format!("task of {}: {}", task.agent, task.purpose), Some(format!("/console/tasks/{}", task.id)))
    };
    let own = format!("this task of {}: {}", task.summary.agent, task.summary.purpose);
    let act = Act {
        here: "/console/tasks",
        back: (format!("/console/tasks/{id}"), "The task".to_owned()),
        to: format!("/console/tasks/{id}/end"),
        title: format!("End this task of {}?", task.summary.agent),
        means: vec![
            "Its tokens are refused from the next call on, here at once and on every other node within the lease.".to_owned(),
            "Afterwards the plane tries a token of it at its own faces, and writes down what it met.".to_owned(),
            "It does not come back: the agent needs a new task.".to_owned(),
        ],
        hits: std::iter::once((own, None)).chain(task.children.iter().map(below)).collect(),
        fields: Vec::new(),
        button: "End the task".to_owned(),
        danger: true,
        reason: true,
        command: format!("provost task end {id} --reason …"),
    };
    Ok((act, id))
}
