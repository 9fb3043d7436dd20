//! Agents: to look at, to bring in, to move through their life, to restrict.

use crate::{
    Action, ControlError, Op, Operator,
    access::Authorised,
    bound::{Links, bound},
    change::{Change, Draft, Seen},
    containment, diff,
    inventory::Sought,
    page,
    plan::{Author, Checked, Made, Outcome, Wanted, make, make_rows},
    reason::reason,
    task, words,
};
use provost_api::{
    Page,
    agent::{
        AgentCreate, AgentQuery, AgentStep, AgentSummary, AgentUpdate, AgentView, Demote, LooseningView,
        Restrict, UpkeepView,
    },
    task::{BalanceView, TaskSummary},
};
use provost_declare::SourceFile;
use provost_domain::{
    Agent, AgentStatus, Directory, Kind, Level, Name, Object, ObjectKey, Restraint, TaskId,
    agent::Loosening,
    containment::{ContainmentStatus, Scope},
};
use provost_lifecycle::{
    agent::{Move, MoveError, decide, is_gain, moves, resumes_to},
    containment::{ASKED_FOR, restrict as restrict_to, wants_signature_for},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// Agents, in order of their names.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: AgentQuery) -> Result<Page<AgentSummary>, ControlError> {
    op.authorize(Action::AgentRead)?;
    let (cursor, limit) = (query.cursor.clone(), query.limit);
    let look = op.plane.inventory.look(&op.plane).await?;
    let most = op.plane.limits.page_size_max;
    let after = cursor.as_deref().map(page::decode).transpose()?;
    // One more than the page has says that there are more.
    let rows = look.agents(
        &sought(query),
        after.as_deref(),
        limit.unwrap_or(most).clamp(1, most.max(1)).saturating_add(1),
    );
    let rows = rows.into_iter().map(|agent| (agent.name.as_str(), agent)).collect();
    page::page(rows, cursor.as_deref(), limit, most, |agent| summary(agent))
}

fn sought(query: AgentQuery) -> Sought {
    Sought {
        // Names have small letters only.
        part: query.q.map(|part| part.trim().to_ascii_lowercase()),
        status: query.status,
        owner: query.owner,
        environment: query.environment,
        system: query.system,
    }
}

/// One agent, whole.
///
/// # Errors
/// When the operator may not, nobody has that name, or the store fails.
pub async fn show(op: &Op, name: &Name) -> Result<AgentView, ControlError> {
    op.authorize_on(Action::AgentRead, name)?;
    view(op, name).await
}

/// What the agent's budgets have left now; those that each task has by itself are the tasks'.
///
/// # Errors
/// When the operator may not, nobody has that name, or the store fails.
pub async fn balances(op: &Op, name: &Name) -> Result<Vec<BalanceView>, ControlError> {
    op.authorize_on(Action::AgentRead, name)?;
    let view = op.plane.replica.latest();
    let agent = find(&view.directory, name)?;
    let nobodys = TaskId::from_bytes([0; 16]);
    let windows = task::windows(agent, nobodys);
    let windows: Vec<_> = windows.into_iter().filter(|window| window.key.starts_with("agent/")).collect();
    let balances = op.plane.store.balances(&windows, op.plane.now()).await?;
    Ok(balances.iter().map(task::balance).collect())
}

/// Brings an agent in, active, exactly as a file would; or proposes it to those who must agree.
///
/// # Errors
/// When the operator may not, the name was ever given, or the charter has faults: all of them are listed.
pub async fn create(op: &Op, wanted: AgentCreate) -> Result<Outcome<AgentView>, ControlError> {
    let authorised = op.authorize(Action::AgentCreate)?;
    let why = reason(&wanted.reason)?.to_owned();
    let name = wanted.name.clone();
    let author = Author::of(op, wanted.person, wanted.break_glass)?;
    let plan = Wanted::new(op, vec![file(&name, wanted.agent)?], false, "api").by(author);
    let guard =
        |directory: &Directory, _versions: &BTreeMap<ObjectKey, u64>, _checked: &Checked| match directory
            .agents
            .contains_key(&name)
        {
            true => Err(ControlError::conflict(format!("there is an agent `{name}` already"))
                .cure("change it instead, or choose another name")),
            false => Ok(()),
        };
    let made = make(&authorised, plan, &format!("agent {name} created"), &why, guard).await;
    outcome(op, &name, made.map_err(without_lines)?).await
}

