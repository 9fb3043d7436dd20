//! Tasks: bounded runs of an agent. Tokens belong to tasks, and a task ends.

use crate::charter::{ArgRule, Scalar};
use crate::{Bill, Digest, DurationMs, Label, Name, TaskId, Timestamp, ToolName};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A bounded run of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Names it for ever.
    pub id: TaskId,
    /// Whose run it is.
    pub agent: Name,
    /// What this run is for, in the requester's words.
    pub purpose: Arc<str>,
    /// The person who asked for it.
    pub requester: Name,
    /// What they gave it to work with besides the purpose, by name: an invoice number, an account, an address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// The part of the charter it may use; all of it, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Arc<[TaskScope]>>,
    /// When it started.
    pub started: Timestamp,
    /// From this moment on it may do nothing.
    pub expires: Timestamp,
    /// Where it stands.
    pub status: TaskStatus,
    /// The task on whose behalf it runs; it dies with it, and may do nothing that one may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// `jti` of its tokens that were taken back before the task ended.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub revoked: BTreeSet<String>,
    /// The requester signed in and agreed to it, or their identity provider said so: it acts for that person, and may use
    /// their accounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_person: bool,
    /// The refresh tokens of the client it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
    /// What the plane's faces said to a token of it after it had ended; nothing before that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Box<Trial>>,
    /// What the agent said that it is made of when it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<Arc<Bill>>,
}

/// The plane's own try of a task that ended (REQUIREMENTS.md B5: gone, not dormant): a token of it that is good in every
/// other way, presented at each face it could have reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// How often it was tried, from 1.
    pub round: u8,
    /// What the newest round met, one for each face.
    pub probes: Vec<Probe>,
}

/// One face, tried once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its path: `/mcp/bank`.
    pub face: String,
    /// When.
    pub at: Timestamp,
    /// What it said.
    pub answer: ProbeAnswer,
    /// The HTTP status of that, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What a face said to a token that must not be good any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeAnswer {
    /// It does not take the token.
    Refused,
    /// It did not refuse the token. This is an alarm.
    Accepted,
    /// It did not answer, or did not get to judging the token.
    Unreachable,
}

/// Refresh tokens of a task (RFC 9700 section 4.14.2): one is good at a time, and one that comes again ends the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The client they were issued to.
    pub client_id: String,
    /// SHA-256 of the one that is good.
    pub good: Digest,
    /// SHA-256 of those that were used.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub used: BTreeSet<Digest>,
    /// Thumbprint of the key they are bound to (RFC 9449 section 5), base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// The one resource that tokens are for; all of the plane's, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Name>,
}

/// Tools of one system that a task may use; a subset of the charter's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskScope {
    /// The system.
    pub system: Name,
    /// Its tools; all the charter grants there, if empty.
    #[serde(default)]
    pub tools: Arc<[ToolName]>,
    /// Limits on arguments, beside the charter's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, ArgRule>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// May act until it expires.
    Running,
    /// Over; its tokens are refused.
    Ended,
}

/// What a task carries with it and gains as it acts. Every move raises `version`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// From 0; a decision made on an older version is not recorded but made again.
    pub version: u64,
    /// What it has read so far.
    pub labels: BTreeSet<Label>,
}

impl ProbeAnswer {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Accepted => "accepted",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Trial {
    /// Whether every face refused.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.probes.iter().all(|probe| probe.answer == ProbeAnswer::Refused)
    }
}

fn text_of(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Long(value) => value.to_string(),
        Scalar::Text(text) => text.clone(),
    }
}

impl Task {
    /// What its requester gave besides the purpose: the inputs, and the values that limits of its scope name.
    pub fn given(&self) -> impl Iterator<Item = (&str, String)> {
        let inputs = self.inputs.iter().map(|(name, text)| (name.as_str(), text.clone()));
        let parts = self.scope.iter().flat_map(|parts| parts.iter());
        let limits = parts.flat_map(|part| &part.args);
        inputs.chain(
            limits
                .flat_map(|(arg, rule)| rule.one_of.iter().map(move |value| (arg.as_str(), text_of(value)))),
        )
    }

    /// Whether it may act at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status == TaskStatus::Running && now < self.expires
    }

    /// Whether its scope includes this tool.
    #[must_use]
    pub fn includes(&self, system: &Name, tool: &ToolName) -> bool {
        self.scope.as_ref().is_none_or(|scope| {
            scope
                .iter()
                .any(|part| part.system == *system && (part.tools.is_empty() || part.tools.contains(tool)))
        })
    }

    /// How long it has left at `now`.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> DurationMs {
        self.expires.since(now)
    }
}
