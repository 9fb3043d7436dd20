//! The hot path: one `tools/call` of about 400 bytes, read strictly, and read into what policy decides on.
#![expect(clippy::unwrap_used, reason = "benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use provost_mcp::tools::ToolCall;
use provost_mcp::{Limits, Message, Patch, Revision, headers, strict};

const CALL: &str = r#"{"jsonrpc":"2.0","id":4711,"method":"tools/call","params":{"name":"transfer","arguments":{"from":"DE02120300000000202051","to":"DE02500105170137075030","amount":125.5,"currency":"EUR","reference":"invoice 2026-117"},"_meta":{"progressToken":9,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;

fn list_of(tools: usize) -> String {
    let tool = |i: usize| {
        format!(
            r#"{{"name":"tool_{i}","description":"Looks up an account by its number and says what it holds.","inputSchema":{{"type":"object","properties":{{"account":{{"type":"string","description":"The account's \"IBAN\""}},"limit":{{"type":"integer","minimum":1,"maximum":100}}}},"required":["account"]}}}}"#
        )
    };
    format!(r#"{{"tools":[{}]}}"#, (0..tools).map(tool).collect::<Vec<_>>().join(","))
}

fn parse(c: &mut Criterion) {
    let limits = Limits::default();
    let list = list_of(500);
    let mut group = c.benchmark_group("strict");
    for (name, text) in [("call", CALL), ("list", list.as_str())] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group
            .bench_function(name, |b| b.iter(|| strict::check(black_box(text.as_bytes()), &limits).unwrap()));
    }
    group.finish();

    let mut group = c.benchmark_group("call");
    group.throughput(Throughput::Bytes(CALL.len() as u64));
    group.bench_function("message", |b| {
        b.iter(|| Message::parse(black_box(CALL.as_bytes()), &limits).unwrap())
    });
    group.bench_function("message and decided copy", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(CALL.as_bytes()), &limits).unwrap();
            black_box(ToolCall::parse(message.params(), Revision::V2026_07_28, &limits).unwrap());
        });
    });
    group.bench_function("headers", |b| {
        let message = Message::parse(CALL.as_bytes(), &limits).unwrap();
        let sent = headers::standard(Revision::V2026_07_28, "tools/call", message.params());
        b.iter(|| {
            let seen: headers::Headers<'_> = sent.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
            headers::check_standard(black_box(&message), &seen).unwrap();
        });
    });
    group.bench_function("rewrite id and name", |b| {
        let raw = strict::check(CALL.as_bytes(), &limits).unwrap();
        b.iter(|| Patch::new().id(&7.into()).name("transfer").apply(black_box(raw)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
