//! The plane's own signing keys: drawn once, sealed, kept in the store under a name. Two nodes that start at once
//! agree on the seed that was first.

use crate::plane::Random;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use provost_connect::{SealError, SealingKey};
use provost_domain::{NodeId, Timestamp, ids::IdError};
use provost_store::{Store, StoreError};
use provost_token::{Algorithm, SigningKey};
use std::{
    io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The key that signs checkpoints. Its name, the ledger's origin, is `origin` the first time and stays that for ever:
/// a renamed log would be another log.
///
/// # Errors
/// When the store fails, the stored seed does not open under this sealing key, and when `origin` is no name a signed note can carry.
pub async fn ledger_key(
    store: &dyn Store,
    sealing: &SealingKey,
    random: &dyn Random,
    origin: &str,
) -> Result<provost_ledger::SigningKey, KeysError> {
    let seed = seed(store, sealing, random, LEDGER_SEED).await?;
    let origin = store.put_meta_if_absent(LEDGER_ORIGIN, origin.as_bytes()).await?;
    let origin =
        String::from_utf8(origin).map_err(|_not_text| KeysError::NotASeed { name: LEDGER_ORIGIN })?;
    Ok(provost_ledger::SigningKey::log(&origin, &seed)?)
}

/// This node's id: drawn the first time, kept in a file of its own data folder, the same after every restart. Two
/// nodes never share a data folder.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn node(path: &Path, now: Timestamp, random: &dyn Random) -> Result<NodeId, KeysError> {
    let failed = |source| KeysError::NodeFile { path: path.to_owned(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map_err(|error: IdError| failed(io::Error::other(error))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0; 10];
            random.fill(&mut bytes);
            let node = NodeId::new(now, bytes);
            let beside = path.with_extension("new");
            std::fs::write(&beside, format!("{node}\n")).map_err(failed)?;
            std::fs::File::open(&beside).and_then(|file| file.sync_all()).map_err(failed)?;
            std::fs::rename(&beside, path).map_err(failed)?;
            Ok(node)
        }
        Err(source) => Err(failed(source)),
    }
}

/// The seed under this name; drawn and sealed, if there is none yet.
pub(crate) async fn seed(
    store: &dyn Store,
    sealing: &SealingKey,
    random: &dyn Random,
    name: &str,
) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let sealed = match store.meta(name).await? {
        Some(sealed) => sealed,
        None => {
            let mut drawn = Zeroizing::new([0; 32]);
            random.fill(drawn.as_mut_slice());
            store.put_meta_if_absent(name, &sealing.seal(name, drawn.as_slice())?).await?
        }
    };
    let secret = sealing.open(name, &sealed)?;
    let seed: [u8; 32] =
        secret.dangerous_expose().try_into().map_err(|_wrong_length| KeysError::NotASeed { name: "seed" })?;
    Ok(Zeroizing::new(seed))
}

/// The RSA key beside the seed of this name, for those who understand nothing else (CAEP interoperability profile 1.0); none, if
/// none was ever drawn and none is to be.
pub(crate) async fn rsa(
    store: &dyn Store,
    sealing: &SealingKey,
    (seed, draw): (&str, bool),
) -> Result<Option<SigningKey>, KeysError> {
    let name = format!("{seed}/rs256");
    let sealed = match store.meta(&name).await? {
        Some(sealed) => sealed,
        None if draw => {
            // It takes a moment, and primes are the library's to draw.
            let drawn = tokio::task::spawn_blocking(|| {
                let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
                Some(Zeroizing::new(der.as_ref().to_vec()))
            });
            let drawn = drawn.await.ok().flatten().ok_or(KeysError::NotDrawn)?;
            store.put_meta_if_absent(&name, &sealing.seal(&name, &drawn)?).await?
        }
        None => return Ok(None),
    };
    let der = sealing.open(&name, &sealed)?;
    let key = SigningKey::from_pkcs8(Algorithm::Rs256, der.dangerous_expose());
    key.map(Some).map_err(|_refused| KeysError::NotASeed { name: "rs256" })
}

/// Why a signing key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It does not open, or cannot be sealed.
    #[error("a signing key of the plane cannot be opened: {0}")]
    Seal(#[from] SealError),
    /// What opens is not a key.
    #[error("the stored `{name}` is damaged: restore the database from a backup")]
    NotASeed {
        /// Which.
        name: &'static str,
    },
    /// An RSA key was wanted.
    #[error("an RSA key could not be drawn")]
    NotDrawn,
    /// The file of the node's id.
    #[error("the file {} of this node's id cannot be used", path.display())]
    NodeFile {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The ledger's name.
    #[error("the ledger cannot have this origin: {0}")]
    Origin(#[from] provost_ledger::KeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The first seed of token keys.
pub(crate) const TOKEN_SEED: &str = "seed/token";
const LEDGER_SEED: &str = "seed/ledger";
const LEDGER_ORIGIN: &str = "ledger-origin";
