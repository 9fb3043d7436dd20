//! AuthZEN 1.0 over a real socket: every case of the certification scenario, and what it does not ask.

use crate::plane::{Plane, charter};
use async_trait::async_trait;
use provost_domain::{Callbacks, Object, Workload, application::Application};
use provost_gateway::{
    Hosts, Refusal,
    authzen::{Asker, Askers, Authzen, AuthzenParts},
    bearer,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Where the gateway that asks about agents may have itself told.
pub const CALLBACK: &str = "https://pep.example.com/callbacks";
const PUBLIC_URL: &str = "https://pdp.example.com";

fn workload(name: &str, application: &str) -> Arc<Workload> {
    Arc::new(Workload {
        name: name.parse().unwrap(),
        purpose: "enforces".into(),
        owner: "maria".parse().unwrap(),
        applications: vec![application.parse().unwrap()],
        active: true,
        signals: None,
        callbacks: (name == "gateway").then(|| Callbacks {
            endpoints: [CALLBACK.to_owned()].into(),
            secret: "pep-callbacks".parse().unwrap(),
        }),
    })
}

pub struct Tokens;

#[async_trait]
impl Askers for Tokens {
    async fn who(&self, headers: &http::HeaderMap) -> Result<Asker, Refusal> {
        match bearer(headers)? {
            "administrator" => Ok(Asker::Administrator),
            "records-app" => Ok(Asker::Workload(workload("records-app", "certification"))),
            "gateway" | "gateway-again" => Ok(Asker::Workload(workload("gateway", "agent"))),
            "other-gateway" => Ok(Asker::Workload(workload("other-gateway", "agent"))),
            _ => Err(Refusal::NoToken),
        }
    }
}

pub struct Pdp {
    pub plane: Plane,
    pub url: String,
    pub http: reqwest::Client,
}

impl Pdp {
    pub async fn start() -> Self {
        let plane = Plane::start(charter(json!({}))).await;
        let row: Application = serde_json::from_value(json!({
            "name": "certification",
            "schema": include_str!("../../../policy/tests/authzen-certification/schema.cedarschema"),
            "policies": include_str!("../../../policy/tests/authzen-certification/policies.cedar"),
            "entities": serde_json::from_str::<Value>(include_str!("../../../policy/tests/authzen-certification/entities.json")).unwrap(),
            "request_properties": {"accepted": ["user.role", "record.status"]},
        }))
        .unwrap();
        plane.change(Object::Application(row), 0).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let face = Authzen::new(AuthzenParts {
            pipeline: Arc::clone(&plane.pipeline),
            askers: Arc::new(Tokens),
            hosts: Arc::new(Hosts::new([])),
            public_url: PUBLIC_URL.into(),
        });
        tokio::spawn(async move { axum::serve(listener, face.router()).await.unwrap() });
        Self { plane, url, http: reqwest::Client::new() }
    }

    async fn ask(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(path, "records-app", "application/json", body.to_string()).await
    }

    async fn send(&self, path: &str, token: &str, content_type: &str, body: String) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(token)
            .header("content-type", content_type);
        let response = request.header("x-request-id", "bfe9eb29").body(body).send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"], "bfe9eb29", "X-Request-ID must be echoed");
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }
}

fn question(subject: Value, action: Value, resource: Value) -> Value {
    json!({"subject": subject, "action": action, "resource": resource})
}

fn alice() -> Value {
    json!({"type": "user", "id": "alice"})
}

