//! One era on the client's side, the other on the server's: pure functions on messages.
//!
//! | | modern client, legacy server ([`to_legacy`]) | legacy client, modern server ([`to_modern`]) |
//! |---|---|---|
//! | opening | discover result made from the initialize result | initialize result made from the discover result |
//! | request | modern `_meta`, `requestState` and `inputResponses` removed | `_meta` added from the client's initialize |
//! | result | `resultType` added; lists get `ttlMs`, `cacheScope` | `resultType`, and of lists `ttlMs`, `cacheScope`, removed |
//! | the server asks | its request becomes an `input_required` result | `input_required` becomes requests, then a retry |
//! | listening | a plan of subscriptions; notifications get the subscription id | a plan of one listen request |
//! | log level | `logging/setLevel` before the request; messages below the level are dropped | the level goes into `_meta` |
//! | resource not found | -32002 becomes -32602 | -32602 with a `uri` becomes -32002 |

use serde_json::{Map, Value, json};

use crate::era::LOG_LEVELS;
use crate::raw::Object;

pub mod to_legacy;
pub mod to_modern;

/// A request that a server puts to the client in the middle of another request: `elicitation/create`,
/// `sampling/createMessage` or `roots/list`. Nothing else may be asked (2026-07-28, Multi Round-Trip
/// Requests).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The key under which the answer is expected; assigned by the server (modern) or by the gateway
    /// (legacy).
    pub key: String,
    /// The method.
    pub method: AskedMethod,
    /// The params as JSON; `{}` when there are none.
    pub params: String,
}

/// What a server may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedMethod {
    /// `elicitation/create` with a form.
    ElicitForm,
    /// `elicitation/create` with a URL to open.
    ElicitUrl,
    /// `sampling/createMessage`
    Sampling,
    /// `roots/list`
    Roots,
}

impl AskedMethod {
    /// Reads a method with its params.
    ///
    /// Errors: why it may not be asked.
    pub fn read(method: &str, params: Option<&Object<'_>>) -> Result<AskedMethod, NotAskable> {
        match method {
            "elicitation/create" => {
                let mode = params.and_then(|params| params.get("mode"));
                match mode.map(|mode| mode.as_string()) {
                    None => Ok(AskedMethod::ElicitForm),
                    Some(Some(mode)) if mode == "form" => Ok(AskedMethod::ElicitForm),
                    Some(Some(mode)) if mode == "url" => Ok(AskedMethod::ElicitUrl),
                    Some(_) => {
                        Err(NotAskable { method: "elicitation/create with an unknown mode".to_owned() })
                    }
                }
            }
            "sampling/createMessage" => Ok(AskedMethod::Sampling),
            "roots/list" => Ok(AskedMethod::Roots),
            other => Err(NotAskable { method: crate::strict::shortened(other, 64) }),
        }
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            AskedMethod::ElicitForm | AskedMethod::ElicitUrl => "elicitation/create",
            AskedMethod::Sampling => "sampling/createMessage",
            AskedMethod::Roots => "roots/list",
        }
    }

    /// The client capability it needs, as a path for [`crate::era::declares`].
    pub fn capability(self) -> &'static [&'static str] {
        match self {
            AskedMethod::ElicitForm => &["elicitation", "form"],
            AskedMethod::ElicitUrl => &["elicitation", "url"],
            AskedMethod::Sampling => &["sampling"],
            AskedMethod::Roots => &["roots"],
        }
    }
}

/// A server asked its client for something that no revision allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server may not ask its client for `{method}`")]
pub struct NotAskable {
    /// What it asked for.
    pub method: String,
}

/// The client capabilities that the gateway mediates, in either direction. The others are not announced
/// upstream: a server must not rely on what nobody would carry.
pub fn mediated_client_capabilities(capabilities: &Object<'_>) -> Value {
    keep(capabilities, &["elicitation", "sampling", "roots"])
}

/// The server capabilities that the gateway mediates. Extensions and experiments are left out: their methods
/// would be refused as unknown, and legacy tasks exist in no other revision.
pub fn mediated_server_capabilities(capabilities: &Object<'_>) -> Value {
    keep(capabilities, &["tools", "prompts", "resources", "completions", "logging"])
}

fn keep(capabilities: &Object<'_>, names: &[&str]) -> Value {
    let kept: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some((name.to_string(), capabilities.object(name)?.raw().to_value().ok()?)))
        .collect();
    Value::Object(kept)
}

/// Whether a log message of level `message` may go to a client that asked for `wanted` or worse.
pub fn log_reaches(message: &str, wanted: &str) -> bool {
    let rank = |level: &str| LOG_LEVELS.iter().position(|l| *l == level);
    matches!((rank(message), rank(wanted)), (Some(message), Some(wanted)) if message >= wanted)
}

/// The methods whose results modern clients may cache, so that they must say how long (2026-07-28,
/// `CacheableResult`).
pub fn is_cacheable(method: &str) -> bool {
    crate::tools::ListKind::of_method(method).is_some()
        || matches!(method, "resources/read" | "server/discover")
}

/// What a listen filter asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// `notifications/tools/list_changed`
    pub tools: bool,
    /// `notifications/prompts/list_changed`
    pub prompts: bool,
    /// `notifications/resources/list_changed`
    pub resources: bool,
    /// `notifications/resources/updated` for these
    pub uris: Vec<String>,
}

impl Listening {
    /// Reads the `notifications` filter of a `subscriptions/listen`. Members of another shape are read as not
    /// asked for.
    pub fn read(filter: &Object<'_>) -> Listening {
        let on = |key: &str| filter.get(key).and_then(|v| v.as_bool()).unwrap_or(false);
        let uris = filter.get("resourceSubscriptions").and_then(|list| list.as_array()).unwrap_or_default();
        Listening {
            tools: on("toolsListChanged"),
            prompts: on("promptsListChanged"),
            resources: on("resourcesListChanged"),
            uris: uris.iter().filter_map(|uri| uri.as_string()).map(|uri| uri.into_owned()).collect(),
        }
    }

    /// As a filter; what is not asked for is left out.
    pub fn to_value(&self) -> Value {
        let mut filter = Map::new();
        let switches = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        filter
            .extend(switches.into_iter().filter(|(_, on)| *on).map(|(key, _)| (key.to_owned(), json!(true))));
        if !self.uris.is_empty() {
            filter.insert("resourceSubscriptions".to_owned(), json!(self.uris));
        }
        Value::Object(filter)
    }

    /// What of it a server with these capabilities can honour.
    pub fn honoured_by(&self, capabilities: &Object<'_>) -> Listening {
        let can = |area: &str, what: &str| {
            capabilities.object(area).and_then(|a| a.get(what)).and_then(|v| v.as_bool()).unwrap_or(false)
        };
        Listening {
            tools: self.tools && can("tools", "listChanged"),
            prompts: self.prompts && can("prompts", "listChanged"),
            resources: self.resources && can("resources", "listChanged"),
            uris: if can("resources", "subscribe") { self.uris.clone() } else { Vec::new() },
        }
    }

    /// Whether a notification was asked for.
    pub fn wants(&self, method: &str, params: Option<&Object<'_>>) -> bool {
        match method {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => {
                let uri = params.and_then(|params| params.string("uri"));
                uri.is_some_and(|uri| self.uris.iter().any(|asked| *asked == uri))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
