//! Access reviews: what waits for an answer, and one of them with each grant beside what was done with it.

use super::{
    act::Sent,
    asked::{self, Choice, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown, done},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::access_review::{ReviewAnswer, ReviewQuery, ReviewSummary, ReviewView};
use provost_control::{Action, access_review};
use provost_domain::access_review::Choice as Answer;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    state: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/reviews.html")]
struct List {
    frame: Frame,
    states: Vec<Choice>,
    reviews: Vec<ReviewSummary>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/review.html")]
struct One {
    frame: Frame,
    review: ReviewView,
    choices: [Answer; 3],
}

/// Reviews, the soonest due first.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ReviewRead)?;
    let query = ReviewQuery {
        state: asked::cursor(&form.state),
        cursor: asked::cursor(&form.cursor),
        limit: Some(ROWS),
        ..ReviewQuery::default()
    };
    let page = access_review::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let asked_for = [("state", form.state.as_str())];
    Ok(looker.page(&List {
        frame: looker.frame("/console/reviews"),
        states: asked::choices(&form.state, STATES),
        pager: Pager::new("/console/reviews", &asked_for, &form.cursor, page.next.as_deref()),
        reviews: page.items,
    }))
}

/// One review.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::ReviewRead)?;
    let review = access_review::show(&looker.op, &id).await.map_err(|error| looker.failed(&error))?;
    Ok(looker.page(&One { frame: looker.frame("/console/reviews"), review, choices: Answer::ALL }))
}

/// Takes the answers: each line's own, or one button for all that is proposed.
pub(super) async fn answer(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let review = access_review::show(&looker.op, &id).await.map_err(|error| looker.failed(&error))?;
    let mut lines = BTreeMap::new();
    for (place, line) in review.lines.iter().enumerate() {
        let word = sent.text(&format!("line-{place}"));
        if let Some(choice) = Answer::ALL.into_iter().find(|choice| choice.as_str() == word) {
            lines.insert(line.tool.clone(), choice);
        }
    }
    let rest = Some(sent.text("rest").to_owned()).filter(|rest| !rest.is_empty());
    if rest.is_some() {
        lines.clear();
    }
    let wanted = ReviewAnswer { lines, rest, reason: sent.text("reason").to_owned(), person: None };
    access_review::answer(&looker.op, &id, wanted).await.map_err(|error| looker.failed(&error))?;
    Ok(done(&format!("/console/reviews/{id}"), "reviewed"))
}

const STATES: &[(&str, &str)] = &[("", "waiting"), ("done", "done"), ("all", "all")];
