//! Sealed upstream credentials.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because,
    credential::{CredentialView, CredentialWrite},
};
use provost_control::credential;
use provost_domain::Name;

/// The names of credentials that are set or wanted, never what is in them.
#[utoipa::path(
    get,
    path = "/credentials",
    tag = "credentials",
    security(("token" = [])),
    responses((status = 200, body = Vec<CredentialView>), Problems)
)]
pub(crate) async fn credential_list(Asked(op): Asked) -> Answer<Vec<CredentialView>> {
    Ok(Json(credential::list(&op).await?))
}

/// Seals a credential under a name, in place of the one before.
#[utoipa::path(
    put,
    path = "/credentials/{name}",
    tag = "credentials",
    security(("token" = [])),
    params(("name" = String, Path, description = "The credential")),
    request_body = CredentialWrite,
    responses((status = 200, body = CredentialView), Problems)
)]
pub(crate) async fn credential_set(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<CredentialWrite>,
) -> Answer<CredentialView> {
    Ok(Json(credential::set(&op, &name, wanted).await?))
}

/// Forgets a credential.
#[utoipa::path(
    delete,
    path = "/credentials/{name}",
    tag = "credentials",
    security(("token" = [])),
    params(("name" = String, Path, description = "The credential"), Because),
    responses((status = 200, body = CredentialView), Problems)
)]
pub(crate) async fn credential_delete(
    Asked(op): Asked,
    At(name): At<Name>,
    Asking(why): Asking<Because>,
) -> Answer<CredentialView> {
    Ok(Json(credential::delete(&op, &name, &why.reason).await?))
}
