//! Path, query and body as the arguments policies decide on. Each argument has one place; one that comes from another
//! place, or from two, is refused. Text that does not fit its type stays text, so that the decision says so.

use super::{
    bad,
    body::{self, Read},
    route::Routed,
};
use crate::refusal::Refusal;
use provost_domain::{
    Decimal,
    request::{ArgPlace, BODY, BODY_DIGEST, BODY_SIZE, BodyForm},
    tool::ArgShape,
};
use serde_json::{Map, Number, Value};

/// The arguments of a request.
///
/// # Errors
/// With status 400, when an argument comes from the wrong place or twice.
pub(super) fn read(
    routed: &Routed,
    query: &[(String, String)],
    body: &Read,
) -> Result<Map<String, Value>, Refusal> {
    let mut args = Map::new();
    for (name, text) in &routed.captured {
        let shape = routed.tool.args.get(name).map(|arg| &arg.shape);
        args.insert(name.clone(), shape.map_or_else(|| text.as_str().into(), |shape| typed(shape, text)));
    }
    in_query(routed, query, &mut args)?;
    match (routed.rule.body, body) {
        (BodyForm::Opaque, Read::Opaque(bytes, _)) => {
            let (digest, size) = body::digest_and_size(bytes);
            put(&mut args, BODY_DIGEST, digest.into())?;
            put(&mut args, BODY_SIZE, size.into())?;
        }
        (BodyForm::Json, Read::Json(value, _)) => put(&mut args, BODY, value.clone())?,
        (BodyForm::Members, Read::Json(Value::Object(members), _)) => {
            for (name, value) in members {
                if routed.rule.place(name) != ArgPlace::Body {
                    return Err(misplaced(name, routed.rule.place(name)));
                }
                put(&mut args, name, value.clone())?;
            }
        }
        (_, Read::Nothing) => {}
        (_, Read::Json(..) | Read::Opaque(..)) => {
            return Err(Refusal::internal("a body was read in another way than its rule says"));
        }
    }
    Ok(args)
}

fn in_query(
    routed: &Routed,
    query: &[(String, String)],
    args: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    for (name, text) in query {
        let declared = routed.tool.args.get(name).map(|arg| &arg.shape);
        let place = routed.rule.place(name);
        if place == ArgPlace::Path || (place == ArgPlace::Body && declared.is_some()) {
            return Err(misplaced(name, place));
        }
        match declared {
            Some(ArgShape::Set { of }) => {
                let list = args.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(members) = list {
                    members.push(typed(of, text));
                }
            }
            // What nobody declared is an argument too: the decision names it.
            declared => {
                put(args, name, declared.map_or_else(|| text.as_str().into(), |shape| typed(shape, text)))?
            }
        }
    }
    Ok(())
}

/// A text as a value of this shape, if it is one in exactly one way.
fn typed(shape: &ArgShape, text: &str) -> Value {
    let value = match shape {
        ArgShape::Bool => text.parse().ok().map(Value::Bool),
        ArgShape::Long => text.parse::<i64>().ok().filter(|n| n.to_string() == text).map(Value::from),
        ArgShape::Decimal => decimal(text).map(Value::Number),
        ArgShape::String | ArgShape::Json | ArgShape::Set { .. } | ArgShape::Record { .. } => None,
    };
    value.unwrap_or_else(|| text.into())
}

/// As a JSON number that is read back as exactly this decimal.
fn decimal(text: &str) -> Option<Number> {
    let padded = text
        .strip_prefix('-')
        .unwrap_or(text)
        .strip_prefix('0')
        .is_some_and(|rest| rest.starts_with(|c: char| c != '.'));
    let decimal: Decimal = text.parse().ok().filter(|_| !padded)?;
    let written = decimal.to_string();
    let number: Number = written.strip_suffix(".0").unwrap_or(&written).parse().ok()?;
    (Decimal::from_json(&number) == Ok(decimal)).then_some(number)
}

fn put(args: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Refusal> {
    match args.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(bad(
            400,
            format!("the argument `{}` is there twice, and readers disagree on which counts", clip(name)),
        )),
    }
}

