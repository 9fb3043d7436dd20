#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![expect(dead_code, unreachable_pub, reason = "each test binary uses a part of what they share")]

//! Accounts that people connect at systems, and how long what systems are shown works on.

mod common;

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use common::{CLERK, ORGANISATION, Served, serve};
use provost_control::{ControlError, Op, Operator, account, sign_in::Callback};
use provost_domain::{Digest, Name, Seq};
use provost_token::Challenge;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

type Form = BTreeMap<String, String>;

/// An authorization server that writes down what it gets.
#[derive(Clone, Default)]
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<(String, Form)>>>,
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    fn will_answer(&self, status: u16, body: Value) {
        self.answers.lock().unwrap().push_back((status, body));
    }

    fn last(&self) -> (String, Form) {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn system(&self, more: &str) -> String {
        format!(
            "[system]\ndescription = \"customers\"\nenvironment = \"sandbox\"\napi = \"https://crm.example\"\n\
             revocation_max = \"0s\"\n[system.credential]\nkind = \"account\"\nissuer = \"{0}\"\n\
             token_endpoint = \"{0}/token\"\nauthorization_endpoint = \"{0}/authorize?tenant=7\"\n\
             client_id = \"provost\"\nscope = \"read offline_access\"\n{more}",
            self.url
        )
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 100_000).await.unwrap();
    let url = reqwest::Url::parse(&format!("http://h/?{}", String::from_utf8_lossy(&body))).unwrap();
    let form = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    server.asked.lock().unwrap().push((parts.uri.path().to_owned(), form));
    if let Some((status, body)) = server.answers.lock().unwrap().pop_front() {
        return (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
    }
    json!({"access_token": "hunter2-access", "token_type": "Bearer", "expires_in": 600, "refresh_token": "hunter2-refresh"})
        .to_string()
        .into_response()
}

async fn apply(served: &Served, files: Value) -> Value {
    served.post("/apply", json!({"files": files, "reason": "the test begins"})).await.body
}

async fn stage() -> (Served, Server) {
    let (served, server) = (serve().await, Server::start().await);
    let revocation = format!("revocation_endpoint = \"{}/revoke\"", server.url);
    let files = json!([
        {"path": "organisation.toml", "text": ORGANISATION},
        {"path": "systems/crm.toml", "text": server.system(&revocation)},
    ]);
    let said = apply(&served, files).await;
    assert!(said["seq"].is_number() || said["plan"].is_object(), "{said:#}");
    (served, server)
}

fn person(served: &Served, name: &str) -> Op {
    Op { subject: Operator::Person(name.parse().unwrap(), Default::default()), ..served.op() }
}

fn crm() -> Name {
    "crm".parse().unwrap()
}

/// Leaves, and gives what the server is told.
async fn left(served: &Served, op: &Op) -> Form {
    served.plane.replica.catch_up().await.unwrap();
    let place = reqwest::Url::parse(&account::begin(op, &crm()).await.unwrap()).unwrap();
    place.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn came(told: &Form, iss: Option<&str>) -> Callback {
    Callback {
        code: Some("the-code".to_owned()),
        state: Some(told["state"].clone()),
        iss: iss.map(str::to_owned),
        error: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_connects_an_account_once_and_nobody_sees_what_it_is_used_with() {
    let (served, server) = stage().await;
    let maria = person(&served, "maria");
    let told = left(&served, &maria).await;
    let redirect = format!("{}/oauth/accounts/callback", served.plane.issuer);
    for (name, wanted) in [
        ("tenant", "7"),
        ("response_type", "code"),
        ("client_id", "provost"),
        ("scope", "read offline_access"),
        ("redirect_uri", redirect.as_str()),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(told[name], wanted, "{name}");
    }
    let account = account::finish(&maria, &came(&told, Some(&server.url))).await.unwrap();
    assert_eq!((account.system, account.person.as_str()), (crm(), "maria"));
    let (path, form) = server.last();
    assert_eq!(
        (path.as_str(), form["grant_type"].as_str(), form["code"].as_str()),
        ("/token", "authorization_code", "the-code")
    );
    assert_eq!((&form["redirect_uri"], form.contains_key("client_assertion")), (&redirect, true));
    let challenge = Challenge::parse(Some(&told["code_challenge"]), Some("S256")).unwrap();
    challenge.check(&form["code_verifier"]).unwrap();

    let offers = account::offers(&maria).unwrap();
    assert!(offers.len() == 1 && offers[0].connected.is_some());
    assert!(account::offers(&person(&served, "jonas")).unwrap()[0].connected.is_none());
    let sealed = served.plane.store.sealed(&account.sealed).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("hunter2"));
    for record in served.plane.store.tail(Seq(0), 1_000).await.unwrap() {
        assert!(!serde_json::to_string(&record).unwrap().contains("hunter2"));
    }
    let verifier = &form["code_verifier"];
    assert!(!told["state"].contains(verifier.as_str()) && Digest::of(b"") != Digest::of(verifier.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_the_one_to_this_persons_question_connects_nothing() {
    let (served, server) = stage().await;
    let (maria, jonas) = (person(&served, "maria"), person(&served, "jonas"));
    let good = Some(server.url.as_str());
    let told = left(&served, &maria).await;
    let mut altered = told.clone();
    let other = if told["state"].chars().nth(60) == Some('A') { "B" } else { "A" };
    let state = &told["state"];
    altered.insert(
        "state".to_owned(),
        format!("{}{other}{}", state.get(..60).unwrap(), state.get(61..).unwrap()),
    );
    let none = Callback { state: None, ..came(&told, good) };
    let refused = |result: Result<_, ControlError>, what: &str| {
        let error = result.err().unwrap();
        assert!(matches!(error, ControlError::Refused(_)), "{what}: {error}");
    };
    refused(account::finish(&jonas, &came(&told, good)).await, "somebody else's browser");
    refused(account::finish(&maria, &came(&altered, good)).await, "an altered state");
    refused(account::finish(&maria, &none).await, "no state");
    refused(account::finish(&maria, &came(&told, Some("https://evil.example"))).await, "another issuer");
    refused(account::finish(&maria, &came(&told, Some(""))).await, "no issuer in words");
    assert_eq!(server.times(), 0, "nobody was told the code");
    assert!(account::begin(&served.op(), &crm()).await.is_err(), "an administrator is no person");
    assert!(account::begin(&maria, &"bank".parse().unwrap()).await.is_err(), "no such system");

    account::finish(&maria, &came(&told, None)).await.unwrap();
    refused(account::finish(&maria, &came(&told, good)).await, "a second time");
    let denied = left(&served, &maria).await;
    let denied = Callback { error: Some("access_denied".to_owned()), code: None, ..came(&denied, good) };
    refused(account::finish(&maria, &denied).await, "the person said no");
    let told = left(&served, &maria).await;
    server.will_answer(200, json!({"access_token": "hunter2", "token_type": "Bearer", "expires_in": 600}));
    refused(account::finish(&maria, &came(&told, good)).await, "nothing to keep");
    let times = server.times();

    // Where people connect accounts at several servers, each must say who it is (RFC 9207).
    let other = server.system("").replace(&server.url, "https://other.example");
    apply(&served, json!([{"path": "systems/other.toml", "text": other}])).await;
    let told = left(&served, &maria).await;
    refused(account::finish(&maria, &came(&told, None)).await, "it does not say who it is");
    assert_eq!(server.times(), times);
    let told = left(&served, &maria).await;
    account::finish(&maria, &came(&told, good)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disconnected_is_revoked_and_forgotten() {
    let (served, server) = stage().await;
    let (maria, jonas) = (person(&served, "maria"), person(&served, "jonas"));
    let name: Name = "maria".parse().unwrap();
    let told = left(&served, &maria).await;
    let account = account::finish(&maria, &came(&told, Some(&server.url))).await.unwrap();
    let error = account::disconnect(&jonas, &crm(), &name, "mischief").await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error}");
    let done = account::disconnect(&maria, &crm(), &name, "no longer needed").await.unwrap();
    assert!(done.revoked);
    let (path, form) = server.last();
    assert_eq!(
        (path.as_str(), form["token"].as_str(), form["token_type_hint"].as_str()),
        ("/revoke", "hunter2-refresh", "refresh_token")
    );
    assert_eq!(served.plane.store.sealed(&account.sealed).await.unwrap().unwrap(), b"");
    assert!(served.plane.replica.latest().directory.accounts.is_empty());
    let error = account::disconnect(&maria, &crm(), &name, "again").await.unwrap_err();
    assert!(matches!(error, ControlError::NotFound(_)), "{error}");

    let told = left(&served, &maria).await;
    account::finish(&maria, &came(&told, Some(&server.url))).await.unwrap();
    server.will_answer(503, json!({}));
    let done = account::disconnect(&served.op(), &crm(), &name, "she left").await.unwrap();
    assert!(!done.revoked, "and the person is told");
    assert!(served.plane.replica.latest().directory.accounts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charter_whose_credentials_outlive_an_order_to_stop_for_too_long_is_refused() {
    let served = serve().await;
    let clerk = CLERK
        .replace("data = [\"confidential\"]", "")
        .replace("tools = [\"list_accounts\", \"transfer\"]", "tools = [\"show\"]");
    let clerk = clerk.split("[[budget]]").next().unwrap().to_owned();
    let files = |credential: &str| {
        let bank = format!(
            "[system]\ndescription = \"A bank\"\nenvironment = \"production\"\napi = \"https://bank.example\"\n\
             revocation_max = \"1m\"\n[system.credential]\nkind = \"client-credentials\"\nissuer = \"https://as.example\"\n\
             token_endpoint = \"https://as.example/token\"\nclient_id = \"provost\"\n{credential}\n\
             [tool.show]\nrequest = \"GET /orders\"\neffects = [\"read\"]\npin = \"sha256:{}\"\n",
            "0".repeat(64)
        );
        json!([
            {"path": "organisation.toml", "text": ORGANISATION},
            {"path": "systems/bank.toml", "text": bank},
            {"path": "agents/clerk.toml", "text": clerk},
        ])
    };
    let said =
        served.post("/apply", json!({"files": files("lifetime_max = \"24h\""), "reason": "too long"})).await;
    assert!(said.status >= 400, "{:#}", said.body);
    assert!(said.body.to_string().contains("after an order to stop it"), "{:#}", said.body);
    let revocable = "lifetime_max = \"24h\"\nrevocation_endpoint = \"https://as.example/revoke\"";
    let said = served.post("/apply", json!({"files": files(revocable), "reason": "it can be revoked"})).await;
    assert_eq!(said.status, 200, "{:#}", said.body);
    let bound = |view: &Value| {
        let links = view["bound"]["links"].as_array().unwrap().clone();
        links.into_iter().find(|link| link["link"] == "system bank").unwrap()
    };
    let link = bound(&served.get("/agents/clerk").await.ok());
    assert!(link["meaning"].as_str().unwrap().contains("`revocation_max`"), "{link}");
    let shorter = json!({"files": files("lifetime_max = \"2h\""), "reason": "shorter", "person": "jonas",
        "break_glass": true});
    let said = served.post("/apply", shorter).await;
    assert_eq!(said.status, 200, "{:#}", said.body);
    let view = served.get("/agents/clerk").await.ok();
    let link = bound(&view);
    assert!(link["meaning"].as_str().unwrap().contains("`lifetime_max`"), "{link}");
    assert_eq!(
        (link["counts"].clone(), view["bound"]["set_by"].clone()),
        (json!(true), json!("system bank")),
        "{view:#}"
    );
}
