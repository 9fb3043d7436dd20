//! The HTTP face when something fails, is stopped, or goes on for long.

use crate::shop::{Stage, system};
use futures::StreamExt as _;
use provost_domain::{AgentStatus, DurationMs, Label, Object, limits::Limits};
use provost_store::DecisionFilter;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_streams_as_it_comes_and_its_outcome_and_labels_are_on_record_before() {
    let stage = Stage::open().await;
    let response = stage.ask("GET", "/proxy/shop/stream").send().await.unwrap();
    let mut chunks = response.bytes_stream();
    let mut first = Vec::new();
    while first != b"first " {
        first.extend_from_slice(&chunks.next().await.unwrap().unwrap());
    }
    let decisions = stage.decisions().await;
    let completion = decisions[0].completion.as_ref().unwrap();
    let confidential: Label = "confidential".parse().unwrap();
    assert_eq!(completion.outcome.as_str(), "success");
    assert!(completion.labels.contains(&confidential));
    let state = stage.plane.store.task_state(stage.task).await.unwrap();
    assert!(state.labels.contains(&confidential));
    stage.shop.go_on.send(true).unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap(), "second");
    assert!(chunks.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_an_answer_that_is_streaming_and_a_request_that_waits() {
    // The system may be silent for longer than this test waits: what ends the answer is the stop.
    let stage = Stage::with(Limits::default()).await;
    let mut chunks = stage.ask("GET", "/proxy/shop/stream").send().await.unwrap().bytes_stream();
    assert_eq!(chunks.next().await.unwrap().unwrap(), "first ");
    let waiting = tokio::spawn(stage.ask("POST", "/proxy/shop/slow").send());
    while stage.shop.came().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut agent = stage.plane.agent();
    agent.status = AgentStatus::Suspended;
    stage.plane.change(Object::Agent(agent), 1).await;
    let broken = tokio::time::timeout(Duration::from_secs(5), chunks.next()).await.unwrap();
    assert!(broken.unwrap().is_err(), "a client must not take the part for the whole");
    let cut = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(cut.status(), 403);
    assert!(cut.text().await.unwrap().contains("suspended"));
    assert_eq!(stage.outcome().await, "unknown");
    let (status, body) = stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await;
    assert!(status == 403 && body["reasons"].to_string().contains("not active"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_fails_is_told_apart_from_one_that_was_never_asked() {
    let stage = Stage::with(Limits {
        upstream_idle_max: DurationMs(400),
        proxy_response_bytes_max: 200_000,
        ..Limits::default()
    })
    .await;
    for (method, path, status, outcome) in [
        ("GET", "/status/404", 404, "failure"),
        ("POST", "/status/409", 409, "failure"),
        ("POST", "/status/500", 500, "unknown"),
        ("GET", "/status/500", 500, "failure"),
        ("POST", "/status/303", 303, "success"),
        ("GET", "/status/204", 204, "success"),
        // About the plane's credential: the agent's is as good as before.
        ("GET", "/status/401", 502, "unsent"),
        ("GET", "/status/407", 502, "unknown"),
        ("GET", "/zipped", 502, "unknown"),
        ("GET", "/slow", 504, "unknown"),
        ("HEAD", "/orders/7", 200, "success"),
    ] {
        let response = stage.ask(method, &format!("/proxy/shop{path}")).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert!(response.headers().get("www-authenticate").is_none());
        assert_eq!(stage.outcome().await, outcome, "{method} {path}");
    }
    for path in ["/big", "/short"] {
        let response = stage.ask("GET", &format!("/proxy/shop{path}")).send().await.unwrap();
        assert!(response.bytes().await.is_err(), "{path}: a part is not taken for the whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_inside_the_network_is_not_reached_whatever_it_is_called() {
    let stage = Stage::open().await;
    let inside = [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/v1",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:10.0.0.1]/",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://0.0.0.0:80/",
        "http://192.168.1.1./",
        "http://[::ffff:169.254.169.254]/",
    ];
    for (version, url) in (1..).zip(inside) {
        let mut system = system(url);
        system.credential = None;
        stage.plane.change(Object::System(system), version).await;
        let (status, body) = stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await;
        assert!(status == 502 && body.to_string().contains("private_hosts"), "{url} {body}");
        assert_eq!(stage.outcome().await, "unsent", "{url}");
    }
    let mut gone = system("http://127.0.0.1:9/v1");
    gone.credential = None;
    stage.plane.change(Object::System(gone), 10).await;
    assert_eq!(stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await.0, 502);
    assert_eq!(stage.outcome().await, "unsent");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_record_nothing_is_sent_and_without_an_outcome_nothing_is_released() {
    let stage = Stage::open().await;
    let faults = &stage.plane.store_faults;
    faults.set(&faults.record);
    assert_eq!(stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await.0, 503);
    assert!(stage.shop.came().is_empty());
    faults.heal();
    faults.set(&faults.complete);
    // Its labels are what the next decision depends on.
    let (status, body) = stage.json(stage.ask("GET", "/proxy/shop/orders/")).await;
    assert!(status == 503 && body.get("ok").is_none(), "{body}");
    assert_eq!(stage.shop.came().len(), 1);
    faults.heal();
    let filter = DecisionFilter { max: 10, ..Default::default() };
    let open = stage.plane.store.decisions(&filter).await.unwrap().decisions;
    assert!(open[0].completion.is_none(), "it is unknown from the next start on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_credential_and_a_client_that_goes_away_leave_a_true_record() {
    let stage = Stage::open().await;
    let task = tokio::spawn(stage.ask("POST", "/proxy/shop/slow").send());
    while stage.shop.came().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    task.abort();
    assert_eq!(stage.outcome().await, "unknown");
    let mut system = system(&stage.shop.url);
    system.credential.as_mut().unwrap().name = "nowhere".parse().unwrap();
    stage.plane.change(Object::System(system), 1).await;
    let (status, body) = stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await;
    assert!(status == 502 && body.to_string().contains("credential set nowhere"), "{body}");
    assert_eq!(stage.outcome().await, "unsent");
    assert_eq!(stage.shop.came().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_and_calls_at_once_are_counted_to_the_last_byte() {
    let stage = Stage::with(Limits {
        body_bytes_max: 100,
        proxy_upload_bytes_max: 200,
        calls_per_task_max: 1,
        ..Limits::default()
    })
    .await;
    let json_type = ("content-type", "application/json");
    let long = format!("{{\"note\":\"{}\"}}", "x".repeat(100));
    assert_eq!(stage.raw("PATCH /proxy/shop/orders/7", &[json_type], long.as_bytes()).await.0, 413);
    assert_eq!(stage.raw("PUT /proxy/shop/files/a", &[], &[0; 201]).await.0, 413);
    assert!(stage.shop.came().is_empty());
    let mut chunks = stage.ask("GET", "/proxy/shop/stream").send().await.unwrap().bytes_stream();
    assert_eq!(chunks.next().await.unwrap().unwrap(), "first ");
    let (status, body) = stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await;
    assert!(status == 429 && body.to_string().contains("calls_per_task_max"), "{body}");
    stage.shop.go_on.send(true).unwrap();
    while chunks.next().await.is_some() {}
    let mut again = 429;
    for _ in 0..50 {
        again = stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await.0;
        if again == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(again, 200);
}
