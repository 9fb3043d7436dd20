//! Tasks: bounded runs of an agent, and the tokens that belong to them.

use crate::{
    Action, ControlError, Op, bill,
    change::{Change, Draft},
    decision, diff,
    page::page,
    plane::Plane,
};
use provost_api::{
    Page,
    task::{BalanceView, ScopePart, TaskQuery, TaskStart, TaskStarted, TaskSummary, TaskView, TokenRequest},
};
use provost_domain::{
    Agent, Decimal, Kind, Name, Object, ObjectKey, Role, Task, TaskId, Timestamp,
    bill::{Presented, Word},
    charter::{Budget, BudgetScope},
    task::{TaskScope, TaskStatus},
};
use provost_lifecycle::task::{Start, StartError};
use provost_store::{Balance, DecisionFilter, WindowKey};
use provost_token::AccessClaims;
use std::sync::Arc;

/// Starts a task and issues its first token.
///
/// # Errors
/// When the operator may not, the agent is unknown or may not act, the requester is nobody, or the task would reach
/// past the charter.
pub async fn start(op: &Op, wanted: TaskStart) -> Result<TaskStarted, ControlError> {
    let task = begin(op, &wanted, Behalf::Itself).await?;
    issue(&op.plane, &task, wanted.system.as_ref())
}

/// On whose behalf a task starts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behalf<'a> {
    /// The agent's own doing.
    Itself,
    /// Another task's.
    Task(&'a Task),
    /// The requester's, who agreed, or whose identity provider did.
    Person,
}

/// Starts a task, and issues nothing for it.
///
/// # Errors
/// As [`start`].
pub(crate) async fn begin(op: &Op, wanted: &TaskStart, behalf: Behalf<'_>) -> Result<Task, ControlError> {
    let presented = bill::read(&op.plane, wanted.bill.as_ref(), Word::Observed)?;
    begin_made_of(op, wanted, behalf, presented).await
}

/// The same for an agent that says, by somebody's word, what it is made of.
///
/// # Errors
/// As [`start`]; when it is not made of what was approved.
pub(crate) async fn begin_made_of(
    op: &Op,
    wanted: &TaskStart,
    behalf: Behalf<'_>,
    presented: Option<Presented>,
) -> Result<Task, ControlError> {
    let authorised = op.authorize(Action::TaskStart)?;
    check_own(op, &wanted.agent)?;
    if let crate::Operator::Person(person, _roles) = &op.subject
        && wanted.requester.as_ref() != Some(person)
    {
        return Err(ControlError::refused(format!("{person} asks for tasks in their own name only")));
    }
    // Software that people run in front of them has nobody who could say it for them.
    if presented.is_some() || !matches!(behalf, Behalf::Person) {
        bill::hold(op, &wanted.agent, presented.as_ref()).await?;
    }
    let made_of = presented.map(|presented| Arc::new(presented.bill));
    let parent = match behalf {
        Behalf::Task(parent) => Some(parent),
        Behalf::Itself | Behalf::Person => None,
    };
    let id = op.plane.new_task_id();
    let why = wanted.purpose.chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect::<String>();
    let why = if why.trim().is_empty() { "no purpose" } else { &why };
    let (_seq, task) = authorised
        // Nobody has this id: there is no version to read.
        .change(&[], why, |seen| {
            let unknown = || ControlError::unknown("agent", wanted.agent.as_str());
            let agent = seen.directory.agents.get(&wanted.agent).ok_or_else(unknown)?;
            check_contained(seen.directory, agent)?;
            let requester = wanted.requester.clone().unwrap_or_else(|| agent.charter.owner.clone());
            check_requester(seen.directory, &requester)?;
            check_audience(agent, wanted.system.as_ref())?;
            let scope: Option<Vec<TaskScope>> =
                wanted.scope.clone().map(|scope| scope.into_iter().map(Into::into).collect());
            check_limits(seen.directory, scope.as_deref().unwrap_or_default())?;
            let start = Start {
                id,
                purpose: wanted.purpose.clone(),
                requester,
                inputs: wanted.inputs.clone(),
                duration: wanted.duration.map(|span| span.0),
                scope,
                parent: parent.map(|parent| parent.id),
                for_person: matches!(behalf, Behalf::Person)
                    || parent.is_some_and(|parent| parent.for_person),
                bill: made_of.clone(),
            };
            let mut task = provost_lifecycle::task::start(agent, start, op.plane.now())?;
            if let Some(parent) = parent {
                if let Some(agent) = seen.directory.agents.get(&parent.agent) {
                    check_contained(seen.directory, agent)?;
                }
                // Ended meanwhile: what it would have handed on is gone with it.
                let above =
                    seen.directory.tasks.get(&parent.id).filter(|above| above.is_live(op.plane.now()));
                task.expires = task.expires.min(above.ok_or_else(|| over(parent.id))?.expires);
            }
            Ok(Change {
                drafts: vec![Draft::Put(Object::Task(task.clone()))],
                what: format!("task of {} started", task.agent),
                answer: task,
            })
        })
        .await?;
    Ok(task)
}

