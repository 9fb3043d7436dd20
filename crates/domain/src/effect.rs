//! What an operation can do to the world: the classes that policies are written against (DESIGN.md section 1).

use serde::{Deserialize, Serialize};

/// An effect class. The order is from harmless to worst only for display; policies name classes, not ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Observes and changes nothing.
    Read,
    /// Creates or changes data.
    Write,
    /// Speaks to somebody outside the task: mail, chat, web requests.
    Communicate,
    /// Copies data to another place.
    MoveData,
    /// Removes data.
    Delete,
    /// Runs code or commands.
    Execute,
    /// Moves money or commits to pay.
    Financial,
    /// Changes machines, networks, deployments.
    Infrastructure,
    /// Changes who may do what.
    Permission,
}

impl Effect {
    /// Every class; also what an unclassified tool counts as.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Write,
        Self::Communicate,
        Self::MoveData,
        Self::Delete,
        Self::Execute,
        Self::Financial,
        Self::Infrastructure,
        Self::Permission,
    ];

    /// The word used in files, policies and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Communicate => "communicate",
            Self::MoveData => "move-data",
            Self::Delete => "delete",
            Self::Execute => "execute",
            Self::Financial => "financial",
            Self::Infrastructure => "infrastructure",
            Self::Permission => "permission",
        }
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Effect {
    type Err = EffectError;

    fn from_str(text: &str) -> Result<Self, EffectError> {
        Self::ALL
            .into_iter()
            .find(|effect| effect.as_str() == text)
            .ok_or_else(|| EffectError(text.to_owned()))
    }
}

/// A word that is not an effect class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an effect class: use read, write, communicate, move-data, delete, execute, financial, \
     infrastructure or permission"
)]
pub struct EffectError(String);
