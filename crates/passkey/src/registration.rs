//! A new passkey (7.1). What its maker says about its make (attestation) is read and not believed: whoever may register here
//! was let in by a link or a session, and any authenticator that makes sure who is there will do.

use crate::{
    Fault, Party, PublicKey,
    authenticator::AuthenticatorData,
    client_data::{self, CREATE},
};
use minicbor::{Decoder, data::Type};

/// What the browser answers to `navigator.credentials.create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// `rawId`.
    pub id: Vec<u8>,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `attestationObject`.
    pub attestation: Vec<u8>,
}

/// A passkey that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The credential's id.
    pub id: Vec<u8>,
    /// The public key, as it was sent.
    pub key_bytes: Vec<u8>,
    /// The public key.
    pub key: PublicKey,
    /// Where its counter begins.
    pub counter: u32,
    /// Whether its keeper may copy it to other devices.
    pub synced: bool,
}

/// Judges a registration that answers this challenge.
///
/// # Errors
/// [`Fault`]: the first thing that is wrong.
pub fn register(answer: &Registration, challenge: &[u8], party: &Party) -> Result<Registered, Fault> {
    client_data::check(&answer.client_data, CREATE, challenge, party)?;
    let bytes = authenticator_data(&answer.attestation)?;
    let data = AuthenticatorData::read(bytes)?;
    data.check(party)?;
    let attested = data.attested.as_ref().ok_or(Fault::NoKey)?;
    if attested.id != answer.id {
        return Err(Fault::IdDiffers);
    }
    Ok(Registered {
        id: attested.id.to_vec(),
        key_bytes: attested.key_bytes.to_vec(),
        key: attested.key.clone(),
        counter: data.counter,
        synced: data.may_be_copied(),
    })
}

/// `authData` of an attestation object (6.5.4): `{fmt: text, attStmt: map, authData: bytes}`, each once, nothing else.
fn authenticator_data(bytes: &[u8]) -> Result<&[u8], Fault> {
    let malformed = |_other| MALFORMED;
    if bytes.len() > BYTES_MAX {
        return Err(MALFORMED);
    }
    let mut decoder = Decoder::new(bytes);
    if decoder.map().map_err(malformed)? != Some(3) {
        return Err(MALFORMED);
    }
    let (mut format, mut statement, mut data) = (None, None, None);
    for _member in 0..3 {
        match decoder.str().map_err(malformed)? {
            "fmt" => format = Some(decoder.str().map_err(malformed)?),
            "attStmt" => {
                if !matches!(decoder.datatype(), Ok(Type::Map)) {
                    return Err(MALFORMED);
                }
                let from = decoder.position();
                decoder.skip().map_err(malformed)?;
                statement = bytes.get(from..decoder.position());
            }
            "authData" => data = Some(decoder.bytes().map_err(malformed)?),
            _ => return Err(MALFORMED),
        }
    }
    let (Some(format), Some(statement), Some(data)) = (format, statement, data) else {
        return Err(MALFORMED);
    };
    // 8.7: `none` says nothing.
    if decoder.position() != bytes.len() || (format == "none" && statement != EMPTY_MAP) {
        return Err(MALFORMED);
    }
    Ok(data)
}

const MALFORMED: Fault = Fault::Malformed("attestation");
const EMPTY_MAP: [u8; 1] = [0xa0];
const BYTES_MAX: usize = 65_536;
