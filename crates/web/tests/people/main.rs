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
#[path = "../common/mod.rs"]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../common/issuer.rs"]
mod issuer;

mod agreed;
mod sign_in;

use axum::{Json, Router, routing::get};
use common::{Served, files, put, serve};
use issuer::TestIssuer;
use provost_domain::{Issuer, Object, Proof, Timestamp};
use provost_token::Challenge;
use reqwest::{Url, header};
use serde_json::{Value, json};
use std::collections::HashMap;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

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
