//! A review of what an agent may do, beside what it did (REQUIREMENTS.md H1): a line for each tool that its charter grants.

use crate::{Effect, Name, TaskId, Timestamp, ToolName, charter::ArgRule};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One review of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessReview {
    /// Names it for ever: `review_` and hexadecimal digits.
    pub id: String,
    /// Whose grants.
    pub agent: Name,
    /// Why it was opened: a campaign, or what happened.
    pub because: String,
    /// When.
    pub opened: Timestamp,
    /// What the agent did is looked at from here on.
    pub since: Timestamp,
    /// Until when its owner has to answer; after that what is proposed is carried out.
    pub due: Timestamp,
    /// The charter that was looked at.
    pub revision: u32,
    /// How many decisions were looked through.
    pub decisions: u64,
    /// Whether that were all.
    pub whole: bool,
    /// What it is granted, each tool with what became of it.
    pub lines: Vec<ReviewLine>,
    /// What the proposal would have changed.
    pub effect: Rehearsed,
    /// Where it stands.
    pub status: ReviewStatus,
    /// It was done long ago, and is on record only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filed: bool,
}

/// One granted tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewLine {
    /// The system.
    pub system: Name,
    /// The tool.
    pub tool: ToolName,
    /// What it does.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub effects: BTreeSet<Effect>,
    /// How bad that could be: the worst of its effects decides.
    pub risk: Risk,
    /// Calls that were allowed.
    pub used: u64,
    /// Calls that waited for a person.
    pub held: u64,
    /// Calls that were refused.
    pub denied: u64,
    /// When it was first asked for, of what was looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// When it was last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The newest tasks that used it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskId>,
    /// Other agents that share a system with this one there, and how many of them are granted this tool.
    pub peers: Peers,
    /// Limits on arguments that every call of it kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, ArgRule>,
    /// What is done without an answer.
    pub proposed: Choice,
    /// What its owner said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Choice>,
}

/// How others are granted a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Granted it.
    pub with: u32,
    /// Of so many.
    pub of: u32,
}

/// What becomes of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// As it is.
    Keep,
    /// With limits that every call so far kept.
    Narrow,
    /// Not at all.
    Revoke,
}

/// How bad a tool could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// It reads.
    Low,
    /// It changes, or tells somebody.
    Medium,
    /// What it does is hard to undo, or nobody said what it does.
    High,
}

/// Calls on record, decided once more with what is proposed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// Calls.
    pub calls: u64,
    /// That would have come out otherwise.
    pub changed: u64,
}

/// Where a review stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ReviewStatus {
    /// Its owner is asked.
    Open,
    /// It was answered, or its time was over, and that was carried out.
    Done {
        /// When.
        at: Timestamp,
        /// Who answered, as records say; the plane, if nobody did.
        by: String,
        /// Whether nobody answered some of it in time.
        lapsed: bool,
        /// The charter afterwards.
        revision: u32,
        /// Whether what was taken is refused, tried after it was carried out; not yet, if absent.
        verified: Option<Verified>,
    },
}

/// What was tried after a review was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Tools that are refused now.
    pub refused: Vec<String>,
    /// Tools that are not.
    pub still: Vec<String>,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Narrow, Self::Revoke];

    /// The word used in files, records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Narrow => "narrow",
            Self::Revoke => "revoke",
        }
    }
}

impl Risk {
    /// Of what a tool does.
    #[must_use]
    pub fn of(effects: &BTreeSet<Effect>) -> Self {
        effects.iter().map(|effect| Self::of_effect(*effect)).max().unwrap_or(Self::High)
    }

    const fn of_effect(effect: Effect) -> Self {
        match effect {
            Effect::Read => Self::Low,
            Effect::Write | Effect::Communicate => Self::Medium,
            _ => Self::High,
        }
    }

    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl AccessReview {
    /// Whether somebody is still asked.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == ReviewStatus::Open
    }

    /// What becomes of a line: what was answered, or what is proposed.
    #[must_use]
    pub fn choice(line: &ReviewLine) -> Choice {
        line.answer.unwrap_or(line.proposed)
    }
}

impl ReviewLine {
    /// `bank/transfer`.
    #[must_use]
    pub fn path(&self) -> String {
        crate::decision::tool_path(&self.system, &self.tool)
    }
}
