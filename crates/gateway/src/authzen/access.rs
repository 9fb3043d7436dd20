//! Access requests (OpenID AuthZEN, Access Request and Approval Profile, draft 1): whoever enforces asks for what was held, and
//! hears what people said. Behind each item of the profile's task is the plane's own approval; the yes is used by evaluating
//! again with it at `context.approval` ([`super::presented`]), and the policies decide then.

use super::{
    Answer, Asker, Authzen,
    submit::{self, Asked},
    ticket::{Standing, Ticket, handle},
};
use crate::approval::when;
use http::{HeaderMap, HeaderValue, header};
use provost_domain::{Approval, Directory, Object};
use provost_lifecycle::approval as life;
use provost_store::{Attribution, ChangeSet, CommitError, Write};
use serde_json::{Map, Value, json};

impl Authzen {
    /// Asks for held actions. The same submission gives the same task, under its idempotency key or, without one, for what it
    /// says.
    pub(super) async fn request_access(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let (asker, value) = match self.open(headers, body).await {
            Ok(opened) => opened,
            Err(answer) => return answer,
        };
        let told = match self.submitted(&asker, headers, &value).await {
            Ok(ticket) => self.told_of(&ticket).await,
            Err(answer) => return answer,
        };
        match told {
            Ok((body, pending)) => {
                let at = self.status_url(&body);
                let answer = Answer { status: if pending { 202 } else { 201 }, ..Answer::ok(body) };
                let answer = if pending { later(answer) } else { answer };
                match at.and_then(|at| HeaderValue::from_str(&at).ok()) {
                    Some(at) => answer.with(header::LOCATION, at),
                    None => answer,
                }
            }
            Err(answer) => answer,
        }
    }

    async fn submitted(&self, asker: &Asker, headers: &HeaderMap, value: &Value) -> Result<Ticket, Answer> {
        let submission = submit::read(value, &self.pipeline.limits)?;
        self.check_asker(asker)?;
        if let Some(callback) = &submission.callback {
            callback.check(asker)?;
        }
        let caller = asker.id();
        let key = submit::idempotency_key(headers)?;
        if let Some(known) = self.known_submission(&caller, key.as_deref(), value).await? {
            return Ok(known);
        }
        let asked = self.bound(asker, &submission).await?;
        let mut ticket = self.claim(&caller, key.as_deref(), value, &submission).await?;
        let mut last = self.pipeline.now();
        for Asked { attempt, resource, action, until } in asked {
            let recorded = self.pipeline.record(&attempt).await.map_err(|refusal| self.refused(&refusal))?;
            let decision = recorded.decision().clone();
            let held = match self.pipeline.ask_saying(&attempt, decision, &submission.why(&caller)).await {
                crate::Refusal::Held(held) => held,
                crate::Refusal::Verdict(_) => return Err(not_requestable()),
                refusal => return Err(self.refused(&refusal)),
            };
            last = last.max(held.approval.expires);
            ticket.add(held.approval.id, resource, action, until);
        }
        // Before the ticket: a submission that is tried again after a crash in between finds that it is owed.
        if let Some(callback) = &submission.callback {
            self.owe_callback(asker, &ticket, callback, last).await?;
        }
        self.keep_ticket(ticket).await
    }

    /// Where a request stands.
    pub(super) async fn access_status(&self, headers: &HeaderMap, id: &str) -> Answer {
        let ticket = match self.ticket_of(headers, id).await {
            Ok(ticket) => ticket,
            Err(answer) => return answer,
        };
        match self.told_of(&ticket).await {
            Ok((body, true)) => later(Answer::ok(body)),
            Ok((body, false)) => Answer::ok(body),
            Err(answer) => answer,
        }
    }

