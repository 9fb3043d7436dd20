//! The HTTP face of administration: `/api/v1/*` with its OpenAPI document, the metadata of the issuer of task tokens,
//! health and metrics.
//!
//! ```text
//! door.rs      request id, Host and Origin, headers        every request
//! asked.rs     bearer token -> control::Op                 every request for /api/v1
//! input.rs     bytes -> typed, strict, bounded
//! <noun>.rs    a handler: read, call, answer
//! problem.rs   what went wrong -> problem+json (RFC 9457), one table
//! ```
//!
//! A handler neither authorises nor records: the operation in `control` does both.

mod access_review;
mod agent;
mod app;
mod approval;
mod asked;
mod baseline;
mod channel;
mod connector;
mod containment;
mod credential;
mod decision;
mod document;
mod door;
mod drill;
mod finding;
mod home;
mod identity;
mod input;
mod issuer;
mod ledger;
mod oauth;
mod pages;
mod passkey;
mod plan;
mod plane;
mod policy;
mod problem;
mod proposal;
mod quality;
mod rest;
mod rule;
mod scim;
mod search;
mod ssf;
mod strict;
mod system;
mod task;

pub use app::{App, router};
pub use document::{document, document_text};
pub use door::{Hosts, door};
pub use problem::problem;
