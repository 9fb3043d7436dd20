//! The signature beside a yes, whatever the yes is given to: what a person is asked to sign, and whether what they signed is
//! what they say now.
//!
//! ```text
//! statement  ──▶ the answer is given for show: same rules, same row ──▶ its statement, sealed stamp, challenge
//! the answer ──▶ given in earnest ──▶ its statement is made from the row ──▶ judged ──▶ kept with the answer
//! ```
//! The statement is never taken from the browser: it is made from the row that is about to be written, exactly as whoever
//! reads the ledger makes it again. What each kind of answer adds is in `approval/sign.rs`, `proposal/sign.rs` and
//! `containment/sign.rs`.

use crate::{
    ControlError, Op, carried,
    change::{Change, Seen},
    passkey::{self, counted},
};
use provost_api::passkey::{Signed, StatementView};
use provost_domain::{Digest, Directory, Name, ObjectKey, Signature, Stamp, Statement};
use provost_lifecycle::approval::{Ballot, VoteError};
use provost_passkey::{FRESH_MAX, Party, StatementFault, encode, verify_statement};
use serde_json::Value;

/// Whose passkey is beside an answer, and what it made, if one is.
pub(crate) type By<'a> = Option<(&'a Name, &'a Signature)>;

/// Whose passkey is beside a ballot.
pub(crate) fn by(ballot: &Ballot) -> By<'_> {
    ballot.signature.as_ref().map(|signature| (&ballot.person, signature.as_ref()))
}

/// A statement that is being made for somebody to sign.
pub(crate) struct Asking {
    party: Party,
    stamp: Stamp,
}

impl Asking {
    /// Begins one, on the newest rows.
    ///
    /// # Errors
    /// When nobody can have a passkey at this plane's address, or the store fails.
    pub(crate) async fn begin(op: &Op) -> Result<Self, ControlError> {
        let party = passkey::party(&op.plane)?;
        op.plane.replica.catch_up().await?;
        let nonce = hex::encode(op.plane.random::<16>());
        Ok(Self { party, stamp: Stamp { plane: op.plane.issuer.clone(), at: op.plane.now(), nonce } })
    }

    /// A signature that says nothing yet: with it the answer is made for show.
    pub(crate) fn blank(&self) -> Box<Signature> {
        let none = String::new;
        Box::new(Signature {
            stamp: self.stamp.clone(),
            passkey: none(),
            key: none(),
            authenticator_data: none(),
            client_data: none(),
            signature: none(),
        })
    }

    /// The ballot with [`Asking::blank`] beside it.
    pub(crate) fn show(&self, ballot: Ballot) -> Ballot {
        Ballot { signature: Some(self.blank()), ..ballot }
    }

    /// What the person is asked to sign.
    ///
    /// # Errors
    /// When the answer is none that is signed, or the person has no passkey that is good.
    pub(crate) fn view(
        self,
        op: &Op,
        directory: &Directory,
        statement: Option<Statement>,
    ) -> Result<StatementView, ControlError> {
        let statement = statement.ok_or_else(|| ControlError::caller("only a yes is signed"))?;
        let person = &statement.person;
        let passkeys: Vec<String> =
            directory.passkeys_of(person).filter(|row| row.is_good()).map(|row| row.id.clone()).collect();
        if passkeys.is_empty() {
            return Err(no_passkey(op, person));
        }
        let text = statement.text().map_err(broken)?;
        let Ok(Value::Object(fields)) = serde_json::from_str(&text) else {
            return Err(ControlError::unavailable("the statement has no text"));
        };
        let ticket = carried::seal(&op.plane, PURPOSE, &self.stamp, FRESH_MAX)
            .ok_or_else(|| ControlError::unavailable("the statement could not be sealed"))?;
        Ok(StatementView {
            challenge: encode(statement.challenge().map_err(broken)?.as_bytes()),
            statement: fields,
            text,
            party: self.party.id,
            origin: self.party.origin,
            passkeys,
            ticket,
            expires: self.stamp.at.plus(FRESH_MAX).into(),
        })
    }
}

