//! How an agent proves that it is itself. Nothing here is secret: the agent keeps the private half, or its platform
//! vouches for it.

use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One way for one agent. No two agents ever share one (REQUIREMENTS.md A3): see [`Proof::claim`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Proof {
    /// A key the agent signs assertions with.
    Key {
        /// Its RFC 7638 thumbprint, base64url.
        thumbprint: String,
        /// The public half (RFC 7517).
        jwk: Map<String, Value>,
        /// When it was registered.
        added: Timestamp,
    },
    /// A subject of an issuer that the plane trusts.
    Subject {
        /// The issuer's row.
        issuer: Name,
        /// `sub`, exactly as the issuer writes it.
        subject: String,
        /// When it was registered.
        added: Timestamp,
    },
}

impl Proof {
    /// What names it for people: a thumbprint, or issuer and subject.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Key { thumbprint, .. } => thumbprint.clone(),
            Self::Subject { issuer, subject, .. } => format!("{issuer}#{subject}"),
        }
    }

    /// The word that no two rows may ever claim.
    #[must_use]
    pub fn claim(&self) -> String {
        match self {
            Self::Key { thumbprint, .. } => format!("key:{thumbprint}"),
            Self::Subject { issuer, subject, .. } => format!("subject:{issuer}#{subject}"),
        }
    }
}