/// Gives an agent a new charter, exactly as a file would: a new revision, and, when what it is made of changed, a stop
/// until a person approves it again. Or proposes it to those who must agree.
///
/// # Errors
/// When the operator may not, nobody has that name, somebody changed it meanwhile, or the charter has faults.
pub async fn update(op: &Op, name: &Name, wanted: AgentUpdate) -> Result<Outcome<AgentView>, ControlError> {
    let authorised = op.authorize(Action::AgentUpdate)?;
    let why = reason(&wanted.reason)?.to_owned();
    let key = key(name);
    let author = Author::of(op, wanted.person, wanted.break_glass)?;
    let mut plan = Wanted::new(op, vec![file(name, wanted.agent)?], false, "api").by(author);
    plan.keys_read.push(key.clone());
    let guard = |directory: &Directory, versions: &BTreeMap<ObjectKey, u64>, _checked: &Checked| {
        find(directory, name)?;
        Seen { directory, versions }.expect(&key, wanted.version)
    };
    find(&op.plane.replica.latest().directory, name)?;
    let made = make(&authorised, plan, &format!("charter of {name} changed"), &why, guard).await;
    outcome(op, name, made.map_err(without_lines)?).await
}

async fn outcome(op: &Op, name: &Name, made: Made) -> Result<Outcome<AgentView>, ControlError> {
    made.outcome(op, async || view(op, name).await).await
}

/// Moves an agent through its life, or proposes it where somebody must agree: that it acts as nobody agreed to yet.
/// Decommissioning ends its tasks in the same transaction.
///
/// # Errors
/// When the operator may not, nobody has that name, or its state has no such move.
pub async fn step(
    op: &Op,
    name: &Name,
    wanted: Move,
    said: AgentStep,
) -> Result<Outcome<AgentView>, ControlError> {
    let authorised = op.authorize_on(Action::AgentMove, name)?;
    authorised.check_stops(wanted == Move::Suspend)?;
    if is_gain(wanted) {
        let author = Author::of(op, said.person, said.break_glass)?;
        let what = format!("{} {name}", wanted.as_str());
        let made = make_rows(&authorised, &author, (&what, reason(&said.reason)?), |directory| {
            let agent = find(directory, name)?;
            let status = decide(agent.status, wanted)?;
            let made = crate::bill::presented(agent);
            let text = format!("acts again as it is made now{made}: {} becomes {}", agent.status, status);
            let row = provost_lifecycle::bill::approved(Agent { status, ..agent.clone() });
            Ok(vec![(Draft::Put(Object::Agent(row)), text)])
        });
        return outcome(op, name, made.await?).await;
    }
    moved(&authorised, name, wanted, &said.reason).await?;
    Ok(Outcome::Done(view(op, name).await?))
}

async fn moved(
    authorised: &Authorised<'_>,
    name: &Name,
    wanted: Move,
    why: &str,
) -> Result<(), ControlError> {
    let op = authorised.op;
    let (stopped_at, before) = before_stop(op, name).await?;
    let mut keys = vec![key(name)];
    keys.extend(ended_tasks(&op.plane.replica.latest().directory, name).iter().map(Draft::key));
    authorised
        .change(&keys, why, |seen| {
            let agent = find(seen.directory, name)?;
            let status = match decide(agent.status, wanted)? {
                _ if wanted == Move::Resume && seen.version(&key(name)) != stopped_at => {
                    return Err(ControlError::conflict("somebody changed it meanwhile").cure("try again"));
                }
                AgentStatus::Active if wanted == Move::Resume => resumes_to(before),
                status => status,
            };
            let mut drafts = Vec::new();
            if status == AgentStatus::Decommissioned {
                // A task that started since the versions were read finds its agent unable to act, and expires.
                let ended = ended_tasks(seen.directory, name);
                drafts.extend(ended.into_iter().filter(|draft| seen.versions.contains_key(&draft.key())));
                drafts.push(containment::for_ever(op, name, why, seen.directory)?);
            }
            let row = Agent { status, ..agent.clone() };
            let row = match wanted {
                Move::Resume => row.living(|life| life.resumed = Some(op.plane.now())),
                _ => row,
            };
            drafts.push(Draft::Put(Object::Agent(row)));
            Ok(Change { drafts, what: format!("{} {name}", wanted.as_str()), answer: () })
        })
        .await
        .map(drop)
}

