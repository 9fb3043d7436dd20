//! JSON-RPC errors: the codes, who may use them, and the HTTP status each travels with.

use serde_json::{Value, json};

use crate::era::{Era, Revision};
use crate::message::RequestId;

/// Not JSON, or not JSON that every reader reads alike.
pub const PARSE_ERROR: i64 = -32700;
/// JSON, but not one JSON-RPC request, notification or response.
pub const INVALID_REQUEST: i64 = -32600;
/// The method exists in neither era, or not in the revision spoken.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The params are missing something or have it in the wrong shape.
pub const INVALID_PARAMS: i64 = -32602;
/// The gateway or the upstream failed.
pub const INTERNAL_ERROR: i64 = -32603;
/// Modern: headers and body disagree.
pub const HEADER_MISMATCH: i64 = -32020;
/// Modern: the request needs a capability the client did not declare.
pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
/// Modern: the revision asked for is not served.
pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;
/// Legacy: resource not found; modern says -32602.
pub const RESOURCE_NOT_FOUND_LEGACY: i64 = -32002;
/// Legacy 2025-11-25: URL elicitation required; must not be emitted to modern clients.
pub const URL_ELICITATION_REQUIRED_LEGACY: i64 = -32042;
/// Our refusal by policy towards legacy clients: inside -32000..-32019, which is the implementation's own.
pub const REFUSED_LEGACY: i64 = -32001;
/// Our refusal by policy towards modern clients: outside -32768..-32000, where revision 2026-07-28 asks new
/// codes to be.
pub const REFUSED_MODERN: i64 = -31001;
/// The upstream cannot be reached or did not answer in time; the same reasoning for where the codes are.
pub const UPSTREAM_LEGACY: i64 = -32003;
/// See [`UPSTREAM_LEGACY`].
pub const UPSTREAM_MODERN: i64 = -31003;

/// A JSON-RPC error and the HTTP status it is sent with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} (json-rpc {code}, http {http_status})")]
pub struct RpcError {
    /// The JSON-RPC code.
    pub code: i64,
    /// One sentence for the client: what, why, what to do.
    pub message: String,
    /// Structured detail.
    pub data: Option<Value>,
    /// The status of the HTTP response that carries it; ignored on pipes and inside streams already begun.
    pub http_status: u16,
}

impl RpcError {
    /// An error with the status that [`http_status`] gives its code.
    pub fn new(code: i64, era: Era, message: impl Into<String>) -> RpcError {
        RpcError { code, message: message.into(), data: None, http_status: http_status(code, era) }
    }

