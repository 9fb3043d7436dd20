//! Everything around the plane, each a process or socket of its own: the bank, an identity provider, a cluster, the software
//! people run agents in, and the people.

use crate::program::{Plane, provost};
use provost_bank::{Bank, Server, serve};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

/// A plane in the middle of others, with the organisation of `organisation.toml`.
pub(super) struct World {
    pub(super) plane: Plane,
    others: Others,
    bank: Server,
    /// The bank's.
    _runtime: Runtime,
    _folder: TempDir,
}

/// The process of `others.mjs`, and what it said of itself.
struct Others {
    said: Value,
    child: Child,
}

impl Drop for Others {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl World {
    /// Everybody, and a plane with these lines in its `provost.toml`.
    pub(super) fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made =
            Command::new(python()).arg(interop().join("clients/certificate.py")).arg(folder.path()).status();
        assert!(made.unwrap().success());
        let others = Others::start(&path("cert.pem"), &path("key.pem"));
        let runtime = Runtime::new().unwrap();
        let bank = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            serve(listener, Bank::open(None).unwrap(), Some(BANK_KEY.to_owned())).await.unwrap()
        });
        std::fs::write(path("provost.toml"), settings).unwrap();
        let started = Plane::start_with(&path("data"), |command| {
            // The software's certificate is of an authority that nobody else knows.
            command.env("SSL_CERT_FILE", path("ca.pem")).arg("--config").arg(path("provost.toml"));
        });
        let plane = started.unwrap_or_else(|output| panic!("{output:?}"));
        let born = Instant::now();
        let world = Self { plane, others, bank, _runtime: runtime, _folder: folder };
        world.organise();
        // Proofs of possession say when they were made in whole seconds, and those from before a node's start are refused.
        std::thread::sleep(Duration::from_secs(1).saturating_sub(born.elapsed()));
        world
    }

    fn organise(&self) {
        let folder = tempfile::tempdir().unwrap();
        let said = |pointer: &str| self.others.said.pointer(pointer).unwrap().as_str().unwrap();
        let text = include_str!("organisation.toml")
            .replace("PROVIDER", said("/provider"))
            .replace("CLUSTER", said("/cluster/issuer"))
            .replace("PLANE", &self.plane.url)
            .replace("\"BANK\"", &format!("\"{}\"", self.bank.url()));
        std::fs::write(folder.path().join("organisation.toml"), text).unwrap();
        self.plane.json(&["apply", folder.path().to_str().unwrap(), "--yes"]);
        self.seal("bank", BANK_KEY);
        for agent in ["clerk", "tester"] {
            let client_id = said("/client_id");
            self.plane.json(&[
                "agent",
                "proof",
                "add",
                agent,
                "--client-id",
                client_id,
                "--reason",
                "interop",
                "--as",
                "maria",
                "--break-glass",
            ]);
        }
    }

    fn seal(&self, name: &str, secret: &str) {
        let mut command = provost();
        command.args(["credential", "set", name, "--url", &self.plane.url, "--data"]).arg(&self.plane.data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{secret}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// How often this tool of the bank was called.
    pub(super) fn bank_calls(&self, tool: &str) -> usize {
        self.bank.bank().calls(tool).try_into().unwrap()
    }

    /// Runs a client that is written in JavaScript; what it saw.
    pub(super) fn node(&self, args: &[&str], more: &[(&str, &str)]) -> Value {
        let mut command = Command::new("node");
        command.args(args);
        self.run(command, more)
    }

    /// Runs a client that is written in Python; what it saw.
    pub(super) fn python(&self, script: &str, more: &[(&str, &str)]) -> Value {
        let mut command = Command::new(python());
        command.arg(script);
        self.run(command, more)
    }

    fn run(&self, mut command: Command, more: &[(&str, &str)]) -> Value {
        let said = &self.others.said;
        let token = std::fs::read_to_string(self.plane.data.join("admin-token")).unwrap();
        command.current_dir(interop()).env("ISSUER", &self.plane.url).env("ADMIN_TOKEN", token.trim());
        command.env("DATA", &self.plane.data).env("PROVOST", env!("CARGO_BIN_EXE_provost"));
        command.env("TOOL", "list_accounts").env("CLUSTER", said["cluster"].to_string());
        for (variable, member) in [
            ("CLIENT_ID", "client_id"),
            ("PERSON", "person"),
            ("ID_TOKEN", "id_token"),
            ("PROVIDER", "provider"),
        ] {
            command.env(variable, said[member].as_str().unwrap());
        }
        let ended = command.envs(more.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{said}{complaint}");
        let last = said.lines().next_back().and_then(|line| serde_json::from_str(line).ok());
        last.unwrap_or_else(|| panic!("{said}{complaint}"))
    }
}

impl Others {
    fn start(certificate: &Path, key: &Path) -> Self {
        let mut command = Command::new("node");
        command.current_dir(interop()).arg("clients/others.mjs");
        command.env("CERTIFICATE", certificate).env("CERTIFICATE_KEY", key);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { said: serde_json::from_str(&line).unwrap(), child }
    }
}

/// The folder of other people's software, installed. Tests run side by side: the first installs, the others wait.
fn interop() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop").canonicalize().unwrap();
    let lock = File::create(std::env::temp_dir().join("provost-interop.lock")).unwrap();
    lock.lock().unwrap();
    let installed = Command::new(folder.join("setup.sh")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    folder
}

fn python() -> PathBuf {
    interop().join(".venv/bin/python")
}

const BANK_KEY: &str = "the-banks-own-key";
