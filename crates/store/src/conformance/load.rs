//! The load that both drivers' benchmarks put on a store, and on the floor beside it.

use crate::{Charge, Intent, Store, SystemClock, TaskExpectation, WindowKey};
use provost_domain::{
    Clock as _, Decision, DecisionId, Digest, DurationMs, NodeId, Reason, Seq, TaskId, Timestamp, Verdict,
    decision::Subject,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How often each is measured; the medians are compared.
pub const ROUNDS: usize = 5;

/// Decisions a second that a store makes durable for so many producers: plain ones, or ones that depend on a task's
/// state and take from a budget.
pub async fn rate(store: Arc<dyn Store>, producers: usize, duration: Duration, conditional: bool) -> f64 {
    drive(producers, duration, move |producer| {
        let store = Arc::clone(&store);
        async move {
            let mut decision = decision();
            decision.subject.id = format!("agent-{producer}");
            let task = TaskId::from_bytes([u8::try_from(producer % 256).unwrap(); 16]);
            decision.subject.task = Some(task);
            let charges = if conditional { vec![charge(producer)] } else { Vec::new() };
            let expects = conditional.then_some(TaskExpectation { task, version: 0 });
            store.record(Intent { decision: decision.into(), expects, charges }).await.unwrap();
        }
    })
    .await
}

/// The middle one.
#[must_use]
pub fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Producers that each wait for their record to be durable before they make the next.
pub async fn drive<F, Fut>(producers: usize, duration: Duration, one: F) -> f64
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let one = Arc::new(one);
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for producer in 0..producers {
        let one = Arc::clone(&one);
        running.spawn(async move {
            let mut made = 0_u64;
            while started.elapsed() < duration {
                one(producer).await;
                made += 1;
            }
            made
        });
    }
    let made: u64 = running.join_all().await.into_iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = made as f64 / started.elapsed().as_secs_f64();
    rate
}

fn charge(producer: usize) -> Charge {
    let key = format!("agent/agent-{producer}/calls/count");
    let window = WindowKey { key, window: DurationMs::from_mins(60), max: i64::MAX };
    Charge { window, amount: 1 }
}

/// A decision of about the size that a bank's transfer has, never made before.
#[must_use]
pub fn decision() -> Decision {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let at: Timestamp = SystemClock.now();
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    Decision {
        v: 1,
        id: DecisionId::new(at, random),
        at,
        node: NodeId::from_bytes([1; 16]),
        view: Seq(4_211),
        policies: Digest::of(b"policies"),
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: "invoice-clerk".to_owned(),
            owner: "maria".parse().ok(),
            revision: Some(3),
            task: None,
            requester: "jonas".parse().ok(),
        },
        system: "bank".parse().unwrap(),
        tool: "transfer".to_owned(),
        action: Digest::of(b"action"),
        input: serde_json::json!({
            "args": {"amount": "1250.00", "payee": "ACME GmbH", "reference": "invoice 2026-0711", "urgent": false},
            "task": {"labels": ["confidential"], "purpose": "pay the invoices of May"},
            "now": at.as_millis(),
        }),
        verdict: Verdict::Allow {
            reasons: vec![Reason {
                policy: "charter/invoice-clerk/3/bank.transfer".to_owned(),
                reason: "the charter grants transfers up to 5,000 to known payees".to_owned(),
            }],
        },
        approval: None,
        errors: Vec::new(),
    }
}
