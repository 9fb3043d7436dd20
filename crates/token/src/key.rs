//! Public keys as JSON Web Keys say them (RFC 7517, 7518 section 6, 8037 section 2): read strictly, named by their
//! RFC 7638 thumbprint, able to verify. A key that could sign never becomes a value of this type.

use crate::{Algorithm, Thumbprint};
use aws_lc_rs::signature::{
    self as lc, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RsaParameters,
    RsaPublicKeyComponents,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A public key with which signatures are verified. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey {
    material: Arc<Material>,
    alg: Option<Algorithm>,
    kid: Option<String>,
    thumbprint: Thumbprint,
}

enum Material {
    Ed25519 { parsed: ParsedPublicKey, x: [u8; 32] },
    Ec { parsed: ParsedPublicKey, curve: Curve, x: Vec<u8>, y: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
}

/// A public key as a JSON Web Key. Members that do not belong to the key's type are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// `OKP`, `EC` or `RSA`.
    pub kty: &'static str,
    /// The curve, for `OKP` and `EC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<&'static str>,
    /// The public key or its first coordinate, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The second coordinate, base64url, for `EC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The modulus, base64url, for `RSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The exponent, base64url, for `RSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The name of the key.
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The algorithm, if the key is for one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<&'static str>,
}

/// Why a JSON Web Key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkFault {
    /// It contains `d`, or another member that only its owner may know (RFC 7518 sections 6.2.2 and 6.3.2).
    #[error(
        "the key contains private members; whoever saw it can sign: make a new key and publish its public half only"
    )]
    Private,
    /// `kty` is `oct`, or there is a `k`: a shared secret.
    #[error("the key is a shared secret; use a key pair (Ed25519, P-256, or RSA from 2048 bits)")]
    Symmetric,
    /// A type, curve, `use`, `key_ops` or `alg` that verifies no signature here.
    #[error("the key is of a kind that is not used here (Ed25519, P-256, P-384 and RSA for signatures are)")]
    Unsupported,
    /// A member is missing, not base64url, of the wrong length, or no point of the curve.
    #[error("the key is damaged: a member is missing or is no value for its type")]
    Damaged,
    /// An RSA key under 2048 or over 8192 bits, or with an exponent nobody uses (RFC 7518 section 3.3).
    #[error("the RSA key must have 2048 to 8192 bits and an odd exponent from 3 up")]
    Weak,
}

impl PublicKey {
    /// Reads a key (RFC 7517 section 4). `use` and `key_ops` are the caller's to judge where a set has rules of its own;
    /// here `use` must be absent or `sig`, and `key_ops`, if there, contain `verify`.
    ///
    /// # Errors
    /// [`JwkFault`].
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, JwkFault> {
        match jwk.get("use") {
            None => {}
            Some(usage) if usage == "sig" => {}
            Some(_other) => {
                refuse_secrets(jwk)?;
                return Err(JwkFault::Unsupported);
            }
        }
        Self::of_any_use(jwk)
    }

    /// As [`PublicKey::from_jwk`], whatever `use` says.
    pub(crate) fn of_any_use(jwk: &Map<String, Value>) -> Result<Self, JwkFault> {
        refuse_secrets(jwk)?;
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().ok_or(JwkFault::Damaged)?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err(JwkFault::Unsupported);
            }
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let material = match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Material::ed25519(&bytes("x").ok_or(JwkFault::Damaged)?)?,
            (Some("EC"), Some("P-256")) => Material::ec(
                Curve::P256,
                bytes("x").ok_or(JwkFault::Damaged)?,
                bytes("y").ok_or(JwkFault::Damaged)?,
            )?,
            (Some("EC"), Some("P-384")) => Material::ec(
                Curve::P384,
                bytes("x").ok_or(JwkFault::Damaged)?,
                bytes("y").ok_or(JwkFault::Damaged)?,
            )?,
            (Some("RSA"), _) => {
                Material::rsa(bytes("n").ok_or(JwkFault::Damaged)?, bytes("e").ok_or(JwkFault::Damaged)?)?
            }
            (Some(_), _) => return Err(JwkFault::Unsupported),
            (None, _) => return Err(JwkFault::Damaged),
        };
        let mut key = Self::of(material);
        if let Some(alg) = jwk.get("alg") {
            let alg = alg.as_str().and_then(Algorithm::parse).ok_or(JwkFault::Unsupported)?;
            if !key.material.can(alg) {
                return Err(JwkFault::Unsupported);
            }
            key.alg = Some(alg);
        }
        match jwk.get("kid") {
            None => {}
            Some(Value::String(kid)) if (1..=KID_BYTES_MAX).contains(&kid.len()) => {
                key.kid = Some(kid.clone())
            }
            Some(_) => return Err(JwkFault::Damaged),
        }
        Ok(key)
    }

    pub(crate) fn ed25519(x: &[u8]) -> Result<Self, JwkFault> {
        Material::ed25519(x).map(Self::of)
    }

    /// From an uncompressed point of P-256 (SEC 1 section 2.3.3).
    pub(crate) fn p256(point: &[u8]) -> Result<Self, JwkFault> {
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..)) else { return Err(JwkFault::Damaged) };
        Material::ec(Curve::P256, x.to_vec(), y.to_vec()).map(Self::of)
    }

    pub(crate) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, JwkFault> {
        Material::rsa(n, e).map(Self::of)
    }

    fn of(material: Material) -> Self {
        // RFC 7638 section 3.2: the required members in lexicographic order, without spaces.
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match &material {
            Material::Ed25519 { x, .. } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(x)),
            Material::Ec { curve, x, y, .. } => {
                format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, curve.name(), b64(x), b64(y))
            }
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n)),
        };
        let thumbprint = Thumbprint::of(members.as_bytes());
        Self { material: Arc::new(material), alg: None, kid: None, thumbprint }
    }

    /// The same key, for this algorithm only and under this name.
    pub(crate) fn pinned(self, alg: Algorithm, kid: String) -> Self {
        Self { alg: Some(alg), kid: Some(kid), ..self }
    }

    /// `kid`, if the key has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm it says it is for, if it says so.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.alg
    }

    /// RFC 7638 thumbprint: the same for the same key, whatever it is called. Registering a key twice is found by it.
    #[must_use]
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Whether signatures of this algorithm can be by this key: its type fits, and its own `alg`, if any, is this one.
    #[must_use]
    pub fn fits(&self, alg: Algorithm) -> bool {
        self.material.can(alg) && self.alg.is_none_or(|own| own == alg)
    }

    /// Whether this is a signature of `message` by this key. False too for an algorithm that does not fit.
    #[must_use]
    pub fn verifies(&self, alg: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(alg) {
            return false;
        }
        match (&*self.material, rsa_parameters(alg)) {
            (Material::Ed25519 { parsed, .. } | Material::Ec { parsed, .. }, _) => {
                parsed.verify_sig(message, signature).is_ok()
            }
            (Material::Rsa { n, e }, Some(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Material::Rsa { .. }, None) => false,
        }
    }

    /// As a JSON Web Key; without a `kid` of its own it is named by its thumbprint.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        let b64 = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        let kid = self.kid.clone().unwrap_or_else(|| self.thumbprint.to_string());
        let alg = self.alg.map(Algorithm::as_str);
        let none = Jwk { kty: "", crv: None, x: None, y: None, n: None, e: None, kid, usage: "sig", alg };
        match &*self.material {
            Material::Ed25519 { x, .. } => Jwk { kty: "OKP", crv: Some("Ed25519"), x: b64(x), ..none },
            Material::Ec { curve, x, y, .. } => {
                Jwk { kty: "EC", crv: Some(curve.name()), x: b64(x), y: b64(y), ..none }
            }
            Material::Rsa { n, e } => Jwk { kty: "RSA", n: b64(n), e: b64(e), ..none },
        }
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.kid.clone().unwrap_or_else(|| self.thumbprint.to_string()))
    }
}

