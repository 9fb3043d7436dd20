//! The ledger: its signed head, the proof of one record, and how to check both elsewhere.

use super::{
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::{
    extract::{Path, Query},
    response::{IntoResponse as _, Redirect},
};
use provost_api::ledger::{LedgerView, ProofView};
use provost_control::{Action, ledger};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    kind: String,
    id: String,
}

#[derive(Template)]
#[template(path = "console/ledger.html")]
struct Head {
    frame: Frame,
    ledger: LedgerView,
}

#[derive(Template)]
#[template(path = "console/proof.html")]
struct Proof {
    frame: Frame,
    proof: ProofView,
    /// The record for people.
    record: String,
}

/// The head; a record that was asked for has an address of its own.
pub(super) async fn show(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::LedgerRead)?;
    let id = form.id.trim();
    if !id.is_empty() {
        // An id says itself what it is of.
        let kind = match id.split(['_', '-']).next() {
            Some("decision") if form.kind == "completion" => "completion",
            Some("decision") => "decision",
            Some("change") => "change",
            _ => &form.kind,
        };
        let part = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        return Ok(Redirect::to(&format!("/console/ledger/{}/{}", part(kind), part(id))).into_response());
    }
    let ledger = ledger::head(&looker.op).await.map_err(|error| looker.failed(&error))?;
    Ok(looker.page(&Head { frame: looker.frame("/console/ledger"), ledger }))
}

/// The proof of one record.
pub(super) async fn prove(looker: Looker, Path((kind, id)): Path<(String, String)>) -> Shown {
    looker.may(Action::LedgerRead)?;
    let proof = ledger::prove(&looker.op, &kind, &id).await.map_err(|error| looker.failed(&error))?;
    let value = serde_json::from_str::<serde_json::Value>(&proof.record).ok();
    let record = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    let record = record.unwrap_or_else(|| proof.record.clone());
    Ok(looker.page(&Proof { frame: looker.frame("/console/ledger"), proof, record }))
}
