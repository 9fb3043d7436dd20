//! A proposal: a change of the organisation that waits for people, row by row as it would be written, and what they said.
//! It is one change at most: what people say yes to is exactly these rows, on exactly the versions they were made on.

use crate::{Digest, Name, Object, ObjectKey, Timestamp, approval::Vote, canonical::CanonicalError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change that waits for people, or what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Names it for ever: `proposal_` and random digits.
    pub id: String,
    /// Who made it, as records say: `person maria`, `local administrator for maria`.
    pub author: String,
    /// The person whose word it is: never among those who agree to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    /// Made with the token of the machine, which agrees to nothing, whoever proposed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_token: bool,
    /// Why, in the author's words.
    pub reason: String,
    /// The rows as they are to stand, in the order in which they are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<ProposedWrite>,
    /// Rows that the change builds on and does not write: one that has moved since makes it stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Base>,
    /// The plan, in words: who gains and who loses what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Digest of those steps, as `provost plan` prints it.
    pub plan: String,
    /// Who must agree, and to what.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, ChangeGate>,
    /// When it was made.
    pub made: Timestamp,
    /// From this moment on no answer counts any more.
    pub expires: Timestamp,
    /// What people said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
    /// Who applied it without those who must agree, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
    /// Where it stands.
    pub status: ProposalStatus,
}

/// A row to be written, on the version it was made on; 0 for a row that must not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "kebab-case")]
pub enum ProposedWrite {
    /// The row stands as given afterwards.
    Put {
        /// The row.
        object: Box<Object>,
        /// The version it was made on.
        base: u64,
    },
    /// The row is gone afterwards.
    Remove {
        /// Which row.
        key: ObjectKey,
        /// The version it was made on.
        base: u64,
    },
}

/// A row and the version it stood at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Which row.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// At which version; 0 for a row that never existed.
    pub version: u64,
}

/// One row that changes, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `add`, `change` or `remove`.
    pub verb: String,
    /// Which row.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// What changes.
    pub words: Vec<StepWords>,
    /// The furthest of its words: `neutral`, `narrows` or `widens`.
    pub reach: String,
}

/// One difference in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepWords {
    /// Continues the row's name: `gains bank/transfer …`.
    pub text: String,
    /// `neutral`, `narrows` or `widens`.
    pub reach: String,
}

/// Somebody who must agree to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeGate {
    /// Who.
    pub asks: Asks,
    /// The rows because of which they are asked.
    pub rows: Vec<ObjectKey>,
}

/// Who is asked about a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "kebab-case")]
pub enum Asks {
    /// The owner of an agent as it stands; of one that is new, the owner it is to have.
    Owner {
        /// The agent.
        agent: Name,
    },
    /// The person who is to become the owner of an agent.
    NewOwner {
        /// The agent.
        agent: Name,
        /// That person.
        person: Name,
    },
    /// An administrator.
    Administrators,
    /// A group.
    Group {
        /// Its name.
        group: Name,
    },
}

/// A change that was made without those who must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Who did it, as records say.
    pub by: String,
    /// The person, if there is one: not the one who reviews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    /// Why, in that person's words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Where a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ProposalStatus {
    /// Not everybody who must has said yes, and nobody has said no.
    Waiting,
    /// The rows were written, in the transaction that wrote this.
    Applied {
        /// When.
        at: Timestamp,
    },
    /// Somebody said no.
    Refused {
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It was taken back.
    Withdrawn {
        /// When.
        at: Timestamp,
        /// By whom.
        by: String,
        /// Why.
        why: String,
    },
    /// What it was made on has moved: it has to be proposed again.
    Stale {
        /// When that was seen.
        at: Timestamp,
        /// What moved.
        why: String,
    },
}

/// The part of a proposal that never changes: what a yes is given to.
#[derive(Serialize)]
struct Terms<'a> {
    id: &'a str,
    author: &'a str,
    person: Option<&'a Name>,
    reason: &'a str,
    writes: &'a [ProposedWrite],
    reads: &'a [Base],
    gates: &'a BTreeMap<String, ChangeGate>,
    made: Timestamp,
    expires: Timestamp,
}

impl Proposal {
    /// Digest of what a yes is given to: the rows with their bases, who proposes them, who must agree, under this id. No two
    /// proposals share one, so an answer to one is none to another.
    ///
    /// # Errors
    /// Never for rows that were read from JSON.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Digest::of_json(&Terms {
            id: &self.id,
            author: &self.author,
            person: self.person.as_ref(),
            reason: &self.reason,
            writes: &self.writes,
            reads: &self.reads,
            gates: &self.gates,
            made: self.made,
            expires: self.expires,
        })
    }

    /// Whether nothing can come of it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status != ProposalStatus::Waiting
    }

    /// Every row it was made on, with the version that stood then: those it writes, and those it only builds on.
    pub fn bases(&self) -> impl Iterator<Item = (ObjectKey, u64)> + '_ {
        let written = self.writes.iter().map(|write| (write.key(), write.base()));
        written.chain(self.reads.iter().map(|read| (read.key.clone(), read.version)))
    }
}

impl ProposedWrite {
    /// The key of the row.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Put { object, .. } => object.key(),
            Self::Remove { key, .. } => key.clone(),
        }
    }

    /// The version it was made on.
    #[must_use]
    pub const fn base(&self) -> u64 {
        match self {
            Self::Put { base, .. } | Self::Remove { base, .. } => *base,
        }
    }

    /// The row as it is to stand; nothing, if it is to go.
    #[must_use]
    pub fn after(&self) -> Option<&Object> {
        match self {
            Self::Put { object, .. } => Some(object),
            Self::Remove { .. } => None,
        }
    }
}

impl Asks {
    /// What the gate is called: `owner of clerk`, `administrators`, or the group's name, which has no space in it.
    #[must_use]
    pub fn gate(&self) -> String {
        match self {
            Self::Owner { agent } => format!("owner of {agent}"),
            Self::NewOwner { agent, .. } => format!("new owner of {agent}"),
            Self::Administrators => ADMINISTRATORS.to_owned(),
            Self::Group { group } => group.to_string(),
        }
    }
}

impl ProposalStatus {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Applied { .. } => "applied",
            Self::Refused { .. } => "refused",
            Self::Expired { .. } => "expired",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Stale { .. } => "stale",
        }
    }
}

/// What the gate of those with that role is called; no group has this name.
pub const ADMINISTRATORS: &str = "administrators";
/// Bytes of the rows of one proposal in canonical JSON: what a person can be asked to read, and a record can hold.
pub const PROPOSAL_BYTES_MAX: usize = 512 * 1024;
/// The row of the first apply of a plane, which nobody had to agree to. It can be written once.
pub const FIRST: &str = "proposal_first";
