//! Reading what a system answered: did it do it, and what does the answer bring into the task.

use provost_domain::{Label, Outcome, Tool};
use provost_mcp::{Limits, Message, Response, message};
use serde_json::Value;
use std::collections::BTreeSet;

/// An answer, as far as the record and the labels need it.
pub struct Seen {
    /// What came of the call.
    pub outcome: Outcome,
    /// The structured result, when there is one.
    structured: Option<Value>,
}

impl Seen {
    /// An answer of an HTTP API: with its structure, if it was read and has one; otherwise it counts as having every field.
    #[must_use]
    pub fn of_api(outcome: Outcome, brought: &Brought) -> Self {
        let structured = match brought {
            Brought::Structured(value) => Some(value.clone()),
            Brought::Text(_) | Brought::Error(_) | Brought::Unseen => None,
        };
        Self { outcome, structured }
    }
}

/// Reads a response. One that does not read is a failure whose content counts as anything.
#[must_use]
pub fn read(response: &[u8]) -> Seen {
    let limits = Limits { message_bytes_max: usize::MAX, ..Limits::default() };
    match Message::parse(response, &limits) {
        Ok(Message::Response(response)) => of(&response),
        Ok(_) | Err(_) => Seen { outcome: failure("the answer is not a response"), structured: None },
    }
}

/// What a response says.
#[must_use]
pub fn of(response: &Response<'_>) -> Seen {
    let result = match &response.outcome {
        message::Outcome::Result(result) => result,
        message::Outcome::Error(error) => {
            let outcome = failure(&format!("{}: {}", error.code, error.message));
            return Seen { outcome, structured: None };
        }
    };
    let failed = result.get("isError").and_then(|raw| raw.as_bool()).unwrap_or(false);
    let structured = result.get("structuredContent").and_then(|raw| raw.to_value().ok());
    let outcome = if failed { failure("the tool reported an error") } else { Outcome::Success };
    Seen { outcome, structured }
}

/// What an answer brings into the task's memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Brought {
    /// A structured result.
    Structured(Value),
    /// Texts.
    Text(String),
    /// The text of an error.
    Error(String),
    /// Something nobody looked into.
    Unseen,
}

/// What the bytes of a response bring. What does not read may hold anything.
#[must_use]
pub fn read_brought(response: &[u8]) -> Brought {
    let limits = Limits { message_bytes_max: usize::MAX, ..Limits::default() };
    match Message::parse(response, &limits) {
        Ok(Message::Response(response)) => brought(&response),
        Ok(_) | Err(_) => Brought::Unseen,
    }
}

/// What the body of an HTTP API's answer brings.
#[must_use]
pub fn brought_by_api(body: &[u8], failed: bool) -> Brought {
    if failed {
        return Brought::Error(String::from_utf8_lossy(body).into_owned());
    }
    match serde_json::from_slice(body) {
        Ok(value) => Brought::Structured(value),
        Err(_not_json) => Brought::Text(String::from_utf8_lossy(body).into_owned()),
    }
}

/// What a response brings: its structure; without one, every text in it, whatever the method.
#[must_use]
pub fn brought(response: &Response<'_>) -> Brought {
    let result = match &response.outcome {
        message::Outcome::Result(result) => result,
        message::Outcome::Error(error) => return Brought::Error(error.raw.as_str().to_owned()),
    };
    let failed = result.get("isError").and_then(|raw| raw.as_bool()).unwrap_or(false);
    if let Some(structured) = result.get("structuredContent").and_then(|raw| raw.to_value().ok())
        && !failed
        && !structured.is_null()
    {
        return Brought::Structured(structured);
    }
    let Ok(value) = result.raw().to_value() else { return Brought::Unseen };
    let mut all = Vec::new();
    for member in ["content", "contents", "messages", "completion"] {
        value.get(member).into_iter().for_each(|value| texts(value, &mut all));
    }
    let text = all.join("\n");
    if failed { Brought::Error(text) } else { Brought::Text(text) }
}

/// Every text below; what an image or a binary resource holds is not looked into.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(members) => members.iter().for_each(|member| texts(member, all)),
        Value::Object(members) => {
            let told = members.iter().filter(|(name, _)| !NOT_TEXT.contains(&name.as_str()));
            told.for_each(|(_, member)| texts(member, all));
        }
        _ => {}
    }
}

/// The labels an answer of this tool brings. An error text is content too, so it brings every label that does not
/// depend on a field; a label bound to a field comes when the field is there, or when there is no structure to look
/// into.
#[must_use]
pub fn labels(tool: &Tool, seen: &Seen) -> BTreeSet<Label> {
    let comes = |field: Option<&String>| match (field, &seen.structured) {
        (Some(field), Some(structured)) => has(structured, field),
        (Some(_) | None, _) => true,
    };
    tool.returns.iter().filter(|r| comes(r.field.as_ref())).map(|r| r.label.clone()).collect()
}

/// Whether something other than null stands at a dotted path; arrays are walked.
fn has(value: &Value, path: &str) -> bool {
    if let Value::Array(elements) = value {
        return elements.iter().any(|element| has(element, path));
    }
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (value.get(first), rest) {
        (None | Some(Value::Null), _) => false,
        (Some(inner), Some(rest)) => has(inner, rest),
        (Some(Value::Array(elements)), None) => !elements.is_empty(),
        (Some(_), None) => true,
    }
}

fn failure(error: &str) -> Outcome {
    Outcome::Failure { error: error.chars().take(ERROR_CHARS_MAX).collect() }
}

/// Members of content that are no text of the tool's: kinds, types and binary data.
const NOT_TEXT: [&str; 5] = ["type", "mimeType", "data", "blob", "role"];
const ERROR_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(result: Value) -> Seen {
        read(json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string().as_bytes())
    }

    #[test]
    fn an_answer_is_a_success_only_when_it_says_so() {
        let table = [
            (answer(json!({"content": []})), "success"),
            (answer(json!({"content": [], "isError": false})), "success"),
            (answer(json!({"content": [], "isError": true})), "failure"),
            (read(br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}"#), "failure"),
            (read(b"<html>"), "failure"),
            (read(br#"{"jsonrpc":"2.0","method":"ping"}"#), "failure"),
        ];
        for (seen, wanted) in table {
            assert_eq!(seen.outcome.as_str(), wanted);
        }
    }

    #[test]
    fn a_label_bound_to_a_field_comes_with_the_field_and_without_structure() {
        let tool: Tool = serde_json::from_value(json!({
            "system": "bank", "name": "get_statement", "pin": provost_domain::Digest::of(b""),
            "returns": [{"label": "confidential"}, {"label": "untrusted", "field": "lines.memo"}],
        }))
        .unwrap();
        let table = [
            (json!({"structuredContent": {"lines": [{"memo": "hi"}]}}), 2),
            (json!({"structuredContent": {"lines": [{"memo": null}, {"memo": "x"}]}}), 2),
            (json!({"structuredContent": {"lines": [{"amount": 1}]}}), 1),
            (json!({"structuredContent": {"lines": []}}), 1),
            (json!({"content": [{"type": "text", "text": "hi"}]}), 2),
        ];
        for (result, wanted) in table {
            assert_eq!(labels(&tool, &answer(result.clone())).len(), wanted, "{result}");
        }
    }
}
