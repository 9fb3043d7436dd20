//! Watching: where the arguments of a call come from, what data leaves with them, what an agent usually does, and what
//! is dangerous together. Events in, facts and findings out.
//!
//! | module | what it is |
//! |---|---|
//! | [`words`] | text in a form in which light rewriting does not matter, and its fingerprints |
//! | [`gist`] | fingerprints of a text: its words in order, its dates, its numbers |
//! | [`memory`] | what one task was given and has read, bounded, without the text itself |
//! | [`seen`] | one result, as far as memory needs it: which field may be trusted for what |
//! | [`trace`] | each steering argument to its origin, with evidence |
//! | [`flow`] | what data goes along in the arguments |
//! | [`together`] | what a task did that is dangerous with what comes next |
//! | [`run`] | one run of an agent, as baselines see it |
//! | [`baseline`] | what is usual, learned slowly, held against a frozen reference |
//! | [`drift`] | how unusual a run is, call by call |
//! | [`unusual`] | one thing that is, and what people are told of it |
//! | [`kind`] | what kind of task a purpose is |
//! | [`record`] | from what is on record to what baselines see |
//!
//! **Invariant:** this crate is pure. It knows neither tokio, nor SQL, nor the clock, nor randomness.

pub mod baseline;
pub mod drift;
pub mod flow;
pub mod gist;
pub mod kind;
pub mod memory;
pub mod record;
pub mod run;
pub mod seen;
pub mod together;
pub mod trace;
pub mod unusual;
pub mod words;

pub use memory::{Chunk, Memory};
pub use run::Run;
pub use seen::Content;
pub use words::Key;