/// The version an agent stands at, and the state it was in before it was stopped, if that is known.
async fn before_stop(op: &Op, name: &Name) -> Result<(u64, Option<AgentStatus>), ControlError> {
    let history = op.plane.store.history(&key(name), HISTORY_MAX).await?;
    let version = history.first().map_or(0, |record| record.version);
    let states = history.into_iter().filter_map(|record| match record.after {
        Some(Object::Agent(row)) => Some(row.status),
        _ => None,
    });
    Ok((version, states.into_iter().find(|status| *status != AgentStatus::Suspended)))
}

/// Sets what containment leaves an agent. One person can always take; from `off`, one asks that it be left more and another
/// agrees. Where that takes a signature, an order at `off` stands instead from the first word on, which the other lifts.
///
/// # Errors
/// When the operator may not, nobody has that name, it was decommissioned, or the same person would be both.
pub async fn restrict(op: &Op, name: &Name, wanted: &Restrict) -> Result<AgentView, ControlError> {
    let authorised = op.authorize_on(Action::AgentRestrict, name)?;
    let by = containment::who(op, wanted.person.clone())?;
    authorised
        .change(&[key(name)], &wanted.reason, |seen| {
            let agent = find(seen.directory, name)?;
            if agent.status == AgentStatus::Decommissioned {
                return Err(ControlError::refused(format!(
                    "{name} was decommissioned: nothing is left to restrict"
                )));
            }
            authorised.check_stops(wanted.level >= agent.level)?;
            containment::check_person(by.person.as_ref(), seen.directory)?;
            let now = op.plane.now();
            let by_token = op.subject == Operator::LocalAdministrator;
            let signs = wants_signature_for(agent, seen.directory);
            let restricted = |level| Agent { level, loosening: None, ..agent.clone() };
            let since = |row: Agent| row.living(|life| life.restricted = Some(now));
            let mut drafts = Vec::new();
            let (row, what) = match restrict_to(agent, wanted.level, (&by, by_token), now)? {
                Some(level) if level == agent.level => {
                    (restricted(level), format!("{name} restricted to {level}"))
                }
                // Somebody asked before a signature was wanted: that is asked for now.
                Some(level) if agent.level != Level::Off || !signs => {
                    (since(restricted(level)), format!("{name} restricted to {level}"))
                }
                None if !signs => {
                    let asked = Loosening { to: wanted.level, by: by.clone(), at: now };
                    let row = Agent { loosening: Some(Box::new(asked)), ..agent.clone() };
                    (row, format!("{name} asked to be left {}", wanted.level))
                }
                _ => {
                    let order = containment::instead_of_level(op, name, &wanted.reason, &by, seen.directory);
                    let what =
                        format!("{name} asked to be left {}: {} stands instead", wanted.level, order.id);
                    drafts.push(Draft::Put(Object::Containment(Box::new(order))));
                    (since(restricted(wanted.level)), what)
                }
            };
            if row != *agent {
                drafts.push(Draft::Put(Object::Agent(row)));
            }
            Ok(Change { drafts, what, answer: () })
        })
        .await?;
    view(op, name).await
}

