//! Channels and deliveries.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because, Page, PageQuery,
    channel::{ChannelTest, ChannelView},
    delivery::{DeliveryQuery, DeliverySummary, DeliveryView, StreamView},
};
use provost_control::{channel, delivery, signal};
use provost_domain::Name;

/// Channels, in order of their names.
#[utoipa::path(
    get,
    path = "/channels",
    tag = "channels",
    security(("token" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<ChannelView>), Problems)
)]
pub(crate) async fn channel_list(
    Asked(op): Asked,
    Asking(query): Asking<PageQuery>,
) -> Answer<Page<ChannelView>> {
    Ok(Json(channel::list(&op, query).await?))
}

/// One channel: who is reached there, of what it hears, whether its secrets are set.
#[utoipa::path(
    get,
    path = "/channels/{name}",
    tag = "channels",
    security(("token" = [])),
    params(("name" = String, Path, description = "The channel")),
    responses((status = 200, body = ChannelView), Problems)
)]
pub(crate) async fn channel_show(Asked(op): Asked, At(name): At<Name>) -> Answer<ChannelView> {
    Ok(Json(channel::show(&op, &name).await?))
}

/// Sends a message over a channel that says it works. What becomes of it, the delivery says.
#[utoipa::path(
    post,
    path = "/channels/{name}/test",
    tag = "channels",
    security(("token" = [])),
    params(("name" = String, Path, description = "The channel")),
    request_body = ChannelTest,
    responses((status = 200, body = DeliveryView), Problems)
)]
pub(crate) async fn channel_test(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<ChannelTest>,
) -> Answer<DeliveryView> {
    Ok(Json(channel::test(&op, &name, wanted).await?))
}

/// What the plane owes somebody outside, and what is over as far back as this node remembers; newest first.
#[utoipa::path(
    get,
    path = "/deliveries",
    tag = "channels",
    security(("token" = [])),
    params(DeliveryQuery),
    responses((status = 200, body = Page<DeliverySummary>), Problems)
)]
pub(crate) async fn delivery_list(
    Asked(op): Asked,
    Asking(query): Asking<DeliveryQuery>,
) -> Answer<Page<DeliverySummary>> {
    Ok(Json(delivery::list(&op, query).await?))
}

/// One delivery, over ones too: what is sent, where to, how it went.
#[utoipa::path(
    get,
    path = "/deliveries/{id}",
    tag = "channels",
    security(("token" = [])),
    params(("id" = String, Path, description = "The delivery")),
    responses((status = 200, body = DeliveryView), Problems)
)]
pub(crate) async fn delivery_show(Asked(op): Asked, At(id): At<String>) -> Answer<DeliveryView> {
    Ok(Json(delivery::show(&op, &id).await?))
}

/// Streams of Shared Signals: who receives what about agents, and how.
#[utoipa::path(
    get,
    path = "/streams",
    tag = "channels",
    security(("token" = [])),
    responses((status = 200, body = Vec<StreamView>), Problems)
)]
pub(crate) async fn stream_list(Asked(op): Asked) -> Answer<Vec<StreamView>> {
    Ok(Json(signal::list_all(&op)?))
}

/// Tries once more what was given up.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/retry",
    tag = "channels",
    security(("token" = [])),
    params(("id" = String, Path, description = "The delivery")),
    request_body = Because,
    responses((status = 200, body = DeliveryView), Problems)
)]
pub(crate) async fn delivery_retry(
    Asked(op): Asked,
    At(id): At<String>,
    Said(why): Said<Because>,
) -> Answer<DeliveryView> {
    Ok(Json(delivery::retry(&op, &id, &why.reason).await?))
}
