//! Files in, plan or change out.

use crate::{app::Answer, asked::Asked, input::Said, problem::Problems};
use axum::Json;
use provost_api::plan::{Applied, ApplyRequest, PlanRequest, PlanView};
use provost_control::plan as operation;

/// What applying these files would do. Writes nothing.
#[utoipa::path(
    post,
    path = "/plan",
    tag = "files",
    security(("token" = [])),
    request_body = PlanRequest,
    responses((status = 200, body = PlanView), Problems)
)]
pub(crate) async fn plan(Asked(op): Asked, Said(request): Said<PlanRequest>) -> Answer<PlanView> {
    Ok(Json(operation::plan(&op, request).await?))
}

/// Makes the organisation what the files say, in one transaction.
#[utoipa::path(
    post,
    path = "/apply",
    tag = "files",
    security(("token" = [])),
    request_body = ApplyRequest,
    responses((status = 200, body = Applied), Problems)
)]
pub(crate) async fn apply(Asked(op): Asked, Said(request): Said<ApplyRequest>) -> Answer<Applied> {
    Ok(Json(operation::apply(&op, request).await?))
}
