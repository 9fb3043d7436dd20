//! One question. About an application's own types it is decided by that application's policies; about an agent of the
//! plane by the same pipeline that stands in front of every system.

use super::{Answer, Asker, Authzen, asker::AGENTS, presented::Presented, read};
use crate::{
    act,
    approval::{Uses, when},
    decide::Attempt,
    identify::{self, Caller},
    refusal::Refusal,
};
use http::HeaderMap;
use provost_domain::{
    Decision, Digest, DurationMs, TaskId, Timestamp, ToolName, Verdict,
    application::Application,
    approval::approval_id,
    decision::{AUTHZEN, Subject},
};
use provost_policy::{App, AuthzenRequest};
use provost_replica::View;
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Applications ready to be asked, made when they are first asked of a row.
#[derive(Default)]
pub(super) struct Applications(Mutex<HashMap<String, Ready>>);

/// A row, and the application made of it.
type Ready = (Arc<Application>, Arc<App>);

impl Applications {
    /// The application that has this type, if there is one. A row that does not compile answers nothing.
    pub(super) fn of_type(&self, view: &View, kind: &str) -> Option<Ready> {
        view.directory.applications.values().find_map(|row| {
            let app = self.ready(row)?;
            app.has_type(kind).then(|| (Arc::clone(row), app))
        })
    }

    fn ready(&self, row: &Arc<Application>) -> Option<Arc<App>> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, app)) = ready.get(row.name.as_str())
            && Arc::ptr_eq(of, row)
        {
            return Some(Arc::clone(app));
        }
        let compiled = App::compile(row).map(Arc::new);
        let app = compiled
            .inspect_err(
                |faults| tracing::error!(application = %row.name, ?faults, "an application does not compile"),
            )
            .ok()?;
        ready.insert(row.name.to_string(), (Arc::clone(row), Arc::clone(&app)));
        Some(app)
    }
}

impl Authzen {
    pub(super) async fn evaluation(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let (asker, value) = match self.open(headers, body).await {
            Ok(opened) => opened,
            Err(answer) => return answer,
        };
        let Value::Object(value) = value else {
            return Answer::bad_request("the body must be a JSON object".to_owned());
        };
        match read::question(&value) {
            Ok(question) => self.answer(&asker, &question).await,
            Err(why) => Answer::bad_request(why),
        }
    }

    pub(super) async fn answer(&self, asker: &Asker, question: &AuthzenRequest) -> Answer {
        match self.decide(asker, question).await {
            Ok((decision, presented)) => Answer::ok(told(&decision, &presented)),
            Err(refusal) => self.refused(&refusal),
        }
    }

    /// The recorded decision on one question, and the approval that came with it.
    pub(super) async fn decide(
        &self,
        asker: &Asker,
        question: &AuthzenRequest,
    ) -> Result<(Arc<Decision>, Presented), Refusal> {
        let view = self.pipeline.replica.fresh(self.pipeline.limits.staleness_max)?;
        if question.subject.kind == AGENTS {
            return self.decide_agent(asker, question, view).await;
        }
        let found = self.applications.of_type(&view, &question.subject.kind);
        let found = found.filter(|(row, _app)| asker.may_ask_about(&row.name));
        let (evaluation, system, buffered) = match found {
            Some((row, app)) => (app.decide(question), row.name.clone(), row.buffered),
            None => {
                (nobody_knows(question), AGENTS.parse().map_err(|_never| Refusal::internal("a name"))?, false)
            }
        };
        let now = self.pipeline.now();
        let decision = Arc::new(Decision {
            v: 1,
            id: self.pipeline.new_id(now),
            at: now,
            node: self.pipeline.node,
            view: view.directory.seq,
            policies: evaluation.policies,
            face: AUTHZEN.to_owned(),
            subject: Subject {
                kind: question.subject.kind.clone(),
                id: question.subject.id.clone(),
                owner: None,
                revision: None,
                task: None,
                requester: None,
            },
            tool: format!("{system}/{}", question.action.name),
            system,
            action: Digest::of_json(question).map_err(|error| Refusal::internal(error.to_string()))?,
            approval: None,
            input: evaluation.input,
            verdict: evaluation.verdict,
            errors: evaluation.errors,
        });
        self.pipeline.metrics.decided(&decision);
        let recorded = if buffered {
            self.pipeline.journal.record_buffered(Arc::clone(&decision)).await
        } else {
            self.pipeline.journal.record_only(Arc::clone(&decision)).await
        };
        recorded.map_err(Refusal::NotRecorded)?;
        Ok((decision, Presented::Nothing))
    }

    /// A question about an agent of the plane: `subject` is the agent, `resource` the system, `action.name` the tool,
    /// `action.properties.arguments` what it is called with, `context.task` the task.
    async fn decide_agent(
        &self,
        asker: &Asker,
        question: &AuthzenRequest,
        view: Arc<View>,
    ) -> Result<(Arc<Decision>, Presented), Refusal> {
        if !asker.may_ask_about_agents() {
            return Err(Refusal::UnknownAgent(question.subject.id.clone()));
        }
        let presented = self.presented(asker, question).await?;
        let attempt = attempt(question, view, presented.uses(), self.pipeline.now())?;
        let recorded = self.pipeline.record(&attempt).await?;
        self.still(&attempt, recorded.decision())?;
        Ok((Arc::clone(recorded.decision()), presented))
    }

