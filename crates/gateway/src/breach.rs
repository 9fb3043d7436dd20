//! A budget that a call found used up: a person should know, and rules can order on it. Nothing that is decided waits for it.

use crate::{decide::Attempt, pipeline::Pipeline};
use moka::sync::Cache;
use provost_domain::{Decision, Name, Severity, Sighting, finding::About};
use std::{sync::Arc, time::Duration};

/// What was told a moment ago: an agent that tries again and again is one thing to know.
pub(crate) struct Breaches(Cache<(Name, String), ()>);

impl Default for Breaches {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(TOLD_MAX).time_to_live(TOLD_FOR).build())
    }
}

impl Pipeline {
    /// Puts on record that this call was refused for a budget.
    pub(crate) fn breached(&self, attempt: &Attempt, budgets: &[String], decision: &Decision) {
        for budget in budgets {
            let agent = attempt.caller.agent.name.clone();
            let entry = self.breaches.0.entry((agent.clone(), budget.clone())).or_insert(());
            if !entry.is_fresh() {
                continue;
            }
            let what = format!("{agent} wanted more than is left of its budget {budget}");
            let about = About {
                system: Some(attempt.system.name.clone()),
                task: Some(attempt.caller.task.id),
                ..About::agent(&agent)
            };
            let sighting = Sighting::new(KIND, format!("{agent}/{budget}"), Severity::Medium, what)
                .about(about)
                .evidence([decision.id.to_string()]);
            let (store, now) = (Arc::clone(&self.store), self.now());
            let view = Arc::clone(&attempt.view);
            tokio::spawn(async move {
                let raised =
                    provost_store::raise_finding(store.as_ref(), &view.directory, &sighting, now).await;
                if let Err(error) = raised {
                    tracing::warn!(%error, %agent, "that a budget is used up could not be put on record");
                }
            });
        }
    }
}

const KIND: &str = "budget-exhausted";
const TOLD_MAX: u64 = 10_000;
const TOLD_FOR: Duration = Duration::from_secs(60);
