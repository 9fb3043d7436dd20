//! Changes that wait for people: the list, and one of them, where what would change is read side by side and answered.

use super::{
    act::Sent,
    asked::Pager,
    bits,
    look::{Frame, Looker, Shown, done},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    approval::EligibleView,
    proposal::{LineDiff, ProposalAnswer, ProposalQuery, ProposalSummary, ProposalView},
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

impl One {
    /// The lines that differ, with a few around them; `None` where others were left out.
    fn near(lines: &[LineDiff]) -> Vec<Option<&LineDiff>> {
        let differs: Vec<usize> =
            lines.iter().enumerate().filter(|(_, line)| !line.is_same()).map(|(place, _)| place).collect();
        let shown = |place: usize| differs.iter().any(|other| other.abs_diff(place) <= AROUND);
        let mut near = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            if shown(place) {
                near.push(Some(line));
            } else if near.last().is_none_or(Option::is_some) {
                near.push(None);
            }
        }
        near
    }
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
pub(super) async fn answer(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let said = |name: &str| Some(sent.text(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let answer =
        ProposalAnswer { digest: said("digest"), reason: said("reason"), ..ProposalAnswer::default() };
    let told = match sent.text("answer") {
        "yes" => proposal::approve(&looker.op, &id, answer).await,
        "no" => proposal::refuse(&looker.op, &id, answer).await,
        "withdraw" => {
            let why = answer.reason.unwrap_or_else(|| "taken back by its author".to_owned());
            proposal::withdraw(&looker.op, &id, &why).await
        }
        _ => Err(ControlError::caller("an answer is yes or no")),
    };
    told.map_err(|error| looker.failed(&error))?;
    Ok(done(&format!("/proposals/{id}"), "answered"))
}

const AROUND: usize = 3;
