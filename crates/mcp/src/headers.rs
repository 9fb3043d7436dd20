//! The HTTP headers of a modern request: do they say what the body says, and which ones to send upstream.
//!
//! 2026-07-28, Streamable HTTP: Request Metadata, Custom Headers from Tool Parameters, Server Validation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::era::META_PROTOCOL_VERSION;
use crate::error::RpcError;
use crate::message::Message;
use crate::raw::Object;
use crate::strict::shortened;

/// Header names, as written; compared without case.
pub const PROTOCOL_VERSION: &str = "MCP-Protocol-Version";
/// See [`PROTOCOL_VERSION`].
pub const METHOD: &str = "Mcp-Method";
/// See [`PROTOCOL_VERSION`].
pub const NAME: &str = "Mcp-Name";
/// The prefix of headers that mirror tool arguments.
pub const PARAM_PREFIX: &str = "Mcp-Param-";

/// The headers of a request as the HTTP server handed them over: names and raw values, repeated ones
/// repeated.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(pairs: I) -> Headers<'a> {
        Headers(pairs.into_iter().collect())
    }
}

impl<'a> Headers<'a> {
    /// The value of a header that may stand once only.
    ///
    /// Errors: -32020 when it stands twice or has bytes that a header value may not have (RFC 9110 section
    /// 5.5).
    pub fn one(&self, name: &str) -> Result<Option<&'a str>, RpcError> {
        let mut values = self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(RpcError::header_mismatch(format!(
                "the header `{name}` is sent twice; send it once"
            )));
        }
        let visible = value.iter().all(|b| matches!(b, b' ' | b'\t' | 0x21..=0x7e));
        match std::str::from_utf8(value) {
            Ok(text) if visible => Ok(Some(text.trim_matches([' ', '\t']))),
            _ => Err(RpcError::header_mismatch(format!(
                "the header `{name}` has characters that are not visible ascii; encode it as =?base64?...?="
            ))),
        }
    }

    /// All `Mcp-Param-*` headers, to be forwarded even where unknown (Server Behavior for Custom Headers).
    pub fn params(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        let is_param =
            |n: &str| n.get(..PARAM_PREFIX.len()).is_some_and(|p| p.eq_ignore_ascii_case(PARAM_PREFIX));
        self.0.iter().copied().filter(move |(n, _)| is_param(n))
    }
}

/// Checks the standard headers of a modern request or notification against its body.
///
/// Errors: -32020 with HTTP 400 for a header that is missing, stands twice, cannot be read or says something
/// else.
pub fn check_standard(message: &Message<'_>, headers: &Headers<'_>) -> Result<(), RpcError> {
    let version = required(headers, PROTOCOL_VERSION)?;
    let meta = message.params().and_then(|params| params.object("_meta"));
    if let Some(body) = meta.and_then(|meta| meta.string(META_PROTOCOL_VERSION)) {
        same(PROTOCOL_VERSION, version, &body)?;
    }
    let Some(method) = message.method() else {
        return Err(RpcError::invalid_request(
            "modern clients do not send responses; answer in `inputResponses`",
        ));
    };
    same(METHOD, required(headers, METHOD)?, method)?;
    match (mirrored_name(method), matches!(message, Message::Request(_))) {
        (Some(member), true) => {
            let body = message.params().and_then(|params| params.string(member)).unwrap_or_default();
            let header = decode(required(headers, NAME)?).map_err(|why| unreadable(NAME, why))?;
            same(NAME, &header, &body)
        }
        _ => Ok(()),
    }
}

