//! Any JSON as a question to an application: answered, never a panic, and the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_domain::application::{Application, RequestProperties};
use provost_policy::{App, AuthzenRequest};
use std::sync::LazyLock;

static APP: LazyLock<App> = LazyLock::new(|| {
    let folder = |name: &str| match name {
        "schema" => include_str!("../../crates/policy/tests/authzen-certification/schema.cedarschema"),
        _ => include_str!("../../crates/policy/tests/authzen-certification/policies.cedar"),
    };
    App::compile(&Application {
        name: "fuzz".parse().unwrap(),
        schema: folder("schema").to_owned(),
        policies: folder("policies").to_owned(),
        entities: Vec::new(),
        buffered: false,
        request_properties: RequestProperties {
            accepted: ["user.role".to_owned(), "record.status".to_owned()].into(),
        },
    })
    .unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = serde_json::from_slice::<AuthzenRequest>(bytes) else { return };
    assert_eq!(APP.decide(&request), APP.decide(&request));
});
