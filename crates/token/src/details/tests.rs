use super::*;
use serde_json::json;

fn details(value: Value) -> Details {
    Details::parse(&value).unwrap()
}

fn entry(system: &str, tools: &[&str]) -> Value {
    json!({"type": "provost_task", "system": system, "tools": tools})
}

#[test]
fn details_are_written_as_they_were_read() {
    for text in [
        json!([{"type": "provost_task", "system": "bank"}]),
        json!([{"type": "provost_task", "system": "bank", "tools": ["pay", "transfer"],
            "args": {"amount": {"max": "100.0"}, "recipient.iban": {"like": "DE*", "optional": true}},
            "locations": ["https://plane/mcp"]}]),
        json!([entry("bank", &["a"]), entry("bank", &["b"]), entry("mail", &["a"])]),
    ] {
        assert_eq!(serde_json::to_value(details(text.clone())).unwrap(), text);
        assert_eq!(serde_json::from_value::<Details>(text.clone()).unwrap(), details(text));
    }
}

#[test]
fn what_is_not_understood_whole_is_refused() {
    let with = |name: &str, value: Value| {
        let mut one = entry("bank", &["transfer"]);
        one[name] = value;
        json!([one])
    };
    for bad in [
        json!([]),
        json!({}),
        json!("x"),
        json!([1]),
        json!([{"type": "provost_task"}]),
        json!([{"system": "bank"}]),
        with("type", json!("payment_initiation")),
        with("type", json!("Provost_Task")),
        with("type", json!(["provost_task"])),
        with("actions", json!(["read"])),
        with("privileges", json!(["admin"])),
        with("system", json!("Bank")),
        with("system", json!(7)),
        with("tools", json!([])),
        with("tools", json!("transfer")),
        with("tools", json!(["transfer", "transfer"])),
        with("tools", json!(["two words"])),
        with("tools", json!(["*", 1])),
        with("tools", json!(null)),
        with("args", json!({})),
        with("args", json!([])),
        with("args", json!({"amount": {"maximum": "1"}})),
        with("args", json!({"": {"max": "1"}})),
        with("args", json!({"a..b": {"max": "1"}})),
        with("args", json!({"a\nb": {"max": "1"}})),
        with("locations", json!([])),
        with("locations", json!(["/mcp"])),
        with("locations", json!(["https://plane/mcp#x"])),
        json!([entry("bank", &["a", "b"]), entry("bank", &["b", "c"])]),
        json!([entry("bank", &["a"]), {"type": "provost_task", "system": "bank"}]),
        json!([{"type": "provost_task", "system": "bank"}, entry("bank", &["a"])]),
        Value::Array((0..17).map(|n| entry(&format!("s{n}"), &["a"])).collect()),
    ] {
        let error = Details::parse(&bad).unwrap_err();
        assert_eq!(error.code(), OauthCode::InvalidAuthorizationDetails, "{bad}");
    }
    for text in ["", "[", r#"[{"type":"provost_task","system":"bank","system":"mail"}]"#, &" ".repeat(16_385)]
    {
        assert!(Details::parse_text(text).is_err(), "{text:.40}");
    }
}

#[test]
fn a_child_gets_what_both_allow_with_the_parents_limits_always() {
    let parent = details(json!([
        {"type": "provost_task", "system": "bank", "tools": ["transfer", "pay"], "args": {"amount": {"max": "100"}}},
        {"type": "provost_task", "system": "bank", "tools": ["list"]},
        {"type": "provost_task", "system": "mail", "locations": ["https://plane/mcp/mail", "https://plane/mcp"]},
    ]));
    for (child, wanted) in [
        (
            json!([entry("bank", &["transfer"])]),
            json!([{"type": "provost_task", "system": "bank", "tools": ["transfer"], "args": {"amount": {"max": "100.0"}}}]),
        ),
        (
            json!([{"type": "provost_task", "system": "bank", "tools": ["list", "pay"],
                "args": {"amount": {"max": "500"}, "to": {"like": "DE*"}}}]),
            json!([
                {"type": "provost_task", "system": "bank", "tools": ["pay"],
                    "args": {"amount": {"max": "100.0"}, "to": {"like": "DE*"}}},
                {"type": "provost_task", "system": "bank", "tools": ["list"],
                    "args": {"amount": {"max": "500.0"}, "to": {"like": "DE*"}}},
            ]),
        ),
        (
            json!([{"type": "provost_task", "system": "bank", "args": {"amount": {"max": "7", "optional": true}}}]),
            json!([
                {"type": "provost_task", "system": "bank", "tools": ["pay", "transfer"], "args": {"amount": {"max": "7.0"}}},
                {"type": "provost_task", "system": "bank", "tools": ["list"],
                    "args": {"amount": {"max": "7.0", "optional": true}}},
            ]),
        ),
        (
            json!([{"type": "provost_task", "system": "mail", "tools": ["send"], "locations": ["https://plane/mcp/mail"]}]),
            json!([{"type": "provost_task", "system": "mail", "tools": ["send"], "locations": ["https://plane/mcp/mail"]}]),
        ),
        (
            json!([{"type": "provost_task", "system": "mail"}]),
            json!([{"type": "provost_task", "system": "mail", "locations": ["https://plane/mcp", "https://plane/mcp/mail"]}]),
        ),
    ] {
        let merged = parent.attenuate(&details(child.clone())).unwrap();
        assert_eq!(serde_json::to_value(merged).unwrap(), wanted, "{child}");
    }
}

#[test]
fn a_child_that_wants_more_is_refused_whole() {
    let parent = details(json!([
        {"type": "provost_task", "system": "bank", "tools": ["transfer"], "args": {"amount": {"max": "100"}},
            "locations": ["https://plane/mcp"]},
    ]));
    for child in [
        json!([entry("bank", &["transfer", "close"])]),
        json!([entry("bank", &["close"])]),
        json!([entry("mail", &["transfer"])]),
        json!([entry("bank", &["transfer"]), entry("mail", &["send"])]),
        json!([{"type": "provost_task", "system": "bank", "args": {"amount": {"min": "200"}}}]),
        json!([{"type": "provost_task", "system": "bank", "locations": ["https://plane/mcp", "https://other"]}]),
    ] {
        let error = parent.attenuate(&details(child.clone())).unwrap_err();
        assert_eq!(error.code(), OauthCode::InvalidAuthorizationDetails, "{child}");
    }
}

#[test]
fn a_side_without_details_is_unlimited_and_both_sides_limit() {
    let (a, b) = (details(json!([entry("bank", &["x", "y"])])), details(json!([entry("bank", &["x"])])));
    assert_eq!(attenuate(None, None), Ok(None));
    assert_eq!(
        attenuate(Some(&a), None),
        Ok(Some(a.clone())),
        "the parent's limits stay when the child asks for none"
    );
    assert_eq!(attenuate(None, Some(&b)), Ok(Some(b.clone())));
    assert_eq!(attenuate(Some(&a), Some(&b)), Ok(Some(b)));
}
