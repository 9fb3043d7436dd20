#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Bad input: each kind gets its own clear refusal, and changes nothing.

mod common;

use common::{Served, serve};
use serde_json::{Value, json};

/// What it is, where to, as which type, which bytes; the status and a word of the answer.
type BadBody = (&'static str, &'static str, &'static str, Vec<u8>, u16, &'static str);

async fn raw(served: &Served, path: &str, content_type: &str, body: Vec<u8>) -> (u16, Value) {
    let url = format!("http://{}/api/v1{path}", served.address);
    let request = served.client.post(url).bearer_auth(&served.token).header("content-type", content_type);
    let response = request.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    (status, response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_it_should_be_is_refused_by_name() {
    let served = serve().await;
    served.apply().await;
    let deep = format!("{}{}", "[".repeat(80), "]".repeat(80));
    let wide = format!("[{}1]", "1,".repeat(100_001));
    let json = "application/json";
    let cases: [BadBody; 13] = [
        ("not JSON", "/tasks", json, b"{".to_vec(), 400, "EOF"),
        ("two values", "/tasks", json, b"{} {}".to_vec(), 400, "trailing"),
        ("not UTF-8", "/tasks", json, b"{\"agent\":\"\xff\"}".to_vec(), 400, "unicode"),
        (
            "a member twice",
            "/tasks",
            json,
            br#"{"agent":"a","agent":"b"}"#.to_vec(),
            400,
            "`agent` stands there twice",
        ),
        ("deep", "/tasks", json, deep.into_bytes(), 400, "json_depth_max"),
        ("wide", "/tasks", json, wide.into_bytes(), 400, "json_nodes_max"),
        ("huge", "/tasks", json, vec![b' '; (1 << 20) + 1], 413, "limit"),
        ("another type", "/tasks", "text/plain", b"{}".to_vec(), 415, "media type"),
        ("no member", "/tasks", json, b"{}".to_vec(), 422, "missing field `agent`"),
        ("a wrong name", "/tasks", json, br#"{"agent":"A B","purpose":"p"}"#.to_vec(), 422, "`agent`"),
        (
            "an unknown member",
            "/tasks",
            json,
            br#"{"agent":"clerk","purpose":"p","colour":1}"#.to_vec(),
            422,
            "`colour`",
        ),
        (
            "a wrong type deep inside",
            "/tasks",
            json,
            br#"{"agent":"clerk","purpose":"p","scope":[{"system":"bank","tools":[7]}]}"#.to_vec(),
            422,
            "scope[0].tools[0]",
        ),
        (
            "a wrong duration",
            "/tasks",
            json,
            br#"{"agent":"clerk","purpose":"p","duration":"5"}"#.to_vec(),
            422,
            "90s",
        ),
    ];
    let before = served.plane.store.head().await.unwrap();
    for (what, path, content_type, body, status, wanted) in cases {
        let (found, problem) = raw(&served, path, content_type, body).await;
        assert_eq!(found, status, "{what}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(wanted), "{what}: {problem}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:provost:problem:"), "{what}: {problem}");
    }
    assert_eq!(served.plane.store.head().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_queries_are_as_strict_as_bodies() {
    let served = serve().await;
    served.apply().await;
    for (path, status, wanted) in [
        ("/agents?colour=red", 422, "colour"),
        ("/agents?status=sleeping", 422, "sleeping"),
        ("/agents?limit=many", 422, "limit"),
        ("/agents?cursor=%25", 422, "cursor"),
        ("/agents/No%20Name", 422, "not a name"),
        ("/agents/nobody", 404, "no agent `nobody`"),
        ("/tasks/decision_00000000000000000000000000", 422, "task id"),
        ("/tasks/task_00000000000000000000000000", 404, "no task"),
        ("/decisions?since=yesterday", 422, "RFC 3339"),
        ("/decisions/decision_00000000000000000000000000", 404, "no decision"),
        ("/decisions/decision_00000000000000000000000000/why", 404, "no decision"),
        ("/ledger/proofs/dream/1", 422, "`dream`"),
        ("/ledger/proofs/decision/1", 404, "no decision"),
        ("/ledger/export?cursor=x", 422, "cursor"),
        ("/nothing", 404, "nothing under this path"),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(wanted), "{path}: {}", answer.body);
    }
    let other = served.send("PATCH", "/api/v1/agents", Some(&served.token), None).await;
    assert_eq!(
        (other.status, other.headers["content-type"].to_str().unwrap()),
        (405, "application/problem+json")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_or_from_another_site_is_turned_away() {
    let served = serve().await;
    let url = format!("http://{}/api/v1/status", served.address);
    for (header, value, status) in [
        ("host", "evil.example", 421),
        ("host", "evil.example:7070", 421),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:1234", 200),
        ("host", "localhost", 200),
    ] {
        let request = served.client.get(&url).bearer_auth(&served.token).header(header, value);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{header}: {value}");
    }
    let probe = served.client.get(format!("http://{}/healthz", served.address)).header("host", "10.0.0.9");
    assert_eq!(probe.send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_name_if_it_is_a_plain_one() {
    let served = serve().await;
    let url = format!("http://{}/healthz", served.address);
    for (given, kept) in [("req-1.a:b_C", true), ("two words", false), (&*"x".repeat(129), false)] {
        let response = served.client.get(&url).header("x-request-id", given).send().await.unwrap();
        let answered = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(answered == given, kept, "{given}: {answered}");
        assert!(!answered.is_empty());
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_files_are_all_told_with_file_and_line_and_nothing_is_applied() {
    let served = serve().await;
    let files = json!([
        { "path": "organisation.toml", "text": "[organisation]\ndisplay = \"T\"\ncolour = \"red\"\n[person.maria]\n" },
        { "path": "agents/a.toml", "text": "[agent]\npurpose = 7\n" },
    ]);
    let plan = served.post("/plan", json!({ "files": files })).await.ok();
    assert_eq!(plan["refused"], true);
    let faults = plan["faults"].as_array().unwrap();
    assert!(faults.len() >= 3, "{plan:#}");
    let colour = faults.iter().find(|fault| fault["what"].as_str().unwrap().contains("colour")).unwrap();
    assert_eq!(
        (colour["file"].as_str(), colour["line"].as_u64()),
        (Some("organisation.toml"), Some(3)),
        "{colour:#}"
    );
    let refused = served.post("/apply", json!({ "files": files, "reason": "try" })).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["faults"].as_array().unwrap().len(), faults.len());
    assert_eq!(served.plane.store.head().await.unwrap().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_validate_is_placed_in_its_file() {
    let served = serve().await;
    let mut files = common::files();
    files[3]["text"] = json!(
        "@id(\"x\")\n@reason(\"y\")\nforbid (principal, action, resource)\nwhen { context.args.colour == 1 };\n"
    );
    let plan = served.post("/plan", json!({ "files": files })).await.ok();
    assert_eq!(plan["refused"], true, "{plan:#}");
    assert_eq!(plan["faults"][0]["file"], "policies/payments.cedar", "{plan:#}");
    assert!(plan["faults"][0]["line"].as_u64().unwrap() >= 3, "{plan:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_in_json_is_checked_like_its_file() {
    let served = serve().await;
    served.apply().await;
    let agent = json!({ "purpose": "P", "owner": "nobody", "environment": "production", "autonomy": "probation",
        "task_duration_max": "5m", "colour": 1, "grant": [{ "system": "bank", "tools": ["burn"] }] });
    let answer = served.post("/agents", json!({ "name": "fresh", "agent": agent, "reason": "try" })).await;
    assert_eq!(answer.status, 422, "{:#}", answer.body);
    let told: Vec<&str> = answer.body["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["what"].as_str().unwrap())
        .collect();
    for wanted in ["colour", "nobody", "burn"] {
        assert!(told.iter().any(|what| what.contains(wanted)), "{wanted}: {told:?}");
    }
    assert_eq!(served.get("/agents/fresh").await.status, 404);
}
