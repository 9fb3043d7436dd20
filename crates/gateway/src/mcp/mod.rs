//! The MCP face: `/mcp/{system}` with names unchanged, `/mcp` with every system's tools as `system.tool`.
//!
//! | file | what it does |
//! |---|---|
//! | `front` | bytes in: read strictly, say who speaks which era, hand on |
//! | `modern`, `legacy` | what each era's clients do |
//! | `open` | from a request to an exchange under way |
//! | `session` | what a legacy client's session remembers |
//! | `connection` | the caller's connection to a system, its catalogue of definitions and their pins |
//! | `catalogue` | what systems say their tools are, and when they say it no longer holds |
//! | `exchange` | one request, from the permit to the last message, whatever the eras on the two sides |
//! | `ask` | questions of a system in the middle of a call, put to the client in the client's era |
//! | `wait` | what a client can do for a call that waits for people, and what it is offered |
//! | `hold` | a held call that stays open while its client listens |
//! | `tasks` | held calls as tasks of the protocol |
//! | `list` | listings that show only what would not be denied |
//! | `listen` | what a system says outside of calls |
//! | `replay` | streams of legacy clients that can be taken up again |
//! | `aggregate` | all systems at one address |
//! | `answer` | messages out: JSON, an event stream, an error with its challenge |

mod aggregate;
mod answer;
mod ask;
mod body;
mod catalogue;
mod connection;
mod exchange;
mod front;
mod hold;
mod legacy;
mod list;
mod listen;
mod modern;
mod open;
mod replay;
mod session;
mod tasks;
mod wait;

pub(crate) use answer::{body_of, verdict_of};
pub(crate) use front::reachable;
pub use front::{Front, FrontParts};
pub(crate) use list::Listing;
