//! Decisions, and why they were what they were.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page,
    decision::{DecisionQuery, DecisionSummary, DecisionView, TallyQuery, TallyView, WhyView},
};
use provost_control::{decision, tally};
use provost_domain::DecisionId;

/// Decisions, newest first.
#[utoipa::path(
    get,
    path = "/decisions",
    tag = "decisions",
    security(("token" = [])),
    params(DecisionQuery),
    responses((status = 200, body = Page<DecisionSummary>), Problems)
)]
pub(crate) async fn decision_list(
    Asked(op): Asked,
    Asking(query): Asking<DecisionQuery>,
) -> Answer<Page<DecisionSummary>> {
    Ok(Json(decision::list(&op, query).await?))
}

/// One decision, whole.
#[utoipa::path(
    get,
    path = "/decisions/{id}",
    tag = "decisions",
    security(("token" = [])),
    params(("id" = String, Path, description = "The decision")),
    responses((status = 200, body = DecisionView), Problems)
)]
pub(crate) async fn decision_show(Asked(op): Asked, At(id): At<DecisionId>) -> Answer<DecisionView> {
    Ok(Json(decision::show(&op, id).await?))
}

/// Makes a decision again, on the organisation as it stood then, and compares.
#[utoipa::path(
    get,
    path = "/decisions/{id}/why",
    tag = "decisions",
    security(("token" = [])),
    params(("id" = String, Path, description = "The decision")),
    responses((status = 200, body = WhyView), Problems)
)]
pub(crate) async fn decision_why(Asked(op): Asked, At(id): At<DecisionId>) -> Answer<WhyView> {
    Ok(Json(decision::why(&op, id).await?))
}

/// How many decisions there were in the last hours, by verdict.
#[utoipa::path(
    get,
    path = "/decisions/tally",
    tag = "decisions",
    security(("token" = [])),
    params(TallyQuery),
    responses((status = 200, body = TallyView), Problems)
)]
pub(crate) async fn decision_tally(Asked(op): Asked, Asking(query): Asking<TallyQuery>) -> Answer<TallyView> {
    Ok(Json(tally::show(&op, &query).await?))
}
