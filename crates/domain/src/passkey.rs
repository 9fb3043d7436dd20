//! Passkeys: a key pair in a person's device, of which the plane knows the public half (Web Authentication, Level 3), and the
//! one-use links with which a person registers one.

use crate::{Digest, Name, Timestamp};
use serde::{Deserialize, Serialize};

/// A passkey of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// The credential's id, as its authenticator chose it: base64url, at most 1,023 bytes. Claimed once for the whole plane, for
    /// ever.
    pub id: String,
    /// Whose.
    pub person: Name,
    /// What the person calls it.
    pub name: String,
    /// The public key: a COSE_Key (RFC 9052 section 7), base64url.
    pub key: String,
    /// The relying party it was made for: a host name. Browsers use it for no other.
    pub party: String,
    /// How often its authenticator says it signed, at last; 0 for one that does not count.
    pub counter: u32,
    /// Whether it may be copied to the person's other devices by whoever keeps it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub synced: bool,
    /// Since when.
    pub added: Timestamp,
    /// When it signed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// It counted backwards, so there may be a copy of it: neither is taken any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// It is the person's no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// A counter that went backwards (Web Authentication section 6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// When.
    pub at: Timestamp,
    /// What it stood at.
    pub kept: u32,
    /// What was shown.
    pub shown: u32,
}

/// How a passkey came to be nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// A link with which one person registers one passkey, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// SHA-256 of the secret in the link. Whoever reads this row cannot use it.
    pub id: Digest,
    /// Whom it is for; nobody yet, if it is the first administrator's, who says their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    /// Who made it.
    pub by: String,
    /// When.
    pub made: Timestamp,
    /// From this moment on it is no longer good.
    pub expires: Timestamp,
    /// When it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl Passkey {
    /// Whether what it signs is taken.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.doubt.is_none() && self.removed.is_none()
    }

    /// The word that no two rows may ever claim.
    #[must_use]
    pub fn claim(&self) -> String {
        passkey_claim(&self.id)
    }
}

impl Invite {
    /// Whether it may be used at `now`.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used.is_none() && now < self.expires
    }
}

/// The word that a credential's id is claimed under.
pub(crate) fn passkey_claim(id: &str) -> String {
    format!("passkey:{id}")
}
