//! Trusted issuers.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page, PageQuery,
    issuer::{IssuerSummary, IssuerView},
};
use provost_control::issuer;
use provost_domain::Name;

/// Issuers that the plane trusts, in order of their names.
#[utoipa::path(
    get,
    path = "/issuers",
    tag = "identities",
    security(("token" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<IssuerSummary>), Problems)
)]
pub(crate) async fn issuer_list(
    Asked(op): Asked,
    Asking(query): Asking<PageQuery>,
) -> Answer<Page<IssuerSummary>> {
    Ok(Json(issuer::list(&op, query).await?))
}

/// One issuer: whose word is taken, for what, and who comes through it.
#[utoipa::path(
    get,
    path = "/issuers/{name}",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The issuer")),
    responses((status = 200, body = IssuerView), Problems)
)]
pub(crate) async fn issuer_show(Asked(op): Asked, At(name): At<Name>) -> Answer<IssuerView> {
    Ok(Json(issuer::show(&op, &name).await?))
}
