//! MCP and JSON-RPC bytes <-> calls, for both eras of the protocol. Pure: no I/O, no clock, no randomness.
//!
//! The gateway forwards the bytes it received and decides on a copy read strictly from the same bytes, so the
//! two can never disagree: what does not read strictly is refused ([`strict`]), and what is changed on the
//! way is changed by [`Patch`], which leaves every other byte where it was.
//!
//! | module | what it answers |
//! |---|---|
//! | [`strict`], [`raw`] | is this JSON that every reader reads alike; where are its members |
//! | [`message`], [`error`] | which JSON-RPC message is it; how is an answer or an error written |
//! | [`rewrite`] | the same message with another id, name or `_meta` |
//! | [`methods`] | who may send this method, in which revision, what it concerns, what the gateway does with it |
//! | [`era`], [`headers`], [`handshake`] | which revision is spoken, do the HTTP headers agree with the body |
//! | [`tools`] | tool definitions, their pins, lists that show less, calls |
//! | [`translate`] | one era on one side, the other on the other side |
//! | [`refusal`] | how a verdict other than allow is told to the client |
//! | [`sse`], [`lines`] | frames: server-sent events and newline-delimited JSON |
//!
//! Sources: JSON-RPC 2.0; Model Context Protocol revisions 2025-06-18, 2025-11-25 (*legacy*: a session opened
//! by `initialize`) and 2026-07-28 (*modern*: stateless, `_meta` on every request); RFC 8259, RFC 8785, RFC
//! 9110; the server-sent events chapter of the WHATWG HTML standard.

pub mod era;
pub mod error;
pub mod handshake;
pub mod headers;
pub mod limits;
pub mod lines;
pub mod message;
pub mod methods;
pub mod raw;
pub mod refusal;
pub mod rewrite;
pub mod sse;
pub mod strict;
pub mod tools;
pub mod translate;

pub use era::{Era, Revision};
pub use error::RpcError;
pub use limits::Limits;
pub use message::{Message, Notification, Request, RequestId, Response};
pub use raw::{Object, Raw};
pub use rewrite::Patch;
