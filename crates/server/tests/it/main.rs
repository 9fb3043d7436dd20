//! The binary as people run it: real processes, real sockets, real files. One test binary, since each links the whole
//! plane.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod clients;
mod death;
mod demo;
mod gone;
mod passkeys;
mod program;
mod serve;