/// The member of params that `Mcp-Name` mirrors, per method.
pub fn mirrored_name(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// The standard headers to send upstream with a modern message: version, method and, where it has one, name.
pub fn standard(
    revision: crate::Revision,
    method: &str,
    params: Option<&Object<'_>>,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![(PROTOCOL_VERSION, revision.as_str().to_owned()), (METHOD, encode(method))];
    let name = mirrored_name(method).and_then(|member| params?.string(member));
    headers.extend(name.map(|name| (NAME, encode(&name))));
    headers
}

/// A header value for any text: itself where it is safe, else the base64 form (Value Encoding).
pub fn encode(text: &str) -> String {
    let plain = text.bytes().all(|b| matches!(b, b' ' | b'\t' | 0x21..=0x7e));
    let padded = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let looks_encoded = text.starts_with(SENTINEL_START) && text.ends_with(SENTINEL_END);
    if plain && !padded && !looks_encoded {
        return text.to_owned();
    }
    format!("{SENTINEL_START}{}{SENTINEL_END}", STANDARD.encode(text))
}

/// The text of a header value (Value Encoding).
///
/// Errors: why a value that looks encoded does not decode.
pub fn decode(value: &str) -> Result<String, &'static str> {
    let encoded = value.strip_prefix(SENTINEL_START).and_then(|rest| rest.strip_suffix(SENTINEL_END));
    let Some(encoded) = encoded else { return Ok(value.to_owned()) };
    let bytes = STANDARD.decode(encoded).map_err(|_| "it is not standard base64 with padding")?;
    String::from_utf8(bytes).map_err(|_| "its base64 does not hold utf-8")
}

const SENTINEL_START: &str = "=?base64?";
const SENTINEL_END: &str = "?=";
const SHOWN_BYTES_MAX: usize = 64;

fn required<'a>(headers: &Headers<'a>, name: &str) -> Result<&'a str, RpcError> {
    headers.one(name)?.ok_or_else(|| RpcError::header_mismatch(format!("the header `{name}` is missing")))
}

fn same(name: &str, header: &str, body: &str) -> Result<(), RpcError> {
    if header == body {
        return Ok(());
    }
    let (header, body) = (shortened(header, SHOWN_BYTES_MAX), shortened(body, SHOWN_BYTES_MAX));
    Err(RpcError::header_mismatch(format!("the header `{name}` says `{header}` but the body says `{body}`")))
}

fn unreadable(name: &str, why: &str) -> RpcError {
    RpcError::header_mismatch(format!("the header `{name}` cannot be read: {why}"))
}

/// The arguments of a tool that are mirrored in headers, read from its input schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamHeaders(Vec<ParamHeader>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct ParamHeader {
    /// As in `x-mcp-header`, without the prefix.
    name: String,
    /// Member names from the arguments down.
    path: Vec<String>,
    is_integer: bool,
}

/// Why a tool's `x-mcp-header` annotations are not valid; the tool is to be left out of lists (Schema
/// Extension).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the x-mcp-header at `{path}` is not valid: {why}")]
pub struct AnnotationError {
    /// Where in the schema.
    pub path: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl ParamHeaders {
    /// Reads the annotations of an input schema.
    ///
    /// Errors: the first that breaks a rule of "Schema Extension".
    pub fn from_schema(schema: &Value) -> Result<ParamHeaders, AnnotationError> {
        let mut found = ParamHeaders::default();
        found.walk(schema, &mut Vec::new(), true, 0)?;
        Ok(found)
    }

    /// Whether no argument is mirrored.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks the `Mcp-Param-*` headers of a call against its arguments. Unknown ones are not looked at.
    ///
    /// Errors: -32020 with HTTP 400.
    pub fn check(&self, arguments: &Map<String, Value>, headers: &Headers<'_>) -> Result<(), RpcError> {
        self.0.iter().try_for_each(|param| param.check(arguments, headers))
    }

    /// The headers to send upstream for these arguments.
    pub fn for_arguments(&self, arguments: &Map<String, Value>) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter_map(|param| Some((param.header(), encode(&as_text(param.argument(arguments)?)?))))
            .collect()
    }

