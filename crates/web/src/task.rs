//! Tasks and their tokens.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because, Page,
    task::{TaskQuery, TaskStart, TaskStarted, TaskSummary, TaskView, TokenRequest},
};
use provost_control::task;
use provost_domain::TaskId;

/// Tasks that have not ended, in order of their start.
#[utoipa::path(
    get,
    path = "/tasks",
    tag = "tasks",
    security(("token" = [])),
    params(TaskQuery),
    responses((status = 200, body = Page<TaskSummary>), Problems)
)]
pub(crate) async fn task_list(
    Asked(op): Asked,
    Asking(query): Asking<TaskQuery>,
) -> Answer<Page<TaskSummary>> {
    Ok(Json(task::list(&op, query).await?))
}

/// Starts a task and issues its first token.
#[utoipa::path(
    post,
    path = "/tasks",
    tag = "tasks",
    security(("token" = [])),
    request_body = TaskStart,
    responses((status = 200, body = TaskStarted), Problems)
)]
pub(crate) async fn task_start(Asked(op): Asked, Said(wanted): Said<TaskStart>) -> Answer<TaskStarted> {
    Ok(Json(task::start(&op, wanted).await?))
}

/// One task, ended ones too: what it has read, what it has left, what was decided.
#[utoipa::path(
    get,
    path = "/tasks/{id}",
    tag = "tasks",
    security(("token" = [])),
    params(("id" = String, Path, description = "The task")),
    responses((status = 200, body = TaskView), Problems)
)]
pub(crate) async fn task_show(Asked(op): Asked, At(id): At<TaskId>) -> Answer<TaskView> {
    Ok(Json(task::show(&op, id).await?))
}

/// Ends a task. When this answers, its tokens are refused here, and everywhere else within the lease.
#[utoipa::path(
    post,
    path = "/tasks/{id}/end",
    tag = "tasks",
    security(("token" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body = Because,
    responses((status = 200, body = TaskSummary), Problems)
)]
pub(crate) async fn task_end(
    Asked(op): Asked,
    At(id): At<TaskId>,
    Said(why): Said<Because>,
) -> Answer<TaskSummary> {
    Ok(Json(task::end(&op, id, &why.reason).await?))
}

/// Another token for a task that runs.
#[utoipa::path(
    post,
    path = "/tasks/{id}/token",
    tag = "tasks",
    security(("token" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body = TokenRequest,
    responses((status = 200, body = TaskStarted), Problems)
)]
pub(crate) async fn task_token(
    Asked(op): Asked,
    At(id): At<TaskId>,
    Said(wanted): Said<TokenRequest>,
) -> Answer<TaskStarted> {
    Ok(Json(task::renew(&op, id, &wanted).await?))
}
