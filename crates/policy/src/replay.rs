//! A recorded decision, made again: the proof behind `provost why`.

use crate::{App, AuthzenRequest, Evaluation, Link, Pdp, Question, charter};
use provost_domain::{
    Agent, ArgsFrom, Decision, Directory, Label, Name, System, Task, TaskState, Timestamp, Tool,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc};

/// What came of making a decision again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Whether everything came out as recorded.
    pub same: bool,
    /// What came out; nothing when the question could not be put together again.
    pub evaluation: Option<Evaluation>,
    /// What is different, in words.
    pub differences: Vec<String>,
}

/// Makes a recorded decision again, with the organisation as it was at [`Decision::view`].
#[must_use]
pub fn replay(directory: &Directory, decision: &Decision) -> Replay {
    let evaluated = match directory.applications.get(&decision.system) {
        Some(row) if decision.face == FACE_AUTHZEN && decision.subject.kind != SUBJECT_AGENT => {
            application(row, decision)
        }
        _ => agent(directory, decision),
    };
    match evaluated {
        Ok(evaluation) => {
            let differences = differences(decision, &evaluation);
            Replay { same: differences.is_empty(), evaluation: Some(evaluation), differences }
        }
        Err(problem) => Replay { same: false, evaluation: None, differences: vec![problem] },
    }
}

fn application(
    row: &provost_domain::application::Application,
    decision: &Decision,
) -> Result<Evaluation, String> {
    let app = App::compile(row).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the application cannot be compiled: {}", texts.join("; "))
    })?;
    let request = AuthzenRequest::deserialize(&decision.input)
        .map_err(|error| format!("the recorded input is not an AuthZEN request: {error}"))?;
    Ok(app.decide(&request))
}

/// What [`Evaluation::input`] holds for an agent.
#[derive(Deserialize)]
pub(crate) struct Input {
    pub(crate) args: Map<String, Value>,
    pub(crate) now: Timestamp,
    pub(crate) labels: BTreeSet<Label>,
    pub(crate) approvals: Vec<String>,
    pub(crate) exhausted: Vec<Name>,
    pub(crate) pinned: bool,
    pub(crate) task: provost_domain::TaskId,
    /// Where the arguments came from.
    #[serde(default)]
    pub(crate) args_from: ArgsFrom,
    /// Who handed the work on, nearest first.
    #[serde(default)]
    pub(crate) chain: Vec<Above>,
}

/// One link of a chain, as the record names it.
#[derive(Deserialize)]
pub(crate) struct Above {
    agent: Name,
    task: provost_domain::TaskId,
}

fn agent(directory: &Directory, decision: &Decision) -> Result<Evaluation, String> {
    let input = Input::deserialize(&decision.input)
        .map_err(|error| format!("the recorded input cannot be read: {error}"))?;
    let Facts { agent, task, system, tool } = facts(directory, decision, &input)?;
    let links = input.chain.iter().map(|above| link(directory, above)).collect::<Result<Vec<_>, _>>()?;
    let links: Vec<Link<'_>> = links.iter().map(|(agent, task)| Link { agent, task }).collect();
    let state = TaskState { version: 0, labels: input.labels };
    Ok(Pdp::new(directory.clone()).decide(&Question {
        agent: &agent,
        task: &task,
        state: &state,
        system: &system,
        tool: &tool,
        pinned: input.pinned,
        args: &input.args,
        approvals: &input.approvals,
        exhausted: &input.exhausted,
        args_from: &input.args_from,
        chain: &links,
        now: input.now,
    }))
}

fn link(directory: &Directory, above: &Above) -> Result<(Arc<Agent>, Arc<Task>), String> {
    let missing = |what: &str| format!("{what} is not in the organisation at position {}", directory.seq);
    let agent = directory.agents.get(&above.agent).ok_or_else(|| missing(above.agent.as_str()))?;
    let task = directory.tasks.get(&above.task).ok_or_else(|| missing(&above.task.to_string()))?;
    Ok((Arc::clone(agent), Arc::clone(task)))
}

struct Facts {
    agent: Arc<Agent>,
    task: Arc<Task>,
    system: Arc<System>,
    tool: Tool,
}

fn facts(directory: &Directory, decision: &Decision, input: &Input) -> Result<Facts, String> {
    let missing = |what: &str, name: &dyn std::fmt::Display| {
        format!("{what} {name} is not in the organisation at position {}", directory.seq)
    };
    let name: Name = decision.subject.id.parse().map_err(|_| missing("agent", &decision.subject.id))?;
    let agent = directory.agents.get(&name).ok_or_else(|| missing("agent", &name))?;
    let task = directory.tasks.get(&input.task).ok_or_else(|| missing("task", &input.task))?;
    let system =
        directory.systems.get(&decision.system).ok_or_else(|| missing("system", &decision.system))?;
    // Records may name a tool alone or with its system.
    let own = decision.tool.strip_prefix(&format!("{}/", decision.system)).unwrap_or(&decision.tool);
    let found = [own, &decision.tool]
        .into_iter()
        .filter_map(|name| charter::find_tool(directory, &decision.system, &name.parse().ok()?))
        .next();
    let tool = found.ok_or_else(|| missing("tool", &decision.tool))?;
    Ok(Facts { agent: Arc::clone(agent), task: Arc::clone(task), system: Arc::clone(system), tool })
}

fn differences(decision: &Decision, again: &Evaluation) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: &str, was: String, is: String| {
        if was != is {
            differences.push(format!("{what} was {was}, and is {is}"));
        }
    };
    differ("the verdict", decision.verdict.as_str().to_owned(), again.verdict.as_str().to_owned());
    if decision.verdict.as_str() == again.verdict.as_str() && decision.verdict != again.verdict {
        differ("the verdict's detail", text(&decision.verdict), text(&again.verdict));
    }
    differ("the digest of the policies", decision.policies.to_string(), again.policies.to_string());
    differ("what policies saw", text(&decision.input), text(&again.input));
    differ("the list of errors", text(&decision.errors), text(&again.errors));
    differences
}

fn text(value: &impl serde::Serialize) -> String {
    provost_domain::canonical::to_string(value).unwrap_or_else(|error| error.to_string())
}

const FACE_AUTHZEN: &str = "authzen";
const SUBJECT_AGENT: &str = "agent";
