#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! Passkeys over real sockets: links, sign-in, a person's own passkeys and sessions, and the signed yes; by an authenticator in
//! software that does what a device does. What a browser makes of it is in `server/tests/it/passkeys.rs`.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../common/mod.rs"]
mod common;

mod answers;
mod own;

use common::{Served, files, serve};
use provost_domain::{DurationMs, Object, ObjectKey};
use provost_passkey::{Party, decode, encode, soft::Authenticator};
use serde_json::{Value, json};

/// A person's browser and device.
struct Browser {
    plane: String,
    client: reqwest::Client,
    cookie: String,
    device: Authenticator,
    party: Party,
}

struct Heard {
    status: u16,
    body: Value,
    cookie: Option<String>,
}

impl Browser {
    fn new(served: &Served, seed: u8) -> Self {
        Self {
            plane: served.plane.issuer.clone(),
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            cookie: String::new(),
            device: Authenticator::from_seed(&[seed; 32]).unwrap(),
            party: Party::of(&served.plane.issuer).unwrap(),
        }
    }

    /// As a page of the plane sends it.
    async fn post(&self, path: &str, body: &Value) -> Heard {
        self.send("POST", path, "same-origin", Some(body)).await
    }

    async fn send(&self, method: &str, path: &str, site: &str, body: Option<&Value>) -> Heard {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.plane));
        request = request.header("sec-fetch-site", site).header("cookie", &self.cookie);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Heard { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)), cookie }
    }

    fn keep(&mut self, heard: &Heard) {
        let cookie = heard.cookie.as_ref().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    fn made(&self, asked: &Value, name: &str) -> Value {
        let challenge = decode("challenge", asked["challenge"].as_str().unwrap()).unwrap();
        let answer = self.device.register(&challenge, &self.party);
        json!({"ticket": asked["ticket"], "name": name, "id": encode(&answer.id),
            "client_data": encode(&answer.client_data), "attestation": encode(&answer.attestation)})
    }

    fn signed(&mut self, asked: &Value) -> Value {
        let challenge = decode("challenge", asked["challenge"].as_str().unwrap()).unwrap();
        let answer = self.device.sign(&challenge, &self.party);
        json!({"ticket": asked["ticket"], "passkey": encode(&self.device.id),
            "client_data": encode(&answer.client_data), "signature": encode(&answer.signature),
            "authenticator_data": encode(&answer.authenticator_data)})
    }

    /// Opens a link and registers a passkey with it.
    async fn accept(&mut self, link: &str, more: Value) -> Heard {
        let secret = link.split_once('#').unwrap().1;
        let mut begin = json!({ "secret": secret });
        for (name, value) in more.as_object().unwrap() {
            begin[name] = value.clone();
        }
        let asked = self.post("/invite/begin", &begin).await;
        if asked.status != 200 {
            return asked;
        }
        let passkey = self.made(&asked.body, "laptop");
        let heard = self.post("/invite/finish", &json!({ "secret": secret, "passkey": passkey })).await;
        if heard.status == 200 {
            self.keep(&heard);
        }
        heard
    }

    async fn sign_in(&mut self) -> Heard {
        let asked = self.post("/signin/passkey/begin", &json!({ "to": "/approvals" })).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let signed = self.signed(&asked.body);
        let heard = self.post("/signin/passkey/finish", &signed).await;
        if heard.status == 200 {
            self.keep(&heard);
        }
        heard
    }

    /// Signs a yes to an approval: `kind` is `answer`, `edit` or `envelope`.
    async fn yes(&mut self, id: &str, kind: &str, deed: &str, body: Value) -> Heard {
        let asked = self.post(&format!("/api/v1/approvals/{id}/statement"), &json!({ kind: body })).await;
        if asked.status != 200 {
            return asked;
        }
        let mut body = body;
        body["signed"] = self.signed(&asked.body);
        self.post(&format!("/api/v1/approvals/{id}/{deed}"), &body).await
    }
}

/// A plane whose production takes signatures, maria signed in with a passkey, and a task of the clerk.
async fn stage() -> (Served, Browser, String) {
    let served = serve().await;
    let mut files = files();
    let text = files[0]["text"].as_str().unwrap().replace("signed = \"never\"", "signed = \"production\"");
    files[0]["text"] = json!(text);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    let link = served.post("/people/maria/invite", json!({ "reason": "she starts" })).await.ok();
    let mut maria = Browser::new(&served, 1);
    let welcomed = maria.accept(link["url"].as_str().unwrap(), json!({})).await;
    assert_eq!((welcomed.status, &welcomed.body["to"]), (200, &json!("/console")), "{}", welcomed.body);
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    (served, maria, task)
}

/// Another row of a person, as applying files would write it.
async fn change(served: &Served, name: &str, with: impl FnOnce(&mut provost_domain::Person)) {
    let key = ObjectKey::new(provost_domain::Kind::Person, name);
    let expected = served.plane.store.version(&key).await.unwrap();
    let mut person = served.plane.replica.latest().directory.people
        [&name.parse::<provost_domain::Name>().unwrap()]
        .as_ref()
        .clone();
    with(&mut person);
    let by = provost_store::Attribution { actor: "test".into(), why: "test".into() };
    let writes = vec![provost_store::Write::Put { object: Object::Person(person), expected }];
    served.plane.store.commit(provost_store::ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}
