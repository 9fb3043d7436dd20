//! Against servers of the official Rust SDK, in both eras, with and without sessions.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

mod common;

use bytes::Bytes;
use common::*;
use provost_connect::{UpstreamError, list_tools};
use provost_mcp::era::{META_CLIENT_CAPABILITIES, META_PROTOCOL_VERSION};
use provost_mcp::{Era, Revision};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Clone)]
struct Bank {
    revisions: &'static [ProtocolVersion],
    cancelled: Arc<AtomicUsize>,
}

impl ServerHandler for Bank {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("be careful")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.revisions)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object"}).as_object().unwrap().clone();
        let tool = |name: &'static str| Tool::new(name, "a tool", Arc::new(schema.clone()));
        Ok(ListToolsResult::with_all_items(vec![tool("count"), tool("wait")]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "wait" {
            context.ct.cancelled().await;
            self.cancelled.fetch_add(1, Ordering::SeqCst);
        } else if let Some(token) = context.meta.get_progress_token() {
            for step in 1..=3 {
                let progress = ProgressNotificationParam::new(token.clone(), f64::from(step));
                context.peer.notify_progress(progress).await.unwrap();
            }
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("counted")]).into())
    }
}

const ALL: &[ProtocolVersion] =
    &[ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];
const LEGACY: &[ProtocolVersion] = &[ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25];
const OLDEST: &[ProtocolVersion] = &[ProtocolVersion::V_2025_06_18];

async fn serve(
    revisions: &'static [ProtocolVersion],
    sessions: bool,
    json: bool,
) -> (String, Arc<AtomicUsize>) {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let bank = Bank { revisions, cancelled: Arc::clone(&cancelled) };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(sessions)
        .with_json_response(json)
        .with_sse_keep_alive(Some(Duration::from_millis(100)));
    let service: StreamableHttpService<Bank, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(bank.clone()), Arc::default(), config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = axum::Router::new().nest_service("/mcp", service);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, cancelled)
}

fn tool_call(id: i64, era: Era, name: &str) -> Bytes {
    let mut meta = json!({"progressToken": 7});
    if era == Era::Modern {
        meta[META_PROTOCOL_VERSION] = json!("2026-07-28");
        meta[META_CLIENT_CAPABILITIES] = json!({});
    }
    request(id, "tools/call", json!({"name": name, "arguments": {}, "_meta": meta}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_the_sdk_are_spoken_to_in_their_own_era() {
    let rows = [
        (ALL, true, false, Revision::V2026_07_28),
        (ALL, false, true, Revision::V2026_07_28),
        (LEGACY, true, false, Revision::V2025_11_25),
        (LEGACY, false, false, Revision::V2025_11_25),
        (LEGACY, false, true, Revision::V2025_11_25),
        (OLDEST, true, false, Revision::V2025_06_18),
    ];
    for (revisions, sessions, json, expected) in rows {
        let (url, cancelled) = serve(revisions, sessions, json).await;
        let pool = pool();
        let upstream = open(&pool, &url).await;
        let what = format!("{expected} sessions: {sessions} json: {json}");
        assert_eq!(upstream.handshake().revision, expected, "{what}");
        let opened: Value = serde_json::from_slice(upstream.handshake().result.as_ref().unwrap()).unwrap();
        assert_eq!(opened["instructions"], "be careful", "{what}");
        assert!(opened["capabilities"]["tools"].is_object(), "{what}");

        let (tools, unusable) = list_tools(&upstream).await.unwrap();
        assert_eq!((tools.len(), unusable.len()), (2, 0), "{what}");

        let era = upstream.handshake().era();
        let replies = upstream.request(tool_call(1000, era, "count"), vec![]).await.unwrap();
        let got: Vec<Value> = all(replies)
            .await
            .into_iter()
            .map(|reply| serde_json::from_slice(&reply.unwrap()).unwrap())
            .collect();
        assert_eq!(got.len(), 4, "{what}: {got:?}");
        assert!(got[..3].iter().all(|along| along["params"]["progressToken"] == 7), "{what}");
        assert_eq!(got[3]["result"]["content"][0]["text"], "counted", "{what}");

        if sessions || era == Era::Modern {
            let waiting = tokio::time::timeout(
                Duration::from_millis(150),
                ask(&upstream, tool_call(1002, era, "wait")),
            );
            match waiting.await {
                Err(_) | Ok(Err(UpstreamError::TimedOut { .. })) => {}
                Ok(other) => panic!("{what}: {other:?}"),
            }
            eventually(&format!("{what}: the server cancels"), || cancelled.load(Ordering::SeqCst) == 1)
                .await;
        }
        ask(&upstream, tool_call(1003, era, "count")).await.unwrap();
        pool.shutdown().await;
    }
}
