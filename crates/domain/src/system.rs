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
