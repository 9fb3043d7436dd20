//! The gateway over real sockets: a real store, a real bank behind, raw HTTP and other people's clients in front.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod access_requests;
mod aggregate;
mod approvals;
mod authzen;
mod bad_input;
mod budgets;
mod calls;
mod checks;
mod clients;
mod conformance;
mod contained;
mod credentials;
mod desk;
mod envelopes;
mod failures;
mod faults;
mod holding;
mod listener;
mod matrix;
mod memory;
mod obtained;
mod others;
mod plane;
mod proxy;
mod proxy_faults;
mod shop;
mod small;
mod waiting_tasks;
mod watching;

#[path = "../../../store-postgres/tests/support/mod.rs"]
#[expect(dead_code, reason = "a part of what the tests of the store share")]
mod support;
