//! Credentials at rest: AES-256-GCM under one key that lives outside the database.
//!
//! A sealed credential is `version (1) | key id (8) | name length (1) | name | nonce (12) | ciphertext and tag`, and
//! everything before the nonce is authenticated with it (NIST SP 800-38D, additional data). So a sealed credential
//! opens only under its key, under its name, and whole; each of the three failures has its own error.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use secrecy::{ExposeSecret, SecretSlice};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The key credentials are sealed under. Its memory is zeroed when it goes; `Debug` shows its id only.
pub struct SealingKey {
    key: RandomizedNonceKey,
    /// From which other keys are derived (RFC 5869).
    derives: Prk,
    id: KeyId,
}

/// A credential, opened. Its memory is zeroed when the last clone goes; `Debug` prints `***`.
#[derive(Clone)]
pub struct Secret(Arc<SecretSlice<u8>>);

/// Names a sealing key without revealing it: the first eight bytes of a SHA-256 over it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; KEY_ID_BYTES]);

impl SealingKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// Never in practice: every 32 bytes are an AES-256 key.
    pub fn from_bytes(bytes: &[u8; SEALING_KEY_BYTES]) -> Result<Self, SealError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Library)?;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(KEY_ID_DOMAIN);
        context.update(bytes);
        let hash = context.finish();
        let mut id = [0; KEY_ID_BYTES];
        id.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        let derives = Salt::new(HKDF_SHA256, DERIVE_DOMAIN).extract(bytes);
        Ok(Self { key, derives, id: KeyId(id) })
    }

    /// The key written as 64 hexadecimal digits, white space around them ignored.
    ///
    /// # Errors
    /// [`SealError::KeyText`].
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; SEALING_KEY_BYTES]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).map_err(|_| SealError::KeyText)?;
        Self::from_bytes(&bytes)
    }

    /// The key in an environment variable, as [`SealingKey::from_hex`] reads it; `None` when the variable is not set.
    ///
    /// # Errors
    /// [`SealError::KeyText`].
    pub fn from_env(variable: &str) -> Result<Option<Self>, SealError> {
        let Some(text) = std::env::var_os(variable) else { return Ok(None) };
        let text = Zeroizing::new(text.into_string().map_err(|_| SealError::KeyText)?);
        Self::from_hex(&text).map(Some)
    }

    /// The key in a file; where there is none yet, `random` becomes the key and is written with mode 0600, durably,
    /// before this returns.
    ///
    /// # Errors
    /// When the file can be read by others, holds no key, or cannot be read or written.
    pub fn load_or_create(path: &Path, random: &[u8; SEALING_KEY_BYTES]) -> Result<Self, SealError> {
        match Self::load(path) {
            Err(SealError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        create(path, random).map_err(|source| SealError::file(path, source))?;
        // Read it back: whoever won a race to create it, everybody uses what the file holds.
        Self::load(path)
    }

    /// The key in a file that must exist.
    ///
    /// # Errors
    /// As [`SealingKey::load_or_create`].
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::file(path, source);
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SealError::Readable { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX));
        file.take(KEY_FILE_BYTES_MAX as u64).read_to_string(&mut text).map_err(failed)?;
        Self::from_hex(&text)
    }

    /// A key for another purpose, from which this one cannot be told.
    ///
    /// # Errors
    /// Never in practice: the length is one that HKDF gives.
    pub fn derive(&self, purpose: &[u8]) -> Result<Zeroizing<[u8; SEALING_KEY_BYTES]>, SealError> {
        let mut bytes = Zeroizing::new([0; SEALING_KEY_BYTES]);
        let expanded = [purpose];
        let expanded = self.derives.expand(&expanded, HKDF_SHA256).map_err(|_| SealError::Library)?;
        expanded.fill(bytes.as_mut_slice()).map_err(|_| SealError::Library)?;
        Ok(bytes)
    }

    /// The key's public name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Seals a credential under its name. A fresh nonce every time: the same credential seals differently.
    ///
    /// # Errors
    /// When name or credential are longer than 255 and 16,384 bytes, or the credential is empty.
    pub fn seal(&self, name: &str, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_within(name, plaintext, SECRET_BYTES_MAX)
    }

    /// The same for something that may be longer than a credential: what a call brought, kept for who made it.
    ///
    /// # Errors
    /// As [`SealingKey::seal`], with this bound.
    pub fn seal_within(&self, name: &str, plaintext: &[u8], bytes_max: usize) -> Result<Vec<u8>, SealError> {
        if plaintext.is_empty() || plaintext.len() > bytes_max {
            return Err(SealError::Length { bytes: plaintext.len(), secret_bytes_max: bytes_max });
        }
        let mut sealed = self.header(name)?;
        let mut body = Zeroizing::new(Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len()));
        body.extend_from_slice(plaintext);
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(&sealed), &mut *body)
            .map_err(|_| SealError::Library)?;
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`SealingKey::seal`] sealed under the same name.
    ///
    /// # Errors
    /// [`SealError::OtherKey`], [`SealError::OtherName`], [`SealError::Altered`], [`SealError::Version`].
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let parts = Parts::read(sealed)?;
        if parts.key_id != self.id {
            return Err(SealError::OtherKey { sealed: parts.key_id, have: self.id });
        }
        if parts.name != name.as_bytes() {
            let sealed_as = String::from_utf8_lossy(parts.name).escape_debug().to_string();
            return Err(SealError::OtherName { name: name.to_owned(), sealed_as });
        }
        let altered = || SealError::Altered { name: name.to_owned() };
        let nonce = Nonce::try_assume_unique_for_key(parts.nonce).map_err(|_| altered())?;
        let mut body = Zeroizing::new(parts.body.to_vec());
        let plain =
            self.key.open_in_place(nonce, Aad::from(parts.header), &mut body).map_err(|_| altered())?;
        Ok(Secret::new(plain.to_vec()))
    }

    fn header(&self, name: &str) -> Result<Vec<u8>, SealError> {
        let length = u8::try_from(name.len()).map_err(|_| SealError::NameLength { bytes: name.len() })?;
        let mut header = Vec::with_capacity(HEADER_BYTES + name.len());
        header.push(VERSION);
        header.extend_from_slice(&self.id.0);
        header.push(length);
        header.extend_from_slice(name.as_bytes());
        Ok(header)
    }
}

