//! The plane is not there, goes away, grows old, or says stop: nothing passes, and the client is told why.

use crate::{
    client::{Mcp, text},
    plane::{Behind, Plane},
};
use provost_cli::{Client, Exit};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_plane_every_request_is_refused_and_the_server_is_not_even_started() {
    let plane = Plane::start(Behind::Child).await;
    plane.kill();
    let mut client = Mcp::start(plane.settings(Behind::Child));
    let opened = client.initialize().await;
    assert!(
        text(&opened).contains("no plane answers") && text(&opened).contains("provost serve"),
        "{opened}"
    );
    for (method, params) in
        [("ping", json!({})), ("tools/list", json!({})), ("tools/call", json!({"name": "echo"}))]
    {
        let refused = client.ask(method, params).await;
        assert!(text(&refused).starts_with("Provost refused this: no plane answers"), "{refused}");
    }
    assert_eq!(client.close().await, Exit::Unreachable);
    assert!(!plane.log().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_is_killed_lets_nothing_pass_any_more_and_cuts_what_is_under_way() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    assert_eq!(text(&client.call("echo", json!({"say": "hi"})).await), "hi");
    let under_way = client.begin("tools/call", json!({"name": "hang", "arguments": {}})).await;
    plane.until_reached("hang").await;
    plane.kill();
    let killed = Instant::now();
    let refused = client.call("echo", json!({"say": "again"})).await;
    assert!(text(&refused).contains("no plane answers"), "{refused}");
    let cut = client.answer(under_way).await;
    assert!(text(&cut).contains("the call was cut"), "{cut}");
    assert!(killed.elapsed() < Duration::from_secs(2), "staleness_max is one second here");
    let refused = client.ask("tools/list", json!({})).await;
    assert!(refused["error"].is_object(), "{refused}");
    let echoes = plane.reached().iter().filter(|name| *name == "echo").count();
    assert_eq!(echoes, 1);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_is_cut_off_from_its_store_lets_nothing_pass() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    plane.cut_off_store();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    for (method, params) in [("tools/call", json!({"name": "echo"})), ("ping", json!({}))] {
        let refused = client.ask(method, params).await;
        assert!(text(&refused).contains("last heard from its store"), "{refused}");
    }
    assert_eq!(plane.reached(), ["initialize", "notifications/initialized"]);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_the_agent_cuts_its_call_ends_the_server_and_refuses_the_rest() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    let under_way = client.begin("tools/call", json!({"name": "hang", "arguments": {}})).await;
    plane.until_reached("hang").await;
    let ordered = Instant::now();
    plane.suspend().await;
    let cut = client.answer(under_way).await;
    assert!(text(&cut).contains("the agent clerk is suspended"), "{cut}");
    assert!(ordered.elapsed() < Duration::from_millis(500), "{:?}", ordered.elapsed());
    let refused = client.call("echo", json!({"say": "hi"})).await;
    assert!(
        text(&refused).contains("suspended") && text(&refused).contains("restart this MCP server"),
        "{refused}"
    );
    assert_eq!(client.close().await, Exit::Refused);
    assert!(!plane.reached().contains(&"echo".to_owned()));
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_about_the_system_cuts_its_call_and_refuses_the_rest() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    let under_way = client.begin("tools/call", json!({"name": "hang", "arguments": {}})).await;
    plane.until_reached("hang").await;
    plane.contain().await;
    let cut = client.answer(under_way).await;
    assert!(text(&cut).contains("contained by containment_1"), "{cut}");
    let refused = client.call("echo", json!({"say": "hi"})).await;
    assert!(text(&refused).contains("contained by containment_1"), "{refused}");
    assert_eq!(client.close().await, Exit::Refused);
    assert!(!plane.reached().contains(&"echo".to_owned()));
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_client_cancels_is_unknown_and_gets_no_answer() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    let id = client.begin("tools/call", json!({"name": "hang", "arguments": {}})).await;
    plane.until_reached("hang").await;
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
        .await;
    assert!(client.is_silent().await);
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
    assert_eq!(plane.reached().last().unwrap(), "notifications/cancelled");
    assert_eq!(client.close().await, Exit::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_is_no_plane_is_not_believed() {
    let plane = Plane::start(Behind::Child).await;
    let (_, token) = plane.task("files").await;
    let nonsense = ["", "{}", "[]", "{\"lease_ms\":\"long\"}", "{\"permit\":{}}", "<html>"];
    for text_of_it in nonsense {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(move || async move { text_of_it });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        for handed_in in [true, false] {
            let mut settings = plane.settings(Behind::Child);
            settings.url.clone_from(&url);
            settings.starter = (!handed_in).then(|| Client::with_token(&url, "t".into()).unwrap());
            settings.token = handed_in.then(|| token.clone());
            let mut client = Mcp::start(settings);
            let refused = client.initialize().await;
            assert!(text(&refused).starts_with("Provost refused this:"), "{text_of_it} {refused}");
            client.close().await;
        }
        serving.abort();
    }
    assert!(!plane.log().exists());
}
