//! The signature beside a yes: what a person is asked to sign, and whether what they signed is what they say now.
//!
//! ```text
//! statement  ──▶ the answer is given for show: same rules, same row ──▶ its statement, sealed stamp, challenge
//! the answer ──▶ given in earnest ──▶ its statement is made from the row ──▶ judged ──▶ kept with the vote
//! ```
//! The statement is never taken from the browser: it is made from the row that is about to be written, exactly as whoever
//! reads the ledger makes it again.

use super::{answer, envelope, waiting};
use crate::{
    Action, ControlError, Op, carried,
    change::{Change, Seen},
    passkey::{self, counted},
};
use provost_api::passkey::{Signed, StatementAsk, StatementView};
use provost_domain::{
    Approval, Digest, Directory, Name, ObjectKey, Signature, Stamp, Statement, approval::Vote,
};
use provost_lifecycle::approval::{self as life, Ballot, VoteError};
use provost_passkey::{FRESH_MAX, StatementFault, encode, verify_statement};
use serde_json::Value;

/// What a person is asked to sign, for the answer they are about to give.
///
/// # Errors
/// As the answer itself; or when the person has no passkey that is good.
pub async fn statement(op: &Op, id: &str, ask: StatementAsk) -> Result<StatementView, ControlError> {
    op.authorize(Action::ApprovalAnswer)?;
    let party = passkey::party(&op.plane)?;
    op.plane.replica.catch_up().await?;
    let now = op.plane.now();
    let stamp =
        Stamp { plane: op.plane.issuer.clone(), at: now, nonce: hex::encode(op.plane.random::<16>()) };
    let directory = op.plane.replica.latest().directory.clone();
    let (person, made) = match ask {
        StatementAsk { answer: Some(said), edit: None, envelope: None } => {
            let ballot = blank(answer::ballot(op, said.person, said.reason, true, said.break_glass)?, &stamp);
            let row = waiting(op, &directory, id)?;
            answer::check_seen(&row, said.action.as_deref())?;
            let person = ballot.person.clone();
            (person, of_vote(&life::vote(&row, &directory, ballot, now)?))
        }
        StatementAsk { answer: None, edit: Some(wanted), envelope: None } => {
            let ballot = answer::ballot(op, wanted.person.clone(), wanted.reason.clone(), true, false)?;
            let (person, ballot) = (ballot.person.clone(), blank(ballot, &stamp));
            let edit = answer::Edit::read(op, id, wanted.args).await?;
            (person, of_vote(&edit.made(op, &directory, id, ballot)?.1))
        }
        StatementAsk { answer: None, edit: None, envelope: Some(wanted) } => {
            let ballot = answer::ballot(op, wanted.person.clone(), Some(wanted.reason.clone()), true, false)?;
            let (person, ballot) = (ballot.person.clone(), blank(ballot, &stamp));
            let (_over, made) = envelope::made(op, &directory, id, (&wanted, "envelope"), ballot)?;
            (person, of_envelope(&made)?)
        }
        _ => {
            return Err(ControlError::caller("a statement is of one answer")
                .cure("send one of `answer`, `edit` and `envelope`"));
        }
    };
    let statement = made.ok_or_else(|| ControlError::caller("only a yes is signed"))?;
    let passkeys: Vec<String> =
        directory.passkeys_of(&person).filter(|row| row.is_good()).map(|row| row.id.clone()).collect();
    if passkeys.is_empty() {
        return Err(no_passkey(op, &person));
    }
    let broken = |error| ControlError::us("the statement has no text", error);
    let text = statement.text().map_err(broken)?;
    let Ok(Value::Object(fields)) = serde_json::from_str(&text) else {
        return Err(ControlError::unavailable("the statement has no text"));
    };
    let ticket = carried::seal(&op.plane, PURPOSE, &stamp, FRESH_MAX)
        .ok_or_else(|| ControlError::unavailable("the statement could not be sealed"))?;
    Ok(StatementView {
        challenge: encode(statement.challenge().map_err(broken)?.as_bytes()),
        statement: fields,
        text,
        party: party.id,
        origin: party.origin,
        passkeys,
        ticket,
        expires: now.plus(FRESH_MAX).into(),
    })
}

