//! The rows of the plane: everything that a change can touch, each under one key.

use crate::{
    AccessReview, Account, Agent, Approval, Baseline, Channel, Connector, Containment, Delivery, Digest,
    Drill, Envelope, Finding, Invite, Issuer, Minted, Name, NameError, Passkey, Person, Proposal, Roster,
    Session, Stream, System, Task, TaskId, Tool, ToolName, Workload, application::Application,
    organisation::Organisation, policy_file::PolicyFile,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the type of that name")]
pub enum Kind {
    Organisation,
    Person,
    Workload,
    System,
    Tool,
    Policy,
    Application,
    Issuer,
    Agent,
    Task,
    Session,
    Account,
    Minted,
    Proposal,
    Approval,
    Envelope,
    Passkey,
    Invite,
    Finding,
    Channel,
    Delivery,
    Containment,
    Drill,
    Stream,
    Baseline,
    Review,
    Connector,
    Roster,
}

/// A row: one of the nouns, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the type of that name")]
pub enum Object {
    Organisation(Organisation),
    Person(Person),
    Workload(Workload),
    System(System),
    Tool(Tool),
    Policy(PolicyFile),
    Application(Application),
    Issuer(Issuer),
    Agent(Agent),
    Task(Task),
    Session(Session),
    Account(Account),
    Minted(Minted),
    Proposal(Box<Proposal>),
    Approval(Box<Approval>),
    Envelope(Box<Envelope>),
    Passkey(Box<Passkey>),
    Invite(Invite),
    Finding(Box<Finding>),
    Channel(Channel),
    Delivery(Box<Delivery>),
    Containment(Box<Containment>),
    Drill(Box<Drill>),
    Stream(Stream),
    Baseline(Box<Baseline>),
    Review(Box<AccessReview>),
    Connector(Connector),
    Roster(Roster),
}

/// What names a row for ever: its kind and a key inside the kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// Unique inside the kind: a name, `system/tool`, `system/person`, or an id.
    pub key: String,
}

