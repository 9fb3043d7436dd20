#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! The SCIM server over real sockets: what identity providers send, what becomes of people and their agents, who may not.

#[path = "../common/mod.rs"]
mod common;

mod forms;
mod governs;
mod leaving;
mod stranger;

use common::{Answer, Served, serve};
use serde_json::{Value, json};

/// A plane with two connectors, and their tokens.
pub struct Stage {
    pub served: Served,
    pub entra: String,
    pub okta: String,
}

const CONNECTORS: &str = r#"
[group.finance]
members = ["maria"]

[connector.entra]
description = "Entra ID of Test Ltd"
owner = "maria"

[connector.entra.groups]
"Finance Approvers" = { roles = ["approver"], group = "finance" }
"Provost Administrators" = { roles = ["administrator"] }

[connector.okta]
description = "Okta of a daughter company"
owner = "maria"
"#;

impl Stage {
    pub async fn built() -> Self {
        let served = serve().await;
        served.apply().await;
        apply(&served, CONNECTORS).await;
        let entra = token(&served, "entra").await;
        let okta = token(&served, "okta").await;
        Self { served, entra, okta }
    }

    /// What the first connector sends.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.served.send(method, &format!("/scim/v2{path}"), Some(&self.entra), body.as_ref()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Somebody of this `userName`; gives their id.
    pub async fn user(&self, user_name: &str) -> String {
        let made = self.send("POST", "/Users", Some(json!({"userName": user_name}))).await;
        assert_eq!(made.status, 201, "{:#}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }

    pub async fn group(&self, display: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let made =
            self.send("POST", "/Groups", Some(json!({"displayName": display, "members": members}))).await;
        assert_eq!(made.status, 201, "{:#}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }

    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        self.send("PATCH", path, Some(body)).await
    }

    /// The ids that a filter finds.
    pub async fn found(&self, endpoint: &str, filter: &str) -> Vec<String> {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let found = self.get(&format!("{endpoint}?filter={query}")).await.ok();
        let all = found["Resources"].as_array().unwrap().iter();
        let ids: Vec<String> = all.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found["totalResults"], ids.len(), "{filter}");
        ids
    }

    /// A person as the plane shows them.
    pub async fn person(&self, name: &str) -> Value {
        self.served.get(&format!("/people/{name}")).await.ok()
    }
}

pub async fn apply(served: &Served, text: &str) -> Value {
    let files =
        [common::files().as_array().unwrap().clone(), vec![json!({"path": "connectors.toml", "text": text})]]
            .concat();
    served
        .post(
            "/apply",
            json!({ "files": files, "reason": "the test says so", "break_glass": true, "person": "maria" }),
        )
        .await
        .ok()
}

pub async fn token(served: &Served, connector: &str) -> String {
    let path = format!("/connectors/{connector}/token");
    let issued = served.post(&path, json!({"reason": "the test begins"})).await.ok();
    issued["token"].as_str().unwrap().to_owned()
}

/// A refusal is one by the protocol: the status as a string, and the keyword.
pub fn refused(answer: &Answer, status: u16, kind: Option<&str>) {
    assert_eq!(answer.status, status, "{:#}", answer.body);
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(answer.body["status"], json!(status.to_string()));
    assert_eq!(answer.body.get("scimType").and_then(Value::as_str), kind, "{:#}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/scim+json");
}
