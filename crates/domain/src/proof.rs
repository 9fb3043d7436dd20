//! How an agent proves that it is itself. Nothing here is secret: the agent keeps the private half, or its platform
//! vouches for it.

use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One way for one agent. No two agents ever share a key or a subject (REQUIREMENTS.md A3): see [`Proof::claim`].
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
    /// Software that people run it in: a public client that proves nothing itself, so what counts is the person who
    /// signs in (draft-ietf-oauth-client-id-metadata-document).
    Client {
        /// The address of its metadata, which is its `client_id`.
        client_id: String,
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
            Self::Client { client_id, .. } => client_id.clone(),
        }
    }

    /// The word that no two rows may ever claim. Software may run many agents.
    #[must_use]
    pub fn claim(&self) -> Option<String> {
        match self {
            Self::Key { thumbprint, .. } => Some(format!("key:{thumbprint}")),
            Self::Subject { issuer, subject, .. } => Some(subject_claim(issuer, subject)),
            Self::Client { .. } => None,
        }
    }
}

/// The word that a subject of an issuer is claimed under.
pub(crate) fn subject_claim(issuer: &Name, subject: &str) -> String {
    format!("subject:{issuer}#{subject}")
}
