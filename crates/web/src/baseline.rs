//! Baselines.

use crate::{
    app::Answer,
    asked::Asked,
    input::{At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::baseline::{BaselineAgree, BaselineReset, BaselineView};
use provost_control::baseline;
use provost_domain::Name;

/// What is usual for an agent: everything it does first, then each kind of its tasks.
#[utoipa::path(
    get,
    path = "/agents/{name}/baselines",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, body = Vec<BaselineView>), Problems)
)]
pub(crate) async fn baseline_list(Asked(op): Asked, At(name): At<Name>) -> Answer<Vec<BaselineView>> {
    Ok(Json(baseline::list(&op, &name)?))
}

/// Decides what waits: what was put aside is usual from now on, or what was usual before goes on.
#[utoipa::path(
    post,
    path = "/agents/{name}/baselines/agree",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = BaselineAgree,
    responses((status = 200, body = Vec<BaselineView>), Problems)
)]
pub(crate) async fn baseline_agree(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<BaselineAgree>,
) -> Answer<Vec<BaselineView>> {
    Ok(Json(baseline::agree(&op, &name, wanted).await?))
}

/// Forgets what is usual, to learn it again from the next task on.
#[utoipa::path(
    post,
    path = "/agents/{name}/baselines/reset",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = BaselineReset,
    responses((status = 200, body = Vec<BaselineView>), Problems)
)]
pub(crate) async fn baseline_reset(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<BaselineReset>,
) -> Answer<Vec<BaselineView>> {
    Ok(Json(baseline::reset(&op, &name, wanted).await?))
}
