//! Paying: reads what the changes owe, takes each lane's turn, and marks what came of it.

use super::{
    busy::{Busy, place},
    callback, carriers, derive,
    escalate::Escalated,
    follow, owe_all, put, scim,
};
use crate::{Action, ControlError, Op, Operator, finding, plane::Plane, signal};
use provost_domain::{Delivery, Digest, DurationMs, Object, ObjectKey, Seq, Severity, Sighting, Timestamp};
use provost_lifecycle::delivery as life;
use provost_store::CommitError;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::watch, task::JoinSet};

/// Pays for as long as the node lives.
pub async fn run(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    let mut moves = plane.replica.moves();
    let mut pump = Pump::new(&plane);
    while !*stop.borrow() {
        let wait = match pump.turn().await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "what is owed to others could not be looked at; that is made up for");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait.to_std()) => {}
            moved = moves.changed() => {
                if moved.is_err() { return }
                // Changes come in crowds.
                tokio::time::sleep(GATHER.to_std()).await;
            }
            Some(sent) = pump.sending.join_next() => pump.landed(sent),
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
    // What is being sent is waited for a moment: what is not marked then is sent again.
    let rest = async { while pump.sending.join_next().await.is_some() {} };
    let _late = tokio::time::timeout(LAST_MAX.to_std(), rest).await;
}

/// Pays everything that is due now, once, and waits for it. Gives how many attempts were made.
///
/// # Errors
/// When the store fails; what is owed stays owed.
pub async fn once(plane: &Arc<Plane>) -> Result<usize, ControlError> {
    let mut pump = Pump::new(plane);
    let mut attempts = 0_usize;
    loop {
        pump.turn().await?;
        if pump.sending.is_empty() {
            return Ok(attempts);
        }
        while let Some(sent) = pump.sending.join_next().await {
            attempts = attempts.saturating_add(1);
            pump.landed(sent);
        }
    }
}

struct Pump {
    op: Op,
    /// Changes up to here were read; unknown before the first turn.
    read: Option<Seq>,
    /// What the store remembers of that.
    saved: Seq,
    busy: Busy,
    /// Attempts that another node makes, or made and died over.
    elsewhere: BTreeMap<(String, u32), Timestamp>,
    escalated: Escalated,
    /// Each gives its lane back, and how long an attempt is to be left alone.
    sending: JoinSet<(String, Option<(String, u32)>)>,
}

impl Pump {
    fn new(plane: &Arc<Plane>) -> Self {
        let op = Op { subject: Operator::Plane, request_id: "outbox".to_owned(), plane: Arc::clone(plane) };
        Self {
            op,
            read: None,
            saved: Seq(0),
            busy: Busy::default(),
            elsewhere: BTreeMap::new(),
            escalated: Escalated::default(),
            sending: JoinSet::new(),
        }
    }

    /// One look; gives how long nothing more is due.
    async fn turn(&mut self) -> Result<DurationMs, ControlError> {
        let op = self.op.clone();
        let authorised = op.authorize(Action::DeliveryKeep)?;
        let plane = &op.plane;
        plane.replica.catch_up().await?;
        self.read(&authorised).await?;
        let directory = plane.replica.latest().directory.clone();
        let escalates = self.escalated.look(&authorised, &directory).await?;
        follow::all(&authorised, &directory).await?;
        callback::ready(&authorised, &directory).await?;
        plane.replica.catch_up().await?;
        let view = plane.replica.latest();
        let now = plane.now();
        // What its receiver fetches takes no turn, but has an end.
        let all = || view.directory.deliveries.values().map(AsRef::as_ref);
        let moves = all().filter(|row| now >= row.until || !signal::rests(&view.directory, row));
        let (due, wait) = life::turns(moves, now);
        // What nobody needs any more does not wait for its turn to be told so.
        let moot = view.directory.deliveries.values().filter(|row| {
            row.is_due() && row.only_while_waiting && !follow::still_waits(row, &view.directory)
        });
        let all: Vec<Delivery> = due.into_iter().chain(moot.map(AsRef::as_ref)).cloned().collect();
        self.elsewhere.retain(|_attempt, until| now < *until);
        for row in all {
            if self.sending.len() >= AT_ONCE_MAX {
                break;
            }
            let elsewhere = self.elsewhere.contains_key(&(row.id.clone(), row.attempts));
            if elsewhere || !self.busy.take(&row.lane) {
                continue;
            }
            let op = op.clone();
            self.sending.spawn(async move {
                let attempt = (row.id.clone(), row.attempts);
                match one(&op, &row).await {
                    Ok(true) => (row.lane, None),
                    Ok(false) => (row.lane, Some(attempt)),
                    Err(error) => {
                        tracing::warn!(id = %attempt.0, lane = %row.lane, %error, "a delivery could not be tried or marked; it is made up for");
                        (row.lane, Some(attempt))
                    }
                }
            });
        }
        let waits = [wait, escalates, Some(LOOK_EVERY)];
        Ok(waits.into_iter().flatten().min().unwrap_or(LOOK_EVERY).max(LOOK_NOT_BEFORE))
    }

    fn landed(&mut self, sent: Result<(String, Option<(String, u32)>), tokio::task::JoinError>) {
        match sent {
            Ok((lane, elsewhere)) => {
                self.busy.give_back(&lane);
                if let Some(attempt) = elsewhere {
                    let until = self.op.plane.now().plus(CLAIMED_FOR);
                    self.elsewhere.insert(attempt, until);
                }
            }
            Err(error) => {
                tracing::error!(%error, "sending broke down");
                // Which lane it was is not known any more; claims see to it that nothing is sent twice at once.
                self.busy = Busy::default();
            }
        }
    }

