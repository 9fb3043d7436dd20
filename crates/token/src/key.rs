//! Ed25519 keys, from seeds that somebody else drew and keeps sealed.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use provost_domain::Digest;
use serde::Serialize;
use zeroize::Zeroizing;

/// A key that signs. Its Debug shows the key id only.
pub struct SigningKey {
    pub(crate) encoding: EncodingKey,
    verifying: VerifyingKey,
}

/// A key that verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(crate) decoding: DecodingKey,
    public: [u8; 32],
    kid: String,
}

/// The public half as a JSON Web Key (RFC 8037 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// Always `OKP`.
    pub kty: &'static str,
    /// Always `Ed25519`.
    pub crv: &'static str,
    /// The public key, base64url.
    pub x: String,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// Always `EdDSA`.
    pub alg: &'static str,
}

impl SigningKey {
    /// The key that this seed stands for.
    ///
    /// # Errors
    /// When the cryptographic library refuses the seed, which it does not for 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_rejected| KeyError)?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_wrong_length| KeyError)?;
        // PKCS#8 v1 (RFC 8410 section 7): a fixed head, then the seed.
        let mut der = Zeroizing::new(PKCS8_HEAD.to_vec());
        der.extend_from_slice(seed);
        Ok(Self { encoding: EncodingKey::from_ed_der(&der), verifying: VerifyingKey::from_public(public)? })
    }

    /// The half that may be shown.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }
}

impl VerifyingKey {
    fn from_public(public: [u8; 32]) -> Result<Self, KeyError> {
        let x = URL_SAFE_NO_PAD.encode(public);
        let decoding = DecodingKey::from_ed_components(&x).map_err(|_rejected| KeyError)?;
        Ok(Self { decoding, public, kid: thumbprint(&x) })
    }

    /// Key id: the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// As a JSON Web Key.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        let x = URL_SAFE_NO_PAD.encode(self.public);
        Jwk { kty: "OKP", crv: "Ed25519", x, kid: self.kid.clone(), usage: "sig", alg: "EdDSA" }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.verifying.kid)
    }
}

/// A seed that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored seed is not an Ed25519 key; restore the key file from a backup")]
pub struct KeyError;

fn thumbprint(x: &str) -> String {
    // RFC 7638 section 3.2: the required members in lexicographic order, without spaces.
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Digest::of(members.as_bytes()).as_bytes())
}

const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_8037_appendix_a() {
        assert_eq!(
            thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn a_signing_key_never_shows_its_seed() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        assert!(!format!("{key:?}").contains("07"), "{key:?}");
    }
}
