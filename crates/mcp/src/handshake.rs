//! Which era an upstream speaks: what its answers to a probe mean. The caller sends and waits, these
//! functions read.
//!
//! 2026-07-28, Streamable HTTP: Backward Compatibility; stdio: Backward Compatibility; Versioning.

use serde_json::{Value, json};

use crate::era::{Era, META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_PROTOCOL_VERSION, Revision};
use crate::error::{
    HEADER_MISMATCH, METHOD_NOT_FOUND, MISSING_CLIENT_CAPABILITY, UNSUPPORTED_PROTOCOL_VERSION,
};
use crate::limits::Limits;
use crate::message::{Message, Outcome, RequestId, write_request};
use crate::raw::Object;
use crate::strict::shortened;

/// What an upstream's answer to `server/discover` says about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// It is modern. Keep this for the life of its origin (HTTP) or process (stdio).
    Modern {
        /// The revision to speak.
        revision: Revision,
        /// Its discover result; `None` when it answered with a modern error only.
        discovered: Option<Value>,
    },
    /// It is not modern: send `initialize`.
    TryInitialize,
    /// It wants a credential (HTTP 401 or 403); nothing is known about its era.
    Challenged { http_status: u16 },
    /// It is modern and speaks no revision that we do.
    NoCommonRevision { supported: Vec<String> },
    /// It could not answer now (HTTP 429 or 5xx); nothing is known about its era. Do not fall back, do not
    /// cache.
    Unavailable { http_status: u16 },
}

/// The probe itself: a modern `server/discover`.
pub fn discover_request(id: &RequestId, client_info: &Value) -> String {
    let meta = json!({
        META_PROTOCOL_VERSION: Revision::NEWEST_MODERN.as_str(),
        META_CLIENT_CAPABILITIES: {},
        META_CLIENT_INFO: client_info,
    });
    write_request(id, "server/discover", &json!({ "_meta": meta }))
}

/// Reads the answer to a probe over HTTP. `body` is the JSON body, or the data of the event that held the
/// response.
pub fn read_http_probe(http_status: u16, body: &[u8], limits: &Limits) -> Probe {
    match http_status {
        401 | 403 => Probe::Challenged { http_status },
        429 | 500..=599 => Probe::Unavailable { http_status },
        // Legacy servers answer an unknown method with -32601 and 200; modern ones with 404.
        _ => read_probe(body, http_status == 404, limits),
    }
}

/// Reads the answer to a probe over a pipe; `None` means that none came in time.
pub fn read_stdio_probe(answer: Option<&[u8]>, limits: &Limits) -> Probe {
    answer.map_or(Probe::TryInitialize, |body| read_probe(body, false, limits))
}

fn read_probe(body: &[u8], unknown_method_is_modern: bool, limits: &Limits) -> Probe {
    let Ok(Message::Response(response)) = Message::parse(body, limits) else { return Probe::TryInitialize };
    match response.outcome {
        Outcome::Result(result) => read_discovered(&result),
        Outcome::Error(error) => match error.code {
            UNSUPPORTED_PROTOCOL_VERSION => {
                let data = error.data.and_then(|data| data.as_object());
                choose(data.map(|data| names(&data, "supported")).unwrap_or_default(), None)
            }
            HEADER_MISMATCH | MISSING_CLIENT_CAPABILITY => {
                Probe::Modern { revision: Revision::NEWEST_MODERN, discovered: None }
            }
            METHOD_NOT_FOUND if unknown_method_is_modern => {
                Probe::Modern { revision: Revision::NEWEST_MODERN, discovered: None }
            }
            _ => Probe::TryInitialize,
        },
    }
}

fn read_discovered(result: &Object<'_>) -> Probe {
    if result.get("supportedVersions").is_none() {
        return Probe::TryInitialize;
    }
    choose(names(result, "supportedVersions"), result.raw().to_value().ok())
}

