//! Files → the organisation a person wants, with every fault named at once; and the plan, in words.
//!
//! [`read`] takes the files of an organisation directory and gives what they declare with all faults. [`plan`]
//! compares that with what a plane holds and says step by step who gains and who loses what; each step carries the
//! row to write. [`import`] writes the file of a system that was just looked at, for a person to review.
//!
//! **Invariant:** this crate is pure. It knows neither files, nor tokio, nor SQL, nor the clock, nor randomness.

mod agent;
mod application;
mod autonomy;
pub mod cases;
mod changes;
mod channel;
mod check;
mod connector;
mod credential;
mod declared;
mod desk;
mod drill;
pub mod fault;
mod grant;
pub mod import;
mod issuer;
mod lifecycle;
pub mod limits;
mod organisation;
pub mod plan;
mod read;
mod request;
mod rule;
mod source;
mod system;
mod table;
mod tool;

pub use cases::{CaseText, read_cases};
pub use declared::{Declared, DeclaredAgent};
pub use fault::{Fault, Place, Severity, any_error, render_all};
pub use import::{Hints, ImportedSystem, ImportedTool, Proposal, propose_effects, write_system_file};
pub use plan::{Plan, PlannedWrite, Planning, Reach, Step, StepKind, Words, plan, render, rule_words};
pub use read::{read, read_beside};
pub use source::{SourceFile, is_declaration};
