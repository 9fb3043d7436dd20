//! Who asks for access on behalf of an agent, over a real socket.

use crate::{
    approvals::{answer_it, row},
    authzen::Pdp,
};
use provost_domain::{Approval, Object, TaskId};
use serde_json::{Value, json};

pub const OURS: &str = "urn:openid:authzen:access-request:error:";

/// A plane, a task of its agent, and the gateway that asks about it.
pub struct Desk {
    pub pdp: Pdp,
    pub task: TaskId,
}

pub struct Told {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Told {
    pub fn problem(&self) -> &str {
        let kind = self.headers["content-type"].to_str().unwrap();
        assert_eq!(kind, "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], json!(self.status));
        let word = self.body["type"].as_str().unwrap();
        word.strip_prefix(OURS).unwrap_or(word)
    }

    pub fn id(&self) -> String {
        self.body["task"]["id"].as_str().unwrap_or_else(|| panic!("{}", self.body)).to_owned()
    }
}

impl Desk {
    pub async fn open() -> Self {
        let pdp = Pdp::start().await;
        let (task, _token) = pdp.plane.task().await;
        Self { pdp, task }
    }

    pub fn action(&self, amount: u32) -> Value {
        let args = json!({"from_account": "operations", "payee": "x", "amount": amount, "reference": "x"});
        json!({"name": "transfer", "properties": {"arguments": args}})
    }

    pub fn question(&self, amount: u32) -> Value {
        json!({
            "subject": {"type": "agent", "id": "invoice-clerk"},
            "action": self.action(amount),
            "resource": {"type": "system", "id": "bank"},
            "context": {"task": self.task},
        })
    }

    pub async fn send(
        &self,
        token: &str,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Told {
        let request = match method {
            "GET" => self.pdp.http.get(format!("{}{path}", self.pdp.url)),
            _ => self.pdp.http.post(format!("{}{path}", self.pdp.url)),
        };
        let request = key
            .iter()
            .fold(request.bearer_auth(token), |request, key| request.header("idempotency-key", *key));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Told { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub async fn evaluate(&self, token: &str, body: &Value) -> Value {
        let told = self.send(token, "POST", "/access/v1/evaluation", None, Some(body)).await;
        assert_eq!(told.status, 200, "{}", told.body);
        told.body
    }

    /// What a denial says of itself when it is asked about.
    pub async fn denial(&self, amount: u32) -> Value {
        let held = self.evaluate("gateway", &self.question(amount)).await;
        let context = &held["context"];
        assert_eq!(
            (&held["decision"], &context["reason"]),
            (&json!(false), &json!("approval_required")),
            "{held}"
        );
        json!({
            "evaluation_id": context["evaluation_id"], "evaluated_at": context["evaluated_at"],
            "expires_at": context["access_request"]["expires_at"], "reason": context["reason"],
        })
    }

    pub async fn submission(&self, amount: u32) -> Value {
        let mut body = self.question(amount);
        body["denial"] = self.denial(amount).await;
        body
    }

    pub async fn submit(&self, token: &str, key: Option<&str>, body: &Value) -> Told {
        self.send(token, "POST", "/access/v1/requests", key, Some(body)).await
    }

    pub async fn get(&self, token: &str, id: &str) -> Told {
        self.send(token, "GET", &format!("/access/v1/requests/{id}"), None, None).await
    }

    pub async fn cancel(&self, id: &str, body: Option<&Value>) -> Told {
        self.send("gateway", "POST", &format!("/access/v1/requests/{id}/cancel"), None, body).await
    }

    /// Ben may answer too.
    pub async fn with_ben(&self) {
        let plane = &self.pdp.plane;
        plane.change(Object::Person(crate::plane::person("ben")), 0).await;
        let mut agent = plane.agent();
        agent.charter.deputies = vec!["ben".parse().unwrap()].into();
        plane.change(Object::Agent(agent), 1).await;
    }

    /// The plane's own approval of an amount.
    pub fn approval(&self, amount: u32) -> String {
        let view = self.pdp.plane.replica.latest();
        let found = view.directory.approvals.values().find(|row| row.args["amount"] == json!(amount));
        found.unwrap().id.clone()
    }

    pub async fn vote(&self, amount: u32, yes: bool) -> String {
        self.vote_by("maria", amount, yes).await
    }

    pub async fn vote_by(&self, who: &str, amount: u32, yes: bool) -> String {
        self.pdp.plane.replica.catch_up().await.unwrap();
        let id = self.approval(amount);
        answer_it(&self.pdp.plane, &id, who, yes).await;
        id
    }

    pub async fn put(&self, id: &str, change: impl FnOnce(Approval) -> Approval) {
        let (version, known) = row(&self.pdp.plane, id).await;
        self.pdp.plane.change(Object::Approval(Box::new(change(known))), version).await;
    }

    /// An evaluation with what was given as the approval.
    pub async fn again(&self, token: &str, amount: u32, approval: &Value) -> Value {
        let mut body = self.question(amount);
        body["context"]["approval"] = approval.clone();
        self.evaluate(token, &body).await
    }
}
