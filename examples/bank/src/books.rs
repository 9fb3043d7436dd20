//! The SQL of the bank: its tables and the few statements over them. Every function takes a connection that
//! is already inside the transaction it should be part of.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::bank::{Account, Export, Message, Payee, StatementLine, Transfer};
use crate::money::Cents;

/// The tables. A balance is kept beside the lines and must equal their sum; `reconcile` checks it.
pub(crate) const SCHEMA: &str = "
CREATE TABLE account (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    iban          TEXT NOT NULL UNIQUE,
    balance_cents INTEGER NOT NULL CHECK (balance_cents >= 0),
    status        TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    CHECK (status = 'open' OR balance_cents = 0)
) STRICT;
CREATE TABLE payee (
    name TEXT PRIMARY KEY,
    iban TEXT NOT NULL
) STRICT;
CREATE TABLE line (
    id           INTEGER PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES account (id),
    day          TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents <> 0),
    counterparty TEXT NOT NULL,
    memo         TEXT NOT NULL
) STRICT;
CREATE INDEX line_by_account ON line (account, day);
CREATE TABLE transfer (
    id           INTEGER PRIMARY KEY,
    from_account TEXT NOT NULL REFERENCES account (id),
    payee        TEXT NOT NULL,
    iban         TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    reference    TEXT NOT NULL,
    day          TEXT NOT NULL
) STRICT;
CREATE TABLE message (
    id        INTEGER PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject   TEXT NOT NULL,
    body      TEXT NOT NULL
) STRICT;
CREATE TABLE export (
    id          INTEGER PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    destination TEXT NOT NULL,
    lines       INTEGER NOT NULL
) STRICT;
";

/// All accounts, oldest first.
pub(crate) fn accounts(db: &Connection) -> rusqlite::Result<Vec<Account>> {
    let sql = "SELECT id, name, iban, balance_cents, status FROM account ORDER BY rowid";
    db.prepare_cached(sql)?.query_map([], account_row)?.collect()
}

/// One account by its id.
pub(crate) fn account(db: &Connection, id: &str) -> rusqlite::Result<Option<Account>> {
    let sql = "SELECT id, name, iban, balance_cents, status FROM account WHERE id = ?1";
    db.prepare_cached(sql)?.query_row([id], account_row).optional()
}

/// The newest `limit` lines of an account, newest first; of one month (`YYYY-MM`) if given.
pub(crate) fn lines(
    db: &Connection,
    account: &str,
    month: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<StatementLine>> {
    let sql = "SELECT id, day, amount_cents, counterparty, memo FROM line
        WHERE account = ?1 AND (?2 IS NULL OR substr(day, 1, 7) = ?2)
        ORDER BY day DESC, id DESC LIMIT ?3";
    let read = |r: &Row<'_>| {
        Ok(StatementLine {
            id: r.get(0)?,
            day: r.get(1)?,
            amount: Cents::new(r.get(2)?),
            counterparty: r.get(3)?,
            memo: r.get(4)?,
        })
    };
    db.prepare_cached(sql)?.query_map(params![account, month, limit], read)?.collect()
}

/// How many lines an account has, and their sum.
pub(crate) fn totals(db: &Connection, account: &str) -> rusqlite::Result<(u32, Cents)> {
    let sql = "SELECT count(*), coalesce(sum(amount_cents), 0) FROM line WHERE account = ?1";
    db.prepare_cached(sql)?.query_row([account], |r| Ok((r.get(0)?, Cents::new(r.get(1)?))))
}

/// Books one line and moves the balance with it; the account's CHECK refuses a balance below zero.
pub(crate) fn book_line(
    db: &Connection,
    account: &str,
    day: &str,
    cents: i64,
    counterparty: &str,
    memo: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO line (account, day, amount_cents, counterparty, memo) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![account, day, cents, counterparty, memo])?;
    let sql = "UPDATE account SET balance_cents = balance_cents + ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![account, cents])?;
    Ok(())
}

