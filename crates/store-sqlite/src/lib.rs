//! The native SQLite driver of `provost_store::Store`: one file, one writer thread that commits in groups, and a pool
//! of readers beside it.
//!
//! **Invariant:** only the writer writes. One plane holds the file at a time (an advisory lock beside it says so), so
//! what the writer remembers of balances cannot drift from the tables.
//!
//! | step | fails | done, but reported as failed | crash after it |
//! |---|---|---|---|
//! | writes of one command | it alone is answered with the error; its neighbours are written without it | – | nothing of the group happened |
//! | `COMMIT` (sync of the WAL) | all of the group are answered with the error and nothing is taken | a crash may bring it back: recording the same id again is `Ok` and charges once | the group stands, nobody was told; `unfinished` finds its decisions |
//! | answer | the caller left; the record stands and `unfinished` finds it | – | as above |
//! | checkpoint of the WAL into the file | tried again with the next commit | – | the WAL is played again on open |

mod change;
mod check;
mod connection;
mod decision;
mod error;
mod ledger;
mod migrate;
mod objects;
mod pool;
mod secret;
mod store;
mod task;
#[cfg(test)]
mod tests;
mod writer;

pub use store::SqliteStore;
