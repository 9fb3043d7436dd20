//! The request to the system, written from the arguments that were decided on and from nothing else. Only an opaque
//! body goes along as it came: it is the bytes whose digest was decided on.

use super::body::Read;
use http::{HeaderMap, HeaderValue, header};
use provost_connect::ApiRequest;
use provost_domain::{
    RequestRule,
    request::{ArgPlace, BODY, BodyForm, Segment},
};
use serde_json::{Map, Value};

/// Why there is no request: an argument has no place in it. Such a call is denied before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPlace(pub String);

/// The request these arguments are.
///
/// # Errors
/// [`NoPlace`] for an argument that could not be sent.
pub(super) fn request(
    rule: &RequestRule,
    args: &Map<String, Value>,
    body: Read,
    mut headers: HeaderMap,
) -> Result<ApiRequest, NoPlace> {
    let one = |name: &str| args.get(name).and_then(scalar).ok_or_else(|| NoPlace(name.to_owned()));
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => Ok(text.clone()),
        Segment::Param(name) => one(name),
    };
    let segments = rule.line.segments.iter().map(segment).collect::<Result<_, _>>()?;
    let mut query = Vec::new();
    for name in rule.line.query.iter().filter(|name| args.contains_key(*name)) {
        match args.get(name) {
            Some(Value::Array(members)) => {
                for member in members {
                    query.push((name.clone(), scalar(member).ok_or_else(|| NoPlace(name.clone()))?));
                }
            }
            _ => query.push((name.clone(), one(name)?)),
        }
    }
    let (kind, body) = match body {
        Read::Nothing => (None, None),
        Read::Opaque(bytes, kind) => (kind, Some(bytes)),
        Read::Json(_, kind) => {
            let value = json(rule, args).ok_or_else(|| NoPlace(BODY.to_owned()))?;
            (Some(kind), Some(value.to_string().into()))
        }
    };
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    // A method with a body says how long it is, also when there is none (RFC 9110 section 8.6).
    if rule.line.method.has_body() && body.is_none() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(ApiRequest {
        method: rule.line.method,
        segments,
        ends_in_slash: rule.line.ends_in_slash,
        query,
        headers,
        body,
    })
}

fn json(rule: &RequestRule, args: &Map<String, Value>) -> Option<Value> {
    match rule.body {
        BodyForm::Json => args.get(BODY).cloned(),
        BodyForm::Members => {
            let members = args.iter().filter(|(name, _)| rule.place(name) == ArgPlace::Body);
            Some(Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()))
        }
        BodyForm::Opaque => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn built(line: &str, form: BodyForm, args: Value, body: Read) -> Result<ApiRequest, NoPlace> {
        let rule = RequestRule { line: line.parse().unwrap(), body: form };
        request(&rule, args.as_object().unwrap(), body, HeaderMap::new())
    }

    #[test]
    fn what_is_sent_is_what_was_decided_on_and_nothing_of_what_came() {
        let came =
            Read::Json(json!({"note": "other", "more": 1}), HeaderValue::from_static("application/json"));
        let args = json!({"id": 7, "tags": ["a", "b"], "n": 1.5, "note": "x"});
        let request = built("POST /orders/{id}/lines?tags&n&absent", BodyForm::Members, args, came).unwrap();
        assert_eq!(request.segments, ["orders", "7", "lines"]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(request.query, [pair("n", "1.5"), pair("tags", "a"), pair("tags", "b")]);
        assert_eq!(request.body.unwrap(), r#"{"note":"x"}"#);
        assert_eq!(request.headers.get("content-type").unwrap(), "application/json");
    }

    #[test]
    fn an_argument_without_a_place_sends_nothing() {
        for (line, args) in [
            ("GET /a/{id}", json!({})),
            ("GET /a/{id}", json!({"id": null})),
            ("GET /a/{id}", json!({"id": ["x"]})),
            ("GET /a?x", json!({"x": {"y": 1}})),
            ("GET /a?x", json!({"x": [[1]]})),
        ] {
            assert!(built(line, BodyForm::Members, args.clone(), Read::Nothing).is_err(), "{line} {args}");
        }
        let empty = built("POST /a", BodyForm::Members, json!({}), Read::Nothing).unwrap();
        assert_eq!((empty.body, empty.headers.get("content-length").unwrap().to_str().unwrap()), (None, "0"));
    }
}
