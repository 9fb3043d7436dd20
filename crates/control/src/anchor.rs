//! The checkpoint file outside the database: what this node last saw signed. A database that was restored from an
//! older backup, or exchanged, contradicts it, and the plane refuses to start on such a one.

use crate::{
    Action, ControlError, Op,
    plane::Plane,
    reason::reason,
    sequencer::{fetch, open},
};
use provost_domain::decision::Refused;
use provost_ledger::{Checkpoint, consistency_proof, consistency_tiles, verify_consistency};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Compares the file with the database. Called once at start, before anything is served.
///
/// # Errors
/// [`AnchorError::Newer`], [`AnchorError::Fork`] and others that are to be shown whole ([`AnchorError::explain`]).
pub async fn check(plane: &Plane) -> Result<(), AnchorError> {
    let path = path(&plane.data);
    let note = match tokio::fs::read(&path).await {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(AnchorError::File { path, source }),
    };
    let key = plane.ledger_key.verifier();
    let seen = Checkpoint::verify(&note, &key)
        .map_err(|error| AnchorError::NotOurs { path: path.clone(), why: error.to_string() })?;
    let head = plane.store.ledger_head().await.map_err(AnchorError::store)?;
    if seen.size > head.size {
        return Err(AnchorError::Newer { path, file: seen.size, database: head.size });
    }
    let tree = open(plane.store.as_ref(), &head, &key).await.map_err(AnchorError::store)?;
    let fork =
        |why: String| AnchorError::Fork { path: path.clone(), file: seen.size, database: head.size, why };
    let wanted = consistency_tiles(seen.size, head.size).map_err(|error| fork(error.to_string()))?;
    let tiles = fetch(plane.store.as_ref(), wanted).await.map_err(AnchorError::store)?;
    let proof = consistency_proof(seen.size, head.size, |tile| tiles.read(tile));
    let proof = proof.map_err(|error| fork(error.to_string()))?;
    verify_consistency((seen.size, seen.root), (head.size, tree.root()), &proof)
        .map_err(|error| fork(error.to_string()))
}

/// Accepts the database as it is, although the file says otherwise: keeps the file under another name, puts the
/// database's head in its place, and leaves a notice in the journal for ever. Done before the plane serves.
///
/// # Errors
/// When the operator may not, `size` is not the size of the tree in the database, or a file or the store fails.
pub async fn adopt(op: &Op, size: u64, why: &str) -> Result<(), ControlError> {
    op.authorize(Action::LedgerAdopt)?;
    let why = reason(why)?;
    let plane = &op.plane;
    let head = plane.store.ledger_head().await?;
    if head.size != size {
        return Err(ControlError::conflict(format!("the database has {} leaves, not {size}", head.size))
            .because("nobody should adopt what was not looked at")
            .cure("look again, and name the size that is there"));
    }
    let notice = Refused {
        v: 1,
        at: plane.now(),
        node: plane.node,
        face: "control".to_owned(),
        code: "ledger-adopted".to_owned(),
        message: format!(
            "{} adopted the ledger at size {size}, against the checkpoint file: {why}",
            op.subject
        ),
        count: 1,
    };
    plane.store.refused(notice).await?;
    let broken = |error: AnchorError| ControlError::us("the checkpoint file could not be replaced", error);
    set_aside(plane).await.map_err(broken)?;
    if head.size > 0 {
        write(&plane.data, &head.checkpoint).await.map_err(broken)?;
    }
    Ok(())
}

/// Writes the file beside its place, syncs it, and moves it there: it is never seen in part, and after a crash it is
/// the old or the new one.
pub(crate) async fn write(data: &Path, checkpoint: &str) -> Result<(), AnchorError> {
    let path = path(data);
    let text = checkpoint.to_owned();
    let written = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || replace(&path, &text)).await
    };
    let written = written.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
    written.map_err(|source| AnchorError::File { path, source })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

async fn set_aside(plane: &Plane) -> Result<(), AnchorError> {
    let path = path(&plane.data);
    let aside = plane.data.join(format!("checkpoint-replaced-{}", plane.now().as_millis()));
    match tokio::fs::rename(&path, &aside).await {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(AnchorError::File { path, source }),
        _moved_or_absent => Ok(()),
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("checkpoint")
}

/// Why the file and the database do not agree.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The database is older.
    #[error("the ledger checkpoint in {} (size {file}) is newer than the database (size {database})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Leaves by the file.
        file: u64,
        /// Leaves by the database.
        database: u64,
    },
    /// The database is another history.
    #[error("the database (size {database}) does not continue the ledger checkpoint in {} (size {file})", path.display())]
    Fork {
        /// The file.
        path: PathBuf,
        /// Leaves by the file.
        file: u64,
        /// Leaves by the database.
        database: u64,
        /// What did not hold.
        why: String,
    },
    /// The file is not signed by this plane.
    #[error("the ledger checkpoint in {} is not one of this plane: {why}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What did not hold.
        why: String,
    },
    /// The file cannot be read or written.
    #[error("the ledger checkpoint file {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database cannot be read.
    #[error("the ledger in the database cannot be read: {why}")]
    Database {
        /// In what way.
        why: String,
    },
}

impl AnchorError {
    fn store(error: impl std::fmt::Display) -> Self {
        Self::Database { why: error.to_string() }
    }

    /// For the operator, in four parts: what, why, what it means, what to do.
    #[must_use]
    pub fn explain(&self) -> String {
        let (because, means, cure) = match self {
            Self::Newer { file, database, .. } => (
                "the database was probably restored from an older backup".to_owned(),
                format!(
                    "{} recorded entries would be forked; whoever kept the checkpoint would see two histories",
                    file.saturating_sub(*database)
                ),
                "restore a newer backup; or, if that is all there is, start once with --adopt-ledger and that size",
            ),
            Self::Fork { why, .. } => (
                format!("the proof of consistency fails: {why}"),
                "records that were signed are not in this database, or were changed".to_owned(),
                "find out whose database this is; run `provost fsck`; restore the right one, or start once with \
                 --adopt-ledger and that size",
            ),
            Self::NotOurs { why, .. } => (
                why.clone(),
                "the file and the database belong to two different planes, or a key was replaced".to_owned(),
                "put the right data folder and the right database together",
            ),
            Self::File { source, .. } => (
                source.to_string(),
                "it cannot be known whether this database is the newest".to_owned(),
                "make the file readable and writable for the plane",
            ),
            Self::Database { why } => (
                why.clone(),
                "it cannot be known whether this database is the newest".to_owned(),
                "run `provost fsck`, or restore a backup",
            ),
        };
        format!("refusing to start: {self}\n  because: {because}\n  this means: {means}\n  do: {cure}")
    }
}
