//! Which faces a task could have reached, what is presented there, and what counts as a refusal.
//!
//! Each request is chosen so that nothing happens even if a face takes the token: a `ping` outside of any session, a method
//! that no operation can have, a question about a tool that is not there. A refusal counts only when it says that this task
//! is over: had something else been wrong with the token, the refusal would prove nothing.

use super::door::{Answer, Door, Request};
use crate::{ControlError, oauth, plane::Plane, task};
use provost_domain::{
    Name, Task,
    system::Connection,
    task::{Probe, ProbeAnswer},
};
use provost_token::{Confirmation, OutwardProof, SigningKey};
use serde_json::{Value, json};

/// A face and what is presented to it.
struct Face {
    method: &'static str,
    path: String,
    /// The query after the path.
    query: &'static str,
    /// The one system the token is for.
    system: Option<Name>,
    presents: Presents,
}

/// How the token, or the task, comes in.
enum Presents {
    /// As the credential of the request.
    Credential,
    /// As what somebody else, who may ask, asks about (RFC 7662).
    Introspection,
    /// The task alone, as somebody who enforces names it (AuthZEN).
    Question(Name),
}

/// Tries each of them.
pub(crate) async fn try_all(plane: &Plane, door: &Door, task: &Task) -> Result<Vec<Probe>, ControlError> {
    let mut probes = Vec::new();
    for face in faces(plane, task) {
        let asked = ask(plane, door, task, &face).await;
        probes.push(asked?);
    }
    // Only an agent that proves itself may exchange, and the plane is none: what the endpoint asks of a subject token is
    // asked of it here.
    let token = Presented::make(plane, task, None)?;
    let spent = oauth::is_spent(plane, &token.token)?;
    let answer = if spent { ProbeAnswer::Refused } else { ProbeAnswer::Accepted };
    probes.push(Probe { face: EXCHANGE.to_owned(), at: plane.now(), answer, status: None });
    Ok(probes)
}

/// The whole, then each system of the charter that the task included, then those who are asked about tokens.
fn faces(plane: &Plane, task: &Task) -> Vec<Face> {
    let credential = |method, path: String, query, system: Option<&Name>| Face {
        method,
        path,
        query,
        system: system.cloned(),
        presents: Presents::Credential,
    };
    let mut faces = vec![
        credential("POST", "/mcp".to_owned(), "", None),
        // Of no approval: whoever may ask at all is told that there is none.
        credential("GET", "/held/approval_0".to_owned(), "", None),
    ];
    let view = plane.replica.latest();
    let agent = view.directory.agents.get(&task.agent);
    let reached = agent.map(|agent| agent.charter.systems()).unwrap_or_default();
    let included = |system: &Name| {
        task.scope.as_ref().is_none_or(|scope| scope.iter().any(|part| part.system == *system))
    };
    let systems = reached.into_iter().filter(|system| included(system)).take(SYSTEMS_MAX);
    let systems: Vec<_> = systems.filter_map(|system| view.directory.systems.get(system)).collect();
    for system in &systems {
        let name = Some(&system.name);
        faces.push(credential("POST", format!("/mcp/{}", system.name), "", name));
        match system.connection {
            Connection::HttpApi { .. } => {
                faces.push(credential("OPTIONS", format!("/proxy/{}/", system.name), "", name));
            }
            Connection::McpLocal => {
                faces.push(credential(
                    "GET",
                    format!("/enforce/v1/{}/watch", system.name),
                    "?wait_ms=0",
                    name,
                ));
            }
            Connection::McpHttp { .. } | Connection::McpStdio { .. } => {}
        }
    }
    let asked_about = |path: &str, presents| Face {
        method: "POST",
        path: path.to_owned(),
        query: "",
        system: None,
        presents,
    };
    faces.push(asked_about("/oauth/introspect", Presents::Introspection));
    if let Some(system) = systems.first() {
        faces.push(asked_about("/access/v1/evaluation", Presents::Question(system.name.clone())));
    }
    faces
}

async fn ask(plane: &Plane, door: &Door, task: &Task, face: &Face) -> Result<Probe, ControlError> {
    let token = Presented::make(plane, task, face.system.as_ref())?;
    let administrator = || ("Authorization", format!("Bearer {}", door.token()));
    let (headers, body) = match &face.presents {
        Presents::Credential => {
            let mut headers = token.headers(plane, face.method, &face.path)?;
            let body = if face.method == "POST" { PING.to_owned() } else { String::new() };
            headers.push(("Content-Type", "application/json".to_owned()));
            headers.push(("Accept", "application/json, text/event-stream".to_owned()));
            (headers, body)
        }
        Presents::Introspection => {
            let form = ("Content-Type", "application/x-www-form-urlencoded".to_owned());
            // A token is of letters, digits and `-_.`, and needs no escape.
            (vec![administrator(), form], format!("token={}", token.token))
        }
        Presents::Question(system) => {
            let question = question(task, system).to_string();
            (vec![administrator(), ("Content-Type", "application/json".to_owned())], question)
        }
    };
    let path = format!("{}{}", face.path, face.query);
    let request = Request { method: face.method, path: &path, host: plane.host(), headers, body };
    let answered = door.ask(&request).await;
    let (answer, status) = match &answered {
        Ok(answered) => (judge(&face.presents, answered, task), Some(answered.status)),
        Err(error) => {
            tracing::debug!(face = %face.path, %error, "no answer");
            (ProbeAnswer::Unreachable, None)
        }
    };
    Ok(Probe { face: face.path.clone(), at: plane.now(), answer, status })
}

