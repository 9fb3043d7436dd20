//! The plan: what has to change for a plane to be what the files declare, step by step and in words.
//!
//! Files add and change; they remove only tools of a system they declare, since a system's file is the whole of it.
//! Anything else the plane holds and the files do not have is left alone, or, when asked to prune, removed; an agent
//! is never removed but decommissioned. Files stop an agent and never start a stopped one.

mod autonomy;
mod changes;
mod channel;
mod charter;
mod connector;
mod issuer;
mod lifecycle;
mod render;
mod review;
mod words;

pub use charter::rule_words;
pub use render::render;

use crate::{Declared, DeclaredAgent, Fault, Severity};
use provost_domain::{
    Agent, AgentStatus, Directory, Kind, Level, Name, Object, ObjectKey, Person, Timestamp,
    agent::Provenance, ids::AgentId, person::Login,
};
use provost_lifecycle::access_review;
use serde::Serialize;
use std::collections::BTreeSet;

/// What a plan is made against.
#[derive(Clone, Copy)]
pub struct Planning<'a> {
    /// What the plane holds.
    pub current: &'a Directory,
    /// The version each row stands at; 0 for a row that never existed.
    pub versions: &'a dyn Fn(&ObjectKey) -> u64,
    /// The present moment.
    pub now: Timestamp,
    /// Who applies the files.
    pub actor: &'a str,
    /// Whether what is not in the files goes away.
    pub prune: bool,
}

/// What has to change, in an order in which it can be written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// One step for each row that changes, and for the first [`KEPT_SHOWN_MAX`] that are left alone.
    pub steps: Vec<Step>,
    /// What stands between files and plane. With an error among them nothing may be applied.
    pub faults: Vec<Fault>,
    /// How many rows of the plane are not in the files and are left alone.
    pub left_alone: usize,
}

/// What happens to one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What happens.
    pub kind: StepKind,
    /// Which row.
    pub key: ObjectKey,
    /// Who gains, loses or changes what; each continues the row's name: `gains bank/transfer with …`.
    pub words: Vec<Words>,
    /// The furthest of its words.
    pub reach: Reach,
    /// What to write; nothing for [`StepKind::Keep`].
    pub write: Option<PlannedWrite>,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// It is new.
    Add,
    /// It changes.
    Change,
    /// It goes away; an agent is decommissioned.
    Remove,
    /// It is not in the files and stays.
    Keep,
}

/// One difference in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Lower case, one line.
    pub text: String,
    /// What it does to what may happen.
    pub reach: Reach,
}

/// What a difference does to what may happen. Where nobody can tell, it widens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Nothing.
    Neutral,
    /// Less may happen.
    Narrows,
    /// More may happen.
    Widens,
}

/// A row to write, as the store takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "write", rename_all = "lowercase")]
pub enum PlannedWrite {
    /// The row stands as given afterwards.
    Put {
        /// The row.
        object: Box<Object>,
        /// The version it is expected to stand at now; 0 for a row that must not exist yet.
        expected: u64,
    },
    /// The row is gone afterwards.
    Remove {
        /// Which row.
        key: ObjectKey,
        /// The version it is expected to stand at now.
        expected: u64,
    },
}

impl Plan {
    /// The steps that write something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.write.is_some())
    }

    /// Whether the plane already is what the files declare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// What to write, in order.
    #[must_use]
    pub fn into_writes(self) -> Vec<PlannedWrite> {
        self.steps.into_iter().filter_map(|step| step.write).collect()
    }

    /// Whether some step lets more happen.
    #[must_use]
    pub fn widens(&self) -> bool {
        self.changes().any(|step| step.reach == Reach::Widens)
    }
}

/// Compares what files declare with what a plane holds. To be called only when reading the files found no error.
/// `make` makes the id of each agent that is new.
#[must_use]
pub fn plan(declared: &Declared, planning: &Planning<'_>, make: &mut dyn FnMut() -> AgentId) -> Plan {
    let mut planner = Planner { declared, planning: *planning, steps: Vec::new(), faults: Vec::new() };
    planner.rows();
    for agent in declared.agents.values() {
        planner.agent(agent, make);
    }
    let left_alone = planner.absent();
    planner.taken_names();
    planner.taken_issuers();
    planner.taken_logins();
    planner.faults.sort();
    Plan { steps: planner.steps, faults: planner.faults, left_alone }
}

struct Planner<'a> {
    declared: &'a Declared,
    planning: Planning<'a>,
    steps: Vec<Step>,
    faults: Vec<Fault>,
}

