//! Who must agree to a change: decided on what the rows and the rules are before it, never on what it makes of them.

use crate::{narrower::gains_nothing, proposal::rules};
use provost_domain::{
    AgentStatus, Charter, Directory, Environment, Kind, Name, Object, ObjectKey, Proposal,
    organisation::Agree,
    proposal::{Asks, ChangeGate},
};
use std::collections::{BTreeMap, BTreeSet};

/// A row as it is to stand, or to go.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Which row.
    pub key: &'a ObjectKey,
    /// The row; nothing, if it is to go.
    pub after: Option<&'a Object>,
}

/// Who must agree to these rows, besides the author; nobody, if none of them gains anything, or the rules ask nobody.
#[must_use]
pub fn gates(
    directory: &Directory,
    changes: &[Made<'_>],
    author: Option<&Name>,
) -> BTreeMap<String, ChangeGate> {
    let mut asking = Asking { directory, changes, author, gates: BTreeMap::new() };
    let gaining = changes.iter().filter(|made| !gains_nothing(directory.get(made.key).as_ref(), made.after));
    for made in gaining {
        asking.row(*made);
    }
    asking.gates
}

/// The charter whose owner is asked: the one in force; of an agent that is new, the one it is to have.
pub(super) fn charter_now(proposal: &Proposal, directory: &Directory, agent: &Name) -> Option<Charter> {
    let proposed = || {
        proposal.writes.iter().find_map(|write| match write.after() {
            Some(Object::Agent(row)) if row.name == *agent => Some(row.charter.clone()),
            _ => None,
        })
    };
    directory.agents.get(agent).map(|row| row.charter.clone()).or_else(proposed)
}

struct Asking<'a> {
    directory: &'a Directory,
    changes: &'a [Made<'a>],
    author: Option<&'a Name>,
    gates: BTreeMap<String, ChangeGate>,
}

impl Asking<'_> {
    fn row(&mut self, made: Made<'_>) {
        let before = self.directory.get(made.key);
        match (before.as_ref(), made.after) {
            (before, Some(Object::Agent(after))) => {
                let was = match before {
                    Some(Object::Agent(row)) => Some(&row.charter),
                    _ => None,
                };
                self.agent((made.key, &after.name), was, &after.charter);
            }
            // Its end is the end of what it may do, and is asked of nobody.
            (Some(Object::Agent(_)), None) => {}
            (Some(Object::System(row)), after) => {
                self.everywhere(made.key, &[Some(row.environment), environment(after)]);
            }
            (None, Some(Object::System(row))) => self.everywhere(made.key, &[Some(row.environment)]),
            (Some(Object::Tool(row)), _) | (None, Some(Object::Tool(row))) => {
                let system = row.system.clone();
                let now = self.directory.systems.get(&system).map(|row| row.environment);
                let key = ObjectKey::new(Kind::System, system.as_str());
                let then = self.changes.iter().find(|made| *made.key == key);
                self.everywhere(made.key, &[now, then.and_then(|made| environment(made.after))]);
            }
            (Some(row), _) | (None, Some(row)) if is_declared(row) => {
                let rules = rules(self.directory);
                let asked = if self.matters() { &rules.rules } else { &rules.sandbox };
                self.ask(made.key, asked);
            }
            _ => {}
        }
    }

    /// Both environments are asked when it moves from one to another: what was good in the sandbox says nothing elsewhere.
    fn agent(&mut self, (key, name): (&ObjectKey, &Name), was: Option<&Charter>, is: &Charter) {
        let rules = rules(self.directory);
        let environments: BTreeSet<Environment> =
            was.map(|was| was.environment).into_iter().chain([is.environment]).collect();
        let words: BTreeSet<Agree> =
            environments.iter().flat_map(|environment| rules.of(*environment)).cloned().collect();
        self.ask(key, &words);
        if !words.contains(&Agree::Owner) {
            return;
        }
        // Their own word is what a proposal is: the other of the two agrees to it.
        let moves = was.is_some_and(|was| was.owner != is.owner);
        let by_owner = was.is_some_and(|was| self.author == Some(&was.owner));
        if moves && self.author != Some(&is.owner) {
            self.gate(key, Asks::NewOwner { agent: name.clone(), person: is.owner.clone() });
            if by_owner {
                return;
            }
        }
        self.gate(key, Asks::Owner { agent: name.clone() });
    }

    /// Systems and their tools have no owner: the groups that are named for their environments are asked, or else those who
    /// are asked about what holds everywhere.
    fn everywhere(&mut self, key: &ObjectKey, environments: &[Option<Environment>]) {
        let rules = rules(self.directory);
        for environment in environments.iter().flatten() {
            let words = rules.of(*environment);
            let others: BTreeSet<Agree> =
                words.iter().filter(|word| **word != Agree::Owner).cloned().collect();
            match (words.is_empty(), others.is_empty()) {
                (true, _) => {}
                (false, false) => self.ask(key, &others),
                (false, true) => self.ask(key, &rules.rules),
            }
        }
    }

    fn ask(&mut self, key: &ObjectKey, words: &BTreeSet<Agree>) {
        for word in words {
            match word {
                Agree::Owner => {}
                Agree::Administrators => self.gate(key, Asks::Administrators),
                Agree::Group(group) => self.gate(key, Asks::Group { group: group.clone() }),
            }
        }
    }

    fn gate(&mut self, key: &ObjectKey, asks: Asks) {
        let gate = self.gates.entry(asks.gate()).or_insert(ChangeGate { asks, rows: Vec::new() });
        if !gate.rows.contains(key) {
            gate.rows.push(key.clone());
        }
    }

    /// Whether there is anything to protect: somebody has a role, or something stands outside the sandbox, now or with this
    /// change. An agent counts for as long as its row is there, which is for ever.
    fn matters(&self) -> bool {
        let directory = self.directory;
        let held = directory.agents.values().any(|row| row.charter.environment != Environment::Sandbox)
            || directory.systems.values().any(|row| row.environment != Environment::Sandbox)
            || directory.people.values().any(|row| !row.roles.is_empty())
            || directory.issuers.values().any(|row| makes_roles(row))
            || directory.connectors.values().any(|row| gives_roles(row));
        held || self.changes.iter().any(|made| match made.after {
            Some(Object::Agent(row)) => {
                row.charter.environment != Environment::Sandbox && row.status != AgentStatus::Decommissioned
            }
            Some(Object::System(row)) => row.environment != Environment::Sandbox,
            Some(Object::Person(row)) => !row.roles.is_empty(),
            Some(Object::Issuer(row)) => makes_roles(row),
            Some(Object::Connector(row)) => gives_roles(row),
            _ => false,
        })
    }
}

fn makes_roles(row: &provost_domain::Issuer) -> bool {
    row.people.as_ref().is_some_and(|people| !people.roles.is_empty())
}

fn gives_roles(row: &provost_domain::Connector) -> bool {
    row.groups.values().any(|gives| !gives.roles.is_empty())
}

fn environment(row: Option<&Object>) -> Option<Environment> {
    match row {
        Some(Object::System(row)) => Some(row.environment),
        _ => None,
    }
}

/// Rows that files declare and that belong to no environment; and what makes somebody who they are.
pub(super) fn is_declared(row: &Object) -> bool {
    matches!(
        row,
        Object::Organisation(_)
            | Object::Person(_)
            | Object::Invite(_)
            | Object::Workload(_)
            | Object::Policy(_)
            | Object::Application(_)
            | Object::Issuer(_)
            | Object::Channel(_)
            | Object::Connector(_)
    )
}
