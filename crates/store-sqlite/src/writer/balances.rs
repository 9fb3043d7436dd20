//! What the writer remembers of balances, so that a hot budget is not summed up again for every call.

use crate::error::failed;
use provost_domain::Timestamp;
use provost_store::{StoreError, driver::Taken};
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

/// Slots of the balances asked for lately. Equal to the table as seen from inside the open transaction; forgotten as a
/// whole when a transaction is void.
#[derive(Debug, Default)]
pub(crate) struct Balances {
    slots: HashMap<String, BTreeMap<i64, i64>>,
    held: usize,
}

impl Balances {
    /// What the slots of a key after a moment add up to.
    pub(crate) fn used(&mut self, db: &Connection, key: &str, after: Timestamp) -> Result<i64, StoreError> {
        if !self.slots.contains_key(key) {
            self.read(db, key)?;
        }
        let counted = (Bound::Excluded(after.as_millis()), Bound::Unbounded);
        let slots = self.slots.get(key).into_iter().flat_map(|slots| slots.range(counted));
        Ok(slots.fold(0, |sum, (_slot, amount)| sum.saturating_add(*amount)))
    }

    /// Writes what was taken, and remembers it.
    pub(crate) fn take(&mut self, db: &Connection, taken: &Taken) -> Result<(), StoreError> {
        let slot = taken.slot.as_millis();
        db.prepare_cached(TAKE)
            .and_then(|mut take| take.execute((&taken.key, slot, taken.amount)))
            .map_err(failed("take a charge"))?;
        if let Some(slots) = self.slots.get_mut(&taken.key) {
            let amount = slots.entry(slot).or_insert_with(|| {
                self.held += 1;
                0
            });
            *amount = amount.saturating_add(taken.amount);
        }
        Ok(())
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.slots.clear();
        self.held = 0;
    }

    /// Where what is remembered differs from the table.
    pub(crate) fn differences(&self, db: &Connection) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for (key, remembered) in &self.slots {
            if stored(db, key)? != *remembered {
                found.push(format!("the balance {key} is not what its charges add up to"));
            }
        }
        Ok(found)
    }

    fn read(&mut self, db: &Connection, key: &str) -> Result<(), StoreError> {
        if self.held > SLOTS_MAX {
            self.forget();
        }
        let slots = stored(db, key)?;
        self.held += slots.len() + 1;
        self.slots.insert(key.to_owned(), slots);
        Ok(())
    }
}

fn stored(db: &Connection, key: &str) -> Result<BTreeMap<i64, i64>, StoreError> {
    let failed = || failed("read a balance");
    let mut read = db.prepare_cached(SLOTS).map_err(failed())?;
    let slots = read.query_map([key], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed())?;
    slots.collect::<Result<_, _>>().map_err(failed())
}

const SLOTS: &str = "SELECT slot, amount FROM charge WHERE key = ?1";

const TAKE: &str = "INSERT INTO charge (key, slot, amount)
VALUES (?1, ?2, ?3)
ON CONFLICT (key, slot) DO UPDATE SET amount = amount + excluded.amount";

/// About 64 MB of remembered balances at the most.
const SLOTS_MAX: usize = 1 << 20;
