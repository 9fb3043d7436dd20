//! The decision point: what the organisation declared, and one call, make one verdict. Cedar is inside; nothing
//! outside this crate knows it.
//!
//! **Invariant:** pure. No clock, no randomness, no waiting; every arm that is not an explicit `Allow` denies.
//!
//! ```text
//! Pdp::new(directory) -> Pdp                    pdp.with(directory) -> Pdp   (keeps what still holds)
//! pdp.decide(&Question) -> Evaluation           sync
//! pdp.could_allow(&agent, &task, &state, &system, &tool, pinned, now) -> bool
//! check_scope(&directory, &[TaskScope]) -> Vec<CharterFault>
//! Pdp::budgets(&agent, &tool, &args, &task) -> Result<Vec<Draw>, DrawError>
//! replay(&directory, &decision) -> Replay { same, evaluation, differences }
//! check(&directory) -> Vec<PolicyFault>         check_changed(&directory, &[ObjectKey]) -> Vec<PolicyFault>
//! schema_text(&directory) -> String
//! args_from_json_schema(&value) -> Result<BTreeMap<String, ArgType>, SchemaFault>
//! App::compile(&application) -> Result<App, Vec<PolicyFault>>
//! app.decide(&AuthzenRequest) -> Evaluation
//! app.search_subject | search_resource(&AuthzenRequest, Page) | search_action(…) -> Found { entities, next }
//! run_cases(&directory, &[Case]) -> Vec<CaseResult>
//! ```

pub mod app;
mod args;
mod bucket;
mod budget;
mod cases;
mod charter;
mod check;
mod civil;
mod contained;
mod context;
mod cure;
mod delegation;
mod est;
mod evaluate;
pub mod fault;
mod fold;
mod input_schema;
mod narrow;
mod pdp;
#[cfg(test)]
mod plain;
pub mod question;
mod rehearse;
mod render;
mod replay;
mod rule;
mod rulebook;
mod schema;

pub use app::{App, AuthzenAction, AuthzenEntity, AuthzenRequest, Found, Page};
pub use cases::{Case, CaseResult, Given, Said, Then, When, run_cases};
pub use charter::find_tool;
pub use check::{check, check_changed};
pub use fault::{CharterFault, Place, PolicyFault, Spot};
pub use input_schema::{SchemaFault, args_from_json_schema, args_in, shape_in};
pub use narrow::check_scope;
pub use pdp::{Bounds, Pdp};
pub use question::{Draw, DrawError, Evaluation, Link, Question};
pub use rehearse::{rehearse, running};
pub use replay::{Replay, replay};
pub use rulebook::GUARDRAILS;
pub use schema::schema_text;
