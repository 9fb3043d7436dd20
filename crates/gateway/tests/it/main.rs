//! The gateway over real sockets: a real store, a real bank behind, raw HTTP in front.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod calls;
mod plane;
