//! The HTTP face: `/proxy/{system}/…` for systems that are HTTP APIs. A request that fits a declared operation becomes
//! typed arguments and goes through the pipeline like any call; what is sent to the system is written anew from what
//! was decided on.
//!
//! | file | what it does |
//! |---|---|
//! | `front` | one request, whole |
//! | `target` | path and query, read one way only |
//! | `route` | which operation a request is |
//! | `body` | the body, in bounds, strict |
//! | `args` | path, query and body as typed arguments |
//! | `build` | the system's request, from the arguments |
//! | `headers` | which headers pass, in both directions |
//! | `answer` | the system's answer; a refusal as problem details |

mod answer;
mod args;
mod body;
mod build;
mod front;
mod headers;
mod route;
mod target;

pub use front::{Proxy, ProxyParts};

use crate::refusal::Refusal;
use provost_mcp::RpcError;

/// The face's name on records.
const FACE: &str = "proxy";

/// A request that is refused before it is known what it asks for.
fn bad(status: u16, text: impl Into<String>) -> Refusal {
    RpcError::invalid_request(text).with_status(status).into()
}
