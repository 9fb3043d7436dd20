//! A modern client in front of a legacy server.

use serde_json::{Map, Value, json};

use super::{
    Asked, AskedMethod, Listening, NotAskable, is_cacheable, log_reaches, mediated_server_capabilities,
};
use crate::era::{Era, META_MODERN_REQUEST, META_SERVER_INFO, META_SUBSCRIPTION_ID, ModernMeta, Revision};
use crate::error::{
    INVALID_PARAMS, RESOURCE_NOT_FOUND_LEGACY, RpcError, URL_ELICITATION_REQUIRED_LEGACY, http_status,
};
use crate::handshake::Initialized;
use crate::limits::Limits;
use crate::message::{
    ErrorObject, Notification, Request, RequestId, write_notification, write_request, write_result,
};
use crate::raw::{Object, Raw};
use crate::rewrite::{Patch, RewriteError};

/// The `server/discover` result for a legacy server, from what it said when its session began.
pub fn discover_result(initialized: &Initialized, capabilities: &Object<'_>) -> Value {
    let mut result = json!({
        "resultType": "complete",
        "supportedVersions": Revision::NEWEST_FIRST.map(Revision::as_str),
        "capabilities": mediated_server_capabilities(capabilities),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { META_SERVER_INFO: initialized.server_info },
    });
    if let (Some(text), Value::Object(members)) = (&initialized.instructions, &mut result) {
        members.insert("instructions".to_owned(), Value::from(text.as_str()));
    }
    result
}

/// A modern request as a legacy server expects it: without the modern `_meta`, without what belongs to rounds
/// that the gateway holds open itself, and without the task request of 2025-11-25, which a modern client
/// cannot mean.
pub fn request(request: &Request<'_>, id: &RequestId) -> Result<String, RewriteError> {
    let mut patch = Patch::new().id(id);
    if request.params.is_some() {
        patch = patch
            .remove(&["params", "requestState"])
            .remove(&["params", "inputResponses"])
            .remove(&["params", "task"]);
    }
    if let Some(meta) = request.meta() {
        let only_modern = meta.members().iter().all(|m| META_MODERN_REQUEST.contains(&m.key.as_ref()));
        patch = match only_modern {
            true => patch.remove(&["params", "_meta"]),
            false => META_MODERN_REQUEST.iter().fold(patch, |patch, key| patch.remove_meta(key)),
        };
    }
    patch.apply(request.raw)
}

/// `logging/setLevel` to send before a request whose `_meta` names a level; the level holds for the whole
/// legacy session, so messages are filtered again by [`notification`].
pub fn set_level(id: &RequestId, level: &str) -> String {
    write_request(id, "logging/setLevel", &json!({ "level": level }))
}

/// A legacy result as a modern client expects it. A `resultType` that the server happens to send is
/// overwritten: to a legacy server it is no protocol member, to the client it would be one.
pub fn result(method: &str, result: &Object<'_>) -> Result<String, RewriteError> {
    let patch = Patch::new().set(&["resultType"], &json!("complete"));
    let patch = match is_cacheable(method) {
        true => patch.set(&["ttlMs"], &json!(0)).set(&["cacheScope"], &json!("private")),
        false => patch,
    };
    patch.apply(result.raw())
}

/// What a legacy error means to a modern client.
#[derive(Clone, Debug, PartialEq)]
pub enum LegacyError {
    /// Answer with this error.
    Error(RpcError),
    /// -32042: answer `input_required` with these; when the client comes back, send the original request
    /// again.
    Asks(Vec<Asked>),
}

/// Translates a legacy error. -32042 from a server whose client did not declare URL elicitation becomes
/// -32021.
pub fn error(error: &ErrorObject<'_>, meta: &ModernMeta<'_>, limits: &Limits) -> LegacyError {
    match error.code {
        RESOURCE_NOT_FOUND_LEGACY => {
            let translated = error.to_rpc(http_status(INVALID_PARAMS, Era::Modern));
            LegacyError::Error(RpcError { code: INVALID_PARAMS, ..translated })
        }
        URL_ELICITATION_REQUIRED_LEGACY if !meta.declares(AskedMethod::ElicitUrl.capability()) => {
            LegacyError::Error(RpcError::missing_capability(json!({ "elicitation": { "url": {} } })))
        }
        URL_ELICITATION_REQUIRED_LEGACY => match elicitations(error, limits) {
            Some(asked) => LegacyError::Asks(asked),
            None => {
                let why = "the server wants a page opened but does not say which";
                LegacyError::Error(RpcError::upstream(Era::Modern, why))
            }
        },
        // Codes that revision 2026-07-28 gave a meaning: a legacy server that uses them means something else.
        -32099..=-32020 => {
            let why = format!("the server refused with its own error {}: {}", error.code, error.message);
            LegacyError::Error(RpcError::upstream(Era::Modern, crate::strict::shortened(&why, 1_024)))
        }
        code => LegacyError::Error(error.to_rpc(http_status(code, Era::Modern))),
    }
}

fn elicitations(error: &ErrorObject<'_>, limits: &Limits) -> Option<Vec<Asked>> {
    let list = error.data?.as_object()?.get("elicitations")?.as_array()?;
    if list.is_empty() || list.len() > limits.input_requests_max {
        return None;
    }
    let ask = |(i, raw): (usize, &Raw<'_>)| {
        let params = raw.as_object()?;
        params.string("url")?;
        let patch = Patch::new().set(&["mode"], &json!("url")).remove(&["elicitationId"]);
        Some(Asked {
            key: format!("elicitation-{i}"),
            method: AskedMethod::ElicitUrl,
            params: patch.apply(*raw).ok()?,
        })
    };
    list.iter().enumerate().map(ask).collect()
}

