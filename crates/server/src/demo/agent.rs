//! An agent's MCP client. Not ours: `rmcp`, over streamable HTTP and a real socket, as any agent would have it.

use provost_cli::{Failure, failure::chain};
use rmcp::{
    model::{CallToolRequestParams, CallToolResult, ProtocolVersion},
    service::{ClientLifecycleMode, RoleClient, RunningService, ServiceError, serve_client_with_lifecycle},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// An agent that is connected.
pub(crate) struct Agent {
    client: RunningService<RoleClient, ()>,
}

/// Which of the two ways to open a conversation the client speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Speaks {
    /// 2025-11-25: `initialize` and a session.
    Legacy,
    /// 2026-07-28: every request stands alone.
    Modern,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The answer itself.
    pub said: Said,
    /// How long it took.
    pub took: Duration,
}

/// What an agent was answered.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// The system did it; its structured result.
    Done(Value),
    /// The plane refused or held it.
    Verdict(Told),
    /// The system itself refused.
    ToolError(String),
    /// The plane does not take the client at all: its token is no good (any more).
    TurnedAway(String),
}

/// A refusal, as its structured form says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// `hold` or `deny`.
    pub verdict: String,
    /// The decision.
    pub decision: String,
    /// Policy and reason.
    pub reasons: Vec<(String, String)>,
    /// What would make it possible.
    pub possible_if: Vec<String>,
    /// The stable id of the approval that is wanted.
    pub approval: Option<String>,
}

impl Agent {
    /// Connects to an MCP server with a token.
    ///
    /// # Errors
    /// When the server does not take the client, with what it said.
    pub(crate) async fn connect(url: &str, token: &str, speaks: Speaks) -> Result<Self, String> {
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
        let transport = StreamableHttpClientTransport::from_config(config);
        let lifecycle = match speaks {
            Speaks::Legacy => ClientLifecycleMode::Initialize,
            Speaks::Modern => {
                ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
            }
        };
        let opened =
            tokio::time::timeout(ANSWER_MAX, serve_client_with_lifecycle((), transport, lifecycle)).await;
        match opened {
            Ok(Ok(client)) => Ok(Self { client }),
            Ok(Err(error)) => Err(in_words(&error)),
            Err(_elapsed) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        }
    }

    /// The revision of MCP the two agreed on.
    pub(crate) fn revision(&self) -> String {
        self.client.peer_info().map(|info| info.protocol_version.to_string()).unwrap_or_default()
    }

    /// The names of the tools this agent sees.
    ///
    /// # Errors
    /// When the list cannot be had.
    pub(crate) async fn tools(&self) -> Result<Vec<String>, Failure> {
        let listed = tokio::time::timeout(ANSWER_MAX, self.client.list_all_tools()).await;
        let listed =
            listed.map_err(|elapsed| Failure::new("the list of tools did not come").because(elapsed))?;
        let tools =
            listed.map_err(|error| Failure::new("the list of tools was refused").because(chain(&error)))?;
        let mut names: Vec<_> = tools.into_iter().map(|tool| tool.name.to_string()).collect();
        names.sort();
        Ok(names)
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &'static str, args: Map<String, Value>) -> Answer {
        let started = Instant::now();
        let request = CallToolRequestParams::new(tool).with_arguments(args);
        let answered = tokio::time::timeout(ANSWER_MAX, self.client.call_tool(request)).await;
        let said = match answered {
            Ok(Ok(result)) => said(result),
            Ok(Err(error)) => turned_away(&error),
            Err(_elapsed) => Said::TurnedAway(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        };
        Answer { said, took: started.elapsed() }
    }

    /// Says goodbye; a connection that is gone already is fine.
    pub(crate) async fn leave(self) {
        let _gone = tokio::time::timeout(GOODBYE_MAX, self.client.cancel()).await;
    }
}

fn said(result: CallToolResult) -> Said {
    let text = || {
        result
            .content
            .iter()
            .filter_map(|part| part.as_text())
            .map(|text| text.text.clone())
            .collect::<Vec<_>>()
            .join("\n")
    };
    if result.is_error != Some(true) {
        return Said::Done(result.structured_content.clone().unwrap_or_else(|| Value::String(text())));
    }
    let meta = serde_json::to_value(&result.meta).unwrap_or_default();
    match meta.get("dev.provost/decision") {
        Some(detail) => Said::Verdict(told(detail)),
        None => Said::ToolError(text()),
    }
}

fn told(detail: &Value) -> Told {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |name: &str| detail.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    Told {
        verdict: text(detail, "verdict"),
        decision: text(detail, "decision_id"),
        reasons: list("reasons")
            .iter()
            .map(|reason| (text(reason, "policy"), text(reason, "reason")))
            .collect(),
        possible_if: list("possible_if").iter().filter_map(|way| way.as_str().map(str::to_owned)).collect(),
        approval: detail.pointer("/requestable/approval_id").and_then(Value::as_str).map(str::to_owned),
    }
}

fn turned_away(error: &ServiceError) -> Said {
    Said::TurnedAway(match error {
        ServiceError::McpError(error) => error.message.to_string(),
        other => in_words(other),
    })
}

/// What a server said when it turned the client away. Clients keep it in the challenge (RFC 6750 section 3) and show
/// it in no message, so it is looked for in what the error holds.
fn in_words(error: &(impl std::error::Error + 'static)) -> String {
    let held = format!("{error:?}").replace("\\\"", "\"");
    match held.split_once("error_description=\"").and_then(|(_, rest)| rest.split_once('"')) {
        Some((description, _)) => format!("401: {description}"),
        None => chain(error),
    }
}

const ANSWER_MAX: Duration = Duration::from_secs(15);
const GOODBYE_MAX: Duration = Duration::from_secs(2);
