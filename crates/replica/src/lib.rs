//! What enforcement knows, and how old that knowledge may be. Loads the organisation at one position, follows the
//! changes, and publishes each new whole as an `Arc<View>`; whoever decides holds one view from start to end.
//!
//! **The lease.** [`Replica::fresh`] gives a view only if the store confirmed, within `staleness_max`, that the view
//! is the newest. A node that is cut off from its store therefore denies within that time: the number is the promise
//! of every stop order under partition (DESIGN.md section 4).

mod follow;

use arc_swap::ArcSwap;
use provost_domain::{Clock, Directory, DurationMs, Pool, Seq, Timestamp};
use provost_policy::Pdp;
use provost_store::{ChangeRecord, Store, StoreError};
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};
use tokio::sync::{Mutex, watch};

/// The organisation at one position, and the decision point over it. Immutable; swapped whole.
pub struct View {
    /// Every row.
    pub directory: Directory,
    /// Decides over those rows.
    pub pdp: Pdp,
}

/// The newest view this node knows of.
pub struct Replica {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    current: ArcSwap<View>,
    /// The moment *before* the store was last asked, in milliseconds: what it said was true at some time after.
    confirmed_at: AtomicI64,
    /// How many times reading the tail was begun.
    passes: AtomicU64,
    /// One reader of the tail at a time, and the number of the last pass that ended; whoever waits finds the work done.
    catching_up: Mutex<u64>,
    moved: watch::Sender<Seq>,
}

impl Replica {
    /// Loads everything once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let asked_at = clock.now();
        let mut directory = Directory::default();
        directory.seq = store.load(&mut |object| directory.put(object)).await?;
        let seq = directory.seq;
        let view = View { pdp: Pdp::new(directory.clone()), directory };
        Ok(Arc::new(Self {
            store,
            clock,
            current: ArcSwap::from_pointee(view),
            confirmed_at: AtomicI64::new(asked_at.as_millis()),
            passes: AtomicU64::new(0),
            catching_up: Mutex::new(0),
            moved: watch::channel(seq).0,
        }))
    }

    /// The newest view, if the store confirmed it recently enough; this is what every decision is made on.
    ///
    /// # Errors
    /// [`Stale`] when the store has not been heard of for longer than `staleness_max`.
    pub fn fresh(&self, staleness_max: DurationMs) -> Result<Arc<View>, Stale> {
        let age = self.age();
        if age > staleness_max {
            return Err(Stale { age, staleness_max });
        }
        Ok(self.current.load_full())
    }

    /// The newest view, however old: for showing, never for deciding.
    #[must_use]
    pub fn latest(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// How long ago the store last confirmed the view.
    #[must_use]
    pub fn age(&self) -> DurationMs {
        self.clock.now().since(Timestamp::from_millis(self.confirmed_at.load(Ordering::Acquire)))
    }

    /// Tells each new position, as the view moves to it.
    #[must_use]
    pub fn moves(&self) -> watch::Receiver<Seq> {
        self.moved.subscribe()
    }

    /// Reads what changed since the view and publishes it. Called after each commit of this node, so that its own
    /// changes bind before they are acknowledged, and by [`Replica::follow`] for those of others.
    ///
    /// # Errors
    /// When the store cannot be read; the view stays, and ages.
    pub async fn catch_up(&self) -> Result<Seq, StoreError> {
        // A pass that began after this call came sees all that stood then. Of many who wait, one reads for all.
        let arrived = self.passes.load(Ordering::SeqCst);
        let mut done = self.catching_up.lock().await;
        if *done > arrived {
            return Ok(self.current.load().directory.seq);
        }
        let pass = self.passes.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let seq = self.read_on().await?;
        *done = pass;
        Ok(seq)
    }

    async fn read_on(&self) -> Result<Seq, StoreError> {
        loop {
            let asked_at = self.clock.now();
            let view = self.current.load_full();
            let records = self.store.tail(view.directory.seq, TAIL_RECORDS_MAX).await?;
            let full_page = records.len() == TAIL_RECORDS_MAX;
            let seq = self.publish(&view, records)?;
            if !full_page {
                self.confirmed_at.fetch_max(asked_at.as_millis(), Ordering::AcqRel);
                return Ok(seq);
            }
        }
    }

    fn publish(&self, view: &View, records: Vec<ChangeRecord>) -> Result<Seq, StoreError> {
        let Some(last) = records.last().map(|record| record.seq) else { return Ok(view.directory.seq) };
        let (mut directory, mut pool) = (view.directory.clone(), Pool::default());
        for mut record in records {
            record.after.iter_mut().for_each(|object| pool.share(object));
            apply(&mut directory, record)?;
        }
        let pdp = view.pdp.with(directory.clone());
        self.current.store(Arc::new(View { directory, pdp }));
        self.moved.send_replace(last);
        Ok(last)
    }
}

/// One change onto the directory, in order and without gaps: a hole would be a change that never binds.
fn apply(directory: &mut Directory, record: ChangeRecord) -> Result<(), StoreError> {
    let wanted = Seq(directory.seq.0.saturating_add(1));
    if record.seq != wanted {
        return Err(StoreError::Corrupt {
            what: format!("change {}", record.seq),
            why: format!("change {wanted} was expected next"),
        });
    }
    match record.after {
        Some(object) => directory.put(object),
        None => directory.remove(&record.key),
    }
    directory.seq = record.seq;
    Ok(())
}

/// The node's knowledge is too old to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this node last heard from its store {age} ago, and may decide for {staleness_max} only: every call is refused \
     until the store answers again"
)]
pub struct Stale {
    /// How old the knowledge is.
    pub age: DurationMs,
    /// How old it may be: the limit `staleness_max`.
    pub staleness_max: DurationMs,
}

const TAIL_RECORDS_MAX: usize = 1_000;