fn choose(supported: Vec<String>, discovered: Option<Value>) -> Probe {
    let offered = |revision: &Revision| supported.iter().any(|name| name == revision.as_str());
    match Revision::NEWEST_FIRST.into_iter().find(offered) {
        Some(revision) if revision.era() == Era::Modern => Probe::Modern { revision, discovered },
        Some(_) => Probe::TryInitialize,
        None => Probe::NoCommonRevision { supported },
    }
}

const NAMES_MAX: usize = 32;

fn names(object: &Object<'_>, key: &str) -> Vec<String> {
    let elements = object.get(key).and_then(|list| list.as_array()).unwrap_or_default();
    elements.iter().take(NAMES_MAX).filter_map(|e| e.as_string()).map(|name| shortened(&name, 64)).collect()
}

/// The `initialize` request to a legacy upstream. `capabilities` are those of the client behind us that we
/// mediate.
pub fn initialize_request(id: &RequestId, capabilities: &Value, client_info: &Value) -> String {
    let params = json!({
        "protocolVersion": Revision::NEWEST_LEGACY.as_str(),
        "capabilities": capabilities,
        "clientInfo": client_info,
    });
    write_request(id, "initialize", &params)
}

/// A legacy upstream's answer to `initialize`.
#[derive(Clone, Debug, PartialEq)]
pub struct Initialized {
    /// The revision of the session.
    pub revision: Revision,
    /// The server's capabilities.
    pub capabilities: Value,
    /// The server's name for itself; for display only.
    pub server_info: Value,
    /// Guidance for the model. Text by an untrusted party.
    pub instructions: Option<String>,
}

/// Why an upstream cannot be spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No usable JSON-RPC response.
    #[error(
        "the server answered `initialize` with http {http_status} and no json-rpc response: {why}; check its address and transport"
    )]
    NotMcp { http_status: u16, why: String },
    /// Old HTTP+SSE, as far as one can tell.
    #[error(
        "the server refused `initialize` with http {http_status}; it may speak the http+sse transport of 2024-11-05, which is not supported"
    )]
    PerhapsHttpSse { http_status: u16 },
    /// A JSON-RPC error.
    #[error("the server refused `initialize` with error {code}: {message}")]
    Refused { code: i64, message: String },
    /// A revision that is not served.
    #[error(
        "the server speaks protocol version `{version}`; supported are 2026-07-28, 2025-11-25 and 2025-06-18"
    )]
    Revision { version: String },
}

/// Reads a legacy upstream's answer to `initialize`. On pipes pass HTTP status 200.
pub fn read_initialized(
    http_status: u16,
    body: &[u8],
    limits: &Limits,
) -> Result<Initialized, HandshakeError> {
    let response = match Message::parse(body, limits) {
        Ok(Message::Response(response)) => response,
        _ if matches!(http_status, 400 | 404 | 405) => {
            return Err(HandshakeError::PerhapsHttpSse { http_status });
        }
        Ok(_) => return Err(HandshakeError::NotMcp { http_status, why: "not a response".into() }),
        Err(error) => return Err(HandshakeError::NotMcp { http_status, why: error.to_string() }),
    };
    match response.outcome {
        Outcome::Error(error) => {
            Err(HandshakeError::Refused { code: error.code, message: shortened(&error.message, 256) })
        }
        Outcome::Result(result) => initialized(&result),
    }
}

