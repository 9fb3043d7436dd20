//! A cluster that a test has for itself, to crash it.

use crate::support::{as_postgres, finish, free_port, initialise, programs, serve};
use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

/// A cluster that a test has for itself, to crash it.
pub(crate) struct Private {
    folder: tempfile::TempDir,
    /// The port it listens on.
    pub(crate) port: u16,
}

impl Private {
    /// A new one, running.
    pub(crate) fn started() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let this = Self { folder, port: free_port() };
        initialise(&this.data());
        this.start();
        this
    }

    /// How to connect.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it again.
    pub(crate) fn start(&self) {
        serve(&self.data(), self.port, "on");
    }

    /// Starts it again as a server that promises nothing.
    pub(crate) fn start_unsynced(&self) {
        serve(&self.data(), self.port, "off");
    }

    /// Ends every process of it at once, as a crash does: nothing is written out.
    pub(crate) fn crash(&self) {
        let mut stop = as_postgres(&programs().join("pg_ctl"));
        finish(stop.args(["-m", "immediate", "stop", "-D"]).arg(self.data()));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let mut stop = as_postgres(&programs().join("pg_ctl"));
        drop(stop.args(["-m", "immediate", "stop", "-D"]).arg(self.data()).stdout(Stdio::null()).status());
    }
}