    /// Reads what changed, and puts what it owes on record. A plane that never did begins with what happens from now on.
    async fn read(&mut self, authorised: &crate::access::Authorised<'_>) -> Result<(), ControlError> {
        let plane = &self.op.plane;
        let from = match self.read {
            Some(read) => read,
            None => {
                let position = crate::position::remembered(plane, POSITION, "others were told").await?;
                self.saved = position;
                remember_recent(plane, position).await?;
                position
            }
        };
        self.read = Some(from);
        let (mut read, mut made) = (from, false);
        let directory = plane.replica.latest().directory.clone();
        loop {
            let records = plane.store.tail(read, PAGE).await?;
            for record in &records {
                if let Some(Object::Delivery(row)) = &record.after {
                    plane.outbox.hear(row);
                }
                let signals = signal::event::owed(plane, record, &directory).await?;
                let accounts = scim::owed(record, &directory, plane.now());
                let told = derive::owed(plane, record, &directory);
                let owed: Vec<Delivery> = accounts.into_iter().chain(signals).chain(told).collect();
                let why = format!("of change {}: {}", record.seq, record.key);
                made |= owe_all(authorised, owed, &why).await?;
                read = record.seq;
                self.read = Some(read);
            }
            if records.len() < PAGE {
                break;
            }
        }
        // Reading a little twice costs less than remembering each step.
        if made || read.0.saturating_sub(self.saved.0) >= SAVED_EVERY {
            plane.store.put_meta(POSITION, read.0.to_string().as_bytes()).await?;
            self.saved = read;
        }
        Ok(())
    }
}

/// What is over since a while, for people who look.
async fn remember_recent(plane: &Plane, position: Seq) -> Result<(), ControlError> {
    let mut from = Seq(position.0.saturating_sub(REMEMBERED));
    while from < position {
        let records = plane.store.tail(from, PAGE).await?;
        let Some(last) = records.last() else { return Ok(()) };
        for record in &records {
            if let Some(Object::Delivery(row)) = &record.after {
                plane.outbox.hear(row);
            }
        }
        from = last.seq;
    }
    Ok(())
}

/// One attempt, claimed, made and marked; false when it is another node's.
async fn one(op: &Op, row: &Delivery) -> Result<bool, ControlError> {
    let plane = &op.plane;
    let authorised = op.authorize(Action::DeliveryKeep)?;
    let claim = Digest::of(format!("delivery {} {}", row.id, row.attempts).as_bytes());
    let now = plane.now();
    if !plane.store.remember(claim, now.plus(CLAIMED_FOR), now).await? {
        return Ok(false);
    }
    let key = ObjectKey::delivery(&row.id);
    // The version first: a row that moves in between is newer than its version, and conflicts.
    let versions = authorised.versions(std::slice::from_ref(&key)).await?;
    plane.replica.catch_up().await?;
    let view = plane.replica.latest();
    let Some(row) = view.directory.deliveries.get(&row.id).filter(|now| now.attempts == row.attempts) else {
        return Ok(true);
    };
    let next = if let Some(late) = life::late(row, now) {
        Some(late)
    } else if row.only_while_waiting && !follow::still_waits(row, &view.directory) {
        life::withdraw(row, "it is not needed any more", now)
    } else {
        let came = carriers::attempt(plane, &view.directory, row).await?;
        let [high, low] = plane.random::<2>();
        life::attempted(row, came, plane.now(), u16::from_be_bytes([high, low]))
    };
    let Some(next) = next else { return Ok(true) };
    tell(op, &next).await;
    let what = format!("{} to {}: {}", next.kind, next.lane, next.state.as_str());
    let why = next.last.clone().unwrap_or_else(|| "it was its turn".to_owned());
    match authorised.commit(vec![put(next)], &versions, &what, &why).await {
        // Somebody else has marked it: a person who wants it tried again, say.
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn tell(op: &Op, row: &Delivery) {
    op.plane.metrics.attempted(&row.state);
    match &row.state {
        provost_domain::delivery::DeliveryState::GivenUp { why, .. } => {
            tracing::error!(id = %row.id, lane = %row.lane, kind = %row.kind, why, "given up: somebody was not told");
            // Once for a receiver: one that is gone is one thing to know.
            let what = format!("what was owed to {} was given up: {why}", row.lane);
            let seen = Sighting::new("delivery-given-up", place(&row.lane), Severity::High, what);
            finding::try_raise(op, &seen.evidence([row.id.clone()])).await;
        }
        state => {
            tracing::info!(id = %row.id, lane = %row.lane, kind = %row.kind, attempts = row.attempts, state = state.as_str(), last = row.last.as_deref().unwrap_or_default(), "delivery");
        }
    }
}

/// What every change up to here owes is on record.
const POSITION: &str = "outbox-position";
/// Changes looked back at, for what is over already.
const REMEMBERED: u64 = 5_000;
const PAGE: usize = 500;
const SAVED_EVERY: u64 = 200;
/// Attempts under way at once on one node.
const AT_ONCE_MAX: usize = 16;
/// A claim of a node that died in between runs out after this: longer than any attempt takes.
const CLAIMED_FOR: DurationMs = DurationMs::from_mins(1);
const LOOK_EVERY: DurationMs = DurationMs::from_secs(5);
const LOOK_NOT_BEFORE: DurationMs = DurationMs(50);
const PAUSE_AFTER_FAILURE: DurationMs = DurationMs::from_secs(2);
const GATHER: DurationMs = DurationMs(100);
const LAST_MAX: DurationMs = DurationMs::from_secs(5);
