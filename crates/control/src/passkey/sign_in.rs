//! Signing in with a passkey: whoever has it, and proves to it who they are, gets the same session as one who comes from an
//! identity provider.

use super::{ceremony::once, counted, party};
use crate::{
    Action, ControlError, Op, Operator, Plane, browser, carried,
    change::Change,
    sign_in::{SignedIn, own_path},
};
use provost_api::passkey::{SignInAsk, Signed};
use provost_domain::{Digest, DurationMs, Name, ObjectKey, Passkey};
use provost_passkey::{Assertion, Expected, Fault, PublicKey, decode, encode, user_handle, verify};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Ticket {
    challenge: Digest,
    to: String,
}

/// A challenge; `to` is the path here that the person came for.
///
/// # Errors
/// When passkeys do not work at this address.
pub fn begin(plane: &Plane, to: &str) -> Result<SignInAsk, ControlError> {
    let party = party(plane)?;
    let ticket = Ticket { challenge: Digest::from_bytes(plane.random::<32>()), to: own_path(to).to_owned() };
    let sealed = carried::seal(plane, PURPOSE, &ticket, SIGN_IN_MAX);
    let sealed = sealed.ok_or_else(|| ControlError::caller("the address to come back to is too long"))?;
    Ok(SignInAsk {
        party: party.id,
        origin: party.origin,
        challenge: encode(ticket.challenge.as_bytes()),
        ticket: sealed,
    })
}

/// Judges what the passkey signed, and starts a session.
///
/// # Errors
/// When it is no answer to what was asked, nobody's passkey, not good, or its person has left.
pub async fn finish(plane: &Arc<Plane>, request_id: &str, came: &Signed) -> Result<SignedIn, ControlError> {
    let late = || {
        ControlError::refused("this sign-in did not begin here, or took too long")
            .because("somebody else's answer must not sign you in")
            .cure("begin again")
    };
    let ticket: Ticket = carried::open(plane, PURPOSE, &came.ticket).ok_or_else(late)?;
    let now = plane.now();
    if !plane.store.remember(once(&ticket.challenge), now.plus(SIGN_IN_MAX), now).await? {
        return Err(late());
    }
    plane.replica.catch_up().await?;
    let directory = plane.replica.latest().directory.clone();
    let row = directory.passkey(&came.passkey).ok_or_else(unknown)?;
    let person = row.person.clone();
    let op = Op { subject: Operator::Plane, request_id: request_id.to_owned(), plane: Arc::clone(plane) };
    let authorised = op.authorize(Action::PasskeyAdd)?;
    let why = format!("{person} signs in");
    let (_seq, judged) = authorised
        .change(&[ObjectKey::passkey(&person, &came.passkey)], &why, |seen| {
            let row = super::find(seen.directory, &person, &came.passkey).map_err(|_gone| unknown())?;
            let here = seen.directory.people.get(&person).is_some_and(|person| person.active);
            if !row.is_good() || !here {
                return Err(unknown());
            }
            match judge(plane, row, &person, &ticket.challenge, came) {
                Ok(verified) => Ok(Change {
                    drafts: vec![counted::used(row, verified, now)],
                    what: format!("passkey {} of {person} used", row.name),
                    answer: Ok(row.clone()),
                }),
                Err(fault) => counted::refused(row, &fault, now, not_good(&fault)),
            }
        })
        .await?;
    if judged.is_err() {
        counted::tell(&op, &person, &came.passkey).await;
    }
    let row: Passkey = judged?;
    let way =
        browser::Way { by: format!("passkey {}", row.name), passkey: Some(row), roles: Default::default() };
    let session = browser::start(plane, request_id, &person, way).await?;
    Ok(SignedIn { session, to: ticket.to })
}

fn judge(
    plane: &Plane,
    row: &Passkey,
    person: &Name,
    challenge: &Digest,
    came: &Signed,
) -> Result<provost_passkey::Verified, Fault> {
    let party = provost_passkey::Party::of(&plane.issuer).map_err(|_no_passkeys_here| Fault::Party)?;
    if party.id != row.party {
        return Err(Fault::Party);
    }
    // 7.2 step 6: the authenticator names whose it is.
    if came.user.as_ref().is_some_and(|user| *user != encode(user_handle(&plane.issuer, person).as_bytes())) {
        return Err(Fault::Signature);
    }
    let assertion = Assertion {
        authenticator_data: decode("authenticator data", &came.authenticator_data)?,
        client_data: decode("client data", &came.client_data)?,
        signature: decode("signature", &came.signature)?,
    };
    let key = PublicKey::read(&decode("public key", &row.key)?)?;
    let expected =
        Expected { challenge: challenge.as_bytes(), party: &party, key: &key, counter: Some(row.counter) };
    verify(&assertion, &expected)
}

/// The same for every passkey that opens nothing here: strangers do not learn which there are.
fn unknown() -> ControlError {
    ControlError::refused("this passkey opens nothing here")
        .because("it was never registered at this plane, was removed, or its person has left")
        .cure("use another one, or ask an administrator for a link: `provost person invite NAME`")
}

fn not_good(fault: &Fault) -> ControlError {
    ControlError::refused("what the passkey signed is not good")
        .because(fault.to_string())
        .cure("begin again")
}

const PURPOSE: &str = "passkey-sign-in";
const SIGN_IN_MAX: DurationMs = DurationMs::from_mins(5);
