//! Following the store for as long as the node lives.

use crate::Replica;
use provost_domain::DurationMs;
use std::sync::Arc;
use tokio::sync::watch;

impl Replica {
    /// Catches up every `every`, and at once on a hint, until `stop` is told or dropped. A failure is logged once
    /// when it starts and once when it ends; meanwhile the view ages, and past its lease nothing is decided.
    pub async fn follow(self: Arc<Self>, every: DurationMs, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            match self.catch_up().await {
                Ok(_seq) if failing => {
                    failing = false;
                    tracing::info!("the store answers again; decisions resume");
                }
                Ok(_seq) => {}
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the store cannot be followed; decisions stop when the lease ends");
                }
                Err(_still_failing) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(every.to_std()) => {}
                changed = stop.changed() => {
                    if changed.is_err() || *stop.borrow() {
                        return;
                    }
                }
            }
        }
    }
}
