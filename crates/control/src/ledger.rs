//! The ledger, to look at: its head, a proof of one record, an export of everything.

use crate::{
    Action, ControlError, Op, export,
    plane::Plane,
    sequencer::{entry, fetch},
};
use provost_api::ledger::{ExportPage, ExportQuery, LedgerView, ProofView};
use provost_ledger::{Checkpoint, Receipt, inclusion_proof, inclusion_tiles};
use provost_store::JournalKind;

/// The signed head, and how many records wait.
///
/// # Errors
/// When the operator may not, or the store fails.
pub async fn head(op: &Op) -> Result<LedgerView, ControlError> {
    op.authorize(Action::LedgerRead)?;
    let head = op.plane.store.ledger_head().await?;
    let root = match head.size {
        0 => provost_ledger::Hash::EMPTY,
        _ => signed(&op.plane, &head.checkpoint)?.root,
    };
    Ok(LedgerView {
        size: head.size,
        root: root.to_string(),
        waiting: head.waiting,
        checkpoint: head.checkpoint,
        vkey: vkey(&op.plane),
    })
}

/// The key that verifies checkpoints, as text. Public.
#[must_use]
pub fn vkey(plane: &Plane) -> String {
    plane.ledger_key.verifier().to_string()
}

/// Proves that a record is in the ledger, to anybody, offline: by kind (`change`, `decision`, `completion`, `refused`)
/// and id.
///
/// # Errors
/// When the operator may not, nobody knows the record, it is not sequenced yet, or the store fails.
pub async fn prove(op: &Op, kind: &str, id: &str) -> Result<ProofView, ControlError> {
    op.authorize(Action::LedgerRead)?;
    let Some(kind) = JournalKind::from_word(kind) else {
        return Err(ControlError::caller(format!("`{kind}` is not a kind of record"))
            .cure("use change, decision, completion or refused"));
    };
    prove_record(op, kind, id).await
}

pub(crate) async fn prove_record(op: &Op, kind: JournalKind, id: &str) -> Result<ProofView, ControlError> {
    let store = op.plane.store.as_ref();
    let Some(leaf) = store.leaf_of(kind, id).await? else {
        return Err(ControlError::unknown(kind.as_str(), id)
            .because("nobody recorded it, or it is not in the ledger yet")
            .cure("check the id; a new record enters the ledger within a second or so"));
    };
    // After the leaf, so that the head is not older than it.
    let head = store.ledger_head().await?;
    let entry =
        entry(&leaf.row).map_err(|error| ControlError::us("a stored record cannot be read", error))?;
    let broken = |error| ControlError::us("the stored tree cannot prove this record", error);
    let tiles = fetch(store, inclusion_tiles(leaf.index, head.size).map_err(broken)?).await?;
    let proof = inclusion_proof(leaf.index, head.size, |tile| tiles.read(tile)).map_err(broken)?;
    let receipt = Receipt::with_record(leaf.index, &entry, proof, head.checkpoint);
    // A receipt that does not hold must not be handed out.
    receipt.verify(&entry.commitment(), &op.plane.ledger_key.verifier(), &[]).map_err(|error| {
        ControlError::us("the proof of this record does not hold; run `provost fsck`", error)
    })?;
    Ok(ProofView {
        kind: kind.as_str().to_owned(),
        id: id.to_owned(),
        index: leaf.index,
        at: leaf.row.at.into(),
        receipt: receipt.to_string(),
        record: leaf.row.record,
        salt: hex::encode(leaf.row.salt),
        vkey: vkey(&op.plane),
    })
}

/// The next files of an export.
///
/// # Errors
/// When the operator may not, the cursor is not one of ours, or the store fails.
pub async fn export(op: &Op, query: &ExportQuery) -> Result<ExportPage, ControlError> {
    op.authorize(Action::LedgerRead)?;
    export::page(&op.plane, query.cursor.as_deref()).await
}

pub(crate) fn signed(plane: &Plane, note: &str) -> Result<Checkpoint, ControlError> {
    Checkpoint::verify(note.as_bytes(), &plane.ledger_key.verifier())
        .map_err(|error| ControlError::us("the stored checkpoint does not hold; run `provost fsck`", error))
}
