//! The native PostgreSQL driver of `provost_store::Store`: any number of planes on one database, each with a writer
//! that commits in groups.
//!
//! **Invariant:** what nodes could disagree about is decided by a lock of the database: the order of changes by the row
//! of `head`, places in the tree by the row of `ledger`, budgets and states of tasks by advisory locks of their names.
//!
//! | step | fails | done, but reported as failed | crash after it |
//! |---|---|---|---|
//! | questions of a group | nothing happened; collisions are tried again, then each command alone | – | nothing happened |
//! | writes of a group | rolled back; each command alone, so that one bad one does not spoil its neighbours | – | nothing happened |
//! | `COMMIT` | an answer says no: nothing happened | no answer: all are told `Uncertain`, never success; recording the same id again finds it and charges once | the group stands; `unfinished` finds its decisions |
//! | change | rolled back with its record | as above: `Uncertain`; `version` tells | it stands, and the tail has it |
//! | giving places | nothing is told before the commit, so nobody saw a place that is not kept | places are kept, and told next time | as before |

mod change;
mod check;
mod connection;
mod decision;
mod error;
mod ledger;
mod migrate;
mod objects;
mod secret;
mod store;
mod task;
mod writer;

pub use store::PostgresStore;
