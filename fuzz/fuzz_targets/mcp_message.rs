//! Any bytes as a message: no panic; what passes reads as serde_json reads it; a rewritten message is a
//! message with only that changed; what is translated to the other era is a message of that era.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_mcp::era::{Spoken, spoken};
use provost_mcp::tools::ToolCall;
use provost_mcp::translate::to_legacy;
use provost_mcp::{Limits, Message, Patch, RequestId, Revision, methods};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(message) = Message::parse(bytes, &limits) else { return };
    let mut value: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(message.raw().to_value().unwrap(), value);

    let id = RequestId::from("fuzz");
    let renamed = Patch::new().id(&id).apply(message.raw()).unwrap();
    value["id"] = "fuzz".into();
    assert_eq!(serde_json::from_str::<Value>(&renamed).unwrap(), value);

    let _ = ToolCall::parse(message.params(), Revision::V2026_07_28, &limits);
    for revision in Revision::NEWEST_FIRST {
        if let Ok(row) = methods::of_client(&message, revision) {
            let _ = row.subject(message.params(), revision);
        }
    }
    if let (Ok(Spoken::Modern(_)), Message::Request(request)) = (spoken(&message, None), &message) {
        let legacy = to_legacy::request(request, &id).unwrap();
        let legacy = Message::parse(legacy.as_bytes(), &limits).unwrap();
        assert_eq!(spoken(&legacy, Some("2025-11-25")).is_ok_and(|s| matches!(s, Spoken::Modern(_))), false);
    }
});
