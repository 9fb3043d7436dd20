//! Channels, and what was sent or is to be sent to somebody outside.

use super::{
    asked::{self, Choice, Pager, ROWS},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    PageQuery,
    channel::ChannelView,
    delivery::{DeliveryQuery, DeliverySummary, DeliveryView},
};
use provost_control::{Action, channel, delivery};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    state: String,
    lane: String,
    about: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/channels.html")]
struct List {
    frame: Frame,
    channels: Vec<ChannelView>,
    form: Form,
    states: Vec<Choice>,
    deliveries: Vec<DeliverySummary>,
    narrowed: bool,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "console/delivery.html")]
struct One {
    frame: Frame,
    row: DeliveryView,
    /// What is sent, as JSON.
    payload: String,
}

/// Channels and deliveries.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ChannelRead)?;
    let channels =
        channel::list(&looker.op, PageQuery::default()).await.map_err(|error| looker.failed(&error))?;
    let query = DeliveryQuery {
        state: asked::cursor(form.state.trim()),
        lane: asked::cursor(form.lane.trim()),
        about: asked::cursor(form.about.trim()),
        cursor: asked::cursor(&form.cursor),
        limit: Some(ROWS),
    };
    let page = delivery::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let asked_for = [("state", form.state.as_str()), ("lane", &form.lane), ("about", &form.about)];
    let shown = List {
        frame: looker.frame(HERE),
        channels: channels.items,
        states: asked::choices(&form.state, STATES),
        narrowed: asked_for.iter().any(|(_, value)| !value.trim().is_empty()),
        pager: Pager::new(HERE, &asked_for, &form.cursor, page.next.as_deref()),
        deliveries: page.items,
        form,
    };
    Ok(looker.page(&shown))
}

/// One delivery, and how it went.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::DeliveryRead)?;
    let row = delivery::show(&looker.op, &id).await.map_err(|error| looker.failed(&error))?;
    let payload = serde_json::to_string_pretty(&row.payload).unwrap_or_default();
    Ok(looker.page(&One { frame: looker.frame(HERE), row, payload }))
}

const HERE: &str = "/console/channels";
const STATES: &[(&str, &str)] = &[
    ("", "any"),
    ("due", "due"),
    ("delivered", "delivered"),
    ("given-up", "given up"),
    ("withdrawn", "withdrawn"),
];
