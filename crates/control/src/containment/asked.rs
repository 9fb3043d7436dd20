//! What a request is about, and who may order that.

use crate::{ControlError, Op, Operator};
use provost_api::containment::ContainmentOrder;
use provost_domain::{
    Containment, Directory, Name, Restraint, Role,
    containment::{Scope, Who},
};

/// What a request is about.
pub(super) fn scope(wanted: &ContainmentOrder) -> Result<Scope, ControlError> {
    let given = Scope {
        agent: wanted.agent.clone(),
        owner: wanted.owner.clone(),
        group: wanted.group.clone(),
        like: wanted.like.clone(),
        model: wanted.model.clone(),
        environment: wanted.environment,
        system: wanted.system.clone(),
        tool: wanted.tool.clone(),
    };
    if given.is_everything() != wanted.everything {
        return Err(ControlError::caller(
            "say what is to be stopped: something in particular, or everything",
        )
        .cure(
            "name an agent, owner, group, pattern, model, environment, system or tool; or say `everything`",
        ));
    }
    if given.tool.is_some() && given.system.is_none() {
        return Err(ControlError::caller("a tool belongs to a system").cure("name the system too"));
    }
    let texts = given.like.iter().chain(&given.model);
    if texts.clone().any(|text| text.trim().is_empty() || text.len() > PATTERN_BYTES_MAX) {
        return Err(ControlError::caller("a pattern is empty or too long")
            .cure(format!("write 1 to {PATTERN_BYTES_MAX} bytes, such as invoice-*")));
    }
    Ok(given)
}

pub(super) fn level(wanted: &ContainmentOrder) -> Result<Restraint, ControlError> {
    let effects = wanted.effects.iter().copied().collect::<std::collections::BTreeSet<_>>();
    let word = wanted.level.as_deref().unwrap_or(if effects.is_empty() { "off" } else { "without" });
    let level = match word {
        "observe" => Restraint::Observe,
        "approvals-only" => Restraint::ApprovalsOnly,
        "read-only" => Restraint::ReadOnly,
        "off" => Restraint::Off,
        "without" if effects.is_empty() => {
            return Err(ControlError::caller("say which effects are withheld").cure("name them in `effects`"));
        }
        "without" => return Ok(Restraint::Without { effects }),
        other => {
            return Err(ControlError::caller(format!("`{}` is no level", other.escape_debug()))
                .cure("use observe, without, approvals-only, read-only or off"));
        }
    };
    if effects.is_empty() {
        return Ok(level);
    }
    Err(ControlError::caller("effects go with level `without` only")
        .cure("leave out `effects`, or say `without`"))
}

/// A name that nobody has stops nobody: better to say so while there is time to look again.
pub(super) fn check_known(
    scope: &Scope,
    by: Option<&Name>,
    directory: &Directory,
) -> Result<(), ControlError> {
    let unknown = |what: &str, name: &str| Err(ControlError::unknown(what, name));
    check_person(by, directory)?;
    if let Some(agent) = scope.agent.as_ref().filter(|name| !directory.agents.contains_key(*name)) {
        return unknown("agent", agent.as_str());
    }
    if let Some(owner) = scope.owner.as_ref().filter(|name| !directory.people.contains_key(*name)) {
        return unknown("person", owner.as_str());
    }
    let groups = directory.organisation.as_deref().map(|all| &all.groups);
    if let Some(group) = &scope.group
        && !groups.is_some_and(|groups| groups.contains_key(group))
    {
        return unknown("group", group.as_str());
    }
    let Some(system) = &scope.system else { return Ok(()) };
    if !directory.systems.contains_key(system) {
        return unknown("system", system.as_str());
    }
    match &scope.tool {
        Some(tool) if provost_policy::find_tool(directory, system, tool).is_none() => {
            unknown("tool", &format!("{system}/{tool}"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_person(person: Option<&Name>, directory: &Directory) -> Result<(), ControlError> {
    let Some(person) = person else { return Ok(()) };
    match directory.people.get(person) {
        Some(row) if row.active => Ok(()),
        _ => Err(ControlError::unknown("person", person.as_str())),
    }
}

/// Any operator stops anything; an owner, or a deputy, stops their own agents.
pub(super) fn check_say(op: &Op, scope: &Scope, directory: &Directory) -> Result<(), ControlError> {
    let Operator::Person(person, roles) = &op.subject else { return Ok(()) };
    let operates = roles.contains(&Role::Operator) || roles.contains(&Role::Administrator);
    if operates || is_own(person, scope, directory) {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} answers for none or not all of what this is about"))
        .because("operators stop anything; an owner stops their own agents")
        .cure("name one of your agents, or ask an operator"))
}

fn is_own(person: &Name, scope: &Scope, directory: &Directory) -> bool {
    let answers = |agent: &Name| {
        directory
            .agents
            .get(agent)
            .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person))
    };
    scope.owner.as_ref() == Some(person) || scope.agent.as_ref().is_some_and(answers)
}

/// People see what their roles show them, and what is about their own agents.
pub(super) fn may_see(op: &Op, row: &Containment, directory: &Directory) -> bool {
    let Operator::Person(person, roles) = &op.subject else { return true };
    !roles.is_empty()
        || row.by.person.as_ref() == Some(person)
        || is_own(person, &row.scope, directory)
        || directory.agents.values().any(|agent| {
            agent.charter.owner == *person && row.scope.has_agent(agent, directory.organisation.as_deref())
        })
}

/// Who acts, and how the plane knows.
pub(crate) fn who(op: &Op, person: Option<Name>) -> Result<Who, ControlError> {
    let (person, shown_by) = match (&op.subject, person) {
        (Operator::Person(signed_in, _), None) => {
            (Some(signed_in.clone()), format!("{signed_in}, signed in"))
        }
        (Operator::Person(signed_in, _), Some(named)) if named == *signed_in => {
            (Some(named), format!("{signed_in}, signed in"))
        }
        (Operator::LocalAdministrator, Some(person)) => {
            let shown_by = format!("local administrator for {person}");
            (Some(person), shown_by)
        }
        (subject @ (Operator::LocalAdministrator | Operator::Plane), None) => (None, subject.to_string()),
        (other, _) => return Err(ControlError::refused(format!("{other} speaks in nobody's name"))),
    };
    Ok(Who { person, shown_by })
}

const PATTERN_BYTES_MAX: usize = 128;
