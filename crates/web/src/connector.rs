//! Connectors: clients that provision people.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page, PageQuery,
    connector::{
        ConnectorIssue, ConnectorIssued, ConnectorLink, ConnectorReason, ConnectorSummary, ConnectorView,
    },
    identity::PersonView,
};
use provost_control::connector;
use provost_domain::Name;

/// Connectors, in order of their names.
#[utoipa::path(
    get,
    path = "/connectors",
    tag = "identities",
    security(("token" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<ConnectorSummary>), Problems)
)]
pub(crate) async fn connector_list(
    Asked(op): Asked,
    Asking(query): Asking<PageQuery>,
) -> Answer<Page<ConnectorSummary>> {
    Ok(Json(connector::list(&op, query)?))
}

/// One connector: whom it governs, what its groups give, what it was refused.
#[utoipa::path(
    get,
    path = "/connectors/{name}",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The connector")),
    responses((status = 200, body = ConnectorView), Problems)
)]
pub(crate) async fn connector_show(Asked(op): Asked, At(name): At<Name>) -> Answer<ConnectorView> {
    Ok(Json(connector::show(&op, &name).await?))
}

/// Gives a connector a new token, shown here and kept nowhere; the one before is void at once, or after the overlap.
#[utoipa::path(
    post,
    path = "/connectors/{name}/token",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The connector")),
    request_body = ConnectorIssue,
    responses((status = 200, body = ConnectorIssued), Problems)
)]
pub(crate) async fn connector_token(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<ConnectorIssue>,
) -> Answer<ConnectorIssued> {
    Ok(Json(connector::issue_token(&op, &name, &wanted).await?))
}

/// Takes every token of a connector back.
#[utoipa::path(
    delete,
    path = "/connectors/{name}/token",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The connector"), ConnectorReason),
    responses((status = 200, body = ConnectorView), Problems)
)]
pub(crate) async fn connector_revoke(
    Asked(op): Asked,
    At(name): At<Name>,
    Asking(why): Asking<ConnectorReason>,
) -> Answer<ConnectorView> {
    Ok(Json(connector::revoke_tokens(&op, &name, &why.reason).await?))
}

/// Says that somebody who is here is a connector's from now on.
#[utoipa::path(
    post,
    path = "/connectors/{name}/people",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The connector")),
    request_body = ConnectorLink,
    responses((status = 200, body = PersonView), Problems)
)]
pub(crate) async fn connector_link(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<ConnectorLink>,
) -> Answer<PersonView> {
    Ok(Json(connector::link(&op, &name, &wanted).await?))
}

/// Says that somebody is a connector's no more.
#[utoipa::path(
    delete,
    path = "/connectors/{name}/people/{person}",
    tag = "identities",
    security(("token" = [])),
    params(
        ("name" = String, Path, description = "The connector"),
        ("person" = String, Path, description = "The person"),
        ConnectorReason
    ),
    responses((status = 200, body = PersonView), Problems)
)]
pub(crate) async fn connector_unlink(
    Asked(op): Asked,
    At((name, person)): At<(Name, Name)>,
    Asking(why): Asking<ConnectorReason>,
) -> Answer<PersonView> {
    Ok(Json(connector::unlink(&op, &name, &person, &why.reason).await?))
}
