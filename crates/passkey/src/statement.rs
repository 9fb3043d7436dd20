//! That a signature is of this statement, by this passkey, when it was good.

use crate::{Assertion, Expected, Fault, Party, PartyFault, PublicKey, Verified, decode, verify};
use provost_domain::{DurationMs, Passkey, Signature, Statement, Timestamp, canonical::CanonicalError};

/// Why a statement does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum StatementFault {
    /// The signature.
    #[error("{0}")]
    Signature(#[from] Fault),
    /// The statement is of a plane that can have no passkeys.
    #[error("{0}")]
    Party(#[from] PartyFault),
    /// The passkey is somebody else's.
    #[error("the passkey is {owner}'s, not {person}'s")]
    NotTheirs {
        /// Whose it is.
        owner: String,
        /// Who answers.
        person: String,
    },
    /// Another passkey than the one the signature names.
    #[error("it names another passkey, or another key of it, than the one that was registered")]
    OtherKey,
    /// The passkey was made for another host.
    #[error("the passkey was made for {0}, which the plane is not any more")]
    OtherParty(String),
    /// The passkey was not the person's at that moment.
    #[error("the passkey was not registered, or was taken back, when it signed")]
    NotThen,
    /// The passkey may have been copied.
    #[error("the passkey counted backwards before, so there may be a copy of it")]
    Doubted,
    /// Not signed at the time of the answer.
    #[error("it was not signed within {} minutes before the answer", FRESH_MAX.0 / 60_000)]
    NotFresh,
    /// No canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Judges a signature that came with an answer at `at`. `counter`: where the passkey's counter stood; not looked at, if absent.
///
/// # Errors
/// [`StatementFault`]: the first thing that is wrong.
pub fn verify_statement(
    statement: &Statement,
    signature: &Signature,
    passkey: &Passkey,
    at: Timestamp,
    counter: Option<u32>,
) -> Result<Verified, StatementFault> {
    if passkey.person != statement.person {
        let (owner, person) = (passkey.person.to_string(), statement.person.to_string());
        return Err(StatementFault::NotTheirs { owner, person });
    }
    if passkey.id != signature.passkey || passkey.key != signature.key {
        return Err(StatementFault::OtherKey);
    }
    if at < passkey.added || passkey.removed.as_ref().is_some_and(|removed| removed.at <= at) {
        return Err(StatementFault::NotThen);
    }
    if passkey.doubt.is_some_and(|doubt| doubt.at <= at) {
        return Err(StatementFault::Doubted);
    }
    if at < statement.stamp.at || at.since(statement.stamp.at) > FRESH_MAX {
        return Err(StatementFault::NotFresh);
    }
    let party = Party::of(&statement.stamp.plane)?;
    if party.id != passkey.party {
        return Err(StatementFault::OtherParty(passkey.party.clone()));
    }
    let assertion = Assertion {
        authenticator_data: decode("authenticator data", &signature.authenticator_data)?,
        client_data: decode("client data", &signature.client_data)?,
        signature: decode("signature", &signature.signature)?,
    };
    let key = PublicKey::read(&decode("public key", &passkey.key)?)?;
    let challenge = statement.challenge()?;
    let expected = Expected { challenge: challenge.as_bytes(), party: &party, key: &key, counter };
    Ok(verify(&assertion, &expected)?)
}

/// How long a statement may wait for its signature and the answer.
pub const FRESH_MAX: DurationMs = DurationMs::from_mins(5);
