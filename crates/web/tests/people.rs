#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::type_complexity,
    reason = "tests"
)]

//! People sign in with their identity provider, and let agents act for them, over real sockets: the plane, a provider, and a
//! client that nobody registered.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/issuer.rs"]
mod issuer;

use axum::{Json, Router, routing::get};
use common::{Served, files, serve};
use issuer::TestIssuer;
use provost_domain::{Issuer, Object, Proof, Timestamp};
use provost_store::{Attribution, ChangeSet, Write};
use provost_token::Challenge;
use reqwest::{Url, header};
use serde_json::{Value, json};
use std::collections::HashMap;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn put(served: &Served, object: Object) {
    let expected = served.plane.store.version(&object.key()).await.unwrap();
    let by = Attribution { actor: "test".into(), why: "test".into() };
    let writes = vec![Write::Put { object, expected }];
    served.plane.store.commit(ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

/// A client's own web server: its metadata, and nothing else.
struct Software {
    client_id: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Software {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Software {
    async fn start(name: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client_id = format!("http://{}/client.json", listener.local_addr().unwrap());
        let document = json!({
            "client_id": client_id, "client_name": name, "redirect_uris": [REDIRECT, "http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
        });
        let router = Router::new().route("/client.json", get(async move || Json(document)));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { client_id, serving }
    }
}

const REDIRECT: &str = "https://app.example/callback";

/// A browser: it keeps cookies, and follows nothing by itself.
struct Browser {
    client: reqwest::Client,
    cookies: HashMap<String, String>,
}

struct Seen {
    status: u16,
    location: Option<String>,
    headers: header::HeaderMap,
    body: String,
}

impl Browser {
    fn new() -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, cookies: HashMap::new() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(header::COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            // What is carried to a provider has to come back by a link from there; a session never does.
            let site = if text.starts_with("provost-signin=") { "SameSite=Lax" } else { "SameSite=Strict" };
            assert!(text.contains("HttpOnly") && text.contains(site) && text.contains("Path=/"), "{text}");
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => drop(self.cookies.remove(name)),
                value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        let location =
            response.headers().get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Seen { status, location, headers, body: response.text().await.unwrap() }
    }

    async fn get(&mut self, url: &str) -> Seen {
        let request = self.client.get(url);
        self.send(request).await
    }

    /// A form, as a browser sends it from a page of this origin.
    async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Seen {
        let request = self.client.post(url).header("sec-fetch-site", "same-origin");
        let request =
            request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(query(form));
        self.send(request).await
    }

    /// Follows redirects until there is a page, or an address that is not the plane's or the provider's.
    async fn follow(&mut self, url: &str) -> (String, Seen) {
        let mut url = Url::parse(url).unwrap();
        for _step in 0..10 {
            if url.host_str() != Some("127.0.0.1") {
                break;
            }
            let seen = self.get(url.as_str()).await;
            let Some(location) = &seen.location else { return (url.to_string(), seen) };
            url = url.join(location).unwrap();
        }
        panic!("it went in circles, or away: {url}");
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse("form:").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

fn parameters(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// What a hidden input of a page holds.
fn hidden(page: &str, name: &str) -> String {
    let (_before, rest) =
        page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

struct Ready {
    served: Served,
    okta: TestIssuer,
    app: Software,
}

impl Ready {
    /// The small organisation in the sandbox, with a provider that links by mail address; the clerk runs in `app`.
    async fn start() -> Self {
        let served = serve().await;
        let mut files = files();
        for index in [1, 2] {
            let text = files[index]["text"].as_str().unwrap().replace("\"production\"", "\"sandbox\"");
            files[index]["text"] = json!(text);
        }
        let organisation = files[0]["text"].as_str().unwrap();
        let organisation = organisation
            .replace("display = \"Jonas\"", "display = \"Jonas\"\nemail = \"jonas@acme.example\"")
            .replace("display = \"Maria\"", "display = \"Maria\"\nemail = \"maria@acme.example\"");
        files[0]["text"] = json!(organisation);
        served.post("/apply", json!({"files": files, "reason": "the test begins"})).await.ok();
        let (okta, app) = (TestIssuer::start().await, Software::start("Ledger <b>App</b>").await);
        let row = json!({
            "name": "okta", "description": "Acme's identity provider", "issuer": okta.url, "owner": "maria",
            "keys": {"from": "discovery"},
            "people": {"client_id": "provost", "sign_in": true, "assertions": false, "link": "email",
                "groups_claim": "groups", "roles": {"ops": ["operator"]}},
        });
        put(&served, Object::Issuer(serde_json::from_value::<Issuer>(row).unwrap())).await;
        let clerk = served.plane.replica.latest().directory.agents.values().next().unwrap().clone();
        let mut clerk = clerk.as_ref().clone();
        clerk.proofs =
            vec![Proof::Client { client_id: app.client_id.clone(), added: Timestamp::from_millis(0) }];
        put(&served, Object::Agent(clerk)).await;
        Self { served, okta, app }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.plane.issuer)
    }

    fn says(&self, claims: Value) {
        *self.okta.says.lock().unwrap() = claims;
    }

    async fn browser_of(&self, subject: &str, email: &str) -> Browser {
        self.says(
            json!({"sub": subject, "email": email, "email_verified": true, "groups": ["ops", "staff"]}),
        );
        let mut browser = Browser::new();
        let (_place, _page) = browser.follow(&self.url("/signin/okta?to=/signin")).await;
        assert!(browser.cookies.contains_key("provost"), "signed in");
        browser
    }

    fn request(&self, more: &[(&str, &str)]) -> String {
        let challenge = Challenge::of(VERIFIER).to_stored().to_string();
        let resource = self.url("/mcp/bank");
        let mut pairs: Vec<(&str, &str)> = vec![
            ("response_type", "code"),
            ("client_id", &self.app.client_id),
            ("redirect_uri", REDIRECT),
            ("state", "s-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", &resource),
        ];
        for (name, value) in more {
            pairs.retain(|(known, _)| known != name);
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
        format!("{}?{}", self.url("/oauth/authorize"), query(&pairs))
    }

    /// The person says yes to the clerk with these tools; gives the code.
    async fn agree(&self, browser: &mut Browser, tools: &[&str], more: &[(&str, &str)]) -> String {
        let page = browser.get(&self.request(more)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let asked = hidden(&page.body, "asked");
        let mut form =
            vec![("asked", asked.as_str()), ("agent", "clerk"), ("purpose", "the invoices of May")];
        form.extend(tools.iter().map(|tool| ("tool", *tool)));
        let answered = browser.post(&self.url("/oauth/authorize"), &form).await;
        let answer = parameters(&answered.location.unwrap());
        assert_eq!(answer["state"], "s-1");
        assert_eq!(answer["iss"], self.served.plane.issuer, "RFC 9207");
        answer.get("code").unwrap_or_else(|| panic!("{answer:?}")).clone()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.served.client.post(self.url("/oauth/token"));
        let request =
            request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(query(form));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn redeem(&self, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", &self.app.client_id),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in more {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        self.token(&form).await
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &self.app.client_id),
        ])
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_their_provider_and_out_again_and_it_is_on_record() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    // The plane proved itself to the provider with its own key; there is no secret.
    let redeemed = ready.okta.redeemed.lock().unwrap().clone();
    assert!(redeemed["client_assertion"].len() > 100 && !redeemed.contains_key("client_secret"));
    let directory = ready.served.plane.replica.latest().directory.clone();
    let session = directory.sessions.values().next().unwrap();
    assert_eq!((session.person.as_str(), session.by.as_str()), ("maria", "issuer okta"));
    assert_eq!(serde_json::to_value(&session.roles).unwrap(), json!(["operator"]));
    let maria = ready
        .served
        .plane
        .replica
        .latest()
        .directory
        .people
        .values()
        .find(|p| p.name.as_str() == "maria")
        .unwrap()
        .clone();
    assert_eq!(maria.logins[0].subject, "00u7", "the next time the mail address no longer matters");
    // The cookie is the only place of the secret.
    let cookie = browser.cookies["provost"].clone();
    assert!(!serde_json::to_string(session.as_ref()).unwrap().contains(&cookie));
    let out = browser.post(&ready.url("/signout"), &[]).await;
    assert_eq!(out.status, 200, "{}", out.body);
    assert!(ready.served.plane.replica.latest().directory.sessions.is_empty());
    browser.cookies.insert("provost".to_owned(), cookie);
    let after = browser.get(&ready.request(&[])).await;
    assert!(
        after.location.unwrap().starts_with("/signin?to=%2Foauth%2Fauthorize"),
        "an ended session is nobody's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_whom_the_provider_or_the_organisation_does_not_vouch_for() {
    let ready = Ready::start().await;
    let table = [
        ("a stranger", json!({"sub": "00u9", "email": "mallory@evil.example", "email_verified": true})),
        (
            "an address nobody verified",
            json!({"sub": "00u9", "email": "maria@acme.example", "email_verified": false}),
        ),
        ("no address", json!({"sub": "00u9"})),
        (
            "for another client",
            json!({"sub": "00u1", "aud": "another", "email": "maria@acme.example", "email_verified": true}),
        ),
        (
            "of another sign-in",
            json!({"sub": "00u1", "nonce": "another", "email": "maria@acme.example", "email_verified": true}),
        ),
        (
            "of another issuer",
            json!({"sub": "00u1", "iss": "https://evil.example", "email": "maria@acme.example", "email_verified": true}),
        ),
        (
            "an old token",
            json!({"sub": "00u1", "exp": 1, "email": "maria@acme.example", "email_verified": true}),
        ),
    ];
    for (what, claims) in table {
        ready.says(claims);
        let mut browser = Browser::new();
        let (_place, page) = browser.follow(&ready.url("/signin/okta")).await;
        assert_eq!(page.status, 403, "{what}: {}", page.body);
        assert!(!browser.cookies.contains_key("provost"), "{what}");
    }
    // Somebody who has the mail address now is not who had it before.
    ready.browser_of("00u1", "maria@acme.example").await;
    ready.says(json!({"sub": "00u2", "email": "maria@acme.example", "email_verified": true}));
    let mut browser = Browser::new();
    let (_place, page) = browser.follow(&ready.url("/signin/okta")).await;
    assert_eq!(page.status, 403);
    assert!(ready.served.plane.replica.latest().directory.sessions.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_another_browser_began_signs_nobody_in() {
    let ready = Ready::start().await;
    ready.says(json!({"sub": "00u7", "email": "maria@acme.example", "email_verified": true}));
    let mut attacker = Browser::new();
    let leaving = attacker.get(&ready.url("/signin/okta")).await.location.unwrap();
    let back = attacker.get(&leaving).await.location.unwrap();
    let mut victim = Browser::new();
    let page = victim.get(&back).await;
    assert_eq!(page.status, 403, "the victim would be signed in as the attacker");
    assert!(!victim.cookies.contains_key("provost"));
    // Mixed up, forged, or without who answers.
    for change in [("state", "forged"), ("iss", "https://evil.example"), ("iss", "")] {
        let mut browser = Browser::new();
        let leaving = browser.get(&ready.url("/signin/okta")).await.location.unwrap();
        let back = Url::parse(&browser.get(&leaving).await.location.unwrap()).unwrap();
        let mut spoiled = back.clone();
        spoiled.query_pairs_mut().clear();
        for (name, value) in back.query_pairs() {
            let value = if name == change.0 { change.1 } else { &value };
            if !value.is_empty() {
                spoiled.query_pairs_mut().append_pair(&name, value);
            }
        }
        assert_eq!(browser.get(spoiled.as_str()).await.status, 403, "{change:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_an_agent_act_for_them_with_the_tools_they_leave_in() {
    let ready = Ready::start().await;
    let mut browser = Browser::new();
    ready.says(json!({"sub": "00u7", "email": "maria@acme.example", "email_verified": true}));
    // Who comes from the client is sent to sign in first, and comes back to the question.
    let (place, page) = browser.follow(&ready.request(&[])).await;
    assert!(place.contains("/signin?to="), "{place}");
    assert!(
        page.body.contains("Continue with Acme&#39;s identity provider")
            || page.body.contains("Continue with Acme"),
        "{}",
        page.body
    );
    let to = parameters(&place)["to"].clone();
    let (place, page) = browser.follow(&ready.url(&format!("/signin/okta?{}", query(&[("to", &to)])))).await;
    assert!(place.contains("/oauth/authorize?"), "{place}");
    for text in [
        "Maria",
        "clerk",
        "bank/list_accounts",
        "bank/transfer",
        "financial",
        "127.0.0.1",
        "https://app.example",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    // What the software calls itself is text.
    assert!(page.body.contains("Ledger &#60;b&#62;App") && !page.body.contains("<b>App"), "{}", page.body);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("form-action 'self' https://app.example"),
        "{policy}"
    );

    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (status, granted) = ready.redeem(&code, &[("resource", &ready.url("/mcp/bank"))]).await;
    assert_eq!(status, 200, "{granted}");
    let token = granted["access_token"].as_str().unwrap();
    let claims = ready.served.plane.token_keys.verifier().issued(token, ready.served.plane.now()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.act.unwrap().sub.as_str()), ("maria", "clerk"));
    assert_eq!(claims.aud, ready.url("/mcp/bank"));
    let task = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(
        (task["requester"].as_str(), task["purpose"].as_str()),
        (Some("maria"), Some("the invoices of May"))
    );
    assert_eq!(task["scope"][0]["tools"], json!(["list_accounts"]));
    assert_eq!(task["history"].as_array().unwrap().last().unwrap()["actor"], "person maria");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_one_client_one_verifier_and_one_use_and_a_second_use_ends_the_task() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let other = Software::start("Other").await;
    let table: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("another client", vec![("client_id", &other.client_id)], "invalid_grant"),
        (
            "another verifier",
            vec![("code_verifier", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
            "invalid_grant",
        ),
        ("a verifier that is none", vec![("code_verifier", "short")], "invalid_request"),
        ("another address", vec![("redirect_uri", "https://evil.example/")], "invalid_grant"),
        ("another resource", vec![("resource", "https://other.example")], "invalid_target"),
        ("a code that is none", vec![("code", "AAAA")], "invalid_grant"),
    ];
    for (what, more, error) in table {
        let (status, refusal) = ready.redeem(&code, &more).await;
        assert_eq!((status, refusal["error"].as_str()), (400, Some(error)), "{what}: {refusal}");
    }
    let (status, granted) = ready.redeem(&code, &[]).await;
    assert_eq!(status, 200, "{granted}");
    let (status, refusal) = ready.redeem(&code, &[]).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
    let task = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(task["status"], "ended", "one of the two is a thief");
    let (status, refusal) = ready.refresh(granted["refresh_token"].as_str().unwrap()).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_and_one_that_comes_again_ends_the_task() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (_status, granted) = ready.redeem(&code, &[]).await;
    let first = granted["refresh_token"].as_str().unwrap().to_owned();
    let (status, second) = ready.refresh(&first).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["refresh_token"], granted["refresh_token"]);
    assert_eq!(second["task"], granted["task"]);
    let other = Software::start("Other").await;
    let stolen = [
        ("grant_type", "refresh_token"),
        ("refresh_token", second["refresh_token"].as_str().unwrap()),
        ("client_id", &other.client_id),
    ];
    assert_eq!(ready.token(&stolen).await.1["error"], "invalid_grant");
    let guessed = format!("{}x", second["refresh_token"].as_str().unwrap());
    assert_eq!(ready.refresh(&guessed).await.1["error"], "invalid_grant");
    let (status, third) = ready.refresh(second["refresh_token"].as_str().unwrap()).await;
    assert_eq!(status, 200, "what others tried changed nothing: {third}");
    let (_status, refusal) = ready.refresh(&first).await;
    assert_eq!(refusal["error"], "invalid_grant");
    let (_status, refusal) = ready.refresh(third["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refusal["error"], "invalid_grant", "the whole family is gone");
    let task = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(task["status"], "ended");
    // A client gives back what it needs no more, and another cannot.
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (_status, granted) = ready.redeem(&code, &[]).await;
    let token = granted["refresh_token"].as_str().unwrap();
    let revoke = async |client_id: &str, token: &str| {
        let request = ready.served.client.post(ready.url("/oauth/revoke"));
        let body = query(&[("token", token), ("client_id", client_id)]);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(revoke(&other.client_id, token).await, 400);
    assert_eq!(revoke(&ready.app.client_id, &format!("{token}x")).await, 200, "nobody has that one");
    let shown = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(shown["status"], "running");
    assert_eq!(revoke(&ready.app.client_id, token).await, 200);
    let shown = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(shown["status"], "ended");
    // What the store holds of a token is not the token.
    let rows = serde_json::to_string(&task).unwrap();
    assert!(!rows.contains("provost_refresh_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_a_fresh_sign_in_gets_one_and_a_request_too_long_to_carry_is_told_so() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    assert_eq!(browser.get(&ready.request(&[("max_age", "0")])).await.status, 200, "it is a moment old");
    let view = ready.served.plane.replica.latest();
    let mut session = view.directory.sessions.values().next().unwrap().as_ref().clone();
    session.started = Timestamp::from_millis(session.started.as_millis() - 600_000);
    put(&ready.served, Object::Session(session)).await;
    assert_eq!(browser.get(&ready.request(&[("max_age", "3600")])).await.status, 200);
    let again = browser.get(&ready.request(&[("max_age", "300")])).await.location.unwrap();
    let asked = parameters(&ready.url(&again));
    assert!(asked["again"] == "true" && asked["to"].contains("max_age=300"), "{asked:?}");
    let leaving =
        browser.get(&ready.url(&format!("/signin/okta?again=true&{}", query(&[("to", &asked["to"])])))).await;
    assert_eq!(parameters(&leaving.location.unwrap())["prompt"], "login");

    let long = "x".repeat(3_900);
    let seen = Browser::new().get(&ready.url(&format!("/signin/okta?to=/{long}"))).await;
    assert_eq!(seen.status, 400, "{}", seen.body);
    assert!(seen.body.contains("too long to come back to"), "{}", seen.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_address_that_is_not_the_clients_own() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    for redirect in [
        "https://evil.example/callback",
        "https://app.example/callback/../other",
        "https://app.example/callback?x=1",
        "https://app.example.evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost:9/callback",
    ] {
        let seen = browser.get(&ready.request(&[("redirect_uri", redirect)])).await;
        assert_eq!((seen.status, seen.location), (400, None), "{redirect}");
    }
    // A program on this machine gets its port when it starts.
    let seen = browser.get(&ready.request(&[("redirect_uri", "http://127.0.0.1:51004/callback")])).await;
    assert_eq!(seen.status, 200);
    // What else is wrong the client learns, at its own address.
    for (more, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("resource", "https://other.example/mcp")], "invalid_target"),
        (vec![("prompt", "none")], "invalid_request"),
        (vec![("request", "x.y.z")], "request_not_supported"),
    ] {
        let seen = browser.get(&ready.request(&more)).await;
        let location = seen.location.unwrap();
        assert!(location.starts_with(REDIRECT), "{location}");
        let answer = parameters(&location);
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), (error, "s-1"), "{answer:?}");
        assert_eq!(answer["iss"], ready.served.plane.issuer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_given_on_our_page_by_the_person_it_was_asked_of_and_for_no_more_than_asked() {
    let ready = Ready::start().await;
    let mut maria = ready.browser_of("00u7", "maria@acme.example").await;
    let page = maria.get(&ready.request(&[])).await;
    let asked = hidden(&page.body, "asked");
    let form = [("asked", asked.as_str()), ("agent", "clerk"), ("purpose", "x"), ("tool", "bank/transfer")];
    let url = ready.url("/oauth/authorize");
    // From another site, by whatever the browser says of it.
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("x-nothing", "x")]
    {
        let request = maria.client.post(&url).header(name, value);
        let request =
            request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(query(&form));
        assert_eq!(maria.send(request).await.status, 403, "{name}: {value}");
    }
    let foreign = maria.client.post(&url).header(header::ORIGIN, "https://evil.example").body(query(&form));
    assert_eq!(maria.send(foreign).await.status, 403);
    // Another person's question, and somebody whose agent it is not.
    let mut jonas = ready.browser_of("00u8", "jonas@acme.example").await;
    assert_eq!(jonas.post(&url, &form).await.status, 400);
    let page = jonas.get(&ready.request(&[])).await;
    assert!(page.body.contains("No agent that you may use"), "{}", page.body);
    let asked = hidden(&page.body, "asked");
    let own = [("asked", asked.as_str()), ("agent", "clerk"), ("purpose", "x"), ("tool", "bank/transfer")];
    let answer = jonas.post(&url, &own).await;
    assert_eq!(parameters(&answer.location.unwrap())["error"], "access_denied");
    // No, nothing, and more than was asked.
    for (form, why) in [
        (vec![("asked", hidden(&maria.get(&ready.request(&[])).await.body, "asked"))], "no"),
        (
            vec![
                ("asked", hidden(&maria.get(&ready.request(&[])).await.body, "asked")),
                ("agent", "clerk".to_owned()),
                ("purpose", "x".to_owned()),
            ],
            "no tool",
        ),
        (
            vec![
                ("asked", hidden(&maria.get(&ready.request(&[])).await.body, "asked")),
                ("agent", "clerk".to_owned()),
                ("purpose", "x".to_owned()),
                ("tool", "bank/close_account".to_owned()),
            ],
            "a tool outside",
        ),
    ] {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = maria.post(&url, &form).await;
        assert_eq!(parameters(&answer.location.unwrap())["error"], "access_denied", "{why}");
    }
    assert!(ready.served.plane.replica.latest().directory.tasks.is_empty(), "none of these started anything");
    // Tampered with.
    let answer = maria.post(&url, &[("asked", "AAAA"), ("agent", "clerk")]).await;
    assert_eq!((answer.status, answer.location), (400, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_left_is_signed_out_and_their_agents_tokens_end() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u8", "jonas@acme.example").await;
    let clerk = ready.served.plane.replica.latest().directory.agents.values().next().unwrap().clone();
    let mut row = clerk.as_ref().clone();
    row.charter.users = vec!["jonas".parse().unwrap()].into();
    put(&ready.served, Object::Agent(row)).await;
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (status, granted) = ready.redeem(&code, &[]).await;
    assert_eq!(status, 200, "{granted}");
    let jonas = ready
        .served
        .plane
        .replica
        .latest()
        .directory
        .people
        .values()
        .find(|p| p.name.as_str() == "jonas")
        .unwrap()
        .clone();
    let mut gone = jonas.as_ref().clone();
    gone.active = false;
    put(&ready.served, Object::Person(gone)).await;
    let (_status, refusal) = ready.refresh(granted["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refusal["error"], "invalid_grant");
    assert!(refusal["error_description"].as_str().unwrap().contains("left"), "{refusal}");
    let seen = browser.get(&ready.request(&[])).await;
    assert!(seen.location.unwrap().starts_with("/signin"), "their session is nobody's");
    let (_place, page) = browser.follow(&ready.url("/signin/okta")).await;
    assert_eq!(page.status, 403, "and there is no new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_connects_an_account_once_and_takes_it_back_and_nobody_sees_what_opens_it() {
    let ready = Ready::start().await;
    let crm = TestIssuer::start().await;
    let text = format!(
        "[system]\ndescription = \"Customers\"\nenvironment = \"sandbox\"\napi = \"http://127.0.0.1:9/\"\nrevocation_max = \"1m\"\n\
         [system.credential]\nkind = \"account\"\nissuer = \"{0}\"\ntoken_endpoint = \"{0}/token\"\n\
         authorization_endpoint = \"{0}/authorize\"\nrevocation_endpoint = \"{0}/revoke\"\nclient_id = \"provost\"\n\
         scope = \"calendar offline_access\"\n",
        crm.url
    );
    let files = json!([{"path": "systems/crm.toml", "text": text}]);
    ready.served.post("/apply", json!({"files": files, "reason": "a system with accounts"})).await.ok();
    let mut maria = ready.browser_of("00u7", "maria@acme.example").await;
    let page = maria.get(&ready.url("/accounts")).await;
    assert!(
        page.body.contains("Customers") && page.body.contains("calendar offline_access"),
        "{}",
        page.body
    );

    // Somebody else's answer connects nothing: the account would be theirs, and the data too.
    let mut jonas = ready.browser_of("00u8", "jonas@acme.example").await;
    let leaving = jonas.get(&ready.url("/accounts/crm/connect")).await.location.unwrap();
    let back = jonas.get(&leaving).await.location.unwrap();
    assert_eq!(maria.get(&back).await.status, 403);
    assert!(ready.served.plane.replica.latest().directory.accounts.is_empty());

    let (place, page) = maria.follow(&ready.url("/accounts/crm/connect")).await;
    assert!(place.ends_with("/accounts") && page.body.contains("Connected since"), "{place}: {}", page.body);
    let view = ready.served.plane.replica.latest();
    let account = view.directory.accounts.values().next().unwrap();
    assert_eq!((account.person.as_str(), account.system.as_str()), ("maria", "crm"));
    let sealed = ready.served.plane.store.sealed(&account.sealed).await.unwrap().unwrap();
    let opened =
        ready.served.plane.sealing_key.open(&format!("account:{}", account.sealed), &sealed).unwrap();
    assert!(String::from_utf8_lossy(opened.dangerous_expose()).contains("refresh-of-maria"));
    // Sealed where it rests, and nowhere else.
    assert!(!String::from_utf8_lossy(&sealed).contains("refresh-of-maria"));
    for row in ready.served.plane.store.unsequenced(1_000).await.unwrap() {
        assert!(!row.record.contains("refresh-of-maria"), "{}", row.record);
    }
    assert_eq!(jonas.post(&ready.url("/accounts/crm/disconnect"), &[]).await.status, 404, "not his");
    let request =
        maria.client.post(ready.url("/accounts/crm/disconnect")).header("sec-fetch-site", "cross-site");
    assert_eq!(maria.send(request).await.status, 403);
    let gone = maria.post(&ready.url("/accounts/crm/disconnect"), &[]).await;
    assert_eq!(gone.location.as_deref(), Some("/accounts"), "{}", gone.body);
    assert!(crm.revoked.lock().unwrap().iter().any(|form| form.contains("refresh-of-maria")));
    let view = ready.served.plane.replica.latest();
    assert!(view.directory.accounts.is_empty());
    assert!(ready.served.plane.store.sealed(&account.sealed).await.unwrap().unwrap_or_default().is_empty());
}
