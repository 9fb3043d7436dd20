use serde_json::json;

use super::*;
use crate::{Limits, Revision};

type Pair<'a> = (&'a str, &'a str);

fn headers<'a>(pairs: &[Pair<'a>]) -> Headers<'a> {
    pairs.iter().map(|(n, v)| (*n, v.as_bytes())).collect()
}

/// 2026-07-28, Streamable HTTP: Value Encoding, with its own examples.
#[test]
fn values_are_encoded_and_decoded_as_the_standard_shows() {
    for (text, encoded) in [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("a b", "a b"),
        ("", ""),
        ("=?BASE64?x?=", "=?BASE64?x?="),
    ] {
        assert_eq!(encode(text), encoded);
        assert_eq!(decode(encoded).unwrap(), text);
    }
    for bad in ["=?base64?*?=", "=?base64?YQ?=", "=?base64?/w==?="] {
        assert!(decode(bad).is_err(), "{bad}");
    }
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tää","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
const VERSION_OK: (&str, &str) = ("mcp-protocol-version", "2026-07-28");

/// 2026-07-28, Streamable HTTP: Server Validation.
#[test]
fn standard_headers_must_say_what_the_body_says() {
    let good = [VERSION_OK, ("MCP-METHOD", "tools/call"), ("Mcp-Name", "=?base64?dMOkw6Q=?=")];
    let with = |at: usize, pair: (&'static str, &'static str)| {
        let mut changed = good.to_vec();
        changed[at] = pair;
        changed
    };
    let rows: [(Vec<Pair<'_>>, Option<&str>); 11] = [
        (good.to_vec(), None),
        (good[1..].to_vec(), Some("the header `MCP-Protocol-Version` is missing")),
        (vec![good[0], good[2]], Some("the header `Mcp-Method` is missing")),
        (good[..2].to_vec(), Some("the header `Mcp-Name` is missing")),
        (
            with(0, ("mcp-protocol-version", "2025-11-25")),
            Some("the header `MCP-Protocol-Version` says `2025-11-25` but the body says `2026-07-28`"),
        ),
        (
            with(1, ("Mcp-Method", "Tools/call")),
            Some("the header `Mcp-Method` says `Tools/call` but the body says `tools/call`"),
        ),
        (with(2, ("Mcp-Name", "other")), Some("the header `Mcp-Name` says `other` but the body says `tää`")),
        (
            with(2, ("Mcp-Name", "=?base64?!?=")),
            Some("the header `Mcp-Name` cannot be read: it is not standard base64 with padding"),
        ),
        (
            with(2, ("Mcp-Name", "tää")),
            Some(
                "the header `Mcp-Name` has characters that are not visible ascii; encode it as =?base64?...?=",
            ),
        ),
        (
            [good.to_vec(), vec![("mcp-name", "x")]].concat(),
            Some("the header `Mcp-Name` is sent twice; send it once"),
        ),
        (with(2, ("Mcp-Name", " =?base64?dMOkw6Q=?= ")), None),
    ];
    let limits = Limits::default();
    let message = Message::parse(CALL.as_bytes(), &limits).unwrap();
    for (pairs, expected) in rows {
        let error = check_standard(&message, &headers(&pairs)).err();
        assert_eq!(error.as_ref().map(|e| e.message.as_str()), expected, "{pairs:?}");
        if let Some(error) = error {
            assert_eq!((error.code, error.http_status), (-32020, 400));
        }
    }
}

#[test]
fn notifications_need_method_but_no_name_and_responses_are_refused() {
    let limits = Limits::default();
    let message =
        Message::parse(br#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#, &limits).unwrap();
    assert!(
        check_standard(&message, &headers(&[VERSION_OK, ("Mcp-Method", "notifications/cancelled")])).is_ok()
    );
    assert!(check_standard(&message, &headers(&[VERSION_OK])).is_err());
    let response = Message::parse(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, &limits).unwrap();
    assert_eq!(check_standard(&response, &headers(&[VERSION_OK])).unwrap_err().code, -32600);
}

#[test]
fn the_headers_we_send_pass_our_own_check() {
    let limits = Limits::default();
    let message = Message::parse(CALL.as_bytes(), &limits).unwrap();
    let sent = standard(Revision::V2026_07_28, "tools/call", message.params());
    let seen: Headers<'_> = sent.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    assert_eq!(sent.len(), 3);
    assert!(check_standard(&message, &seen).is_ok());
}

/// 2026-07-28, Streamable HTTP: Schema Extension.
#[test]
fn annotations_that_break_a_rule_are_named() {
    let string = |name: serde_json::Value| json!({"type": "string", "x-mcp-header": name});
    let rows = [
        (json!({"properties": {"a": string(json!("Region"))}}), Ok(1)),
        (json!({"properties": {"a": {"type": "object", "properties": {"b": string(json!("X-y"))}}}}), Ok(1)),
        (json!({"properties": {"x-mcp-header": {"type": "string"}}}), Ok(0)),
        (json!({"properties": {"a": {"default": {"x-mcp-header": "no schema"}}}}), Ok(0)),
        (
            json!({"properties": {"a": {"type": "integer", "x-mcp-header": "A"}, "b": {"type": "boolean", "x-mcp-header": "B"}}}),
            Ok(2),
        ),
        (json!({"properties": {"a": string(json!(""))}}), Err("a")),
        (json!({"properties": {"a": string(json!("a b"))}}), Err("a")),
        (json!({"properties": {"a": string(json!("a\r\nX"))}}), Err("a")),
        (json!({"properties": {"a": string(json!(7))}}), Err("a")),
        (json!({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}), Err("a")),
        (json!({"properties": {"a": {"type": ["string", "null"], "x-mcp-header": "A"}}}), Err("a")),
        (json!({"properties": {"a": {"x-mcp-header": "A"}}}), Err("a")),
        (json!({"properties": {"a": string(json!("A")), "b": string(json!("a"))}}), Err("b")),
        (json!({"properties": {"a": {"type": "array", "items": string(json!("A"))}}}), Err("a")),
        (json!({"properties": {"a": {"anyOf": [string(json!("A"))]}}}), Err("a")),
        (json!({"$defs": {"d": string(json!("A"))}}), Err("")),
        (string(json!("A")), Err("")),
    ];
    for (schema, expected) in rows {
        let read = ParamHeaders::from_schema(&schema);
        let read = read.as_ref().map(|found| found.0.len()).map_err(|error| error.path.as_str());
        assert_eq!(read, expected, "{schema}");
    }
}

/// 2026-07-28, Streamable HTTP: Server Behavior for Custom Headers.
#[test]
fn mirrored_arguments_must_equal_their_headers() {
    let schema = json!({"properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "n": {"type": "integer", "x-mcp-header": "N"},
        "deep": {"properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
    }});
    let params = ParamHeaders::from_schema(&schema).unwrap();
    let rows: [(serde_json::Value, &[Pair<'_>], bool); 18] = [
        (json!({}), &[], true),
        (json!({"region": "a"}), &[("mcp-param-region", "a")], true),
        (json!({"region": "é"}), &[("Mcp-Param-Region", "=?base64?w6k=?=")], true),
        (json!({"region": "a"}), &[], false),
        (json!({"region": null}), &[], true),
        (json!({"region": null}), &[("Mcp-Param-Region", "null")], false),
        (json!({}), &[("Mcp-Param-Region", "a")], false),
        (json!({"region": "a"}), &[("Mcp-Param-Region", "b")], false),
        (json!({"region": "a"}), &[("Mcp-Param-Region", "a"), ("Mcp-Param-Region", "a")], false),
        (json!({"n": 42}), &[("Mcp-Param-N", "42.0")], true),
        (json!({"n": 42.0}), &[("Mcp-Param-N", "42")], true),
        (json!({"n": 42}), &[("Mcp-Param-N", "43")], false),
        (json!({"n": 42}), &[("Mcp-Param-N", "42.5")], false),
        (json!({"n": 9007199254740991_i64}), &[("Mcp-Param-N", "9007199254740991")], true),
        (json!({"n": 9007199254740993_i64}), &[("Mcp-Param-N", "9007199254740993")], false),
        (json!({"deep": {"on": true}}), &[("Mcp-Param-On", "true")], true),
        (json!({"deep": {"on": true}}), &[("Mcp-Param-On", "True")], false),
        (json!({"region": ["a"]}), &[("Mcp-Param-Region", "a")], false),
    ];
    for (arguments, pairs, expected) in rows {
        let arguments = arguments.as_object().unwrap();
        let unknown = [pairs, &[("Mcp-Param-Unknown", "x")]].concat();
        let checked = params.check(arguments, &headers(&unknown));
        assert_eq!(checked.is_ok(), expected, "{arguments:?} {pairs:?}");
        if expected {
            let sent = params.for_arguments(arguments);
            let seen: Headers<'_> = sent.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
            assert!(params.check(arguments, &seen).is_ok(), "{sent:?}");
        }
    }
    assert_eq!(headers(&[("mcp-param-x", "1"), ("Mcp-Name", "2")]).params().count(), 1);
}
