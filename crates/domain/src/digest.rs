//! SHA-256 digests, printed `sha256:` and 64 hexadecimal digits.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of everything that is read from here, a piece at a time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_read(from: &mut impl std::io::Read) -> std::io::Result<Self> {
        let mut sum = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match from.read(&mut piece)? {
                0 => return Ok(Self(sum.finalize().into())),
                read => sum.update(piece.get(..read).unwrap_or_default()),
            }
        }
    }

    /// The digest of a value's canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// When the value has no canonical JSON.
    pub fn of_json<T: Serialize>(value: &T) -> Result<Self, crate::canonical::CanonicalError> {
        Ok(Self::of(crate::canonical::to_string(value)?.as_bytes()))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Back from 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        let digits = text.strip_prefix(PREFIX).ok_or(DigestError)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_not_hex| DigestError)?;
        Ok(Self(bytes))
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest reads `sha256:` and 64 hexadecimal digits")]
pub struct DigestError;

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::parsed::deserialize(deserializer)
    }
}

const PREFIX: &str = "sha256:";
const PIECE_BYTES: usize = 1 << 16;
