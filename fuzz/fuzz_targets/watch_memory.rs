//! Any answer of any tool goes into a task's memory, any chunk that was kept is read, and any argument is traced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_domain::{Digest, Tool};
use provost_watch::{Chunk, Content, Memory, memory::Received, trace::trace};
use serde_json::{Value, json};

fuzz_target!(|data: (String, String, Vec<u8>)| {
    let (asked, answer, kept) = data;
    let tool: Tool = serde_json::from_value(json!({
        "system": "fuzz", "name": "tool", "pin": Digest::of(b""), "effects": ["read", "communicate"],
        "returns": [{"label": "untrusted", "field": "a.b"}, {"label": "personal"}],
        "steering": {"steers": ["to"], "carries": ["body"]},
    }))
    .unwrap();
    let args = json!({"to": answer, "body": asked, "n": 1});
    let args = args.as_object().unwrap();
    let mut memory = Memory::new("task", &asked);
    let value: Option<Value> = serde_json::from_str(&answer).ok();
    let content = value.as_ref().map_or(Content::Text(&answer), Content::Structured);
    if let Some(chunk) = memory.chunk(&Received { tool: &tool, args, content }) {
        assert_eq!(Chunk::from_bytes(&chunk.to_bytes()).unwrap(), chunk);
        memory.add(1, chunk);
    }
    if let Ok(chunk) = Chunk::from_bytes(&kept) {
        memory.add(2, chunk);
    }
    trace(&memory, &tool, args, &|_, _| false);
});
