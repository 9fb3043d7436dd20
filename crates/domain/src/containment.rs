//! A containment: one order that takes power from whoever it matches, now and from now on. Nothing is written to the agents:
//! every decision asks which orders match it ([`Orders`]), so an order binds at the next decision whatever it is about.

use crate::{
    Agent, Charter, DecisionId, Effect, Environment, Level, Name, TaskId, Timestamp, Tool, ToolName,
    organisation::Organisation, pattern, statement::Signature,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod lift;
mod orders;

pub use orders::Orders;

/// One order, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containment {
    /// Names it for ever: `containment_` and hexadecimal digits.
    pub id: String,
    /// Whom and what it is about.
    pub scope: Scope,
    /// What it leaves them.
    pub level: Restraint,
    /// Why, in the words of who ordered it.
    pub reason: String,
    /// Who ordered it.
    pub by: Who,
    /// When.
    pub at: Timestamp,
    /// Where it stands.
    pub status: ContainmentStatus,
    /// It belongs to a drill, and is about a canary: whoever ends the drill lifts it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// What was ended because of it so far.
    #[serde(default)]
    pub ended: Ended,
    /// What is known of each system that whoever it is about could reach.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub systems: BTreeMap<Name, SystemEvidence>,
    /// Calls that it cut half-way and a person has looked into.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settled: BTreeMap<DecisionId, Settled>,
    /// Who outside was told of it, by lane: receivers of signals, channels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Reached>,
}

/// Whom and what an order is about. Everything that is said must hold; a scope that says nothing is about everything, which
/// files and requests must say in so many words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// This agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    /// Agents of this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
    /// Agents whose owner is in this group of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    /// Agents whose name fits this pattern: `invoice-*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Agents made with a model (`model` of the manifest) that fits this pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Agents of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Calls of this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Name>,
    /// Calls of this operation of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
}

/// What an order leaves (REQUIREMENTS.md F2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Restraint {
    /// Everything: each call says that it is looked at.
    Observe,
    /// Everything but operations with one of these effects.
    Without {
        /// The effects.
        effects: BTreeSet<Effect>,
    },
    /// What the agent's owner agrees to, call by call.
    ApprovalsOnly,
    /// Operations whose one effect is to read.
    ReadOnly,
    /// Nothing.
    Off,
}

/// Who did something, and how the plane knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The person, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    /// How the plane knows: `maria, signed in`, `local administrator for maria`, `plane`.
    pub shown_by: String,
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ContainmentStatus {
    /// It binds.
    InForce,
    /// It binds, and somebody asked that it be lifted; another person must agree.
    LiftAsked {
        /// Who.
        by: Who,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// It binds nobody any more.
    Lifted {
        /// Who lifted it.
        by: Who,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
        /// Who had asked for it, where two were needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Who>,
        /// The passkey of who lifted it, over [`Containment::lift_matter`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<Box<Signature>>,
    },
}

/// What was ended because of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When nothing was left to end for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Timestamp>,
    /// Tasks, and with them their tokens, refresh tokens and children.
    pub tasks: u64,
    /// Approvals that waited or were not used.
    pub approvals: u64,
    /// Envelopes.
    pub envelopes: u64,
    /// Some of those tasks, the first 100: what the faces of the plane said to their tokens is part of the proof.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub some: BTreeSet<TaskId>,
}

/// How far an order got at one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It stands.
    Ordered,
    /// What has to be taken back there was asked to be.
    Delivered,
    /// The system, or the plane for it, says that it is gone.
    Confirmed,
    /// The plane tried it.
    Probed,
}

/// What may be said of one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// What was tried with a retired credential was refused, or nothing leads there but the plane.
    Contained,
    /// The plane lets nothing through; that nothing else leads there is not shown.
    Partial,
    /// It is not known yet, or could not be asked.
    Unknown,
}

