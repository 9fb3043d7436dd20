//! The one writer: a thread that takes everything that waits, does it in one transaction, commits, and answers all.

mod balances;
mod company;
#[cfg(test)]
pub(crate) mod fault;

pub(crate) use balances::Balances;
pub(crate) use company::Company;

use crate::error::failed;
use provost_store::{StoreError, driver::again};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What a command writes into: the open transaction, and what the writer remembers.
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) balances: &'a mut Balances,
}

/// A command on its way to the writer.
pub(crate) trait Command: Send {
    /// Does it. An error spoils the transaction; a refusal is an answer, and has written nothing. May be called
    /// again in a transaction of its own after a neighbour spoiled the first.
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;

    /// Tells the caller: the answer, once the commit returned, or the error that made it void.
    fn finish(self: Box<Self>, committed: Result<(), &StoreError>);
}

/// A command made of a closure.
pub(crate) struct Job<F, T> {
    work: F,
    answer: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    /// The command, and where its answer arrives.
    pub(crate) fn command(work: F) -> (Box<dyn Command>, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { work, answer: None, reply }), answer)
    }
}

impl<F, T> Command for Job<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.answer = Some((self.work)(tx)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), &StoreError>) {
        let Self { answer, reply, .. } = *self;
        let told = match (committed, answer) {
            (Ok(()), Some(answer)) => Ok(answer),
            (Ok(()), None) => Err(StoreError::Uncertain),
            (Err(error), _) => Err(again(error)),
        };
        // A caller who left does not change what was written.
        drop(reply.send(told));
    }
}

/// What the writer thread is sent.
pub(crate) enum Message {
    /// Do this.
    Do(Box<dyn Command>),
    /// Do what waits for company.
    Look,
    /// Do what was sent before, then stop.
    Stop,
}

/// The writer thread's state.
pub(crate) struct Writer {
    db: Connection,
    balances: Balances,
    inbox: mpsc::Receiver<Message>,
    company: Arc<Company>,
    /// `PRAGMA data_version` at the last commit: another value means that somebody else wrote.
    seen: i64,
    #[cfg(test)]
    faults: fault::Faults,
}

impl Writer {
    pub(crate) fn new(
        db: Connection,
        inbox: mpsc::Receiver<Message>,
        company: Arc<Company>,
        #[cfg(test)] faults: fault::Faults,
    ) -> Self {
        Self {
            db,
            balances: Balances::default(),
            inbox,
            company,
            seen: 0,
            #[cfg(test)]
            faults,
        }
    }

    /// Serves until told to stop, or until nobody can send any more.
    pub(crate) fn run(mut self) {
        let mut messages = Vec::with_capacity(GROUP_COMMANDS_MAX);
        while self.inbox.blocking_recv_many(&mut messages, GROUP_COMMANDS_MAX) > 0 {
            let mut commands = self.company.take();
            for message in messages.drain(..) {
                match message {
                    Message::Do(command) => commands.push(command),
                    Message::Look => {}
                    Message::Stop => self.inbox.close(),
                }
            }
            self.serve(commands);
        }
        let last = self.company.end();
        self.serve(last);
        if let Err(error) = self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the write-ahead log could not be folded into the store's file; it will be on open");
        }
    }

    fn serve(&mut self, mut commands: Vec<Box<dyn Command>>) {
        match self.transact(&mut commands) {
            Ok(()) => commands.into_iter().for_each(|command| command.finish(Ok(()))),
            // One of them spoiled it: each again on its own, so that its neighbours do not pay.
            Err(Spoiled::Applying(_)) if commands.len() > 1 => {
                for command in commands {
                    self.serve(vec![command]);
                }
            }
            Err(Spoiled::Applying(error) | Spoiled::Around(error)) => {
                tracing::error!(%error, commands = commands.len(), "a group of writes was refused");
                commands.into_iter().for_each(|command| command.finish(Err(&error)));
            }
        }
    }

    fn transact(&mut self, commands: &mut [Box<dyn Command>]) -> Result<(), Spoiled> {
        if commands.is_empty() {
            return Ok(());
        }
        let done = self.try_transact(commands);
        if done.is_err() {
            // What the transaction did is void, and so is what was remembered of it. SQLite may have rolled back by
            // itself; then this says so and is of no interest.
            self.balances.forget();
            if !self.db.is_autocommit() {
                drop(self.db.execute_batch("ROLLBACK"));
            }
        }
        done
    }

    fn try_transact(&mut self, commands: &mut [Box<dyn Command>]) -> Result<(), Spoiled> {
        self.run_sql("BEGIN IMMEDIATE", "begin a transaction").map_err(Spoiled::Around)?;
        self.notice_others().map_err(Spoiled::Around)?;
        for command in commands {
            let mut tx = Tx { db: &self.db, balances: &mut self.balances };
            command.apply(&mut tx).map_err(Spoiled::Applying)?;
        }
        #[cfg(test)]
        self.faults.reach(fault::Step::BeforeCommit).map_err(Spoiled::Around)?;
        // A crash before this line: nothing happened, nobody was told. A crash after it: everything stands, nobody
        // was told; the callers' ids find it.
        self.run_sql("COMMIT", "commit").map_err(Spoiled::Around)?;
        #[cfg(test)]
        self.faults.reach(fault::Step::AfterCommit).map_err(Spoiled::Around)?;
        Ok(())
    }

    /// Somebody who writes into the file without asking (a person with a database tool) makes the writer forget.
    fn notice_others(&mut self) -> Result<(), StoreError> {
        let version = self
            .db
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut ask| ask.query_row([], |row| row.get(0)))
            .map_err(failed("begin a transaction"))?;
        if version != self.seen {
            self.balances.forget();
            self.seen = version;
        }
        Ok(())
    }

    fn run_sql(&self, sql: &str, doing: &'static str) -> Result<(), StoreError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(failed(doing))
    }
}

/// Where a transaction was spoiled: in one command, or around them all.
enum Spoiled {
    Applying(StoreError),
    Around(StoreError),
}

const GROUP_COMMANDS_MAX: usize = 1_024;
