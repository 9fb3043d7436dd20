//! What the story stands on: a plane and a bank on loopback, a folder for both, and a client for the plane's own API.

use crate::{
    config::Config,
    log,
    serve::{self, Running},
};
use provost_bank::{Bank, Server};
use provost_cli::{Client, Exit, Failure, client::TOKEN_FILE};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Plane, bank, folder.
pub(crate) struct Stage {
    /// Asks the plane as its administrator.
    pub plane: Client,
    /// The bank, to look into its books.
    pub bank: Server,
    /// What opens the bank; sealed in the plane, given to no agent.
    pub bank_key: String,
    running: Running,
    folder: PathBuf,
    /// Removes the folder, when it is not one that was named.
    temporary: Option<TempDir>,
}

impl Stage {
    /// Starts everything, on free ports of this machine.
    ///
    /// # Errors
    /// When the named folder is in use, or something cannot be started.
    pub(crate) async fn set(port: u16, folder: Option<&Path>) -> Result<Self, Failure> {
        let (folder, temporary) = make_folder(folder)?;
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: std::io::Error| Failure::new(what).because(error)
        };
        let data = folder.join("plane");
        fs::create_dir(&data).map_err(failed("the demo's folder cannot be used"))?;
        private(&data).map_err(failed("the demo's folder cannot be used"))?;
        let file =
            fs::File::create(folder.join("demo.log")).map_err(failed("the demo's log cannot be written"))?;
        log::to_file(file);
        let config = Config::built_in(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), data.clone());
        let running = serve::start(&config, None).await?;
        let token = fs::read_to_string(data.join(TOKEN_FILE))
            .map_err(failed("the administrator token cannot be read"))?;
        let plane = Client::with_token(&running.plane.issuer, token.trim().to_owned())?;
        let bank_key = hex::encode(rand::random::<[u8; 16]>());
        let bank = open_bank(&folder.join("bank.db"), &bank_key).await?;
        Ok(Self { plane, bank, bank_key, running, folder, temporary })
    }

    /// The plane itself, for what a browser would do.
    pub(crate) fn control(&self) -> &std::sync::Arc<provost_control::Plane> {
        &self.running.plane
    }

    /// Where the plane is.
    pub(crate) fn url(&self) -> &str {
        &self.running.plane.issuer
    }

    /// The plane's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("plane")
    }

    /// A folder for what the story writes.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether the folder goes with the demo.
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// The bank's books.
    pub(crate) fn books(&self) -> &Bank {
        self.bank.bank()
    }

    /// Ends everything.
    pub(crate) async fn strike(self) {
        self.running.stop().await;
        self.bank.shutdown().await;
    }

    /// Keeps everything running until a signal says stop.
    ///
    /// # Errors
    /// When the plane broke down.
    pub(crate) async fn stay(self, exit: Exit) -> Result<Exit, Failure> {
        self.running.until_told().await?;
        self.bank.shutdown().await;
        Ok(exit)
    }
}

/// A named folder must be new or empty: a story told over old data would come out otherwise.
fn make_folder(named: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), Failure> {
    let failed = |error: std::io::Error| Failure::new("the demo has no folder to work in").because(error);
    let Some(folder) = named else {
        let temporary = tempfile::Builder::new().prefix("provost-demo-").tempdir().map_err(failed)?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(Failure::usage(format!("the folder {} is not empty", folder.display()))
            .because("the demo starts a plane of its own, and touches no other")
            .cure("name a new folder with --data, or none (PROVOST_DATA names one, too)"));
    }
    Ok((folder.to_owned(), None))
}

fn private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

async fn open_bank(path: &Path, key: &str) -> Result<Server, Failure> {
    let bank = Bank::open(Some(path))
        .map_err(|error| Failure::new("the bank's books cannot be opened").because(error))?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| Failure::new("the bank has no port").because(error))?;
    provost_bank::serve(listener, bank, Some(key.to_owned()))
        .await
        .map_err(|error| Failure::new("the bank cannot be opened").because(error))
}
