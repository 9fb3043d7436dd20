//! Changes that wait for people: the list, and one of them, where what would change is read side by side and answered.

use super::{
    asked::Pager,
    bits,
    look::{Frame, Looker, Shown},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Path, Query},
    http::HeaderMap,
    response::{IntoResponse as _, Redirect},
};
use provost_api::{
    approval::EligibleView,
    proposal::{ProposalAnswer, ProposalQuery, ProposalSummary, ProposalView},
};
use provost_control::{Action, ControlError, proposal};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    cursor: String,
    /// Those that are over, too.
    all: bool,
}

#[derive(Template)]
#[template(path = "console/proposals.html")]
struct List {
    frame: Frame,
    mine: Vec<ProposalSummary>,
    others: Vec<ProposalSummary>,
    all: bool,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/proposal.html")]
struct One {
    frame: Frame,
    proposal: ProposalView,
    you: EligibleView,
    may_answer: bool,
}

/// What waits, this person's own first.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ProposalRead)?;
    let failed = |error: ControlError| looker.failed(&error);
    let me = looker.visitor.person.name.clone();
    let mine = ProposalQuery { person: Some(me), ..Default::default() };
    let mine = proposal::list(&looker.op, mine).await.map_err(failed)?.items;
    let cursor = super::asked::cursor(&form.cursor);
    let status = form.all.then(|| "all".to_owned());
    let all = ProposalQuery { cursor, status, limit: Some(super::asked::ROWS), ..Default::default() };
    let all = proposal::list(&looker.op, all).await.map_err(failed)?;
    let asked: &[(&str, &str)] = if form.all { &[("all", "true")] } else { &[] };
    let pager = Pager::new("/proposals", asked, &form.cursor, all.next.as_deref());
    let others = all.items.into_iter().filter(|one| mine.iter().all(|own| own.id != one.id)).collect();
    Ok(looker.page(&List { frame: looker.frame("/proposals"), mine, others, all: form.all, pager }))
}

/// One of them.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::ProposalRead)?;
    let failed = |error: ControlError| looker.failed(&error);
    let proposal = proposal::show(&looker.op, &id).await.map_err(failed)?;
    let you = proposal::eligible(&looker.op, &id, &looker.visitor.person.name).await.map_err(failed)?;
    let wanted = |gate: &String| proposal.missing.iter().any(|missing| missing.gate == *gate);
    let may_answer = proposal.summary.status == "waiting" && you.gates.iter().any(wanted);
    Ok(looker.page(&One { frame: looker.frame("/proposals"), proposal, you, may_answer }))
}

/// A yes or a no, to what was read: the form says which change that was. Or its author takes it back.
pub(super) async fn answer(looker: Looker, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Shown {
    if !is_own_form(&headers) || body.len() > BODY_BYTES_MAX {
        return Err(
            looker.failed(&ControlError::refused("this answer was not given on a page of this plane"))
        );
    }
    let mut answer = ProposalAnswer::default();
    let mut word = String::new();
    for (name, value) in url::form_urlencoded::parse(&body) {
        match name.as_ref() {
            "answer" => word = value.into_owned(),
            "digest" => answer.digest = Some(value.into_owned()),
            "reason" if !value.trim().is_empty() => answer.reason = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let told = match word.as_str() {
        "yes" => proposal::approve(&looker.op, &id, answer).await,
        "no" => proposal::refuse(&looker.op, &id, answer).await,
        "withdraw" => {
            let why = answer.reason.unwrap_or_else(|| "taken back by its author".to_owned());
            proposal::withdraw(&looker.op, &id, &why).await
        }
        _ => Err(ControlError::caller("an answer is yes or no")),
    };
    told.map_err(|error| looker.failed(&error))?;
    Ok(Redirect::to(&format!("/proposals/{id}")).into_response())
}

const BODY_BYTES_MAX: usize = 16_384;
