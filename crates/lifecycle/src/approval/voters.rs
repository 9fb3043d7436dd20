//! Who may answer an approval: the rules are `crate::voters`; here is who is asked, and who asked.

use crate::voters::{Asked, Gate, Standing, group, group_gate, owner_gate, person};
use provost_domain::{Approval, Directory, Name, Task, TaskId, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How a person stands to an approval at `now`.
#[must_use]
pub fn standing(approval: &Approval, directory: &Directory, person: &Name, now: Timestamp) -> Standing {
    asked(approval, directory, now).standing(directory, person, now)
}

/// Everybody whose yes would count for a gate now, in order.
#[must_use]
pub fn approvers(approval: &Approval, directory: &Directory, gate: &str, now: Timestamp) -> Vec<Name> {
    asked(approval, directory, now).approvers(directory, gate, now)
}

/// How many must say yes to this gate.
#[must_use]
pub fn needs(directory: &Directory, gate: &str) -> u32 {
    group_gate(directory, gate).needs
}

/// The people who asked for a task or for one above it. The owner of an agent stands as the requester of a run that nobody
/// in particular asked for, and has asked for it only if they signed in and agreed to it.
#[must_use]
pub fn askers(directory: &Directory, task: TaskId) -> BTreeSet<Name> {
    let asked = |task: &&Arc<Task>| {
        let owner = directory.agents.get(&task.agent).map(|agent| &agent.charter.owner);
        task.for_person || owner != Some(&task.requester)
    };
    chain(directory, task).filter(asked).map(|task| task.requester.clone()).collect()
}

/// A task and those above it, as far as they are known.
pub(super) fn chain(directory: &Directory, task: TaskId) -> impl Iterator<Item = &Arc<Task>> {
    let above = |task: &&Arc<Task>| directory.tasks.get(&task.parent?);
    std::iter::successors(directory.tasks.get(&task), above).take(CHAIN_MAX)
}

/// Those of the row, and those the directory knows now.
pub(super) fn all_askers(approval: &Approval, directory: &Directory) -> BTreeSet<Name> {
    let mut all = askers(directory, approval.task);
    all.extend(approval.askers.iter().cloned());
    all
}

/// What an approval asks of people.
pub(super) fn asked<'a>(approval: &'a Approval, directory: &Directory, now: Timestamp) -> Asked<'a> {
    let gates = approval.gates.iter().map(|word| (word.clone(), gate(approval, directory, word, now)));
    let why = |name: Name| {
        let why = format!(
            "{name} asked for this task, or for one above it, and nobody approves what they asked for"
        );
        (name, why)
    };
    Asked {
        gates: gates.collect(),
        votes: &approval.votes,
        barred: all_askers(approval, directory).into_iter().map(why).collect::<BTreeMap<_, _>>(),
    }
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

fn gate(approval: &Approval, directory: &Directory, word: &str, now: Timestamp) -> Gate {
    if word != OWNER || directory.organisation.as_ref().is_some_and(|row| row.groups.contains_key(word)) {
        return group_gate(directory, word);
    }
    let Some(agent) = directory.agents.get(&approval.agent) else {
        let otherwise = format!("cannot answer: {} is not an agent any more", approval.agent);
        return Gate { needs: 1, otherwise, ..Gate::default() };
    };
    let charter = &agent.charter;
    owner_gate(directory, &agent.name, (&charter.owner, &charter.deputies), approval.asked, now)
}

/// What a gate calls the owner of the agent.
const OWNER: &str = "owner";
const CHAIN_MAX: usize = 16;
