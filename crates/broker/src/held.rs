//! What is in hand: once for a system and task (or person), obtained by one caller while the others wait.

use provost_connect::Shown;
use provost_domain::{Name, TaskId, Timestamp, system::CredentialUse};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// What something in hand is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// One task of an agent.
    Task { system: Name, agent: Name, task: TaskId },
    /// An account of a person, whatever tasks act for them; by what is sealed, so that one connected anew is another.
    Person { system: Name, person: Name, sealed: Name },
}

/// Everything in hand.
#[derive(Default)]
pub(crate) struct Hands {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    /// The ids of what is minted and in use here, or being made.
    minted: Arc<Mutex<HashSet<String>>>,
    /// Rung when something minted is let go.
    pub(crate) let_go: Arc<Notify>,
}

/// The place of one thing. Its lock is held while that is obtained.
#[derive(Default)]
pub(crate) struct Slot {
    refused: AtomicBool,
    pub(crate) state: tokio::sync::Mutex<Option<Held>>,
}

/// Something obtained.
pub(crate) struct Held {
    /// As the system's row said then; another row wants another one.
    pub(crate) used: CredentialUse,
    pub(crate) shown: Shown,
    /// From then on another one is asked for; until it expires, this one will do.
    pub(crate) renew_at: Timestamp,
    pub(crate) expires: Timestamp,
    /// What it was minted as.
    pub(crate) minted: Option<Mine>,
}

/// Says that something minted is in use here, for as long as it lives.
pub(crate) struct Mine {
    pub(crate) id: String,
    all: Arc<Mutex<HashSet<String>>>,
    let_go: Arc<Notify>,
}

impl Hands {
    /// The place for this key, made if there is none; `None` when there are too many.
    pub(crate) fn slot(&self, key: &Key) -> Option<Arc<Slot>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(key) {
            return Some(Arc::clone(slot));
        }
        if slots.len() >= HELD_MAX {
            return None;
        }
        let slot = Arc::<Slot>::default();
        slots.insert(key.clone(), Arc::clone(&slot));
        Some(slot)
    }

    /// The system does not accept what is in hand: it is not shown again.
    pub(crate) fn refused(&self, key: &Key) {
        if let Some(slot) = lock(&self.slots).get(key) {
            slot.refused.store(true, Ordering::Release);
        }
    }

    /// Lets go of everything that is needed no more.
    pub(crate) fn forget(&self, over: impl Fn(&Key) -> bool) -> usize {
        lock(&self.slots).extract_if(|key, _slot| over(key)).count()
    }

    /// Claims something minted as in use here.
    pub(crate) fn mine(&self, id: &str) -> Mine {
        lock(&self.minted).insert(id.to_owned());
        Mine { id: id.to_owned(), all: Arc::clone(&self.minted), let_go: Arc::clone(&self.let_go) }
    }

    /// Whether something minted is in use here.
    pub(crate) fn is_mine(&self, id: &str) -> bool {
        lock(&self.minted).contains(id)
    }
}

impl Slot {
    /// Whether what was in it was refused since somebody last asked.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.id);
        self.let_go.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Things in hand at once.
pub(crate) const HELD_MAX: usize = 100_000;
