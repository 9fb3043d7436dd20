//! Other people's software: where it is, how it is started, what it prints.

use serde_json::{Value, json};
use std::{fs::File, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// A child that is ended when dropped, and the URL it printed.
pub struct Served {
    pub url: String,
    _child: Child,
}

/// The folder of other people's software, installed. Tests run side by side: the first installs, the others wait.
pub fn folder() -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop").canonicalize().unwrap();
    let lock = File::create(std::env::temp_dir().join("provost-interop.lock")).unwrap();
    lock.lock().unwrap();
    let installed = std::process::Command::new(folder.join("setup.sh")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    folder
}

/// Starts a program that prints `{"url": …}` when it listens.
pub async fn serve(arguments: &[&str]) -> Served {
    serve_with(arguments, &[]).await
}

/// As [`serve`], with an environment.
pub async fn serve_with(arguments: &[&str], env: &[(&str, &str)]) -> Served {
    let mut command = Command::new("node");
    command
        .current_dir(folder())
        .args(arguments)
        .env("PORT", "0")
        .envs(env.iter().copied())
        .kill_on_drop(true);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("it ended before it listened");
        if let Some(url) =
            serde_json::from_str::<Value>(&line).ok().and_then(|said| said["url"].as_str().map(str::to_owned))
        {
            break url;
        }
    };
    // Somebody must read on, or the child stops when the pipe is full.
    tokio::spawn(async move { while let Ok(Some(_line)) = lines.next_line().await {} });
    Served { url, _child: child }
}

/// The command of an official server over stdio.
pub fn official(server: &str, arguments: &[&str]) -> Vec<String> {
    let main = folder().join(format!("node_modules/@modelcontextprotocol/server-{server}/dist/index.js"));
    let main = main.to_string_lossy().into_owned();
    ["node".to_owned(), main].into_iter().chain(arguments.iter().map(|a| (*a).to_owned())).collect()
}

/// An official client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// TypeScript, up to 2025-11-25.
    TypeScript1,
    /// TypeScript, 2026-07-28 first.
    TypeScript2,
    /// Python, up to 2025-11-25.
    PythonLegacy,
    /// Python, 2026-07-28 first.
    PythonAuto,
}

impl Client {
    pub fn is_modern(self) -> bool {
        matches!(self, Self::TypeScript2 | Self::PythonAuto)
    }

    /// Lets it connect, list, and make these calls; what it saw.
    pub async fn run(
        self,
        gateway: &str,
        system: &str,
        token: &str,
        calls: Value,
        more: &[(&str, &str)],
    ) -> Value {
        let folder = folder();
        let (program, arguments): (PathBuf, &[&str]) = match self {
            Self::TypeScript1 => ("node".into(), &["clients/ts-client.mjs", "--sdk", "1"]),
            Self::TypeScript2 => ("node".into(), &["clients/ts-client.mjs", "--sdk", "2"]),
            Self::PythonLegacy | Self::PythonAuto => {
                (folder.join(".venv/bin/python"), &["clients/py_client.py"])
            }
        };
        let mode = if self == Self::PythonLegacy { "legacy" } else { "auto" };
        let settings = [("GATEWAY_URL", gateway), ("SYSTEM", system), ("TOKEN", token), ("MODE", mode)];
        let mut command = Command::new(program);
        command.current_dir(folder).args(arguments).envs(settings).envs(more.iter().copied());
        command.env("CALLS", calls.to_string()).stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(Duration::from_secs(90), command.output())
            .await
            .expect("the client hangs")
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        let seen = said.lines().next_back().and_then(|line| serde_json::from_str(line).ok());
        seen.unwrap_or_else(|| panic!("{self:?} said {said} {}", String::from_utf8_lossy(&ended.stderr)))
    }
}

/// The names in a client's `tools`.
pub fn names(seen: &Value) -> Vec<String> {
    let tools = seen["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// One call for [`Client::run`].
pub fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}
