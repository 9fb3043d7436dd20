//! The broker against servers that look at what they get, and against a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod accounts;
mod desk;
mod roles;
mod secrecy;
mod server;
mod tokens;

#[path = "../../../store-postgres/tests/support/private.rs"]
#[expect(dead_code, reason = "a part of what the tests of the store share")]
mod private;
#[path = "../../../store-postgres/tests/support/mod.rs"]
#[expect(dead_code, reason = "a part of what the tests of the store share")]
mod support;