fn initialized(result: &Object<'_>) -> Result<Initialized, HandshakeError> {
    let version = result.string("protocolVersion").unwrap_or_default();
    let revision = Revision::parse(&version)
        .filter(|r| r.era() == Era::Legacy)
        .ok_or_else(|| HandshakeError::Revision { version: shortened(&version, 64) })?;
    let value =
        |key: &str| result.object(key).and_then(|o| o.raw().to_value().ok()).unwrap_or_else(|| json!({}));
    Ok(Initialized {
        revision,
        capabilities: value("capabilities"),
        server_info: value("serverInfo"),
        instructions: result.string("instructions").map(|text| text.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern(discovered: Option<Value>) -> Probe {
        Probe::Modern { revision: Revision::V2026_07_28, discovered }
    }

    fn error(code: i64, data: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":0,"error":{{"code":{code},"message":"m","data":{data}}}}}"#)
    }

    fn result(result: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":0,"result":{result}}}"#)
    }

    /// 2026-07-28, Streamable HTTP: Backward Compatibility.
    #[test]
    fn an_answer_to_the_probe_shows_the_era_of_the_server() {
        let both = json!({"supportedVersions": ["2026-07-28", "2025-11-25"], "capabilities": {}});
        let rows = [
            (200, result(&both.to_string()), modern(Some(both.clone()))),
            (200, result(r#"{"supportedVersions":["2025-11-25"]}"#), Probe::TryInitialize),
            (
                200,
                result(r#"{"supportedVersions":["2099-01-01"]}"#),
                Probe::NoCommonRevision { supported: vec!["2099-01-01".into()] },
            ),
            (200, result("{}"), Probe::TryInitialize),
            (400, error(-32020, "null"), modern(None)),
            (400, error(-32021, "{}"), modern(None)),
            (400, error(-32022, r#"{"supported":["2026-07-28"]}"#), modern(None)),
            (400, error(-32022, r#"{"supported":["2025-06-18"]}"#), Probe::TryInitialize),
            (400, error(-32022, "{}"), Probe::NoCommonRevision { supported: vec![] }),
            (404, error(-32601, "null"), modern(None)),
            (200, error(-32601, "null"), Probe::TryInitialize),
            (400, error(-32600, "null"), Probe::TryInitialize),
            (400, error(-32000, "null"), Probe::TryInitialize),
            (400, String::new(), Probe::TryInitialize),
            (404, "<html>".into(), Probe::TryInitialize),
            (405, String::new(), Probe::TryInitialize),
            (401, error(-32020, "null"), Probe::Challenged { http_status: 401 }),
            (403, String::new(), Probe::Challenged { http_status: 403 }),
            (503, String::new(), Probe::Unavailable { http_status: 503 }),
            (429, String::new(), Probe::Unavailable { http_status: 429 }),
        ];
        for (status, body, expected) in rows {
            assert_eq!(
                read_http_probe(status, body.as_bytes(), &Limits::default()),
                expected,
                "{status} {body}"
            );
        }
    }

    /// 2026-07-28, stdio: Backward Compatibility.
    #[test]
    fn a_silent_or_unknowing_process_is_legacy() {
        let limits = Limits::default();
        assert_eq!(read_stdio_probe(None, &limits), Probe::TryInitialize);
        assert_eq!(read_stdio_probe(Some(error(-32601, "null").as_bytes()), &limits), Probe::TryInitialize);
        let unsupported = error(-32022, r#"{"supported":["2026-07-28"]}"#);
        assert_eq!(read_stdio_probe(Some(unsupported.as_bytes()), &limits), modern(None));
    }

    /// 2025-11-25, Lifecycle: Initialization.
    #[test]
    fn an_initialize_answer_is_read_or_named() {
        let limits = Limits::default();
        let good = result(
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s"},"instructions":"i"}"#,
        );
        let read = read_initialized(200, good.as_bytes(), &limits).unwrap();
        assert_eq!(read.revision, Revision::V2025_06_18);
        assert_eq!(read.capabilities, json!({"tools": {}}));
        assert_eq!(read.instructions.as_deref(), Some("i"));
        let bad = |status: u16, body: String| read_initialized(status, body.as_bytes(), &limits).unwrap_err();
        let old = result(r#"{"protocolVersion":"2024-11-05"}"#);
        assert_eq!(bad(200, old), HandshakeError::Revision { version: "2024-11-05".into() });
        assert_eq!(bad(405, String::new()), HandshakeError::PerhapsHttpSse { http_status: 405 });
        assert!(matches!(bad(200, "<html>".into()), HandshakeError::NotMcp { .. }));
        assert_eq!(
            bad(400, error(-32000, "null")),
            HandshakeError::Refused { code: -32000, message: "m".into() }
        );
    }
}
