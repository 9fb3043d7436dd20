//! Administration (the PAP): every operation a person or process can ask of the plane, one file for each noun.
//!
//! ```text
//! op.authorize(Action) -> Authorised -> change: decide on the newest view, commit, catch up -> answer
//! access.rs                             change.rs
//! ```
//!
//! The shape is the same everywhere: who may (one table, [`access`]), then what becomes of the rows (decided on the
//! newest view, again after each conflict), then one commit with its records, and no answer before the change binds
//! on this node. Operations take and give the types of `provost-api`; the HTTP face only carries them.
//!
//! **Invariants.** Nothing is committed without an [`access::Authorised`]; it does not compile. An operation that
//! answered binds. A secret that comes in never goes out, not into a record, not into a log, not into an error.

pub mod access;
pub mod access_review;
pub mod account;
pub mod agent;
pub mod anchor;
pub mod approval;
pub mod autonomy;
pub mod baseline;
mod bill;
mod bound;
pub mod browser;
pub mod care;
mod carried;
mod change;
pub mod channel;
pub mod check;
pub mod connector;
pub mod containment;
pub mod credential;
pub mod decision;
pub mod delivery;
mod diff;
pub mod drill;
pub mod error;
mod export;
pub mod finding;
mod fsck;
pub mod gone;
pub mod housekeeping;
pub mod inventory;
pub mod issuer;
pub mod keys;
mod leaving;
pub mod ledger;
pub mod metrics;
pub mod oauth;
pub mod outbox;
mod outward;
pub mod overview;
mod page;
pub mod passkey;
pub mod person;
pub mod plan;
pub mod plane;
pub mod policy;
mod position;
pub mod proof;
pub mod proposal;
pub mod quality;
mod reason;
mod review;
pub mod rule;
pub mod scim;
pub mod search;
pub mod sequencer;
pub mod session;
mod sign;
pub mod sign_in;
pub mod signal;
pub mod system;
pub mod tally;
pub mod task;
pub mod token_keys;
pub mod trusted;
pub mod unfinished;
pub mod upkeep;
mod weight;
mod why;
mod words;
pub mod workload;

pub use access::{Action, Operator};
pub use error::ControlError;
pub use plane::{Op, OsRandom, Plane, Random};
