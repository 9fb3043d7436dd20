//! Keys of the log and of its witnesses (c2sp.org/signed-note, "Verifier keys"; c2sp.org/tlog-cosignature).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{
    SECRET_KEY_LENGTH, SIGNATURE_LENGTH, Signature, SignatureError, Signer as _, VerifyingKey,
};

use serde::{Serialize, Serializer};

use crate::limits::KEY_NAME_BYTES_MAX;

/// Bytes of the time before the signature of a cosignature.
const TIME_BYTES: usize = 8;

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Type 0x01: a log signs its checkpoints.
    Log,
    /// Type 0x04: a witness says when it saw a checkpoint and that it extends the ones before.
    Witness,
}

impl KeyUse {
    const fn type_byte(self) -> u8 {
        match self {
            KeyUse::Log => 0x01,
            KeyUse::Witness => 0x04,
        }
    }
}

/// The public half of a key, with its name. As text: `<name>+<key id>+<base64>`, the vkey of signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: Box<str>,
    key_use: KeyUse,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The name: the origin of a log, the name of a witness.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    #[must_use]
    pub fn key_use(&self) -> KeyUse {
        self.key_use
    }

    /// The first four bytes of `SHA-256(name || 0x0A || type || public key)`, big endian.
    #[must_use]
    pub fn id(&self) -> u32 {
        signed_note::key_id(&self.name, &self.typed_bytes())
    }

    fn typed_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.key_use.type_byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        bytes
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(self.typed_bytes()))
    }
}

impl Serialize for VerifierKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Format)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Format)?;
        check_name(name)?;
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Format)?;
        let (&type_byte, key) = bytes.split_first().ok_or(KeyError::Format)?;
        let key_use = match type_byte {
            0x01 => KeyUse::Log,
            0x04 => KeyUse::Witness,
            _ => return Err(KeyError::Type { type_byte }),
        };
        let key: &[u8; 32] = key.try_into().map_err(|_| KeyError::Format)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::Point)?;
        let parsed = Self { name: name.into(), key_use, key };
        if id != format!("{:08x}", parsed.id()) {
            return Err(KeyError::Id);
        }
        Ok(parsed)
    }
}

impl signed_note::Verifier for VerifierKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let holds = |message: &[u8], signature: &[u8; SIGNATURE_LENGTH]| {
            self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
        };
        match self.key_use {
            KeyUse::Log => signature.try_into().is_ok_and(|signature| holds(text, signature)),
            KeyUse::Witness => split_cosignature(signature)
                .is_some_and(|(time_s, signature)| holds(&cosigned_message(time_s, text), signature)),
        }
    }
}

/// The secret half of a key, with its name. Never printed.
#[derive(Clone)]
pub struct SigningKey {
    name: Box<str>,
    key_use: KeyUse,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key of a log, from 32 bytes of a secure random source.
    ///
    /// # Errors
    /// A name that no signed note can carry.
    pub fn log(name: &str, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self, KeyError> {
        Self::from_seed(name, KeyUse::Log, seed)
    }

    /// The key of a witness. Never reuse the seed of another witness or of a log.
    ///
    /// # Errors
    /// A name that no signed note can carry.
    pub fn witness(name: &str, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self, KeyError> {
        Self::from_seed(name, KeyUse::Witness, seed)
    }

    fn from_seed(name: &str, key_use: KeyUse, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.into(), key_use, key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    #[must_use]
    pub fn key_use(&self) -> KeyUse {
        self.key_use
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key_use: self.key_use, key: self.key.verifying_key() }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.name)
    }
}

/// Signs as a log.
pub(crate) struct LogSigner<'k>(pub(crate) &'k SigningKey);

impl signed_note::Signer for LogSigner<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn key_id(&self) -> u32 {
        self.0.verifier().id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.key.try_sign(text)?.to_vec())
    }
}

/// Signs as a witness, at a time in seconds since 1970-01-01 UTC.
pub(crate) struct WitnessSigner<'k>(pub(crate) &'k SigningKey, pub(crate) u64);

impl signed_note::Signer for WitnessSigner<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn key_id(&self) -> u32 {
        self.0.verifier().id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut timed = self.1.to_be_bytes().to_vec();
        timed.extend_from_slice(&self.0.key.try_sign(&cosigned_message(self.1, text))?.to_bytes());
        Ok(timed)
    }
}

/// When a cosignature was made, in seconds since 1970-01-01 UTC, and the signature itself. `None` for the wrong
/// length or a time that does not fit 63 bits.
pub(crate) fn split_cosignature(signature: &[u8]) -> Option<(u64, &[u8; SIGNATURE_LENGTH])> {
    let (time, signature) = signature.split_first_chunk::<TIME_BYTES>()?;
    let time_s = u64::from_be_bytes(*time);
    Some((time_s, signature.try_into().ok()?)).filter(|_| i64::try_from(time_s).is_ok())
}

fn cosigned_message(time_s: u64, text: &[u8]) -> Vec<u8> {
    let mut message = format!("cosignature/v1\ntime {time_s}\n").into_bytes();
    message.extend_from_slice(text);
    message
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let control = name.chars().any(char::is_control);
    if !signed_note::is_key_name_valid(name) || control || name.len() > KEY_NAME_BYTES_MAX {
        return Err(KeyError::Name);
    }
    Ok(())
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty, too long, or has a space or a plus.
    #[error(
        "a key name has 1 to {KEY_NAME_BYTES_MAX} bytes without spaces, control characters and plus signs"
    )]
    Name,
    /// Not `<name>+<key id>+<base64>`.
    #[error("not a verifier key; it reads name+key id+base64, as the log printed it")]
    Format,
    /// Neither the key of an Ed25519 log nor of an Ed25519 witness.
    #[error(
        "a key of type {type_byte:#04x} is not supported; use Ed25519 (0x01 for logs, 0x04 for witnesses)"
    )]
    Type {
        /// The type that was read.
        type_byte: u8,
    },
    /// The bytes are no public key.
    #[error("the verifier key holds no Ed25519 public key")]
    Point,
    /// The id was made from another name or key.
    #[error("the key id does not belong to this name and key; the text was changed")]
    Id,
}
