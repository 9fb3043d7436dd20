//! Which revision of the protocol a client speaks, read from what it sent.

use std::fmt;

use serde_json::Value;

use crate::error::RpcError;
use crate::message::Message;
use crate::raw::{Kind, Object, Raw};

/// The revisions served, downstream and upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Revision {
    /// 2025-06-18
    V2025_06_18,
    /// 2025-11-25
    V2025_11_25,
    /// 2026-07-28
    V2026_07_28,
}

/// How a revision opens a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Era {
    /// `initialize` opens a session; 2025-11-25 and before.
    Legacy,
    /// Every request stands alone and says in `_meta` what it speaks; 2026-07-28 and after.
    Modern,
}

impl Revision {
    /// All revisions served, newest first.
    pub const NEWEST_FIRST: [Revision; 3] =
        [Revision::V2026_07_28, Revision::V2025_11_25, Revision::V2025_06_18];
    /// The newest revision that has an `initialize`.
    pub const NEWEST_LEGACY: Revision = Revision::V2025_11_25;
    /// The newest revision that has `_meta` on every request.
    pub const NEWEST_MODERN: Revision = Revision::V2026_07_28;

    /// The revision with this name, if it is served. 2025-03-26 and 2024-11-05 are not.
    pub fn parse(name: &str) -> Option<Revision> {
        Revision::NEWEST_FIRST.into_iter().find(|r| r.as_str() == name)
    }

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Revision::V2025_06_18 => "2025-06-18",
            Revision::V2025_11_25 => "2025-11-25",
            Revision::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    pub fn era(self) -> Era {
        match self {
            Revision::V2025_06_18 | Revision::V2025_11_25 => Era::Legacy,
            Revision::V2026_07_28 => Era::Modern,
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `_meta` key: the revision of a modern request.
pub const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key: what the client can do, for this request.
pub const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` key: the client's name for itself. Self-reported; never a reason to allow anything.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` key: the log level wanted for this request.
pub const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// `_meta` key of results: the server's name for itself. Self-reported.
pub const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// `_meta` key of messages on a listen stream: the id of the request that opened it.
pub const META_SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// The `_meta` keys that only modern requests have.
pub const META_MODERN_REQUEST: [&str; 4] =
    [META_PROTOCOL_VERSION, META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL];

/// How one message from a client is to be read (2026-07-28, Versioning: Backward Compatibility).
#[derive(Clone, Debug, PartialEq)]
pub enum Spoken<'a> {
    /// `initialize`: a legacy session begins, in this revision.
    Initialize {
        /// The revision to answer with: the one asked for, or the newest legacy one.
        revision: Revision,
        /// Whether the client asked for exactly this one.
        as_asked: bool,
    },
    /// A request that stands alone.
    Modern(ModernMeta<'a>),
    /// A message inside a legacy session. `None`: it names no revision, so the session's own counts, and
    /// without a session it is refused ([`RpcError::unsupported_version`] with "2025-03-26", which the
    /// standard makes of a missing header).
    Legacy(Option<Revision>),
    /// A modern notification or a response, which carry no `_meta` of their own: the header alone named the
    /// revision.
    ModernBare(Revision),
}

/// The `_meta` of a modern request, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct ModernMeta<'a> {
    /// The revision.
    pub revision: Revision,
    /// What the client can do, for this request only.
    pub capabilities: Object<'a>,
    /// The client's name for itself; for display only.
    pub client_info: Option<Raw<'a>>,
    /// The log level wanted; without one no log messages may be sent.
    pub log_level: Option<String>,
}

impl ModernMeta<'_> {
    /// Whether the client declared the capability at `path`, for example `["elicitation", "url"]`. An empty
    /// `elicitation` means `form` (2026-07-28, Elicitation: Capabilities).
    pub fn declares(&self, path: &[&str]) -> bool {
        declares(&self.capabilities, path)
    }
}

/// Whether client capabilities (of either era) declare the capability at `path`.
pub fn declares(capabilities: &Object<'_>, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    let Some(inner) = capabilities.object(first) else { return false };
    let implied_form = *first == "elicitation" && rest == ["form"] && inner.members().is_empty();
    implied_form || declares(&inner, rest)
}

/// Decides how a client's message is to be read. `version_header` is `MCP-Protocol-Version`, absent on pipes.
///
/// Errors: -32022 for a revision that is not served, -32602 with HTTP 400 for a modern request without its
/// `_meta`.
pub fn spoken<'a>(message: &Message<'a>, version_header: Option<&str>) -> Result<Spoken<'a>, RpcError> {
    let meta = message.params().and_then(|params| params.object("_meta"));
    let meta_version = meta.as_ref().and_then(|meta| meta.get(META_PROTOCOL_VERSION));
    if let Message::Request(request) = message {
        if let (Some(meta), Some(_)) = (&meta, meta_version) {
            return modern_meta(meta).map(Spoken::Modern);
        }
        if request.method == "initialize" {
            return initialize(request.params.as_ref());
        }
    }
    let named = match version_header {
        None => None,
        Some(name) => Some(Revision::parse(name).ok_or_else(|| RpcError::unsupported_version(name))?),
    };
    match (named.map(Revision::era), message) {
        (Some(Era::Modern), Message::Request(_)) => {
            Err(missing_meta(META_PROTOCOL_VERSION, "the protocol version this request speaks"))
        }
        (Some(Era::Modern), _) => Ok(named.map_or(Spoken::Legacy(None), Spoken::ModernBare)),
        (Some(Era::Legacy), _) => Ok(Spoken::Legacy(named)),
        // `server/discover` exists only in the modern era, so a bare one is a modern request that lacks its
        // `_meta`.
        (None, Message::Request(request)) if request.method == "server/discover" => {
            Err(missing_meta(META_PROTOCOL_VERSION, "the protocol version this request speaks"))
        }
        (None, _) => Ok(Spoken::Legacy(None)),
    }
}

