//! Who is behind a bearer token: the local administrator, a workload, a connector. Tokens are 32 random bytes; the store holds
//! their SHA-256 only.

use crate::{
    access::Operator,
    plane::{Plane, Random},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::{Digest, Name, NodeId};
use provost_store::{Store, StoreError};
use std::{
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Whose token this is.
///
/// # Errors
/// When the store cannot be asked. A token nobody has is `None`, whatever is wrong with it.
pub async fn resolve(plane: &Plane, token: &str) -> Result<Option<Operator>, StoreError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Ok(None);
    }
    if token.starts_with(LOCAL_PREFIX) {
        let kept = plane.store.meta(&local_key(plane.node)).await?;
        return Ok(kept.filter(|kept| is_digest_of(kept, token)).map(|_fits| Operator::LocalAdministrator));
    }
    let workload = workload_of(plane.store.as_ref(), token).await?;
    let view = plane.replica.latest();
    let active = |name: &Name| view.directory.workloads.get(name).is_some_and(|workload| workload.active);
    Ok(workload.filter(active).map(Operator::Workload))
}

/// The workload a token belongs to, whether or not it is active. For enforcement points: what this says holds as
/// long as the workload's row does, since a new token comes with a change of it.
///
/// # Errors
/// When the store cannot be asked.
pub async fn workload_of(store: &dyn Store, token: &str) -> Result<Option<Name>, StoreError> {
    let Some((name, _secret)) = token.strip_prefix(WORKLOAD_PREFIX).and_then(|rest| rest.split_once('.'))
    else {
        return Ok(None);
    };
    let Ok(name) = name.parse::<Name>() else { return Ok(None) };
    let kept = store.meta(&workload_key(&name)).await?;
    Ok(kept.filter(|kept| is_digest_of(kept, token)).map(|_fits| name))
}

/// Makes sure that this node has a local administrator token in `path` (mode 0600), and that the store knows its
/// digest. Called at each start. To replace a token, remove the file and start again: the old one is void then.
///
/// # Errors
/// When the file cannot be read or written, others may read it, it holds something else, or the store fails.
pub async fn ensure_local_token(
    store: &dyn Store,
    random: &dyn Random,
    node: NodeId,
    path: &Path,
) -> Result<(), LocalTokenError> {
    let token = match read_private(path) {
        Ok(text) => Zeroizing::new(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
            random.fill(bytes.as_mut_slice());
            let token = Zeroizing::new(format!("{LOCAL_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())));
            write_private(path, &token).map_err(|source| LocalTokenError::file(path, source))?;
            token
        }
        Err(source) => return Err(LocalTokenError::file(path, source)),
    };
    let secret = token.strip_prefix(LOCAL_PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    if secret.is_none_or(|secret| secret.len() != SECRET_BYTES) {
        return Err(LocalTokenError::NotAToken { path: path.to_owned() });
    }
    let digest = Digest::of(token.as_bytes());
    store.put_meta(&local_key(node), digest.as_bytes()).await?;
    Ok(())
}

/// The connector a token belongs to, as long as its word counts. What was taken back at any node is taken back here.
///
/// # Errors
/// When the store cannot be asked.
pub async fn connector_of(plane: &Plane, token: &str) -> Result<Option<Name>, StoreError> {
    let named = token.strip_prefix(CONNECTOR_PREFIX).and_then(|rest| rest.split_once('.'));
    let named = named.filter(|_named| token.len() <= TOKEN_BYTES_MAX);
    let Some(Ok(name)) = named.map(|(name, _secret)| name.parse::<Name>()) else { return Ok(None) };
    plane.replica.catch_up().await?;
    let view = plane.replica.latest();
    let digest = Digest::of(token.as_bytes());
    let row = view.directory.connectors.get(&name).filter(|row| row.takes(&digest, plane.now()));
    Ok(row.map(|row| row.name.clone()))
}

/// A new workload token and the digest to keep.
pub(crate) fn new_workload_token(random: &dyn Random, workload: &Name) -> (String, Digest) {
    new_token(random, WORKLOAD_PREFIX, workload)
}

/// A new token of a connector and the digest to keep.
pub(crate) fn new_connector_token(random: &dyn Random, connector: &Name) -> (String, Digest) {
    new_token(random, CONNECTOR_PREFIX, connector)
}

fn new_token(random: &dyn Random, prefix: &str, name: &Name) -> (String, Digest) {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    random.fill(bytes.as_mut_slice());
    let token = format!("{prefix}{name}.{}", URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let digest = Digest::of(token.as_bytes());
    (token, digest)
}

/// Where the digest of a workload's token is kept.
pub(crate) fn workload_key(name: &Name) -> String {
    format!("workload-token/{name}")
}

fn local_key(node: NodeId) -> String {
    format!("local-token/{node}")
}

/// In time that does not depend on where the two differ. What is kept is a digest, so its own bytes tell nothing.
fn is_digest_of(kept: &[u8], token: &str) -> bool {
    let digest = Digest::of(token.as_bytes());
    aws_lc_rs::constant_time::verify_slices_are_equal(kept, digest.as_bytes()).is_ok()
}

fn read_private(path: &Path) -> io::Result<String> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others may read it; remove it and start again",
        ));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Written beside its place and moved there, so that it never exists in part.
fn write_private(path: &Path, token: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _removed_or_absent => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(token.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// Why there is no local administrator token.
#[derive(Debug, thiserror::Error)]
pub enum LocalTokenError {
    /// The file.
    #[error("the administrator token file {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something else is in it.
    #[error("{} does not hold an administrator token: remove it, and the next start makes a new one", path.display())]
    NotAToken {
        /// Which.
        path: PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LocalTokenError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// So that a secret scanner knows one when it sees one.
const LOCAL_PREFIX: &str = "provost_local_";
const WORKLOAD_PREFIX: &str = "provost_workload_";
const CONNECTOR_PREFIX: &str = "provost_connector_";
const SECRET_BYTES: usize = 32;
const TOKEN_BYTES_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 1_024;
