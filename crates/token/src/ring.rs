//! The keys of one plane: one signs for each algorithm, and those before and after it verify, so that a rotation needs no
//! restart and breaks no token.

use crate::{Algorithm, Jwk, SigningKey, VerifyingKey};
use provost_domain::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// The keys of one plane at one time. A rotation makes a new ring; a ring is never changed in place.
///
/// The order that breaks nothing: *announce* the next key ([`KeyRing::with_verifying`] without an end) for as long as
/// others cache the key set; *activate* it (a new ring, the old key now verifying until the longest token it signed has
/// expired); *forget* the old one after that.
#[derive(Debug, Default)]
pub struct KeyRing {
    signing: BTreeMap<Algorithm, SigningKey>,
    verifying: Vec<(VerifyingKey, Option<Timestamp>)>,
}

/// A JWK Set document (RFC 7517 section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JwksDocument {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl KeyRing {
    /// A ring with this signing key for its algorithm.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self::default().with_signing(key)
    }

    /// Adds a signing key; it takes the place of another of the same algorithm.
    #[must_use]
    pub fn with_signing(mut self, key: SigningKey) -> Self {
        self.signing.insert(key.algorithm(), key);
        self
    }

    /// Adds a key that verifies only: a previous one until the given moment, or an announced one without an end.
    #[must_use]
    pub fn with_verifying(mut self, key: VerifyingKey, until: Option<Timestamp>) -> Self {
        self.verifying.push((key, until));
        self
    }

    /// The key that signs with this algorithm now.
    #[must_use]
    pub fn signing(&self, alg: Algorithm) -> Option<&SigningKey> {
        self.signing.get(&alg)
    }

    /// The algorithms there is a signing key for.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.signing.keys().copied()
    }

    /// The keys that verify at `now`, each once, the signing ones first.
    pub fn verifying(&self, now: Timestamp) -> impl Iterator<Item = &VerifyingKey> {
        self.all().filter(move |(_key, until)| until.is_none_or(|until| now < until)).map(|(key, _until)| key)
    }

    /// The document that others verify our tokens with, at `now`.
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> JwksDocument {
        JwksDocument { keys: self.verifying(now).map(VerifyingKey::jwk).collect() }
    }

    /// Every verifying key once, with its end; a signing key has none, also when it stands among the others.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&VerifyingKey, Option<Timestamp>)> {
        let signs = |kid: &str| self.signing.values().any(|key| key.verifying().kid() == kid);
        let active = self.signing.values().map(|key| (key.verifying(), None));
        let others = self.verifying.iter().map(|(key, until)| (key, *until));
        active.chain(others.filter(move |(key, _until)| !signs(key.kid())))
    }
}