impl Object {
    /// The key the row stands under.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Organisation(_) => ObjectKey::organisation(),
            Self::Person(person) => ObjectKey::new(Kind::Person, person.name.as_str()),
            Self::Workload(workload) => ObjectKey::new(Kind::Workload, workload.name.as_str()),
            Self::System(system) => ObjectKey::new(Kind::System, system.name.as_str()),
            Self::Tool(tool) => ObjectKey::tool(&tool.system, &tool.name),
            Self::Policy(policy) => ObjectKey::new(Kind::Policy, policy.name.as_str()),
            Self::Application(application) => ObjectKey::new(Kind::Application, application.name.as_str()),
            Self::Agent(agent) => ObjectKey::new(Kind::Agent, agent.name.as_str()),
            Self::Task(task) => ObjectKey::task(task.id),
            Self::Issuer(issuer) => ObjectKey::new(Kind::Issuer, issuer.name.as_str()),
            Self::Session(session) => ObjectKey::session(&session.id),
            Self::Account(account) => ObjectKey::account(&account.system, &account.person),
            Self::Minted(minted) => ObjectKey::new(Kind::Minted, minted.id.as_str()),
            Self::Proposal(proposal) => ObjectKey::proposal(&proposal.id),
            Self::Approval(approval) => ObjectKey::approval(&approval.id),
            Self::Envelope(envelope) => ObjectKey::envelope(&envelope.agent, &envelope.id),
            Self::Passkey(passkey) => ObjectKey::passkey(&passkey.person, &passkey.id),
            Self::Invite(invite) => ObjectKey::invite(&invite.id),
            Self::Finding(finding) => ObjectKey::finding(&finding.id),
            Self::Channel(channel) => ObjectKey::new(Kind::Channel, channel.name.as_str()),
            Self::Delivery(delivery) => ObjectKey::delivery(&delivery.id),
            Self::Containment(order) => ObjectKey::containment(&order.id),
            Self::Drill(drill) => ObjectKey::drill(&drill.id),
            Self::Stream(stream) => ObjectKey::new(Kind::Stream, stream.id.as_str()),
            Self::Baseline(baseline) => ObjectKey::new(Kind::Baseline, baseline.key()),
            Self::Review(review) => ObjectKey::review(&review.id),
            Self::Connector(row) => ObjectKey::new(Kind::Connector, row.name.as_str()),
            Self::Roster(row) => ObjectKey::roster(&row.id),
        }
    }

    /// The claims that this row lets go of when it becomes `after`. Names and keys are kept for ever; what somebody else
    /// says a subject is can have been a mistake, and is free once its row no longer says so.
    #[must_use]
    pub fn given_up(&self, after: Option<&Self>) -> Vec<String> {
        let kept = after.map(Self::claims).unwrap_or_default();
        let free = |claim: &String| {
            [LOGIN, SUBJECT, crate::connector::CLAIM].iter().any(|kind| claim.starts_with(kind))
        };
        self.claims().into_iter().filter(|claim| free(claim) && !kept.contains(claim)).collect()
    }

    /// Whether it is over: it stays on record and leaves the directory.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Task(task) => task.status == crate::task::TaskStatus::Ended,
            Self::Session(session) => session.ended,
            Self::Minted(minted) => !minted.is_owed(),
            Self::Proposal(proposal) => proposal.is_over(),
            Self::Approval(approval) => approval.is_over(),
            Self::Envelope(envelope) => envelope.status != crate::approval::EnvelopeStatus::Open,
            Self::Passkey(passkey) => passkey.removed.is_some(),
            Self::Invite(invite) => invite.used.is_some(),
            Self::Finding(finding) => finding.filed,
            Self::Review(review) => review.filed,
            Self::Delivery(delivery) => !delivery.is_due() && !delivery.followed,
            Self::Containment(order) => !order.is_in_force(),
            _ => false,
        }
    }

    /// Words that no two rows may claim (REQUIREMENTS.md A3); see [`Object::given_up`]: the name of an identity, across the three classes, and
    /// the ways in which agents prove themselves.
    #[must_use]
    pub fn claims(&self) -> Vec<String> {
        match self {
            Self::Person(person) => {
                let logins = person.logins.iter().map(crate::person::Login::claim);
                let said = person.provisioned.iter().flat_map(|said| said.claims());
                std::iter::once(identity(&person.name)).chain(logins).chain(said).collect()
            }
            Self::Workload(Workload { name, .. }) => vec![identity(name)],
            Self::Passkey(passkey) => vec![passkey.claim()],
            Self::Roster(row) => row.claims(),
            Self::Agent(agent) => {
                let proofs = agent.proofs.iter().filter_map(crate::Proof::claim);
                std::iter::once(identity(&agent.name)).chain(proofs).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Kind {
    /// Every kind, in the order in which rows may refer to earlier ones.
    pub const ALL: [Self; 28] = [
        Self::Organisation,
        Self::Person,
        Self::Workload,
        Self::System,
        Self::Tool,
        Self::Policy,
        Self::Application,
        Self::Issuer,
        Self::Agent,
        Self::Task,
        Self::Session,
        Self::Account,
        Self::Minted,
        Self::Proposal,
        Self::Approval,
        Self::Envelope,
        Self::Passkey,
        Self::Invite,
        Self::Finding,
        Self::Channel,
        Self::Delivery,
        Self::Containment,
        Self::Drill,
        Self::Stream,
        Self::Baseline,
        Self::Review,
        Self::Connector,
        Self::Roster,
    ];

    /// Whether rows of this kind can let go of claims.
    #[must_use]
    pub const fn lets_go(self) -> bool {
        matches!(self, Self::Person | Self::Agent | Self::Roster)
    }

    /// Whether every decision may read rows of this kind; of the others only those it names.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        !matches!(
            self,
            Self::Agent
                | Self::Task
                | Self::Session
                | Self::Account
                | Self::Minted
                | Self::Proposal
                | Self::Approval
                | Self::Envelope
                | Self::Passkey
                | Self::Invite
                | Self::Finding
                | Self::Channel
                | Self::Delivery
                | Self::Drill
                | Self::Stream
                | Self::Baseline
                | Self::Review
        )
    }

    /// The word used in files, records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Person => "person",
            Self::Workload => "workload",
            Self::System => "system",
            Self::Tool => "tool",
            Self::Policy => "policy",
            Self::Application => "application",
            Self::Agent => "agent",
            Self::Task => "task",
            Self::Issuer => "issuer",
            Self::Session => "session",
            Self::Account => "account",
            Self::Minted => "minted",
            Self::Proposal => "proposal",
            Self::Approval => "approval",
            Self::Envelope => "envelope",
            Self::Passkey => "passkey",
            Self::Invite => "invite",
            Self::Finding => "finding",
            Self::Channel => "channel",
            Self::Delivery => "delivery",
            Self::Containment => "containment",
            Self::Drill => "drill",
            Self::Stream => "stream",
            Self::Baseline => "baseline",
            Self::Review => "review",
            Self::Connector => "connector",
            Self::Roster => "roster",
        }
    }

    /// Back from that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl ObjectKey {
    /// A key by kind and name.
    #[must_use]
    pub fn new(kind: Kind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into() }
    }

    /// The one organisation row.
    #[must_use]
    pub fn organisation() -> Self {
        Self::new(Kind::Organisation, "organisation")
    }

    /// A tool of a system.
    #[must_use]
    pub fn tool(system: &Name, tool: &ToolName) -> Self {
        Self::new(Kind::Tool, format!("{system}/{tool}"))
    }

    /// A task.
    #[must_use]
    pub fn task(id: TaskId) -> Self {
        Self::new(Kind::Task, id.to_string())
    }

    /// A session.
    #[must_use]
    pub fn session(id: &Digest) -> Self {
        Self::new(Kind::Session, id.to_string())
    }

    /// A person's account at a system.
    #[must_use]
    pub fn account(system: &Name, person: &Name) -> Self {
        Self::new(Kind::Account, format!("{system}/{person}"))
    }

    /// A proposal.
    #[must_use]
    pub fn proposal(id: &str) -> Self {
        Self::new(Kind::Proposal, id)
    }

    /// An approval.
    #[must_use]
    pub fn approval(id: &str) -> Self {
        Self::new(Kind::Approval, id)
    }

    /// A finding.
    #[must_use]
    pub fn finding(id: &str) -> Self {
        Self::new(Kind::Finding, id)
    }

    /// Something owed to somebody outside.
    #[must_use]
    pub fn delivery(id: &str) -> Self {
        Self::new(Kind::Delivery, id)
    }

    /// An envelope of an agent.
    #[must_use]
    pub fn envelope(agent: &Name, id: &str) -> Self {
        Self::new(Kind::Envelope, format!("{agent}/{id}"))
    }

    /// A passkey of a person.
    #[must_use]
    pub fn passkey(person: &Name, id: &str) -> Self {
        Self::new(Kind::Passkey, format!("{person}/{id}"))
    }

    /// A one-use link.
    #[must_use]
    pub fn invite(id: &Digest) -> Self {
        Self::new(Kind::Invite, id.to_string())
    }

    /// A containment order.
    #[must_use]
    pub fn containment(id: &str) -> Self {
        Self::new(Kind::Containment, id)
    }

    /// An access review.
    #[must_use]
    pub fn review(id: &str) -> Self {
        Self::new(Kind::Review, id)
    }

    /// A group of a connector.
    #[must_use]
    pub fn roster(id: &str) -> Self {
        Self::new(Kind::Roster, id)
    }

    /// A drill.
    #[must_use]
    pub fn drill(id: &str) -> Self {
        Self::new(Kind::Drill, id)
    }

    /// The system and person of an account's key.
    ///
    /// # Errors
    /// When the key is not `system/person`.
    pub fn account_parts(&self) -> Result<(Name, Name), NameError> {
        let (system, person) = self.key.split_once('/').unwrap_or((self.key.as_str(), ""));
        Ok((system.parse()?, person.parse()?))
    }

    /// The person and id of a passkey's key.
    ///
    /// # Errors
    /// When the key is not `person/id`.
    pub fn passkey_parts(&self) -> Result<(Name, String), NameError> {
        self.envelope_parts()
    }

    /// The agent and id of an envelope's key.
    ///
    /// # Errors
    /// When the key is not `agent/id`.
    pub fn envelope_parts(&self) -> Result<(Name, String), NameError> {
        let (agent, id) = self.key.split_once('/').unwrap_or((self.key.as_str(), ""));
        Ok((agent.parse()?, id.to_owned()))
    }

    /// The system and tool of a tool key.
    ///
    /// # Errors
    /// When the key is not `system/tool`.
    pub fn tool_parts(&self) -> Result<(Name, ToolName), NameError> {
        let (system, tool) = self.key.split_once('/').unwrap_or((self.key.as_str(), ""));
        Ok((system.parse()?, tool.parse()?))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.key)
    }
}

const LOGIN: &str = "login:";
const SUBJECT: &str = "subject:";

fn identity(name: &Name) -> String {
    format!("identity:{name}")
}
