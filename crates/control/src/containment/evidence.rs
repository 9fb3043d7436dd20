//! The evidence of an order, for somebody who does not trust this plane: every record that what is said of it rests on, each with
//! the proof that it is in the signed ledger. Receipts verify offline, one by one.

use super::{calls, find, shown::view_of};
use crate::{Action, ControlError, Op, ledger};
use provost_api::containment::{ContainmentEvidence, EvidenceRecord};
use provost_domain::{Containment, Kind, ObjectKey};
use provost_store::JournalKind;

/// The records behind an order, those of the order itself first.
///
/// # Errors
/// When the operator may not read the ledger, nobody knows the order, or a record is not sequenced yet.
pub async fn show(op: &Op, id: &str) -> Result<ContainmentEvidence, ControlError> {
    op.authorize(Action::LedgerRead)?;
    op.authorize(Action::ContainmentRead)?;
    let row = find(op, id).await?;
    let mut records = Vec::new();
    for (kind, id, about) in wanted(op, &row).await? {
        let proof = ledger::prove_record(op, kind, &id).await?;
        let (kind, at) = (proof.kind, proof.at);
        records.push(EvidenceRecord {
            kind,
            id: proof.id,
            about,
            at,
            index: proof.index,
            receipt: proof.receipt,
        });
    }
    Ok(ContainmentEvidence { order: view_of(op, &row).await?, records, vkey: ledger::vkey(&op.plane) })
}

/// Which records: kind, id, and what each is evidence of.
async fn wanted(op: &Op, row: &Containment) -> Result<Vec<(JournalKind, String, String)>, ControlError> {
    let store = op.plane.store.as_ref();
    let mut wanted = Vec::new();
    let mut changes = async |key: ObjectKey, max: usize, about: String| {
        let mut history = store.history(&key, max).await?;
        history.reverse();
        let records = history.into_iter();
        wanted.extend(
            records.map(|record| (JournalKind::Change, format!("change-{}", record.seq), about.clone())),
        );
        Ok::<(), ControlError>(())
    };
    changes(ObjectKey::containment(&row.id), CHANGES_MAX, format!("the order {}", row.id)).await?;
    for task in &row.ended.some {
        changes(ObjectKey::task(*task), CHANGES_OF_A_TASK_MAX, format!("the end and the trial of {task}"))
            .await?;
    }
    for (system, evidence) in &row.systems {
        for id in &evidence.minted {
            let about = format!("{id}, made at {system}");
            changes(ObjectKey::new(Kind::Minted, id.as_str()), CHANGES_OF_A_TASK_MAX, about).await?;
        }
    }
    for (system, evidence) in &row.systems {
        let calls = [
            (evidence.last_accepted, "the last call let through"),
            (evidence.first_refused, "the first call refused"),
        ];
        for (seen, what) in calls {
            let about = format!("{what} at {system}");
            wanted.extend(seen.map(|seen| (JournalKind::Decision, seen.decision.to_string(), about)));
        }
    }
    for call in calls::cut(&op.plane, row).await? {
        let (id, about) = (call.decision.to_string(), "a call cut half-way".to_owned());
        wanted.push((JournalKind::Decision, id.clone(), about.clone()));
        wanted.push((JournalKind::Completion, id, about));
    }
    wanted.dedup_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
    wanted.truncate(RECORDS_MAX);
    Ok(wanted)
}

const CHANGES_MAX: usize = 200;
const CHANGES_OF_A_TASK_MAX: usize = 4;
const RECORDS_MAX: usize = 2_000;
