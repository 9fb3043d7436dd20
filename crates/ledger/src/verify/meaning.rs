//! What records must mean together, beyond being the ones committed to.

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::entry::{Entry, EntryKind, canonical};

use super::fault::{Fault, Faults, Place};

/// A record as a check sees it, in the order of the leaves.
pub struct SeenRecord<'r> {
    /// The leaf.
    pub index: u64,
    /// Header and content.
    pub entry: &'r Entry,
    /// The parsed body, unless it was erased.
    pub body: Option<&'r Value>,
}

/// A rule over all records. Called once for each record, in order.
pub trait RecordCheck {
    /// Looks at the next record.
    ///
    /// # Errors
    /// What contradicts the records before, in words that follow "record 7 (change 7): ".
    fn check(&mut self, record: &SeenRecord<'_>) -> Result<(), String>;
}

/// A rule that somebody keeps, to ask it afterwards what it saw.
impl<T: RecordCheck + ?Sized> RecordCheck for &mut T {
    fn check(&mut self, record: &SeenRecord<'_>) -> Result<(), String> {
        (**self).check(record)
    }
}

/// Changes are numbered from 1 without a gap, in the order of the leaves.
#[derive(Debug)]
pub struct ChangesInSequence {
    member: Box<str>,
    last: u64,
}

impl ChangesInSequence {
    /// `member` is the name of the number in the body of a change.
    #[must_use]
    pub fn new(member: &str) -> Self {
        Self { member: member.into(), last: 0 }
    }
}

impl RecordCheck for ChangesInSequence {
    fn check(&mut self, record: &SeenRecord<'_>) -> Result<(), String> {
        if record.entry.kind() != EntryKind::Change {
            return Ok(());
        }
        let due = self.last.saturating_add(1);
        self.last = due;
        // An erased change keeps its place in the count.
        let Some(body) = record.body else { return Ok(()) };
        let member = &self.member;
        let Some(found) = body.get(&**member).and_then(Value::as_u64) else {
            return Err(format!("the change has no number `{member}`"));
        };
        self.last = found;
        if found == due {
            return Ok(());
        }
        Err(format!(
            "the change has `{member}` {found} where {due} is due: changes are missing, repeated or out of order"
        ))
    }
}

/// A completion names a decision that came before it, and each decision is completed at most once.
#[derive(Debug)]
pub struct CompletionsFollowDecisions {
    member: Box<str>,
    /// Decisions by a short hash of their id, and the leaf that completed each.
    decisions: HashMap<[u8; 16], Option<u64>>,
}

impl CompletionsFollowDecisions {
    /// `member` is the name of the decision's id in the body of a completion.
    #[must_use]
    pub fn new(member: &str) -> Self {
        Self { member: member.into(), decisions: HashMap::new() }
    }
}

impl RecordCheck for CompletionsFollowDecisions {
    fn check(&mut self, record: &SeenRecord<'_>) -> Result<(), String> {
        match (record.entry.kind(), record.body) {
            (EntryKind::Decision, _) => {
                self.decisions.entry(short(record.entry.id())).or_insert(None);
                Ok(())
            }
            (EntryKind::Completion, Some(body)) => self.completed(record.index, body),
            (EntryKind::Completion, None) | (EntryKind::Change | EntryKind::Alarm, _) => Ok(()),
        }
    }
}

impl CompletionsFollowDecisions {
    fn completed(&mut self, index: u64, body: &Value) -> Result<(), String> {
        let member = &self.member;
        let Some(decision) = body.get(&**member).and_then(Value::as_str) else {
            return Err(format!("the completion names no decision in `{member}`"));
        };
        match self.decisions.get_mut(&short(decision)) {
            None => Err(format!("it completes the decision {decision}, which is not recorded before it")),
            Some(Some(first)) => {
                Err(format!("it completes the decision {decision}, which record {first} completed"))
            }
            Some(open) => {
                *open = Some(index);
                Ok(())
            }
        }
    }
}

/// Runs the checks on one record, that of canonical form first.
pub(super) fn check(
    place: &Place,
    entry: &Entry,
    checks: &mut [Box<dyn RecordCheck + '_>],
    faults: &mut Faults,
) {
    let body: Option<Value> = entry.body().and_then(|body| serde_json::from_str(body).ok());
    if let Some(text) = entry.body() {
        let again = body.as_ref().and_then(|body| canonical(body).ok());
        if again.as_deref() != Some(text) {
            faults.push(Fault::NotCanonical { place: place.clone() });
        }
    }
    let record = SeenRecord { index: place.index, entry, body: body.as_ref() };
    for check in checks {
        if let Err(reason) = check.check(&record) {
            faults.push(Fault::Meaning { place: place.clone(), reason });
        }
    }
}

/// Sixteen bytes stand for an id, to keep long exports in memory.
pub(super) fn short(id: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    digest.first_chunk::<16>().copied().unwrap_or_default()
}