fn misplaced(name: &str, place: ArgPlace) -> Refusal {
    let place = match place {
        ArgPlace::Path => "path",
        ArgPlace::Query => "query",
        ArgPlace::Body => "body",
    };
    bad(
        400,
        format!("the argument `{}` stands in the {place} of this operation, and nowhere else", clip(name)),
    )
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use provost_domain::{RequestRule, Tool};
    use serde_json::json;
    use std::sync::Arc;

    fn read_as(
        line: &str,
        form: BodyForm,
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, String> {
        let rule = RequestRule { line: line.parse().unwrap(), body: form };
        let arg = |kind: &str| json!({"type": kind, "required": false});
        let tool: Tool = serde_json::from_value(json!({
            "system": "shop", "name": "t", "pin": provost_domain::Digest::of(b""), "request": rule,
            "args": {"id": arg("long"), "text": arg("string"), "n": arg("long"), "d": arg("decimal"), "b": arg("bool"),
                "tags": {"type": "set", "of": {"type": "long"}, "required": false}, "note": arg("string"), "any": arg("json")},
        }))
        .unwrap();
        let captured = rule.line.params().map(|name| (name.to_owned(), "7".to_owned())).collect();
        let routed = Routed { tool: Arc::new(tool), rule, captured };
        let query: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = match (form, body) {
            (_, None) => Read::Nothing,
            (BodyForm::Opaque, Some(text)) => Read::Opaque(text.as_str().unwrap().to_owned().into(), None),
            (_, Some(value)) => Read::Json(value, HeaderValue::from_static("application/json")),
        };
        read(&routed, &query, &body).map(Value::Object).map_err(|refusal| {
            assert_eq!(refusal.http_status(), 400);
            refusal.to_string()
        })
    }

    #[test]
    fn text_becomes_a_typed_argument_if_it_is_one_in_exactly_one_way() {
        let line = "GET /orders/{id}?text&n&d&b&tags&any";
        let of = |name: &str, text: &str| {
            let mut args = read_as(line, BodyForm::Members, &[(name, text)], None).unwrap();
            assert_eq!(args["id"], json!(7));
            args[name].take()
        };
        for (name, text, wanted) in [
            ("text", "7", json!("7")),
            ("n", "-7", json!(-7)),
            ("n", "07", json!("07")),
            ("n", "+7", json!("+7")),
            ("n", "7.0", json!("7.0")),
            ("n", "9223372036854775808", json!("9223372036854775808")),
            ("d", "7", json!(7)),
            ("d", "7.50", json!(7.5)),
            ("d", "-0.25", json!(-0.25)),
            ("d", "007", json!("007")),
            ("d", "1e3", json!("1e3")),
            ("d", "0.00001", json!("0.00001")),
            ("d", "922337203685477.5807", json!("922337203685477.5807")),
            ("d", "NaN", json!("NaN")),
            ("b", "true", json!(true)),
            ("b", "TRUE", json!("TRUE")),
            ("b", "1", json!("1")),
            ("any", "{\"x\":1}", json!("{\"x\":1}")),
            ("unknown", "x", json!("x")),
        ] {
            assert_eq!(of(name, text), wanted, "{name}={text}");
        }
        let tags = [("tags", "1"), ("tags", "2"), ("tags", "x")];
        assert_eq!(read_as(line, BodyForm::Members, &tags, None).unwrap()["tags"], json!([1, 2, "x"]));
    }

    #[test]
    fn an_argument_from_another_place_or_from_two_is_refused() {
        let line = "POST /orders/{id}?n";
        let members =
            |query: &[(&str, &str)], body: Value| read_as(line, BodyForm::Members, query, Some(body));
        assert_eq!(members(&[("n", "1")], json!({"note": "x"})), Ok(json!({"id": 7, "n": 1, "note": "x"})));
        for (query, body) in [
            (&[("n", "1"), ("n", "2")][..], json!({})),
            (&[("id", "8")], json!({})),
            (&[("note", "x")], json!({})),
            (&[], json!({"id": 8})),
            (&[], json!({"n": 1})),
            (&[("odd", "1"), ("odd", "2")], json!({})),
            (&[("odd", "1")], json!({"odd": 2})),
        ] {
            assert!(members(query, body.clone()).is_err(), "{query:?} {body}");
        }
    }

    #[test]
    fn a_whole_body_is_one_argument_and_an_opaque_one_its_digest_and_size() {
        let body = Some(json!([1, {"a": 2}]));
        assert_eq!(read_as("PUT /a", BodyForm::Json, &[], body), Ok(json!({"body": [1, {"a": 2}]})));
        let digest = provost_domain::Digest::of(b"hello").to_string();
        let opaque = read_as("PUT /a", BodyForm::Opaque, &[], Some(json!("hello"))).unwrap();
        assert_eq!(opaque, json!({"body_digest": digest, "body_size": 5}));
        assert!(read_as("PUT /a", BodyForm::Opaque, &[("body_size", "1")], Some(json!("hello"))).is_err());
    }
}
