//! Policies: the ones in force, checks, cases, the schema.

use crate::{app::Answer, asked::Asked, input::Said, problem::Problems};
use axum::Json;
use provost_api::policy::{
    PolicyCheck, PolicyReport, PolicySchema, PolicyTest, PolicyTestReport, PolicyView,
};
use provost_control::policy;

/// The organisation's policies.
#[utoipa::path(
    get,
    path = "/policies",
    tag = "policies",
    security(("token" = [])),
    responses((status = 200, body = Vec<PolicyView>), Problems)
)]
pub(crate) async fn policy_list(Asked(op): Asked) -> Answer<Vec<PolicyView>> {
    Ok(Json(policy::list(&op).await?))
}

/// The Cedar schema that policies are checked against.
#[utoipa::path(
    get,
    path = "/policies/schema",
    tag = "policies",
    security(("token" = [])),
    responses((status = 200, body = PolicySchema), Problems)
)]
pub(crate) async fn policy_schema(Asked(op): Asked) -> Answer<PolicySchema> {
    Ok(Json(policy::schema(&op).await?))
}

/// Checks everything in force, or, with files, everything as it would be with them.
#[utoipa::path(
    post,
    path = "/policies/check",
    tag = "policies",
    security(("token" = [])),
    request_body = PolicyCheck,
    responses((status = 200, body = PolicyReport), Problems)
)]
pub(crate) async fn policy_check(Asked(op): Asked, Said(request): Said<PolicyCheck>) -> Answer<PolicyReport> {
    Ok(Json(policy::check_all(&op, request).await?))
}

/// Runs cases against what is in force, or, with files, against what would be.
#[utoipa::path(
    post,
    path = "/policies/test",
    tag = "policies",
    security(("token" = [])),
    request_body = PolicyTest,
    responses((status = 200, body = PolicyTestReport), Problems)
)]
pub(crate) async fn policy_test(
    Asked(op): Asked,
    Said(request): Said<PolicyTest>,
) -> Answer<PolicyTestReport> {
    Ok(Json(policy::test(&op, request).await?))
}
