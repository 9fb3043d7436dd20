//! Task tokens: short-lived, signed, bound to one audience and one task (RFC 9068 access tokens, EdDSA).
//!
//! **Invariant:** pure. Keys and the present moment are handed in; nothing here reads a clock or draws randomness.

mod claims;
mod error;
mod key;
mod verify;

pub use claims::{TaskClaims, issue};
pub use error::TokenError;
pub use key::{Jwk, KeyError, SigningKey, VerifyingKey};
pub use verify::Verifier;

/// `typ` of an access token (RFC 9068 section 2.1).
pub const TOKEN_TYPE: &str = "at+jwt";
/// Longer than any token we issue; longer texts are refused unread.
pub const TOKEN_BYTES_MAX: usize = 4_096;