/// What an answer means.
fn judge(presents: &Presents, answered: &Answer, task: &Task) -> ProbeAnswer {
    // A face says which task is over; a proxy in between, or a token that is not good, does not.
    let for_this_task = answered.text.contains(&task.id.to_string());
    let inactive = answered.text.contains("\"active\":false");
    match (presents, answered.status) {
        (Presents::Introspection, 200) if inactive => ProbeAnswer::Refused,
        (Presents::Introspection, 401 | 403 | 404) => ProbeAnswer::Unreachable,
        (Presents::Credential | Presents::Question(_), 401) if for_this_task => ProbeAnswer::Refused,
        (Presents::Credential | Presents::Question(_), 401) => ProbeAnswer::Unreachable,
        // It is too busy, or knows too little at this moment, to judge anything.
        (_, 408 | 429 | 500..) => ProbeAnswer::Unreachable,
        _ => ProbeAnswer::Accepted,
    }
}

/// About a tool that nobody has: what is asked is denied, but only when the task still counts it gets so far.
fn question(task: &Task, system: &Name) -> Value {
    json!({
        "subject": {"type": "agent", "id": task.agent},
        "action": {"name": "provost-gone"},
        "resource": {"type": "system", "id": system},
        "context": {"task": task.id},
    })
}

/// A token of the task, good but for its end; with the key it is bound to, where it has to be.
struct Presented {
    token: String,
    key: Option<SigningKey>,
}

impl Presented {
    fn make(plane: &Plane, task: &Task, system: Option<&Name>) -> Result<Self, ControlError> {
        let failed = |why| ControlError::us("a token of an ended task could not be made", why);
        let view = plane.replica.latest();
        let agent = view.directory.agents.get(&task.agent);
        let bound = agent.is_some_and(|agent| oauth::needs_proof(plane, agent.charter.environment));
        let key = bound.then(|| SigningKey::from_seed(&plane.random())).transpose();
        let key = key.map_err(|_refused| failed(CannotSign))?;
        let mut claims = task::claims(plane, task, system);
        // As long as if the task still ran: it must be the task's end that makes it worth nothing.
        claims.exp = claims.iat.saturating_add(TOKEN_SECONDS);
        let jkt = key.as_ref().map(|key| key.verifying().kid().parse());
        claims.cnf = jkt.transpose().map_err(|_never| failed(CannotSign))?.map(Confirmation::Jkt);
        let signed = plane.token_keys.with_signing(|key| claims.issue(key))?;
        Ok(Self { token: signed.map_err(|_unsigned| failed(CannotSign))?, key })
    }

    fn headers(
        &self,
        plane: &Plane,
        method: &str,
        path: &str,
    ) -> Result<Vec<(&'static str, String)>, ControlError> {
        let Some(key) = &self.key else {
            return Ok(vec![("Authorization", format!("Bearer {}", self.token))]);
        };
        let proof = OutwardProof {
            htm: method.to_owned(),
            htu: format!("{}{path}", plane.issuer),
            iat: plane.now().as_seconds(),
            jti: hex::encode(plane.random::<16>()),
            ath: Some(OutwardProof::hash_of(&self.token)),
        };
        let proof = proof
            .issue(key)
            .map_err(|error| ControlError::us("a proof of possession could not be made", error))?;
        Ok(vec![("Authorization", format!("DPoP {}", self.token)), ("DPoP", proof)])
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the key does not sign")]
struct CannotSign;

/// Outside of any session it is answered by nobody.
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const EXCHANGE: &str = "/oauth/token";
const TOKEN_SECONDS: i64 = 60;
/// Systems of one task that are tried; what refuses at these refuses at all.
const SYSTEMS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_because_of_this_task_is_one() {
        let task: Task = serde_json::from_value(json!({
            "id": "task_00000000000000000000000000", "agent": "clerk", "purpose": "p", "requester": "maria",
            "started": 0, "expires": 1, "status": "ended",
        }))
        .unwrap();
        let over = format!("HTTP/1.1 401 x\r\n\r\nthe task {} has ended", task.id);
        let judged = |presents: &Presents, status: u16, text: &str| {
            judge(presents, &Answer { status, text: text.to_owned() }, &task).as_str()
        };
        let question = Presents::Question("bank".parse().unwrap());
        for presents in [&Presents::Credential, &question] {
            assert_eq!(judged(presents, 401, &over), "refused");
            assert_eq!(judged(presents, 401, "the token is for another resource"), "unreachable");
            for status in [200, 202, 400, 403, 404, 405] {
                assert_eq!(judged(presents, status, &over), "accepted", "{status}");
            }
            for status in [429, 500, 503] {
                assert_eq!(judged(presents, status, ""), "unreachable", "{status}");
            }
        }
        assert_eq!(judged(&Presents::Introspection, 200, "\r\n\r\n{\"active\":false}"), "refused");
        assert_eq!(judged(&Presents::Introspection, 200, "\r\n\r\n{\"active\":true}"), "accepted");
        assert_eq!(judged(&Presents::Introspection, 401, &over), "unreachable");
    }
}
