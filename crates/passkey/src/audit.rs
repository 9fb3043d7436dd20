//! Who said yes to what, from the records of the ledger alone: every signed answer is judged again, under the key that the
//! ledger itself says was that person's at that moment.
//!
//! ```text
//! change of a passkey   ──▶ whose key it is, from when, until when
//! change of an answer   ──▶ the statement is made again from the row, and the signature beside the vote must be of it
//! ```

use crate::{StatementFault, verify_statement};
use provost_domain::{
    Containment, Digest, Envelope, Matter, MatterKind, Name, Object, Passkey, Signature, Statement,
    Timestamp, approval::Vote, containment::ContainmentStatus,
};
use provost_ledger::{EntryKind, RecordCheck, SeenRecord};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A rule over all records ([`RecordCheck`]): every signed answer holds.
#[derive(Debug, Default)]
pub struct SignedAnswers {
    passkeys: BTreeMap<(Name, String), Passkey>,
    /// What was seen of each thing people answer, by its kind and id.
    seen: HashMap<String, Votes>,
    envelopes: HashSet<String>,
    /// The ends of orders at `off`, as they were first recorded.
    lifts: HashMap<String, Option<Digest>>,
    found: Found,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Answers whose signature holds.
    pub signed: u64,
    /// A yes without a signature.
    pub unsigned: u64,
    /// Of these, given against the rules of who may, with a reason.
    pub break_glass: u64,
    /// The first thousand of those that hold, in order.
    pub answers: Vec<Answer>,
}

/// A yes that a passkey signed, and that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The leaf of the record it is in.
    pub record: u64,
    /// To what kind of thing.
    pub kind: MatterKind,
    /// To which one.
    pub id: String,
    /// Digest of exactly what it was given to.
    pub digest: Digest,
    /// By whom.
    pub person: Name,
    /// What the person calls the passkey.
    pub passkey: String,
    /// When.
    pub at: Timestamp,
}

/// The votes of one row that were judged already.
#[derive(Debug, Default)]
struct Votes {
    count: usize,
    digest: Option<Digest>,
}

impl SignedAnswers {
    /// What was found so far.
    #[must_use]
    pub const fn found(&self) -> &Found {
        &self.found
    }

    fn object(&mut self, record: u64, object: &Object) -> Result<(), String> {
        match object {
            Object::Passkey(row) => self.passkey(row),
            Object::Approval(row) => self.votes(record, &row.matter(), &row.votes),
            Object::Envelope(row) => self.envelope(record, row),
            Object::Proposal(row) => {
                let matter = row.matter().map_err(|error| error.to_string())?;
                self.votes(record, &matter, &row.votes)
            }
            Object::Containment(row) => self.lift(record, row),
            _ => Ok(()),
        }
    }

    /// A key once registered stays what it is; only what it counts, its name and its end change.
    fn passkey(&mut self, row: &Passkey) -> Result<(), String> {
        let key = (row.person.clone(), row.id.clone());
        if let Some(known) = self.passkeys.get(&key) {
            let same = known.key == row.key && known.party == row.party && known.added == row.added;
            let back = known.removed.is_some() && row.removed.is_none();
            if !same || back {
                return Err(format!(
                    "the passkey {} of {} is not the one that was registered: its key, host or time was changed",
                    row.name, row.person
                ));
            }
        }
        self.passkeys.insert(key, row.clone());
        Ok(())
    }

    fn votes(&mut self, record: u64, matter: &Matter, votes: &[Vote]) -> Result<(), String> {
        let judged = self.seen.entry(format!("{} {}", matter.kind.as_str(), matter.id)).or_default();
        let before =
            votes.get(..judged.count).filter(|before| judged.count == 0 || digest(before) == judged.digest);
        if before.is_none() {
            return Err(format!("an answer to {} that was on record already is another one now", matter.id));
        }
        let from = judged.count;
        *judged = Votes { count: votes.len(), digest: digest(votes) };
        let mut fault = Ok(());
        for vote in votes.iter().skip(from).filter(|vote| vote.yes) {
            let judged = match (&vote.signature, Statement::of_vote(matter.clone(), vote)) {
                (Some(signature), Some(statement)) => self.signed(record, &statement, signature, vote.at),
                _ => {
                    self.unsigned(vote.break_glass);
                    Ok(())
                }
            };
            fault = fault.and(judged);
        }
        fault
    }

