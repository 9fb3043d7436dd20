//! Everything the plane knows at one position in its order of changes, in memory. Copies share structure, so that
//! a change among a million identities costs microseconds, and whoever holds a copy sees it whole.

mod get;
mod rosters;

use crate::{
    AccessReview, Account, Agent, Approval, Baseline, BaselineOf, Channel, Connector, Containment, Delivery,
    Digest, Drill, Envelope, Finding, Invite, Issuer, Kind, Minted, Name, Object, ObjectKey, Passkey, Person,
    Proposal, Restraint, Restriction, Roster, Seq, Session, Stream, System, Task, TaskId, Tool, ToolName,
    Workload, application::Application, containment::Orders, organisation::Organisation,
    policy_file::PolicyFile, touched::Touched,
};
use imbl::{HashMap, OrdMap, OrdSet};
use std::sync::Arc;

/// The whole organisation at one position. Cloning costs a handful of pointers.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Position of the last change in it.
    pub seq: Seq,
    /// Settings, once declared; with the members that connectors say the groups have ([`Connector::groups`]).
    pub organisation: Option<Arc<Organisation>>,
    /// People by name.
    pub people: HashMap<Name, Arc<Person>>,
    /// Workloads by name.
    pub workloads: HashMap<Name, Arc<Workload>>,
    /// Systems by name, in order.
    pub systems: OrdMap<Name, Arc<System>>,
    /// Tools by system and name, in order.
    pub tools: OrdMap<(Name, ToolName), Arc<Tool>>,
    /// Organisation policies by file name, in order.
    pub policies: OrdMap<Name, Arc<PolicyFile>>,
    /// Applications by name, in order.
    pub applications: OrdMap<Name, Arc<Application>>,
    /// Trusted issuers by name, in order.
    pub issuers: OrdMap<Name, Arc<Issuer>>,
    /// Agents by name.
    pub agents: HashMap<Name, Arc<Agent>>,
    /// Tasks by id; ended ones leave.
    pub tasks: HashMap<TaskId, Arc<Task>>,
    /// Sessions of people; ended ones leave.
    pub sessions: HashMap<Digest, Arc<Session>>,
    /// Connected accounts by system and person.
    pub accounts: OrdMap<(Name, Name), Arc<Account>>,
    /// What the plane made at systems and owes the dropping of; what is gone leaves.
    pub minted: OrdMap<String, Arc<Minted>>,
    /// Proposals that wait, by id.
    pub proposals: OrdMap<String, Arc<Proposal>>,
    /// Approvals that something can still come of, by id.
    pub approvals: OrdMap<String, Arc<Approval>>,
    /// Open envelopes, by agent and id.
    pub envelopes: OrdMap<(Name, String), Arc<Envelope>>,
    /// Passkeys of people, by person and id; those that were removed leave.
    pub passkeys: OrdMap<(Name, String), Arc<Passkey>>,
    /// One-use links that were not used yet.
    pub invites: HashMap<Digest, Arc<Invite>>,
    /// Findings by id; what was closed long ago leaves.
    pub findings: OrdMap<String, Arc<Finding>>,
    /// Ways to reach people, by name, in order.
    pub channels: OrdMap<Name, Arc<Channel>>,
    /// What is owed to somebody outside, or will be followed by something, by id.
    pub deliveries: OrdMap<String, Arc<Delivery>>,
    /// Containment orders in force; those that were lifted leave.
    pub containments: Orders,
    /// Drills, by id.
    pub drills: OrdMap<String, Arc<Drill>>,
    /// Streams of Shared Signals, by id.
    pub streams: OrdMap<String, Arc<Stream>>,
    /// What is usual, by the key of whom for.
    pub baselines: OrdMap<String, Arc<Baseline>>,
    /// Access reviews, by id; those that were done long ago leave.
    pub reviews: OrdMap<String, Arc<AccessReview>>,
    /// Connectors by name, in order.
    pub connectors: OrdMap<Name, Arc<Connector>>,
    /// Groups of connectors, by id.
    pub rosters: OrdMap<String, Arc<Roster>>,
    /// The settings as their row says.
    settings: Option<Arc<Organisation>>,
    /// Who is in which group of a connector.
    seats: OrdMap<Arc<str>, OrdSet<Name>>,
    /// Whose a subject of an issuer is, by the words that no two rows may claim ([`crate::Proof::claim`],
    /// [`crate::person::Login::claim`], [`Passkey::claim`]).
    subjects: OrdMap<Arc<str>, Name>,
    /// Which agents changed lately.
    touched: Touched,
}

