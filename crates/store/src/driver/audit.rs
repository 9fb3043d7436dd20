//! The comparisons of `Store::check` that look into records; what joins tables is each driver's own SQL.

use super::{decode, hides_nul};
use crate::ChangeRecord;
use provost_domain::{Completion, Decision, DecisionId, Label, NodeId, TaskId, Timestamp};
use std::collections::BTreeSet;

/// Faults reported for one check; more of the same say nothing new.
pub const CHECK_FAULTS_MAX: usize = 20;

/// What is wrong between the columns of a change and its record.
#[must_use]
pub fn change_fault(seq: i64, kind: &str, key: &str, version: i64, record: &str) -> Option<String> {
    let read: ChangeRecord = match decode("change", record) {
        Ok(read) => read,
        Err(error) => return Some(format!("change {seq}: {error}")),
    };
    let same = u64::try_from(seq) == Ok(read.seq.0)
        && read.key.kind.as_str() == kind
        && read.key.key == key
        && u64::try_from(version) == Ok(read.version)
        && read.after.as_ref().is_none_or(|after| after.key() == read.key);
    (!same).then(|| {
        format!(
            "change {seq} of {kind} {key} at version {version}: its record says change {} of {} at version {}",
            read.seq, read.key, read.version
        )
    })
}

/// The columns a decision is found by.
#[derive(Debug, Clone)]
pub struct DecisionColumns {
    /// Id of its journal row.
    pub id: String,
    /// Moment.
    pub at: Timestamp,
    /// Node.
    pub node: NodeId,
    /// Face.
    pub face: String,
    /// Subject.
    pub subject: String,
    /// Task.
    pub task: Option<TaskId>,
    /// System.
    pub system: String,
    /// Verdict.
    pub verdict: String,
}

/// What is wrong between the columns of a decision and its record.
#[must_use]
pub fn decision_columns_fault(columns: &DecisionColumns, record: &str) -> Option<String> {
    let id = &columns.id;
    let read: Decision = match decode("decision", record) {
        Ok(read) => read,
        Err(error) => return Some(format!("{id}: {error}")),
    };
    let differs = [
        (read.id.to_string() == *id, "id"),
        (read.at == columns.at, "at"),
        (read.node == columns.node, "node"),
        (hides_nul(read.face) == columns.face, "face"),
        (hides_nul(read.subject.id) == columns.subject, "subject"),
        (read.subject.task == columns.task, "task"),
        (read.system.as_str() == columns.system, "system"),
        (read.verdict.as_str() == columns.verdict, "verdict"),
    ];
    let named: Vec<&str> = differs.into_iter().filter(|(same, _)| !same).map(|(_, column)| column).collect();
    (!named.is_empty()).then(|| format!("{id}: its row and its record differ in {}", named.join(", ")))
}

/// What is wrong between a completion's record, the id it stands under, and what its task is known to have read.
#[must_use]
pub fn completion_fault(id: &str, record: &str, task_has: Option<&BTreeSet<Label>>) -> Option<String> {
    let read: Completion = match decode("completion", record) {
        Ok(read) => read,
        Err(error) => return Some(format!("completion of {id}: {error}")),
    };
    if id.parse::<DecisionId>().ok() != Some(read.decision) {
        return Some(format!("completion of {id}: its record completes {}", read.decision));
    }
    let missing = read.labels.iter().find(|label| task_has.is_some_and(|has| !has.contains(*label)));
    missing.map(|label| format!("completion of {id}: its task does not carry the label {label}"))
}
