//! Sessions: a person who signed in, for a while, in one browser.

use crate::{Digest, Name, Timestamp, person::Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A person who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the secret in the browser's cookie. Whoever reads this row cannot use it.
    pub id: Digest,
    /// Who.
    pub person: Name,
    /// What the identity provider made of the person, besides the roles in the person's own row.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// How: `issuer acme`.
    pub by: String,
    /// When.
    pub started: Timestamp,
    /// From this moment on it is no longer good.
    pub expires: Timestamp,
    /// The person signed out, or somebody ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Session {
    /// Whether it is good at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.ended && now < self.expires
    }
}