impl Directory {
    /// Puts a row in, in place of the one under its key.
    pub fn put(&mut self, object: Object) {
        match object {
            Object::Organisation(row) => {
                self.settings = Some(Arc::new(row));
                self.regroup();
            }
            Object::Person(row) => {
                let known = self.people.get(&row.name).map(Arc::clone);
                let before = known.as_ref().map(|row| logins(row)).unwrap_or_default();
                self.index(&row.name, before, logins(&row));
                let (name, after) = (row.name.clone(), rosters::rosters(Some(&row)));
                insert(&mut self.people, name.clone(), row);
                self.seat(&name, &rosters::rosters(known.as_deref()), &after);
            }
            Object::Workload(row) => insert(&mut self.workloads, row.name.clone(), row),
            Object::Agent(mut row) => {
                let before = self.agents.get(&row.name).cloned();
                if let Some(before) = &before {
                    row.charter.share_with(&before.charter);
                }
                let before = before.map(|row| subjects(&row)).unwrap_or_default();
                self.index(&row.name, before, subjects(&row));
                self.touched.push(&row.name);
                insert(&mut self.agents, row.name.clone(), row);
            }
            Object::System(row) => drop(self.systems.insert(row.name.clone(), Arc::new(row))),
            Object::Tool(row) => {
                drop(self.tools.insert((row.system.clone(), row.name.clone()), Arc::new(row)))
            }
            Object::Policy(row) => drop(self.policies.insert(row.name.clone(), Arc::new(row))),
            Object::Application(row) => drop(self.applications.insert(row.name.clone(), Arc::new(row))),
            over if over.is_over() => self.remove(&over.key()),
            Object::Task(row) => insert(&mut self.tasks, row.id, row),
            Object::Issuer(row) => drop(self.issuers.insert(row.name.clone(), Arc::new(row))),
            Object::Session(row) => insert(&mut self.sessions, row.id, row),
            Object::Account(row) => {
                drop(self.accounts.insert((row.system.clone(), row.person.clone()), Arc::new(row)));
            }
            Object::Minted(row) => drop(self.minted.insert(row.id.clone(), Arc::new(row))),
            Object::Proposal(row) => drop(self.proposals.insert(row.id.clone(), row.into())),
            Object::Approval(row) => drop(self.approvals.insert(row.id.clone(), row.into())),
            Object::Envelope(row) => {
                drop(self.envelopes.insert((row.agent.clone(), row.id.clone()), row.into()));
            }
            Object::Passkey(row) => {
                self.index(&row.person, Vec::new(), vec![row.claim()]);
                drop(self.passkeys.insert((row.person.clone(), row.id.clone()), row.into()));
            }
            Object::Invite(row) => insert(&mut self.invites, row.id, row),
            Object::Finding(row) => drop(self.findings.insert(row.id.clone(), row.into())),
            Object::Channel(row) => drop(self.channels.insert(row.name.clone(), Arc::new(row))),
            Object::Delivery(row) => drop(self.deliveries.insert(row.id.clone(), row.into())),
            Object::Containment(row) => self.containments.put(*row),
            Object::Drill(row) => drop(self.drills.insert(row.id.clone(), row.into())),
            Object::Stream(row) => drop(self.streams.insert(row.id.clone(), Arc::new(row))),
            Object::Baseline(row) => drop(self.baselines.insert(row.key(), row.into())),
            Object::Review(row) => drop(self.reviews.insert(row.id.clone(), row.into())),
            Object::Connector(row) => self.put_connector(row),
            Object::Roster(row) => self.put_roster(row),
        }
    }