/// Trusts an agent less: a new revision of its charter that says nothing else than before. More trust is a change of the charter, or
/// a promotion where it is earned.
///
/// # Errors
/// When the operator may not, nobody has that name, it was decommissioned, or it would be trusted no less.
pub async fn demote(op: &Op, name: &Name, wanted: &Demote) -> Result<AgentView, ControlError> {
    let authorised = op.authorize_on(Action::AgentDemote, name)?;
    authorised
        .change(&[key(name)], &wanted.reason, |seen| {
            let agent = find(seen.directory, name)?;
            if agent.status == AgentStatus::Decommissioned {
                return Err(ControlError::refused(format!(
                    "{name} was decommissioned: nothing is left to trust"
                )));
            }
            if wanted.autonomy >= agent.charter.autonomy {
                return Err(ControlError::refused(format!(
                    "{name} is trusted as `{}` already",
                    agent.charter.autonomy
                ))
                .because("this only takes trust away")
                .cure("provost agent promote, or change its charter, to trust it further"));
            }
            let rules = crate::autonomy::rules(seen.directory);
            let row = provost_lifecycle::autonomy::demoted(&rules, agent, wanted.autonomy, op.plane.now());
            let row = row.unwrap_or_else(|| agent.clone());
            let what = format!("{name} demoted to {}", wanted.autonomy);
            Ok(Change { drafts: vec![Draft::Put(Object::Agent(row))], what, answer: () })
        })
        .await?;
    view(op, name).await
}

/// The move a word names: `suspend`, `resume` and so on.
///
/// # Errors
/// When it names none that a person makes.
pub fn move_named(word: &str) -> Result<Move, ControlError> {
    let by_people = Move::ALL.into_iter().filter(|wanted| *wanted != Move::ManifestChanged);
    by_people.clone().find(|wanted| wanted.as_str() == word).ok_or_else(|| {
        let words: Vec<&str> = by_people.map(Move::as_str).collect();
        ControlError::unknown("move", word).cure(format!("use one of {}", words.join(", ")))
    })
}

/// Every running task of an agent, ended: what goes with its decommissioning (REQUIREMENTS.md B6).
pub(crate) fn ended_tasks(directory: &Directory, agent: &Name) -> Vec<Draft> {
    let tasks = directory.tasks.values().filter(|task| task.agent == *agent);
    tasks.map(|task| Draft::Put(Object::Task(provost_lifecycle::task::end(task)))).collect()
}

async fn view(op: &Op, name: &Name) -> Result<AgentView, ControlError> {
    let plane = &op.plane;
    let key = key(name);
    let version = plane.store.version(&key).await?;
    let history = plane.store.history(&key, HISTORY_MAX).await?;
    let view = plane.replica.latest();
    let agent = find(&view.directory, name)?;
    Ok(AgentView {
        summary: summary(agent),
        id: agent.id.to_string(),
        version,
        words: words::charter(agent, plane.now()),
        moves: by_hand(agent.status),
        loosening: agent.loosening.as_deref().map(loosening).or_else(|| instead(agent, &view.directory)),
        declared: Some(agent.declared()).filter(|declared| *declared != agent.charter.autonomy),
        promotable: agent.status == AgentStatus::Active
            && crate::autonomy::rules(&view.directory).graduated
            && provost_lifecycle::autonomy::next(agent).is_some(),
        bound: bound(Links::of(plane), &agent.charter, &view.directory),
        tasks: tasks(&view.directory, name, plane.now()),
        proofs: agent.proofs.iter().map(crate::proof::view).collect(),
        made_of: crate::bill::parts(agent),
        upkeep: upkeep(agent, &view.directory),
        history: diff::history(history),
        created_by: agent.provenance.created_by.to_string(),
        created_at: agent.provenance.created_at.into(),
        source: agent.provenance.source.to_string(),
        revised: diff::revision(agent),
        charter: agent.charter.clone(),
    })
}

fn loosening(asked: &Loosening) -> LooseningView {
    LooseningView {
        to: asked.to,
        by: asked.by.to_string(),
        at: asked.at.into(),
        until: asked.at.plus(ASKED_FOR).into(),
        order: None,
    }
}

