//! The params of `tools/call`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::era::Revision;
use crate::error::RpcError;
use crate::limits::Limits;
use crate::message::RequestId;
use crate::raw::{Object, Raw, folded, is_folded};
use crate::strict::shortened;

/// A call, read from the params of a `tools/call`.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall<'a> {
    /// The tool, by the name the client used.
    pub name: Cow<'a, str>,
    /// The arguments; empty when the call has none.
    pub arguments: Map<String, Value>,
    /// The arguments as received.
    pub raw_arguments: Option<Raw<'a>>,
    /// What an earlier `input_required` gave the client to echo. Whoever sends it may have changed it.
    pub request_state: Option<Cow<'a, str>>,
    /// The answers to what an earlier `input_required` asked.
    pub input_responses: Option<Object<'a>>,
    /// The token progress notifications of this call carry.
    pub progress_token: Option<RequestId>,
    /// 2025-11-25: the client asks for a task instead of a result.
    pub task: Option<Raw<'a>>,
}

impl<'a> ToolCall<'a> {
    /// Reads the params.
    ///
    /// Errors: -32602 for a missing or misshapen member, and for argument names that differ only in case:
    /// servers in languages that ignore case would act on one of them while policy decided on the other.
    pub fn parse(
        params: Option<&Object<'a>>,
        revision: Revision,
        limits: &Limits,
    ) -> Result<ToolCall<'a>, RpcError> {
        let invalid = |why: &str| RpcError::invalid_params(revision.era(), why);
        let params = params.ok_or_else(|| invalid("`tools/call` needs params with the string `name`"))?;
        let name = params
            .string("name")
            .filter(|name| !name.is_empty() && !name.starts_with('@'))
            .filter(|name| name.chars().count() <= limits.tool_name_chars_max)
            .ok_or_else(|| {
                let max = limits.tool_name_chars_max;
                invalid(&format!("`name` must be a string of 1 to {max} characters without `@` in front"))
            })?;
        let raw_arguments = params.get("arguments");
        let arguments = match raw_arguments {
            None => Map::new(),
            Some(raw) => match raw.to_value() {
                Ok(Value::Object(arguments)) => arguments,
                _ => return Err(invalid("`arguments` must be an object")),
            },
        };
        if let Some(key) = lookalikes(&arguments) {
            let key = shortened(key, 64);
            return Err(invalid(&format!(
                "two arguments are called `{key}` up to case; some servers take one for the other, send one of them"
            )));
        }
        Ok(ToolCall {
            name,
            arguments,
            raw_arguments,
            request_state: read_state(params, limits).map_err(|why| invalid(&why))?,
            input_responses: read_object(params, "inputResponses").map_err(|why| invalid(&why))?,
            progress_token: read_token(params).map_err(invalid)?,
            task: params.get("task"),
        })
    }

    /// Whether this is another round of a call that was answered `input_required`.
    pub fn is_retry(&self) -> bool {
        self.request_state.is_some() || self.input_responses.is_some()
    }
}

/// What a `tools/call` brought, as far as enforcement looks at it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutcome {
    /// The tool says that it failed.
    pub is_error: bool,
    /// `structuredContent`, for what is looked up in it by field.
    pub structured: Option<Value>,
    /// `resultType`; `complete` where there is none, as legacy servers send it.
    pub result_type: String,
}

impl ToolOutcome {
    /// Reads a result.
    ///
    /// Errors: why it is no result of a tool call; the caller must not let it through.
    pub fn read(result: &Object<'_>) -> Result<ToolOutcome, &'static str> {
        let is_error = match result.get("isError") {
            None => false,
            Some(raw) => raw.as_bool().ok_or("`isError` is not a boolean")?,
        };
        let structured = match result.get("structuredContent") {
            None => None,
            Some(raw) => Some(raw.to_value().map_err(|_| "`structuredContent` cannot be read")?),
        };
        let result_type = match result.get("resultType") {
            None => "complete".to_owned(),
            Some(raw) => raw.as_string().ok_or("`resultType` is not a string")?.into_owned(),
        };
        Ok(ToolOutcome { is_error, structured, result_type })
    }
}

fn read_state<'a>(params: &Object<'a>, limits: &Limits) -> Result<Option<Cow<'a, str>>, String> {
    let Some(raw) = params.get("requestState") else { return Ok(None) };
    let bytes_max = limits.request_state_bytes_max;
    let state = raw.as_string().filter(|state| state.len() <= bytes_max);
    state.map(Some).ok_or_else(|| format!("`requestState` must be a string of at most {bytes_max} bytes"))
}

