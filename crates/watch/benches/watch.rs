//! What watching costs a call: tracing its arguments, taking its result in, holding a run against a baseline.
#![expect(clippy::unwrap_used, reason = "benchmark")]

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use provost_domain::{Effect, Origin, Timestamp, Tool, Usual, tool::Steering};
use provost_watch::{
    Content, Memory, Run, baseline,
    drift::{Against, Measure},
    memory::Received,
    record::{self, Decided},
    run::{Ended, Marker, Step},
    trace::trace,
};
use serde_json::{Map, Value, json};
use std::hint::black_box;

fn tool(name: &str, effect: Effect, returns: Value, steers: &[&str]) -> Tool {
    let mut tool: Tool = serde_json::from_value(json!({
        "system": "bank", "name": name, "pin": provost_domain::Digest::of(b""), "returns": returns,
    }))
    .unwrap();
    tool.effects = [effect].into();
    let steers = steers.iter().map(|arg| (*arg).to_owned()).collect();
    tool.steering = Steering { steers, carries: ["body".to_owned()].into() };
    tool
}

/// A statement of so many lines, about 150 bytes each.
fn statement(lines: usize) -> Value {
    let line = |n: usize| {
        json!({
            "account": format!("GB29NWBK6016133192{n:04}"), "amount": format!("{n}.50"), "date": "2026-05-01",
            "memo": format!("Thank you for order {n}, see www.shop-{n}.example for what we sent and when it comes"),
        })
    };
    json!({ "lines": (0..lines).map(line).collect::<Vec<_>>() })
}

fn costs(c: &mut Criterion) {
    let mut group = c.benchmark_group("watch");
    let returns = json!([{"label": "untrusted", "field": "lines.memo"}, {"label": "confidential"}]);
    let reader = tool("statement", Effect::Read, returns, &[]);
    let sender = tool("send", Effect::Communicate, json!([]), &["to", "amount"]);
    let no_args = Map::new();
    let call =
        json!({"to": "GB29NWBK60161331929999", "amount": 12.5, "body": "As agreed, see you on Monday."});
    let call = call.as_object().unwrap();
    for lines in [0, 10, 100, 400] {
        let result = statement(lines);
        let received = Received { tool: &reader, args: &no_args, content: Content::Structured(&result) };
        let mut memory = Memory::new("task", "Pay what is due this month to GB29NWBK60161331920007");
        if let Some(chunk) = memory.chunk(&received) {
            if lines > 0 {
                group.bench_function(format!("take in a result of {lines} lines"), |b| {
                    b.iter(|| black_box(&memory).chunk(black_box(&received)));
                });
                group.bench_function(format!("write it down, {} bytes", chunk.to_bytes().len()), |b| {
                    b.iter(|| black_box(&chunk).to_bytes());
                });
            }
            memory.add(1, chunk);
        }
        group.bench_function(format!("trace a call after {lines} lines"), |b| {
            b.iter(|| trace(black_box(&memory), &sender, black_box(call), &|_, _| false));
        });
    }
    drifting(&mut group, &sender, call);
    group.finish();
}

/// What a call costs that is held against two hundred earlier runs: before it is decided, and after.
fn drifting(group: &mut BenchmarkGroup<'_, WallTime>, sender: &Tool, call: &Map<String, Value>) {
    let marker = Marker::of("clerk");
    let steered = [Origin::Trusted].into();
    let path = sender.path();
    let decided = Decided { path: &path, tool: Some(sender), args: call, steered: &steered };
    let step = |n: usize| Step {
        tool: format!("bank/tool_{}", n % 30),
        ..record::step(&decided, Ended::Done, &marker)
    };
    let mut usual = Usual::default();
    for day in 0..200 {
        let run = Run { steps: (0..12).map(|n| step(n + day)).collect(), hour: 9 };
        let at = Timestamp::from_millis(i64::try_from(day).unwrap() * 86_400_000);
        baseline::learn(&mut usual, &run, at);
    }
    let against = Against { kind: Some(&usual), ..Against::default() };
    let mut measure = Measure::begun(9, "Pay what is due this month");
    (0..40).for_each(|n| measure.add(&step(n), &against));
    group.bench_function("measure a call before it is decided", |b| {
        b.iter(|| measure.score_with(&record::step(black_box(&decided), Ended::Done, &marker), &against));
    });
    let next = step(7);
    group.bench_function("take a decided call in, and measure the run", |b| {
        b.iter(|| {
            measure.add(black_box(&next), &against);
            measure.drift(&against)
        });
    });
}

criterion_group!(benches, costs);
criterion_main!(benches);