    /// Takes the row under this key out; a key nobody knows is no change.
    pub fn remove(&mut self, key: &ObjectKey) {
        let name = || key.key.parse::<Name>().ok();
        match key.kind {
            Kind::Organisation => {
                self.settings = None;
                self.regroup();
            }
            Kind::Person => name().map_or((), |name| {
                let row = self.people.remove(&name);
                self.index(&name, row.as_ref().map(|row| logins(row)).unwrap_or_default(), Vec::new());
                self.seat(&name, &rosters::rosters(row.as_deref()), &Default::default());
            }),
            Kind::Workload => name().map_or((), |name| drop(self.workloads.remove(&name))),
            Kind::Agent => name().map_or((), |name| {
                let gone = self.agents.remove(&name).map(|row| subjects(&row)).unwrap_or_default();
                self.touched.push(&name);
                self.index(&name, gone, Vec::new());
            }),
            Kind::System => name().map_or((), |name| drop(self.systems.remove(&name))),
            Kind::Policy => name().map_or((), |name| drop(self.policies.remove(&name))),
            Kind::Application => name().map_or((), |name| drop(self.applications.remove(&name))),
            Kind::Tool => key.tool_parts().map_or((), |parts| drop(self.tools.remove(&parts))),
            Kind::Task => key.key.parse().map_or((), |id: TaskId| drop(self.tasks.remove(&id))),
            Kind::Issuer => name().map_or((), |name| drop(self.issuers.remove(&name))),
            Kind::Session => key.key.parse().map_or((), |id: Digest| drop(self.sessions.remove(&id))),
            Kind::Account => key.account_parts().map_or((), |parts| drop(self.accounts.remove(&parts))),
            Kind::Minted => drop(self.minted.remove(&key.key)),
            Kind::Proposal => drop(self.proposals.remove(&key.key)),
            Kind::Approval => drop(self.approvals.remove(&key.key)),
            Kind::Envelope => key.envelope_parts().map_or((), |parts| drop(self.envelopes.remove(&parts))),
            Kind::Passkey => key.passkey_parts().map_or((), |parts| {
                if let Some(row) = self.passkeys.remove(&parts) {
                    self.index(&row.person, vec![row.claim()], Vec::new());
                }
            }),
            Kind::Invite => key.key.parse().map_or((), |id: Digest| drop(self.invites.remove(&id))),
            Kind::Finding => drop(self.findings.remove(&key.key)),
            Kind::Channel => name().map_or((), |name| drop(self.channels.remove(&name))),
            Kind::Delivery => drop(self.deliveries.remove(&key.key)),
            Kind::Containment => self.containments.remove(&key.key),
            Kind::Drill => drop(self.drills.remove(&key.key)),
            Kind::Stream => drop(self.streams.remove(&key.key)),
            Kind::Baseline => drop(self.baselines.remove(&key.key)),
            Kind::Review => drop(self.reviews.remove(&key.key)),
            Kind::Connector => name().map_or((), |name| {
                self.connectors.remove(&name);
                self.regroup();
            }),
            Kind::Roster => {
                self.rosters.remove(&key.key);
                self.regroup();
            }
        }
    }

    /// Where changes of agents stand, for [`Directory::agents_touched_since`].
    #[must_use]
    pub fn agents_mark(&self) -> u64 {
        self.touched.mark()
    }

    /// The agents that changed, came or went after a mark of this very directory or one it grew from, some more than once;
    /// `None`, if that is too long ago.
    #[must_use]
    pub fn agents_touched_since(&self, mark: u64) -> Option<impl Iterator<Item = &Name>> {
        self.touched.since(mark)
    }

    /// The approval of exactly this action that something can still come of.
    #[must_use]
    pub fn approval_of(&self, action: &Digest) -> Option<&Arc<Approval>> {
        let first = crate::approval::approval_id(action, 0);
        let mut later = self.approvals.range(first.clone()..).take_while(|(id, _row)| id.starts_with(&first));
        later.find(|(_id, row)| row.action == *action).map(|(_id, row)| row)
    }

    /// The open envelopes of an agent.
    pub fn envelopes_of<'a>(&'a self, agent: &'a Name) -> impl Iterator<Item = &'a Arc<Envelope>> {
        self.envelopes
            .range((agent.clone(), String::new())..)
            .map(|(_key, row)| row)
            .take_while(move |row| row.agent == *agent)
    }

    /// What containment, and the agent's own level, leave a call of this agent.
    #[must_use]
    pub fn restriction(&self, agent: &Agent, system: &Name, tool: &ToolName) -> Restriction {
        self.containments.restriction(agent, self.organisation.as_deref(), system, tool)
    }

    /// The order by which this agent may do nothing at all, if there is one.
    #[must_use]
    pub fn order_off<'a>(&'a self, agent: &'a Agent) -> Option<&'a Arc<Containment>> {
        let mut about = self.containments.about(agent, self.organisation.as_deref());
        about.find(|order| order.level == Restraint::Off)
    }

    /// Whether this agent may act at all: neither its own state nor an order stops it.
    #[must_use]
    pub fn acts(&self, agent: &Agent) -> bool {
        agent.acts() && self.order_off(agent).is_none()
    }

    /// Whether it may act at this system.
    #[must_use]
    pub fn acts_at(&self, agent: &Agent, system: &Name) -> bool {
        agent.acts() && self.orders_off_at(agent, system).next().is_none()
    }

