//! Approvals and envelopes.

use crate::{
    app::{Answer, Proposed},
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Because, Page,
    approval::{
        AlikeView, ApprovalAnswer, ApprovalAnswers, ApprovalEdit, ApprovalQuery, ApprovalSummary,
        ApprovalView, ApprovalsAnswered, AwaySet, EligibleView, EnvelopeGrant, EnvelopeView,
    },
    passkey::{StatementAsk, StatementView},
    proposal::ProposalView,
};
use provost_control::approval;
use provost_domain::Name;

/// Approvals that something can still come of.
#[utoipa::path(
    get,
    path = "/approvals",
    tag = "approvals",
    security(("token" = [])),
    params(ApprovalQuery),
    responses((status = 200, body = Page<ApprovalSummary>), Problems)
)]
pub(crate) async fn approval_list(
    Asked(op): Asked,
    Asking(query): Asking<ApprovalQuery>,
) -> Answer<Page<ApprovalSummary>> {
    Ok(Json(approval::list(&op, query).await?))
}

/// What waits, like with like: each group with a table in which every difference stands.
#[utoipa::path(
    get,
    path = "/approvals/alike",
    tag = "approvals",
    security(("token" = [])),
    params(ApprovalQuery),
    responses((status = 200, body = Page<AlikeView>), Problems)
)]
pub(crate) async fn approval_groups(
    Asked(op): Asked,
    Asking(query): Asking<ApprovalQuery>,
) -> Answer<Page<AlikeView>> {
    Ok(Json(approval::groups(&op, query).await?))
}

/// One answer to several approvals: each is a vote of its own, on the action that was seen.
#[utoipa::path(
    post,
    path = "/approvals/answers",
    tag = "approvals",
    security(("token" = [])),
    request_body = ApprovalAnswers,
    responses((status = 200, body = ApprovalsAnswered), Problems)
)]
pub(crate) async fn approval_answer_all(
    Asked(op): Asked,
    Said(wanted): Said<ApprovalAnswers>,
) -> Answer<ApprovalsAnswered> {
    Ok(Json(approval::answer_all(&op, wanted).await?))
}

/// One approval, over ones too: what exactly would run, why it was stopped, who may answer, what was said.
#[utoipa::path(
    get,
    path = "/approvals/{id}",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    responses((status = 200, body = ApprovalView), Problems)
)]
pub(crate) async fn approval_show(Asked(op): Asked, At(id): At<String>) -> Answer<ApprovalView> {
    Ok(Json(approval::show(&op, &id).await?))
}

/// How a person stands to an approval, in words.
#[utoipa::path(
    get,
    path = "/approvals/{id}/eligible/{name}",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval"), ("name" = String, Path, description = "The person")),
    responses((status = 200, body = EligibleView), Problems)
)]
pub(crate) async fn approval_eligible(
    Asked(op): Asked,
    At((id, name)): At<(String, Name)>,
) -> Answer<EligibleView> {
    Ok(Json(approval::eligible(&op, &id, &name).await?))
}

/// One person's yes to exactly this action.
#[utoipa::path(
    post,
    path = "/approvals/{id}/approve",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    request_body = ApprovalAnswer,
    responses((status = 200, body = ApprovalView), Problems)
)]
pub(crate) async fn approval_approve(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ApprovalAnswer>,
) -> Answer<ApprovalView> {
    Ok(Json(approval::approve(&op, &id, answer).await?))
}

/// One person's no: it closes the approval.
#[utoipa::path(
    post,
    path = "/approvals/{id}/refuse",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    request_body = ApprovalAnswer,
    responses((status = 200, body = ApprovalView), Problems)
)]
pub(crate) async fn approval_refuse(
    Asked(op): Asked,
    At(id): At<String>,
    Said(answer): Said<ApprovalAnswer>,
) -> Answer<ApprovalView> {
    Ok(Json(approval::refuse(&op, &id, answer).await?))
}

/// Other arguments, and the yes to those. The agent is told what it may call instead.
#[utoipa::path(
    post,
    path = "/approvals/{id}/edit",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    request_body = ApprovalEdit,
    responses((status = 200, body = ApprovalView), Problems)
)]
pub(crate) async fn approval_edit(
    Asked(op): Asked,
    At(id): At<String>,
    Said(wanted): Said<ApprovalEdit>,
) -> Answer<ApprovalView> {
    Ok(Json(approval::edit(&op, &id, wanted).await?))
}

/// What the person is asked to sign for the answer they are about to give; it is sent back with the answer as `signed`.
#[utoipa::path(
    post,
    path = "/approvals/{id}/statement",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    request_body = StatementAsk,
    responses((status = 200, body = StatementView), Problems)
)]
pub(crate) async fn approval_statement(
    Asked(op): Asked,
    At(id): At<String>,
    Said(ask): Said<StatementAsk>,
) -> Answer<StatementView> {
    Ok(Json(approval::statement(&op, &id, ask).await?))
}

/// Takes a yes back before it is used, or a question that nobody needs to answer any more.
#[utoipa::path(
    post,
    path = "/approvals/{id}/withdraw",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    request_body = Because,
    responses((status = 200, body = ApprovalView), Problems)
)]
pub(crate) async fn approval_withdraw(
    Asked(op): Asked,
    At(id): At<String>,
    Said(why): Said<Because>,
) -> Answer<ApprovalView> {
    Ok(Json(approval::withdraw(&op, &id, &why.reason).await?))
}

/// Grants constraints instead of the one action: so many calls like it, for so long.
#[utoipa::path(
    post,
    path = "/approvals/{id}/envelope",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The approval")),
    request_body = EnvelopeGrant,
    responses((status = 200, body = EnvelopeView), Problems)
)]
pub(crate) async fn envelope_grant(
    Asked(op): Asked,
    At(id): At<String>,
    Said(wanted): Said<EnvelopeGrant>,
) -> Answer<EnvelopeView> {
    Ok(Json(approval::grant_envelope(&op, &id, wanted).await?))
}

/// Open envelopes, with what is left of them.
#[utoipa::path(
    get,
    path = "/envelopes",
    tag = "approvals",
    security(("token" = [])),
    params(ApprovalQuery),
    responses((status = 200, body = Page<EnvelopeView>), Problems)
)]
pub(crate) async fn envelope_list(
    Asked(op): Asked,
    Asking(query): Asking<ApprovalQuery>,
) -> Answer<Page<EnvelopeView>> {
    Ok(Json(approval::envelopes(&op, query).await?))
}

/// Takes an envelope back: what is left of it is gone.
#[utoipa::path(
    post,
    path = "/envelopes/{id}/revoke",
    tag = "approvals",
    security(("token" = [])),
    params(("id" = String, Path, description = "The envelope")),
    request_body = Because,
    responses((status = 200, body = EnvelopeView), Problems)
)]
pub(crate) async fn envelope_revoke(
    Asked(op): Asked,
    At(id): At<String>,
    Said(why): Said<Because>,
) -> Answer<EnvelopeView> {
    Ok(Json(approval::revoke_envelope(&op, &id, &why.reason).await?))
}

/// Says who stands in for a person who is away, and until when. For somebody else than oneself it waits for those who must
/// agree.
#[utoipa::path(
    post,
    path = "/people/{name}/away",
    tag = "identities",
    security(("token" = [])),
    params(("name" = String, Path, description = "The person")),
    request_body = AwaySet,
    responses(
        (status = 200, body = AwaySet),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn person_away(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<AwaySet>,
) -> Proposed<AwaySet> {
    Ok(approval::away(&op, &name, wanted.clone()).await?.map(|()| wanted).into())
}
