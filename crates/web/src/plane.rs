//! The plane itself: how it is, its care, and what machines ask of it.

use crate::{
    app::{Answer, App},
    asked::Asked,
    input::Said,
    problem::Problems,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use provost_api::plane::{Backup, BackupRequest, FsckReport, Readiness, Status};
use provost_control::care;

/// How the plane is.
#[utoipa::path(
    get,
    path = "/status",
    tag = "plane",
    security(("token" = [])),
    responses((status = 200, body = Status), Problems)
)]
pub(crate) async fn status(Asked(op): Asked) -> Answer<Status> {
    Ok(Json(care::status(&op).await?))
}

/// Checks everything the plane holds against everything else. Minutes, for a large plane.
#[utoipa::path(
    post,
    path = "/fsck",
    tag = "plane",
    security(("token" = [])),
    responses((status = 200, body = FsckReport), Problems)
)]
pub(crate) async fn fsck(Asked(op): Asked) -> Answer<FsckReport> {
    Ok(Json(care::fsck(&op).await?))
}

/// Writes a consistent copy of the database into the folder `backups` of the plane's data.
#[utoipa::path(
    post,
    path = "/backups",
    tag = "plane",
    security(("token" = [])),
    request_body = BackupRequest,
    responses((status = 200, body = Backup), Problems)
)]
pub(crate) async fn backup(Asked(op): Asked, Said(wanted): Said<BackupRequest>) -> Answer<Backup> {
    Ok(Json(care::backup(&op, &wanted).await?))
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "machines", responses((status = 200, body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the node should get traffic: its store answers, its lease is fresh, its sequencer keeps up.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "machines",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness))
)]
pub(crate) async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let readiness = care::readiness(&app.plane).await;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Counters and gauges in the Prometheus text format. Names nobody.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "machines",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], care::metrics(&app.plane).await)
}
