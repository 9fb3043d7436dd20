//! Keys that sign, from material that somebody else drew and keeps sealed, and the public halves they are verified with.

use crate::{Algorithm, Jwk, PublicKey, json};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use zeroize::Zeroizing;

/// A key that signs with one algorithm. Its Debug shows the key id only.
pub struct SigningKey {
    pair: Pair,
    verifying: VerifyingKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// The public half of a key of ours: one algorithm, named by its RFC 7638 thumbprint.
#[derive(Clone)]
pub struct VerifyingKey {
    key: PublicKey,
    alg: Algorithm,
    kid: String,
}

impl SigningKey {
    /// The Ed25519 key that this seed stands for.
    ///
    /// # Errors
    /// When the cryptographic library refuses the seed, which it does not for 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_rejected| KeyError).and_then(Self::of_ed25519)
    }

    /// The P-256 key that this seed stands for: the private scalar, big-endian.
    ///
    /// # Errors
    /// When the seed is zero or not below the order of the curve; of random seeds, one in four thousand million. Draw
    /// again.
    pub fn es256_from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        // RFC 5915 section 3 (ECPrivateKey) without the public key, which the library computes.
        let mut der = Zeroizing::new(Vec::with_capacity(SEC1_HEAD.len() + seed.len() + SEC1_TAIL.len()));
        der.extend_from_slice(&SEC1_HEAD);
        der.extend_from_slice(seed);
        der.extend_from_slice(&SEC1_TAIL);
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|_rejected| KeyError)
            .and_then(Self::of_p256)
    }

    /// The key in this PKCS#8 document (DER, unencrypted), for EdDSA, ES256 or RS256 (RSA from 2048 bits).
    ///
    /// # Errors
    /// When it is not a key for that algorithm.
    pub fn from_pkcs8(alg: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        match alg {
            Algorithm::EdDsa => {
                Ed25519KeyPair::from_pkcs8(der).map_err(|_rejected| KeyError).and_then(Self::of_ed25519)
            }
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map_err(|_rejected| KeyError)
                .and_then(Self::of_p256),
            Algorithm::Rs256 => {
                RsaKeyPair::from_pkcs8(der).map_err(|_rejected| KeyError).and_then(Self::of_rsa)
            }
            _ => Err(KeyError),
        }
    }

    fn of_ed25519(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let key = PublicKey::ed25519(pair.public_key().as_ref()).map_err(|_fault| KeyError)?;
        Ok(Self { pair: Pair::Ed25519(pair), verifying: VerifyingKey::of(key, Algorithm::EdDsa) })
    }

    fn of_p256(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let key = PublicKey::p256(pair.public_key().as_ref()).map_err(|_fault| KeyError)?;
        Ok(Self { pair: Pair::P256(pair), verifying: VerifyingKey::of(key, Algorithm::Es256) })
    }

    fn of_rsa(pair: RsaKeyPair) -> Result<Self, KeyError> {
        let (n, e) = rsa_components(pair.public_key().as_ref()).ok_or(KeyError)?;
        let key = PublicKey::rsa(n.to_vec(), e.to_vec()).map_err(|_fault| KeyError)?;
        Ok(Self { pair: Pair::Rsa(pair), verifying: VerifyingKey::of(key, Algorithm::Rs256) })
    }

    /// The half that may be shown.
    #[must_use]
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The algorithm it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.verifying.alg
    }

    /// A compact JWS of these claims, with this `typ` and the key's `alg` and `kid`.
    ///
    /// # Errors
    /// When the claims have no JSON, or the library fails to sign.
    pub(crate) fn sign<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String, KeyError> {
        self.compact(&Header { alg: self.verifying.alg, typ, kid: &self.verifying.kid }, claims)
    }

    /// The same with the public half in the header instead of its name (`jwk`, RFC 7515 section 4.1.3).
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub(crate) fn sign_with_key<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String, KeyError> {
        self.compact(&KeyHeader { alg: self.verifying.alg, typ, jwk: self.verifying.jwk() }, claims)
    }

    fn compact<H: Serialize, C: Serialize>(&self, header: &H, claims: &C) -> Result<String, KeyError> {
        let header = serde_json::to_vec(header).map_err(|_unwritable| KeyError)?;
        let payload = serde_json::to_vec(claims).map_err(|_unwritable| KeyError)?;
        let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 96);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        // ECDSA draws its nonce inside the library: the only randomness in this crate, and it has no influence on what
        // a token says.
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            Pair::P256(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_unspecified| KeyError)
    }
}

impl VerifyingKey {
    fn of(key: PublicKey, alg: Algorithm) -> Self {
        let kid = key.thumbprint().to_string();
        Self { key: key.pinned(alg, kid.clone()), alg, kid }
    }

    /// Back from the JSON Web Key that [`VerifyingKey::jwk`] gave, as stored for a key that no longer signs.
    ///
    /// # Errors
    /// When it is not such a key, or its `kid` is not its thumbprint.
    pub fn from_jwk(text: &str) -> Result<Self, KeyError> {
        let jwk = json::object(text.as_bytes()).map_err(|_fault| KeyError)?;
        let key = PublicKey::from_jwk(&jwk).map_err(|_fault| KeyError)?;
        let alg = key.algorithm().ok_or(KeyError)?;
        let named = key.kid().map(str::to_owned);
        let key = Self::of(key, alg);
        if named.as_deref() == Some(key.kid()) { Ok(key) } else { Err(KeyError) }
    }

    /// Key id: the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// As a JSON Web Key.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        self.key.jwk()
    }

    pub(crate) const fn public(&self) -> &PublicKey {
        &self.key
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.verifying.kid)
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({})", self.kid)
    }
}

/// Stored bytes that are not the key they should be, or a key that does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored key is not a key for its algorithm; restore the key file from a backup")]
pub struct KeyError;

#[derive(Serialize)]
struct Header<'a> {
    alg: Algorithm,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct KeyHeader<'a> {
    alg: Algorithm,
    typ: &'a str,
    jwk: Jwk,
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1), without leading zeros.
fn rsa_components(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = der_item(0x30, der)?;
    let (n, after) = der_item(0x02, content)?;
    let (e, end) = der_item(0x02, after)?;
    let positive = |integer: &'_ [u8]| integer.iter().position(|byte| *byte != 0);
    (rest.is_empty() && end.is_empty()).then_some(())?;
    Some((n.get(positive(n)?..)?, e.get(positive(e)?..)?))
}

fn der_item(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(b, _)| b.len() <= 3)?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
    };
    (*found == tag).then_some(())?;
    rest.split_at_checked(length)
}

const SEC1_HEAD: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const SEC1_TAIL: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

#[cfg(test)]
mod tests;