/// What a browser signed, and how the plane knows who it was. Whether it is good is seen when the row is made.
///
/// # Errors
/// When it is to nothing that was asked here, counted already, or is of no passkey of the person.
pub(crate) async fn taken(
    op: &Op,
    person: &Name,
    signed: Signed,
) -> Result<(Box<Signature>, String), ControlError> {
    let late = || {
        ControlError::refused("this signature is to nothing that was asked here, or came too late")
            .because("a signature counts once, within five minutes")
            .cure("look at it again and sign again")
    };
    let stamp: Stamp = carried::open(&op.plane, PURPOSE, &signed.ticket).ok_or_else(late)?;
    let now = op.plane.now();
    let once = Digest::of(format!("statement {}", stamp.nonce).as_bytes());
    if !op.plane.store.remember(once, now.plus(FRESH_MAX), now).await? {
        return Err(late());
    }
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let row = passkey::find(&view.directory, person, &signed.passkey)?;
    let signature = Box::new(Signature {
        stamp,
        passkey: signed.passkey,
        key: row.key.clone(),
        authenticator_data: signed.authenticator_data,
        client_data: signed.client_data,
        signature: signed.signature,
    });
    Ok((signature, format!("{person}, by passkey {}", row.name)))
}

/// Puts what a browser signed beside a ballot.
///
/// # Errors
/// As [`taken`].
pub(crate) async fn with(op: &Op, ballot: Ballot, signed: Option<Signed>) -> Result<Ballot, ControlError> {
    let Some(signed) = signed else { return Ok(ballot) };
    let (signature, shown_by) = taken(op, &ballot.person, signed).await?;
    Ok(Ballot { signature: Some(signature), shown_by, ..ballot })
}

/// The row of the passkey that signed, which changes with the answer.
pub(crate) fn key(by: By<'_>) -> Option<ObjectKey> {
    by.map(|(person, signature)| ObjectKey::passkey(person, &signature.passkey))
}

/// The change, if what was signed is what it says; with the passkey's own row beside it.
pub(crate) fn concluded<T>(
    op: &Op,
    seen: &Seen<'_>,
    (statement, by): (Option<Statement>, By<'_>),
    mut change: Change<T>,
) -> Result<Change<Result<T, ControlError>>, ControlError> {
    if let Some((person, signature)) = by {
        let statement = statement.ok_or_else(|| not_good("nothing here is signed"))?;
        let row = passkey::find(seen.directory, person, &signature.passkey)?;
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
pub(crate) async fn told<T>(
    op: &Op,
    by: By<'_>,
    outcome: Result<T, ControlError>,
) -> Result<T, ControlError> {
    if let (Err(_refused), Some((person, signature))) = (&outcome, by) {
        counted::tell(op, person, &signature.passkey).await;
    }
    outcome
}

/// Why a word alone does not do, and where to go: `place` is a page of the plane.
pub(crate) fn missing(op: &Op, what: impl Into<String>, place: &str) -> ControlError {
    let place = format!("{}{place}", passkey::origin(&op.plane));
    ControlError::refused(what)
        .because("[organisation] approvals asks for signatures, so that anybody can verify later who said yes to which bytes")
        .cure(format!("open {place} in a browser and sign there"))
}

/// The refusal of a vote; of one that is nobody's signature or nobody's own, with the page on which it can be.
pub(crate) fn refused(op: &Op, page: &str, error: VoteError) -> ControlError {
    let at = format!("{}{page}", passkey::origin(&op.plane));
    let emergency = "in an emergency an administrator may break the glass, with a reason";
    match &error {
        VoteError::SignatureMissing { .. } => missing(op, error.to_string(), page)
            .cure(format!("open {at} in a browser and sign there; {emergency}")),
        VoteError::SameHand => ControlError::refused(error.to_string()).cure(format!(
            "the person signs in and agrees at {at}; what cannot wait is applied with --break-glass"
        )),
        _ => error.into(),
    }
}

/// A statement that could not be made.
pub(crate) fn broken(error: provost_domain::canonical::CanonicalError) -> ControlError {
    ControlError::us("the statement has no text", error)
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
        .cure("look at it again and sign again")
}

const PURPOSE: &str = "statement";