/// Another token for a task that runs.
///
/// # Errors
/// When the operator may not, or the task is unknown or over.
pub async fn renew(op: &Op, id: TaskId, wanted: &TokenRequest) -> Result<TaskStarted, ControlError> {
    op.authorize(Action::TaskToken)?;
    let view = op.plane.replica.fresh(op.plane.limits.staleness_max)?;
    let task = view.directory.tasks.get(&id).filter(|task| task.is_live(op.plane.now()));
    let Some(task) = task else {
        find(op, id).await?;
        return Err(over(id));
    };
    let agent = view.directory.agents.get(&task.agent);
    let agent = agent.filter(|agent| provost_lifecycle::agent::may_act(agent.status));
    let agent = agent.ok_or_else(|| {
        ControlError::refused(format!("{} may not act, so its tasks get no tokens", task.agent))
            .cure("see `provost agent show`")
    })?;
    check_contained(&view.directory, agent)?;
    check_audience(agent, wanted.system.as_ref())?;
    issue(&op.plane, task, wanted.system.as_ref())
}

/// Ends a task and every task below it. When this answers, their tokens are refused here, and everywhere else within the
/// lease.
///
/// # Errors
/// When the operator may not, or nobody knows the task. Ending an ended task is `Ok`.
pub async fn end(op: &Op, id: TaskId, why: &str) -> Result<TaskSummary, ControlError> {
    let authorised = op.authorize(Action::TaskEnd)?;
    let known = find(op, id).await?;
    check_own(op, &known.agent)?;
    check_asked(op, &known)?;
    let mut keys = vec![ObjectKey::task(id)];
    keys.extend(below(&op.plane.replica.latest().directory, id).into_iter().map(ObjectKey::task));
    let (_seq, task) = authorised
        .change(&keys, why, |seen| {
            let Some(task) = seen.directory.tasks.get(&id) else {
                let ended = provost_lifecycle::task::end(&known);
                return Ok(Change { drafts: Vec::new(), what: String::new(), answer: ended });
            };
            let ended = provost_lifecycle::task::end(task);
            let mut drafts = vec![Draft::Put(Object::Task(ended.clone()))];
            // A child that started since the versions were read finds its parent gone, and may do nothing.
            let known = |id: &TaskId| seen.versions.contains_key(&ObjectKey::task(*id));
            let children = below(seen.directory, id).into_iter().filter(known);
            let rows = children.filter_map(|id| seen.directory.tasks.get(&id));
            drafts.extend(rows.map(|task| Draft::Put(Object::Task(provost_lifecycle::task::end(task)))));
            Ok(Change { drafts, what: format!("task of {} ended", task.agent), answer: ended })
        })
        .await?;
    Ok(summary(&task, op.plane.now()))
}

