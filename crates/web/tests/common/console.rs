//! An organisation with something on every page, and people who look at it.

pub use crate::common::put;
use crate::common::{Served, decided::decide, serve};
use provost_domain::{DecisionId, Digest, DurationMs, Object, Session, Timestamp, person::Role};
use reqwest::header;
use serde_json::{Value, json};
use std::time::Duration;

pub struct Stage {
    pub served: Served,
    pub task: String,
    /// Allowed; refused.
    pub decisions: [String; 2],
}

impl Stage {
    pub async fn set() -> Self {
        let served = serve().await;
        served.apply().await;
        Self::over(served, "look at the accounts", json!({"payee": "ACME", "amount": 900.5})).await
    }

    /// Over what was applied already.
    pub async fn over(served: Served, purpose: &str, payment: Value) -> Self {
        let task = served.post("/tasks", json!({ "agent": "clerk", "purpose": purpose })).await.ok();
        let task = task["task"]["id"].as_str().unwrap().to_owned();
        let allowed = call(&served, &task, "list_accounts", json!({})).await.to_string();
        // Told apart by their times, too.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let refused = call(&served, &task, "transfer", payment).await.to_string();
        Self { served, task, decisions: [allowed, refused] }
    }

    pub async fn signed_in(&self, person: &str, roles: &[Role]) -> Browser {
        self.signed_in_until(person, roles, self.served.plane.now().plus(DurationMs::from_mins(60))).await
    }

    pub async fn signed_in_until(&self, person: &str, roles: &[Role], expires: Timestamp) -> Browser {
        let secret = format!("test-{person}-{}-{expires:?}", roles.len());
        let row = Session {
            id: Digest::of(secret.as_bytes()),
            person: person.parse().unwrap(),
            roles: roles.iter().copied().collect(),
            by: "a test".to_owned(),
            passkey: None,
            started: Timestamp::from_millis(0),
            seen: Some(self.served.plane.now()),
            expires,
            ended: false,
        };
        put(&self.served, Object::Session(row)).await;
        Browser::new(&self.served, &secret)
    }

    pub async fn sign_out(&self, browser: &Browser) {
        let id = Digest::of(browser.secret.as_bytes());
        let row = self.served.plane.replica.latest().directory.sessions[&id].as_ref().clone();
        put(&self.served, Object::Session(Session { ended: true, ..row })).await;
    }
}

/// Decides and records a call of the clerk.
pub async fn call(served: &Served, task: &str, tool: &str, args: Value) -> DecisionId {
    decide(served, ["clerk", "bank", tool], task, args).await.0
}

/// A browser with a session's cookie, or none.
pub struct Browser {
    client: reqwest::Client,
    plane: String,
    pub secret: String,
}

pub struct Seen {
    pub status: u16,
    pub location: String,
    pub headers: header::HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new(served: &Served, secret: &str) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, plane: served.plane.issuer.clone(), secret: secret.to_owned() }
    }

    pub async fn open(&self, path: &str) -> reqwest::Response {
        let request = self.client.get(format!("{}{path}", self.plane));
        let request = request.header(header::ACCEPT, "text/html,*/*;q=0.8");
        request.header(header::COOKIE, format!("provost={}", self.secret)).send().await.unwrap()
    }

    /// Sends a form as a browser does that stands on a page of this site.
    pub async fn post(&self, path: &str, site: &str, fields: &[(&str, &str)]) -> Seen {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = self.client.post(format!("{}{path}", self.plane)).body(form.finish());
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header(header::COOKIE, format!("provost={}", self.secret));
        Self::seen(request.header("sec-fetch-site", site).send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Seen {
        Self::seen(self.open(path).await).await
    }

    async fn seen(response: reqwest::Response) -> Seen {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let location = headers.get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
        Seen { status, location: location.unwrap_or_default(), headers, body: response.text().await.unwrap() }
    }
}

/// The next event of a stream, without the lines that only keep it open.
pub async fn event(stream: &mut reqwest::Response) -> String {
    let next = async {
        let mut text = String::new();
        while let Some(bytes) = stream.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            if text.starts_with("event:") && text.ends_with("\n\n") {
                return text;
            }
            if text.starts_with(':') {
                text.clear();
            }
        }
        format!("the stream ended: {text}")
    };
    tokio::time::timeout(Duration::from_secs(20), next).await.unwrap()
}
