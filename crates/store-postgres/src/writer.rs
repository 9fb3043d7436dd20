//! The writer of a node: a task that takes every decision, completion and refusal that waits, does them in one
//! transaction of three round trips, and answers all. PostgreSQL arbitrates between the writers of several nodes.

mod plan;
mod sql;

use crate::{
    connection::Connections,
    error::{backend, failed, is_answer},
};
use deadpool_postgres::{ClientWrapper, Object};
use plan::{Answer, Questions};
use provost_domain::{Completion, TaskId, TaskState};
use provost_store::{
    RecordError, StoreError,
    driver::{DecisionDraft, Draft, again},
};
use std::collections::{HashSet, VecDeque};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_postgres::error::SqlState;

/// A command on its way to the writer.
pub(crate) enum Command {
    /// Record a decision. `held` is given back when it is done.
    Record {
        draft: DecisionDraft,
        reply: oneshot::Sender<Result<(), RecordError>>,
        held: Box<dyn Send + Sync>,
    },
    /// Complete one.
    Complete {
        draft: Draft,
        completion: Completion,
        task: Option<TaskId>,
        /// What the result brought into the task; nothing, if empty.
        chunk: Vec<u8>,
        reply: oneshot::Sender<Result<TaskState, StoreError>>,
    },
    /// Journal an early refusal.
    Refused { draft: Draft, reply: oneshot::Sender<Result<(), StoreError>> },
    /// Do what was sent before, then stop.
    Stop,
}

impl Command {
    /// What two commands of one transaction may not share.
    fn id(&self) -> Option<&str> {
        match self {
            Self::Record { draft, .. } => Some(&draft.draft.id),
            Self::Complete { draft, .. } => Some(&draft.id),
            Self::Refused { .. } | Self::Stop => None,
        }
    }

    // A caller who left does not change what was written, so it does not matter whether anybody hears.
    fn answer(self, answer: Answer) {
        match (self, answer) {
            (Self::Record { reply, held, .. }, Answer::Recorded(result)) => {
                drop(held);
                drop(reply.send(result));
            }
            (Self::Complete { reply, .. }, Answer::Completed(result)) => drop(reply.send(result)),
            (Self::Refused { reply, .. }, Answer::Journalled) => drop(reply.send(Ok(()))),
            (command, _) => command.fail(&StoreError::Uncertain),
        }
    }

    fn fail(self, error: &StoreError) {
        match self {
            Self::Record { reply, .. } => drop(reply.send(Err(RecordError::Store(again(error))))),
            Self::Complete { reply, .. } => drop(reply.send(Err(again(error)))),
            Self::Refused { reply, .. } => drop(reply.send(Err(again(error)))),
            Self::Stop => {}
        }
    }
}

/// The writer's state.
pub(crate) struct Writer {
    connections: Connections,
    inbox: mpsc::Receiver<Command>,
    /// Its own, so that one which hangs goes back to nobody.
    client: Option<ClientWrapper>,
}

impl Writer {
    pub(crate) fn new(connections: Connections, inbox: mpsc::Receiver<Command>) -> Self {
        Self { connections, inbox, client: None }
    }

    /// Serves until told to stop, or until nobody can send any more.
    pub(crate) async fn run(mut self) {
        let mut waiting = VecDeque::new();
        let mut arrived = Vec::new();
        loop {
            if waiting.is_empty() {
                if self.inbox.recv_many(&mut arrived, GROUP_COMMANDS_MAX).await == 0 {
                    return;
                }
            } else {
                while let Ok(command) = self.inbox.try_recv() {
                    arrived.push(command);
                    if arrived.len() >= GROUP_COMMANDS_MAX {
                        break;
                    }
                }
            }
            for command in arrived.drain(..) {
                if matches!(command, Command::Stop) {
                    self.inbox.close();
                } else {
                    waiting.push_back(command);
                }
            }
            let group = take_group(&mut waiting);
            self.serve(group).await;
        }
    }

    async fn serve(&mut self, group: Vec<Command>) {
        match self.persist(&group).await {
            Ok(answers) => {
                group.into_iter().zip(answers).for_each(|(command, answer)| command.answer(answer))
            }
            // One of them spoiled it: each again on its own, so that its neighbours do not pay.
            Err(Void::Spoiled(_)) if group.len() > 1 => {
                for command in group {
                    match self.persist(std::slice::from_ref(&command)).await {
                        Ok(mut answers) => match answers.pop() {
                            Some(answer) => command.answer(answer),
                            None => command.fail(&StoreError::Uncertain),
                        },
                        Err(void) => command.fail(&void.into_error()),
                    }
                }
            }
            Err(void) => {
                let error = void.into_error();
                tracing::error!(%error, commands = group.len(), "a group of writes was refused");
                group.into_iter().for_each(|command| command.fail(&error));
            }
        }
    }

