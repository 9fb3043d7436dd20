//! Taking back: connections and things in hand as soon as their task is over, and what was minted until it was seen to be
//! gone. Every node does this for all; the store decides who wrote it down.

use crate::{
    Broker, BrokerError, OauthClient, broker::OAUTH_TOKEN, held::Key, minted::Kept, postgres, whom::is_over,
};
use futures::{FutureExt as _, StreamExt as _};
use provost_connect::Secret;
use provost_domain::{Directory, DurationMs, Minted, Timestamp, minted::MintedStatus};
use provost_store::CommitError;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// Follows the plane's changes for as long as the node lives: ends what belongs to tasks that are over.
pub async fn follow(broker: Arc<Broker>, stop: watch::Receiver<bool>) {
    tokio::join!(close_ended(&broker, stop.clone()), sweep(&broker, stop));
}

async fn close_ended(broker: &Broker, mut stop: watch::Receiver<bool>) {
    let mut moves = broker.parts.replica.moves();
    while !*stop.borrow() {
        moves.mark_unchanged();
        broker.close_ended().await;
        tokio::select! {
            // A plane that is going away.
            changed = moves.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sweep(broker: &Broker, mut stop: watch::Receiver<bool>) {
    let (mut moves, mut patience) = (broker.parts.replica.moves(), Patience::default());
    while !*stop.borrow() {
        moves.mark_unchanged();
        let waits = broker.sweep(&mut patience).await;
        tokio::select! {
            changed = moves.changed() => if changed.is_err() { return },
            () = broker.hands.let_go.notified() => {}
            () = tokio::time::sleep(waits.min(LOOK_EVERY)) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whose turn it is, and when it is tried again.
#[derive(Default)]
pub struct Patience(BTreeMap<String, Turn>);

struct Turn {
    failures: u32,
    not_before: Timestamp,
}

impl Broker {
    /// Ends the connections of tasks that are over, and lets go of what was obtained for them.
    pub async fn close_ended(&self) {
        let view = self.parts.replica.latest();
        let now = self.now();
        let over: HashSet<_> = self
            .parts
            .upstreams
            .callers()
            .into_iter()
            // Somebody who is no agent looks at systems for the administration, and ends that.
            .filter(|caller| view.directory.agents.contains_key(&caller.agent))
            .filter(|caller| is_over(&view.directory, &caller.agent, caller.task, now))
            .map(|caller| caller.task)
            .collect();
        futures::stream::iter(over)
            .for_each_concurrent(AT_ONCE_MAX, |task| async move {
                self.parts.upstreams.end_task(task).await;
                tracing::debug!(%task, "the connections of a task that is over were ended");
            })
            .await;
        self.hands.forget(|key| match key {
            Key::Task { agent, task, .. } => is_over(&view.directory, agent, *task, now),
            Key::Person { system, person, sealed } => {
                let account = view.directory.accounts.get(&(system.clone(), person.clone()));
                account.is_none_or(|account| account.sealed != *sealed)
            }
        });
    }

    /// Takes back everything minted that is needed no more; says when to look again.
    pub async fn sweep(&self, patience: &mut Patience) -> Duration {
        let view = self.parts.replica.latest();
        let now = self.now();
        patience.0.retain(|id, _turn| view.directory.minted.contains_key(id));
        let rows: Vec<Arc<Minted>> = view.directory.minted.values().map(Arc::clone).collect();
        let over = |row: &Minted| {
            is_over(&view.directory, &row.agent, row.task, now) || self.recalled(&view.directory, row)
        };
        let due: Vec<Arc<Minted>> = rows
            .into_iter()
            .filter(|row| self.is_due(row, over(row), now))
            .filter(|row| patience.allows(row, self.parts.node == row.node, now))
            .collect();
        drop(view);
        let results: HashMap<String, Result<(), BrokerError>> = futures::stream::iter(due)
            .map(|row| async move { (row.id.clone(), self.take_back(&row).await) })
            .buffer_unordered(AT_ONCE_MAX)
            .collect()
            .await;
        for (id, result) in results {
            match result {
                Ok(()) => drop(patience.0.remove(&id)),
                Err(error) => {
                    let wait = patience.failed(&id, self.now());
                    tracing::warn!(%id, %error, again_in = %wait, "something minted is not yet taken back");
                }
            }
        }
        patience.waits(self.now())
    }

    /// Whether an order about the system takes it back. Its task may go on elsewhere, so what is in hand is not shown again.
    fn recalled(&self, directory: &Directory, row: &Minted) -> bool {
        let recalled = directory.recalls(row);
        if recalled && self.hands.is_mine(&row.id) {
            let (system, agent) = (row.system.clone(), row.agent.clone());
            self.hands.refused(&Key::Task { system, agent, task: row.task });
        }
        recalled
    }

    /// Whether something is needed no more: its task is over, or it is in use no more and has expired or was left behind by a
    /// process of this node. What is in use may be in the middle of a call, also when it lets nobody new in.
    fn is_due(&self, row: &Minted, over: bool, now: Timestamp) -> bool {
        let ours = row.node == self.parts.node;
        let unused =
            !self.hands.is_mine(&row.id) && (now >= row.expires || (ours && row.what != OAUTH_TOKEN));
        over || unused
    }

    /// Takes one thing back, and puts on record what became of it.
    ///
    /// # Errors
    /// When it may still be there; the row stays owed.
    pub async fn take_back(&self, row: &Minted) -> Result<(), BrokerError> {
        let Some((row, version)) = self.owed(&row.id).await? else { return Ok(()) };
        match self.kept(&row.id).await? {
            Some(Kept::Role { admin, password, heir }) => {
                let settled = self.settled(&row, version, MintedStatus::Gone { at: self.now() });
                match postgres::take_back(self, &row, (&admin, &password, &heir), || settled).await {
                    Err(BrokerError::Missing { .. }) if self.now() >= row.expires => {
                        self.given_up(&row, version).await?
                    }
                    taken => taken?,
                }
            }
            Some(Kept::Token { server, name, token }) => {
                let secret = match server.authentication.needs_secret() {
                    true => Some(self.needed(&row.system, &name).await?),
                    false => None,
                };
                let client = OauthClient {
                    upstreams: &self.parts.upstreams,
                    signer: self.parts.signer.as_ref(),
                    now: self.now(),
                    system: &row.system,
                    server: &server,
                    secret,
                };
                match client.revoke(&Secret::new(token.as_bytes().to_vec()), "access_token").await {
                    Ok(()) => self.settled(&row, version, MintedStatus::Gone { at: self.now() }).await?,
                    Err(_refused) if self.now() >= row.expires => self.given_up(&row, version).await?,
                    Err(error) => return Err(error),
                }
            }
            // Whoever asked for it died with the answer, or is just asking.
            None if self.now() >= row.expires.plus(LATE_ANSWER) => self.given_up(&row, version).await?,
            None => {
                return Err(BrokerError::StillThere {
                    system: row.system.clone(),
                    id: row.id.clone(),
                    why: "nobody knows whether it was given; it is waited for until it has expired"
                        .to_owned(),
                });
            }
        }
        tracing::info!(id = %row.id, system = %row.system, task = %row.task, what = %row.what, "taken back");
        self.forget(&row.id).await
    }

    async fn given_up(&self, row: &Minted, version: u64) -> Result<(), BrokerError> {
        self.settled(row, version, MintedStatus::Expired { at: self.now() }).await
    }

    /// Writes down what became of it. Somebody who was faster wrote the same.
    fn settled(
        &self,
        row: &Minted,
        version: u64,
        status: MintedStatus,
    ) -> futures::future::BoxFuture<'static, Result<(), BrokerError>> {
        let why = match &status {
            MintedStatus::Gone { .. } => format!("{} was taken back and is gone", row.what),
            _ => format!("{} has expired, and nobody could look", row.what),
        };
        let (row, now) = (Minted { status, ..row.clone() }, self.now());
        let (store, replica) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.replica));
        async move {
            match crate::minted::put(store.as_ref(), &replica, row, version, why, now).await {
                Err(BrokerError::Commit(CommitError::Conflict { .. })) => Ok(()),
                written => written,
            }
        }
        .boxed()
    }
}

impl Patience {
    /// Whether it is tried now. What another node made is left to that node for a while.
    fn allows(&mut self, row: &Minted, ours: bool, now: Timestamp) -> bool {
        let first = if ours { now } else { now.plus(OTHERS_FIRST) };
        let turn = self.0.entry(row.id.clone()).or_insert(Turn { failures: 0, not_before: first });
        now >= turn.not_before
    }

    fn failed(&mut self, id: &str, now: Timestamp) -> DurationMs {
        let turn = self.0.entry(id.to_owned()).or_insert(Turn { failures: 0, not_before: now });
        let wait = DurationMs(AGAIN_FIRST.0.saturating_mul(1 << turn.failures.min(16))).min(AGAIN_MAX);
        turn.failures = turn.failures.saturating_add(1);
        turn.not_before = now.plus(wait);
        wait
    }

    fn waits(&self, now: Timestamp) -> Duration {
        let next = self.0.values().map(|turn| turn.not_before.since(now)).min();
        next.map_or(LOOK_EVERY, DurationMs::to_std)
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two looks, however fast the plane changes.
const PAUSE: Duration = Duration::from_millis(50);
const AT_ONCE_MAX: usize = 8;
const AGAIN_FIRST: DurationMs = DurationMs::from_secs(1);
const AGAIN_MAX: DurationMs = DurationMs::from_mins(5);
const OTHERS_FIRST: DurationMs = DurationMs::from_secs(15);
/// Longer than any answer of an authorization server may take.
const LATE_ANSWER: DurationMs = DurationMs::from_mins(2);
