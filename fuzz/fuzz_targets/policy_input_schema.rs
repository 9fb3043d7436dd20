//! Any JSON as a tool's input schema: bounded work, never a panic, and what comes out has a Cedar type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_domain::{Digest, Directory, Object, tool::Tool};
use provost_policy::{args_from_json_schema, check};

fuzz_target!(|bytes: &[u8]| {
    let Ok(schema) = serde_json::from_slice(bytes) else { return };
    let Ok(args) = args_from_json_schema(&schema) else { return };
    let tool = Tool {
        system: "fuzz".parse().unwrap(),
        name: "tool".parse().unwrap(),
        description: String::new(),
        pin: Digest::of(b""),
        effects: Default::default(),
        args,
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    };
    let mut directory = Directory::default();
    directory.put(Object::Tool(tool));
    let _ = check(&directory);
});