/// Reads and checks the `_meta` of a modern request (2026-07-28, `RequestMetaObject`).
///
/// Errors: -32602 with HTTP 400 for a missing or misshapen member, -32022 for a revision that is not served
/// or has `initialize`.
pub fn modern_meta<'a>(meta: &Object<'a>) -> Result<ModernMeta<'a>, RpcError> {
    let version = meta.string(META_PROTOCOL_VERSION).ok_or_else(|| {
        missing_meta(META_PROTOCOL_VERSION, "a string, the protocol version this request speaks")
    })?;
    let revision = Revision::parse(&version)
        .filter(|r| r.era() == Era::Modern)
        .ok_or_else(|| RpcError::unsupported_version(&version))?;
    let capabilities = meta
        .object(META_CLIENT_CAPABILITIES)
        .ok_or_else(|| missing_meta(META_CLIENT_CAPABILITIES, "an object, empty if the client has none"))?;
    let client_info = meta.get(META_CLIENT_INFO);
    if client_info.is_some_and(|info| info.kind() != Kind::Object) {
        return Err(missing_meta(META_CLIENT_INFO, "an object when it is sent"));
    }
    let log_level = match meta.get(META_LOG_LEVEL) {
        None => None,
        Some(level) => Some(log_level(level).ok_or_else(|| {
            missing_meta(
                META_LOG_LEVEL,
                "one of debug, info, notice, warning, error, critical, alert, emergency",
            )
        })?),
    };
    Ok(ModernMeta { revision, capabilities, client_info, log_level })
}

/// The levels of RFC 5424 section 6.2.1 as MCP names them, mildest first.
pub const LOG_LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

fn log_level(level: Raw<'_>) -> Option<String> {
    let level = level.as_string()?;
    LOG_LEVELS.contains(&level.as_ref()).then(|| level.into_owned())
}

fn missing_meta(key: &str, expected: &str) -> RpcError {
    RpcError::invalid_params(Era::Modern, format!("the member `_meta[\"{key}\"]` must be {expected}"))
        .with_status(400)
        .with_data(Value::from(key))
}

