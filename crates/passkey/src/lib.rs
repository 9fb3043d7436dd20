//! The rules of passkeys (Web Authentication Level 3; section numbers are of that document): whose they are, whether a
//! signature is good, and what it was given to.
//!
//! | file | what it reads or judges |
//! |---|---|
//! | `party` | which host and origin passkeys of a plane are for |
//! | `client_data` | what the browser says of the ceremony (5.8.1) |
//! | `authenticator` | what the authenticator says (6.1) |
//! | `cose` | its public key (RFC 9052, 9053) |
//! | `registration` | a new passkey (7.1) |
//! | `assertion` | **the one verifier of signatures** (7.2): at sign-in, at an answer, offline |
//! | `statement` | that a signature is of this statement, by this passkey |
//! | `audit` | all of it again, from the records of the ledger alone |
//! | `soft` | an authenticator in software, for tests and the demo |
//!
//! **Invariant:** pure. Challenges, keys and the moment are handed in; nothing here reads a clock, draws a random byte, does
//! I/O or remembers. Bytes from outside are read one way, within bounds, or refused.

mod assertion;
pub mod audit;
mod authenticator;
mod client_data;
mod cose;
mod fault;
mod party;
mod registration;
pub mod soft;
mod statement;

pub use assertion::{Assertion, Expected, Verified, verify};
pub use cose::{ALGORITHMS, PublicKey};
pub use fault::Fault;
pub use party::{Party, PartyFault};
pub use registration::{Registered, Registration, register};
pub use statement::{FRESH_MAX, StatementFault, verify_statement};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::{Digest, Name};

/// What an authenticator knows a person by (`user.id`, section 5.4.3): the same for all of their passkeys, and no name.
#[must_use]
pub fn user_handle(plane: &str, person: &Name) -> Digest {
    Digest::of(format!("provost passkey user {plane} {person}").as_bytes())
}

/// Bytes as they are written in records and answers: base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Back from that text.
///
/// # Errors
/// [`Fault::Malformed`] for every other text.
pub fn decode(what: &'static str, text: &str) -> Result<Vec<u8>, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault::Malformed(what));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_other| Fault::Malformed(what))
}

/// Longer than anything an authenticator sends.
const TEXT_BYTES_MAX: usize = 90_000;