    /// Refuses to tell a yes that was overtaken while its record was waited for: by a stop, or by the end of the lease. Nobody
    /// heard of it, so nothing came of it; a call through the plane is watched in the same way (`act.rs`).
    fn still(&self, attempt: &Attempt, decision: &Decision) -> Result<(), Refusal> {
        if !matches!(decision.verdict, Verdict::Allow { .. }) {
            return Ok(());
        }
        let view = self.pipeline.replica.fresh(self.pipeline.limits.staleness_max)?;
        let about = (&attempt.system.name, attempt.tool.as_deref());
        let stopped = act::stopped(&attempt.caller, about, &view.directory, self.pipeline.now());
        stopped.map_or(Ok(()), |why| Err(Refusal::Cut(why)))
    }
}

pub(super) fn attempt(
    question: &AuthzenRequest,
    view: Arc<View>,
    uses: Uses,
    now: Timestamp,
) -> Result<Attempt, Refusal> {
    let directory = &view.directory;
    let agent = directory.agents.get(question.subject.id.as_str());
    let agent = agent.ok_or_else(|| Refusal::UnknownAgent(question.subject.id.clone()))?;
    let task = question.context.get("task").and_then(Value::as_str).unwrap_or_default();
    let task_row = task.parse::<TaskId>().ok().and_then(|id| directory.tasks.get(&id));
    let task_row =
        task_row.filter(|row| row.agent == agent.name).ok_or_else(|| Refusal::TaskEnded(task.to_owned()))?;
    let system =
        directory.systems.get(question.resource.id.as_str()).filter(|_| question.resource.kind == "system");
    let system = system.ok_or_else(|| Refusal::UnknownSystem(question.resource.id.clone()))?;
    let prefix = format!("{}/", system.name);
    let name = question.action.name.strip_prefix(&prefix).unwrap_or(&question.action.name);
    let name: ToolName = name.parse().map_err(|error: provost_domain::NameError| {
        Refusal::Protocol(provost_mcp::RpcError::invalid_request(error.to_string()))
    })?;
    let tool = directory.tools.get(&(system.name.clone(), name.clone())).cloned();
    // Whoever enforces may say which definition it sees; what it does not say cannot be compared.
    let seen = question.context.get("definition").and_then(Value::as_str);
    let pinned = match (seen, &tool) {
        (Some(seen), Some(tool)) => seen == tool.pin.to_string(),
        (None, _) | (_, None) => true,
    };
    let args = match question.action.properties.get("arguments") {
        Some(Value::Object(args)) => args.clone(),
        _ => Map::new(),
    };
    Ok(Attempt {
        face: AUTHZEN,
        caller: Caller {
            agent: Arc::clone(agent),
            task: Arc::clone(task_row),
            chain: identify::above(&view, task_row, now)?,
        },
        system: Arc::clone(system),
        name,
        tool,
        pinned,
        args,
        uses,
        view: Arc::clone(&view),
    })
}

/// A question about types nobody declared, or that this asker may not ask about: which of the two, it is not told.
fn nobody_knows(question: &AuthzenRequest) -> provost_policy::Evaluation {
    let reason =
        format!("no application that you may ask about has subjects of type {:?}", question.subject.kind);
    provost_policy::Evaluation {
        verdict: Verdict::deny("authzen/unknown-type", reason, None),
        policies: Digest::of(b"authzen/unknown-type"),
        input: json!(question),
        errors: Vec::new(),
        candidates: 0,
    }
}

/// A decision on the wire. A hold is a denial that may be asked for (ARAP, "Requestable Denial").
pub(super) fn told(decision: &Decision, presented: &Presented) -> Value {
    let reasons: Vec<&str> = decision.verdict.reasons().iter().map(|reason| reason.reason.as_str()).collect();
    let policies: Vec<&str> =
        decision.verdict.reasons().iter().map(|reason| reason.policy.as_str()).collect();
    let mut context = json!({
        "evaluation_id": decision.id,
        "evaluated_at": when(decision.at),
        "reason": reasons.join("; "),
        "policies": policies,
    });
    let Value::Object(members) = &mut context else { return json!({"decision": false}) };
    match &decision.verdict {
        Verdict::Allow { .. } => {}
        Verdict::Deny { possible_if, .. } => {
            members.insert("possible_if".to_owned(), json!(possible_if));
        }
        Verdict::Hold { approvers, .. } => {
            let request = json!({
                "expires_at": when(decision.at.plus(REQUESTABLE_FOR)),
                "template": approval_id(&decision.action, 0),
                "display": {
                    "title": "Approval needed",
                    "description": format!("needs the approval of {}", approvers.join(" and ")),
                },
            });
            members.insert("access_request".to_owned(), request);
            members.insert("reason".to_owned(), json!("approval_required"));
            members.insert("reasons".to_owned(), json!(reasons));
            members.insert("next_action".to_owned(), json!("request"));
        }
    }
    presented.explain(decision, members);
    json!({"decision": decision.verdict.is_allow(), "context": context})
}

/// How long a held decision may be asked for.
pub(super) const REQUESTABLE_FOR: DurationMs = DurationMs::from_mins(15);