    /// Takes back what nobody has answered yet.
    pub(super) async fn cancel_access(&self, headers: &HeaderMap, id: &str, body: &[u8]) -> Answer {
        let why = match submit::cancellation(headers, body, &self.pipeline.limits) {
            Ok(why) => why,
            Err(answer) => return answer,
        };
        let ticket = match self.ticket_of(headers, id).await {
            Ok(ticket) => ticket,
            Err(answer) => return answer,
        };
        let mut cancelled = 0_usize;
        for item in &ticket.items {
            match self.cancel_item(&ticket, &item.approval, &why).await {
                Ok(taken_back) => cancelled = cancelled.saturating_add(usize::from(taken_back)),
                Err(answer) => return answer,
            }
        }
        if cancelled == 0 {
            return problem(409, "invalid_task_state", "nothing of it waits for an answer any more");
        }
        match self.told_of(&ticket).await {
            Ok((body, _pending)) => Answer::ok(body),
            Err(answer) => answer,
        }
    }

    async fn cancel_item(&self, ticket: &Ticket, id: &str, why: &str) -> Result<bool, Answer> {
        for _round in 0..ROUNDS_MAX {
            let found = provost_store::approval(self.pipeline.store.as_ref(), id).await;
            let Some((version, row)) = found.map_err(|error| self.refused(&error.into()))? else {
                return Ok(false);
            };
            let now = self.pipeline.now();
            let waits = row.status == provost_domain::approval::ApprovalStatus::Waiting;
            if !waits || life::expire(&row, now).is_some() {
                return Ok(false);
            }
            let Some(over) = life::withdraw(&row, why, now) else { return Ok(false) };
            let over = self.pipeline.told_if_check(over);
            let why = format!("{id} cancelled by {}: {why}", ticket.caller);
            let by = Attribution { actor: "plane".to_owned(), why };
            let writes = vec![Write::Put { object: Object::Approval(Box::new(over)), expected: version }];
            match self.pipeline.store.commit(ChangeSet { by, at: now, writes }).await {
                Ok(_receipt) => {
                    // From here on this node, at least, does not use it any more.
                    let seen = self.pipeline.replica.catch_up().await;
                    seen.map_err(|error| self.refused(&error.into()))?;
                    return Ok(true);
                }
                Err(CommitError::Conflict { .. }) => {} // answered meanwhile: look again
                Err(CommitError::Store(error)) => return Err(self.refused(&error.into())),
                Err(other) => return Err(self.refused(&crate::Refusal::internal(other.to_string()))),
            }
        }
        Ok(false)
    }

    /// The request under a handle, for a caller that may ask about what it is about.
    async fn ticket_of(&self, headers: &HeaderMap, id: &str) -> Result<Ticket, Answer> {
        self.hosts.check(headers).map_err(|refusal| self.refused(&refusal))?;
        let asker = self.askers.who(headers).await.map_err(|refusal| self.refused(&refusal))?;
        self.check_asker(&asker)?;
        let unknown = || problem(404, "unknown_task", "there is no such request of yours");
        let ticket = self.ticket(id).await?.filter(|ticket| ticket.is_for(&asker)).ok_or_else(unknown)?;
        if self.pipeline.now() >= ticket.expires {
            return Err(problem(410, "task_expired", "the request is too old to be looked at"));
        }
        Ok(ticket)
    }

    fn check_asker(&self, asker: &Asker) -> Result<(), Answer> {
        if asker.may_ask_about_agents() {
            return Ok(());
        }
        Err(self.refused(&crate::Refusal::UnknownAgent("that is asked about".to_owned())))
    }