impl Secret {
    /// Takes a secret; the bytes handed in are the only copy left.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes.into()))
    }

    /// The secret itself. Whoever calls this must neither log nor return it.
    #[must_use]
    pub fn dangerous_expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    /// In time that does not depend on where they differ.
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.dangerous_expose(), other.dangerous_expose())
            .is_ok()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a credential cannot be sealed or opened, or a key cannot be had. No message shows key or credential.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key is not 64 hexadecimal digits.
    #[error("the sealing key is not 64 hexadecimal digits; restore the key file from its backup")]
    KeyText,
    /// The key file is open to others.
    #[error("the sealing key file {} can be read by others (mode {mode:03o}); run chmod 600 on it and consider the key known", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file cannot be read or written.
    #[error("the sealing key file {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The credential is empty or too long.
    #[error("a credential of {bytes} bytes cannot be sealed; it must have 1 to {secret_bytes_max}")]
    Length {
        /// Its length.
        bytes: usize,
        /// The bound.
        secret_bytes_max: usize,
    },
    /// The name is too long.
    #[error("a credential's name of {bytes} bytes is too long; at most 255 are possible")]
    NameLength {
        /// Its length.
        bytes: usize,
    },
    /// Sealed by a later Provost, or not sealed at all.
    #[error("this is not a credential sealed in a form this version knows; set the credential again")]
    Version,
    /// Sealed under another key.
    #[error(
        "the credential was sealed under key {sealed} but this plane has key {have}; restore the key file, or set the credential again"
    )]
    OtherKey {
        /// The key it was sealed under.
        sealed: KeyId,
        /// The key at hand.
        have: KeyId,
    },
    /// Sealed under another name: somebody moved it.
    #[error("the credential stored as `{name}` was sealed as `{sealed_as}`; it was moved, set it again")]
    OtherName {
        /// The name asked for.
        name: String,
        /// The name inside.
        sealed_as: String,
    },
    /// Not what was sealed.
    #[error(
        "the credential `{name}` was altered after it was sealed; set it again and find out who wrote to the database"
    )]
    Altered {
        /// Its name.
        name: String,
    },
    /// The cryptographic library refused.
    #[error("the cryptographic library failed to seal; check its self-test")]
    Library,
}

impl SealError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

