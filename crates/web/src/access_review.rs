//! Access reviews.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page,
    access_review::{ReviewAnswer, ReviewOpen, ReviewOpened, ReviewQuery, ReviewSummary, ReviewView},
};
use provost_control::access_review;

/// Reviews, the soonest due first.
#[utoipa::path(
    get,
    path = "/reviews",
    tag = "reviews",
    security(("token" = [])),
    params(ReviewQuery),
    responses((status = 200, body = Page<ReviewSummary>), Problems)
)]
pub(crate) async fn review_list(
    Asked(op): Asked,
    Asking(query): Asking<ReviewQuery>,
) -> Answer<Page<ReviewSummary>> {
    Ok(Json(access_review::list(&op, query).await?))
}

/// Opens a review of every agent of a scope that has none open.
#[utoipa::path(
    post,
    path = "/reviews",
    tag = "reviews",
    security(("token" = [])),
    request_body = ReviewOpen,
    responses((status = 200, body = ReviewOpened), Problems)
)]
pub(crate) async fn review_open(Asked(op): Asked, Said(wanted): Said<ReviewOpen>) -> Answer<ReviewOpened> {
    Ok(Json(access_review::open(&op, wanted).await?))
}

/// One review: each granted tool with what was done with it, and what became of the answers.
#[utoipa::path(
    get,
    path = "/reviews/{id}",
    tag = "reviews",
    security(("token" = [])),
    params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = ReviewView), Problems)
)]
pub(crate) async fn review_show(Asked(op): Asked, At(id): At<String>) -> Answer<ReviewView> {
    Ok(Json(access_review::show(&op, &id).await?))
}

/// Answers lines of a review; with the last one it is carried out and tried.
#[utoipa::path(
    post,
    path = "/reviews/{id}/answer",
    tag = "reviews",
    security(("token" = [])),
    params(("id" = String, Path, description = "The review")),
    request_body = ReviewAnswer,
    responses((status = 200, body = ReviewView), Problems)
)]
pub(crate) async fn review_answer(
    Asked(op): Asked,
    At(id): At<String>,
    Said(wanted): Said<ReviewAnswer>,
) -> Answer<ReviewView> {
    Ok(Json(access_review::answer(&op, &id, wanted).await?))
}
