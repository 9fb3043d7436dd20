//! The gateway over real sockets: a real store, a real bank behind, raw HTTP and other people's clients in front.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod aggregate;
mod authzen;
mod bad_input;
mod budgets;
mod calls;
mod clients;
mod conformance;
mod credentials;
mod failures;
mod faults;
mod matrix;
mod others;
mod plane;
mod proxy;
mod proxy_faults;
mod shop;
mod small;
