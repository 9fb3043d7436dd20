//! What a connector sends: filters, paths, bodies and patches, read without a panic, and what a patch makes reads again.
//! The input is a filter, a line end, and JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_scim::{Filter, path::Target, patch, resource, schema::TYPES};
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let (filter, body) = text.split_once('\n').unwrap_or((text, "{}"));
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    for kind in TYPES {
        let start = json!({ "userName": "maria", "displayName": "Maria", "emails": [{ "type": "work", "value": "a@x" }] });
        let start = resource::read(kind, &start).unwrap_or_default();
        if let Ok(filter) = Filter::parse(kind, filter) {
            let _ = filter.matches(&start);
            let _ = filter.equal("userName");
        }
        let _ = Target::parse(kind, filter);
        let _ = resource::read(kind, &body);
        for body in [&body, &json!({ "Operations": [{ "op": "replace", "path": filter, "value": body }] })] {
            if let Ok(after) = patch::apply(kind, &start, body) {
                assert_eq!(resource::read(kind, &Value::Object(after.clone())), Ok(after));
            }
        }
    }
});
