//! Agents: identities that choose their own actions.

use crate::{Charter, Life, Name, Proof, Timestamp, containment::Who, ids::AgentId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One agent: an identity, its charter in force, and where it stands in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// For ever.
    pub id: AgentId,
    /// Unique for ever among identities of every class, and never given again.
    pub name: Name,
    /// Where it stands; see `provost-lifecycle` for the moves between.
    pub status: AgentStatus,
    /// What containment leaves it.
    #[serde(default)]
    pub level: Level,
    /// Revision of the charter, from 1.
    pub revision: u32,
    /// The charter in force.
    pub charter: Charter,
    /// Where it came from.
    pub provenance: Provenance,
    /// How it proves that it is itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
    /// Somebody asked that it be left more than nothing, and another person has to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loosening: Option<Box<Loosening>>,
    /// What its life has left beside the charter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<Arc<Life>>,
}

/// Somebody's word that an agent at level `off` be left more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loosening {
    /// What it is to be left.
    pub to: Level,
    /// Who asked.
    pub by: Who,
    /// When.
    pub at: Timestamp,
}

/// The published states of an agent's life (REQUIREMENTS.md B1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentStatus {
    /// Found, not adopted: may do nothing.
    Unmanaged,
    /// Declared, not yet started: may do nothing.
    Proposed,
    /// May act within its charter.
    Active,
    /// What it is made of changed: may do nothing until approved again.
    PendingReapproval,
    /// Stopped by a person or a rule: may do nothing until resumed.
    Suspended,
    /// Ended for ever.
    Decommissioned,
}

/// What a containment order leaves an agent (REQUIREMENTS.md F2), from everything to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Not contained.
    #[default]
    Normal,
    /// Everything waits for a person.
    ApprovalsOnly,
    /// Only operations whose one effect is `read`.
    ReadOnly,
    /// Nothing.
    Off,
}

/// Who brought an identity in, when, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The person or process that created it.
    pub created_by: Arc<str>,
    /// When.
    pub created_at: Timestamp,
    /// From where: `files`, `api`, or the scanner that found it.
    pub source: Arc<str>,
    /// Who gave it the charter in force; unknown for one from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised: Option<Arc<Revised>>,
}

/// Who made a revision of a charter, and who agreed to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revised {
    /// Who wrote it, as records say.
    pub by: Arc<str>,
    /// When it came into force.
    pub at: Timestamp,
    /// How it came into force.
    pub how: RevisedHow,
    /// Why, in the author's words.
    pub why: Arc<str>,
    /// Who said yes to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Name>,
    /// The proposal it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Arc<str>>,
}

/// How a revision came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevisedHow {
    /// With the first apply of the plane.
    First,
    /// It gains nothing over the one before.
    Narrower,
    /// The organisation asks nobody about changes there.
    Direct,
    /// Those who must agree did.
    Approved,
    /// Without those who must agree.
    BreakGlass,
}

impl RevisedHow {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Narrower => "narrower",
            Self::Direct => "direct",
            Self::Approved => "approved",
            Self::BreakGlass => "break-glass",
        }
    }
}

impl Agent {
    /// Whether its own state lets it act; what orders say of it is [`crate::Directory::acts`].
    #[must_use]
    pub fn acts(&self) -> bool {
        self.status == AgentStatus::Active && self.level != Level::Off
    }
}

impl AgentStatus {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Unmanaged,
        Self::Proposed,
        Self::Active,
        Self::PendingReapproval,
        Self::Suspended,
        Self::Decommissioned,
    ];

    /// The word used in files, policies and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unmanaged => "unmanaged",
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::PendingReapproval => "pending-reapproval",
            Self::Suspended => "suspended",
            Self::Decommissioned => "decommissioned",
        }
    }
}

impl Level {
    /// The word used in files, policies and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ApprovalsOnly => "approvals-only",
            Self::ReadOnly => "read-only",
            Self::Off => "off",
        }
    }
}

impl std::fmt::Display for AgentStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
