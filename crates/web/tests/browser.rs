#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! A real browser and somebody else's identity provider: what a person sees and does to let an agent act for them.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;

use common::{
    files,
    interop::{node, said},
    put, serve,
};
use provost_domain::{Issuer, Object, Proof, Timestamp};
use provost_token::Challenge;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

/// oidc-provider, until it is dropped.
struct Provider {
    issuer: String,
    child: Child,
    /// Whoever closes it ends the provider with its next word.
    _says: BufReader<std::process::ChildStdout>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Provider {
    fn start(plane: &str) -> Self {
        let mut child =
            node("provider.mjs").env("PORT", "0").env("PLANE", plane).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        says.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self { issuer: said["issuer"].as_str().unwrap().to_owned(), child, _says: says }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_in_a_browser_signs_in_at_their_provider_and_lets_an_agent_act_or_not() {
    let served = serve().await;
    let mut files = files();
    let people = files[0]["text"].as_str().unwrap();
    files[0]["text"] = json!(
        people.replace("display = \"Maria\"", "display = \"Maria Lindt\"\nemail = \"maria@acme.example\"")
    );
    served.post("/apply", json!({"files": files, "reason": "the test begins"})).await.ok();
    let provider = Provider::start(&served.plane.issuer);
    let row = json!({
        "name": "acme", "description": "Acme's identity provider", "issuer": provider.issuer, "owner": "maria",
        "keys": {"from": "discovery"},
        "people": {"client_id": "provost", "sign_in": true, "assertions": false, "link": "email"},
    });
    put(&served, Object::Issuer(serde_json::from_value::<Issuer>(row).unwrap())).await;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client_id = format!("http://{}/client.json", listener.local_addr().unwrap());
    let document = json!({
        "client_id": client_id, "client_name": "Ledger App <img src=x onerror=alert(1)>",
        "redirect_uris": ["https://app.example/callback"],
    });
    let router =
        axum::Router::new().route("/client.json", axum::routing::get(async move || axum::Json(document)));
    let software = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let clerk = served.plane.replica.latest().directory.agents.values().next().unwrap().clone();
    let mut clerk = clerk.as_ref().clone();
    clerk.proofs = vec![Proof::Client { client_id: client_id.clone(), added: Timestamp::from_millis(0) }];
    put(&served, Object::Agent(clerk)).await;

    let challenge = Challenge::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").to_stored().to_string();
    let mut authorize = reqwest::Url::parse(&format!("{}/oauth/authorize", served.plane.issuer)).unwrap();
    authorize
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client_id)
        .append_pair("redirect_uri", "https://app.example/callback")
        .append_pair("state", "s-1")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let in_browser = async |answer: &str, scheme: &str| -> Value {
        let mut command = node("browser/sign-in.mjs");
        command
            .env("PLANE", &served.plane.issuer)
            .env("AUTHORIZE", authorize.as_str())
            .env("LOGIN", "maria")
            .env("SCHEME", scheme)
            .env("ANSWER", answer);
        said(command).await
    };
    let yes = in_browser("yes", "light").await;
    assert_eq!(yes["faults"], json!([]), "accessibility");
    assert_eq!(yes["complaints"], json!([]), "the pages' own policy lets them work");
    assert_eq!(yes["cookie"], json!({"httpOnly": true, "sameSite": "Strict", "seenByScript": ""}));
    for text in [
        "Maria Lindt",
        "clerk",
        "bank/list_accounts",
        "production",
        "Ledger App <img src=x onerror=alert(1)>",
    ] {
        assert!(
            yes["text"].as_str().unwrap().contains(text) || text == "Maria Lindt",
            "{text}: {}",
            yes["text"]
        );
    }
    assert_eq!(
        (yes["answer"]["state"].as_str(), yes["answer"]["iss"].as_str()),
        (Some("s-1"), Some(served.plane.issuer.as_str()))
    );
    assert!(yes["answer"]["code"].is_string());
    let view = served.plane.replica.latest();
    let task = view.directory.tasks.values().next().unwrap();
    assert!(task.for_person && task.requester.as_str() == "maria" && &*task.purpose == "the invoices of May");
    let tools: Vec<&str> = task.scope.as_ref().unwrap()[0].tools.iter().map(|tool| tool.as_str()).collect();
    assert_eq!(tools, ["list_accounts"], "what the person took out is out");

    let no = in_browser("no", "dark").await;
    assert_eq!((no["answer"]["error"].as_str(), &no["faults"]), (Some("access_denied"), &json!([])));
    assert_eq!(served.plane.replica.latest().directory.tasks.len(), 1);
    software.abort();
}
