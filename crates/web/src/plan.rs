//! Files in, plan or change out.

use crate::{
    app::Answer,
    asked::Asked,
    input::Said,
    problem::{Problems, Refusal},
};
use axum::{Json, http::StatusCode};
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

/// Makes the organisation what the files say, in one transaction; or proposes it to those who must agree, which is answered
/// with 202 and the proposal.
#[utoipa::path(
    post,
    path = "/apply",
    tag = "files",
    security(("token" = [])),
    request_body = ApplyRequest,
    responses(
        (status = 200, body = Applied),
        (status = 202, description = "Nothing has changed: `proposal` waits for those who must agree", body = Applied),
        Problems
    )
)]
pub(crate) async fn apply(
    Asked(op): Asked,
    Said(request): Said<ApplyRequest>,
) -> Result<(StatusCode, Json<Applied>), Refusal> {
    let applied = operation::apply(&op, request).await?;
    let status = if applied.proposal.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(applied)))
}
