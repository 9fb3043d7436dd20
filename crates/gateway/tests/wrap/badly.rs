//! Servers and clients that misbehave.

use crate::{
    client::{Mcp, text},
    plane::{Behind, Plane},
};
use provost_cli::Exit;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_the_server_is_dropped_and_the_answer_after_it_comes_through() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    assert_eq!(text(&client.call("garbage", json!({})).await), "after the garbage");
    assert!(client.aside.is_empty(), "{:?}", client.aside);
    let unreadable = client.call("unreadable", json!({})).await;
    assert!(unreadable["error"].is_object(), "{unreadable}");
    assert_eq!(text(&client.call("echo", json!({"say": "hi"})).await), "hi");
    assert_eq!(client.close().await, Exit::Ok);
    let wanted = [("garbage", Some("success")), ("unreadable", Some("unknown")), ("echo", Some("success"))];
    plane.decisions(&wanted.map(|(tool, outcome)| (tool, "allow", outcome))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_too_much_or_dies_ends_the_wrapper_and_its_call_is_unknown() {
    for tool in ["huge", "crash"] {
        let plane = Plane::start(Behind::Child).await;
        let mut client = Mcp::open(plane.settings(Behind::Child)).await;
        let answer = client.call(tool, json!({})).await;
        assert!(text(&answer).contains("the server"), "{tool} {answer}");
        assert_eq!(client.ended().await, Exit::Refused, "{tool}");
        plane.decisions(&[(tool, "allow", Some("unknown"))]).await;
        assert_eq!(plane.running_tasks(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_started_is_told_over_mcp() {
    let plane = Plane::start(Behind::Child).await;
    let mut settings = plane.settings(Behind::Child);
    settings.command = vec!["no-such-program-anywhere".into()];
    let mut client = Mcp::start(settings);
    let refused = client.initialize().await;
    assert!(text(&refused).contains("`no-such-program-anywhere` cannot be started"), "{refused}");
    assert_eq!(client.close().await, Exit::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_that_is_no_message_is_refused_and_reaches_nobody() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    plane.until_reached("notifications/initialized").await;
    let before = plane.reached();
    let table = [
        ("hello", -32700),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"hang"}}"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"hang"}}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":[]}}"#, -32602),
    ];
    for (sent, code) in table {
        client.send_text(sent).await;
        let refused = client.hear().await;
        assert_eq!(refused["error"]["code"], code, "{sent} {refused}");
    }
    assert_eq!(plane.reached(), before);
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(5 << 20));
    client.send_text(&long).await;
    let refused = client.hear().await;
    assert!(text(&refused).contains("longer than"), "{refused}");
    client.ended().await;
    assert_eq!(plane.reached(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_call_the_server_and_the_task() {
    let plane = Plane::start(Behind::Child).await;
    let mut client = Mcp::open(plane.settings(Behind::Child)).await;
    client.begin("tools/call", json!({"name": "hang", "arguments": {}})).await;
    plane.until_reached("hang").await;
    client.end.cancel();
    assert_eq!(client.ended().await, Exit::Ok);
    assert_eq!(plane.running_tasks(), 0);
    plane.decisions(&[("hang", "allow", Some("unknown"))]).await;
}
