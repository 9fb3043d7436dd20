//! Workloads: scripted machine identities. They do what their code says, ask the plane for decisions, and hold no
//! charter, no autonomy and no tasks; an agent never shares an identity with one.

use crate::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A scripted machine identity, such as an application that asks the decision point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Unique for ever among identities of every class.
    pub name: Name,
    /// What it is for, in a sentence.
    pub purpose: String,
    /// The accountable person.
    pub owner: Name,
    /// The applications it may ask decisions for.
    #[serde(default)]
    pub applications: Vec<Name>,
    /// False once it may no longer ask.
    pub active: bool,
    /// It may receive Shared Signals, as this audience; it receives none, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<String>,
    /// Where it may have itself told how its access requests end; nowhere, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callbacks: Option<Callbacks>,
}

/// Where a workload may have itself told how what it asked for ended (AuthZEN Access Request and Approval Profile, callback).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callbacks {
    /// The addresses it may name, exactly.
    pub endpoints: BTreeSet<String>,
    /// The name that the secret which signs these requests is sealed under.
    pub secret: Name,
}

impl Workload {
    /// Whether this is an address it may be told at.
    #[must_use]
    pub fn is_told_at(&self, endpoint: &str) -> bool {
        self.active && self.callbacks.as_ref().is_some_and(|callbacks| callbacks.endpoints.contains(endpoint))
    }
}
