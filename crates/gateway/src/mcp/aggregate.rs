//! All systems at one address: `/mcp` shows the tools of every system that the charter reaches as `system.tool`, and
//! sends a call on to its system. Prompts, resources and events are at each system's own address.

use super::{
    answer,
    exchange::{Client, rewrite},
    front::{Front, Inbound},
    open::Opened,
};
use crate::refusal::Refusal;
use provost_domain::{System, system::Connection};
use provost_mcp::{
    Message, Patch, Request, Revision, RpcError,
    message::{write_raw_result, write_result},
    methods::Treatment,
    tools::{Keep, ListKind, join, split, write_tools},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One request at the address of all systems.
pub(super) async fn open(
    front: &Arc<Front>,
    inbound: &Inbound<'_>,
    request: &Request<'_>,
    treatment: Treatment,
    client: Client,
) -> Result<Opened, Refusal> {
    match request.method.as_ref() {
        "tools/list" => {
            let result = list(front, inbound, request, &client).await?;
            let body = write_raw_result(&request.id, provost_mcp::Raw::trusted(&result));
            Ok(Opened::Answered(answer::json(200, body)))
        }
        "tools/call" => call(front, inbound, request, treatment, client).await,
        "logging/setLevel" => Ok(Opened::Answered(answer::json(200, write_result(&request.id, &json!({}))))),
        other => Err(RpcError::method_not_found(other, inbound.revision.era()).into()),
    }
}

/// Every tool that would not be denied, of every system that answers. A system that does not answer is left out and
/// named in the log: one that is down must not hide the others.
async fn list(
    front: &Arc<Front>,
    inbound: &Inbound<'_>,
    request: &Request<'_>,
    client: &Client,
) -> Result<String, Refusal> {
    let profile = front.profile(request, client);
    let mut shown = Vec::new();
    for name in inbound.caller.agent.charter.systems() {
        let Some(system) = inbound.view.directory.systems.get(name) else { continue };
        if matches!(system.connection, Connection::HttpApi { .. }) {
            continue; // it is reached at /proxy
        }
        match tools_of(front, inbound, system, &profile).await {
            Ok(tools) => shown.extend(tools),
            Err(error) => tracing::warn!(system = %name, %error, "a system is left out of a listing"),
        }
    }
    Ok(write_tools(shown.iter().map(String::as_str), inbound.revision))
}

async fn tools_of(
    front: &Arc<Front>,
    inbound: &Inbound<'_>,
    system: &Arc<System>,
    profile: &provost_connect::ClientProfile,
) -> Result<Vec<String>, Refusal> {
    let upstream = front.connections.open(system, &inbound.caller, profile).await?;
    let listed = provost_connect::list_tools(&upstream).await;
    let (listed, _unusable) = listed.map_err(|error| Refusal::Upstream(error.to_string()))?;
    let listing = front.listing(inbound, system, ListKind::Tools).await?;
    let mut shown = Vec::new();
    for tool in listed.iter().filter(|tool| listing.shows_tool(tool) != Keep::No) {
        let Ok(name) = join(system.name.as_str(), &tool.name, front.limits().tool_name_chars_max) else {
            continue; // too long beside the system's name; it can be called at the system's own address
        };
        let raw = provost_mcp::Raw::trusted(&tool.raw);
        shown.push(Patch::new().set(&["name"], &Value::from(name)).apply(raw).map_err(rewrite)?);
    }
    front.connections.saw(&system.name, listed);
    Ok(shown)
}

async fn call(
    front: &Arc<Front>,
    inbound: &Inbound<'_>,
    request: &Request<'_>,
    treatment: Treatment,
    client: Client,
) -> Result<Opened, Refusal> {
    let era = inbound.revision.era();
    let name = request.params.as_ref().and_then(|params| params.string("name")).unwrap_or_default();
    let unknown = || {
        RpcError::invalid_params(
            era,
            format!("there is no tool `{name}`: tools are named `system.tool` here"),
        )
    };
    let (system, tool) = split(&name).ok_or_else(unknown)?;
    let system = inbound.view.directory.systems.get(system);
    let system = system.filter(|system| inbound.caller.agent.charter.systems().contains(&system.name));
    let system = Arc::clone(system.ok_or_else(unknown)?);
    let body: bytes::Bytes = Patch::new().name(tool).apply(request.raw).map_err(rewrite)?.into();
    let inner = Inbound {
        view: Arc::clone(&inbound.view),
        caller: inbound.caller.clone(),
        system: Some(system),
        headers: inbound.headers,
        body: body.clone(),
        revision: inbound.revision,
        can: inbound.can.clone(),
        uses: inbound.uses.clone(),
    };
    match Message::parse(&body, front.limits()) {
        Ok(Message::Request(renamed)) => {
            Box::pin(front.open_exchange(&inner, &renamed, treatment, client)).await
        }
        _ => Err(Refusal::internal("a renamed request cannot be read")),
    }
}

/// What the address of all systems says of itself to a legacy client.
pub(super) fn initialize_result(revision: Revision) -> Value {
    bare_initialize_result(revision)
}

/// The least that an initialize result says.
pub(super) fn bare_initialize_result(revision: Revision) -> Value {
    json!({
        "protocolVersion": revision.as_str(),
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "provost", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// What the address of all systems says of itself to a modern client.
pub(super) fn discover_result() -> Value {
    let versions: Vec<&str> = Revision::NEWEST_FIRST.iter().map(|revision| revision.as_str()).collect();
    json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": {"tools": {}, "extensions": {super::tasks::EXTENSION: {}}},
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "provost", "version": env!("CARGO_PKG_VERSION")}},
    })
}