/// An order about this agent alone that somebody asked to be lifted stands where its own level did.
fn instead(agent: &Agent, directory: &Directory) -> Option<LooseningView> {
    let only = Scope { agent: Some(agent.name.clone()), ..Scope::default() };
    let mut about = directory.containments.about(agent, directory.organisation.as_deref());
    about.find_map(|order| match &order.status {
        ContainmentStatus::LiftAsked { by, at, .. }
            if order.level == Restraint::Off && order.scope == only =>
        {
            let asked = Loosening { to: agent.level, by: by.clone(), at: *at };
            Some(LooseningView { order: Some(order.id.clone()), ..loosening(&asked) })
        }
        _ => None,
    })
}

/// What its life asks of people now.
fn upkeep(agent: &Agent, directory: &Directory) -> UpkeepView {
    let life = agent.life.as_deref();
    let attested = life.and_then(|life| life.attested.as_ref());
    let grace = provost_lifecycle::upkeep::rules(directory).grace;
    let until = life.and_then(|life| life.asked).map(|asked| asked.plus(grace));
    UpkeepView {
        attested: attested.map(|attested| attested.at.into()),
        attested_by: attested.map(|attested| attested.by.to_string()),
        attest_until: until.map(Into::into),
        heir: life.and_then(|life| life.heir.as_ref()).map(|heir| heir.person.clone()),
        expires: agent.charter.retirement.expires.map(Into::into),
    }
}

fn by_hand(status: AgentStatus) -> Vec<String> {
    let moves = moves(status).filter(|wanted| *wanted != Move::ManifestChanged);
    moves.map(|wanted| wanted.as_str().to_owned()).collect()
}

fn tasks(directory: &Directory, agent: &Name, now: provost_domain::Timestamp) -> Vec<TaskSummary> {
    let tasks = directory.tasks.values().filter(|task| task.agent == *agent && task.is_live(now));
    let mut tasks: Vec<&Arc<provost_domain::Task>> = tasks.collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.id));
    tasks.into_iter().take(TASKS_MAX).map(|task| task::summary(task, now)).collect()
}

fn summary(agent: &Agent) -> AgentSummary {
    AgentSummary {
        name: agent.name.clone(),
        status: agent.status,
        level: agent.level,
        owner: agent.charter.owner.clone(),
        environment: agent.charter.environment,
        autonomy: agent.charter.autonomy,
        revision: agent.revision,
        purpose: agent.charter.purpose.to_string(),
        systems: agent.charter.systems().into_iter().cloned().collect(),
    }
}

fn find<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Agent, ControlError> {
    let agent = directory.agents.get(name).map(AsRef::as_ref);
    agent.ok_or_else(|| ControlError::unknown("agent", name.as_str()))
}

fn key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Agent, name.as_str())
}

/// The file that says the same as this JSON, so that both are read by one reader.
fn file(name: &Name, agent: Map<String, Value>) -> Result<SourceFile, ControlError> {
    let document = Map::from_iter([(
        "agent".to_owned(),
        Value::Object(Map::from_iter([(name.to_string(), Value::Object(agent))])),
    )]);
    let text = toml::to_string(&document).map_err(|error| {
        ControlError::caller("`agent` has a value that no charter can have")
            .because(error.to_string())
            .cure("leave out what is `null`")
    })?;
    Ok(SourceFile::new(REQUEST_FILE, text))
}

/// Lines of the file made from a request mean nothing to who sent it.
fn without_lines(mut error: ControlError) -> ControlError {
    if let ControlError::Caller(text) = &mut error {
        for fault in &mut text.faults {
            fault.file = None;
            (fault.line, fault.column, fault.width) = (None, None, None);
        }
    }
    error
}

impl From<MoveError> for ControlError {
    fn from(error: MoveError) -> Self {
        Self::refused(error.to_string())
    }
}

const REQUEST_FILE: &str = "request.toml";
const HISTORY_MAX: usize = 100;
const TASKS_MAX: usize = 100;
