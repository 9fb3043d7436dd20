//! Systems and their tools.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because, Changed, Page, PageQuery,
    system::{RepinPlan, SystemDraft, SystemImport, SystemSummary, SystemView, ToolQuery, ToolView},
};
use provost_control::system;
use provost_domain::Name;

/// Systems, in order of their names.
#[utoipa::path(
    get,
    path = "/systems",
    tag = "systems",
    security(("token" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<SystemSummary>), Problems)
)]
pub(crate) async fn system_list(
    Asked(op): Asked,
    Asking(query): Asking<PageQuery>,
) -> Answer<Page<SystemSummary>> {
    Ok(Json(system::list(&op, query).await?))
}

/// One system, with its tools.
#[utoipa::path(
    get,
    path = "/systems/{name}",
    tag = "systems",
    security(("token" = [])),
    params(("name" = String, Path, description = "The system")),
    responses((status = 200, body = SystemView), Problems)
)]
pub(crate) async fn system_show(Asked(op): Asked, At(name): At<Name>) -> Answer<SystemView> {
    Ok(Json(system::show(&op, &name).await?))
}

/// Takes a system and its tools away. Refused while a charter or policy speaks of it.
#[utoipa::path(
    delete,
    path = "/systems/{name}",
    tag = "systems",
    security(("token" = [])),
    params(("name" = String, Path, description = "The system"), Because),
    responses((status = 200, body = Changed), Problems)
)]
pub(crate) async fn system_remove(
    Asked(op): Asked,
    At(name): At<Name>,
    Asking(why): Asking<Because>,
) -> Answer<Changed> {
    Ok(Json(system::remove(&op, &name, &why.reason).await?))
}

/// Looks at an MCP server, or reads an OpenAPI document, and writes the file a person reviews and applies. Nothing else is written.
#[utoipa::path(
    post,
    path = "/imports",
    tag = "systems",
    security(("token" = [])),
    request_body = SystemImport,
    responses((status = 200, body = SystemDraft), Problems)
)]
pub(crate) async fn system_import(Asked(op): Asked, Said(wanted): Said<SystemImport>) -> Answer<SystemDraft> {
    Ok(Json(system::import(&op, wanted).await?))
}

/// Looks at a system's server again, and shows as a plan what its definitions of today would change.
#[utoipa::path(
    post,
    path = "/systems/{name}/repin",
    tag = "systems",
    security(("token" = [])),
    params(("name" = String, Path, description = "The system")),
    responses((status = 200, body = RepinPlan), Problems)
)]
pub(crate) async fn system_repin(Asked(op): Asked, At(name): At<Name>) -> Answer<RepinPlan> {
    Ok(Json(system::repin(&op, &name).await?))
}

/// Tools, in order of system and name.
#[utoipa::path(
    get,
    path = "/tools",
    tag = "systems",
    security(("token" = [])),
    params(ToolQuery),
    responses((status = 200, body = Page<ToolView>), Problems)
)]
pub(crate) async fn tool_list(Asked(op): Asked, Asking(query): Asking<ToolQuery>) -> Answer<Page<ToolView>> {
    Ok(Json(system::tools(&op, query).await?))
}
