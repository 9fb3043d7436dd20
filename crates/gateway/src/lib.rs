//! Enforcement: stands in the path of every action of every agent. Open `pipeline.rs` first: it is the life of a call.
//!
//! **Invariants.** No record, no permit; no permit, no act: `provost_store::Permit` has no public constructor, and `act` takes it by
//! value. Every arm that is not an explicit `Allow` refuses. `gateway` and `control` never import each other; they
//! meet in the store and the replica, so that the data plane outlives an administration bug. `gateway` changes nothing
//! of the organisation.

mod act;
mod approval;
pub mod authzen;
mod bounds;
mod breach;
mod credential;
mod decide;
pub mod held;
pub mod hosts;
mod identify;
mod journal;
pub mod lease;
pub mod mcp;
mod memory;
pub mod metadata;
mod observe;
mod outcome;
mod pipeline;
mod plant;
pub mod proxy;
mod refusal;
mod subject;
mod watching;
pub mod wrap;

pub use act::{Running, Work};
pub use approval::{Held, Uses};
pub use decide::Attempt;
pub use hosts::Hosts;
pub use identify::{Asked, Caller, Identifier, Link, Verifiers, bearer};
pub use observe::Metrics;
pub use pipeline::{Parts, Pipeline};
pub use plant::Planting;
pub use refusal::{Blame, Refusal};