impl Material {
    fn ed25519(x: &[u8]) -> Result<Self, JwkFault> {
        let x: [u8; 32] = x.try_into().map_err(|_wrong_length| JwkFault::Damaged)?;
        let parsed = ParsedPublicKey::new(&ED25519, x).map_err(|_rejected| JwkFault::Damaged)?;
        Ok(Self::Ed25519 { parsed, x })
    }

    fn ec(curve: Curve, x: Vec<u8>, y: Vec<u8>) -> Result<Self, JwkFault> {
        // RFC 7518 section 6.2.1.2: full size, also with leading zeros.
        if x.len() != curve.coordinate_bytes() || y.len() != curve.coordinate_bytes() {
            return Err(JwkFault::Damaged);
        }
        let point = [&[4_u8], x.as_slice(), y.as_slice()].concat();
        let parsed = match curve {
            Curve::P256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point),
            Curve::P384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point),
        };
        Ok(Self::Ec { parsed: parsed.map_err(|_not_on_the_curve| JwkFault::Damaged)?, curve, x, y })
    }

    fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, JwkFault> {
        // RFC 7518 section 6.3.1.1: as few octets as possible, so the first is not zero.
        let (Some(first), Some(lowest)) = (n.first(), e.last()) else { return Err(JwkFault::Damaged) };
        if *first == 0 || e.first() == Some(&0) {
            return Err(JwkFault::Damaged);
        }
        let bits = n.len().saturating_mul(8).saturating_sub(first.leading_zeros() as usize);
        let exponent_is_sane = lowest % 2 == 1 && e != [1] && e.len() <= RSA_EXPONENT_BYTES_MAX;
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) || !exponent_is_sane {
            return Err(JwkFault::Weak);
        }
        Ok(Self::Rsa { n, e })
    }

    const fn can(&self, alg: Algorithm) -> bool {
        match self {
            Self::Ed25519 { .. } => matches!(alg, Algorithm::EdDsa),
            Self::Ec { curve: Curve::P256, .. } => matches!(alg, Algorithm::Es256),
            Self::Ec { curve: Curve::P384, .. } => matches!(alg, Algorithm::Es384),
            Self::Rsa { .. } => rsa_parameters(alg).is_some(),
        }
    }
}

impl Curve {
    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

const fn rsa_parameters(alg: Algorithm) -> Option<&'static RsaParameters> {
    match alg {
        Algorithm::Rs256 => Some(&lc::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&lc::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&lc::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&lc::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&lc::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&lc::RSA_PSS_2048_8192_SHA512),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => None,
    }
}

fn refuse_secrets(jwk: &Map<String, Value>) -> Result<(), JwkFault> {
    if jwk.contains_key("k") || jwk.get("kty").is_some_and(|kty| kty == "oct") {
        return Err(JwkFault::Symmetric);
    }
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"].iter().any(|name| jwk.contains_key(*name)) {
        return Err(JwkFault::Private);
    }
    Ok(())
}

pub(crate) const KID_BYTES_MAX: usize = 256;
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 8_192;
const RSA_EXPONENT_BYTES_MAX: usize = 8;

#[cfg(test)]
mod tests;
