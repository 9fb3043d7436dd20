//! Several approvals that are alike, on one page where every difference stands, answered with one confirmation.

use super::{
    bits,
    look::{Frame, Looker, Shown},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{body::Bytes, extract::Path, http::HeaderMap};
use provost_api::approval::{AlikeRow, AlikeView, Answered, AnsweredView, ApprovalAnswers, ApprovalQuery};
use provost_control::{Action, ControlError, approval};

#[derive(Template)]
#[template(path = "console/together.html")]
struct Together {
    frame: Frame,
    /// The approval by which they were found.
    id: String,
    group: AlikeView,
    common: String,
    warning: Option<String>,
}

#[derive(Template)]
#[template(path = "console/answered.html")]
struct Told {
    frame: Frame,
    yes: bool,
    items: Vec<AnsweredView>,
}

/// Those that wait for this person and are like one of them.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::ApprovalRead)?;
    let failed = |error: ControlError| looker.failed(&error);
    let me = looker.visitor.person.name.clone();
    let query = ApprovalQuery { person: Some(me.clone()), ..ApprovalQuery::default() };
    let groups = approval::groups(&looker.op, query).await.map_err(failed)?.items;
    let group = groups.into_iter().find(|group| group.rows.iter().any(|row| row.id == id));
    let group = group.ok_or_else(|| looker.no_such("approval that waits for you", &id))?;
    let common = serde_json::to_string_pretty(&group.common).unwrap_or_default();
    let warning = approval::warning(&looker.op, &me).await.map_err(failed)?;
    Ok(looker.page(&Together { frame: looker.frame("/approvals"), id, group, common, warning }))
}

/// One answer to those that were ticked, each to the action that was read.
pub(super) async fn answer(
    looker: Looker,
    Path(_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    if !is_own_form(&headers) || body.len() > BODY_BYTES_MAX {
        return Err(
            looker.failed(&ControlError::refused("this answer was not given on a page of this plane"))
        );
    }
    let mut wanted = ApprovalAnswers::default();
    let mut word = String::new();
    for (name, value) in url::form_urlencoded::parse(&body) {
        match name.as_ref() {
            "answer" => word = value.into_owned(),
            "this" => wanted.these.extend(
                value
                    .split_once(' ')
                    .map(|(id, action)| Answered { id: id.to_owned(), action: action.to_owned() }),
            ),
            "reason" if !value.trim().is_empty() => wanted.reason = Some(value.trim().to_owned()),
            "sure" => wanted.sure = true,
            _ => {}
        }
    }
    wanted.yes = match word.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(looker.failed(&ControlError::caller("an answer is yes or no"))),
    };
    let yes = wanted.yes;
    let told = approval::answer_all(&looker.op, wanted).await;
    let items = told.map_err(|error| looker.failed(&error))?.items;
    Ok(looker.page(&Told { frame: looker.frame("/approvals"), yes, items }))
}

impl Together {
    /// One cell: the value, or that there is none.
    fn cell(row: &AlikeRow, name: &str) -> String {
        row.args.get(name).map_or_else(|| "not given".to_owned(), ToString::to_string)
    }
}

const BODY_BYTES_MAX: usize = 65_536;
