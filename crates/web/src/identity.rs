//! People and workloads.

use crate::{
    app::{Answer, Proposed},
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because, Page, PageQuery,
    identity::{LoginChange, LoginLink, PersonView, WorkloadToken, WorkloadView},
    proposal::ProposalView,
};
use provost_control::{person, workload};
use provost_domain::Name;

/// People, in order of their names.
#[utoipa::path(
    get,
    path = "/people",
    tag = "identities",
    security(("token" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<PersonView>), Problems)
)]
pub(crate) async fn person_list(
    Asked(op): Asked,
    Asking(query): Asking<PageQuery>,
) -> Answer<Page<PersonView>> {
    Ok(Json(person::list(&op, query).await?))
}

/// One person, with the agents owned.
#[utoipa::path(
    get,
    path = "/people/{name}",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    responses((status = 200, body = PersonView), Problems)
)]
pub(crate) async fn person_show(Asked(op): Asked, At(name): At<Name>) -> Answer<PersonView> {
    Ok(Json(person::show(&op, &name).await?))
}

/// Says that a subject of an identity provider is this person.
#[utoipa::path(
    post,
    path = "/people/{name}/logins",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    request_body = LoginLink,
    responses(
        (status = 200, body = PersonView),
        (status = 202, description = "They can sign in already: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn person_link(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<LoginLink>,
) -> Proposed<PersonView> {
    Ok(person::link(&op, &name, &wanted).await?.into())
}

/// Says that a subject of an identity provider is this person no more.
#[utoipa::path(
    delete,
    path = "/people/{name}/logins",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person"), LoginChange),
    responses((status = 200, body = PersonView), Problems)
)]
pub(crate) async fn person_unlink(
    Asked(op): Asked,
    At(name): At<Name>,
    Asking(wanted): Asking<LoginChange>,
) -> Answer<PersonView> {
    Ok(Json(person::unlink(&op, &name, &wanted).await?))
}

/// Workloads, in order of their names.
#[utoipa::path(
    get,
    path = "/workloads",
    tag = "identities",
    security(("token" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<WorkloadView>), Problems)
)]
pub(crate) async fn workload_list(
    Asked(op): Asked,
    Asking(query): Asking<PageQuery>,
) -> Answer<Page<WorkloadView>> {
    Ok(Json(workload::list(&op, query).await?))
}

/// One workload.
#[utoipa::path(
    get,
    path = "/workloads/{name}",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The workload")),
    responses((status = 200, body = WorkloadView), Problems)
)]
pub(crate) async fn workload_show(Asked(op): Asked, At(name): At<Name>) -> Answer<WorkloadView> {
    Ok(Json(workload::show(&op, &name).await?))
}

/// Gives a workload a new token; the one before is void.
#[utoipa::path(
    post,
    path = "/workloads/{name}/token",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The workload")),
    request_body = Because,
    responses((status = 200, body = WorkloadToken), Problems)
)]
pub(crate) async fn workload_token(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(why): Said<Because>,
) -> Answer<WorkloadToken> {
    Ok(Json(workload::issue_token(&op, &name, &why.reason).await?))
}
