use super::*;
use serde_json::json;

fn claims(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn rule(value: Value) -> ClaimRule {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_claim_is_found_by_pointer_and_compared_by_type() {
    let token = claims(json!({
        "sub": "a", "n": 7, "yes": true, "list": ["x"], "null": null,
        "kubernetes.io": {"namespace": "payments", "a/b": {"~": "tilde"}},
    }));
    for (rule_text, fits) in [
        (json!({"claim": "/sub", "equals": "a"}), true),
        (json!({"claim": "/sub", "equals": "A"}), false),
        (json!({"claim": "/n", "equals": 7}), true),
        (json!({"claim": "/n", "equals": "7"}), false),
        (json!({"claim": "/yes", "equals": true}), true),
        (json!({"claim": "/yes", "equals": "true"}), false),
        (json!({"claim": "/kubernetes.io/namespace", "one_of": ["x", "payments"]}), true),
        (json!({"claim": "/kubernetes.io/namespace", "like": "pay*"}), true),
        (json!({"claim": "/kubernetes.io/namespace", "like": "pay"}), false),
        (json!({"claim": "/kubernetes.io/a~1b/~0", "equals": "tilde"}), true),
        (json!({"claim": "/kubernetes/io/namespace", "equals": "payments"}), false),
        (json!({"claim": "/kubernetes.io", "like": "*p*"}), false),
        (json!({"claim": "/list", "equals": "x"}), false),
        (json!({"claim": "/list/0", "equals": "x"}), false),
        (json!({"claim": "/n", "like": "7*"}), false),
        (json!({"claim": "/null", "equals": "null"}), false),
        (json!({"claim": "/missing", "like": "*a*"}), false),
        (json!({"claim": "/sub/x", "equals": "a"}), false),
    ] {
        assert_eq!(rule(rule_text.clone()).fits(&token), fits, "{rule_text}");
    }
}

#[test]
fn a_rule_that_says_nothing_or_two_things_is_refused() {
    for bad in [
        json!({"claim": "/sub"}),
        json!({"claim": "/sub", "equals": "a", "like": "a*"}),
        json!({"claim": "sub", "equals": "a"}),
        json!({"claim": "/", "equals": "a"}),
        json!({"claim": "", "equals": "a"}),
        json!({"claim": "/a~2", "equals": "a"}),
        json!({"claim": "/a~", "equals": "a"}),
        json!({"claim": "/sub", "like": "*"}),
        json!({"claim": "/sub", "like": "**"}),
        json!({"claim": "/sub", "like": ""}),
        json!({"claim": "/sub", "one_of": []}),
        json!({"claim": "/sub", "equals": ["a"]}),
        json!({"claim": "/sub", "equals": "a", "optional": true}),
    ] {
        assert!(serde_json::from_value::<ClaimRule>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_rule_is_written_as_it_was_read() {
    for text in [
        json!({"claim": "/sub", "equals": "a"}),
        json!({"claim": "/kubernetes.io/namespace", "one_of": ["a", 7, true]}),
        json!({"claim": "/sub", "like": "a*"}),
    ] {
        assert_eq!(serde_json::to_value(rule(text.clone())).unwrap(), text);
    }
}
