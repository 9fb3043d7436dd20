//! Drills.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page,
    drill::{DrillQuery, DrillRun, DrillView},
};
use provost_control::drill;

/// Drills, newest first.
#[utoipa::path(
    get,
    path = "/drills",
    tag = "containment",
    security(("token" = [])),
    params(DrillQuery),
    responses((status = 200, body = Page<DrillView>), Problems)
)]
pub(crate) async fn drill_list(
    Asked(op): Asked,
    Asking(query): Asking<DrillQuery>,
) -> Answer<Page<DrillView>> {
    Ok(Json(drill::list(&op, query).await?))
}

/// Carries out a drill on a canary of an agent; answers when everything is restored.
#[utoipa::path(
    post,
    path = "/drills",
    tag = "containment",
    security(("token" = [])),
    request_body = DrillRun,
    responses((status = 200, body = DrillView), Problems)
)]
pub(crate) async fn drill_run(Asked(op): Asked, Said(wanted): Said<DrillRun>) -> Answer<DrillView> {
    Ok(Json(drill::run(&op, wanted).await?))
}

/// One drill.
#[utoipa::path(
    get,
    path = "/drills/{id}",
    tag = "containment",
    security(("token" = [])),
    params(("id" = String, Path, description = "The drill")),
    responses((status = 200, body = DrillView), Problems)
)]
pub(crate) async fn drill_show(Asked(op): Asked, At(id): At<String>) -> Answer<DrillView> {
    Ok(Json(drill::show(&op, &id).await?))
}
