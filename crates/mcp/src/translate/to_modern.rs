//! A legacy client in front of a modern server.

use serde_json::{Map, Value, json};

use super::{
    Asked, AskedMethod, Listening, NotAskable, is_cacheable, mediated_client_capabilities,
    mediated_server_capabilities,
};
use crate::era::{
    Era, LOG_LEVELS, META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_PROTOCOL_VERSION,
    META_SERVER_INFO, META_SUBSCRIPTION_ID, Revision, declares,
};
use crate::error::{INVALID_PARAMS, RESOURCE_NOT_FOUND_LEGACY, RpcError, http_status};
use crate::limits::Limits;
use crate::message::{ErrorObject, Notification, Outcome, Request, RequestId, Response, write_request};
use crate::raw::{Object, Raw};
use crate::rewrite::{Patch, RewriteError};

/// What a legacy client said in `initialize`, kept for the life of its session.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyClient {
    /// The revision of its session.
    pub revision: Revision,
    /// Its capabilities that the gateway mediates.
    pub capabilities: Value,
    /// Its name for itself.
    pub client_info: Value,
    /// What `logging/setLevel` set.
    pub log_level: Option<String>,
}

impl LegacyClient {
    /// Reads the params of `initialize`. `revision` is the one negotiated ([`crate::era::spoken`]).
    pub fn read(params: &Object<'_>, revision: Revision) -> LegacyClient {
        let value =
            |key: &str| params.object(key).and_then(|o| o.raw().to_value().ok()).unwrap_or_else(|| json!({}));
        LegacyClient {
            revision,
            capabilities: params
                .object("capabilities")
                .map_or_else(|| json!({}), |capabilities| mediated_client_capabilities(&capabilities)),
            client_info: value("clientInfo"),
            log_level: None,
        }
    }

    /// The `_meta` members of every request made for it.
    pub fn meta(&self) -> Vec<(&'static str, Value)> {
        let mut meta = vec![
            (META_PROTOCOL_VERSION, Value::from(Revision::NEWEST_MODERN.as_str())),
            (META_CLIENT_CAPABILITIES, self.capabilities.clone()),
        ];
        let named =
            ["name", "version"].iter().all(|key| self.client_info.get(key).is_some_and(Value::is_string));
        if named {
            meta.push((META_CLIENT_INFO, self.client_info.clone()));
        }
        meta.extend(self.log_level.as_ref().map(|level| (META_LOG_LEVEL, Value::from(level.as_str()))));
        meta
    }

    fn declares(&self, path: &[&str]) -> bool {
        let text = self.capabilities.to_string();
        Raw::trusted(&text).as_object().is_some_and(|capabilities| declares(&capabilities, path))
    }
}

/// The `initialize` result for a modern server, from its discover result.
pub fn initialize_result(revision: Revision, discovered: &Object<'_>) -> Value {
    let capabilities = discovered.object("capabilities");
    let info = discovered.object("_meta").and_then(|meta| meta.object(META_SERVER_INFO));
    let info = info.or_else(|| discovered.object("serverInfo")).and_then(|info| info.raw().to_value().ok());
    let mut result = json!({
        "protocolVersion": revision.as_str(),
        "capabilities": capabilities.map_or_else(|| json!({}), |c| mediated_server_capabilities(&c)),
        // The legacy schema requires both members.
        "serverInfo": info.unwrap_or_else(|| json!({ "name": "unnamed", "version": "0" })),
    });
    if let (Some(text), Value::Object(members)) = (discovered.string("instructions"), &mut result) {
        members.insert("instructions".to_owned(), Value::from(text.as_ref()));
    }
    result
}

/// What becomes of a legacy client's request when the server is modern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyRequest {
    /// It goes upstream through [`request`].
    Forward,
    /// It is answered with an empty result: `ping`.
    Empty,
    /// The session's log level changes to this, then it is answered with an empty result.
    SetLogLevel(String),
    /// The URI joins what the session's listen request asks for; answered with an empty result.
    Subscribe(String),
    /// The URI leaves it; answered with an empty result.
    Unsubscribe(String),
}

