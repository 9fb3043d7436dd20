//! What the authenticator says (6.1):
//!
//! ```text
//! rpIdHash 32 | flags 1 | signCount 4 | [ AAGUID 16 | length 2 | credential id | COSE_Key ] | [ extensions ]
//! ```

use crate::{Fault, Party, PublicKey};
use minicbor::{Decoder, data::Type};

/// Authenticator data, read to its last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthenticatorData<'a> {
    party: &'a [u8],
    flags: u8,
    pub(crate) counter: u32,
    pub(crate) attested: Option<Attested<'a>>,
}

/// A new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attested<'a> {
    pub(crate) id: &'a [u8],
    /// As it was sent.
    pub(crate) key_bytes: &'a [u8],
    pub(crate) key: PublicKey,
}

impl<'a> AuthenticatorData<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        if bytes.len() > BYTES_MAX {
            return Err(MALFORMED);
        }
        let (party, rest) = take(bytes, 32)?;
        let (flags, rest) = take(rest, 1)?;
        let (counter, mut rest) = take(rest, 4)?;
        let flags = flags.first().copied().ok_or(MALFORMED)?;
        let counter = u32::from_be_bytes(counter.try_into().map_err(|_length| MALFORMED)?);
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (credential, after) = read_attested(rest)?;
            (attested, rest) = (Some(credential), after);
        }
        if flags & EXTENSIONS != 0 {
            rest = skip_extensions(rest)?;
        }
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        Ok(Self { party, flags, counter, attested })
    }

    /// Checks that it is for this party, and that somebody was there and proved to the authenticator who they are.
    pub(crate) fn check(&self, party: &Party) -> Result<(), Fault> {
        if self.party != party.id_hash() {
            return Err(Fault::Party);
        }
        if self.flags & PRESENT == 0 {
            return Err(Fault::NobodyThere);
        }
        if self.flags & VERIFIED == 0 {
            return Err(Fault::NotVerified);
        }
        if self.flags & BACKED_UP != 0 && !self.may_be_copied() {
            return Err(Fault::BackupFlags);
        }
        Ok(())
    }

    /// Whether its keeper may copy it to other devices.
    pub(crate) const fn may_be_copied(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }
}

fn read_attested(bytes: &[u8]) -> Result<(Attested<'_>, &[u8]), Fault> {
    let (_aaguid, rest) = take(bytes, 16)?;
    let (length, rest) = take(rest, 2)?;
    let length = usize::from(u16::from_be_bytes(length.try_into().map_err(|_length| MALFORMED)?));
    if length == 0 || length > ID_BYTES_MAX {
        return Err(Fault::IdLength);
    }
    let (id, rest) = take(rest, length)?;
    let (key, used) = PublicKey::read_from(rest)?;
    let (key_bytes, rest) = take(rest, used)?;
    Ok((Attested { id, key_bytes, key }, rest))
}

/// Nothing is asked of extensions, and nothing is believed of them; they must be one map.
fn skip_extensions(bytes: &[u8]) -> Result<&[u8], Fault> {
    let mut decoder = Decoder::new(bytes);
    if !matches!(decoder.datatype(), Ok(Type::Map)) {
        return Err(MALFORMED);
    }
    decoder.skip().map_err(|_other| MALFORMED)?;
    bytes.get(decoder.position()..).ok_or(MALFORMED)
}

fn take(bytes: &[u8], n: usize) -> Result<(&[u8], &[u8]), Fault> {
    bytes.split_at_checked(n).ok_or(MALFORMED)
}

pub(crate) const PRESENT: u8 = 1;
pub(crate) const VERIFIED: u8 = 1 << 2;
pub(crate) const BACKUP_ELIGIBLE: u8 = 1 << 3;
pub(crate) const BACKED_UP: u8 = 1 << 4;
pub(crate) const ATTESTED: u8 = 1 << 6;
pub(crate) const EXTENSIONS: u8 = 1 << 7;
const MALFORMED: Fault = Fault::Malformed("authenticator data");
/// Section 7.1 step 25.
const ID_BYTES_MAX: usize = 1_023;
const BYTES_MAX: usize = 8_192;
