//! An organisation with something on every page, and people who look at it.

use crate::common::{Served, serve};
use provost_domain::{
    Decision, DecisionId, Digest, DurationMs, Name, Object, Session, TaskId, Timestamp, decision::Subject,
    person::Role,
};
use provost_policy::Question;
use provost_store::{Attribution, ChangeSet, Intent, Write};
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

pub async fn put(served: &Served, object: Object) {
    let expected = served.plane.store.version(&object.key()).await.unwrap();
    let by = Attribution { actor: "test".into(), why: "test".into() };
    let writes = vec![Write::Put { object, expected }];
    served.plane.store.commit(ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

/// Decides and records a call of the clerk, as the gateway would.
pub async fn call(served: &Served, task: &str, tool: &str, args: Value) -> DecisionId {
    let plane = &served.plane;
    plane.replica.catch_up().await.unwrap();
    let view = plane.replica.latest();
    let directory = &view.directory;
    let (clerk, bank): (Name, Name) = ("clerk".parse().unwrap(), "bank".parse().unwrap());
    let task: TaskId = task.parse().unwrap();
    let (agent, args, now) = (&directory.agents[&clerk], args.as_object().unwrap().clone(), plane.now());
    let evaluation = view.pdp.decide(&Question {
        agent,
        task: &directory.tasks[&task],
        state: &plane.store.task_state(task).await.unwrap(),
        system: &directory.systems[&bank],
        tool: &directory.tools[&(bank.clone(), tool.parse().unwrap())],
        pinned: true,
        args: &args,
        approvals: &[],
        exhausted: &[],
        args_from: &provost_domain::origin::NOTHING,
        chain: &[],
        now,
    });
    let id = DecisionId::new(now, plane.random());
    let decision = Decision {
        v: 1,
        id,
        at: now,
        node: plane.node,
        view: directory.seq,
        policies: evaluation.policies,
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: "clerk".to_owned(),
            owner: Some(agent.charter.owner.clone()),
            revision: Some(agent.revision),
            task: Some(task),
            requester: Some(directory.tasks[&task].requester.clone()),
        },
        system: bank,
        tool: format!("bank/{tool}"),
        action: Digest::of(b"action"),
        approval: None,
        input: evaluation.input,
        verdict: evaluation.verdict,
        errors: evaluation.errors,
    };
    plane
        .store
        .record(Intent { decision: decision.into(), expects: None, charges: Vec::new() })
        .await
        .unwrap();
    id
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
