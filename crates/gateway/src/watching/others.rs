//! Calls of a run that other nodes decided, read from the records beside a call of this node: at most once a second for a run,
//! a few at once, by an index that holds nothing else. Nobody waits for it; the next call is measured with what came of it.
//! What comes later than that is measured at the end of the task.

use super::{
    EARLIER_MAX,
    live::{Live, Look, locked},
};
use crate::{decide::Attempt, pipeline::Pipeline};
use moka::sync::Cache;
use provost_domain::{Sighting, Timestamp};
use provost_replica::Replica;
use provost_store::{DecisionFilter, Store};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

impl Pipeline {
    /// Takes in what was decided of this run elsewhere, and tells people if all of it together is notable.
    pub(super) fn look(&self, attempt: &Attempt, run: Arc<Mutex<Live>>, look: &Look) {
        let Ok(place) = Arc::clone(&self.watching.looking).try_acquire_owned() else { return };
        let filter = DecisionFilter {
            task: Some(attempt.caller.task.id),
            other_than: (!look.own).then_some(self.node),
            since: Some(look.since),
            max: EARLIER_MAX,
            ..DecisionFilter::default()
        };
        let (store, replica, teller) = (Arc::clone(&self.store), Arc::clone(&self.replica), self.teller());
        tokio::spawn(async move {
            let _place = place;
            let found = match store.decisions(&filter).await {
                Ok(others) if others.decisions.is_empty() => None,
                Ok(others) => {
                    let view = replica.latest();
                    let mut live = locked(&run);
                    let before = live.score();
                    live.merge(&others.decisions, &view.directory);
                    live.found(before)
                }
                Err(error) => {
                    tracing::debug!(%error, "what other nodes decided could not be read; it is read with a later call");
                    None
                }
            };
            found.into_iter().for_each(|sighting| teller.tell(sighting));
        });
    }
}

/// Raises findings beside calls.
pub(super) struct Teller {
    pub(super) store: Arc<dyn Store>,
    pub(super) replica: Arc<Replica>,
    pub(super) told: Cache<String, ()>,
    pub(super) telling: Arc<Semaphore>,
    pub(super) now: Timestamp,
}

impl Teller {
    /// The same within a minute is one; of very many at once, the rest is found again by whoever measures the whole run.
    pub(super) fn tell(&self, sighting: Sighting) {
        let key = format!("{} {}", provost_lifecycle::finding::id(&sighting), sighting.severity);
        if self.told.contains_key(&key) {
            return;
        }
        let Ok(place) = Arc::clone(&self.telling).try_acquire_owned() else { return };
        self.told.insert(key, ());
        let (store, replica, now) = (Arc::clone(&self.store), Arc::clone(&self.replica), self.now);
        tokio::spawn(async move {
            let _place = place;
            let directory = replica.latest().directory.clone();
            if let Err(error) = provost_store::raise_finding(store.as_ref(), &directory, &sighting, now).await
            {
                tracing::warn!(%error, key = sighting.key, "a finding could not be raised");
            }
        });
    }
}
