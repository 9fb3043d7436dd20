//! What a signature changes about the passkey that made it: its counter runs, or it is doubted from then on. Both are rows of
//! the same change as what was signed.

use crate::{
    ControlError, Op,
    change::{Change, Draft},
    finding,
};
use provost_domain::{Name, Object, Passkey, Severity, Sighting, Timestamp, finding::About, passkey::Doubt};
use provost_passkey::{Fault, Verified};

/// The passkey after a signature that is good.
pub(crate) fn used(row: &Passkey, verified: Verified, now: Timestamp) -> Draft {
    let row = Passkey { counter: verified.counter, used: Some(now), ..row.clone() };
    Draft::Put(Object::Passkey(Box::new(row)))
}

/// A change that says nothing but that the passkey counted backwards, and the refusal; every other fault is the refusal alone.
pub(crate) fn refused<T>(
    row: &Passkey,
    fault: &Fault,
    now: Timestamp,
    refusal: ControlError,
) -> Result<Change<Result<T, ControlError>>, ControlError> {
    let Fault::Counter { kept, shown } = *fault else { return Err(refusal) };
    let doubted = Passkey { doubt: Some(Doubt { at: now, kept, shown }), ..row.clone() };
    Ok(Change {
        drafts: vec![Draft::Put(Object::Passkey(Box::new(doubted)))],
        what: format!(
            "passkey {} of {} counted backwards, from {kept} to {shown}: not taken any more",
            row.name, row.person
        ),
        answer: Err(refusal),
    })
}

/// Tells people of a passkey that is doubted, once.
pub(crate) async fn tell(op: &Op, person: &Name, id: &str) {
    let view = op.plane.replica.latest();
    let row = view.directory.passkeys.get(&(person.clone(), id.to_owned()));
    let Some((row, doubt)) = row.and_then(|row| row.doubt.map(|doubt| (row, doubt))) else { return };
    let what = format!("{person}'s passkey {} counted backwards: there may be a copy of it", row.name);
    let sighting = Sighting::new("passkey-copied", format!("{person}/{id}"), Severity::High, what)
        .about(About::person(person))
        .evidence([format!("it stood at {}, and {} was shown", doubt.kept, doubt.shown)])
        .by_another();
    finding::try_raise(op, &sighting).await;
}
