//! Outward: the systems agents act on, and the sealed credentials they want.
//!
//! The gateway speaks to every system through one message-level door: [`Upstreams::get`] opens (or finds) the
//! [`Upstream`] of one caller, [`Upstream::request`] sends one JSON-RPC request and gives the [`Replies`], each a whole
//! message with its bytes unaltered. Whether a streamable HTTP server or a child process answers, and in which era of
//! MCP, shows only in the [`Handshake`].
//!
//! | module | what it answers |
//! |---|---|
//! | [`seal`] | how a credential rests in the store, and the one place it is opened |
//! | [`upstreams`] | which connection belongs to which caller; when it is opened, replaced, ended |
//! | [`upstream`], [`replies`] | one connection; the answers to one request |
//! | `http`, `stdio` | the two transports |
//! | [`mark`] | which approvals are checks |
//! | [`import`] | which tools a system has |
//! | [`api`] | requests to HTTP APIs |
//! | [`shown`] | what a system is shown |
//! | [`scim`] | accounts of agents at systems, made inactive and looked at |
//! | `fetch` | one bounded exchange: key sets, metadata, token endpoints |
//! | `address` | which addresses systems may be at |
//! | [`error`] | what went wrong, and whether the request could have reached the system |
//!
//! **Invariants.** Nothing of the agent's own authorization can be handed in: the only headers taken from outside are
//! `Mcp-Param-*`. Sessions and children are never shared between callers. A credential appears in no log and no error.
//! An error says truthfully whether the system may have acted: [`UpstreamError::may_have_acted`].

mod address;
mod call;
mod credential;
mod fetch;
mod http;
mod shared;
mod stdio;

pub mod api;
pub mod error;
pub mod import;
pub mod mark;
pub mod replies;
pub mod scim;
pub mod seal;
pub mod shown;
pub mod upstream;
pub mod upstreams;

pub use api::{ApiAnswer, ApiBody, ApiRequest, Location};
pub use error::{Lie, NotSent, UpstreamError};
pub use fetch::{Answer, Ask, FetchError};
pub use import::{ImportError, list_tools};
pub use mark::Marks;
pub use replies::Replies;
pub use seal::{SealError, SealingKey, Secret};
pub use shown::Shown;
pub use upstream::{Handshake, Upstream};
pub use upstreams::{CallerKey, ClientProfile, Config, ConfigError, HostPolicy, Upstreams};