/// Tasks that run, in order of their start.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: TaskQuery) -> Result<Page<TaskSummary>, ControlError> {
    op.authorize(Action::TaskRead)?;
    let view = op.plane.replica.latest();
    let now = op.plane.now();
    let wanted = |task: &Task| query.agent.as_ref().is_none_or(|agent| task.agent == *agent);
    let tasks = view.directory.tasks.iter().filter(|(_id, task)| wanted(task));
    let rows = tasks.map(|(id, task)| (id.to_string(), task)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |task| summary(task, now))
}

/// One task, ended ones too.
///
/// # Errors
/// When the operator may not, or nobody knows the task.
pub async fn show(op: &Op, id: TaskId) -> Result<TaskView, ControlError> {
    let found = find(op, id).await;
    match &found {
        // Whoever asked for it sees what becomes of it.
        Ok(task) if matches!(&op.subject, crate::Operator::Person(person, _) if *person == task.requester) => {
        }
        Ok(task) => {
            op.authorize_on(Action::TaskRead, &task.agent)?;
        }
        // Who may not look is not told whether there is one.
        Err(_unknown) => {
            op.authorize(Action::TaskRead)?;
        }
    }
    let task = found?;
    let plane = &op.plane;
    let state = plane.store.task_state(id).await?;
    let directory = plane.replica.latest().directory.clone();
    let agent = directory.agents.get(&task.agent).cloned();
    let windows = agent.map(|agent| windows(&agent, id)).unwrap_or_default();
    let balances = plane.store.balances(&windows, plane.now()).await?;
    let filter = DecisionFilter { task: Some(id), max: DECISIONS_MAX, ..DecisionFilter::default() };
    let decisions = plane.store.decisions(&filter).await?.decisions;
    Ok(TaskView {
        summary: summary(&task, plane.now()),
        children: children(&directory, id, plane.now()),
        labels: state.labels.iter().map(ToString::to_string).collect(),
        balances: balances.iter().map(balance).collect(),
        decisions: decisions.iter().map(|stored| decision::summary(stored, &directory)).collect(),
        trial: task.trial.as_deref().map(Into::into),
        made_of: task.bill.iter().flat_map(|bill| bill.parts()).map(owned).collect(),
        history: diff::history(plane.store.history(&ObjectKey::task(id), HISTORY_MAX).await?),
    })
}

fn owned((part, made_of): (&str, &str)) -> (String, String) {
    (part.to_owned(), made_of.to_owned())
}

fn children(directory: &provost_domain::Directory, id: TaskId, now: Timestamp) -> Vec<TaskSummary> {
    let mut rows: Vec<&Task> =
        directory.tasks.values().map(AsRef::as_ref).filter(|task| task.parent == Some(id)).collect();
    rows.sort_by_key(|task| task.id);
    rows.into_iter().take(CHILDREN_MAX).map(|task| summary(task, now)).collect()
}

/// A task as a listing shows it.
pub(crate) fn summary(task: &Task, now: Timestamp) -> TaskSummary {
    let status = match task.status {
        TaskStatus::Ended => "ended",
        TaskStatus::Running if task.is_live(now) => "running",
        TaskStatus::Running => "expired",
    };
    TaskSummary {
        id: task.id,
        agent: task.agent.clone(),
        purpose: task.purpose.to_string(),
        requester: task.requester.clone(),
        parent: task.parent,
        status: status.to_owned(),
        started: task.started.into(),
        expires: task.expires.into(),
        scope: task.scope.as_ref().map(|scope| scope.iter().map(ScopePart::from).collect()),
    }
}

/// The windows of an agent's budgets, as one of its tasks sees them; named like the draws of `provost-policy`.
pub(crate) fn windows(agent: &Agent, task: TaskId) -> Vec<WindowKey> {
    agent.charter.budgets.iter().flat_map(|budget| budget_windows(agent, budget, task)).collect()
}