/// Why a legacy server's request cannot reach a modern client. [`CannotAsk::answer`] goes back to the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotAsk {
    /// No revision allows it.
    #[error(transparent)]
    NotAskable(#[from] NotAskable),
    /// The client's request did not declare it.
    #[error("the client did not declare the capability `{0}`")]
    Undeclared(String),
}

impl CannotAsk {
    /// The response to the server.
    pub fn answer(&self, request: &Request<'_>) -> String {
        let error = match self {
            CannotAsk::NotAskable(_) => RpcError::method_not_found(&request.method, Era::Legacy),
            CannotAsk::Undeclared(_) => RpcError::invalid_params(Era::Legacy, self.to_string()),
        };
        error.write(Some(&request.id))
    }
}

/// A legacy server's request in the middle of a modern client's request, as something to ask the client.
pub fn asked(request: &Request<'_>, meta: &ModernMeta<'_>, key: &str) -> Result<Asked, CannotAsk> {
    let method = AskedMethod::read(&request.method, request.params.as_ref())?;
    if !meta.declares(method.capability()) {
        return Err(CannotAsk::Undeclared(method.capability().join(".")));
    }
    let patch = Patch::new().remove(&["elicitationId"]).remove(&["task"]).remove(&["_meta"]);
    let params = request.params.as_ref().and_then(|params| patch.apply(params.raw()).ok());
    Ok(Asked { key: key.to_owned(), method, params: params.unwrap_or_else(|| "{}".to_owned()) })
}

/// The `input_required` result that puts questions to a modern client. `request_state` names what the gateway
/// holds open and must be sealed and bound by the caller (2026-07-28, Multi Round-Trip Requests: Server
/// Requirements 4 and 5).
pub fn input_required(asked: &[Asked], request_state: &str) -> String {
    let requests: Vec<String> = asked
        .iter()
        .map(|a| {
            format!(
                r#"{}:{{"method":"{}","params":{}}}"#,
                Value::from(a.key.as_str()),
                a.method.name(),
                a.params
            )
        })
        .collect();
    format!(
        r#"{{"resultType":"input_required","inputRequests":{{{}}},"requestState":{}}}"#,
        requests.join(","),
        Value::from(request_state)
    )
}

/// What to do with a modern client's `inputResponses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Responses to send to the legacy server, in the order its requests came.
    pub responses: Vec<String>,
    /// Keys that the client did not answer; ask again for these (Error Handling).
    pub missing: Vec<String>,
}

/// Turns a client's answers into responses to the server's open requests, given as key and the server's
/// request id. Answers to keys that were not asked are ignored, as the standard says.
pub fn answers(input_responses: Option<&Object<'_>>, open: &[(String, RequestId)]) -> Answers {
    let mut answers = Answers { responses: Vec::new(), missing: Vec::new() };
    for (key, id) in open {
        match input_responses.and_then(|responses| responses.object(key)) {
            Some(response) => answers.responses.push(crate::message::write_raw_result(id, response.raw())),
            None => answers.missing.push(key.clone()),
        }
    }
    answers
}

/// A legacy server's notification on the stream of a modern request; `None`: it is not for this client.
/// Without a log level no log message may be sent (2026-07-28, `RequestMetaObject`).
pub fn notification(notification: &Notification<'_>, log_level: Option<&str>) -> Option<String> {
    let passes = match notification.method.as_ref() {
        "notifications/progress" => true,
        "notifications/message" => {
            let level = notification.params.as_ref().and_then(|params| params.string("level"));
            matches!((level, log_level), (Some(level), Some(wanted)) if log_reaches(&level, wanted))
        }
        _ => false,
    };
    passes.then(|| notification.raw.as_str().to_owned())
}

/// What has to be sent to a legacy server so that it sends what a modern client listens for: one
/// `resources/subscribe` for each URI. List changes come by themselves.
pub fn subscribe(ids: impl IntoIterator<Item = RequestId>, listening: &Listening) -> Vec<String> {
    let requests = ids.into_iter().zip(&listening.uris);
    requests.map(|(id, uri)| write_request(&id, "resources/subscribe", &json!({ "uri": uri }))).collect()
}

/// The first message of a listen stream: what will be delivered (2026-07-28, Subscriptions: Acknowledgment).
pub fn acknowledged(listen_id: &RequestId, honoured: &Listening) -> String {
    let params = json!({
        "_meta": { META_SUBSCRIPTION_ID: id_value(listen_id) },
        "notifications": honoured.to_value(),
    });
    write_notification("notifications/subscriptions/acknowledged", &params)
}

/// A notification for a listen stream, with the stream's id; `None` if it was not asked for.
pub fn on_listen_stream(
    notification: &Notification<'_>,
    listen_id: &RequestId,
    honoured: &Listening,
) -> Option<String> {
    if !honoured.wants(&notification.method, notification.params.as_ref()) {
        return None;
    }
    Patch::new().meta(META_SUBSCRIPTION_ID, &id_value(listen_id)).apply(notification.raw).ok()
}

/// The response that ends a listen stream gracefully.
pub fn listen_ended(listen_id: &RequestId) -> String {
    let mut meta = Map::new();
    meta.insert(META_SUBSCRIPTION_ID.to_owned(), id_value(listen_id));
    write_result(listen_id, &json!({ "resultType": "complete", "_meta": meta }))
}

fn id_value(id: &RequestId) -> Value {
    match id {
        RequestId::Integer(id) => Value::from(*id),
        RequestId::String(id) => Value::from(id.as_str()),
    }
}
