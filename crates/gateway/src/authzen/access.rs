//! Access requests (OpenID AuthZEN, Access Request and Approval Profile, draft 1): whoever enforces asks for what was held, and
//! hears what people said. The task of the profile is the plane's own approval; the yes is used by evaluating again with it at
//! `context.approval`, and the policies decide then.

use super::{Answer, Asker, Authzen, asker::AGENTS, evaluate, read};
use crate::{
    approval::{Held, when},
    decide,
    refusal::Refusal,
};
use http::HeaderMap;
use provost_domain::{Approval, DecisionId, Object, Verdict, approval::ApprovalStatus};
use provost_lifecycle::approval as life;
use provost_store::{Attribution, ChangeSet, CommitError, Write};
use serde_json::{Value, json};

impl Authzen {
    /// Asks for a held action; the same action gives the same task, whatever its idempotency key is.
    pub(super) async fn request_access(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let (asker, value) = match self.open(headers, body).await {
            Ok(opened) => opened,
            Err(answer) => return answer,
        };
        match self.requested(&asker, &value).await {
            Ok(held) => Answer { status: 202, body: json!({"task": self.task(&held.approval)}) },
            Err(answer) => answer,
        }
    }

    async fn requested(&self, asker: &Asker, value: &Value) -> Result<Box<Held>, Answer> {
        let members = value
            .as_object()
            .ok_or_else(|| Answer::bad_request("the body must be a JSON object".to_owned()))?;
        let question = read::question(members).map_err(Answer::bad_request)?;
        self.check_asker(asker, &question.subject.id)?;
        if question.subject.kind != AGENTS {
            return Err(problem(400, "not_requestable", "only what agents of the plane do can be asked for"));
        }
        let view = self.pipeline.replica.fresh(self.pipeline.limits.staleness_max);
        let view = view.map_err(|stale| self.refused(&stale.into()))?;
        let now = self.pipeline.now();
        let attempt = evaluate::attempt(&question, view, now).map_err(|refusal| self.refused(&refusal))?;
        let action = decide::action(&attempt).digest();
        let action = action.map_err(|error| Answer::bad_request(error.to_string()))?;
        let denial = value.pointer("/denial/evaluation_id").and_then(Value::as_str);
        let denial = denial.and_then(|id| id.parse::<DecisionId>().ok());
        let unbound = || {
            problem(
                400,
                "invalid_denial_binding",
                "`denial.evaluation_id` is not a denial of exactly this action",
            )
        };
        let stored = self.pipeline.store.decision(denial.ok_or_else(unbound)?).await;
        let stored = stored.map_err(|error| self.refused(&error.into()))?.ok_or_else(unbound)?;
        if stored.decision.action != action {
            return Err(unbound());
        }
        if now.since(stored.decision.at) >= evaluate::REQUESTABLE_FOR {
            return Err(problem(
                410,
                "expired_denial",
                "the denial is too old to be asked about: evaluate again",
            ));
        }
        let recorded = self.pipeline.record(&attempt).await.map_err(|refusal| self.refused(&refusal))?;
        let decision = recorded.decision().clone();
        if !matches!(decision.verdict, Verdict::Hold { .. }) {
            return Err(problem(400, "not_requestable", "nobody is asked about this: evaluate again"));
        }
        match self.pipeline.ask(&attempt, decision).await {
            Refusal::Held(held) => Ok(held),
            refusal => Err(self.refused(&refusal)),
        }
    }

    /// Where a request stands.
    pub(super) async fn access_status(&self, headers: &HeaderMap, id: &str) -> Answer {
        let row = match self.row(headers, id).await {
            Ok((_version, row)) => row,
            Err(answer) => return answer,
        };
        let mut body = json!({"task": self.task(&row)});
        if let (ApprovalStatus::Granted { at, until }, Some(members)) = (&row.status, body.as_object_mut()) {
            let approval = json!({"id": row.id, "approved_at": when(*at), "approved_until": when(*until)});
            members.insert("result".to_owned(), json!({"mode": "reevaluate", "approval": approval}));
        }
        Answer::ok(body)
    }

    /// Takes a request back.
    pub(super) async fn cancel_access(&self, headers: &HeaderMap, id: &str) -> Answer {
        let (version, row) = match self.row(headers, id).await {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let now = self.pipeline.now();
        let Some(over) = life::withdraw(&row, "the one who asked took it back", now) else {
            return problem(409, "invalid_task_state", "it is over already");
        };
        let by =
            Attribution { actor: "plane".to_owned(), why: format!("{id} cancelled by an enforcement point") };
        let writes = vec![Write::Put { object: Object::Approval(Box::new(over.clone())), expected: version }];
        match self.pipeline.store.commit(ChangeSet { by, at: now, writes }).await {
            Ok(_receipt) => Answer::ok(json!({"task": self.task(&over)})),
            Err(CommitError::Store(error)) => self.refused(&error.into()),
            Err(_moved) => problem(409, "invalid_task_state", "it was answered meanwhile"),
        }
    }

    async fn row(&self, headers: &HeaderMap, id: &str) -> Result<(u64, Approval), Answer> {
        self.hosts.check(headers).map_err(|refusal| self.refused(&refusal))?;
        let asker = self.askers.who(headers).await.map_err(|refusal| self.refused(&refusal))?;
        self.check_asker(&asker, id)?;
        let found = provost_store::approval(self.pipeline.store.as_ref(), id).await;
        let found = found.map_err(|error| self.refused(&error.into()))?;
        found.ok_or_else(|| problem(404, "unknown_task", "there is no such request"))
    }

    fn check_asker(&self, asker: &Asker, about: &str) -> Result<(), Answer> {
        if asker.may_ask_about_agents() {
            return Ok(());
        }
        Err(self.refused(&Refusal::UnknownAgent(about.to_owned())))
    }

    fn task(&self, row: &Approval) -> Value {
        let at = format!("{}/access/v1/requests/{}", self.public_url, row.id);
        let gates: Vec<&str> = row.gates.iter().map(String::as_str).collect();
        json!({
            "id": row.id,
            "status": status(&row.status),
            "status_endpoint": at,
            "expires_at": when(row.expires),
            "display": format!("needs the approval of {}", gates.join(" and ")),
            "links": {"review": self.pipeline.approval_url(&row.id), "cancel": format!("{at}/cancel")},
        })
    }
}

/// The profile's word ("Access Request Task Status"). What was edited is denied as it was asked for.
fn status(status: &ApprovalStatus) -> &'static str {
    match status {
        ApprovalStatus::Waiting => "pending",
        ApprovalStatus::Granted { .. } | ApprovalStatus::Used { .. } => "approved",
        ApprovalStatus::Refused { .. } | ApprovalStatus::Edited { .. } => "denied",
        ApprovalStatus::Expired { .. } => "expired",
        ApprovalStatus::Withdrawn { .. } => "cancelled",
    }
}

/// Problem details of the profile.
fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    let kind = format!("urn:openid:authzen:access-request:error:{kind}");
    Answer { status, body: json!({"type": kind, "status": status, "detail": detail}) }
}
