//! What an agent's life has left on its row beside its charter: what it has earned, what it is made of as it was last approved,
//! who confirmed it and who is asked to answer for it. Nothing of it widens what the charter allows.

use crate::{Agent, Autonomy, Bill, Timestamp, bill::Presented};
use serde::{Deserialize, Serialize};

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
