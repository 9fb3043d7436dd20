//! The rules of SCIM 2.0 (RFC 7643, RFC 7644) as a server: what a resource is, what a filter says of it, what a patch makes of it,
//! and the envelopes around it. What large identity providers really send is read beside what the standard says, wherever it
//! can mean one thing only (`docs/scim.md` lists it).
//!
//! ```text
//! body ──resource::read──▶ attributes ──patch::apply──▶ attributes ──project──▶ answer
//!                              ▲ filter::matches
//! ```
//!
//! Attributes are held as JSON whose names are written as the schema writes them; an extension's stand under its URN.
//!
//! **Invariant:** this crate is pure. It knows neither tokio, nor SQL, nor the clock, nor randomness; every text it is given has a
//! bound.

pub mod compare;
pub mod envelope;
pub mod fault;
pub mod filter;
mod lexer;
pub mod patch;
pub mod path;
pub mod project;
pub mod resource;
pub mod schema;
mod schemas;

pub use fault::Fault;
pub use filter::Filter;
pub use path::Path;
pub use project::Projection;
pub use schema::{Attribute, ResourceType, Schema};

/// Attributes of a resource.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// The media type (RFC 7644 section 8.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
