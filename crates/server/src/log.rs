//! The log, on standard error: words for a person at a terminal, JSON lines for everything else.

use std::{fs::File, io::IsTerminal as _, sync::Mutex};
use tracing_subscriber::EnvFilter;

/// Logs of a plane that serves. `PROVOST_LOG` says how much, in the words of `tracing` (`debug`, `provost=trace`).
pub(crate) fn to_stderr() {
    let stderr = std::io::stderr;
    // Fails when somebody installed one already, which only a test would.
    let _installed = match std::io::stderr().is_terminal() {
        true => tracing_subscriber::fmt()
            .with_env_filter(filter("info"))
            .with_target(false)
            .with_writer(stderr)
            .try_init(),
        false => {
            tracing_subscriber::fmt().json().with_env_filter(filter("info")).with_writer(stderr).try_init()
        }
    };
}

/// Logs of the demo, beside its data, so that they are not in the story's way.
pub(crate) fn to_file(file: File) {
    let _installed = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter("info"))
        .with_writer(Mutex::new(file))
        .try_init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env("PROVOST_LOG").unwrap_or_else(|_absent_or_wrong| EnvFilter::new(default))
}