    fn envelope(&mut self, record: u64, row: &Envelope) -> Result<(), String> {
        if !self.envelopes.insert(format!("{}/{}", row.agent, row.id)) {
            return Ok(());
        }
        let statement = row.statement().map_err(|error| error.to_string())?;
        match (&row.signature, statement) {
            (Some(signature), Some(statement)) => self.signed(record, &statement, signature, row.granted),
            _ => {
                self.unsigned(false);
                Ok(())
            }
        }
    }

    /// The end of an order is judged when it is first on record; what became of calls may be added to the row afterwards.
    fn lift(&mut self, record: u64, row: &Containment) -> Result<(), String> {
        let ContainmentStatus::Lifted { at, asked: Some(_), signature, .. } = &row.status else {
            // An order that was lifted never binds again, and its end never becomes that of a drill.
            return match self.lifts.contains_key(&row.id) {
                true => Err(format!("the end of {} that was on record already is another one now", row.id)),
                false => Ok(()),
            };
        };
        let now = Digest::of_json(&(&row.scope, &row.level, &row.reason, &row.by, &row.at, &row.status)).ok();
        if let Some(known) = self.lifts.get(&row.id) {
            return match known.is_some() && *known == now {
                true => Ok(()),
                false => Err(format!("the end of {} that was on record already is another one now", row.id)),
            };
        }
        self.lifts.insert(row.id.clone(), now);
        match (signature, row.lift_statement().map_err(|error| error.to_string())?) {
            (Some(signature), Some(statement)) => self.signed(record, &statement, signature, *at),
            (Some(_), None) => Err(format!("the signed end of {} says nobody's name", row.id)),
            (None, _) => {
                self.unsigned(false);
                Ok(())
            }
        }
    }

    fn unsigned(&mut self, break_glass: bool) {
        self.found.unsigned = self.found.unsigned.saturating_add(1);
        self.found.break_glass = self.found.break_glass.saturating_add(u64::from(break_glass));
    }

    fn signed(
        &mut self,
        record: u64,
        statement: &Statement,
        signature: &Signature,
        at: Timestamp,
    ) -> Result<(), String> {
        let Matter { kind, id, digest, .. } = &statement.matter;
        let key = (statement.person.clone(), signature.passkey.clone());
        let said = |why: &str| format!("the signed yes of {} to {id} does not hold: {why}", statement.person);
        let passkey = self.passkeys.get(&key).ok_or_else(|| {
            said("the ledger does not say before it that this passkey was registered for that person")
        })?;
        verify_statement(statement, signature, passkey, at, None)
            .map_err(|fault: StatementFault| said(&fault.to_string()))?;
        self.found.signed = self.found.signed.saturating_add(1);
        if self.found.answers.len() < ANSWERS_MAX {
            self.found.answers.push(Answer {
                record,
                kind: *kind,
                id: id.clone(),
                digest: *digest,
                person: statement.person.clone(),
                passkey: passkey.name.clone(),
                at,
            });
        }
        Ok(())
    }
}

impl RecordCheck for SignedAnswers {
    fn check(&mut self, record: &SeenRecord<'_>) -> Result<(), String> {
        let Some(body) = record.body.filter(|_body| record.entry.kind() == EntryKind::Change) else {
            return Ok(());
        };
        let kind = body.get("kind").and_then(Value::as_str).unwrap_or_default();
        let Some(after) = body.get("after").filter(|after| KINDS.contains(&kind) && !after.is_null()) else {
            return Ok(());
        };
        let object: Object = serde_json::from_value(after.clone())
            .map_err(|error| format!("it is no change of a {kind}: {error}"))?;
        self.object(record.index, &object)
    }
}

fn digest(votes: &[Vote]) -> Option<Digest> {
    Digest::of_json(&votes).ok()
}

/// The rows that are looked at.
const KINDS: &[&str] = &["passkey", "approval", "envelope", "proposal", "containment"];
const ANSWERS_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