    fn walk(
        &mut self,
        schema: &Value,
        path: &mut Vec<String>,
        reachable: bool,
        depth: usize,
    ) -> Result<(), AnnotationError> {
        let Some(object) = schema.as_object() else { return Ok(()) };
        if depth > SCHEMA_DEPTH_MAX {
            return Err(fault(path, "the schema is nested too deep"));
        }
        if let Some(annotation) = object.get("x-mcp-header") {
            self.add(annotation, object.get("type"), path, reachable)?;
        }
        for (keyword, inner) in object {
            match (keyword.as_str(), inner) {
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        path.push(name.clone());
                        self.walk(property, path, reachable, depth + 1)?;
                        path.pop();
                    }
                }
                (k, Value::Object(schemas)) if SCHEMA_MAPS.contains(&k) => {
                    for inner in schemas.values() {
                        self.walk(inner, path, false, depth + 1)?;
                    }
                }
                (k, Value::Array(schemas)) if SCHEMA_LISTS.contains(&k) => {
                    for inner in schemas {
                        self.walk(inner, path, false, depth + 1)?;
                    }
                }
                (k, inner) if SCHEMAS.contains(&k) => self.walk(inner, path, false, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        annotation: &Value,
        kind: Option<&Value>,
        path: &[String],
        reachable: bool,
    ) -> Result<(), AnnotationError> {
        let name = annotation.as_str().ok_or_else(|| fault(path, "it must be a string"))?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(fault(path, "it must be one or more token characters (rfc 9110 section 5.6.2)"));
        }
        if !reachable || path.is_empty() {
            return Err(fault(path, "it may stand only on a property reached through `properties` alone"));
        }
        let is_integer = match kind.and_then(Value::as_str) {
            Some("integer") => true,
            Some("string" | "boolean") => false,
            _ => return Err(fault(path, "only string, integer and boolean properties can be mirrored")),
        };
        if self.0.iter().any(|param| param.name.eq_ignore_ascii_case(name)) {
            return Err(fault(path, "another property has the same header name"));
        }
        self.0.push(ParamHeader { name: name.to_owned(), path: path.to_vec(), is_integer });
        Ok(())
    }
}

impl ParamHeader {
    fn header(&self) -> String {
        format!("{PARAM_PREFIX}{}", self.name)
    }

    /// The argument, unless it is absent or null.
    fn argument<'v>(&self, arguments: &'v Map<String, Value>) -> Option<&'v Value> {
        let (first, rest) = self.path.split_first()?;
        rest.iter().try_fold(arguments.get(first)?, |value, key| value.get(key)).filter(|v| !v.is_null())
    }

    fn check(&self, arguments: &Map<String, Value>, headers: &Headers<'_>) -> Result<(), RpcError> {
        let name = self.header();
        let (header, argument) = match (headers.one(&name)?, self.argument(arguments)) {
            (None, None) => return Ok(()),
            (Some(header), Some(argument)) => (header, argument),
            (None, Some(_)) => {
                return Err(RpcError::header_mismatch(format!("the header `{name}` is missing")));
            }
            (Some(_), None) => {
                return Err(RpcError::header_mismatch(format!(
                    "the header `{name}` is sent but the argument it mirrors is absent or null"
                )));
            }
        };
        let header = decode(header).map_err(|why| unreadable(&name, why))?;
        let equal = if self.is_integer {
            matches!((integer(&header), as_text(argument).and_then(|t| integer(&t))), (Some(a), Some(b)) if a == b)
        } else {
            as_text(argument).is_some_and(|text| text == header)
        };
        if equal {
            return Ok(());
        }
        // Arguments may be secret: neither value is quoted.
        Err(RpcError::header_mismatch(format!("the header `{name}` and the argument it mirrors differ")))
    }
}

/// JSON Schema keywords whose value is a schema, a list of schemas, or a map of schemas.
const SCHEMAS: [&str; 11] = [
    "additionalProperties",
    "propertyNames",
    "items",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
const SCHEMA_LISTS: [&str; 5] = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
const SCHEMA_MAPS: [&str; 4] = ["patternProperties", "dependentSchemas", "$defs", "definitions"];
const SCHEMA_DEPTH_MAX: usize = 64;

fn fault(path: &[String], why: &'static str) -> AnnotationError {
    AnnotationError { path: shortened(&path.join("."), 128), why }
}

/// RFC 9110 section 5.6.2.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

fn as_text(argument: &Value) -> Option<String> {
    match argument {
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The largest integer that every JavaScript number holds exactly; the standard allows no larger one in a
/// header.
const SAFE_INTEGER_MAX: i64 = (1 << 53) - 1;

/// An integer in decimal, `42.0` and `4.2e1` included: they are compared as numbers (Server Validation).
fn integer(text: &str) -> Option<i64> {
    let safe = |n: &i64| (-SAFE_INTEGER_MAX..=SAFE_INTEGER_MAX).contains(n);
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer).filter(safe);
    }
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && n.fract() == 0.0)?;
    let in_range = number.abs() <= 9_007_199_254_740_991.0;
    // Written without fraction so that no cast can round: in the safe range this is exact.
    in_range.then(|| format!("{number:.0}").parse().ok()).flatten().filter(safe)
}

#[cfg(test)]
mod tests;
