//! Systems and their tools.

use crate::Span;
use provost_domain::{Digest, Effect, Environment, Name, ToolName, system::Connection};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A system in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemSummary {
    /// Its name.
    #[schema(value_type = String)]
    pub name: Name,
    /// What it is.
    pub description: String,
    /// `sandbox`, `staging` or `production`.
    #[schema(value_type = String)]
    pub environment: Environment,
    /// How it is reached: `mcp-http <url>`, `mcp-stdio <command>`, `mcp-local`, `http <url>`.
    pub connection: String,
    /// How long, at worst, it honours a credential after it was revoked.
    pub revocation_max: Span,
    /// The name of its sealed credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub credential: Option<Name>,
    /// How many tools are pinned.
    pub tools: usize,
}

/// A system, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: SystemSummary,
    /// Its version.
    pub version: u64,
    /// Its tools, in order of their names.
    pub tool_list: Vec<ToolView>,
    /// The agents with a grant on it, at most 1,000.
    #[schema(value_type = Vec<String>)]
    pub agents: Vec<Name>,
    /// Whether its credential is there: `set`, `missing` or `none wanted`.
    pub credential_state: String,
    /// What changed it, newest first, at most 100.
    pub history: Vec<crate::agent::ChangeView>,
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolView {
    /// Its system.
    #[schema(value_type = String)]
    pub system: Name,
    /// Its name there.
    #[schema(value_type = String)]
    pub name: ToolName,
    /// What it is for.
    pub description: String,
    /// Digest of the definition that was reviewed.
    #[schema(value_type = String)]
    pub pin: Digest,
    /// What it can do; all effects when nobody classified it.
    #[schema(value_type = Vec<String>)]
    pub effects: Vec<Effect>,
    /// Whether a person classified it.
    pub classified: bool,
    /// Its arguments and the types policies see: `amount: decimal (required)`.
    pub args: Vec<String>,
    /// Labels its results bring into a task: `confidential`, `untrusted in lines.memo`.
    pub returns: Vec<String>,
    /// Whether a call hands data to somebody outside.
    pub sends_out: bool,
    /// The request it is, for an operation of an HTTP API: `GET /orders/{id}?status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Which tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ToolQuery {
    /// Of this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub system: Option<Name>,
    /// Exactly this tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub tool: Option<ToolName>,
    /// With this effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub effect: Option<Effect>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// An MCP server to look at, or an HTTP API to read about. Nothing is written: what comes back is a file to review and apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemImport {
    /// The name it is to have.
    #[schema(value_type = String)]
    pub name: Name,
    /// How it is reached.
    pub connection: ConnectionWrite,
    /// Where it belongs; `sandbox`, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Environment>,
    /// The credential to look with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialUseWrite>,
}

/// How a system is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConnectionWrite {
    /// Over streamable HTTP.
    McpHttp {
        /// Its endpoint.
        url: String,
    },
    /// Started by the plane, over stdio. The program runs on the plane's machine, as the plane's user.
    McpStdio {
        /// Program and arguments; no shell reads them.
        command: Vec<String>,
        /// The child's environment besides PATH and HOME.
        #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        env: std::collections::BTreeMap<String, String>,
    },
    /// An HTTP API that a document describes. Nobody is asked.
    Http {
        /// What every path is appended to; the document's first server, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// The OpenAPI document (3.0 to 3.2), as JSON text.
        openapi: String,
    },
}

impl From<ConnectionWrite> for Connection {
    fn from(connection: ConnectionWrite) -> Self {
        match connection {
            ConnectionWrite::McpHttp { url } => Self::McpHttp { url },
            ConnectionWrite::McpStdio { command, env } => Self::McpStdio { command, env },
            ConnectionWrite::Http { url, .. } => Self::HttpApi { url: url.unwrap_or_default() },
        }
    }
}

/// How a sealed credential is put on a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialUseWrite {
    /// The name it was sealed under.
    #[schema(value_type = String)]
    pub name: Name,
    /// The header (HTTP) or environment variable (stdio) it goes into.
    pub target: String,
    /// Text before the secret, such as `Bearer `.
    #[serde(default)]
    pub prefix: String,
}

/// What an import or a look at the server found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemDraft {
    /// Where the file belongs: `systems/<name>.toml`.
    pub path: String,
    /// The file, to review and apply.
    pub text: String,
    /// The tools found, with what was proposed for each and why.
    pub tools: Vec<ToolDraft>,
    /// Tools that cannot be used, and why.
    pub unusable: Vec<UnusableTool>,
    /// What a reviewer should know.
    pub notes: Vec<String>,
}

/// A tool found at a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolDraft {
    /// Its name.
    #[schema(value_type = String)]
    pub name: ToolName,
    /// The effects proposed; empty when nothing is certain, which counts as every effect.
    #[schema(value_type = Vec<String>)]
    pub effects: Vec<Effect>,
    /// What the proposal rests on.
    pub because: String,
}

/// A tool that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnusableTool {
    /// What the server calls it, shortened.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What a new look at a system's server would change. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepinPlan {
    /// Tools whose definition is another one than was reviewed.
    #[schema(value_type = Vec<String>)]
    pub changed: Vec<ToolName>,
    /// Tools the server has that nobody reviewed.
    #[schema(value_type = Vec<String>)]
    pub added: Vec<ToolName>,
    /// Reviewed tools the server no longer has.
    #[schema(value_type = Vec<String>)]
    pub gone: Vec<ToolName>,
    /// What applying the file would do.
    pub plan: crate::plan::PlanView,
    /// Where the file belongs.
    pub path: String,
    /// The file with the new pins, to review and apply.
    pub text: String,
}
