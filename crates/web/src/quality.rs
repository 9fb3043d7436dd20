//! How approvals are answered.

use crate::{app::Answer, asked::Asked, input::Asking, problem::Problems};
use axum::Json;
use provost_api::quality::{QualityQuery, QualityView};
use provost_control::quality;

/// How approvals are answered: how long it takes, who says yes to what, who says it faster than it can be read, what became of
/// checks.
#[utoipa::path(
    get,
    path = "/approvals/quality",
    tag = "approvals",
    security(("token" = [])),
    params(QualityQuery),
    responses((status = 200, body = QualityView), Problems)
)]
pub(crate) async fn approval_quality(
    Asked(op): Asked,
    Asking(query): Asking<QualityQuery>,
) -> Answer<QualityView> {
    Ok(Json(quality::show(&op, query).await?))
}
