//! Counters. They are looked at by people, never by a decision.

use crate::refusal::Refusal;
use provost_domain::{Completion, Decision};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

/// What the gateway counts.
#[derive(Default)]
pub struct Metrics {
    counts: Mutex<BTreeMap<(&'static str, String), u64>>,
}

impl Metrics {
    /// A decision was recorded.
    pub fn decided(&self, decision: &Decision) {
        self.count("provost_decisions_total", label("verdict", decision.verdict.as_str()));
        if !decision.errors.is_empty() {
            self.count("provost_policy_errors_total", String::new());
            tracing::error!(id = %decision.id, errors = ?decision.errors, "a policy failed to evaluate; the call was denied");
        }
    }

    /// An outcome is known.
    pub fn completed(&self, completion: &Completion) {
        self.count("provost_outcomes_total", label("outcome", completion.outcome.as_str()));
    }

    /// A call was refused without a decision.
    pub fn refused(&self, refusal: &Refusal) {
        self.count("provost_refusals_total", label("code", refusal.code()));
    }

    /// In the Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut last = "";
        for ((name, labels), count) in counts.iter() {
            if *name != last {
                let _infallible = writeln!(text, "# TYPE {name} counter");
                last = name;
            }
            let _infallible = writeln!(text, "{name}{labels} {count}");
        }
        text
    }

    fn count(&self, name: &'static str, labels: String) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((name, labels)).or_default();
        *count = count.saturating_add(1);
    }
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{value}\"}}")
}
