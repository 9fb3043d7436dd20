//! Orders that were lifted, for people who look: they bind nobody and are in no view, so a node reads them from the changes, once,
//! when somebody first asks.

use crate::{ControlError, plane::Plane};
use provost_domain::{Containment, Object, Seq, containment::ContainmentStatus};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Mutex;

/// What this node has read of them.
#[derive(Debug, Default)]
pub struct Lifted(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    /// Changes up to here were read.
    position: Seq,
    /// By when they were lifted, and id.
    rows: BTreeMap<(i64, String), Arc<Containment>>,
}

impl Lifted {
    /// All of them, those lifted last first; of very many the last 10,000.
    ///
    /// # Errors
    /// When the store fails: what was read by then is not read again.
    pub(super) async fn all(&self, plane: &Plane) -> Result<Vec<Arc<Containment>>, ControlError> {
        let mut read = self.0.lock().await;
        loop {
            let records = plane.store.tail(read.position, PAGE).await?;
            for record in &records {
                if let Some(Object::Containment(row)) = &record.after
                    && let ContainmentStatus::Lifted { at, .. } = &row.status
                {
                    let key = (at.as_millis(), row.id.clone());
                    read.rows.insert(key, Arc::new(row.as_ref().clone()));
                    if read.rows.len() > KEPT_MAX {
                        read.rows.pop_first();
                    }
                }
                read.position = record.seq;
            }
            if records.len() < PAGE {
                return Ok(read.rows.values().rev().cloned().collect());
            }
        }
    }
}

const PAGE: usize = 1_000;
const KEPT_MAX: usize = 10_000;
