//! The ledger, to look at.

use crate::{
    app::Answer,
    asked::Asked,
    input::{Asking, At},
    problem::Problems,
};
use axum::Json;
use provost_api::ledger::{ExportPage, ExportQuery, LedgerView, ProofView};
use provost_control::ledger;

/// The signed head, and how many records wait.
#[utoipa::path(
    get,
    path = "/ledger",
    tag = "ledger",
    security(("token" = [])),
    responses((status = 200, body = LedgerView), Problems)
)]
pub(crate) async fn ledger_show(Asked(op): Asked) -> Answer<LedgerView> {
    Ok(Json(ledger::head(&op).await?))
}

/// Proves that a record is in the ledger, to anybody, offline.
#[utoipa::path(
    get,
    path = "/ledger/proofs/{kind}/{id}",
    tag = "ledger",
    security(("token" = [])),
    params(
        ("kind" = String, Path, description = "`change`, `decision`, `completion` or `refused`"),
        ("id" = String, Path, description = "The record; `change-<seq>` for a change"),
    ),
    responses((status = 200, body = ProofView), Problems)
)]
pub(crate) async fn ledger_proof(
    Asked(op): Asked,
    At((kind, id)): At<(String, String)>,
) -> Answer<ProofView> {
    Ok(Json(ledger::prove(&op, &kind, &id).await?))
}

/// The next files of an export: ask again with `next` until there is none.
#[utoipa::path(
    get,
    path = "/ledger/export",
    tag = "ledger",
    security(("token" = [])),
    params(ExportQuery),
    responses((status = 200, body = ExportPage), Problems)
)]
pub(crate) async fn ledger_export(
    Asked(op): Asked,
    Asking(query): Asking<ExportQuery>,
) -> Answer<ExportPage> {
    Ok(Json(ledger::export(&op, &query).await?))
}
