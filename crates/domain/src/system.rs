//! Systems: what agents act on.

use crate::{DurationMs, Environment, Label, Name, credential::CredentialSource};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Something agents act on, reached through one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Unique for ever.
    pub name: Name,
    /// What it is, in a sentence.
    pub description: String,
    /// An agent of another environment may not touch it.
    pub environment: Environment,
    /// How the plane reaches it.
    pub connection: Connection,
    /// The sealed credential the gateway adds, if the system wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialUse>,
    /// How long, at worst, this system goes on honouring a credential after it was revoked.
    pub revocation_max: DurationMs,
    /// What reading its resources (rather than calling its tools) brings into a task.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resource_labels: BTreeSet<Label>,
    /// Whoever declared it says that nothing but the plane leads there: no other credential, no other way. Only then can the
    /// plane say of an agent that it is contained there although nothing at the system was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_through_plane: bool,
    /// The accounts that agents have there themselves, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim: Option<ScimUse>,
}

/// Accounts of agents at a system, kept over SCIM (RFC 7644): they are made inactive when an agent may not act any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScimUse {
    /// Its server: `https://host/scim/v2`.
    pub url: String,
    /// `userName` of an agent's account there; `{agent}` stands for its name.
    pub user: String,
    /// The name the bearer token is sealed under, if it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Name>,
}

impl ScimUse {
    /// The account of an agent.
    #[must_use]
    pub fn user_of(&self, agent: &Name) -> String {
        self.user.replace("{agent}", agent.as_str())
    }

    /// What stands before and after an agent's name in what its account is called, if the name is in it once.
    #[must_use]
    pub fn around(&self) -> Option<(&str, &str)> {
        self.user.split_once("{agent}").filter(|(_, after)| !after.contains("{agent}"))
    }

    /// Whether accounts of agents are called so that others are not.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        self.around().is_some_and(|(before, after)| !before.is_empty() || !after.is_empty())
    }

    /// The name that an agent would have whose account is called so, without regard to case (RFC 7643 section 4.1.1).
    #[must_use]
    pub fn agent_of(&self, user: &str) -> Option<Name> {
        let (before, after) = self.around()?;
        let name = user.get(before.len()..user.len().checked_sub(after.len())?)?;
        let same = user.get(..before.len())?.eq_ignore_ascii_case(before)
            && user.get(user.len().checked_sub(after.len())?..)?.eq_ignore_ascii_case(after);
        name.to_ascii_lowercase().parse().ok().filter(|_| same)
    }
}

/// How the plane reaches a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Connection {
    /// An MCP server over streamable HTTP.
    McpHttp {
        /// Its endpoint.
        url: String,
    },
    /// An MCP server that the plane starts and speaks to over stdio, one child for each agent.
    McpStdio {
        /// Program and arguments; no shell reads them.
        command: Vec<String>,
        /// The child's whole environment besides PATH and HOME.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// An HTTP API whose operations are declared ([`crate::RequestRule`]); agents reach it at `/proxy/{system}/…`.
    #[serde(rename = "http")]
    HttpApi {
        /// What every path is appended to: `https://host/v1`.
        url: String,
    },
    /// An MCP server beside the agent, behind `provost wrap`; the plane decides, the wrapper enforces.
    McpLocal,
}

/// How a credential is put on a request to the system, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialUse {
    /// The credential's name. What its source needs is sealed under it (`provost credential set NAME`), if it needs anything.
    pub name: Name,
    /// The header it goes into (HTTP), or the environment variable (stdio). Not used by [`CredentialSource::AwsRole`], whose
    /// variables have names of their own.
    pub target: String,
    /// Text before the secret, such as `Bearer `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "CredentialSource::is_sealed")]
    pub source: CredentialSource,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_account_it_is_is_read_from_what_it_is_called_and_only_from_that() {
        let account = |user: &str| ScimUse { url: String::new(), user: user.to_owned(), credential: None };
        let acme = account("agent-{agent}@acme.example");
        for (user, agent) in [
            ("agent-clerk@acme.example", Some("clerk")),
            ("Agent-Clerk@ACME.example", Some("clerk")),
            ("maria@acme.example", None),
            ("agent-@acme.example", None),
            ("agent-clerk@other.example", None),
            ("other-clerk@acme.example", None),
            ("agent-clerk@acme.exampel", None),
            ("agent", None),
            ("ägent-clerk@acme.example", None),
        ] {
            assert_eq!(acme.agent_of(user).as_ref().map(Name::as_str), agent, "{user}");
        }
        let clerk: Name = "clerk".parse().unwrap();
        assert_eq!(acme.agent_of(&acme.user_of(&clerk)), Some(clerk));
        assert!(acme.is_telling() && !account("{agent}").is_telling());
        assert_eq!(account("shared").agent_of("shared"), None);
    }
}