/// What is known of one system, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemEvidence {
    /// How far it got.
    pub stage: Stage,
    /// What may be said.
    pub proof: Proof,
    /// Why, in a sentence.
    pub because: String,
    /// When this was looked at last.
    pub at: Timestamp,
    /// When it was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// The last call that was let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted: Option<Seen>,
    /// The first call after the order that was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_refused: Option<Seen>,
    /// What the plane had made there for those the order is about, at most 1,000.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub minted: BTreeSet<String>,
    /// How many more there were than that: what became of those is not known here.
    #[serde(default, skip_serializing_if = "is_none_of")]
    pub minted_more: u64,
    /// The accounts of its agents at this system, made inactive over SCIM.
    #[serde(default, skip_serializing_if = "Reached::is_empty")]
    pub accounts: Reached,
    /// How often it was looked at.
    pub rounds: u32,
}

/// How far something got that is owed to somebody outside: counted by what they acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// So much is owed.
    pub owed: u64,
    /// So much was acknowledged; an account was read back and is not active.
    pub done: u64,
    /// So much was given up: refused, or not taken in time.
    pub given_up: u64,
}

/// A decision, and when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which.
    pub decision: DecisionId,
    /// When.
    pub at: Timestamp,
}

/// What a person found out about a call that was cut half-way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Who looked.
    pub by: Who,
    /// When.
    pub at: Timestamp,
    /// What they found.
    pub found: String,
}

/// What all orders that match one call leave it together, and the agent's own level with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restriction {
    /// The worst level.
    pub level: Level,
    /// Somebody said that every call waits for the owner, since when; no envelope that is open opens that.
    pub asks: bool,
    /// Effects that are withheld.
    pub without: BTreeSet<Effect>,
}

impl Reached {
    /// Whether nothing is owed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.owed == 0
    }

    /// What is neither acknowledged nor given up.
    #[must_use]
    pub const fn waits(&self) -> u64 {
        self.owed.saturating_sub(self.done).saturating_sub(self.given_up)
    }

    /// Whether everything was acknowledged.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.owed == self.done
    }
}

impl Containment {
    /// Whether it binds.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        !matches!(self.status, ContainmentStatus::Lifted { .. })
    }

    /// Since when it stands as it does.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        match &self.status {
            ContainmentStatus::InForce => self.at,
            ContainmentStatus::LiftAsked { at, .. } | ContainmentStatus::Lifted { at, .. } => *at,
        }
    }

    /// Who, what and why, in a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} at level {}, ordered by {}: {}", self.scope.words(), self.level, self.by, self.reason)
    }
}

impl Scope {
    /// Whether it is about whole agents, not only some of their calls.
    #[must_use]
    pub fn is_about_agents(&self) -> bool {
        self.system.is_none() && self.tool.is_none()
    }

    /// Whether it says nothing, and so is about everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says anything of agents, not only of what is called, or that all is meant.
    #[must_use]
    pub const fn names_agents(&self) -> bool {
        let Self { agent, owner, group, like, model, environment, system: _, tool: _ } = self;
        agent.is_some()
            || owner.is_some()
            || group.is_some()
            || like.is_some()
            || model.is_some()
            || environment.is_some()
    }

    /// Whether this agent is one it is about.
    #[must_use]
    pub fn has_agent(&self, agent: &Agent, organisation: Option<&Organisation>) -> bool {
        self.has(&agent.name, &agent.charter, organisation)
    }

    fn has(&self, name: &Name, charter: &Charter, organisation: Option<&Organisation>) -> bool {
        let in_group = |group: &Name| {
            let known = organisation.and_then(|all| all.groups.get(group));
            known.is_some_and(|group| group.members.contains(&charter.owner))
        };
        self.agent.as_ref().is_none_or(|wanted| wanted == name)
            && self.owner.as_ref().is_none_or(|owner| *owner == charter.owner)
            && self.environment.is_none_or(|environment| environment == charter.environment)
            && self.like.as_ref().is_none_or(|like| pattern::matches(like, name.as_str()))
            && self.group.as_ref().is_none_or(in_group)
            && self.model.as_ref().is_none_or(|like| {
                charter.manifest.get(MODEL).is_some_and(|model| pattern::matches(like, model))
            })
    }

    /// Whether it is about calls of this operation.
    #[must_use]
    pub fn has_call(&self, system: &Name, tool: Option<&ToolName>) -> bool {
        self.system.as_ref().is_none_or(|wanted| wanted == system)
            // What is about no operation in particular (a stream) is cut by orders about the whole system only.
            && self.tool.as_ref().is_none_or(|wanted| Some(wanted) == tool)
    }

