//! The other side in tests: keys and tokens by somebody else's hand, with whatever header and claims an attacker likes.

use crate::{KeyPurpose, KeySet, PublicKey, SigningKey};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use provost_domain::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const NOW_S: i64 = NOW.as_seconds();

/// Somebody with a key.
pub(crate) struct Signer {
    pub(crate) alg: &'static str,
    pub(crate) jwk: Value,
    sign: Box<dyn Fn(&str) -> String>,
}

impl Signer {
    pub(crate) fn ed(seed: u8) -> Self {
        let der = [PKCS8_HEAD.as_slice(), &[seed; 32]].concat();
        let key = EncodingKey::from_ed_der(&der);
        let jwk = SigningKey::from_seed(&[seed; 32]).unwrap().verifying().jwk();
        let sign = move |message: &str| {
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::EdDSA).unwrap()
        };
        Self { alg: "EdDSA", jwk: serde_json::to_value(jwk).unwrap(), sign: Box::new(sign) }
    }

    pub(crate) fn es(seed: u8) -> Self {
        let pair = aws_lc_rs::signature::EcdsaKeyPair::from_private_key_der(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            &[&SEC1_HEAD[..], &[seed; 32], &SEC1_TAIL[..]].concat(),
        )
        .unwrap();
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let jwk = SigningKey::es256_from_seed(&[seed; 32]).unwrap().verifying().jwk();
        let sign = move |message: &str| {
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256).unwrap()
        };
        Self { alg: "ES256", jwk: serde_json::to_value(jwk).unwrap(), sign: Box::new(sign) }
    }

    /// RS256 or PS256, with a key made once for the whole test run.
    pub(crate) fn rsa(alg: &'static str) -> Self {
        let jwk = SigningKey::from_pkcs8(crate::Algorithm::Rs256, rsa_pkcs8()).unwrap().verifying().jwk();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        let padding: &'static dyn RsaEncoding =
            if alg == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
        let pair = Arc::clone(rsa_pair());
        let sign = move |message: &str| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
            URL_SAFE_NO_PAD.encode(signature)
        };
        Self { alg, jwk, sign: Box::new(sign) }
    }

    /// The key's name.
    pub(crate) fn kid(&self) -> &str {
        self.jwk["kid"].as_str().unwrap()
    }

    /// The key alone, as a proof carries it.
    pub(crate) fn bare_jwk(&self) -> Value {
        let mut jwk = self.jwk.clone();
        for name in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        jwk
    }

    pub(crate) fn header(&self, typ: &str) -> Value {
        json!({ "alg": self.alg, "typ": typ, "kid": self.kid() })
    }

    /// A token with an ordinary header.
    pub(crate) fn token(&self, typ: &str, claims: &Value) -> String {
        self.raw(&self.header(typ), claims)
    }

    /// A token with any header.
    pub(crate) fn raw(&self, header: &Value, claims: &Value) -> String {
        self.text(&header.to_string(), &claims.to_string())
    }

    /// A token of any texts.
    pub(crate) fn text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = (self.sign)(&message);
        format!("{message}.{signature}")
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_jwk(self.jwk.as_object().unwrap()).unwrap()
    }
}

/// The set of these signers' keys.
pub(crate) fn keys(signers: &[&Signer]) -> KeySet {
    let keys: Vec<&Value> = signers.iter().map(|signer| &signer.jwk).collect();
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), KeyPurpose::Signatures).unwrap()
}

/// The claims with some replaced; `null` takes one out.
pub(crate) fn with(claims: &Value, changes: Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub(crate) fn rsa_pkcs8() -> &'static [u8] {
    static DER: OnceLock<Vec<u8>> = OnceLock::new();
    DER.get_or_init(|| {
        let der: Pkcs8V1Der<'_> = rsa_pair().as_der().unwrap();
        der.as_ref().to_vec()
    })
}

fn rsa_pair() -> &'static Arc<RsaKeyPair> {
    static PAIR: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
    PAIR.get_or_init(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
}

const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const SEC1_HEAD: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const SEC1_TAIL: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