fn budget_windows(agent: &Agent, budget: &Budget, task: TaskId) -> Vec<WindowKey> {
    let whose = match budget.per {
        BudgetScope::Agent => format!("agent/{}", agent.name),
        BudgetScope::Task => format!("task/{task}"),
    };
    let window = |what: &str, max: i64| WindowKey {
        key: format!("{whose}/{}/{what}", budget.name),
        window: budget.window,
        max,
    };
    let count = budget.count_max.map(|max| window("count", i64::from(max)));
    let sum = budget.sum.as_ref().map(|sum| window("sum", sum.max.units()));
    count.into_iter().chain(sum).collect()
}

pub(crate) fn balance(balance: &Balance) -> BalanceView {
    let sums = balance.window.key.ends_with("/sum");
    let text = |units: i64| if sums { Decimal::from_units(units).to_string() } else { units.to_string() };
    BalanceView {
        budget: balance.window.key.clone(),
        window: balance.window.window.into(),
        used: text(balance.used),
        max: text(balance.window.max),
        left: text(balance.left()),
    }
}

/// A task as the newest row says, ended ones from their history.
async fn find(op: &Op, id: TaskId) -> Result<Task, ControlError> {
    if let Some(task) = op.plane.replica.latest().directory.tasks.get(&id) {
        return Ok(task.as_ref().clone());
    }
    let last = op.plane.store.history(&ObjectKey::new(Kind::Task, id.to_string()), 1).await?.pop();
    match last.and_then(|record| record.after) {
        Some(Object::Task(task)) => Ok(task),
        _ => Err(ControlError::unknown("task", &id.to_string())),
    }
}

pub(crate) fn issue(plane: &Plane, task: &Task, system: Option<&Name>) -> Result<TaskStarted, ControlError> {
    let claims = claims(plane, task, system);
    let token = plane
        .token_keys
        .with_signing(|key| claims.issue(key))?
        .map_err(|error| ControlError::us("the token could not be signed", error))?;
    let token_expires = Timestamp::from_millis(claims.exp.saturating_mul(1_000)).into();
    Ok(TaskStarted { task: summary(task, plane.now()), token, token_expires, resource: claims.aud })
}

/// What the plainest token of a task says: its agent, for itself.
pub(crate) fn claims(plane: &Plane, task: &Task, system: Option<&Name>) -> AccessClaims {
    let now = plane.now();
    let expires = now.plus(plane.token_lifetime_max).min(task.expires);
    AccessClaims {
        iss: plane.issuer.clone(),
        aud: plane.resource(system),
        sub: task.agent.clone(),
        client_id: task.agent.clone(),
        task: task.id,
        iat: now.as_seconds(),
        exp: expires.as_seconds(),
        jti: hex::encode(plane.random::<16>()),
        scope: None,
        act: None,
        may_act: None,
        cnf: None,
        authorization_details: None,
        auth_time: None,
        acr: None,
    }
}

/// Takes one token of a task back; the task goes on. A task whose tokens are taken back again and again is ended.
///
/// # Errors
/// When the operator may not, or the store fails.
pub(crate) async fn revoke(op: &Op, id: TaskId, jti: &str) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::TaskToken)?;
    authorised
        .change(&[ObjectKey::task(id)], "the client asked for it", |seen| {
            let task = seen.directory.tasks.get(&id).filter(|task| !task.revoked.contains(jti));
            let drafts = task.map(|task| {
                let mut task = task.as_ref().clone();
                task.revoked.insert(jti.to_owned());
                let task =
                    if task.revoked.len() > REVOKED_MAX { provost_lifecycle::task::end(&task) } else { task };
                Draft::Put(Object::Task(task))
            });
            Ok(Change { drafts: drafts.into_iter().collect(), what: "token revoked".to_owned(), answer: () })
        })
        .await
        .map(drop)
}

