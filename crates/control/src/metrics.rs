//! Counters of administration and of the sequencer, in the Prometheus text format (version 0.0.4). Looked at by
//! people, never by a decision. The gateway's own text is added through a [`MetricsSource`].

use provost_domain::{delivery::DeliveryState, task::ProbeAnswer};
use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// Somebody else's metrics, as text; asked at each scrape.
pub type MetricsSource = Arc<dyn Fn() -> String + Send + Sync>;

/// What administration counts.
#[derive(Default)]
pub struct Metrics {
    changes: AtomicU64,
    conflicts: AtomicU64,
    sequenced: AtomicU64,
    sequencer_failures: AtomicU64,
    sequencer_lost: AtomicU64,
    gone_refused: AtomicU64,
    gone_accepted: AtomicU64,
    gone_unreachable: AtomicU64,
    delivered: AtomicU64,
    delivery_failures: AtomicU64,
    delivery_given_up: AtomicU64,
    /// When the sequencer last found nothing left to do, or did it; milliseconds since 1970-01-01 UTC.
    sequenced_at: AtomicI64,
    sources: Mutex<Vec<MetricsSource>>,
}

impl Metrics {
    /// Adds somebody else's text to every scrape.
    pub fn add_source(&self, source: MetricsSource) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    pub(crate) fn change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sequenced(&self, rows: u64, at: provost_domain::Timestamp) {
        self.sequenced.fetch_add(rows, Ordering::Relaxed);
        self.sequenced_at.store(at.as_millis(), Ordering::Relaxed);
    }

    pub(crate) fn sequencer_lost(&self) {
        self.sequencer_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sequencer_failed(&self) {
        self.sequencer_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Faces that were asked by this node since it started and did not refuse such a token; an alarm if any.
    #[must_use]
    pub fn still_answering(&self) -> u64 {
        self.gone_accepted.load(Ordering::Relaxed)
    }

    /// A face was tried with a token of a task that had ended.
    pub(crate) fn tried(&self, answer: ProbeAnswer) {
        let counter = match answer {
            ProbeAnswer::Refused => &self.gone_refused,
            ProbeAnswer::Accepted => &self.gone_accepted,
            ProbeAnswer::Unreachable => &self.gone_unreachable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt to deliver something led to this.
    pub(crate) fn attempted(&self, state: &DeliveryState) {
        let counter = match state {
            DeliveryState::Delivered { .. } => &self.delivered,
            DeliveryState::Due { .. } => &self.delivery_failures,
            DeliveryState::GivenUp { .. } => &self.delivery_given_up,
            DeliveryState::Withdrawn { .. } => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// When the sequencer last did its work; the epoch, if never.
    pub(crate) fn sequenced_at(&self) -> provost_domain::Timestamp {
        provost_domain::Timestamp::from_millis(self.sequenced_at.load(Ordering::Relaxed))
    }

    /// All counters, then the gauges handed in, then every source's text.
    #[must_use]
    pub fn render(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::new();
        let counters = [
            ("provost_changes_total", "Change sets committed by this node.", &self.changes),
            ("provost_change_conflicts_total", "Changes decided again after a conflict.", &self.conflicts),
            ("provost_ledger_sequenced_total", "Records this node put into the ledger.", &self.sequenced),
            (
                "provost_sequencer_failures_total",
                "Steps of the sequencer that failed.",
                &self.sequencer_failures,
            ),
            ("provost_sequencer_lost_total", "Steps another node was faster at.", &self.sequencer_lost),
            (
                "provost_gone_refused_total",
                "Faces that refused a token of a task that had ended.",
                &self.gone_refused,
            ),
            (
                "provost_gone_accepted_total",
                "Faces that did not refuse a token of a task that had ended: an alarm.",
                &self.gone_accepted,
            ),
            (
                "provost_gone_unreachable_total",
                "Faces that could not be asked whether they refuse such a token.",
                &self.gone_unreachable,
            ),
            ("provost_delivered_total", "Deliveries that were acknowledged.", &self.delivered),
            (
                "provost_delivery_failures_total",
                "Attempts to deliver that failed and are made again.",
                &self.delivery_failures,
            ),
            (
                "provost_delivery_given_up_total",
                "Deliveries that are not tried any more: somebody was not told.",
                &self.delivery_given_up,
            ),
        ];
        for (name, help, value) in counters {
            let value = value.load(Ordering::Relaxed);
            let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
        for (name, help, value) in gauges {
            let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for source in sources {
            text.push_str(&source());
        }
        text
    }
}
