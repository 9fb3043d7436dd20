//! Rules that order containment by themselves.

use crate::{
    app::Answer,
    asked::Asked,
    input::{At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::rule::{RuleTest, RuleTested, RuleView};
use provost_control::rule;
use provost_domain::Name;

/// The rules, as files declare them.
#[utoipa::path(
    get,
    path = "/rules",
    tag = "containment",
    security(("token" = [])),
    responses((status = 200, body = Vec<RuleView>), Problems)
)]
pub(crate) async fn rule_list(Asked(op): Asked) -> Answer<Vec<RuleView>> {
    Ok(Json(rule::list(&op)?))
}

/// What a rule would have done, by what is on record; changes nothing.
#[utoipa::path(
    post,
    path = "/rules/{name}/test",
    tag = "containment",
    security(("token" = [])),
    params(("name" = String, Path, description = "The rule")),
    request_body = RuleTest,
    responses((status = 200, body = RuleTested), Problems)
)]
pub(crate) async fn rule_test(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<RuleTest>,
) -> Answer<RuleTested> {
    Ok(Json(rule::test(&op, &name, wanted).await?))
}
