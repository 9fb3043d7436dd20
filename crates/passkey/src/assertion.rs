//! The one verifier of what a passkey signed (7.2): a sign-in, an answer, and both again from a record years later.

use crate::{
    Fault, Party, PublicKey,
    authenticator::AuthenticatorData,
    client_data::{self, GET},
};
use sha2::{Digest as _, Sha256};

/// What the browser answers to `navigator.credentials.get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `signature`.
    pub signature: Vec<u8>,
}

/// What an assertion must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The challenge that was given.
    pub challenge: &'a [u8],
    /// For whom.
    pub party: &'a Party,
    /// By which key.
    pub key: &'a PublicKey,
    /// Where the counter stood; not looked at, if absent.
    pub counter: Option<u32>,
}

/// A signature that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Where the counter stands now.
    pub counter: u32,
}

/// Judges an assertion. The counter is last: only the holder of the key can make it run.
///
/// # Errors
/// [`Fault`]: the first thing that is wrong.
pub fn verify(assertion: &Assertion, expected: &Expected<'_>) -> Result<Verified, Fault> {
    client_data::check(&assertion.client_data, GET, expected.challenge, expected.party)?;
    let data = AuthenticatorData::read(&assertion.authenticator_data)?;
    data.check(expected.party)?;
    let hash: [u8; 32] = Sha256::digest(&assertion.client_data).into();
    let signed = [assertion.authenticator_data.as_slice(), &hash].concat();
    if !expected.key.verifies(&signed, &assertion.signature) {
        return Err(Fault::Signature);
    }
    match expected.counter {
        // One that does not count says 0 for ever.
        Some(kept) if (kept, data.counter) != (0, 0) && data.counter <= kept => {
            Err(Fault::Counter { kept, shown: data.counter })
        }
        _ => Ok(Verified { counter: data.counter }),
    }
}

#[cfg(test)]
mod tests;
