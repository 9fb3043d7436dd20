//! Connectors: identity providers that say who comes, who leaves and who is in which group (SCIM 2.0, RFC 7643). A connector
//! governs the people and groups that it made or that an administrator linked to it, and no others; what its groups give is
//! declared here, and is nothing until it is.

use crate::{Digest, Name, Timestamp, person::Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A client that provisions people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// Names it here.
    pub name: Name,
    /// What it is, in a sentence.
    pub description: String,
    /// Who answers for it.
    pub owner: Name,
    /// False once its word counts for nothing: its tokens are refused, and its groups give nothing.
    pub active: bool,
    /// The identity provider at which its people sign in, and by what they are known there; nobody is linked, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<LoginsFrom>,
    /// What its groups give, by the name they are shown under, exactly.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Gives>,
    /// What it proves itself with; two at most, while one takes the place of the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<ConnectorToken>,
}

/// Whose subject a person is who is provisioned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginsFrom {
    /// The identity provider's row.
    pub issuer: Name,
    /// Which attribute is its `sub`.
    pub subject: SubjectIs,
}

/// Which attribute of a provisioned person is `sub` at the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectIs {
    /// `externalId`.
    ExternalId,
    /// `userName`.
    UserName,
}

/// What being in a group gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gives {
    /// Roles.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// Membership of this group of the organisation, which approvals may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
}

/// A bearer token of a connector. The token itself is shown once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorToken {
    /// SHA-256 of the token, which is 32 random bytes.
    pub digest: Digest,
    /// Since when.
    pub issued: Timestamp,
    /// Until, not including, when.
    pub expires: Timestamp,
}

/// What a connector says of a person, beside the row that the plane works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// Whose word it is.
    pub connector: Name,
    /// `userName`; one of its own among the connector's people, whatever the case.
    pub user_name: String,
    /// `externalId`: the connector's own name for the person; one of its own among its people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// `active`, as the connector said last.
    pub active: bool,
    /// The person left by the connector's word, so that its word can bring them back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// The connector made the person, and says their name, address and manager; of others files say it.
    pub made: bool,
    /// The rosters the person is in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rosters: BTreeSet<String>,
    /// Every other attribute, as it was sent and read.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Since when the connector has the person.
    pub created: Timestamp,
    /// When it last said something new.
    pub changed: Timestamp,
    /// When it let go of the person for ever: the row stays, and is nobody of the connector's any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
}

/// A group as a connector has it. Who is in it stands with the people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Names it for ever: `group-` and hexadecimal digits.
    pub id: String,
    /// Whose it is.
    pub connector: Name,
    /// `displayName`; one of its own among the connector's groups.
    pub display: String,
    /// `externalId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Since when.
    pub created: Timestamp,
    /// When it, or who is in it, last changed.
    pub changed: Timestamp,
    /// How often it, or who is in it, changed.
    #[serde(default)]
    pub edition: u64,
}

impl Connector {
    /// Whether this is one of its tokens, and good now.
    #[must_use]
    pub fn takes(&self, digest: &Digest, now: Timestamp) -> bool {
        self.active && self.tokens.iter().any(|token| token.digest == *digest && now < token.expires)
    }
}

impl Provisioned {
    /// Whether the person is one of this connector's.
    #[must_use]
    pub fn is_of(&self, connector: &Name) -> bool {
        self.gone.is_none() && self.connector == *connector
    }

    /// The words that no two rows may claim.
    pub(crate) fn claims(&self) -> Vec<String> {
        if self.gone.is_some() {
            return Vec::new();
        }
        let external = self.external_id.as_deref().map(|id| external_claim(&self.connector, id));
        std::iter::once(user_claim(&self.connector, &self.user_name)).chain(external).collect()
    }
}

impl Roster {
    /// The words that no two rows may claim.
    pub(crate) fn claims(&self) -> Vec<String> {
        let word = |kind: &str, text: &str| format!("{CLAIM}{kind}:{}#{text}", self.connector);
        let external = self.external_id.as_deref().map(|id| word("group-external", id));
        std::iter::once(word("group", &self.display.to_lowercase())).chain(external).collect()
    }

    /// The group after it, or who is in it, changed.
    #[must_use]
    pub fn touched(&self, now: Timestamp) -> Self {
        Self { changed: now, edition: self.edition.saturating_add(1), ..self.clone() }
    }
}

/// The word that `userName` is claimed under; its case says nothing (RFC 7643 section 4.1.1).
pub(crate) fn user_claim(connector: &Name, user_name: &str) -> String {
    format!("{CLAIM}user:{connector}#{}", user_name.to_lowercase())
}

/// The word that `externalId` is claimed under; its case counts (RFC 7643 section 3.1).
pub(crate) fn external_claim(connector: &Name, id: &str) -> String {
    format!("{CLAIM}external:{connector}#{id}")
}

/// What these words begin with.
pub(crate) const CLAIM: &str = "scim-";