    /// In words: `agent clerk`, `agents of maria, system bank`.
    #[must_use]
    pub fn words(&self) -> String {
        let environment = self.environment.map(Environment::as_str);
        let parts = [
            ("agent", self.agent.as_ref().map(Name::as_str)),
            ("agents of", self.owner.as_ref().map(Name::as_str)),
            ("agents of the group", self.group.as_ref().map(Name::as_str)),
            ("agents named", self.like.as_deref()),
            ("agents with the model", self.model.as_deref()),
            ("environment", environment),
            ("system", self.system.as_ref().map(Name::as_str)),
            ("tool", self.tool.as_ref().map(ToolName::as_str)),
        ];
        let said = parts.iter().filter_map(|(what, value)| value.map(|value| format!("{what} {value}")));
        let said: Vec<String> = said.collect();
        if said.is_empty() { "everything".to_owned() } else { said.join(", ") }
    }
}

impl Restraint {
    /// `observe`, `without`, `approvals-only`, `read-only` or `off`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Without { .. } => "without",
            Self::ApprovalsOnly => "approvals-only",
            Self::ReadOnly => "read-only",
            Self::Off => "off",
        }
    }

    /// The guardrail that refuses or holds because of it; none refuses what is only observed.
    #[must_use]
    pub const fn guardrail(&self) -> Option<&'static str> {
        match self {
            Self::Observe => None,
            Self::Without { .. } => Some("guardrail/level-without"),
            Self::ApprovalsOnly => Some("guardrail/level-approvals-only"),
            Self::ReadOnly => Some("guardrail/level-read-only"),
            Self::Off => Some("guardrail/level-off"),
        }
    }

    /// Whether a call that is under way may not go on under it.
    #[must_use]
    pub fn cuts(&self, tool: Option<&Tool>) -> bool {
        match self {
            Self::Off => true,
            // A stream that only listens reads.
            Self::ReadOnly => tool.is_some_and(|tool| !tool.only_reads()),
            Self::Without { effects } => {
                tool.is_some_and(|tool| !tool.effects_or_worst().is_disjoint(effects))
            }
            // The owner did not see it coming, but it was allowed when it began.
            Self::Observe | Self::ApprovalsOnly => false,
        }
    }
}

impl Restriction {
    /// What the agent's own level leaves.
    #[must_use]
    pub fn own(level: Level) -> Self {
        Self { level, asks: level == Level::ApprovalsOnly, without: BTreeSet::new() }
    }

    /// Less, by one more order.
    pub fn add(&mut self, restraint: &Restraint) {
        match restraint {
            Restraint::Observe => {}
            Restraint::Without { effects } => self.without.extend(effects),
            Restraint::ApprovalsOnly => {
                self.level = self.level.max(Level::ApprovalsOnly);
                self.asks = true;
            }
            Restraint::ReadOnly => self.level = self.level.max(Level::ReadOnly),
            Restraint::Off => self.level = Level::Off,
        }
    }
}

impl ContainmentStatus {
    /// `in-force`, `lift-asked` or `lifted`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::LiftAsked { .. } => "lift-asked",
            Self::Lifted { .. } => "lifted",
        }
    }
}

impl Stage {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Delivered => "delivered",
            Self::Confirmed => "confirmed",
            Self::Probed => "probed",
        }
    }
}

impl Proof {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contained => "contained",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Restraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Without { effects } => {
                let effects: Vec<&str> = effects.iter().map(|effect| effect.as_str()).collect();
                write!(f, "without {}", effects.join(", "))
            }
            _ => f.write_str(self.as_str()),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.person {
            Some(person) => write!(f, "{person}"),
            None => f.write_str(&self.shown_by),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
const fn is_none_of(count: &u64) -> bool {
    *count == 0
}

/// The part of a manifest that says which model an agent is made with.
pub const MODEL: &str = "model";
/// How reasons of verdicts name an order: this, and its id.
pub const REASON_PREFIX: &str = "containment/";