    /// The same error with structured detail.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> RpcError {
        self.data = Some(data);
        self
    }

    /// The same error with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, http_status: u16) -> RpcError {
        self.http_status = http_status;
        self
    }

    /// -32700, HTTP 400.
    pub fn parse(message: impl Into<String>) -> RpcError {
        RpcError::new(PARSE_ERROR, Era::Modern, message)
    }

    /// -32600, HTTP 400.
    pub fn invalid_request(message: impl Into<String>) -> RpcError {
        RpcError::new(INVALID_REQUEST, Era::Modern, message)
    }

    /// -32601; HTTP 404 in the modern era (Streamable HTTP, Protocol Version Header), 200 before.
    pub fn method_not_found(method: &str, era: Era) -> RpcError {
        let method = crate::strict::shortened(method, 64);
        RpcError::new(METHOD_NOT_FOUND, era, format!("the method `{method}` is not known here"))
    }

    /// -32602.
    pub fn invalid_params(era: Era, message: impl Into<String>) -> RpcError {
        RpcError::new(INVALID_PARAMS, era, message)
    }

    /// -32603.
    pub fn internal(era: Era, message: impl Into<String>) -> RpcError {
        RpcError::new(INTERNAL_ERROR, era, message)
    }

    /// -32020, HTTP 400 (Streamable HTTP, Server Validation).
    pub fn header_mismatch(message: impl Into<String>) -> RpcError {
        RpcError::new(HEADER_MISMATCH, Era::Modern, message)
    }

    /// -32021, HTTP 400; `required` has the shape of client capabilities, for example
    /// `{"elicitation":{"url":{}}}`.
    pub fn missing_capability(required: Value) -> RpcError {
        let message = "the request needs a capability that this client did not declare";
        RpcError::new(MISSING_CLIENT_CAPABILITY, Era::Modern, message)
            .with_data(json!({ "requiredCapabilities": required }))
    }

    /// -32022, HTTP 400, naming the revisions that are served.
    pub fn unsupported_version(requested: &str) -> RpcError {
        let requested = crate::strict::shortened(requested, 64);
        let supported = Revision::NEWEST_FIRST.map(|r| r.as_str());
        let message =
            format!("the protocol version `{requested}` is not served; use one of {}", supported.join(", "));
        RpcError::new(UNSUPPORTED_PROTOCOL_VERSION, Era::Modern, message)
            .with_data(json!({ "supported": supported, "requested": requested }))
    }

    /// The upstream failed, or its answer could not be used.
    pub fn upstream(era: Era, message: impl Into<String>) -> RpcError {
        let code = match era {
            Era::Legacy => UPSTREAM_LEGACY,
            Era::Modern => UPSTREAM_MODERN,
        };
        RpcError::new(code, era, message)
    }

    /// The `error` object.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Some(data) => json!({ "code": self.code, "message": self.message, "data": data }),
            None => json!({ "code": self.code, "message": self.message }),
        }
    }

    /// The whole response. Without an id the member is left out, as both eras' schemas want (`null` fails
    /// them).
    pub fn write(&self, id: Option<&RequestId>) -> String {
        let error = self.to_value();
        match id {
            Some(id) => format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id.to_json()),
            None => format!(r#"{{"jsonrpc":"2.0","error":{error}}}"#),
        }
    }
}

/// The HTTP status for an error code. Legacy clients read the JSON-RPC error only from a 200.
pub fn http_status(code: i64, era: Era) -> u16 {
    match (code, era) {
        (PARSE_ERROR | INVALID_REQUEST, _) => 400,
        (HEADER_MISMATCH | MISSING_CLIENT_CAPABILITY | UNSUPPORTED_PROTOCOL_VERSION, _) => 400,
        (METHOD_NOT_FOUND, Era::Modern) => 404,
        (INTERNAL_ERROR, Era::Modern) => 500,
        (UPSTREAM_MODERN, Era::Modern) => 502,
        _ => 200,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_status() {
        for (error, code, status) in [
            (RpcError::parse("x"), -32700, 400),
            (RpcError::invalid_request("x"), -32600, 400),
            (RpcError::method_not_found("x", Era::Modern), -32601, 404),
            (RpcError::method_not_found("x", Era::Legacy), -32601, 200),
            (RpcError::invalid_params(Era::Modern, "x"), -32602, 200),
            (RpcError::header_mismatch("x"), -32020, 400),
            (RpcError::missing_capability(json!({"roots":{}})), -32021, 400),
            (RpcError::unsupported_version("1900-01-01"), -32022, 400),
        ] {
            assert_eq!((error.code, error.http_status), (code, status), "{error}");
        }
    }

    #[test]
    fn an_unsupported_version_names_those_that_are_served() {
        let data = RpcError::unsupported_version("2025-03-26").data.unwrap();
        assert_eq!(
            data,
            json!({"supported": ["2026-07-28", "2025-11-25", "2025-06-18"], "requested": "2025-03-26"})
        );
    }

    #[test]
    fn an_error_without_id_has_no_id_member() {
        assert_eq!(
            RpcError::parse("x").write(None),
            r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#
        );
        assert!(RpcError::parse("x").write(Some(&RequestId::Integer(7))).contains(r#""id":7,"#));
    }

    #[test]
    fn our_own_codes_stand_where_each_era_allows_them() {
        for code in [REFUSED_MODERN, UPSTREAM_MODERN] {
            assert!(!(-32768..=-32000).contains(&code));
        }
        for code in [REFUSED_LEGACY, UPSTREAM_LEGACY] {
            assert!((-32019..=-32000).contains(&code));
        }
    }
}
