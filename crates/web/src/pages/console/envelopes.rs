//! Open envelopes: what agents may do by themselves for a while, how much of it is left, and taking it back.

use super::{
    asked::{self, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::Query;
use provost_api::approval::{ApprovalQuery, EnvelopeView};
use provost_control::{Action, approval};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/envelopes.html")]
struct Page {
    frame: Frame,
    envelopes: Vec<Row>,
    pager: Pager,
}

struct Row {
    envelope: EnvelopeView,
    may_revoke: bool,
}

/// The page.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ApprovalRead)?;
    let query =
        ApprovalQuery { cursor: asked::cursor(&form.cursor), limit: Some(ROWS), ..ApprovalQuery::default() };
    let page = approval::envelopes(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let row = |envelope: EnvelopeView| Row {
        // Who granted it, and who answers for the agent; the operation asks again.
        may_revoke: envelope.by == looker.visitor.person.name || looker.answers_for(&envelope.agent),
        envelope,
    };
    let shown = Page {
        frame: looker.frame("/console/envelopes"),
        pager: Pager::new("/console/envelopes", &[], &form.cursor, page.next.as_deref()),
        envelopes: page.items.into_iter().map(row).collect(),
    };
    Ok(looker.page(&shown))
}
