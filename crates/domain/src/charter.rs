//! The charter: an agent's declared intent. One object, read by authorisation, drift, review and blast radius.

use crate::{Decimal, DurationMs, Label, Name, Timestamp, ToolName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where an agent lives and what a system belongs to. They must match (guardrail `environment`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Nothing real can be touched.
    Sandbox,
    /// Real shape, no real consequences.
    Staging,
    /// Real.
    Production,
}

/// How far an agent is trusted to act without a person; earned, and lost by an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Autonomy {
    /// New or just changed: reads and prepares, a person completes every change.
    Probation,
    /// Ordinary changes by itself, high-impact ones with a person.
    Supervised,
    /// Everything in the charter within its limits, except what an organisation policy still gates.
    Bounded,
}

/// What an agent is for and what it may do. A change is a new revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// What the agent is for, in a sentence a stranger understands.
    pub purpose: String,
    /// The one accountable person.
    pub owner: Name,
    /// Who follows when the owner leaves, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deputies: Vec<Name>,
    /// Where it runs.
    pub environment: Environment,
    /// How far it is trusted.
    pub autonomy: Autonomy,
    /// What it may call, with limits on arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// Labels of data it may read; reading anything else is refused.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub data: BTreeSet<Label>,
    /// Counts and sums over a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// When it may act; always, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// Whether it may hand work to others, and how far.
    #[serde(default)]
    pub delegation: Delegation,
    /// What it is made of: `model`, `prompt`, `image` and others, each a name or digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub manifest: BTreeMap<String, String>,
    /// When it retires by itself.
    #[serde(default)]
    pub retirement: Retirement,
    /// The longest a task of this agent may last.
    pub task_duration_max: DurationMs,
}

/// Tools of one system that the agent may call, and the limits on their arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The system.
    pub system: Name,
    /// Its tools, by exact name.
    pub tools: Vec<ToolName>,
    /// Limits on arguments, by dotted path (`amount`, `recipient.iban`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, ArgRule>,
}

/// What an argument may be. Every part given must hold. An argument with a rule must be present unless `optional`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgRule {
    /// Exactly one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Scalar>,
    /// None of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub none_of: Vec<Scalar>,
    /// A pattern with `*` for any text (Cedar `like`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// A pattern it must not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_like: Option<String>,
    /// At least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Decimal>,
    /// At most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
    /// May be left out of the call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Must be left out of the call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

/// A value an argument is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// Text; for a decimal argument, the text of the decimal.
    Text(String),
}

/// At most so many calls, or so much of an argument, within a window that slides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Named in refusals: `refunds-a-day`.
    pub name: Name,
    /// The system of the tools.
    pub system: Name,
    /// The tools it counts.
    pub tools: Vec<ToolName>,
    /// The length of the window.
    pub window: DurationMs,
    /// One balance for the agent, or one for each of its tasks.
    pub per: BudgetScope,
    /// At most this many calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_max: Option<u32>,
    /// At most this sum of an argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<BudgetSum>,
}

/// Whose balance a budget draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetScope {
    /// All tasks of the agent together.
    Agent,
    /// Each task by itself.
    Task,
}

/// A sum of one argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSum {
    /// Dotted path of a number argument.
    pub arg: String,
    /// The sum may reach, not pass, this.
    pub max: Decimal,
}

/// When an agent may act: from `from_minute` up to, not including, `to_minute` on these days, in this time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Days of the week.
    pub days: BTreeSet<Weekday>,
    /// Minutes after midnight, 0-1439.
    pub from_minute: u16,
    /// Minutes after midnight, 1-1440.
    pub to_minute: u16,
    /// IANA name, such as `Europe/Berlin`.
    pub timezone: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Whether and how far an agent may hand work to sub-agents. Nothing, unless said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Levels below the agent; 0 forbids delegation.
    pub depth_max: u8,
    /// Children alive at once, at each level.
    pub children_max: u16,
}

/// When an agent retires by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// From this moment it may no longer act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// After so many days without a task it retires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_days_max: Option<u16>,
}

impl Charter {
    /// Whether some grant names this tool.
    #[must_use]
    pub fn grants_tool(&self, system: &Name, tool: &ToolName) -> bool {
        self.grants.iter().any(|grant| grant.system == *system && grant.tools.contains(tool))
    }

    /// The systems it reaches, each once, in order.
    #[must_use]
    pub fn systems(&self) -> BTreeSet<&Name> {
        self.grants.iter().map(|grant| &grant.system).collect()
    }
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl $type {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in files, policies and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
words! {
    Environment { Sandbox = "sandbox", Staging = "staging", Production = "production" }
    Autonomy { Probation = "probation", Supervised = "supervised", Bounded = "bounded" }
    Weekday { Mon = "mon", Tue = "tue", Wed = "wed", Thu = "thu", Fri = "fri", Sat = "sat", Sun = "sun" }
    BudgetScope { Agent = "agent", Task = "task" }
}
