//! Tools: the operations of a system, pinned and classified.

use crate::{Digest, Effect, Label, Name, RequestRule, ToolName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One operation of a system as a person reviewed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The system it belongs to.
    pub system: Name,
    /// Its name there.
    pub name: ToolName,
    /// What it is for, as reviewed.
    #[serde(default)]
    pub description: String,
    /// Digest of the definition the server gave at review; a call is refused when the server's differs.
    pub pin: Digest,
    /// What it can do. Empty means nobody said: it counts as every effect.
    #[serde(default)]
    pub effects: BTreeSet<Effect>,
    /// The type of each argument, by name. An argument that is not here is refused.
    #[serde(default)]
    pub args: BTreeMap<String, ArgType>,
    /// What its results bring into a task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Returns>,
    /// Whether a call hands data to somebody outside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sends_out: bool,
    /// Which of its arguments decide whom or what a call reaches.
    #[serde(default, skip_serializing_if = "Steering::is_empty")]
    pub steering: Steering,
    /// The request it is, for an operation of an HTTP API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestRule>,
}

/// The arguments of a tool that matter to where they come from, by dotted path (`recipient.iban`; arrays are walked).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steering {
    /// Payee, recipient, URL, path, account, command, amount: they decide what the call does to whom.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub steers: BTreeSet<String>,
    /// Text that goes along, such as the body of a message: links in it steer whoever reads it, and data in it leaves.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub carries: BTreeSet<String>,
}

/// A label that results carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// The label.
    pub label: Label,
    /// Only when the structured result has something at this dotted path (`lines.memo`; arrays are walked).
    /// A result without structure counts as having it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// The type policies see an argument as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgType {
    /// Its shape.
    #[serde(flatten)]
    pub shape: ArgShape,
    /// Whether a call must have it.
    #[serde(default)]
    pub required: bool,
}

/// The shape of an argument. JSON that fits none of the typed ones reaches policies as its canonical text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ArgShape {
    /// Text.
    String,
    /// A whole number in 64 bits.
    Long,
    /// A number with at most four fraction digits.
    Decimal,
    /// True or false.
    Bool,
    /// A list of values of one scalar shape; order and repetition are not seen by policies.
    Set {
        /// The shape of each member.
        of: Box<ArgShape>,
    },
    /// An object with these members and no others.
    Record {
        /// The members.
        members: BTreeMap<String, ArgType>,
    },
    /// Any JSON, seen by policies as its canonical text (RFC 8785).
    Json,
}

impl Steering {
    /// Whether nothing was declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steers.is_empty() && self.carries.is_empty()
    }
}

impl Tool {
    /// The effects policies decide on: all of them when nobody classified the tool.
    #[must_use]
    pub fn effects_or_worst(&self) -> BTreeSet<Effect> {
        if self.effects.is_empty() { Effect::ALL.into_iter().collect() } else { self.effects.clone() }
    }

    /// Every label a result may carry.
    #[must_use]
    pub fn labels(&self) -> BTreeSet<&Label> {
        self.returns.iter().map(|returns| &returns.label).collect()
    }

    /// Whether its only effect is to read.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.effects.len() == 1 && self.effects.contains(&Effect::Read)
    }

    /// Whether it reads or writes and does nothing else: nothing leaves, nothing is lost, nobody gains a right.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = |effect: &Effect| matches!(effect, Effect::Read | Effect::Write);
        !self.effects.is_empty() && self.effects.iter().all(plain) && !self.sends_out
    }

    /// `system/tool`, as policies and decisions name it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.system, self.name)
    }
}

/// Operations that every MCP server has besides its tools. They are decided like tools, under these names, and a
/// charter grants them like tools: `tools = ["@resources"]`, `args.uri = { like = "file:///srv/docs/*" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltIn {
    /// `resources/read`, `resources/subscribe`: one argument, `uri`.
    Resources,
    /// `prompts/get`: one argument, `name`.
    Prompts,
    /// `completion/complete`: no argument policies see.
    Completion,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Resources, Self::Prompts, Self::Completion];

    /// The name it is granted and decided under.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resources => "@resources",
            Self::Prompts => "@prompts",
            Self::Completion => "@completion",
        }
    }

    /// The tool that stands for it in one system.
    ///
    /// # Errors
    /// Never in practice: the names above are tool names.
    pub fn tool(self, system: &crate::System) -> Result<Tool, crate::NameError> {
        let arg = match self {
            Self::Resources => Some("uri"),
            Self::Prompts => Some("name"),
            Self::Completion => None,
        };
        let args = arg.map(|name| (name.to_owned(), ArgType { shape: ArgShape::String, required: true }));
        Ok(Tool {
            system: system.name.clone(),
            name: self.as_str().parse()?,
            description: String::new(),
            pin: Digest::of(self.as_str().as_bytes()),
            effects: BTreeSet::from([Effect::Read]),
            args: args.into_iter().collect(),
            returns: system
                .resource_labels
                .iter()
                .map(|l| Returns { label: l.clone(), field: None })
                .collect(),
            sends_out: false,
            steering: Steering::default(),
            request: None,
        })
    }
}
