//! Public keys as authenticators give them: COSE_Key (RFC 9052 section 7, RFC 9053, RFC 8230), of the three kinds that
//! passkeys have in practice (6.5.1.1).

use crate::Fault;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use minicbor::{Decoder, data::Type};
use std::collections::BTreeMap;

/// A public key of a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Material);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    /// An uncompressed point of P-256.
    Es256([u8; 65]),
    EdDsa([u8; 32]),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

/// A value of the map: a number or bytes. Keys have no others.
enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

impl PublicKey {
    /// Reads a COSE_Key that is all of the bytes.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::Algorithm`].
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        match Self::read_from(bytes)? {
            (key, used) if used == bytes.len() => Ok(key),
            _more => Err(MALFORMED),
        }
    }

    /// Reads a COSE_Key that the bytes begin with, and says how many it has.
    pub(crate) fn read_from(bytes: &[u8]) -> Result<(Self, usize), Fault> {
        let mut decoder = Decoder::new(bytes);
        let map = members(&mut decoder)?;
        let number = |label: i64| match map.get(&label) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let field = |label: i64| match map.get(&label) {
            Some(Value::Bytes(bytes)) => Ok(*bytes),
            _ => Err(MALFORMED),
        };
        let material = match (number(KTY), number(ALG), number(CRV)) {
            (Some(2), Some(ES256), Some(1)) => es256(field(X)?, field(Y)?)?,
            (Some(1), Some(EDDSA), Some(6)) => eddsa(field(X)?)?,
            // RFC 8230 section 4: n and e stand where curves and coordinates do.
            (Some(3), Some(RS256), None) => rs256(field(N)?, field(E)?)?,
            (Some(_), Some(_), _) => return Err(Fault::Algorithm),
            _ => return Err(MALFORMED),
        };
        Ok((Self(material), decoder.position()))
    }

    /// Whether this is a signature of `message` by this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            // 6.5.5: ECDSA signatures are in ASN.1, not in two halves.
            Material::Es256(point) => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .is_ok_and(|key| key.verify_sig(message, signature).is_ok()),
            Material::EdDsa(x) => {
                ParsedPublicKey::new(&ED25519, x).is_ok_and(|key| key.verify_sig(message, signature).is_ok())
            }
            Material::Rs256 { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }

    /// The algorithm's name in words.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.0 {
            Material::Es256(_) => "ES256",
            Material::EdDsa(_) => "EdDSA",
            Material::Rs256 { .. } => "RS256",
        }
    }
}

/// The members by their labels: each once, and no more than a key has.
fn members<'b>(decoder: &mut Decoder<'b>) -> Result<BTreeMap<i64, Value<'b>>, Fault> {
    let malformed = |_other| MALFORMED;
    let count = decoder.map().map_err(malformed)?.filter(|count| *count <= MEMBERS_MAX).ok_or(MALFORMED)?;
    let mut map = BTreeMap::new();
    for _member in 0..count {
        let label = decoder.i64().map_err(malformed)?;
        let value = match decoder.datatype().map_err(malformed)? {
            Type::Bytes => Value::Bytes(decoder.bytes().map_err(malformed)?),
            _ => Value::Number(decoder.i64().map_err(malformed)?),
        };
        if map.insert(label, value).is_some() {
            return Err(MALFORMED);
        }
    }
    Ok(map)
}

fn es256(x: &[u8], y: &[u8]) -> Result<Material, Fault> {
    let point = [&[4], x, y].concat();
    let point: [u8; 65] = point.try_into().map_err(|_length| MALFORMED)?;
    // RFC 9053 section 7.1.1: full size, so that there is one way to split the two.
    if x.len() != 32 || ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).is_err() {
        return Err(MALFORMED);
    }
    Ok(Material::Es256(point))
}

fn eddsa(x: &[u8]) -> Result<Material, Fault> {
    let x: [u8; 32] = x.try_into().map_err(|_length| MALFORMED)?;
    ParsedPublicKey::new(&ED25519, x).map_err(|_rejected| MALFORMED)?;
    Ok(Material::EdDsa(x))
}

fn rs256(n: &[u8], e: &[u8]) -> Result<Material, Fault> {
    let (Some(first), Some(lowest)) = (n.first(), e.last()) else { return Err(MALFORMED) };
    let bits = n.len().saturating_mul(8).saturating_sub(first.leading_zeros() as usize);
    let sane = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits)
        && *first != 0
        && (1..=8).contains(&e.len())
        && lowest % 2 == 1
        && e != [1];
    if sane { Ok(Material::Rs256 { n: n.to_vec(), e: e.to_vec() }) } else { Err(MALFORMED) }
}

/// The algorithms that are asked for, most wanted first (IANA COSE Algorithms).
pub const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];
const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const N: i64 = -1;
const E: i64 = -2;
const MALFORMED: Fault = Fault::Malformed("public key");
const MEMBERS_MAX: u64 = 8;
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 8_192;
