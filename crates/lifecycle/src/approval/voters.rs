//! Who may answer an approval, and why somebody else may not, in words.

use provost_domain::{Approval, Directory, Name, Person, TaskId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How one person stands to one approval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The gates this person's yes counts for, each with whom the person would stand in for.
    pub gates: BTreeMap<String, Option<Name>>,
    /// The gates it does not count for, each with why.
    pub not: BTreeMap<String, String>,
}

impl Standing {
    /// Whom the person would stand in for.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<Name> {
        self.gates.values().flatten().next().cloned()
    }

    /// Why the person may not, in one sentence.
    #[must_use]
    pub fn why_not(&self) -> String {
        let all: BTreeSet<&str> = self.not.values().map(String::as_str).collect();
        all.into_iter().collect::<Vec<_>>().join("; ")
    }
}

/// How a person stands to an approval at `now`.
#[must_use]
pub fn standing(approval: &Approval, directory: &Directory, person: &Name, now: Timestamp) -> Standing {
    let mut stands = Standing::default();
    let never = never(approval, directory, person);
    for gate in &approval.gates {
        let answer = match &never {
            Some(why) => Err(why.clone()),
            None => may_open(approval, directory, gate, person, now),
        };
        match answer {
            Ok(for_whom) => drop(stands.gates.insert(gate.clone(), for_whom)),
            Err(why) => drop(stands.not.insert(gate.clone(), why)),
        }
    }
    stands
}

/// Everybody whose yes would count for a gate now, in order.
#[must_use]
pub fn approvers(approval: &Approval, directory: &Directory, gate: &str, now: Timestamp) -> Vec<Name> {
    let named: BTreeSet<Name> = match group(directory, gate) {
        Some(group) => group.members.clone(),
        None if gate == OWNER => owners(approval, directory, now).into_keys().collect(),
        None => return Vec::new(),
    };
    let stand_ins = named.iter().filter_map(|name| away(directory, name, now)).cloned();
    let all: BTreeSet<Name> = named.iter().cloned().chain(stand_ins).collect();
    let may = |person: &Name| {
        never(approval, directory, person).is_none()
            && may_open(approval, directory, gate, person, now).is_ok()
    };
    all.into_iter().filter(may).collect()
}

/// How many must say yes to this gate.
#[must_use]
pub fn needs(directory: &Directory, gate: &str) -> u32 {
    group(directory, gate).map_or(1, |group| group.needs.max(1))
}

/// The people who asked for a task or for one above it. The owner of an agent stands as the requester of a run that nobody
/// in particular asked for, and has asked for it only if they signed in and agreed to it.
#[must_use]
pub fn askers(directory: &Directory, task: TaskId) -> BTreeSet<Name> {
    let (mut askers, mut next) = (BTreeSet::new(), Some(task));
    for _level in 0..CHAIN_MAX {
        let Some(task) = next.and_then(|id| directory.tasks.get(&id)) else { break };
        let owner = directory.agents.get(&task.agent).map(|agent| &agent.charter.owner);
        if task.for_person || owner != Some(&task.requester) {
            askers.insert(task.requester.clone());
        }
        next = task.parent;
    }
    askers
}

/// Those of the row, and those the directory knows now.
pub(super) fn all_askers(approval: &Approval, directory: &Directory) -> BTreeSet<Name> {
    let mut all = askers(directory, approval.task);
    all.extend(approval.askers.iter().cloned());
    all
}

/// Why a person may open no gate of this approval, if so.
fn never(approval: &Approval, directory: &Directory, person: &Name) -> Option<String> {
    let row = directory.people.get(person);
    if row.is_none_or(|row| !row.active) {
        return Some(format!("{person} is nobody who is here"));
    }
    all_askers(approval, directory).contains(person).then(|| {
        format!("{person} asked for this task, or for one above it, and nobody approves what they asked for")
    })
}

