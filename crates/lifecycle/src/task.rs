//! A task's life: it starts within its agent's charter, runs, and ends once.

use provost_domain::{
    Agent, Bill, DurationMs, Name, Task, TaskId, Timestamp,
    task::{TaskScope, TaskStatus},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a new task is to be.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its id.
    pub id: TaskId,
    /// What it is for.
    pub purpose: String,
    /// The person who asked for it.
    pub requester: Name,
    /// What they gave it besides the purpose.
    pub inputs: BTreeMap<String, String>,
    /// How long; the charter's longest, if absent.
    pub duration: Option<DurationMs>,
    /// The part of the charter it may use.
    pub scope: Option<Vec<TaskScope>>,
    /// The task on whose behalf it runs.
    pub parent: Option<TaskId>,
    /// It acts for the requester, who agreed to it.
    pub for_person: bool,
    /// What the agent said that it is made of.
    pub bill: Option<Arc<Bill>>,
}

/// The task that this start makes.
///
/// # Errors
/// When the agent may not act, the purpose is empty or too long, or the task would reach past the charter.
pub fn start(agent: &Agent, wanted: Start, now: Timestamp) -> Result<Task, StartError> {
    if !crate::agent::may_act(agent.status) {
        return Err(StartError::NotActive { agent: agent.name.clone(), status: agent.status.as_str() });
    }
    let purpose = wanted.purpose.trim();
    if purpose.is_empty() || purpose.len() > PURPOSE_BYTES_MAX {
        return Err(StartError::Purpose);
    }
    let most = agent.charter.task_duration_max;
    let duration = wanted.duration.unwrap_or(most);
    if duration > most || duration.0 == 0 {
        return Err(StartError::TooLong { wanted: duration, most });
    }
    let charter_end = agent.charter.retirement.expires.unwrap_or(Timestamp::from_millis(i64::MAX));
    if charter_end <= now {
        return Err(StartError::Retired { agent: agent.name.clone() });
    }
    check_inputs(&wanted.inputs)?;
    check_scope(agent, wanted.scope.as_deref().unwrap_or_default())?;
    Ok(Task {
        id: wanted.id,
        agent: agent.name.clone(),
        purpose: purpose.into(),
        requester: wanted.requester,
        inputs: wanted.inputs,
        scope: wanted.scope.map(Into::into),
        started: now,
        expires: now.plus(duration).min(charter_end),
        status: TaskStatus::Running,
        parent: wanted.parent,
        revoked: BTreeSet::new(),
        for_person: wanted.for_person,
        refresh: None,
        trial: None,
        bill: wanted.bill,
    })
}

/// The task, ended. Ending an ended task changes nothing.
#[must_use]
pub fn end(task: &Task) -> Task {
    Task { status: TaskStatus::Ended, ..task.clone() }
}

fn check_inputs(inputs: &BTreeMap<String, String>) -> Result<(), StartError> {
    let bytes: usize = inputs.iter().map(|(name, text)| name.len().saturating_add(text.len())).sum();
    let named = inputs.keys().all(|name| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        (1..=INPUT_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
    });
    let fits = named && inputs.len() <= INPUTS_MAX && bytes <= INPUTS_BYTES_MAX;
    if fits { Ok(()) } else { Err(StartError::Inputs) }
}

fn check_scope(agent: &Agent, scope: &[TaskScope]) -> Result<(), StartError> {
    for part in scope {
        let outside = |tool: &str| StartError::OutsideCharter {
            agent: agent.name.clone(),
            what: if tool.is_empty() { part.system.to_string() } else { format!("{}/{tool}", part.system) },
        };
        if !agent.charter.systems().contains(&part.system) {
            return Err(outside(""));
        }
        if let Some(tool) = part.tools.iter().find(|tool| !agent.charter.grants_tool(&part.system, tool)) {
            return Err(outside(tool.as_str()));
        }
    }
    Ok(())
}

/// Why a task cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Only active agents work.
    #[error("{agent} is {status}, and only an active agent can start a task")]
    NotActive {
        /// The agent.
        agent: Name,
        /// Where it stands.
        status: &'static str,
    },
    /// The charter has expired.
    #[error("the charter of {agent} has expired: give it a later `expires` and apply it")]
    Retired {
        /// The agent.
        agent: Name,
    },
    /// A purpose is what a person later judges the task by.
    #[error("a task needs a purpose of 1 to {PURPOSE_BYTES_MAX} bytes: say what this run is for")]
    Purpose,
    /// Inputs are values, not documents.
    #[error(
        "the inputs of a task are at most {INPUTS_MAX}, of {INPUTS_BYTES_MAX} bytes together, each under a name of letters, \
         digits, `_`, `-` and `.`"
    )]
    Inputs,
    /// Longer than the charter allows.
    #[error("a task of this agent lasts at most {most}, and {wanted} was asked for")]
    TooLong {
        /// What was asked for.
        wanted: DurationMs,
        /// What the charter allows.
        most: DurationMs,
    },
    /// The scope names what the charter does not.
    #[error("{what} is not in the charter of {agent}, so a task cannot have it in its scope")]
    OutsideCharter {
        /// The agent.
        agent: Name,
        /// The system or tool.
        what: String,
    },
}

const PURPOSE_BYTES_MAX: usize = 2_000;
const INPUTS_MAX: usize = 64;
const INPUTS_BYTES_MAX: usize = 8_192;
const INPUT_NAME_BYTES_MAX: usize = 64;