struct Parts<'a> {
    /// All that is authenticated but not encrypted.
    header: &'a [u8],
    key_id: KeyId,
    name: &'a [u8],
    nonce: &'a [u8],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(sealed: &'a [u8]) -> Result<Self, SealError> {
        Self::split(sealed).ok_or(SealError::Version)
    }

    fn split(sealed: &'a [u8]) -> Option<Self> {
        let (version, rest) = sealed.split_first()?;
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID_BYTES>()?;
        let (length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
        let header = sealed.get(..HEADER_BYTES + name.len())?;
        (*version == VERSION).then_some(Self { header, key_id: KeyId(*key_id), name, nonce, body })
    }
}

/// Writes the key beside its place and links it there, so that the file never exists half-written and is never overwritten.
fn create(path: &Path, random: &[u8; SEALING_KEY_BYTES]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = write_private(&beside, random).and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = std::fs::remove_file(&beside);
    written.and(removed)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn write_private(path: &Path, random: &[u8; SEALING_KEY_BYTES]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let text = Zeroizing::new(hex::encode(random));
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Bytes of a sealing key.
pub const SEALING_KEY_BYTES: usize = 32;
/// Bytes of the longest credential.
pub const SECRET_BYTES_MAX: usize = 16_384;
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const DERIVE_DOMAIN: &[u8] = b"provost derived keys";
const KEY_ID_DOMAIN: &[u8] = b"provost sealing key id\n";
const KEY_FILE_BYTES_MAX: usize = 256;
/// Version, key id, name length.
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + 1;

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"hunter2-hunter2";

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_under_its_key_and_its_name_only() {
        let sealed = key(1).seal("bank", SECRET).unwrap();
        assert_eq!(key(1).open("bank", &sealed).unwrap().dangerous_expose(), SECRET);
        assert!(matches!(key(2).open("bank", &sealed), Err(SealError::OtherKey { .. })));
        assert!(matches!(key(1).open("mail", &sealed), Err(SealError::OtherName { .. })));
        assert!(matches!(key(1).open("bank", b"{}"), Err(SealError::Version)));
        assert!(matches!(key(1).open("bank", &[]), Err(SealError::Version)));
        assert_ne!(sealed, key(1).seal("bank", SECRET).unwrap(), "every sealing has its own nonce");
        assert!(!sealed.windows(SECRET.len()).any(|w| w == SECRET));
    }

    #[test]
    fn a_flipped_bit_anywhere_and_a_cut_anywhere_are_found() {
        let sealed = key(1).seal("bank", SECRET).unwrap();
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            let error = key(1).open("bank", &flipped).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(key(1).open("bank", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_name_rewritten_in_place_does_not_move_a_credential() {
        let mut sealed = key(1).seal("bank", SECRET).unwrap();
        sealed[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(b"mail");
        assert!(matches!(key(1).open("mail", &sealed), Err(SealError::Altered { .. })));
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::new(SECRET.to_vec());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "*** Some(\n    ***,\n)");
        assert!(!format!("{:?}", key(7)).contains("0707"));
    }

    #[test]
    fn a_length_that_cannot_be_sealed_is_refused() {
        for bytes in [0, SECRET_BYTES_MAX + 1] {
            assert!(matches!(key(1).seal("bank", &vec![0; bytes]), Err(SealError::Length { .. })));
        }
        assert!(matches!(key(1).seal(&"n".repeat(256), SECRET), Err(SealError::NameLength { .. })));
    }

    #[test]
    fn the_key_file_is_made_once_private_and_is_refused_when_open_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let first = SealingKey::load_or_create(&path, &[1; 32]).unwrap();
        let second = SealingKey::load_or_create(&path, &[2; 32]).unwrap();
        assert_eq!(first.id(), second.id(), "the second start finds the first key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = SealingKey::load(&path).unwrap_err().to_string();
        assert!(error.contains("640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_key_is_64_digits_and_nothing_else() {
        assert!(SealingKey::from_hex(&format!(" {}\n", "0a".repeat(32))).is_ok());
        for bad in ["", "0a", &"0a".repeat(33), &"zz".repeat(32)] {
            assert!(matches!(SealingKey::from_hex(bad), Err(SealError::KeyText)));
        }
        assert!(SealingKey::from_env("PROVOST_TEST_NO_SUCH_VARIABLE").unwrap().is_none());
    }
}