/// For whom the person would answer, if not in their own name.
fn may_open(
    approval: &Approval,
    directory: &Directory,
    gate: &str,
    person: &Name,
    now: Timestamp,
) -> Result<Option<Name>, String> {
    let mut entitled: BTreeMap<Name, String> = match group(directory, gate) {
        Some(group) => {
            group.members.iter().map(|name| (name.clone(), format!("a member of {gate}"))).collect()
        }
        None if gate == OWNER => owners(approval, directory, now),
        None => return Err(format!("no group {gate} is declared, so nobody can answer for it")),
    };
    let asked = all_askers(approval, directory);
    entitled.retain(|name, _why| !asked.contains(name));
    let for_whom = if entitled.contains_key(person) {
        None
    } else {
        let absent = entitled.keys().find(|name| away(directory, name, now) == Some(person));
        let absent = absent.ok_or_else(|| refused(approval, directory, gate, person))?;
        Some(absent.clone())
    };
    let principal = for_whom.as_ref().unwrap_or(person);
    let counted = approval.votes.iter().filter(|vote| vote.yes && vote.gates.contains(gate)).any(|vote| {
        vote.person == *person || vote.on_behalf_of.as_ref().unwrap_or(&vote.person) == principal
    });
    if counted {
        return Err(format!("{principal} has said yes for {gate} already"));
    }
    Ok(for_whom)
}

/// Those who may answer as the owner, each with why.
fn owners(approval: &Approval, directory: &Directory, now: Timestamp) -> BTreeMap<Name, String> {
    let Some(agent) = directory.agents.get(&approval.agent) else { return BTreeMap::new() };
    let owner = &agent.charter.owner;
    let rules = super::rules(directory);
    let here = person(directory, owner).is_some_and(|row| row.active);
    let is_away = !here || away(directory, owner, now).is_some();
    let mut may = BTreeMap::from([(owner.clone(), "the owner".to_owned())]);
    if is_away || !rules.deputies_only_while_away {
        may.extend(agent.charter.deputies.iter().map(|name| (name.clone(), "a deputy".to_owned())));
    }
    let waited = rules.escalate_after.is_some_and(|after| now.since(approval.asked) >= after);
    if (waited || !here)
        && let Some(manager) = person(directory, owner).and_then(|row| row.manager.clone())
    {
        may.insert(manager, format!("the manager of {owner}"));
    }
    may
}

/// Whether a person is among those a gate may be opened by at some time: what stays true of a yes that was given.
pub(super) fn could_open(directory: &Directory, agent: &Name, gate: &str, who: &Name) -> bool {
    if let Some(group) = group(directory, gate) {
        return group.members.contains(who);
    }
    let Some(agent) = directory.agents.get(agent).filter(|_agent| gate == OWNER) else { return false };
    let charter = &agent.charter;
    let manager = person(directory, &charter.owner).and_then(|row| row.manager.as_ref());
    charter.owner == *who || charter.deputies.contains(who) || manager == Some(who)
}

fn refused(approval: &Approval, directory: &Directory, gate: &str, person: &Name) -> String {
    if gate != OWNER {
        return format!("{person} is not a member of {gate}");
    }
    let Some(agent) = directory.agents.get(&approval.agent) else {
        return format!("{} is not an agent any more", approval.agent);
    };
    if agent.charter.deputies.contains(person) {
        return format!("{person} is a deputy, and deputies answer only while the owner is away");
    }
    format!("{person} is neither the owner ({}) of {} nor a deputy", agent.charter.owner, approval.agent)
}

/// Who stands in for somebody who is away.
fn away<'d>(directory: &'d Directory, name: &Name, now: Timestamp) -> Option<&'d Name> {
    person(directory, name)?.away.as_ref().filter(|away| now < away.until).map(|away| &away.to)
}

fn person<'d>(directory: &'d Directory, name: &Name) -> Option<&'d Person> {
    directory.people.get(name).map(AsRef::as_ref)
}

fn group<'d>(directory: &'d Directory, gate: &str) -> Option<&'d provost_domain::organisation::Group> {
    directory.organisation.as_ref()?.groups.get(gate)
}

/// What a gate calls the owner of the agent.
const OWNER: &str = "owner";
const CHAIN_MAX: usize = 16;
