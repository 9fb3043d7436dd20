//! What waits for a person: the inbox, and one approval, where exactly what would run is read and answered.

use super::{
    bits,
    look::{Frame, Looker, Shown, done},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{body::Bytes, extract::Path, http::HeaderMap};
use provost_api::approval::{
    AlikeView, ApprovalAnswer, ApprovalQuery, ApprovalSummary, ApprovalView, EligibleView,
};
use provost_control::{Action, ControlError, approval};
use provost_domain::Name;
use serde_json::{Map, Value};

#[derive(Template)]
#[template(path = "console/approvals.html")]
struct Inbox {
    frame: Frame,
    mine: Vec<ApprovalSummary>,
    /// Those of them that are alike, with how many.
    alike: Vec<Alike>,
    others: Vec<ApprovalSummary>,
}

/// Several that are alike, by one of them.
struct Alike {
    id: String,
    agent: Name,
    tool: String,
    count: usize,
    differing: String,
}

#[derive(Template)]
#[template(path = "console/approval.html")]
struct One {
    frame: Frame,
    approval: ApprovalView,
    /// The arguments for people, as they will run.
    args: String,
    you: EligibleView,
    may_answer: bool,
    /// What to tell this person before a yes.
    warning: Option<String>,
    /// What an envelope could ask of each argument.
    limits: Vec<Limit>,
}

/// An argument of the call, as an envelope could fix it.
struct Limit {
    name: String,
    json: String,
    is_number: bool,
}

/// What waits, this person's own first.
pub(super) async fn list(looker: Looker) -> Shown {
    looker.may(Action::ApprovalRead)?;
    let failed = |error: ControlError| looker.failed(&error);
    let me = looker.visitor.person.name.clone();
    let mine = ApprovalQuery { person: Some(me), status: Some("waiting".to_owned()), ..Default::default() };
    let groups = approval::groups(&looker.op, mine.clone()).await.map_err(failed)?.items;
    let alike = groups.into_iter().filter(|group| group.rows.len() > 1).filter_map(alike).collect();
    let mine = approval::list(&looker.op, mine).await.map_err(failed)?.items;
    let all = approval::list(&looker.op, ApprovalQuery::default()).await.map_err(failed)?.items;
    let others = all.into_iter().filter(|one| mine.iter().all(|own| own.id != one.id)).collect();
    Ok(looker.page(&Inbox { frame: looker.frame("/approvals"), mine, alike, others }))
}

fn alike(group: AlikeView) -> Option<Alike> {
    let differing = match group.differing.as_slice() {
        [] => "in nothing but their tasks".to_owned(),
        names => names.join(", "),
    };
    let (id, count) = (group.rows.first()?.id.clone(), group.rows.len());
    Some(Alike { id, agent: group.agent, tool: group.tool, count, differing })
}

/// One of them.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::ApprovalRead)?;
    let failed = |error: ControlError| looker.failed(&error);
    let approval = approval::show(&looker.op, &id).await.map_err(failed)?;
    let you = approval::eligible(&looker.op, &id, &looker.visitor.person.name).await.map_err(failed)?;
    let args = serde_json::to_string_pretty(&approval.summary.args).unwrap_or_default();
    let may_answer = approval.summary.status == "waiting" && !you.gates.is_empty();
    let limits = limits(&approval.summary.args);
    let warning = match may_answer {
        true => approval::warning(&looker.op, &looker.visitor.person.name).await.map_err(failed)?,
        false => None,
    };
    let frame = looker.frame("/approvals");
    Ok(looker.page(&One { frame, approval, args, you, may_answer, limits, warning }))
}

/// The arguments that can be compared as they stand.
fn limits(args: &Map<String, Value>) -> Vec<Limit> {
    let plain =
        args.iter().filter(|(_name, value)| !value.is_object() && !value.is_array() && !value.is_null());
    plain
        .map(|(name, value)| Limit {
            name: name.clone(),
            json: value.to_string(),
            is_number: value.is_number(),
        })
        .collect()
}

/// A yes or a no, to what was read: the form says which action that was.
pub(super) async fn answer(looker: Looker, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Shown {
    if !is_own_form(&headers) || body.len() > BODY_BYTES_MAX {
        return Err(
            looker.failed(&ControlError::refused("this answer was not given on a page of this plane"))
        );
    }
    let mut answer = ApprovalAnswer::default();
    let mut word = String::new();
    for (name, value) in url::form_urlencoded::parse(&body) {
        match name.as_ref() {
            "answer" => word = value.into_owned(),
            "action" => answer.action = Some(value.into_owned()),
            "sure" => answer.sure = true,
            "reason" if !value.trim().is_empty() => answer.reason = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let told = match word.as_str() {
        "yes" => approval::approve(&looker.op, &id, answer).await,
        "no" => approval::refuse(&looker.op, &id, answer).await,
        _ => Err(ControlError::caller("an answer is yes or no")),
    };
    told.map_err(|error| looker.failed(&error))?;
    Ok(done(&format!("/approvals/{id}"), "answered"))
}

const BODY_BYTES_MAX: usize = 16_384;
