//! Findings.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page,
    finding::{FindingAnswer, FindingQuery, FindingSummary, FindingSuppress, FindingView},
};
use provost_control::finding;

/// What people should know: the worst first, of those the last opened.
#[utoipa::path(
    get,
    path = "/findings",
    tag = "findings",
    security(("token" = [])),
    params(FindingQuery),
    responses((status = 200, body = Page<FindingSummary>), Problems)
)]
pub(crate) async fn finding_list(
    Asked(op): Asked,
    Asking(query): Asking<FindingQuery>,
) -> Answer<Page<FindingSummary>> {
    Ok(Json(finding::list(&op, query).await?))
}

/// One finding with its evidence and who did what about it; closed ones too.
#[utoipa::path(
    get,
    path = "/findings/{id}",
    tag = "findings",
    security(("token" = [])),
    params(("id" = String, Path, description = "The finding")),
    responses((status = 200, body = FindingView), Problems)
)]
pub(crate) async fn finding_show(Asked(op): Asked, At(id): At<String>) -> Answer<FindingView> {
    Ok(Json(finding::show(&op, &id).await?))
}

/// Says that somebody is at it.
#[utoipa::path(
    post,
    path = "/findings/{id}/acknowledge",
    tag = "findings",
    security(("token" = [])),
    params(("id" = String, Path, description = "The finding")),
    request_body = FindingAnswer,
    responses((status = 200, body = FindingView), Problems)
)]
pub(crate) async fn finding_acknowledge(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<FindingAnswer>,
) -> Answer<FindingView> {
    Ok(Json(finding::acknowledge(&op, &id, answer).await?))
}

/// Says that it is dealt with; seen again, it opens again.
#[utoipa::path(
    post,
    path = "/findings/{id}/close",
    tag = "findings",
    security(("token" = [])),
    params(("id" = String, Path, description = "The finding")),
    request_body = FindingAnswer,
    responses((status = 200, body = FindingView), Problems)
)]
pub(crate) async fn finding_close(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<FindingAnswer>,
) -> Answer<FindingView> {
    Ok(Json(finding::close(&op, &id, answer).await?))
}

/// Says that nobody wants to hear of it for a while, unless it gets worse.
#[utoipa::path(
    post,
    path = "/findings/{id}/suppress",
    tag = "findings",
    security(("token" = [])),
    params(("id" = String, Path, description = "The finding")),
    request_body = FindingSuppress,
    responses((status = 200, body = FindingView), Problems)
)]
pub(crate) async fn finding_suppress(
    Asked(op): Asked,
    At(id): At<String>,
    Said(wanted): Said<FindingSuppress>,
) -> Answer<FindingView> {
    Ok(Json(finding::suppress(&op, &id, wanted).await?))
}