    /// Tries again when PostgreSQL says that somebody else was in the way, and that nothing happened.
    async fn persist(&mut self, group: &[Command]) -> Result<Vec<Answer>, Void> {
        let mut tries = 1;
        loop {
            match self.attempt(group).await {
                Err(Void::Collided(error)) if tries >= TRIES_MAX => return Err(Void::Spoiled(error)),
                Err(Void::Collided(_)) => tries += 1,
                done => return done,
            }
        }
    }

    async fn attempt(&mut self, group: &[Command]) -> Result<Vec<Answer>, Void> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => Object::take(self.connections.get().await.map_err(Void::Lost)?),
        };
        let Ok((done, client)) = timeout(self.connections.silence_max, transact(client, group)).await else {
            // Cut off, perhaps, with the wire still up: nobody is told that it happened, and nobody waits any longer.
            return Err(Void::Uncertain);
        };
        self.client = client;
        done
    }
}

/// As many as may share a transaction: in their order, and no two on one decision.
fn take_group(waiting: &mut VecDeque<Command>) -> Vec<Command> {
    let mut ids: HashSet<String> = HashSet::new();
    let mut group = Vec::new();
    while let Some(command) = waiting.pop_front() {
        if command.id().is_some_and(|id| !ids.insert(id.to_owned())) {
            waiting.push_front(command);
            break;
        }
        group.push(command);
        if group.len() >= GROUP_COMMANDS_MAX {
            break;
        }
    }
    group
}

/// Reads under locks, plans, writes and commits. Gives the connection back if it can be used again.
async fn transact(
    client: ClientWrapper,
    group: &[Command],
) -> (Result<Vec<Answer>, Void>, Option<ClientWrapper>) {
    let questions = Questions::of(group);
    // A crash or an error before the commit: nothing happened.
    let seen = match sql::ask(&client, &questions).await {
        Ok(seen) => seen,
        Err(error) => return (Err(error), roll_back(client).await),
    };
    let (answers, writes) = plan::plan(group, seen);
    if writes.is_empty() {
        let client = roll_back(client).await;
        return (Ok(answers), client);
    }
    if let Err(error) = sql::write(&client, &writes).await {
        return (Err(error), roll_back(client).await);
    }
    // Sent by itself, only once every statement is known to have been done. A connection lost from here on leaves open
    // whether it happened: nobody is told that it did, and the callers' ids find out.
    match client.batch_execute("COMMIT").await {
        Ok(()) => (Ok(answers), Some(client)),
        Err(error) if is_answer(&error) => (Err(Void::new("commit")(error)), roll_back(client).await),
        Err(_lost) => (Err(Void::Uncertain), None),
    }
}

async fn roll_back(client: ClientWrapper) -> Option<ClientWrapper> {
    client.batch_execute("ROLLBACK").await.is_ok().then_some(client)
}

/// Why a transaction is void.
#[derive(Debug)]
pub(crate) enum Void {
    /// Somebody else was in the way; nothing happened.
    Collided(StoreError),
    /// A statement failed; nothing happened.
    Spoiled(StoreError),
    /// The connection was lost before the commit was sent; nothing happened.
    Lost(StoreError),
    /// The connection was lost after the commit was sent.
    Uncertain,
}

impl Void {
    /// Of an error before the commit was sent, or of the server's answer to it.
    fn new(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |error| {
            if is_answer(&error) { Self::answered(doing, error) } else { Self::Lost(backend(doing, error)) }
        }
    }

    fn answered(doing: &'static str, error: tokio_postgres::Error) -> Self {
        let collided = error.code().is_some_and(|code| {
            [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE, SqlState::UNIQUE_VIOLATION]
                .contains(code)
        });
        let error = failed(doing)(error);
        if collided { Self::Collided(error) } else { Self::Spoiled(error) }
    }

    fn into_error(self) -> StoreError {
        match self {
            Self::Collided(error) | Self::Spoiled(error) | Self::Lost(error) => error,
            Self::Uncertain => StoreError::Uncertain,
        }
    }
}

const GROUP_COMMANDS_MAX: usize = 256;
const TRIES_MAX: usize = 5;
