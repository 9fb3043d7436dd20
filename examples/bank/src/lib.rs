//! A small bank as a real MCP server: accounts, statements, payees and transfers in its own SQLite.
//!
//! It is what the demo's agents act on and what many tests stand behind the gateway. Nothing here knows
//! Provost: [`serve`] and [`serve_stdio`] speak plain MCP (2024-11-05 up to and including 2026-07-28), and
//! [`Bank`] lets the owner of the process look into the books and see what really happened.
//!
//! Two things are on purpose. One statement line carries an order written by a counterparty
//! ([`INJECTED_MEMO`]), because that is where such orders arrive in life; and [`Bank::poison_tool`] changes
//! a tool's description while the server runs, as a compromised server would.

mod bank;
mod books;
mod definitions;
mod handler;
mod http;
mod money;
mod seed;

pub use bank::{Account, Bank, BankError, Export, Message, Payee, Reconciliation, StatementLine, Transfer};
pub use handler::{BankServer, serve_stdio};
pub use http::{ServeError, Server, serve};
pub use money::{AmountError, Cents};
pub use seed::{BUSINESS_DAY, INJECTED_AMOUNT, INJECTED_IBAN, INJECTED_MEMO};
