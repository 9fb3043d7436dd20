//! What an agent's life has left on its row beside its charter: what it has earned, what it is made of as it was last approved,
//! who confirmed it and who is asked to answer for it. Nothing of it widens what the charter allows.

use crate::{Agent, Autonomy, Bill, Level, Name, Timestamp, bill::Presented};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Beside the charter. Most agents have nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// How far whoever wrote the charter would trust it, once it has earned that; as far as it is trusted now, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Autonomy>,
    /// Since when it is trusted as far as it is; since it was brought in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graded: Option<Timestamp>,
    /// What it is to present whenever it starts a task; nothing, if it never did.
    #[serde(default, skip_serializing_if = "Bill::is_empty")]
    pub bill: Bill,
    /// What it presented instead, for which it waits to be approved again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<Presented>,
    /// Who last confirmed that it is wanted as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Attested>,
    /// Since when its owner is asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// When its owner was told that it does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_warned: Option<Timestamp>,
    /// When somebody last let it act again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Timestamp>,
    /// Who is asked to answer for it, now that its owner has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heir: Option<Heir>,
    /// When a person last set what containment leaves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restricted: Option<Timestamp>,
    /// When it was last tried after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept: Option<Timestamp>,
    /// What access reviews took from its charter, newest last: whoever gives it back is told so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
}

/// What one access review took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The review.
    pub review: String,
    /// When it was carried out.
    pub at: Timestamp,
    /// The tools that it revoked or limited, `system/tool`.
    pub tools: Vec<String>,
}

/// A confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// When.
    pub at: Timestamp,
    /// By whom, as records say.
    pub by: Arc<str>,
}

/// Somebody who is asked to answer for an agent whose owner has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heir {
    /// Who.
    pub person: Name,
    /// Whom they would follow.
    pub from: Name,
    /// Since when.
    pub asked: Timestamp,
    /// What containment left the agent before.
    pub level: Level,
    /// How many were asked before.
    pub turn: u8,
}

impl Agent {
    /// How far it may be trusted at most, by its charter as it was written.
    #[must_use]
    pub fn declared(&self) -> Autonomy {
        let declared = self.life.as_ref().and_then(|life| life.declared);
        declared.unwrap_or(self.charter.autonomy)
    }

    /// Since when it is trusted as far as it is.
    #[must_use]
    pub fn graded(&self) -> Timestamp {
        self.life.as_ref().and_then(|life| life.graded).unwrap_or(self.provenance.created_at)
    }

    /// Who answers for it: the owner, or who is asked to follow.
    #[must_use]
    pub fn answers(&self) -> &Name {
        let heir = self.life.as_ref().and_then(|life| life.heir.as_ref());
        heir.map_or(&self.charter.owner, |heir| &heir.person)
    }

    /// What it is to present whenever it starts a task.
    #[must_use]
    pub fn bill(&self) -> &Bill {
        static NOTHING: std::sync::LazyLock<Bill> = std::sync::LazyLock::new(Bill::default);
        self.life.as_ref().map_or(&*NOTHING, |life| &life.bill)
    }

    /// The same with something else beside its charter.
    #[must_use]
    pub fn living(mut self, change: impl FnOnce(&mut Life)) -> Self {
        let mut life = self.life.as_deref().cloned().unwrap_or_default();
        change(&mut life);
        self.life = (life != Life::default()).then(|| life.into());
        self
    }
}