/// Says what becomes of a request.
///
/// Errors: -32602 for a misshapen `logging/setLevel` or `resources/subscribe`; -32601 for legacy tasks, which
/// the modern extension does not continue.
pub fn plan(request: &Request<'_>) -> Result<LegacyRequest, RpcError> {
    let text = |key: &str| {
        request
            .params
            .as_ref()
            .and_then(|params| params.string(key))
            .map(|text| text.into_owned())
            .ok_or_else(|| {
                RpcError::invalid_params(
                    Era::Legacy,
                    format!("`{}` needs the string `{key}`", request.method),
                )
            })
    };
    match request.method.as_ref() {
        "ping" => Ok(LegacyRequest::Empty),
        "logging/setLevel" => {
            let level = text("level")?;
            if LOG_LEVELS.contains(&level.as_str()) {
                return Ok(LegacyRequest::SetLogLevel(level));
            }
            Err(RpcError::invalid_params(
                Era::Legacy,
                format!("`level` must be one of {}", LOG_LEVELS.join(", ")),
            ))
        }
        "resources/subscribe" => text("uri").map(LegacyRequest::Subscribe),
        "resources/unsubscribe" => text("uri").map(LegacyRequest::Unsubscribe),
        method if method.starts_with("tasks/") => Err(RpcError::method_not_found(method, Era::Legacy)),
        _ => Ok(LegacyRequest::Forward),
    }
}

/// A legacy request as a modern server expects it: with `_meta`, without the task request of 2025-11-25.
/// Members of `_meta` that the client sent itself under the protocol's keys are overwritten.
pub fn request(request: &Request<'_>, id: &RequestId, client: &LegacyClient) -> Result<String, RewriteError> {
    with_meta(Patch::new().id(id), client).remove(&["params", "task"]).apply(request.raw)
}

fn with_meta(patch: Patch, client: &LegacyClient) -> Patch {
    client.meta().iter().fold(patch, |patch, (key, value)| patch.meta(key, value))
}

/// What a modern result means to a legacy client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModernOutcome {
    /// Answer with this result.
    Complete(String),
    /// Ask the client first, then send a [`retry`].
    InputRequired(InputRequired),
}

/// An `input_required` result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRequired {
    /// What to ask, in the server's order; may be empty, then retry at once.
    pub asked: Vec<Asked>,
    /// What to echo.
    pub request_state: Option<String>,
}

/// Translates a modern result.
///
/// Errors: an upstream error for a result type that was not asked for, a method that may not need input, too
/// many or misshapen questions, and questions that this client did not declare.
pub fn result(
    method: &str,
    result: &Object<'_>,
    client: &LegacyClient,
    limits: &Limits,
) -> Result<ModernOutcome, RpcError> {
    let kind = match result.get("resultType") {
        None => "complete".into(),
        Some(raw) => raw.as_string().ok_or_else(|| upstream("its result type is not a string"))?,
    };
    match kind.as_ref() {
        "complete" => {
            let patch = Patch::new().remove(&["resultType"]);
            let patch =
                if is_cacheable(method) { patch.remove(&["ttlMs"]).remove(&["cacheScope"]) } else { patch };
            let text = patch.apply(result.raw()).map_err(|e| upstream(&e.to_string()))?;
            Ok(ModernOutcome::Complete(text))
        }
        "input_required" if matches!(method, "tools/call" | "prompts/get" | "resources/read") => {
            read_input_required(result, client, limits).map(ModernOutcome::InputRequired)
        }
        _ => Err(upstream("it answered with a result type that was not asked for")),
    }
}

fn upstream(why: &str) -> RpcError {
    RpcError::upstream(Era::Legacy, format!("the server's answer cannot be used: {why}"))
}

fn read_input_required(
    result: &Object<'_>,
    client: &LegacyClient,
    limits: &Limits,
) -> Result<InputRequired, RpcError> {
    let request_state = match result.get("requestState") {
        None => None,
        Some(raw) => {
            let state = raw.as_string().filter(|state| state.len() <= limits.request_state_bytes_max);
            Some(state.ok_or_else(|| upstream("its request state is not a string or too long"))?.into_owned())
        }
    };
    let requests = match result.get("inputRequests") {
        None => None,
        Some(raw) => Some(raw.as_object().ok_or_else(|| upstream("its input requests are not an object"))?),
    };
    if request_state.is_none() && requests.is_none() {
        return Err(upstream("it asks for input but for none in particular"));
    }
    let members = requests.as_ref().map(|requests| requests.members()).unwrap_or_default();
    if members.len() > limits.input_requests_max {
        return Err(upstream(&format!("it asks for more than {} inputs at once", limits.input_requests_max)));
    }
    let asked = members.iter().map(|m| read_asked(&m.key, m.value, client)).collect::<Result<_, _>>()?;
    Ok(InputRequired { asked, request_state })
}

fn read_asked(key: &str, raw: Raw<'_>, client: &LegacyClient) -> Result<Asked, RpcError> {
    let misshapen = || upstream("one of its input requests is not a request");
    let request = raw.as_object().ok_or_else(misshapen)?;
    let method = request.string("method").ok_or_else(misshapen)?;
    let params = request.object("params");
    let method =
        AskedMethod::read(&method, params.as_ref()).map_err(|e: NotAskable| upstream(&e.to_string()))?;
    if !client.declares(method.capability())
        || (method == AskedMethod::ElicitUrl && client.revision < Revision::V2025_11_25)
    {
        return Err(upstream(&format!(
            "it asks for `{}`, which this client did not declare",
            method.capability().join(".")
        )));
    }
    let params = params.map_or_else(|| "{}".to_owned(), |params| params.raw().as_str().to_owned());
    Ok(Asked { key: key.to_owned(), method, params })
}

