//! The data folder: private to its owner, held by one plane at a time, and the keys and ids that live in it.

use crate::config::Config;
use provost_cli::Failure;
use provost_connect::{SealError, SealingKey};
use provost_domain::{Clock as _, NodeId};
use provost_store::SystemClock;
use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// A data folder that is ours as long as this value lives.
#[derive(Debug)]
pub(crate) struct Data {
    path: PathBuf,
    /// Keeps a second plane out.
    _lock: File,
}

impl Data {
    /// Makes the folder if there is none, makes sure it can be written, and takes it.
    ///
    /// # Errors
    /// When another plane holds it, or the disk is not in order.
    pub(crate) fn take(path: &Path) -> Result<Self, Failure> {
        let unusable = |error: io::Error| {
            Failure::new(format!("refusing to start: the data folder {} cannot be used", path.display()))
                .because(error)
                .means("a plane that cannot write keeps no record, so it decides nothing")
                .cure("name a folder this user can write to, with --data")
        };
        let fresh = !path.exists();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mode = fs::metadata(path).map_err(unusable)?.permissions().mode() & 0o777;
        if !fresh && mode & 0o077 != 0 {
            return Err(Failure::new(format!(
                "refusing to start: others can read the data folder {}",
                path.display()
            ))
            .because(format!("its mode is {mode:03o}"))
            .means("they could read the sealing key and the administrator's token")
            .cure(format!("chmod 700 {}", path.display())));
        }
        let lock = path.join(LOCK_FILE);
        let file = private().open(&lock).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(held(path)),
            Err(fs::TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let mut file = file;
        // A file may be locked on a full disk; whether it can be written shows only by writing.
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .and_then(|()| file.sync_all())
            .map_err(unusable)?;
        Ok(Self { path: path.to_owned(), _lock: file })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Which node this is; the same after a restart.
    pub(crate) fn node(&self) -> Result<NodeId, Failure> {
        let path = self.path.join(NODE_FILE);
        let failed =
            |error: io::Error| Failure::new(format!("{} cannot be used", path.display())).because(error);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|error| {
                Failure::new(format!("{} does not hold the id of a node", path.display()))
                    .because(error)
                    .means("calls this node left unfinished could not be found")
                    .cure("restore the data folder from a backup; a lost node id cannot be guessed")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let node = NodeId::new(SystemClock.now(), rand::random());
                let mut file = private().create_new(true).open(&path).map_err(failed)?;
                writeln!(file, "{node}").and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(node)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// The key credentials are sealed under: from the environment, else from its file, which is made on first start.
///
/// # Errors
/// When neither holds a key, or others can read the file.
pub(crate) fn sealing_key(config: &Config) -> Result<SealingKey, Failure> {
    let failed = |error: SealError| {
        Failure::new("refusing to start: there is no sealing key")
            .because(provost_cli::failure::chain(&error))
            .means("no credential and no signing key of this plane can be opened")
            .cure(format!("restore the file {SEALING_KEY_FILE} of the data folder, or set {SEALING_KEY_ENV}"))
    };
    match SealingKey::from_env(SEALING_KEY_ENV).map_err(failed)? {
        Some(key) => Ok(key),
        None => {
            SealingKey::load_or_create(&config.data.join(SEALING_KEY_FILE), &rand::random()).map_err(failed)
        }
    }
}

fn held(path: &Path) -> Failure {
    let holder = fs::read_to_string(path.join(LOCK_FILE)).unwrap_or_default();
    let holder = match holder.trim() {
        "" => "another process holds its lock".to_owned(),
        id => format!("process {id} holds its lock"),
    };
    Failure::new(format!("refusing to start: another plane runs on the data folder {}", path.display()))
        .because(holder)
        .means("two planes on one folder would each believe to be the only one")
        .cure("stop the other one first, or give this one a folder of its own with --data")
}

fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

/// The environment variable with the sealing key.
pub(crate) const SEALING_KEY_ENV: &str = "PROVOST_SEALING_KEY";
/// The file with the sealing key.
pub(crate) const SEALING_KEY_FILE: &str = "sealing-key";
const LOCK_FILE: &str = "provost.lock";
const NODE_FILE: &str = "node";
