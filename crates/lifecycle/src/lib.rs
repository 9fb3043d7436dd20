//! The published state machines (REQUIREMENTS.md B1, B3, E2, E3): which moves exist, and who may make them. Each machine is a
//! `decide` that says what a move leads to, or why there is none; whoever applies the result writes the record.
//!
//! **Invariant:** pure.

pub mod access_review;
pub mod agent;
pub mod alike;
pub mod approval;
pub mod autonomy;
pub mod bill;
pub mod check;
pub mod containment;
pub mod delivery;
pub mod finding;
pub mod narrower;
pub mod proposal;
pub mod quality;
pub mod task;
pub mod upkeep;
mod voters;

pub use voters::Standing;