fn initialize<'a>(params: Option<&Object<'a>>) -> Result<Spoken<'a>, RpcError> {
    let version = params.and_then(|params| params.string("protocolVersion")).ok_or_else(|| {
        RpcError::invalid_params(Era::Legacy, "`initialize` needs the string `protocolVersion`")
    })?;
    let asked = Revision::parse(&version).filter(|r| r.era() == Era::Legacy);
    Ok(Spoken::Initialize { revision: asked.unwrap_or(Revision::NEWEST_LEGACY), as_asked: asked.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn read(text: &str, header: Option<&str>) -> Result<String, (i64, u16)> {
        let limits = Limits::default();
        let message = Message::parse(text.as_bytes(), &limits).unwrap();
        match spoken(&message, header) {
            Ok(Spoken::Initialize { revision, as_asked }) => Ok(format!("initialize {revision} {as_asked}")),
            Ok(Spoken::Modern(meta)) => Ok(format!("modern {}", meta.revision)),
            Ok(Spoken::Legacy(revision)) => Ok(format!("legacy {}", revision.map_or("-", Revision::as_str))),
            Ok(Spoken::ModernBare(revision)) => Ok(format!("bare {revision}")),
            Err(error) => Err((error.code, error.http_status)),
        }
    }

    fn request(method: &str, params: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
    }

    /// 2026-07-28, Versioning: Backward Compatibility; 2025-11-25, Lifecycle: Version Negotiation.
    #[test]
    fn a_message_shows_which_era_it_belongs_to() {
        let modern = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;
        let old_in_meta = modern.replace("2026-07-28", "2025-11-25");
        let unknown = modern.replace("2026-07-28", "1900-01-01");
        let no_capabilities = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        let array_capabilities = modern.replace("{}}}", "[]}}");
        let number_version = modern.replace("\"2026-07-28\"", "20260728");
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
        type Row<'t> = (String, Option<&'t str>, Result<&'t str, (i64, u16)>);
        let rows: [Row<'_>; 18] = [
            (
                request("initialize", r#"{"protocolVersion":"2025-06-18"}"#),
                None,
                Ok("initialize 2025-06-18 true"),
            ),
            (
                request("initialize", r#"{"protocolVersion":"2025-11-25"}"#),
                None,
                Ok("initialize 2025-11-25 true"),
            ),
            (
                request("initialize", r#"{"protocolVersion":"2025-03-26"}"#),
                None,
                Ok("initialize 2025-11-25 false"),
            ),
            (
                request("initialize", r#"{"protocolVersion":"2026-07-28"}"#),
                None,
                Ok("initialize 2025-11-25 false"),
            ),
            (request("initialize", "{}"), None, Err((-32602, 200))),
            (request("tools/list", modern), Some("2026-07-28"), Ok("modern 2026-07-28")),
            (request("initialize", modern), Some("2026-07-28"), Ok("modern 2026-07-28")),
            (request("tools/list", modern), None, Ok("modern 2026-07-28")),
            (request("tools/list", &old_in_meta), None, Err((-32022, 400))),
            (request("tools/list", &unknown), None, Err((-32022, 400))),
            (request("tools/list", no_capabilities), None, Err((-32602, 400))),
            (request("tools/list", &array_capabilities), None, Err((-32602, 400))),
            (request("tools/list", &number_version), None, Err((-32602, 400))),
            (request("tools/list", "{}"), Some("2026-07-28"), Err((-32602, 400))),
            (request("tools/list", "{}"), Some("2025-06-18"), Ok("legacy 2025-06-18")),
            (request("tools/list", "{}"), Some("2025-03-26"), Err((-32022, 400))),
            (request("server/discover", "{}"), None, Err((-32602, 400))),
            (notification.to_owned(), Some("2026-07-28"), Ok("bare 2026-07-28")),
        ];
        for (text, header, expected) in rows {
            assert_eq!(read(&text, header), expected.map(str::to_owned), "{text} {header:?}");
        }
        assert_eq!(read(&request("tools/list", "{}"), None), Ok("legacy -".to_owned()));
    }

    /// 2026-07-28, Elicitation: Capabilities.
    #[test]
    fn an_empty_elicitation_capability_means_forms_only() {
        let limits = Limits::default();
        for (text, path, expected) in [
            (r#"{"elicitation":{}}"#, ["elicitation", "form"], true),
            (r#"{"elicitation":{}}"#, ["elicitation", "url"], false),
            (r#"{"elicitation":{"url":{}}}"#, ["elicitation", "url"], true),
            (r#"{"elicitation":{"url":{}}}"#, ["elicitation", "form"], false),
            (r#"{"elicitation":true}"#, ["elicitation", "form"], false),
            (
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
                ["extensions", "io.modelcontextprotocol/tasks"],
                true,
            ),
        ] {
            let object = crate::strict::check(text.as_bytes(), &limits).unwrap().as_object().unwrap();
            assert_eq!(declares(&object, &path), expected, "{text}");
        }
    }
}
