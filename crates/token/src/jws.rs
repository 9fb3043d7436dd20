//! The one strict reading of a compact JWS (RFC 7515 section 3.1), shared by everything that accepts a JWT. The header is
//! read once, by the code that also judges it, so there are no two readers to disagree.

use crate::json::{self, JsonFault};
use crate::jwt::Claims;
use crate::key::KID_BYTES_MAX;
use crate::{Algorithm, Fault, PublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// What a JWS must look like before its signature is worth checking.
#[derive(Debug, Clone, Copy)]
pub struct JwsRules<'a> {
    /// Longer texts are refused unread.
    pub bytes_max: usize,
    /// The accepted algorithms.
    pub algorithms: &'a [Algorithm],
    /// The accepted types, without `application/` (RFC 7515 section 4.1.9); compared without case.
    pub types: &'a [&'a str],
    /// Whether `typ` may be missing.
    pub type_may_be_absent: bool,
    /// Whether the header carries the key: only in DPoP proofs, where it must.
    pub embedded_key: bool,
}

/// A JWS that was read and not verified yet.
#[derive(Debug)]
pub struct Jws<'a> {
    /// Its algorithm, one of the accepted ones.
    pub algorithm: Algorithm,
    /// Which key it says it is signed with.
    pub kid: Option<String>,
    embedded: Option<PublicKey>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads a compact JWS.
    ///
    /// # Errors
    /// [`Fault::TooLong`], [`Fault::Malformed`], [`Fault::Duplicate`], [`Fault::Algorithm`], [`Fault::Type`],
    /// [`Fault::Critical`], [`Fault::EmbeddedKey`], [`Fault::ProofKey`].
    pub fn read(token: &'a str, rules: &JwsRules<'_>) -> Result<Self, Fault> {
        if token.len() > rules.bytes_max {
            return Err(Fault::TooLong { bytes_max: rules.bytes_max });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Fault::Malformed)?;
        if payload.contains('.') {
            return Err(Fault::Malformed);
        }
        let header = json_part(header)?;
        let algorithm = algorithm(&header, rules.algorithms)?;
        check_type(&header, rules)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Fault::Critical);
        }
        let embedded = embedded_key(&header, algorithm, rules.embedded_key)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= KID_BYTES_MAX => Some(kid.clone()),
            Some(_) => return Err(Fault::Malformed),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_not_base64url| Fault::Malformed)?;
        Ok(Self { algorithm, kid, embedded, signed, payload, signature })
    }

    /// The claims, if the signature is by this key.
    ///
    /// # Errors
    /// [`Fault::Signature`]; [`Fault::Malformed`] and [`Fault::Duplicate`] when what was signed is no JSON object.
    pub fn verify(&self, key: &PublicKey) -> Result<Claims, Fault> {
        if !key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature) {
            return Err(Fault::Signature);
        }
        self.dangerous_unverified_claims()
    }

    /// The key of the header, where the rules ask for one.
    #[must_use]
    pub fn embedded_key(&self) -> Option<&PublicKey> {
        self.embedded.as_ref()
    }

    /// The claims without any proof of who wrote them: good for choosing the keys to verify with, and for nothing else.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::Duplicate`].
    pub fn dangerous_unverified_claims(&self) -> Result<Claims, Fault> {
        json_part(self.payload).map(Claims::new)
    }
}

fn json_part(part: &str) -> Result<Map<String, Value>, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64url| Fault::Malformed)?;
    json::object(&bytes).map_err(|fault| match fault {
        JsonFault::Unreadable => Fault::Malformed,
        JsonFault::Duplicate => Fault::Duplicate,
    })
}

fn algorithm(header: &Map<String, Value>, accepted: &[Algorithm]) -> Result<Algorithm, Fault> {
    let alg = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
    alg.filter(|alg| accepted.contains(alg)).ok_or(Fault::Algorithm)
}

fn check_type(header: &Map<String, Value>, rules: &JwsRules<'_>) -> Result<(), Fault> {
    let fits = match header.get("typ") {
        None => rules.type_may_be_absent,
        Some(Value::String(typ)) => {
            let short = match typ.split_at_checked(MEDIA_PREFIX.len()) {
                Some((prefix, rest)) if prefix.eq_ignore_ascii_case(MEDIA_PREFIX) => rest,
                _ => typ,
            };
            rules.types.iter().any(|accepted| accepted.eq_ignore_ascii_case(short))
        }
        Some(_) => false,
    };
    if fits { Ok(()) } else { Err(Fault::Type) }
}

fn embedded_key(
    header: &Map<String, Value>,
    algorithm: Algorithm,
    wanted: bool,
) -> Result<Option<PublicKey>, Fault> {
    if ["jku", "x5u", "x5c"].iter().any(|name| header.contains_key(*name)) {
        return Err(Fault::EmbeddedKey);
    }
    match (header.get("jwk"), wanted) {
        (None, false) => Ok(None),
        (Some(_), false) => Err(Fault::EmbeddedKey),
        (jwk, true) => {
            let key = jwk.and_then(Value::as_object).and_then(|jwk| PublicKey::from_jwk(jwk).ok());
            key.filter(|key| key.fits(algorithm)).map(Some).ok_or(Fault::ProofKey)
        }
    }
}

const MEDIA_PREFIX: &str = "application/";

#[cfg(test)]
mod tests;
