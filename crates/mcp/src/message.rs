//! One JSON-RPC 2.0 message: read from bytes with every byte kept, or written.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::RpcError;
use crate::limits::Limits;
use crate::raw::{Kind, Object, Raw};
use crate::strict::{self, StrictError, shortened};

/// A message as received. `raw` of each variant is what is forwarded; the other fields are what is decided
/// on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Expects a response.
    Request(Request<'a>),
    /// Expects none.
    Notification(Notification<'a>),
    /// Answers a request.
    Response(Response<'a>),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The whole message.
    pub raw: Raw<'a>,
    /// The id the answer must carry.
    pub id: RequestId,
    /// The method, unescaped.
    pub method: Cow<'a, str>,
    /// The params object, if any.
    pub params: Option<Object<'a>>,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The whole message.
    pub raw: Raw<'a>,
    /// The method, unescaped.
    pub method: Cow<'a, str>,
    /// The params object, if any.
    pub params: Option<Object<'a>>,
}

/// A response. An error response may lack the id when the request could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The whole message.
    pub raw: Raw<'a>,
    /// The id of the request answered.
    pub id: Option<RequestId>,
    /// Its result or its error.
    pub outcome: Outcome<'a>,
}

/// What a response brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// `result`, always an object in MCP.
    Result(Object<'a>),
    /// `error`.
    Error(ErrorObject<'a>),
}

/// The `error` member of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject<'a> {
    /// The object as received.
    pub raw: Raw<'a>,
    /// The code.
    pub code: i64,
    /// The message.
    pub message: Cow<'a, str>,
    /// Further detail.
    pub data: Option<Raw<'a>>,
}

/// A request id: a string or an integer, never null (MCP, Messages).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// An integer.
    Integer(i64),
    /// A string.
    String(String),
}

impl<'a> Message<'a> {
    /// Reads one message strictly.
    ///
    /// Errors: [`MessageError`]; [`MessageError::to_rpc`] is the answer to give, [`MessageError::id`] the id
    /// to give it with where it could still be read.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Message<'a>, MessageError> {
        let raw = strict::check(bytes, limits)?;
        match raw.kind() {
            Kind::Object => {}
            Kind::Array => return Err(MessageError::of(MessageFault::Batch)),
            _ => return Err(MessageError::of(MessageFault::NotAnObject)),
        }
        let envelope = raw.as_object().ok_or(MessageError::of(MessageFault::NotAnObject))?;
        read_envelope(&envelope, limits).map_err(|fault| {
            let id = envelope.get("id").and_then(|id| read_id(id, limits).ok());
            MessageError { fault, id }
        })
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        match self {
            Message::Request(request) => Some(&request.method),
            Message::Notification(notification) => Some(&notification.method),
            Message::Response(_) => None,
        }
    }

    /// The id of a request or response.
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Message::Request(request) => Some(&request.id),
            Message::Notification(_) => None,
            Message::Response(response) => response.id.as_ref(),
        }
    }

    /// The params of a request or notification.
    pub fn params(&self) -> Option<&Object<'a>> {
        match self {
            Message::Request(request) => request.params.as_ref(),
            Message::Notification(notification) => notification.params.as_ref(),
            Message::Response(_) => None,
        }
    }

    /// The whole message as received.
    pub fn raw(&self) -> Raw<'a> {
        match self {
            Message::Request(request) => request.raw,
            Message::Notification(notification) => notification.raw,
            Message::Response(response) => response.raw,
        }
    }
}

impl<'a> Request<'a> {
    /// `params._meta`, if it is an object.
    pub fn meta(&self) -> Option<Object<'a>> {
        self.params.as_ref()?.object("_meta")
    }
}

