//! `provost wrap` over real pipes, with real processes behind it and a real plane in a runtime of its own, so that the
//! plane can be killed.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod badly;
mod calls;
mod client;
mod holds;
mod plane;
mod questions;
mod stops;
