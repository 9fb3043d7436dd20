//! The binary as people run it: real processes, real sockets, real files. One test binary, since each links the whole
//! plane.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod arap;
mod clients;
mod contain;
mod death;
mod demo;
mod gone;
mod outward;
mod passkeys;
mod program;
mod rules;
mod run;
mod serve;
mod three;

#[path = "../../../store-postgres/tests/support/mod.rs"]
#[expect(dead_code, reason = "a part of what the tests of the store share")]
mod support;