impl RequestId {
    /// The id as JSON.
    pub fn to_json(&self) -> String {
        match self {
            RequestId::Integer(id) => id.to_string(),
            RequestId::String(id) => Value::from(id.as_str()).to_string(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl From<i64> for RequestId {
    fn from(id: i64) -> RequestId {
        RequestId::Integer(id)
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> RequestId {
        RequestId::String(id.to_owned())
    }
}

/// Writes a response with a result.
pub fn write_result(id: &RequestId, result: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.to_json())
}

/// Writes a response with a result whose bytes are kept.
pub fn write_raw_result(id: &RequestId, result: Raw<'_>) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{}}}"#, id.to_json(), result.as_str())
}

/// Writes a request. `params` is left out when it is null.
pub fn write_request(id: &RequestId, method: &str, params: &Value) -> String {
    let method = Value::from(method);
    match params {
        Value::Null => format!(r#"{{"jsonrpc":"2.0","id":{},"method":{method}}}"#, id.to_json()),
        params => format!(r#"{{"jsonrpc":"2.0","id":{},"method":{method},"params":{params}}}"#, id.to_json()),
    }
}

/// Writes a notification. `params` is left out when it is null.
pub fn write_notification(method: &str, params: &Value) -> String {
    let method = Value::from(method);
    match params {
        Value::Null => format!(r#"{{"jsonrpc":"2.0","method":{method}}}"#),
        params => format!(r#"{{"jsonrpc":"2.0","method":{method},"params":{params}}}"#),
    }
}

/// Why bytes are not one JSON-RPC message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct MessageError {
    /// What is wrong.
    pub fault: MessageFault,
    /// The id of the message, where it could still be read.
    pub id: Option<RequestId>,
}

/// The kinds of fault of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    /// Not JSON that every reader reads alike.
    #[error(transparent)]
    Json(#[from] StrictError),
    /// An array of messages; revision 2025-06-18 removed them.
    #[error("batches are not accepted since mcp 2025-06-18; send each message by itself")]
    Batch,
    /// Neither object nor array.
    #[error("a json-rpc message is an object")]
    NotAnObject,
    /// `jsonrpc` is missing or not "2.0".
    #[error("the member `jsonrpc` must be the string `2.0`")]
    NotJsonRpc2,
    /// Neither a method nor an outcome, or both.
    #[error("a message has a `method`, or exactly one of `result` and `error`; this one does not")]
    Ambiguous,
    /// The id is not a string or an integer of 64 bits.
    #[error("the request id must be a string or a 64-bit signed integer")]
    BadId,
    /// The id is too long.
    #[error("the request id has {bytes} bytes but at most {id_bytes_max} are accepted")]
    IdTooLong { bytes: usize, id_bytes_max: usize },
    /// The method is not a string, is empty or too long.
    #[error("the method must be a string of 1 to {method_bytes_max} bytes")]
    BadMethod { method_bytes_max: usize },
    /// `params` is not an object.
    #[error("the params must be an object")]
    BadParams,
    /// `params._meta` is there but not an object.
    #[error("the member `_meta` of the params must be an object")]
    BadMeta,
    /// `result` is not an object.
    #[error("the result must be an object")]
    BadResult,
    /// `error` has no integer code and string message.
    #[error("the error must be an object with an integer `code` and a string `message`")]
    BadError,
    /// A member that readers which ignore case would take for another.
    #[error(
        "a member differs from `{0}` only in case; some readers take one for the other, spell it exactly"
    )]
    Lookalike(&'static str),
}

impl MessageError {
    fn of(fault: MessageFault) -> MessageError {
        MessageError { fault, id: None }
    }

    /// The error to answer with: -32700 for what is not JSON, else -32600.
    pub fn to_rpc(&self) -> RpcError {
        match &self.fault {
            MessageFault::Json(error) => RpcError::parse(error.to_string()),
            fault => RpcError::invalid_request(fault.to_string()),
        }
    }
}

impl From<StrictError> for MessageError {
    fn from(error: StrictError) -> MessageError {
        MessageError::of(MessageFault::Json(error))
    }
}

const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

fn read_envelope<'a>(envelope: &Object<'a>, limits: &Limits) -> Result<Message<'a>, MessageFault> {
    if let Some(name) = envelope.lookalike(&ENVELOPE) {
        return Err(MessageFault::Lookalike(name));
    }
    if envelope.string("jsonrpc").as_deref() != Some("2.0") {
        return Err(MessageFault::NotJsonRpc2);
    }
    let raw = envelope.raw();
    let id = envelope.get("id");
    match (envelope.get("method"), envelope.get("result"), envelope.get("error")) {
        (Some(method), None, None) => {
            let method = read_method(method, limits)?;
            let params = read_params(envelope)?;
            Ok(match id {
                Some(id) => Message::Request(Request { raw, id: read_id(id, limits)?, method, params }),
                None => Message::Notification(Notification { raw, method, params }),
            })
        }
        (None, Some(result), None) => {
            let id = Some(read_id(id.ok_or(MessageFault::BadId)?, limits)?);
            let result = result.as_object().ok_or(MessageFault::BadResult)?;
            Ok(Message::Response(Response { raw, id, outcome: Outcome::Result(result) }))
        }
        (None, None, Some(error)) => {
            let id = id.filter(|id| id.kind() != Kind::Null).map(|id| read_id(id, limits)).transpose()?;
            let outcome = Outcome::Error(read_error(error)?);
            Ok(Message::Response(Response { raw, id, outcome }))
        }
        _ => Err(MessageFault::Ambiguous),
    }
}

fn read_id(id: Raw<'_>, limits: &Limits) -> Result<RequestId, MessageFault> {
    if let Some(integer) = id.as_i64() {
        return Ok(RequestId::Integer(integer));
    }
    let text = id.as_string().ok_or(MessageFault::BadId)?;
    if text.len() > limits.id_bytes_max {
        return Err(MessageFault::IdTooLong { bytes: text.len(), id_bytes_max: limits.id_bytes_max });
    }
    Ok(RequestId::String(text.into_owned()))
}

fn read_method<'a>(method: Raw<'a>, limits: &Limits) -> Result<Cow<'a, str>, MessageFault> {
    let fault = MessageFault::BadMethod { method_bytes_max: limits.method_bytes_max };
    match method.as_string() {
        Some(method) if !method.is_empty() && method.len() <= limits.method_bytes_max => Ok(method),
        _ => Err(fault),
    }
}

/// Members of params that the gateway decides on.
const DECIDING: [&str; 10] = [
    "name",
    "arguments",
    "uri",
    "taskId",
    "requestState",
    "inputResponses",
    "_meta",
    "cursor",
    "ref",
    "task",
];

fn read_params<'a>(envelope: &Object<'a>) -> Result<Option<Object<'a>>, MessageFault> {
    let Some(params) = envelope.get("params") else { return Ok(None) };
    let params = params.as_object().ok_or(MessageFault::BadParams)?;
    if let Some(name) = params.lookalike(&DECIDING) {
        return Err(MessageFault::Lookalike(name));
    }
    match params.get("_meta") {
        Some(meta) if meta.kind() != Kind::Object => Err(MessageFault::BadMeta),
        _ => Ok(Some(params)),
    }
}

fn read_error<'a>(error: Raw<'a>) -> Result<ErrorObject<'a>, MessageFault> {
    let object = error.as_object().ok_or(MessageFault::BadError)?;
    let code = object.get("code").and_then(|c| c.as_i64()).ok_or(MessageFault::BadError)?;
    let message = object.string("message").ok_or(MessageFault::BadError)?;
    Ok(ErrorObject { raw: error, code, message, data: object.get("data") })
}

impl ErrorObject<'_> {
    /// The same error as an owned value, its message cut to 1,024 bytes.
    pub fn to_rpc(&self, http_status: u16) -> RpcError {
        RpcError {
            code: self.code,
            message: shortened(&self.message, 1_024),
            data: self.data.and_then(|d| d.to_value().ok()),
            http_status,
        }
    }
}

#[cfg(test)]
mod tests;