/// One question as a request to the legacy client. `elicitation_id` is put into a URL elicitation, which
/// 2025-11-25 requires.
pub fn ask(
    id: &RequestId,
    asked: &Asked,
    elicitation_id: &str,
    client: &LegacyClient,
) -> Result<String, RewriteError> {
    let patch = match asked.method {
        AskedMethod::ElicitUrl => Patch::new().set(&["elicitationId"], &Value::from(elicitation_id)),
        // 2025-06-18 knows forms only and has no `mode`.
        AskedMethod::ElicitForm if client.revision < Revision::V2025_11_25 => Patch::new().remove(&["mode"]),
        AskedMethod::ElicitForm | AskedMethod::Sampling | AskedMethod::Roots => Patch::new(),
    };
    let params = patch.apply(Raw::trusted(&asked.params))?;
    let method = Value::from(asked.method.name());
    Ok(format!(r#"{{"jsonrpc":"2.0","id":{},"method":{method},"params":{params}}}"#, id.to_json()))
}

/// The client's answer to one question, as a member of `inputResponses`. A client that answers an elicitation
/// with an error has not given its user a choice: that is a cancel.
///
/// Errors: any other error of the client ends the call.
pub fn answer(asked: &Asked, response: &Response<'_>) -> Result<String, RpcError> {
    match (&response.outcome, asked.method) {
        (Outcome::Result(result), _) => Ok(result.raw().as_str().to_owned()),
        (Outcome::Error(_), AskedMethod::ElicitForm | AskedMethod::ElicitUrl) => {
            Ok(json!({ "action": "cancel" }).to_string())
        }
        (Outcome::Error(error), AskedMethod::Sampling | AskedMethod::Roots) => Err(error.to_rpc(200)),
    }
}

/// The original request again, with the answers and the echoed state, under a new id (2026-07-28, Multi
/// Round-Trip Requests: Client Requirements).
pub fn retry(
    original: &Request<'_>,
    id: &RequestId,
    client: &LegacyClient,
    answers: &[(String, String)],
    request_state: Option<&str>,
) -> Result<String, RewriteError> {
    let mut patch = with_meta(Patch::new().id(id), client).remove(&["params", "task"]);
    if !answers.is_empty() {
        let responses: Vec<String> =
            answers.iter().map(|(key, json)| format!("{}:{json}", Value::from(key.as_str()))).collect();
        let object = format!("{{{}}}", responses.join(","));
        patch = patch.set_raw(&["params", "inputResponses"], Raw::trusted(&object));
    }
    patch = match request_state {
        Some(state) => patch.set(&["params", "requestState"], &Value::from(state)),
        None => patch.remove(&["params", "requestState"]),
    };
    patch.apply(original.raw)
}

/// A modern error as a legacy client expects it.
pub fn error(method: &str, error: &ErrorObject<'_>) -> RpcError {
    let data = error.data.and_then(|data| data.as_object());
    let not_found = method == "resources/read"
        && error.code == INVALID_PARAMS
        && data.is_some_and(|data| data.get("uri").is_some());
    match error.code {
        _ if not_found => RpcError { code: RESOURCE_NOT_FOUND_LEGACY, ..error.to_rpc(200) },
        // These speak of headers and `_meta` that the gateway wrote, not the client.
        -32099..=-32020 => upstream(&error.message),
        code => error.to_rpc(http_status(code, Era::Legacy)),
    }
}

/// The listen request that gets a legacy session what it expects: list changes, and the resources it
/// subscribed to.
pub fn listen(id: &RequestId, listening: &Listening, client: &LegacyClient) -> String {
    let meta: Map<String, Value> =
        client.meta().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    write_request(
        id,
        "subscriptions/listen",
        &json!({ "_meta": meta, "notifications": listening.to_value() }),
    )
}

/// A modern server's notification for a legacy client; `None`: there is no such thing there.
pub fn notification(notification: &Notification<'_>) -> Option<String> {
    let known = matches!(
        notification.method.as_ref(),
        "notifications/progress"
            | "notifications/message"
            | "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated"
    );
    if !known {
        return None;
    }
    let has_id = notification.params.as_ref().and_then(|params| params.object("_meta")).is_some();
    let patch = if has_id { Patch::new().remove_meta(META_SUBSCRIPTION_ID) } else { Patch::new() };
    patch.apply(notification.raw).ok()
}
