//! People: who owns agents, asks for tasks and answers for both.

use crate::{Name, Timestamp, connector::Provisioned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A person of the organisation. People never act through the gateway; they own, ask and approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Unique for ever among identities of every class.
    pub name: Name,
    /// How the person is written to people.
    pub display: String,
    /// Where the person is reached, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who stands in when the person leaves and no deputy accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<Name>,
    /// False once the person has left: owns nothing that may act.
    pub active: bool,
    /// What the person may do here, besides what owning agents allows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// Who the person is to the identity providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<Login>,
    /// Who answers for the person who is away, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Away>,
    /// What a connector says of the person, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<Box<Provisioned>>,
}

/// Somebody is away, and somebody else answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// Until, not including, when.
    pub until: Timestamp,
    /// Who stands in.
    pub to: Name,
}

/// A subject of an identity provider. No two people ever share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The provider's row.
    pub issuer: Name,
    /// `sub`, exactly as the provider writes it.
    pub subject: String,
    /// Since when.
    pub added: Timestamp,
}

/// What a person may do in the administration of the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks at everything, changes nothing.
    Viewer,
    /// Answers what waits for a person, where policy lets them.
    Approver,
    /// Runs agents from day to day: starts and ends tasks, suspends and resumes.
    Operator,
    /// Everything.
    Administrator,
}

impl Role {
    /// Every role, from the least.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Approver, Self::Operator, Self::Administrator];

    /// The word used in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

impl Person {
    /// What a connector says of the person, as long as it has them.
    #[must_use]
    pub fn provisioned(&self) -> Option<&Provisioned> {
        self.provisioned.as_deref().filter(|said| said.gone.is_none())
    }
}

impl Login {
    /// The word that no two rows may ever claim.
    #[must_use]
    pub fn claim(&self) -> String {
        login_claim(&self.issuer, &self.subject)
    }
}

/// The word that a subject of an identity provider is claimed under.
pub(crate) fn login_claim(issuer: &Name, subject: &str) -> String {
    format!("login:{issuer}#{subject}")
}