impl Planner<'_> {
    /// Everything but agents, in the order in which rows may refer to earlier ones.
    fn rows(&mut self) {
        let declared = self.declared;
        let current = self.planning.current;
        let organisation = declared.organisation.iter().cloned().map(|mut row| {
            row.groups.clone_from(&declared.groups);
            row.drills.clone_from(&declared.drills);
            row.rules.clone_from(&declared.rules);
            Object::Organisation(row)
        });
        let people = declared.people.values().cloned().map(|mut person| {
            if self.silent(Kind::Person, person.name.as_str()) {
                person.active = current.people.get(&person.name).is_none_or(|now| now.active);
            }
            let silent =
                declared.silent_on_logins.contains(&ObjectKey::new(Kind::Person, person.name.as_str()));
            let known = current.people.get(&person.name).map_or(&[][..], |now| &now.logins);
            person.logins = self.logins(&person.logins, known, silent);
            // Who stands in for somebody is said at the plane, never in files.
            person.away = current.people.get(&person.name).and_then(|now| now.away.clone());
            let silent = self.silent(Kind::Person, person.name.as_str());
            let now = current.people.get(&person.name).map(AsRef::as_ref);
            connector::provisioned(&mut person, now, silent);
            Object::Person(person)
        });
        let workloads = declared.workloads.values().cloned().map(|mut workload| {
            if self.silent(Kind::Workload, workload.name.as_str()) {
                workload.active = current.workloads.get(&workload.name).is_none_or(|now| now.active);
            }
            Object::Workload(workload)
        });
        let connectors = declared.connectors.values().cloned().map(|mut row| {
            let now = current.connectors.get(&row.name);
            if self.silent(Kind::Connector, row.name.as_str()) {
                row.active = now.is_none_or(|now| now.active);
            }
            // Tokens are made at the plane, never in files.
            row.tokens = now.map(|now| now.tokens.clone()).unwrap_or_default();
            Object::Connector(row)
        });
        let rows: Vec<Object> = organisation
            .chain(people)
            .chain(workloads)
            .chain(declared.systems.values().cloned().map(Object::System))
            .chain(declared.tools.values().cloned().map(Object::Tool))
            .chain(declared.policies.values().cloned().map(Object::Policy))
            .chain(declared.applications.values().cloned().map(Object::Application))
            .chain(declared.issuers.values().cloned().map(Object::Issuer))
            .chain(declared.channels.values().cloned().map(Object::Channel))
            .chain(connectors)
            .collect();
        for row in rows {
            let key = row.key();
            match current.get(&key) {
                None => self.put(StepKind::Add, words::added(&row), row),
                Some(now) if now == row => {}
                Some(now) => self.put(StepKind::Change, words::changed(&now, &row), row),
            }
        }
    }

    /// Those of the file, each since when the plane knows it, in the plane's order as long as they are the same; those of
    /// the plane, when the file is silent.
    fn logins(&self, declared: &[Login], known: &[Login], silent: bool) -> Vec<Login> {
        if silent {
            return known.to_vec();
        }
        let kept = known.iter().filter(|known| declared.iter().any(|login| issuer::same(login, known)));
        let new = declared.iter().filter(|login| !known.iter().any(|known| issuer::same(login, known)));
        let new = new.map(|login| Login { added: self.planning.now, ..login.clone() });
        kept.cloned().chain(new).collect()
    }

    fn silent(&self, kind: Kind, name: &str) -> bool {
        self.declared.silent_on_active.contains(&ObjectKey::new(kind, name))
    }

    fn agent(&mut self, agent: &DeclaredAgent, make: &mut dyn FnMut() -> AgentId) {
        let key = ObjectKey::new(Kind::Agent, agent.name.as_str());
        self.warn_expired(&key, agent);
        let Some(now) = self.planning.current.agents.get(&agent.name) else {
            let status = if agent.suspended { AgentStatus::Suspended } else { AgentStatus::Active };
            let fresh = Agent {
                id: make(),
                name: agent.name.clone(),
                status,
                level: Level::default(),
                revision: 1,
                charter: agent.charter.clone(),
                loosening: None,
                proofs: Vec::new(),
                life: None,
                provenance: Provenance {
                    created_by: self.planning.actor.into(),
                    created_at: self.planning.now,
                    source: SOURCE.into(),
                    revised: None,
                },
            };
            let fresh = autonomy::earned(&self.planning, None, fresh);
            let mut said = charter::added(&fresh.charter);
            autonomy::say(&mut said, &fresh);
            if agent.suspended {
                said.narrower("starts suspended: it may do nothing until a person resumes it");
            }
            return self.put(StepKind::Add, said, Object::Agent(fresh));
        };
        if now.status == AgentStatus::Decommissioned {
            let message = format!("agent {} was decommissioned, and a name is never given again", agent.name);
            let cure = "take it out of the files, or declare it under a new name";
            let fault = self.declared.fault_in((&key, ""), Severity::Error, message, cure);
            return self.faults.push(fault);
        }
        let mut next = now.as_ref().clone();
        next.charter = agent.charter.clone();
        next = provost_lifecycle::bill::remade(now, autonomy::earned(&self.planning, Some(now), next));
        let back = access_review::given_back(now, &next.charter);
        self.warn_given_back(&key, &back);
        next = access_review::forgotten(next, &back);
        let mut said = charter::changed(&now.charter, &next.charter);
        if next.declared() != now.declared() {
            autonomy::say(&mut said, &next);
        }
        if next.charter != now.charter {
            let remade = next.charter.manifest != now.charter.manifest;
            next.revision = next.revision.saturating_add(1);
            if remade && next.status == AgentStatus::Active {
                next.status = AgentStatus::PendingReapproval;
                said.narrower("waits for a person to reapprove it, since what it is made of changes");
            }
        }
        if agent.suspended && matches!(next.status, AgentStatus::Active | AgentStatus::PendingReapproval) {
            next.status = AgentStatus::Suspended;
            said.narrower("is suspended");
        }
        self.warn_not_started(&key, agent, now.status);
        if next != **now {
            self.put(StepKind::Change, said, Object::Agent(next));
        }
    }

    fn warn_expired(&mut self, key: &ObjectKey, agent: &DeclaredAgent) {
        if agent.charter.retirement.expires.is_some_and(|expires| expires <= self.planning.now) {
            let message = format!("agent {} has expired: it may no longer act", agent.name);
            let cure = "set expires to a day that is still to come, or let the agent go";
            let fault = self.declared.fault_in((key, "retirement.expires"), Severity::Warning, message, cure);
            self.faults.push(fault);
        }
    }

    fn warn_not_started(&mut self, key: &ObjectKey, agent: &DeclaredAgent, status: AgentStatus) {
        let command = match status {
            AgentStatus::Suspended if !agent.suspended => "resume",
            AgentStatus::Unmanaged => "adopt",
            AgentStatus::Proposed => "activate",
            AgentStatus::PendingReapproval => "reapprove",
            _ => return,
        };
        let message = format!("agent {} is {status} in the plane, and files do not start it", agent.name);
        let cure = format!("run `provost agent {command} {}` when it may act", agent.name);
        self.faults.push(self.declared.fault_in((key, ""), Severity::Warning, message, cure));
    }

    /// What the plane holds and the files do not have. Gives how much of it is left alone.
    fn absent(&mut self) -> usize {
        let mut left_alone = 0;
        for key in self.absent_keys() {
            let of_declared_system = key.kind == Kind::Tool
                && key.tool_parts().is_ok_and(|(system, _)| self.declared.systems.contains_key(&system));
            if of_declared_system || (self.planning.prune && key.kind != Kind::Organisation) {
                self.remove(key);
                continue;
            }
            left_alone += 1;
            if left_alone <= KEPT_SHOWN_MAX {
                let mut said = words::Said::default();
                said.neutral("is not in the files and stays as it is");
                self.steps.push(said.step(StepKind::Keep, key, None));
            }
        }
        left_alone
    }

    /// Last what others refer to, so that nothing ever refers to what is gone.
    fn absent_keys(&self) -> Vec<ObjectKey> {
        let (declared, current) = (self.declared, self.planning.current);
        let key = |kind: Kind, name: &provost_domain::Name| ObjectKey::new(kind, name.as_str());
        // Canaries of drills are the plane's own.
        let live = |agent: &&std::sync::Arc<Agent>| {
            agent.status != AgentStatus::Decommissioned
                && agent.provenance.source.as_ref() != provost_domain::drill::SOURCE
        };
        let mut keys: Vec<ObjectKey> = Vec::new();
        keys.extend(current.organisation.iter().map(|_| ObjectKey::organisation()));
        // Whoever a connector made is its own, and no business of files.
        let made = |row: &std::sync::Arc<Person>| row.provisioned.as_deref().is_some_and(|said| said.made);
        let people = current.people.values().filter(|row| !made(row));
        keys.extend(people.map(|row| key(Kind::Person, &row.name)));
        keys.extend(current.workloads.keys().map(|name| key(Kind::Workload, name)));
        keys.extend(current.systems.keys().map(|name| key(Kind::System, name)));
        keys.extend(current.tools.keys().map(|(system, tool)| ObjectKey::tool(system, tool)));
        keys.extend(current.policies.keys().map(|name| key(Kind::Policy, name)));
        keys.extend(current.applications.keys().map(|name| key(Kind::Application, name)));
        keys.extend(current.issuers.keys().map(|name| key(Kind::Issuer, name)));
        keys.extend(current.connectors.keys().map(|name| key(Kind::Connector, name)));
        keys.extend(current.channels.keys().map(|name| key(Kind::Channel, name)));
        keys.extend(current.agents.values().filter(live).map(|agent| key(Kind::Agent, &agent.name)));
        keys.retain(|key| !declared.named.contains_key(key));
        keys.sort_by(|a, b| b.kind.cmp(&a.kind).then_with(|| a.key.cmp(&b.key)));
        keys
    }

    fn remove(&mut self, key: ObjectKey) {
        let Some(now) = self.planning.current.get(&key) else { return };
        let said = words::removed(&now);
        let expected = (self.planning.versions)(&key);
        let write = match now {
            Object::Agent(mut agent) => {
                agent.status = AgentStatus::Decommissioned;
                PlannedWrite::Put { object: Box::new(Object::Agent(agent)), expected }
            }
            _ => PlannedWrite::Remove { key: key.clone(), expected },
        };
        self.steps.push(said.step(StepKind::Remove, key, Some(write)));
    }

    fn put(&mut self, kind: StepKind, said: words::Said, object: Object) {
        let key = object.key();
        let expected = (self.planning.versions)(&key);
        let write = PlannedWrite::Put { object: Box::new(object), expected };
        self.steps.push(said.step(kind, key, Some(write)));
    }

    /// An issuer that stays in the plane under another name has its tokens to itself.
    fn taken_issuers(&mut self) {
        let (declared, current) = (self.declared, self.planning.current);
        for row in declared.issuers.values() {
            let stays =
                |name: &Name| !declared.issuers.contains_key(name) && !self.removes(Kind::Issuer, name);
            let other =
                current.issuers.iter().find(|(name, other)| other.issuer == row.issuer && stays(name));
            if let Some((name, _)) = other {
                let message = format!("the plane trusts this issuer already, as {name}");
                let cure = "keep its name, or apply with --prune what has none of the old";
                let key = ObjectKey::new(Kind::Issuer, row.name.as_str());
                let fault = self.declared.fault_in((&key, "issuer"), Severity::Error, message, cure);
                self.faults.push(fault);
            }
        }
    }

    /// A subject of an issuer stands for one person, and is never given to another.
    fn taken_logins(&mut self) {
        let (declared, current) = (self.declared, self.planning.current);
        for person in declared.people.values() {
            for login in &person.logins {
                let Some(holder) = current.person_of(&login.issuer, &login.subject) else { continue };
                if holder.name != person.name {
                    let message = format!("this subject of {} is {} in the plane", login.issuer, holder.name);
                    let cure = "name the person's own: one that was somebody's is never given to another";
                    let key = ObjectKey::new(Kind::Person, person.name.as_str());
                    let place = format!("logins.{}", login.issuer);
                    let fault = declared.fault_in((&key, &place), Severity::Error, message, cure);
                    self.faults.push(fault);
                }
            }
        }
    }

    fn removes(&self, kind: Kind, name: &Name) -> bool {
        let key = ObjectKey::new(kind, name.as_str());
        self.steps.iter().any(|step| step.kind == StepKind::Remove && step.key == key)
    }

    /// A name in the plane belongs to its first bearer for ever, in whatever class.
    fn taken_names(&mut self) {
        let current = self.planning.current;
        let added: BTreeSet<ObjectKey> = self
            .steps
            .iter()
            .filter(|step| step.kind == StepKind::Add)
            .map(|step| step.key.clone())
            .filter(|key| IDENTITIES.contains(&key.kind))
            .collect();
        for key in added {
            let others = IDENTITIES.into_iter().filter(|kind| *kind != key.kind);
            for other in others.map(|kind| ObjectKey::new(kind, key.key.as_str())) {
                if current.get(&other).is_some() {
                    let message = format!("{key} cannot be added: the plane has {other}");
                    let cure = "choose another name: one that was given is never given again";
                    self.faults.push(self.declared.fault_in((&key, ""), Severity::Error, message, cure));
                }
            }
        }
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl StepKind {
    /// `+`, `~`, `-`, or a dot for what stays.
    #[must_use]
    pub const fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change => '~',
            Self::Remove => '-',
            Self::Keep => '·',
        }
    }
}

/// Rows that are left alone and shown one by one; all of them are counted.
pub const KEPT_SHOWN_MAX: usize = 50;
/// Where an agent from files says it comes from.
const SOURCE: &str = "files";
const IDENTITIES: [Kind; 3] = [Kind::Person, Kind::Workload, Kind::Agent];
