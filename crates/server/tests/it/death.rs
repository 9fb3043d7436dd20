//! Calls under way when the plane ends: in order, or without warning.

use crate::program::{Plane, acme};
use provost_bank::{Bank, Server};
use rmcp::{
    model::{CallToolRequestParams, CallToolResult, ProtocolVersion},
    service::{ClientLifecycleMode, RoleClient, RunningService, ServiceError, serve_client_with_lifecycle},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::json;
use std::{fs, path::Path, time::Duration};
use tokio::task::JoinHandle;

pub(crate) type Client = RunningService<RoleClient, ()>;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_ends_before_the_plane_does() {
    let bank = bank().await;
    let mut plane = governed(&bank);
    let call = long_call(&plane).await;
    wait_until_under_way(&bank).await;
    let stopped = tokio::task::spawn_blocking(move || plane.terminate());
    let answer = call.await.unwrap().unwrap();
    assert_ne!(answer.is_error, Some(true), "{answer:?}");
    assert_eq!(stopped.await.unwrap(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_cut_by_a_kill_is_unknown_after_the_restart_and_never_a_success() {
    let bank = bank().await;
    let mut plane = governed(&bank);
    let call = long_call(&plane).await;
    wait_until_under_way(&bank).await;
    plane.kill();
    call.abort();
    let folder = plane.keep_folder();
    let plane = Plane::start(&folder.path().join("data")).unwrap_or_else(|output| panic!("{output:?}"));
    let decisions = plane.json(&["decision", "list", "--agent", "bookkeeper"]);
    let found = &decisions["items"][0];
    assert_eq!((&found["tool"], &found["verdict"]), (&"bank/reconcile".into(), &"allow".into()));
    assert_eq!(found["outcome"], "unknown", "{decisions:#}");
    let why = plane.json(&["why", found["id"].as_str().unwrap()]);
    assert_eq!(why["same"], true, "{why:#}");
}

/// The bank, in the test's own process, so that it outlives the plane.
pub(crate) async fn bank() -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    provost_bank::serve(listener, Bank::open(None).unwrap(), Some("the key".to_owned())).await.unwrap()
}

/// A plane with Acme on it, and this bank behind it.
pub(crate) fn governed(bank: &Server) -> Plane {
    governed_with(bank, "")
}

/// The same, with more in its files from the beginning.
pub(crate) fn governed_with(bank: &Server, more: &str) -> Plane {
    let plane = Plane::fresh();
    let files = tempfile::tempdir().unwrap();
    copy(Path::new(&acme()), files.path(), &bank.url());
    fs::write(files.path().join("more.toml"), more).unwrap();
    plane.say(&["credential", "set", "bank"], "the key");
    plane.json(&["apply", files.path().to_str().unwrap(), "--yes"]);
    plane
}

fn copy(from: &Path, to: &Path, bank_url: &str) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to, bank_url);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            fs::write(to, text.replace("http://127.0.0.1:7080/mcp", bank_url)).unwrap();
        }
    }
}

/// A client of the bank in a new task of this agent.
pub(crate) async fn client(plane: &Plane, agent: &str) -> Client {
    let started = plane.json(&["task", "start", agent, "--purpose", "reconcile"]);
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp/bank", plane.url))
        .auth_header(started["token"].as_str().unwrap());
    let modern = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let transport = StreamableHttpClientTransport::from_config(config);
    serve_client_with_lifecycle((), transport, modern).await.unwrap()
}

/// A tool call of the bookkeeper that takes two seconds, under way in the background.
pub(crate) async fn long_call(plane: &Plane) -> JoinHandle<Result<CallToolResult, ServiceError>> {
    let client = client(plane, "bookkeeper").await;
    tokio::spawn(async move {
        let args = json!({"account": "operations", "steps": 20}).as_object().unwrap().clone();
        client.call_tool(CallToolRequestParams::new("reconcile").with_arguments(args)).await
    })
}

pub(crate) async fn wait_until_under_way(bank: &Server) {
    for _look in 0..500 {
        if bank.bank().calls("reconcile") > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the call did not reach the bank");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_listens_does_not_hold_the_plane_up() {
    let bank = bank().await;
    let mut plane = governed(&bank);
    let started = plane.json(&["task", "start", "bookkeeper", "--purpose", "listen"]);
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp/bank", plane.url))
        .auth_header(started["token"].as_str().unwrap());
    let transport = StreamableHttpClientTransport::from_config(config);
    let client: Client =
        serve_client_with_lifecycle((), transport, ClientLifecycleMode::Initialize).await.unwrap();
    assert_eq!(client.list_all_tools().await.unwrap().len(), 4);
    let asked = std::time::Instant::now();
    assert_eq!(tokio::task::spawn_blocking(move || plane.terminate()).await.unwrap(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    drop(client);
}
