//! The plane under measurement: `provost serve` as a child process, on a core of its own.

use crate::{ServerArgs, client, client::Connection, machine};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A child that is ended with this value.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let shown = format!("{command:?}");
        Ok(Self(command.spawn().with_context(|| format!("cannot start {shown}"))?))
    }

    fn end(&mut self, within: Duration) -> anyhow::Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.context("a process without an id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < within {
            if self.0.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        bail!("the server did not stop within {within:?}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either it has ended, or it has to.
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A plane that is ready.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    /// From the start of the process to the first `200` of `/readyz`.
    pub(crate) ready_after: Duration,
    process: Process,
    data: PathBuf,
}

impl Server {
    /// Starts a plane on a data folder, on one core if one is named, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready, with what it said.
    pub(crate) async fn start(args: &ServerArgs, data: &Path, core: Option<usize>) -> anyhow::Result<Self> {
        let program = program(args)?;
        let addr = free_address()?;
        let mut command = match core {
            Some(core) => machine::on_core(core, &program),
            None => Command::new(&program),
        };
        command.arg("--data").arg(data).args(["serve", "--listen", &addr.to_string()]);
        Self::started(command, addr, data).await
    }

    /// Starts a node of a plane on a database.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) async fn start_on(args: &ServerArgs, data: &Path, store: &str) -> anyhow::Result<Self> {
        let addr = free_address()?;
        let mut command = Command::new(program(args)?);
        command.arg("--data").arg(data).args(["serve", "--listen", &addr.to_string(), "--store", store]);
        // Nodes of one plane have one name and one sealing key.
        command.args(["--public-url", "http://provost.test"]).env("PROVOST_SEALING_KEY", "07".repeat(32));
        Self::started(command, addr, data).await
    }

    async fn started(mut command: Command, addr: SocketAddr, data: &Path) -> anyhow::Result<Self> {
        let log = data.join("server.log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let started = Instant::now();
        let mut process = Process::spawn(command)?;
        loop {
            if is_ready(addr).await {
                break;
            }
            if process.0.try_wait()?.is_some() || started.elapsed() > READY_MAX {
                bail!("the plane did not become ready:\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(Self { addr, ready_after: started.elapsed(), process, data: data.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The token of its administrator.
    ///
    /// # Errors
    /// When the plane did not write it.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let path = self.data.join("admin-token");
        Ok(fs::read_to_string(&path)
            .with_context(|| format!("no token in {}", path.display()))?
            .trim()
            .to_owned())
    }

    /// One request to its API, as the administrator.
    ///
    /// # Errors
    /// When the answer is no success.
    pub(crate) async fn api(&self, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let bearer = format!("authorization: Bearer {}\r\n", self.token()?);
        let mut request = Vec::new();
        match body {
            Some(body) => client::post(&mut request, self.addr, path, &bearer, body.to_string().as_bytes()),
            None => request.extend(get(self.addr, path, &bearer)),
        }
        let mut connection = Connection::open(self.addr).await?;
        let answer = connection.ask(&request).await?;
        let text = String::from_utf8_lossy(answer.body);
        anyhow::ensure!(answer.status == 200, "{path} was answered {} {text}", answer.status);
        Ok(serde_json::from_slice(answer.body)?)
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// When it does not stop.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.process.end(STOP_MAX)
    }
}

/// A data folder that vanishes with the value.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn data_folder(args: &ServerArgs) -> anyhow::Result<tempfile::TempDir> {
    // A plane refuses a folder that others can read.
    let mut folder = tempfile::Builder::new();
    folder.permissions(fs::Permissions::from_mode(0o700));
    let folder = match &args.within {
        Some(within) => folder.tempdir_in(within),
        None => folder.tempdir(),
    };
    folder.context("a data folder cannot be made")
}

/// An address on this machine that nobody listens on.
///
/// # Errors
/// When there is none.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn program(args: &ServerArgs) -> anyhow::Result<PathBuf> {
    if let Some(named) = &args.provost {
        return Ok(named.clone());
    }
    let beside = std::env::current_exe()?.with_file_name("provost");
    anyhow::ensure!(
        beside.exists(),
        "there is no {}: cargo build --release -p provost-server, or name one with --provost",
        beside.display()
    );
    Ok(beside)
}

async fn is_ready(addr: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(addr).await else { return false };
    connection.ask(&get(addr, "/readyz", "")).await.is_ok_and(|answer| answer.status == 200)
}

fn get(addr: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n{headers}\r\n").into_bytes()
}

const POLL: Duration = Duration::from_millis(5);
const READY_MAX: Duration = Duration::from_secs(300);
const STOP_MAX: Duration = Duration::from_secs(120);
