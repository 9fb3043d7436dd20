//! Proposals: changes that wait for people.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because, Page,
    approval::EligibleView,
    passkey::StatementView,
    proposal::{ProposalAnswer, ProposalQuery, ProposalSummary, ProposalView},
};
use provost_control::proposal;
use provost_domain::Name;

/// Proposals that wait for people. One is made by applying a change that somebody else must agree to.
#[utoipa::path(
    get,
    path = "/proposals",
    tag = "proposals",
    security(("token" = [])),
    params(ProposalQuery),
    responses((status = 200, body = Page<ProposalSummary>), Problems)
)]
pub(crate) async fn proposal_list(
    Asked(op): Asked,
    Asking(query): Asking<ProposalQuery>,
) -> Answer<Page<ProposalSummary>> {
    Ok(Json(proposal::list(&op, query).await?))
}

/// One proposal, over ones too: who gains what, what becomes reachable, the rows side by side, who must agree.
#[utoipa::path(
    get,
    path = "/proposals/{id}",
    tag = "proposals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The proposal")),
    responses((status = 200, body = ProposalView), Problems)
)]
pub(crate) async fn proposal_show(Asked(op): Asked, At(id): At<String>) -> Answer<ProposalView> {
    Ok(Json(proposal::show(&op, &id).await?))
}

/// How a person stands to a proposal, in words.
#[utoipa::path(
    get,
    path = "/proposals/{id}/eligible/{name}",
    tag = "proposals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The proposal"), ("name" = String, Path, description = "The person")),
    responses((status = 200, body = EligibleView), Problems)
)]
pub(crate) async fn proposal_eligible(
    Asked(op): Asked,
    At((id, name)): At<(String, Name)>,
) -> Answer<EligibleView> {
    Ok(Json(proposal::eligible(&op, &id, &name).await?))
}

/// One person's yes to exactly this change. The last one that is needed applies it.
#[utoipa::path(
    post,
    path = "/proposals/{id}/approve",
    tag = "proposals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The proposal")),
    request_body = ProposalAnswer,
    responses((status = 200, body = ProposalView), Problems)
)]
pub(crate) async fn proposal_approve(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ProposalAnswer>,
) -> Answer<ProposalView> {
    Ok(Json(proposal::approve(&op, &id, answer).await?))
}

/// What the person is asked to sign for the yes they are about to give; it is sent back with the yes as `signed`.
#[utoipa::path(
    post,
    path = "/proposals/{id}/statement",
    tag = "proposals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The proposal")),
    request_body = ProposalAnswer,
    responses((status = 200, body = StatementView), Problems)
)]
pub(crate) async fn proposal_statement(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ProposalAnswer>,
) -> Answer<StatementView> {
    Ok(Json(proposal::statement(&op, &id, answer).await?))
}

/// One person's no: it closes the proposal.
#[utoipa::path(
    post,
    path = "/proposals/{id}/refuse",
    tag = "proposals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The proposal")),
    request_body = ProposalAnswer,
    responses((status = 200, body = ProposalView), Problems)
)]
pub(crate) async fn proposal_refuse(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ProposalAnswer>,
) -> Answer<ProposalView> {
    Ok(Json(proposal::refuse(&op, &id, answer).await?))
}

/// Takes a proposal back: whoever wrote it may, and administrators.
#[utoipa::path(
    post,
    path = "/proposals/{id}/withdraw",
    tag = "proposals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The proposal")),
    request_body = Because,
    responses((status = 200, body = ProposalView), Problems)
)]
pub(crate) async fn proposal_withdraw(
    Asked(op): Asked,
    At(id): At<String>,
    Said(why): Said<Because>,
) -> Answer<ProposalView> {
    Ok(Json(proposal::withdraw(&op, &id, &why.reason).await?))
}
