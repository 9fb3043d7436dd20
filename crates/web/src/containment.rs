//! Containment orders.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page,
    containment::{
        ContainmentAnswer, ContainmentEvidence, ContainmentHits, ContainmentOrder, ContainmentQuery,
        ContainmentSettle, ContainmentSummary, ContainmentView,
    },
    passkey::StatementView,
};
use provost_control::containment;

/// Orders in force.
#[utoipa::path(
    get,
    path = "/containments",
    tag = "containment",
    security(("token" = [])),
    params(ContainmentQuery),
    responses((status = 200, body = Page<ContainmentSummary>), Problems)
)]
pub(crate) async fn containment_list(
    Asked(op): Asked,
    Asking(query): Asking<ContainmentQuery>,
) -> Answer<Page<ContainmentSummary>> {
    Ok(Json(containment::list(&op, query).await?))
}

/// Stops what the order is about. It binds on this node when this answers, on every other within the lease.
#[utoipa::path(
    post,
    path = "/containments",
    tag = "containment",
    security(("token" = [])),
    request_body = ContainmentOrder,
    responses((status = 200, body = ContainmentView), Problems)
)]
pub(crate) async fn containment_order(
    Asked(op): Asked,
    Said(wanted): Said<ContainmentOrder>,
) -> Answer<ContainmentView> {
    Ok(Json(containment::order(&op, wanted).await?))
}

/// What an order would hit; changes nothing.
#[utoipa::path(
    post,
    path = "/containments/dry-run",
    tag = "containment",
    security(("token" = [])),
    request_body = ContainmentOrder,
    responses((status = 200, body = ContainmentHits), Problems)
)]
pub(crate) async fn containment_dry_run(
    Asked(op): Asked,
    Said(wanted): Said<ContainmentOrder>,
) -> Answer<ContainmentHits> {
    Ok(Json(containment::dry_run(&op, wanted).await?))
}

/// One order, lifted ones too: what it ended, what is proven, which calls it cut half-way.
#[utoipa::path(
    get,
    path = "/containments/{id}",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order")),
    responses((status = 200, body = ContainmentView), Problems)
)]
pub(crate) async fn containment_show(Asked(op): Asked, At(id): At<String>) -> Answer<ContainmentView> {
    Ok(Json(containment::show(&op, &id).await?))
}

/// The order and every record that what is said of it rests on, each with its receipt of the ledger: verifies offline.
#[utoipa::path(
    get,
    path = "/containments/{id}/evidence",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order")),
    responses((status = 200, body = ContainmentEvidence), Problems)
)]
pub(crate) async fn containment_evidence(
    Asked(op): Asked,
    At(id): At<String>,
) -> Answer<ContainmentEvidence> {
    Ok(Json(containment::evidence::show(&op, &id).await?))
}

/// Starts again: lifts an order; at level `off`, asks that it be lifted, or agrees as the second person.
#[utoipa::path(
    post,
    path = "/containments/{id}/lift",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order")),
    request_body = ContainmentAnswer,
    responses((status = 200, body = ContainmentView), Problems)
)]
pub(crate) async fn containment_lift(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ContainmentAnswer>,
) -> Answer<ContainmentView> {
    Ok(Json(containment::lift(&op, &id, answer).await?))
}

/// What the second person is asked to sign for the lifting they are about to agree to; it is sent back with `lift` as `signed`.
#[utoipa::path(
    post,
    path = "/containments/{id}/statement",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order")),
    request_body = ContainmentAnswer,
    responses((status = 200, body = StatementView), Problems)
)]
pub(crate) async fn containment_statement(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ContainmentAnswer>,
) -> Answer<StatementView> {
    Ok(Json(containment::statement(&op, &id, answer).await?))
}

/// Keeps an order in force although somebody asked that it be lifted.
#[utoipa::path(
    post,
    path = "/containments/{id}/keep",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order")),
    request_body = ContainmentAnswer,
    responses((status = 200, body = ContainmentView), Problems)
)]
pub(crate) async fn containment_keep(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ContainmentAnswer>,
) -> Answer<ContainmentView> {
    Ok(Json(containment::keep(&op, &id, answer).await?))
}

/// Puts on record what became of a call that an order cut half-way.
#[utoipa::path(
    post,
    path = "/containments/{id}/settle",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order")),
    request_body = ContainmentSettle,
    responses((status = 200, body = ContainmentView), Problems)
)]
pub(crate) async fn containment_settle(
    Asked(op): Asked,
    At(id): At<String>,
    Said(wanted): Said<ContainmentSettle>,
) -> Answer<ContainmentView> {
    Ok(Json(containment::settle(&op, &id, wanted).await?))
}
