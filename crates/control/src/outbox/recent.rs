//! Deliveries that are over, as far back as this node remembers: for people who look, never for deciding anything.

use provost_domain::Delivery;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// The last few thousand.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    rows: BTreeMap<String, Arc<Delivery>>,
    order: VecDeque<String>,
}

impl Recent {
    /// Hears how a delivery stands.
    pub(crate) fn hear(&self, delivery: &Delivery) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if delivery.is_due() {
            kept.rows.remove(&delivery.id);
            return;
        }
        if kept.rows.insert(delivery.id.clone(), Arc::new(delivery.clone())).is_none() {
            kept.order.push_back(delivery.id.clone());
        }
        while kept.order.len() > KEPT_MAX {
            if let Some(oldest) = kept.order.pop_front() {
                kept.rows.remove(&oldest);
            }
        }
    }

    /// All of them, in order of their ids.
    pub(crate) fn all(&self) -> Vec<Arc<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rows.values().cloned().collect()
    }
}

const KEPT_MAX: usize = 2_000;
