//! The charter: an agent's declared intent. One object, read by authorisation, drift, review and blast radius.

use crate::{Decimal, DurationMs, Label, Name, TextMap, Timestamp, ToolName};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{collections::BTreeSet, fmt, sync::Arc};

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
///
/// There is one for each of perhaps a million agents, and most say what others say too: parts are shared and exactly as
/// large as what is in them ([`crate::Pool`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// What the agent is for, in a sentence a stranger understands.
    pub purpose: Arc<str>,
    /// The one accountable person.
    pub owner: Name,
    /// Who follows when the owner leaves, in order.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub deputies: Arc<[Name]>,
    /// People it may act for when they sign in, besides owner and deputies.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub users: Arc<[Name]>,
    /// Where it runs.
    pub environment: Environment,
    /// How far it is trusted.
    pub autonomy: Autonomy,
    /// What it may call, with limits on arguments.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub grants: Arc<[Grant]>,
    /// Labels of data it may read; reading anything else is refused.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub data: Arc<BTreeSet<Label>>,
    /// Counts and sums over a window.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub budgets: Arc<[Budget]>,
    /// When it may act; always, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Arc<Hours>>,
    /// Whether it may hand work to others, and how far.
    #[serde(default)]
    pub delegation: Delegation,
    /// What it is made of: `model`, `prompt`, `image` and others, each a name or digest.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub manifest: TextMap<str>,
    /// When it retires by itself.
    #[serde(default)]
    pub retirement: Retirement,
    /// The longest a task of this agent may last.
    pub task_duration_max: DurationMs,
}

/// Tools of one system that the agent may call, and the limits on their arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// The system.
    pub system: Name,
    /// Its tools, by exact name.
    pub tools: Arc<[ToolName]>,
    /// Limits on arguments, by dotted path (`amount`, `recipient.iban`).
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub args: TextMap<ArgRule>,
}

/// What an argument may be. Every part given must hold. An argument with a rule must be present unless `optional`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgRule {
    /// Exactly one of these.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub one_of: Box<[Scalar]>,
    /// None of these.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub none_of: Box<[Scalar]>,
    /// A pattern with `*` for any text (Cedar `like`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<Box<str>>,
    /// A pattern it must not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_like: Option<Box<str>>,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Budget {
    /// Named in refusals: `refunds-a-day`.
    pub name: Name,
    /// The system of the tools.
    pub system: Name,
    /// The tools it counts.
    pub tools: Arc<[ToolName]>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetScope {
    /// All tasks of the agent together.
    Agent,
    /// Each task by itself.
    Task,
}

/// A sum of one argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BudgetSum {
    /// Dotted path of a number argument.
    pub arg: String,
    /// The sum may reach, not pass, this.
    pub max: Decimal,
}

/// When an agent may act: from `from_minute` up to, not including, `to_minute` on these days, in this time zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// Takes over the parts that another charter says alike, such as the one before it, instead of its own copies.
    pub fn share_with(&mut self, other: &Self) {
        fn same<T: ?Sized + Eq>(own: &mut Arc<T>, other: &Arc<T>) {
            if own == other {
                own.clone_from(other);
            }
        }
        same(&mut self.purpose, &other.purpose);
        same(&mut self.owner.0, &other.owner.0);
        same(&mut self.deputies, &other.deputies);
        same(&mut self.users, &other.users);
        same(&mut self.grants, &other.grants);
        same(&mut self.data, &other.data);
        same(&mut self.budgets, &other.budgets);
        same(self.manifest.whole_mut(), other.manifest.whole());
        if let (Some(own), Some(other)) = (&mut self.hours, &other.hours) {
            same(own, other);
        }
    }

    /// The systems it reaches, each once, in order.
    #[must_use]
    pub fn systems(&self) -> BTreeSet<&Name> {
        self.grants.iter().map(|grant| &grant.system).collect()
    }
}

impl<'de> Deserialize<'de> for Scalar {
    /// What `untagged` would make, without holding the value in memory first: a million agents have many.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a whole number in 64 bits, or text")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Long(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
                let too_large = |_| E::invalid_value(de::Unexpected::Unsigned(value), &self);
                i64::try_from(value).map(Scalar::Long).map_err(too_large)
            }

            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn is_empty(labels: &Arc<BTreeSet<Label>>) -> bool {
    labels.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_of_a_charter_is_written_as_it_was_read() {
        let whole = json!({
            "purpose": "pays", "owner": "maria", "deputies": ["ben"], "environment": "sandbox", "autonomy": "bounded",
            "grants": [
                {"system": "bank", "tools": ["pay"], "args": {
                    "amount": {"max": "500.0", "min": "1.0"}, "memo": {"like": "a*", "not_like": "b*", "optional": true},
                    "to": {"one_of": [true, -5, "x"], "none_of": ["y"]}, "urgent": {"absent": true},
                }},
                {"system": "bank", "tools": ["balance", "accounts"]},
            ],
            "data": ["confidential", "payroll"],
            "budgets": [{"name": "day", "system": "bank", "tools": ["pay"], "window": 5, "per": "task", "count_max": 3,
                "sum": {"arg": "amount", "max": "9.5"}}],
            "hours": {"days": ["mon", "fri"], "from_minute": 1, "to_minute": 2, "timezone": "UTC"},
            "delegation": {"depth_max": 1, "children_max": 2}, "manifest": {"image": "sha256:1", "model": "m"},
            "retirement": {"expires": 7, "idle_days_max": 8}, "task_duration_max": 9,
        });
        let least = json!({
            "purpose": "", "owner": "maria", "environment": "staging", "autonomy": "probation",
            "delegation": {"depth_max": 0, "children_max": 0}, "retirement": {}, "task_duration_max": 9,
        });
        for text in [whole.to_string(), least.to_string()] {
            let read: Charter = serde_json::from_str(&text).unwrap();
            assert_eq!(crate::canonical::to_string(&read).unwrap(), {
                let plain: serde_json::Value = serde_json::from_str(&text).unwrap();
                crate::canonical::to_string(&plain).unwrap()
            });
        }
    }

    #[test]
    fn a_listed_value_is_true_or_false_a_whole_number_in_64_bits_or_text_and_nothing_else() {
        let cases = [
            ("true", Scalar::Bool(true)),
            ("-9223372036854775808", Scalar::Long(i64::MIN)),
            ("9223372036854775807", Scalar::Long(i64::MAX)),
            (r#""1\n""#, Scalar::Text("1\n".to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(serde_json::from_str::<Scalar>(text).unwrap(), expected);
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::from_value::<Scalar>(value).unwrap(), expected);
            assert_eq!(serde_json::to_string(&expected).unwrap(), text);
        }
        for text in ["9223372036854775808", "1.5", "null", "[]", "{}", "1e3"] {
            assert!(serde_json::from_str::<Scalar>(text).is_err(), "{text}");
        }
    }
}