fn record() -> Value {
    json!({"type": "record", "id": "record-1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_certification_scenario_is_answered_as_it_says() {
    let pdp = Pdp::start().await;
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../policy/tests/authzen-certification/cases.json")).unwrap();
    for case in &cases {
        for _twice in 0..2 {
            let (status, answer) = pdp.ask("/access/v1/evaluation", &case["request"]).await;
            assert_eq!((status, &answer["decision"]), (200, &case["decision"]), "{}: {answer}", case["name"]);
            assert!(
                answer["context"]["evaluation_id"].as_str().unwrap().starts_with("decision_"),
                "{answer}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_question_is_a_400_that_says_why_and_never_a_decision() {
    let pdp = Pdp::start().await;
    let read = json!({"name": "read"});
    let table = [
        (json!({}), "subject"),
        (json!({"action": read, "resource": record()}), "subject"),
        (json!({"subject": alice(), "resource": record()}), "action"),
        (json!({"subject": alice(), "action": read}), "resource"),
        (question(json!({"id": "alice"}), read.clone(), record()), "subject.type"),
        (question(json!({"type": "user"}), read.clone(), record()), "subject.id"),
        (question(alice(), json!({}), record()), "action.name"),
        (question(alice(), json!({"name": 1}), record()), "action.name"),
        (question(json!("alice"), read.clone(), record()), "subject"),
        (question(alice(), read.clone(), json!({"type": "record"})), "resource.id"),
        (json!({"subject": alice(), "action": read, "resource": record(), "context": []}), "context"),
    ];
    for (body, names) in table {
        let (status, answer) = pdp.ask("/access/v1/evaluation", &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer.as_str().unwrap().contains(names), "{body}: {answer}");
    }
    let whole = question(alice(), read, record()).to_string();
    for (content_type, body) in [
        ("text/plain", whole.clone()),
        ("application/json", String::new()),
        ("application/json", "{\"subject\":".to_owned()),
        ("application/json", "[]".to_owned()),
        ("application/json", whole.replacen("{", "{\"subject\":{},", 1)),
    ] {
        let (status, answer) =
            pdp.send("/access/v1/evaluation", "records-app", content_type, body.clone()).await;
        assert_eq!(status, 400, "{body}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_order_fills_in_defaults_and_stops_where_it_was_told_to() {
    let pdp = Pdp::start().await;
    let yes = json!({"action": {"name": "read"}});
    let no = json!({"subject": {"type": "user", "id": "bob"}, "action": {"name": "write"}});
    let table = [
        ("execute_all", vec![&yes, &no, &yes], json!([true, false, true])),
        ("deny_on_first_deny", vec![&yes, &no, &yes], json!([true, false])),
        ("permit_on_first_permit", vec![&no, &yes, &yes], json!([false, true])),
    ];
    for (semantic, items, wanted) in table {
        let body = json!({
            "subject": alice(), "resource": record(), "evaluations": items, "options": {"evaluations_semantic": semantic},
        });
        let (status, answer) = pdp.ask("/access/v1/evaluations", &body).await;
        let got: Vec<&Value> =
            answer["evaluations"].as_array().unwrap().iter().map(|one| &one["decision"]).collect();
        assert_eq!((status, json!(got)), (200, wanted), "{semantic}");
        assert!(answer.get("decision").is_none(), "{answer}");
    }
    // An empty item inherits every default; an item without a resource is denied by itself.
    let body =
        json!({"subject": alice(), "action": {"name": "read"}, "evaluations": [{"resource": record()}, {}]});
    let (status, answer) = pdp.ask("/access/v1/evaluations", &body).await;
    assert_eq!(
        (status, &answer["evaluations"][0]["decision"], &answer["evaluations"][1]["decision"]),
        (200, &json!(true), &json!(false))
    );
    // No items: as the single API.
    let mut single = question(alice(), json!({"name": "read"}), record());
    for items in [None, Some(json!([]))] {
        if let Some(items) = items {
            single["evaluations"] = items;
        }
        assert_eq!(pdp.ask("/access/v1/evaluations", &single).await.1["decision"], true);
    }
    let many: Vec<Value> = vec![json!({}); 257];
    let body = json!({"subject": alice(), "evaluations": many});
    assert_eq!(pdp.ask("/access/v1/evaluations", &body).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_what_an_evaluation_would_allow_page_by_page() {
    let pdp = Pdp::start().await;
    let ids = |answer: &Value| -> Vec<String> {
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|one| one["id"].as_str().or(one["name"].as_str()).unwrap().to_owned()).collect()
    };
    let subjects = json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": record()});
    let (status, answer) = pdp.ask("/access/v1/search/subject", &subjects).await;
    assert_eq!((status, ids(&answer)), (200, vec!["alice".to_owned(), "bob".into()]));
    let resources = json!({"subject": alice(), "action": {"name": "read"}, "resource": {"type": "record", "id": "ignored"}});
    assert_eq!(ids(&pdp.ask("/access/v1/search/resource", &resources).await.1), ["record-1", "record-2"]);
    let actions = json!({"subject": alice(), "resource": record()});
    assert_eq!(ids(&pdp.ask("/access/v1/search/action", &actions).await.1), ["read", "write"]);

    let mut first = subjects.clone();
    first["page"] = json!({"limit": 1});
    let (_, answer) = pdp.ask("/access/v1/search/subject", &first).await;
    assert_eq!(ids(&answer), ["alice"]);
    let token = answer["page"]["next_token"].as_str().unwrap();
    let mut second = subjects.clone();
    second["page"] = json!({"limit": 1, "token": token});
    let (_, answer) = pdp.ask("/access/v1/search/subject", &second).await;
    assert_eq!((ids(&answer), &answer["page"]["next_token"]), (vec!["bob".to_owned()], &json!("")));
    let mut another = resources.clone();
    another["page"] = json!({"token": token});
    assert_eq!(pdp.ask("/access/v1/search/resource", &another).await.0, 400, "a token belongs to its search");

    for (path, body) in [
        ("subject", json!({"subject": {"type": "robot"}, "action": {"name": "read"}, "resource": record()})),
        (
            "resource",
            json!({"subject": {"type": "user", "id": "nobody"}, "action": {"name": "paint"}, "resource": {"type": "record"}}),
        ),
        (
            "action",
            json!({"subject": alice(), "resource": {"type": "record", "id": "none"}, "page": {"limit": 0}}),
        ),
    ] {
        let (status, answer) = pdp.ask(&format!("/access/v1/search/{path}"), &body).await;
        assert_eq!((status, answer["results"].as_array().map(Vec::len)), (200, Some(0)), "{path}: {answer}");
    }
    let missing = json!({"subject": {"type": "user"}, "resource": record()});
    assert_eq!(pdp.ask("/access/v1/search/subject", &missing).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_names_this_decision_point_and_its_endpoints() {
    let pdp = Pdp::start().await;
    let response =
        pdp.http.get(format!("{}/.well-known/authzen-configuration", pdp.url)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, "application/json")
    );
    let document: Value = response.json().await.unwrap();
    assert_eq!(document["policy_decision_point"], PUBLIC_URL);
    assert_eq!(document["capabilities"], json!(["urn:openid:authzen:capability:access-request"]));
    for (key, value) in document.as_object().unwrap().iter().filter(|(key, _)| *key != "capabilities") {
        assert!(value.as_str().unwrap().starts_with(PUBLIC_URL), "{key}");
    }
    assert_eq!(document["access_evaluation_endpoint"], format!("{PUBLIC_URL}/access/v1/evaluation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_strangers_are_told_nothing() {
    let pdp = Pdp::start().await;
    let body = question(alice(), json!({"name": "read"}), record()).to_string();
    let (status, _) = pdp.send("/access/v1/evaluation", "wrong", "application/json", body).await;
    assert_eq!(status, 401);
    // A workload of another application learns no more than if there were none; agents are not its business either.
    let agent = question(
        json!({"type": "agent", "id": "invoice-clerk"}),
        json!({"name": "list_accounts"}),
        json!({"type": "system", "id": "bank"}),
    );
    let (status, _) = pdp.ask("/access/v1/evaluation", &agent).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_action_is_decided_by_the_same_pipeline_and_a_hold_can_be_asked_for() {
    let pdp = Pdp::start().await;
    let (task, _token) = pdp.plane.task().await;
    let ask = |tool: &str, arguments: Value| {
        let mut body = question(
            json!({"type": "agent", "id": "invoice-clerk"}),
            json!({"name": tool, "properties": {"arguments": arguments}}),
            json!({"type": "system", "id": "bank"}),
        );
        body["context"] = json!({"task": task});
        body.to_string()
    };
    let transfer = |amount: u32| json!({"from_account": "operations", "payee": "Nordwind Logistik GmbH", "amount": amount, "reference": "x"});
    let send = |body: String| pdp.send("/access/v1/evaluation", "administrator", "application/json", body);
    let (_, allowed) = send(ask("list_accounts", json!({}))).await;
    assert_eq!(allowed["decision"], true, "{allowed}");
    let (_, denied) = send(ask("bank/transfer", transfer(9_400))).await;
    assert!(denied["decision"] == false && denied["context"].get("access_request").is_none(), "{denied}");
    assert!(denied["context"]["reason"].as_str().unwrap().contains("at most 500"), "{denied}");
    let (_, held) = send(ask("transfer", transfer(100))).await;
    let (_, again) = send(ask("transfer", transfer(100))).await;
    assert_eq!(held["decision"], false);
    assert!(held["context"]["access_request"]["expires_at"].as_str().unwrap().ends_with('Z'), "{held}");
    assert_eq!(
        held["context"]["access_request"]["template"], again["context"]["access_request"]["template"],
        "a stable id"
    );
    assert_eq!(pdp.plane.bank.bank().calls("transfer"), 0);
}
