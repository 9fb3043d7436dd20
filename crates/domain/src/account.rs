//! Accounts: what a person has at a system, connected to the plane once, for agents that act for that person.

use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};

/// A person's account at a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The system.
    pub system: Name,
    /// Whose account.
    pub person: Name,
    /// The name under which what the system gave (a refresh token) is sealed.
    pub sealed: Name,
    /// What the system allowed, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the person connected it.
    pub connected: Timestamp,
}
