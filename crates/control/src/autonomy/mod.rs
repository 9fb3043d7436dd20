//! Trust that is earned: where an agent stands, its promotion on evidence and its owner's word, and its demotion by an incident.
//!
//! ```text
//! promote: every gate met by what is on record ─▶ the owner's word, and whoever agrees to changes there ─▶ a new revision
//! incident: a grave finding about it, an order that names it ─▶ probation, at once, by the plane (follow.rs)
//! ```

mod evidence;
mod follow;

pub use follow::{follow, once};

use crate::{
    Action, ControlError, Op,
    change::Draft,
    plan::{Author, Outcome, make_rows},
    reason::reason,
};
use provost_api::{
    agent::AgentView,
    autonomy::{GateView, Promote, StandingView},
};
use provost_domain::{
    Agent, AgentStatus, Directory, Name, Object, autonomy::AutonomyRules, organisation::Agree,
};
use provost_lifecycle::autonomy::{self as life, Judged};

/// How far an agent is trusted, and each gate before the next grade, with the figures.
///
/// # Errors
/// When the operator may not, nobody has that name, or the store fails.
pub async fn standing(op: &Op, name: &Name) -> Result<StandingView, ControlError> {
    op.authorize_on(Action::AgentRead, name)?;
    let view = op.plane.replica.latest();
    let agent = find(&view.directory, name)?;
    let rules = rules(&view.directory);
    let (evidence, read) = evidence::of(op, agent).await?;
    let next = life::next(agent).filter(|_| rules.graduated);
    let gates = next.and_then(|next| rules.before(next));
    let gates: Vec<Judged> =
        gates.map(|gates| life::judge(gates, &evidence, op.plane.now())).unwrap_or_default();
    Ok(StandingView {
        agent: name.clone(),
        autonomy: agent.charter.autonomy,
        declared: agent.declared(),
        since: agent.graded().into(),
        graduated: rules.graduated,
        next,
        ready: next.is_some() && gates.iter().all(|gate| gate.met),
        gates: gates.into_iter().map(shown).collect(),
        decisions: read.decisions,
        whole: read.whole,
    })
}

/// Trusts an agent a grade further, or proposes it to those who must agree. What it was judged on is read before; the row it is
/// written on is the one that was judged, so an incident in between makes it a conflict and not a promotion.
///
/// # Errors
/// When the operator may not, trust is not earned here, a gate is not met, or nobody answers for the agent with their word.
pub async fn promote(op: &Op, name: &Name, wanted: Promote) -> Result<Outcome<AgentView>, ControlError> {
    let authorised = op.authorize_on(Action::AgentPromote, name)?;
    let why = reason(&wanted.reason)?.to_owned();
    let author = Author::of(op, wanted.person, false)?;
    op.plane.replica.catch_up().await?;
    let judged = find(&op.plane.replica.latest().directory, name)?.clone();
    let standing = standing(op, name).await?;
    refuse_unearned(&standing)?;
    let now = op.plane.now();
    let what = format!("{name} promoted to {}", standing.next.map_or("", |next| next.as_str()));
    let made = make_rows(&authorised, &author, (&what, &why), |directory| {
        let agent = find(directory, name)?;
        if *agent != judged {
            return Err(ControlError::conflict(format!("{name} changed while it was judged"))
                .cure("look at it again, then decide again"));
        }
        if agent.status != AgentStatus::Active {
            return Err(ControlError::refused(format!(
                "{name} is {}, and only an active agent is promoted",
                agent.status
            )));
        }
        check_word(directory, agent, &author)?;
        let promoted = life::promoted(agent, now);
        let text = |row: &Agent| {
            format!("is trusted as {} instead of {}", row.charter.autonomy, agent.charter.autonomy)
        };
        Ok(promoted.map(|row| (Draft::Put(Object::Agent(row.clone())), text(&row))).into_iter().collect())
    });
    made.await?.outcome(op, async || crate::agent::show(op, name).await).await
}

/// How trust is come by in an organisation.
#[must_use]
pub fn rules(directory: &Directory) -> AutonomyRules {
    directory.organisation.as_ref().map(|row| row.autonomy).unwrap_or_default()
}

fn refuse_unearned(standing: &StandingView) -> Result<(), ControlError> {
    let StandingView { agent, autonomy, declared, .. } = standing;
    if !standing.graduated {
        return Err(ControlError::refused("trust is not earned in this organisation: charters declare it")
            .cure("write autonomy = \"graduated\" under [organisation], or change its charter"));
    }
    if standing.next.is_none() {
        return Err(ControlError::refused(format!(
            "{agent} is trusted as `{autonomy}`, and its charter declares `{declared}`"
        ))
        .because("an agent is promoted as far as its charter says, and no further")
        .cure("change its charter first; that is agreed to like any other change"));
    }
    let unmet: Vec<String> = standing
        .gates
        .iter()
        .filter(|gate| !gate.met)
        .map(|gate| format!("{}: {} (found: {})", gate.gate, gate.asked, gate.found))
        .collect();
    if unmet.is_empty() {
        return Ok(());
    }
    Err(ControlError::refused(format!("{agent} has not earned it yet: {}", unmet.join("; ")))
        .cure("wait until every gate is met: provost agent promote NAME shows them"))
}

/// Where changes ask the owner anyway, the proposal does; elsewhere it is the owner, or a deputy, who says it.
fn check_word(directory: &Directory, agent: &Agent, author: &Author) -> Result<(), ControlError> {
    let asks_owner =
        provost_lifecycle::proposal::rules(directory).of(agent.charter.environment).contains(&Agree::Owner);
    let charter = &agent.charter;
    let answers = |person: &Name| charter.owner == *person || charter.deputies.contains(person);
    if asks_owner || author.person().is_some_and(answers) {
        return Ok(());
    }
    Err(ControlError::refused(format!("{} is promoted on the word of who answers for it", agent.name))
        .because("in this environment nobody else is asked about the change")
        .cure(format!("let {} say it, or pass their word on: --as {}", charter.owner, charter.owner)))
}

fn shown(gate: Judged) -> GateView {
    GateView { gate: gate.gate.to_owned(), met: gate.met, asked: gate.asked, found: gate.found }
}

fn find<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Agent, ControlError> {
    let agent = directory.agents.get(name).map(AsRef::as_ref);
    agent.ok_or_else(|| ControlError::unknown("agent", name.as_str()))
}