    /// The task as it stands, and whether anything of it still waits.
    async fn told_of(&self, ticket: &Ticket) -> Result<(Value, bool), Answer> {
        let mut items = Vec::new();
        for (index, item) in ticket.items.iter().enumerate() {
            let standing = self.standing(ticket, index).await?;
            let mut told = json!({
                "resource": item.resource, "action": item.action, "status": standing.status,
            });
            if let (Some(result), Some(members)) = (standing.result.clone(), told.as_object_mut()) {
                members.insert("result".to_owned(), result);
            }
            items.push((standing, told));
        }
        let view = self.pipeline.replica.latest();
        let status = life::request_aggregate(items.iter().map(|(standing, _)| standing.status));
        let pending = status == life::PENDING;
        let at = format!("{}/access/v1/requests/{}", self.public_url, ticket.id);
        let rows: Vec<&Approval> = items.iter().filter_map(|(standing, _)| standing.row.as_ref()).collect();
        let mut links = Map::new();
        links.insert("review".to_owned(), json!(self.review_url(&rows)));
        if pending {
            links.insert("cancel".to_owned(), json!(format!("{at}/cancel")));
        }
        let mut task = json!({
            "id": ticket.id,
            "status": status,
            "status_endpoint": at,
            "expires_at": when(ticket.expires),
            "display": {"title": title(status), "description": description(&rows)},
            "links": links,
        });
        if let Some(members) = task.as_object_mut() {
            if pending {
                members.insert("progress".to_owned(), progress(&rows, &view.directory));
            }
            if ticket.several {
                let told: Vec<&Value> = items.iter().map(|(_, told)| told).collect();
                members.insert("items".to_owned(), json!(told));
            }
        }
        let mut body = json!({"task": task});
        if let (false, Some((Standing { result: Some(result), .. }, _)), Some(members)) =
            (ticket.several, items.first(), body.as_object_mut())
        {
            members.insert("result".to_owned(), result.clone());
        }
        Ok((body, pending))
    }

    fn status_url(&self, body: &Value) -> Option<String> {
        body.pointer("/task/status_endpoint").and_then(Value::as_str).map(str::to_owned)
    }

    fn review_url(&self, rows: &[&Approval]) -> String {
        match rows {
            [one] => self.pipeline.approval_url(&one.id),
            _ => format!("{}/approvals", self.public_url),
        }
    }

    /// Where one item of a request stands, with its approval once there was one.
    pub(super) async fn standing(&self, ticket: &Ticket, index: usize) -> Result<Standing, Answer> {
        let Some(item) = ticket.items.get(index) else { return Ok(Standing::gone()) };
        let store = self.pipeline.store.as_ref();
        let (row, granted) = provost_store::approval_granted(store, &item.approval)
            .await
            .map_err(|error| self.refused(&error.into()))?;
        Ok(Standing::of(row, granted, &handle(&ticket.id, index), item.until, self.pipeline.now()))
    }
}

/// How many of those who must agree have. Gates, not people, are named: who they are is for the console to show.
fn progress(rows: &[&Approval], directory: &Directory) -> Value {
    let (mut total, mut left, mut awaiting) = (0_u32, 0_u32, Vec::new());
    for row in rows {
        let missing = life::missing(row, directory);
        total = row.gates.iter().fold(total, |sum, gate| sum.saturating_add(life::needs(directory, gate)));
        left = missing.values().fold(left, |sum, more| sum.saturating_add(*more));
        awaiting.extend(missing.into_keys().filter(|_gate| !row.is_over()));
    }
    awaiting.sort_unstable();
    awaiting.dedup();
    let step = total.saturating_sub(left).saturating_add(1).min(total);
    json!({"current_step": step, "total_steps": total, "step_name": awaiting.first(), "awaiting": awaiting})
}

fn title(status: &str) -> &'static str {
    match status {
        "pending" => "Waiting for approval",
        "approved" => "Approved",
        "denied" => "Denied",
        "partial" => "Decided, not all alike",
        _ => "Over",
    }
}

fn description(rows: &[&Approval]) -> String {
    let mut gates: Vec<&str> = rows.iter().flat_map(|row| row.gates.iter().map(String::as_str)).collect();
    gates.sort_unstable();
    gates.dedup();
    format!("needs the approval of {}", gates.join(" and "))
}

fn later(answer: Answer) -> Answer {
    answer.with(header::RETRY_AFTER, POLL_AFTER_S.into())
}

pub(super) fn not_requestable() -> Answer {
    problem(400, "not_requestable", "nobody is asked about this: evaluate again")
}

/// Problem details of the profile.
pub(super) fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    let kind = format!("urn:openid:authzen:access-request:error:{kind}");
    let title = match status {
        404 => "There is no such task",
        409 => "The request is in conflict with an earlier one",
        410 => "Its time is over",
        _ => "The access request is not accepted",
    };
    Answer { status, ..Answer::ok(json!({"type": kind, "title": title, "status": status, "detail": detail})) }
}

pub(super) const POLL_AFTER_S: u64 = 5;
const ROUNDS_MAX: usize = 16;
