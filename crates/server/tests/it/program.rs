//! The program, run and watched.

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The program, with an environment that says nothing about planes.
pub(crate) fn provost() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVOST_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// A plane in a process of its own, on a folder of its own.
pub(crate) struct Plane {
    pub(crate) url: String,
    pub(crate) data: PathBuf,
    child: Child,
    /// Removed last.
    _folder: Option<TempDir>,
}

impl Plane {
    /// A plane on a fresh folder.
    pub(crate) fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut plane = Self::start(&data).unwrap_or_else(|output| panic!("{output:?}"));
        plane._folder = Some(folder);
        plane
    }

    /// A plane on this folder, once it answers; what it printed, if it does not start.
    pub(crate) fn start(data: &Path) -> Result<Self, Output> {
        Self::start_with(data, |_command| {})
    }

    /// The same, with more arguments or another environment.
    pub(crate) fn start_with(data: &Path, more: impl FnOnce(&mut Command)) -> Result<Self, Output> {
        let port = free_port();
        let mut command = provost();
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).arg("--data").arg(data);
        more(&mut command);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir(std::env::temp_dir())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if log.read_line(&mut line).unwrap() == 0 {
                let status = child.wait().unwrap();
                return Err(Output { status, stdout: Vec::new(), stderr: said.into_bytes() });
            }
            said.push_str(&line);
            if line.contains("\"serving\"") {
                break;
            }
        }
        // Somebody has to read the log, or a full pipe would stop the plane.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { url, data: data.to_owned(), child, _folder: None })
    }

    /// The first line with this in it that it printed where people look, not where logs go.
    pub(crate) fn printed(&mut self, part: &str) -> String {
        let lines = BufReader::new(self.child.stdout.as_mut().unwrap()).lines();
        lines.map_while(Result::ok).find(|line| line.contains(part)).unwrap()
    }

    /// Asks it something on the command line.
    pub(crate) fn ask(&self, args: &[&str]) -> Output {
        provost().args(args).args(["--url", &self.url]).arg("--data").arg(&self.data).output().unwrap()
    }

    /// Asks it something that must be done, and reads the JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = provost()
            .args(args)
            .args(["--json", "--url", &self.url])
            .arg("--data")
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {output:?}"))
    }

    /// Tells it something that must not stand among the arguments.
    pub(crate) fn say(&self, args: &[&str], words: &str) {
        let mut command = provost();
        command.args(args).args(["--url", &self.url]).arg("--data").arg(&self.data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{args:?}");
    }

    /// As a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As an operator would; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let started = Instant::now();
        while started.elapsed() < STOP_MAX {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the plane did not stop");
    }

    /// Takes the folder away from the plane, to start another on it.
    pub(crate) fn keep_folder(&mut self) -> TempDir {
        self._folder.take().unwrap()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        // Already gone, in most tests.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What was printed where people look for errors.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The folder of the example organisation.
pub(crate) fn acme() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/acme").display().to_string()
}

const STOP_MAX: Duration = Duration::from_secs(20);

/// What `look` finds, once it finds something.
pub(crate) fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < LOOKED_FOR_MAX, "it never came");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Longer than a claim of a node that died.
const LOOKED_FOR_MAX: Duration = Duration::from_secs(120);
