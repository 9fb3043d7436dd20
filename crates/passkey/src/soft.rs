//! An authenticator in software, for tests and the demo: what a person's device does, by the book, with a key that this
//! process has. It proves nothing about a person, and nothing in the plane takes its word for more than any other's.

use crate::{
    Assertion, Party, Registration,
    authenticator::{ATTESTED, PRESENT, VERIFIED},
    client_data::{CREATE, GET},
    encode,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use provost_domain::{Signature, Statement, canonical::CanonicalError};
use sha2::{Digest as _, Sha256};

/// One passkey in software.
pub struct Authenticator {
    key: Ed25519KeyPair,
    /// Its credential id.
    pub id: Vec<u8>,
    /// What it says of itself; changed to tell lies in tests.
    pub flags: u8,
    /// What it counts; one more at each signature.
    pub counter: u32,
}

impl Authenticator {
    /// With a key from 32 bytes; `None` only if they make none.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let id = Sha256::digest(key.public_key().as_ref()).to_vec();
        Some(Self { key, id, flags: PRESENT | VERIFIED, counter: 0 })
    }

    /// The public key as a COSE_Key.
    #[must_use]
    pub fn cose_key(&self) -> Vec<u8> {
        // {1: 1, 3: -8, -1: 6, -2: x}
        [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20], self.key.public_key().as_ref()]
            .concat()
    }

    /// Answers `navigator.credentials.create`.
    #[must_use]
    pub fn register(&self, challenge: &[u8], party: &Party) -> Registration {
        let length = u16::try_from(self.id.len()).unwrap_or(u16::MAX).to_be_bytes();
        let attested = [&[0; 16], length.as_slice(), &self.id, &self.cose_key()].concat();
        let data = [self.data(party, self.flags | ATTESTED), attested].concat();
        let head = [
            &[0xa3, 0x63],
            b"fmt".as_slice(),
            &[0x64],
            b"none",
            &[0x67],
            b"attStmt",
            &[0xa0, 0x68],
            b"authData",
        ];
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        let attestation = [head.concat(), vec![0x59], length.to_vec(), data].concat();
        Registration { id: self.id.clone(), client_data: client_data(CREATE, challenge, party), attestation }
    }

    /// Answers `navigator.credentials.get`.
    #[must_use]
    pub fn sign(&mut self, challenge: &[u8], party: &Party) -> Assertion {
        self.counter = self.counter.saturating_add(1);
        let authenticator_data = self.data(party, self.flags);
        let client_data = client_data(GET, challenge, party);
        let signature = self.sign_bytes(&authenticator_data, &client_data);
        Assertion { authenticator_data, client_data, signature }
    }

    /// A signature over these two, whatever they say.
    #[must_use]
    pub fn sign_bytes(&self, authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
        let hash: [u8; 32] = Sha256::digest(client_data).into();
        self.key.sign(&[authenticator_data, &hash].concat()).as_ref().to_vec()
    }

    /// Signs a statement, as it is kept beside an answer.
    ///
    /// # Errors
    /// Never for statements that were parsed from JSON.
    pub fn sign_statement(
        &mut self,
        statement: &Statement,
        party: &Party,
    ) -> Result<Signature, CanonicalError> {
        let assertion = self.sign(statement.challenge()?.as_bytes(), party);
        Ok(Signature {
            stamp: statement.stamp.clone(),
            passkey: encode(&self.id),
            key: encode(&self.cose_key()),
            authenticator_data: encode(&assertion.authenticator_data),
            client_data: encode(&assertion.client_data),
            signature: encode(&assertion.signature),
        })
    }

    fn data(&self, party: &Party, flags: u8) -> Vec<u8> {
        [party.id_hash().as_slice(), &[flags], &self.counter.to_be_bytes()].concat()
    }
}

/// As a browser writes it (5.8.1.1).
fn client_data(kind: &str, challenge: &[u8], party: &Party) -> Vec<u8> {
    let challenge = encode(challenge);
    let origin = &party.origin;
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#)
        .into_bytes()
}