fn read_object<'a>(params: &Object<'a>, key: &str) -> Result<Option<Object<'a>>, String> {
    let Some(raw) = params.get(key) else { return Ok(None) };
    raw.as_object().map(Some).ok_or_else(|| format!("`{key}` must be an object"))
}

fn read_token(params: &Object<'_>) -> Result<Option<RequestId>, &'static str> {
    let token = params.object("_meta").and_then(|meta| meta.get("progressToken"));
    let Some(token) = token else { return Ok(None) };
    let id = token.as_i64().map(RequestId::Integer);
    let id = id.or_else(|| token.as_string().map(|text| RequestId::String(text.into_owned())));
    id.map(Some).ok_or("`progressToken` must be a string or an integer")
}

/// A member name that another of the same object equals up to case, at any depth.
fn lookalikes(object: &Map<String, Value>) -> Option<&str> {
    // Names are distinct already; two can only meet when folding changes one of them.
    let twin = if object.keys().all(|key| is_folded(key)) {
        None
    } else {
        let mut seen: BTreeSet<Cow<'_, str>> = BTreeSet::new();
        object.keys().find(|key| !seen.insert(folded(key)))
    };
    twin.map(String::as_str).or_else(|| object.values().find_map(inner_lookalikes))
}

fn inner_lookalikes(value: &Value) -> Option<&str> {
    match value {
        Value::Object(object) => lookalikes(object),
        Value::Array(elements) => elements.iter().find_map(inner_lookalikes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict;

    fn parse(text: &str) -> Result<ToolCall<'_>, RpcError> {
        let limits = Limits { request_state_bytes_max: 8, ..Limits::default() };
        let params = strict::check(text.as_bytes(), &limits).unwrap().as_object().unwrap();
        ToolCall::parse(Some(&params), Revision::V2026_07_28, &limits)
    }

    #[test]
    fn a_call_is_read_whole() {
        let call = parse(
            r#"{"name":"t","arguments":{"a": 1.0},"requestState":"s","inputResponses":{"k":{}},"_meta":{"progressToken":7},"task":{"ttl":1}}"#,
        )
        .unwrap();
        assert_eq!(call.name, "t");
        assert_eq!(call.raw_arguments.unwrap().as_str(), r#"{"a": 1.0}"#);
        assert_eq!(call.arguments.get("a"), Some(&Value::from(1.0)));
        assert_eq!(call.request_state.as_deref(), Some("s"));
        assert_eq!(call.progress_token, Some(RequestId::Integer(7)));
        assert!(call.is_retry() && call.task.is_some());
        let bare = parse(r#"{"name":"t"}"#).unwrap();
        assert!(bare.arguments.is_empty() && !bare.is_retry());
    }

    #[test]
    fn an_outcome_is_read_from_a_result() {
        let read = |text: &str| {
            ToolOutcome::read(
                &strict::check(text.as_bytes(), &Limits::default()).unwrap().as_object().unwrap(),
            )
        };
        let outcome = |is_error, structured, result_type: &str| {
            Ok(ToolOutcome { is_error, structured, result_type: result_type.to_owned() })
        };
        assert_eq!(read(r#"{"content":[]}"#), outcome(false, None, "complete"));
        assert_eq!(
            read(r#"{"isError":true,"structuredContent":{"a":1},"resultType":"input_required"}"#),
            outcome(true, Some(serde_json::json!({"a": 1})), "input_required")
        );
        assert!(read(r#"{"isError":"false"}"#).is_err() && read(r#"{"resultType":1}"#).is_err());
    }

    #[test]
    fn a_call_out_of_shape_is_refused() {
        for text in [
            "{}",
            r#"{"name":""}"#,
            r#"{"name":1}"#,
            r#"{"name":"@resources"}"#,
            r#"{"name":"t","arguments":null}"#,
            r#"{"name":"t","arguments":[]}"#,
            r#"{"name":"t","requestState":1}"#,
            r#"{"name":"t","requestState":"123456789"}"#,
            r#"{"name":"t","inputResponses":[]}"#,
            r#"{"name":"t","_meta":{"progressToken":1.5}}"#,
            r#"{"name":"t","arguments":{"amount":1,"Amount":2}}"#,
            r#"{"name":"t","arguments":{"x":[{"to":1,"TO":2}]}}"#,
            r#"{"name":"t","arguments":{"to\u212a":1,"tok":2}}"#,
        ] {
            assert_eq!(parse(text).unwrap_err().code, -32602, "{text}");
        }
    }
}
