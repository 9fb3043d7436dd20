//! Sets of public keys (RFC 7517 section 5), and which key of a set a token is signed with.

use crate::{Algorithm, Fault, JwkFault, PublicKey, json};
use serde_json::Value;

/// The keys of one issuer, client or trust domain. Sets of different owners are never put together.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// What a set is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Signatures of an issuer or client: `use` absent, `sig` or `jwt-svid`.
    Signatures,
    /// JWT-SVIDs of a SPIFFE trust domain: `use` must be `jwt-svid` (SPIFFE Trust Domain and Bundle, section 4.2.2).
    JwtSvids,
}

/// Why a text is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// Over [`KEY_SET_BYTES_MAX`].
    #[error("the key set is longer than {KEY_SET_BYTES_MAX} bytes")]
    TooLong,
    /// Not a JSON object with an array `keys` of objects, or with a member name twice.
    #[error("the key set cannot be read: it must be a JSON object with an array `keys` of JSON Web Keys")]
    Malformed,
    /// Over [`KEYS_MAX`].
    #[error("the key set has more than {KEYS_MAX} keys")]
    TooMany,
    /// A key in it must not be in a public place.
    #[error("the key set gives away a secret: {0}")]
    Key(JwkFault),
    /// Two keys of one kind share a `kid`, so that it names neither.
    #[error("two keys of the set have the same `kid`; give each its own, such as its RFC 7638 thumbprint")]
    DuplicateKid,
    /// No key of the set can verify a signature.
    #[error("the key set has no key for signatures (Ed25519, P-256, P-384 or RSA from 2048 bits)")]
    Empty,
}

impl KeySet {
    /// Reads a set. Keys of kinds that are not used here are passed over, as RFC 7517 section 5 says; a set that contains
    /// a private or symmetric key is refused whole, because nobody can know any more who signs with it.
    ///
    /// # Errors
    /// [`KeySetFault`].
    pub fn parse(bytes: &[u8], purpose: KeyPurpose) -> Result<Self, KeySetFault> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetFault::TooLong);
        }
        let set = json::object(bytes).map_err(|_fault| KeySetFault::Malformed)?;
        let entries = set.get("keys").and_then(Value::as_array).ok_or(KeySetFault::Malformed)?;
        if entries.len() > KEYS_MAX {
            return Err(KeySetFault::TooMany);
        }
        let mut keys: Vec<PublicKey> = Vec::with_capacity(entries.len());
        for entry in entries {
            let jwk = entry.as_object().ok_or(KeySetFault::Malformed)?;
            match PublicKey::of_any_use(jwk) {
                Ok(key) if purpose.accepts(jwk.get("use")) => push_distinct(&mut keys, key)?,
                Ok(_for_something_else) => {}
                Err(fault @ (JwkFault::Private | JwkFault::Symmetric)) => {
                    return Err(KeySetFault::Key(fault));
                }
                Err(JwkFault::Unsupported | JwkFault::Damaged | JwkFault::Weak) => {}
            }
        }
        if keys.is_empty() { Err(KeySetFault::Empty) } else { Ok(Self { keys }) }
    }

    /// A set of keys that were registered one by one.
    ///
    /// # Errors
    /// [`KeySetFault::TooMany`], [`KeySetFault::DuplicateKid`], [`KeySetFault::Empty`].
    pub fn of(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, KeySetFault> {
        let mut distinct = Vec::new();
        for key in keys {
            push_distinct(&mut distinct, key)?;
        }
        match distinct.len() {
            0 => Err(KeySetFault::Empty),
            1..=KEYS_MAX => Ok(Self { keys: distinct }),
            _ => Err(KeySetFault::TooMany),
        }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The key for a token with this `kid` and `alg`: the one so named, or, for a token without `kid`, the only one that
    /// fits.
    ///
    /// # Errors
    /// [`Fault::UnknownKey`], [`Fault::AmbiguousKey`].
    pub fn select(&self, kid: Option<&str>, alg: Algorithm) -> Result<&PublicKey, Fault> {
        let named = |key: &&PublicKey| kid.is_none() || key.kid() == kid;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.fits(alg));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Fault::AmbiguousKey),
            (None, _) => Err(Fault::UnknownKey),
        }
    }
}

impl KeyPurpose {
    fn accepts(self, usage: Option<&Value>) -> bool {
        match (self, usage) {
            (Self::Signatures, None) => true,
            (Self::Signatures, Some(usage)) => usage == "sig" || usage == "jwt-svid",
            (Self::JwtSvids, usage) => usage.is_some_and(|usage| usage == "jwt-svid"),
        }
    }
}

fn push_distinct(keys: &mut Vec<PublicKey>, key: PublicKey) -> Result<(), KeySetFault> {
    // One kid for an EC and an RSA key is allowed (RFC 7517 section 4.5); for two that fit one token it is not.
    let clashes = |other: &PublicKey| {
        key.kid().is_some()
            && other.kid() == key.kid()
            && Algorithm::ALL.iter().any(|alg| other.fits(*alg) && key.fits(*alg))
    };
    match keys.iter().find(|other| clashes(other)) {
        Some(other) if other.thumbprint() == key.thumbprint() && other.algorithm() == key.algorithm() => {
            Ok(())
        }
        Some(_) => Err(KeySetFault::DuplicateKid),
        None => {
            keys.push(key);
            Ok(())
        }
    }
}

/// Longest text of a key set that is read.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1_024;
/// Most keys in one set.
pub const KEYS_MAX: usize = 64;

#[cfg(test)]
mod tests;
