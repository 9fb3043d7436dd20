//! The program and everything it starts: one process group, which ends with us whatever becomes of us.

use super::plane::{Plane, Stop};
use crate::{Exit, Failure, out::clean};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    ffi::OsString,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    time::Duration,
};
use tokio::process::Command;

/// The program under way.
pub(super) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with this code; 128 and the number of the signal that ended it.
    Itself(u8),
    /// By us.
    Stopped(Stop),
}

impl Child {
    /// Starts it in a process group of its own.
    pub(super) fn start(command: &[OsString], plane: &Plane) -> Result<Self, Failure> {
        let name = command.first().map(|program| clean(&program.to_string_lossy())).unwrap_or_default();
        let failed = |error: std::io::Error| {
            Failure::new(format!("`{name}` cannot be started")).because(error).means("nothing runs")
        };
        let ourselves = std::env::current_exe().map_err(failed)?;
        let mut starting = Command::new(ourselves);
        // Ourselves first: the process that becomes the program has asked to be killed should we die without a word.
        starting.args(["run", "--guarded", &std::process::id().to_string(), "--"]).args(command);
        for secret in HIDDEN {
            starting.env_remove(secret);
        }
        starting
            .env("PROVOST_TASK_TOKEN", plane.token())
            .env("PROVOST_TASK_TOKEN_FILE", plane.token_file())
            .env("PROVOST_TASK", plane.task.to_string())
            .env("PROVOST_URL", &plane.url)
            .env("PROVOST_MCP_URL", format!("{}/mcp", plane.url));
        let process = starting.process_group(0).kill_on_drop(true).spawn().map_err(failed)?;
        let group = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { process, group })
    }

    /// Waits until the program has ended by itself; what it started and left behind is ended then.
    pub(super) async fn ended(&mut self) -> Ended {
        let status = self.process.wait().await;
        self.signal(Signal::KILL);
        let code = status.ok().and_then(|status| {
            let by_signal = status.signal().map(|number| number.saturating_add(128));
            status.code().or(by_signal)
        });
        Ended::Itself(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }

    /// Tells the group to end, and makes it after `grace`.
    pub(super) async fn end(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        let _in_time = tokio::time::timeout(grace, self.process.wait()).await;
        // Also what the program left behind in its group.
        self.signal(Signal::KILL);
        let _reaped = self.process.wait().await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _gone = kill_process_group(group, signal);
        }
    }
}

/// Becomes the program, having asked the kernel for SIGKILL when the supervisor dies. Returns only if it cannot.
pub(super) fn become_program(command: &[OsString], supervisor: u32) -> Failure {
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
            return Failure::new("the program cannot be bound to its supervisor")
                .because(error)
                .means("it was not started");
        }
        // It may have died before the kernel was asked.
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        if parent != i32::try_from(supervisor).ok() {
            return Failure::new("the supervisor is gone").means("the program was not started");
        }
    }
    let Some((program, arguments)) = command.split_first() else {
        return Failure::usage("no program is named").cure("write it after `--`");
    };
    let error = std::process::Command::new(program).args(arguments).exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    Failure::new(format!("`{}` cannot be started", clean(&program.to_string_lossy())))
        .because(error)
        .exit(Exit::Child(code))
}

/// What whoever started us may hold, and the program must not.
const HIDDEN: [&str; 1] = ["PROVOST_TOKEN"];