/// Marks an account closed; its balance must be zero by then.
pub(crate) fn close(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.execute("UPDATE account SET status = 'closed' WHERE id = ?1", [account])?;
    Ok(())
}

/// All payees by name.
pub(crate) fn payees(db: &Connection) -> rusqlite::Result<Vec<Payee>> {
    let read = |r: &Row<'_>| Ok(Payee { name: r.get(0)?, iban: r.get(1)? });
    db.prepare_cached("SELECT name, iban FROM payee ORDER BY name")?.query_map([], read)?.collect()
}

/// The IBAN of one payee.
pub(crate) fn payee_iban(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT iban FROM payee WHERE name = ?1";
    db.prepare_cached(sql)?.query_row([name], |r| r.get(0)).optional()
}

/// Adds a payee; `false` if the name is taken.
pub(crate) fn add_payee(db: &Connection, name: &str, iban: &str) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO payee (name, iban) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(db.execute(sql, params![name, iban])? == 1)
}

/// Writes a transfer into the ledger of transfers and returns its id.
pub(crate) fn add_transfer(db: &Connection, transfer: &Transfer) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO transfer (from_account, payee, iban, amount_cents, reference, day)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute(params![
        transfer.from_account,
        transfer.payee,
        transfer.iban,
        transfer.amount.get(),
        transfer.reference,
        transfer.day
    ])?;
    Ok(db.last_insert_rowid())
}

/// Every transfer ever made, oldest first.
pub(crate) fn transfers(db: &Connection) -> rusqlite::Result<Vec<Transfer>> {
    let sql = "SELECT id, from_account, payee, iban, amount_cents, reference, day FROM transfer ORDER BY id";
    let read = |r: &Row<'_>| {
        Ok(Transfer {
            id: r.get(0)?,
            from_account: r.get(1)?,
            payee: r.get(2)?,
            iban: r.get(3)?,
            amount: Cents::new(r.get(4)?),
            reference: r.get(5)?,
            day: r.get(6)?,
        })
    };
    db.prepare(sql)?.query_map([], read)?.collect()
}

/// Puts a message into the outbox and returns its id.
pub(crate) fn add_message(db: &Connection, to: &str, subject: &str, body: &str) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO message (recipient, subject, body) VALUES (?1, ?2, ?3)";
    db.execute(sql, params![to, subject, body])?;
    Ok(db.last_insert_rowid())
}

/// Every message ever sent, oldest first.
pub(crate) fn messages(db: &Connection) -> rusqlite::Result<Vec<Message>> {
    let read =
        |r: &Row<'_>| Ok(Message { id: r.get(0)?, to: r.get(1)?, subject: r.get(2)?, body: r.get(3)? });
    db.prepare("SELECT id, recipient, subject, body FROM message ORDER BY id")?.query_map([], read)?.collect()
}

/// Notes an export and returns its id.
pub(crate) fn add_export(
    db: &Connection,
    account: &str,
    destination: &str,
    lines: u32,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO export (account, destination, lines) VALUES (?1, ?2, ?3)";
    db.execute(sql, params![account, destination, lines])?;
    Ok(db.last_insert_rowid())
}

/// Every export ever made, oldest first.
pub(crate) fn exports(db: &Connection) -> rusqlite::Result<Vec<Export>> {
    let read = |r: &Row<'_>| {
        Ok(Export { id: r.get(0)?, account: r.get(1)?, destination: r.get(2)?, lines: r.get(3)? })
    };
    db.prepare("SELECT id, account, destination, lines FROM export ORDER BY id")?
        .query_map([], read)?
        .collect()
}

fn account_row(r: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: r.get(0)?,
        name: r.get(1)?,
        iban: r.get(2)?,
        balance: Cents::new(r.get(3)?),
        status: r.get(4)?,
    })
}