    /// The orders by which this agent may do nothing at a system: those about it as a whole, and about all calls of the system.
    pub fn orders_off_at<'a>(
        &'a self,
        agent: &'a Agent,
        system: &'a Name,
    ) -> impl Iterator<Item = &'a Arc<Containment>> {
        let all = self.containments.matching(agent, self.organisation.as_deref(), system, None);
        all.filter(|order| order.level == Restraint::Off)
    }

    /// Whether what was made at a system for an agent is taken back because of an order about that system.
    #[must_use]
    pub fn recalls(&self, row: &Minted) -> bool {
        let organisation = self.organisation.as_deref();
        let recalled =
            |agent: &Arc<Agent>| self.containments.recall(agent, organisation, (&row.system, row.made));
        self.agents.get(&row.agent).is_some_and(recalled)
    }

    /// The agent that is this subject of an issuer.
    #[must_use]
    pub fn agent_of(&self, issuer: &Name, subject: &str) -> Option<&Arc<Agent>> {
        self.agents.get(self.subjects.get(crate::proof::subject_claim(issuer, subject).as_str())?)
    }

    /// The person who is this subject of an identity provider.
    #[must_use]
    pub fn person_of(&self, issuer: &Name, subject: &str) -> Option<&Arc<Person>> {
        self.people.get(self.subjects.get(crate::person::login_claim(issuer, subject).as_str())?)
    }

    /// The passkey of this id, whosever it is.
    #[must_use]
    pub fn passkey(&self, id: &str) -> Option<&Arc<Passkey>> {
        let person = self.subjects.get(crate::passkey::passkey_claim(id).as_str())?;
        self.passkeys.get(&(person.clone(), id.to_owned()))
    }

    /// The passkeys of a person.
    pub fn passkeys_of<'a>(&'a self, person: &'a Name) -> impl Iterator<Item = &'a Arc<Passkey>> {
        self.passkeys
            .range((person.clone(), String::new())..)
            .map(|(_key, row)| row)
            .take_while(move |row| row.person == *person)
    }

    /// The agents that are subjects of an issuer.
    pub fn agents_from<'a>(&'a self, issuer: &Name) -> impl Iterator<Item = &'a Arc<Agent>> {
        self.agents_under(crate::proof::subject_claim(issuer, ""))
    }

    /// The agents that run in this software.
    pub fn agents_in<'a>(&'a self, client_id: &str) -> impl Iterator<Item = &'a Arc<Agent>> {
        self.agents_under(format!("client:{client_id}#"))
    }

    fn agents_under(&self, prefix: String) -> impl Iterator<Item = &Arc<Agent>> {
        let from: Arc<str> = prefix.as_str().into();
        self.subjects
            .range(from..)
            .take_while(move |(claim, _name)| claim.starts_with(&prefix))
            .filter_map(|(_claim, name)| self.agents.get(name))
    }

    /// Keeps `subjects`: a row's words before and after a change.
    fn index(&mut self, name: &Name, before: Vec<String>, after: Vec<String>) {
        for word in before {
            self.subjects.remove(word.as_str());
        }
        for word in after {
            self.subjects.insert(word.into(), name.clone());
        }
    }

    /// What is usual for somebody.
    #[must_use]
    pub fn baseline(&self, of: &BaselineOf) -> Option<&Arc<Baseline>> {
        self.baselines.get(&of.key())
    }

    /// What is usual for an agent: everything it does first, then each kind of its tasks.
    pub fn baselines_of<'a>(&'a self, agent: &'a Name) -> impl Iterator<Item = &'a Arc<Baseline>> {
        self.baselines
            .range(format!("agent:{agent}:")..)
            .map(|(_key, row)| row)
            .take_while(move |row| row.of.agent() == Some(agent))
    }

    /// The tools of one system, in order of their names.
    pub fn tools_of<'a>(&'a self, system: &'a Name) -> impl Iterator<Item = &'a Arc<Tool>> {
        let first = FIRST_TOOL_NAME.parse::<ToolName>().ok().map(|tool| (system.clone(), tool));
        let from = first.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Included);
        self.tools
            .range((from, std::ops::Bound::Unbounded))
            .map(|(_key, tool)| tool)
            .take_while(move |tool| tool.system == *system)
    }
}

fn subjects(agent: &Agent) -> Vec<String> {
    let subject = |proof: &crate::Proof| match proof {
        crate::Proof::Subject { .. } => proof.claim(),
        // Software may run many agents: each has a word of its own.
        crate::Proof::Client { client_id, .. } => Some(format!("client:{client_id}#{}", agent.name)),
        crate::Proof::Key { .. } => None,
    };
    agent.proofs.iter().filter_map(subject).collect()
}

fn logins(person: &Person) -> Vec<String> {
    let said = person.provisioned.iter().flat_map(|said| said.claims());
    person.logins.iter().map(crate::person::Login::claim).chain(said).collect()
}

fn insert<K: Clone + Eq + std::hash::Hash, V>(map: &mut HashMap<K, Arc<V>>, key: K, row: V) {
    map.insert(key, Arc::new(row));
}

/// No tool name sorts before it: `-` is the least of the bytes a name may have.
const FIRST_TOOL_NAME: &str = "-";

#[cfg(test)]
mod tests;
