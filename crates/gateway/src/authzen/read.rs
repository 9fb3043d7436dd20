//! Bodies, strictly: what is not a question is a 400 that says what is wrong, never a decision.

use http::{HeaderMap, header};
use provost_domain::limits::Limits;
use provost_policy::{AuthzenAction, AuthzenEntity, AuthzenRequest};
use serde_json::{Map, Value};

/// The JSON object of a body.
pub(super) fn body(headers: &HeaderMap, bytes: &[u8], limits: &Limits) -> Result<Value, String> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err("the content type must be application/json".to_owned());
    }
    let strict = provost_mcp::Limits {
        message_bytes_max: limits.body_bytes_max,
        depth_max: limits.json_depth_max,
        values_max: limits.json_nodes_max,
        ..provost_mcp::Limits::default()
    };
    match provost_mcp::strict::parse(bytes, &strict) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("the body must be a JSON object".to_owned()),
        Err(error) => Err(format!("the body is not JSON that can be read one way only: {error}")),
    }
}

/// A whole question.
pub(super) fn question(value: &Map<String, Value>) -> Result<AuthzenRequest, String> {
    Ok(AuthzenRequest {
        subject: entity(value, "subject")?,
        action: action(value)?,
        resource: entity(value, "resource")?,
        context: object(value, "context")?,
    })
}

/// A subject or resource with its id.
pub(super) fn entity(value: &Map<String, Value>, name: &str) -> Result<AuthzenEntity, String> {
    let members = required(value, name)?;
    Ok(AuthzenEntity {
        kind: text(members, name, "type")?,
        id: text(members, name, "id")?,
        properties: object(members, "properties")?,
    })
}

/// The type of a subject or resource that is searched for; an id is ignored (AuthZEN 1.0, Search APIs).
pub(super) fn kind(value: &Map<String, Value>, name: &str) -> Result<String, String> {
    text(required(value, name)?, name, "type")
}

/// The action.
pub(super) fn action(value: &Map<String, Value>) -> Result<AuthzenAction, String> {
    let members = required(value, "action")?;
    Ok(AuthzenAction { name: text(members, "action", "name")?, properties: object(members, "properties")? })
}

/// An optional object; `{}` when it is absent.
pub(super) fn object(value: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match value.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(format!("`{name}` must be an object")),
    }
}

fn required<'v>(value: &'v Map<String, Value>, name: &str) -> Result<&'v Map<String, Value>, String> {
    match value.get(name) {
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(format!("`{name}` must be an object")),
        None => Err(format!("`{name}` is missing")),
    }
}

fn text(members: &Map<String, Value>, name: &str, key: &str) -> Result<String, String> {
    match members.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(format!("`{name}.{key}` must be a string that is not empty")),
        None => Err(format!("`{name}.{key}` is missing")),
    }
}