/// Every task below one, however deep.
pub(crate) fn below(directory: &provost_domain::Directory, id: TaskId) -> Vec<TaskId> {
    let mut found = vec![id];
    let mut looked = 0;
    while let Some(parent) = found.get(looked).copied() {
        let children = directory.tasks.values().filter(|task| task.parent == Some(parent));
        found.extend(children.map(|task| task.id));
        looked += 1;
    }
    found.remove(0);
    found
}

/// Whoever may do nothing starts nothing and gets no tokens.
///
/// # Errors
/// With the order that says so.
pub(crate) fn check_contained(
    directory: &provost_domain::Directory,
    agent: &Agent,
) -> Result<(), ControlError> {
    let Some(order) = directory.order_off(agent) else { return Ok(()) };
    Err(ControlError::refused(format!("{} is contained by {}", agent.name, order.id))
        .because(order.words())
        .cure("wait until it is lifted: see `provost kill show`"))
}

/// An agent that operates does so on its own tasks.
fn check_own(op: &Op, agent: &Name) -> Result<(), ControlError> {
    match &op.subject {
        crate::Operator::Agent(own) if own != agent => {
            Err(ControlError::refused(format!("agent {own} has no say in tasks of {agent}")))
        }
        _ => Ok(()),
    }
}

/// A person ends what they asked for, and what agents do that they answer for.
fn check_asked(op: &Op, task: &Task) -> Result<(), ControlError> {
    let crate::Operator::Person(person, roles) = &op.subject else { return Ok(()) };
    if roles.contains(&Role::Operator) || roles.contains(&Role::Administrator) {
        return Ok(());
    }
    let view = op.plane.replica.latest();
    let answers = view
        .directory
        .agents
        .get(&task.agent)
        .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person));
    if answers || task.requester == *person {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} neither asked for this task nor answers for {}", task.agent)))
}

fn check_limits(directory: &provost_domain::Directory, scope: &[TaskScope]) -> Result<(), ControlError> {
    let faults = provost_policy::check_scope(directory, scope);
    let Some(first) = faults.first() else { return Ok(()) };
    let cure = first.help.clone().unwrap_or_else(|| "change or leave out the limit".to_owned());
    Err(ControlError::caller(format!("{}: {}", first.path, first.message)).cure(cure))
}

fn check_requester(directory: &provost_domain::Directory, requester: &Name) -> Result<(), ControlError> {
    let person = directory.people.get(requester);
    match person {
        Some(person) if person.active => Ok(()),
        Some(_left) => Err(ControlError::refused(format!("{requester} has left, and cannot ask for a task"))
            .cure("name somebody who is here")),
        None => Err(ControlError::caller(format!("there is no person `{requester}` to ask for a task"))
            .because("behind every task stands a person")
            .cure("name a person of the organisation as the requester")),
    }
}

fn check_audience(agent: &Agent, system: Option<&Name>) -> Result<(), ControlError> {
    match system {
        Some(system) if !agent.charter.systems().contains(system) => Err(ControlError::refused(format!(
            "{system} is not in the charter of {}, so no token for it makes sense",
            agent.name
        ))),
        _ => Ok(()),
    }
}

fn over(id: TaskId) -> ControlError {
    ControlError::refused(format!("task {id} is over, and gets no more tokens")).cure("start a new task")
}

impl From<StartError> for ControlError {
    fn from(error: StartError) -> Self {
        let text = error.to_string();
        match error {
            StartError::Purpose | StartError::Inputs | StartError::TooLong { .. } => Self::caller(text),
            StartError::NotActive { .. } | StartError::Retired { .. } | StartError::OutsideCharter { .. } => {
                Self::refused(text)
            }
        }
    }
}

const CHILDREN_MAX: usize = 100;
const DECISIONS_MAX: usize = 20;
const REVOKED_MAX: usize = 64;
const HISTORY_MAX: usize = 100;
const WHY_CHARS_MAX: usize = 240;
