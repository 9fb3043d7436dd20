//! Any bytes as a list result: no panic, a pin for every tool that is read, and a list renamed and renamed
//! back has its old bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_mcp::tools::{Keep, ListKind, ToolDefinition, filter, join, read_page, split};
use provost_mcp::{Limits, Object, Revision, strict};

fn object(text: &str) -> Option<Object<'_>> {
    strict::check(text.as_bytes(), &Limits::default()).ok()?.as_object()
}

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    let Some(result) = object(text) else { return };
    if let Ok(page) = read_page(&result, &limits) {
        for tool in page.tools {
            assert_eq!(
                split(&join("bank", &tool.name, usize::MAX).unwrap()),
                Some(("bank", tool.name.as_str()))
            );
            let again = strict::check(tool.raw.as_bytes(), &limits).unwrap();
            assert_eq!(ToolDefinition::read(again, &limits).unwrap().pin(), tool.pin());
        }
    }
    let by_name = |rename: &dyn Fn(&str) -> String, text: &str| {
        filter(&object(text).unwrap(), ListKind::Tools, Revision::V2025_11_25, |tool| {
            tool.string("name").map_or(Keep::AsIs, |name| Keep::Named(rename(&name)))
        })
        .ok()
    };
    let Some(same) = by_name(&|name| name.to_owned(), text) else { return };
    let prefixed = by_name(&|name| format!("bank.{name}"), &same).unwrap();
    let back = by_name(&|name| name.strip_prefix("bank.").unwrap().to_owned(), &prefixed).unwrap();
    assert_eq!(back, same);
});