/// Puts what a browser signed beside a ballot. Whether it is good is seen when the row is made.
pub(super) async fn with(
    op: &Op,
    mut ballot: Ballot,
    signed: Option<Signed>,
) -> Result<Ballot, ControlError> {
    let Some(signed) = signed else { return Ok(ballot) };
    let late = || {
        ControlError::refused("this signature is to nothing that was asked here, or came too late")
            .because("a signature counts once, within five minutes")
            .cure("look at the approval again and sign again")
    };
    let stamp: Stamp = carried::open(&op.plane, PURPOSE, &signed.ticket).ok_or_else(late)?;
    let now = op.plane.now();
    let once = Digest::of(format!("statement {}", stamp.nonce).as_bytes());
    if !op.plane.store.remember(once, now.plus(FRESH_MAX), now).await? {
        return Err(late());
    }
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let row = passkey::find(&view.directory, &ballot.person, &signed.passkey)?;
    ballot.shown_by = format!("{}, by passkey {}", ballot.person, row.name);
    ballot.signature = Some(Box::new(Signature {
        stamp,
        passkey: signed.passkey,
        key: row.key.clone(),
        authenticator_data: signed.authenticator_data,
        client_data: signed.client_data,
        signature: signed.signature,
    }));
    Ok(ballot)
}

/// The row of the passkey that signed, which changes with the answer.
pub(super) fn key(ballot: &Ballot) -> Option<ObjectKey> {
    ballot.signature.as_ref().map(|signature| ObjectKey::passkey(&ballot.person, &signature.passkey))
}

/// The change, if what was signed is what it says; with the passkey's own row beside it.
pub(super) fn concluded<T>(
    op: &Op,
    seen: &Seen<'_>,
    (statement, ballot): (Option<Statement>, &Ballot),
    mut change: Change<T>,
) -> Result<Change<Result<T, ControlError>>, ControlError> {
    if let (Some(signature), Some(statement)) = (&ballot.signature, statement) {
        let row = passkey::find(seen.directory, &ballot.person, &signature.passkey)?;
        let now = op.plane.now();
        match verify_statement(&statement, signature, row, now, Some(row.counter)) {
            Ok(verified) => change.drafts.push(counted::used(row, verified, now)),
            Err(StatementFault::Signature(fault)) => {
                return counted::refused(row, &fault, now, not_good(&fault.to_string()));
            }
            Err(fault) => return Err(not_good(&fault.to_string())),
        }
    }
    Ok(Change { drafts: change.drafts, what: change.what, answer: Ok(change.answer) })
}

/// What came of an answer; if its passkey may have been copied, people are told.
pub(super) async fn told<T>(
    op: &Op,
    ballot: &Ballot,
    outcome: Result<T, ControlError>,
) -> Result<T, ControlError> {
    if let (Err(_refused), Some(signature)) = (&outcome, &ballot.signature) {
        counted::tell(op, &ballot.person, &signature.passkey).await;
    }
    outcome
}

/// The statement of an approval's last vote.
pub(super) fn of_vote(row: &Approval) -> Option<Statement> {
    row.votes.last().and_then(|vote: &Vote| Statement::of_vote(row.matter(), vote))
}

/// The statement of an envelope.
pub(super) fn of_envelope(row: &provost_domain::Envelope) -> Result<Option<Statement>, ControlError> {
    row.statement().map_err(|error| ControlError::us("the statement has no text", error))
}

/// Why a word alone does not do, and where to go.
pub(super) fn missing(op: &Op, error: VoteError) -> ControlError {
    let VoteError::SignatureMissing { id, .. } = &error else { return error.into() };
    let place = format!("{}/approvals/{id}", passkey::origin(&op.plane));
    ControlError::refused(error.to_string())
        .because("[organisation] approvals asks for signatures, so that anybody can verify later who said yes to which bytes")
        .cure(format!(
            "open {place} in a browser and sign there; in an emergency an administrator may break the glass, with a reason"
        ))
}

/// The ballot with a signature that says nothing yet: the answer is made for show.
fn blank(ballot: Ballot, stamp: &Stamp) -> Ballot {
    let none = String::new;
    let signature = Signature {
        stamp: stamp.clone(),
        passkey: none(),
        key: none(),
        authenticator_data: none(),
        client_data: none(),
        signature: none(),
    };
    Ballot { signature: Some(Box::new(signature)), ..ballot }
}

fn no_passkey(op: &Op, person: &Name) -> ControlError {
    ControlError::refused(format!("{person} has no passkey to sign with"))
        .because("a yes to this is a signature over exactly what is agreed to")
        .cure(format!(
            "add one at {}/you; who cannot sign in asks an administrator: `provost person invite {person}`",
            passkey::origin(&op.plane)
        ))
}

fn not_good(fault: &str) -> ControlError {
    ControlError::refused("what the passkey signed is not a yes to this")
        .because(fault)
        .cure("look at the approval again and sign again")
}

/// Whether a yes of whoever asks takes a signature.
pub(super) fn wanted(row: &Approval, directory: &Directory) -> bool {
    life::wants_signature(row, directory)
}

const PURPOSE: &str = "statement";
