//! The server's process: started as the client would have started it, written to under the lease, read in bounds, ended
//! for certain.

use super::{plane::Shared, say};
use crate::out::clean;
use provost_mcp::{
    RequestId,
    lines::{LineSplitter, write_line},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::HashMap,
    ffi::OsString,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

/// A running server.
pub(super) struct Child {
    lines: mpsc::Sender<Writing>,
    /// Requests that were written and have no answer yet.
    waiting: Mutex<HashMap<RequestId, oneshot::Sender<String>>>,
    /// Told to end; its input is closed.
    closing: CancellationToken,
    /// Told to end at once.
    stopping: CancellationToken,
    gone: CancellationToken,
    ended: OnceLock<Ended>,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub how: String,
    /// By itself, with status 0.
    pub well: bool,
}

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It was not written.
    Unsent(String),
    /// It was written, at least in part.
    Lost(String),
}

struct Writing {
    line: Vec<u8>,
    /// Whether it goes out without a lease too: what takes work away from the server.
    always: bool,
    written: oneshot::Sender<Written>,
}

enum Written {
    Whole,
    Partly,
    Nothing,
}

impl Child {
    /// Starts the program in a process group of its own. What it says line by line goes into `said`, which closes when
    /// it says no more.
    pub(super) fn start(
        command: &[OsString],
        hidden: &[String],
        plane: Shared,
        said: mpsc::Sender<Vec<u8>>,
    ) -> Result<Arc<Self>, String> {
        let (program, arguments) = command.split_first().ok_or("the command of the server is empty")?;
        let mut starting = Command::new(program);
        starting.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        for variable in hidden {
            starting.env_remove(variable);
        }
        // A group of its own: what it starts ends with it, and a signal to us does not reach it first.
        let spawned = starting.process_group(0).kill_on_drop(true).spawn();
        let mut process = spawned.map_err(|error| {
            format!("the server `{}` cannot be started: {error}", clean(&program.to_string_lossy()))
        })?;
        let (lines, to_write) = mpsc::channel(LINES_WAITING_MAX);
        let child = Arc::new(Self {
            lines,
            waiting: Mutex::default(),
            closing: CancellationToken::new(),
            stopping: CancellationToken::new(),
            gone: CancellationToken::new(),
            ended: OnceLock::new(),
        });
        if let Some(stdin) = process.stdin.take() {
            tokio::spawn(Arc::clone(&child).write(stdin, to_write, plane));
        }
        if let Some(stdout) = process.stdout.take() {
            tokio::spawn(Arc::clone(&child).read(stdout, said));
        }
        tokio::spawn(Arc::clone(&child).supervise(process));
        Ok(child)
    }

    /// Writes a request and waits for its answer. Giving up on it leaves nothing behind.
    pub(super) async fn ask(&self, id: &RequestId, message: &str) -> Result<String, NoAnswer> {
        let (tx, answer) = oneshot::channel();
        self.waiting().insert(id.clone(), tx);
        let _waits = Waits { child: self, id };
        self.send(message, false).await?;
        answer.await.map_err(|_gone| NoAnswer::Lost(self.epitaph()))
    }

    /// Writes a message that has no answer.
    pub(super) async fn tell(&self, message: &str) -> Result<(), NoAnswer> {
        self.send(message, false).await
    }

    /// Writes a message that takes work away, lease or not; dropped if the server reads nothing.
    pub(super) fn call_off(&self, message: &str) {
        let (written, _) = oneshot::channel();
        let _full = self.lines.try_send(Writing { line: write_line(message), always: true, written });
    }

    /// Hands an answer to whoever waits for it. `false`: nobody does.
    pub(super) fn answered(&self, id: &RequestId, message: String) -> bool {
        let waiting = self.waiting().remove(id);
        waiting.is_some_and(|waiting| waiting.send(message).is_ok())
    }

    /// The answer to this request will not come in a form that can be read.
    pub(super) fn give_up(&self, id: &RequestId) {
        self.waiting().remove(id);
    }

    /// Nothing will be answered any more.
    pub(super) fn give_up_all(&self) {
        self.waiting().clear();
    }

    /// Closes its input and ends it, gently first.
    pub(super) async fn end(&self) {
        self.closing.cancel();
        self.gone.cancelled().await;
    }

    /// Ends it at once.
    pub(super) fn stop(&self) {
        self.stopping.cancel();
        self.closing.cancel();
    }

    /// Whether it is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Returns when it is gone.
    pub(super) async fn gone(&self) -> Ended {
        self.gone.cancelled().await;
        self.ended.get().cloned().unwrap_or(Ended { how: "it ended".to_owned(), well: false })
    }

    async fn send(&self, message: &str, always: bool) -> Result<(), NoAnswer> {
        let (written, outcome) = oneshot::channel();
        let unsent = || NoAnswer::Unsent(self.epitaph());
        let writing = Writing { line: write_line(message), always, written };
        self.lines.send(writing).await.map_err(|_gone| unsent())?;
        match outcome.await {
            Ok(Written::Whole) => Ok(()),
            Ok(Written::Partly) => {
                Err(NoAnswer::Lost("the server stopped reading in the middle of it".to_owned()))
            }
            Ok(Written::Nothing) => Err(NoAnswer::Unsent("the plane was not heard of any more".to_owned())),
            Err(_) => Err(unsent()),
        }
    }

    fn epitaph(&self) -> String {
        match self.ended.get() {
            Some(ended) => format!("the server ended ({})", ended.how),
            None => "the server closed its output, or said something that cannot be read".to_owned(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<String>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines until it is told to end. A line that is not out when the lease ends is broken off, and with it the
    /// server, which could not be spoken to any further.
    async fn write(
        self: Arc<Self>,
        mut stdin: ChildStdin,
        mut lines: mpsc::Receiver<Writing>,
        plane: Shared,
    ) {
        loop {
            let next = tokio::select! {
                biased;
                () = self.closing.cancelled() => None,
                next = lines.recv() => next,
            };
            let Some(Writing { line, always, written }) = next else { return };
            if !always && !plane.lease.holds() {
                let _nobody_waits = written.send(Written::Nothing);
                continue;
            }
            let outcome = tokio::select! {
                biased;
                () = self.closing.cancelled() => Written::Partly,
                result = stdin.write_all(&line) => if result.is_ok() { Written::Whole } else { Written::Partly },
                () = plane.lease.lost(), if !always => Written::Partly,
            };
            let whole = matches!(outcome, Written::Whole);
            let _nobody_waits = written.send(outcome);
            if !whole {
                return self.closing.cancel();
            }
        }
    }

    async fn read(self: Arc<Self>, mut stdout: ChildStdout, said: mpsc::Sender<Vec<u8>>) {
        let mut lines = LineSplitter::new(SERVER_LINE_BYTES_MAX);
        let mut chunk = vec![0; CHUNK_BYTES];
        let gone = self.gone.clone();
        let long_gone = async {
            gone.cancelled().await;
            // What it wrote last may still be in the pipe; what its own children hold open is not waited for.
            tokio::time::sleep(LAST_WORDS_MAX).await;
        };
        tokio::pin!(long_gone);
        loop {
            let count = tokio::select! {
                biased;
                read = stdout.read(&mut chunk) => read.unwrap_or(0),
                () = &mut long_gone => 0,
            };
            if count == 0 {
                return self.closing.cancel();
            }
            lines.push(chunk.get(..count).unwrap_or_default());
            loop {
                match lines.next_line() {
                    Ok(Some(line)) => {
                        if said.send(line).await.is_err() {
                            return self.stop(); // nobody listens any more
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        say(&format!("the server said too much in one message and is ended: {error}"));
                        return self.stop();
                    }
                }
            }
        }
    }

    async fn supervise(self: Arc<Self>, mut process: tokio::process::Child) {
        let group = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let by_itself = tokio::select! {
            exit = process.wait() => Some(exit),
            () = self.closing.cancelled() => None,
        };
        let exit = match by_itself {
            Some(exit) => exit,
            None => {
                let patience = if self.stopping.is_cancelled() { Duration::ZERO } else { GRACE_MAX };
                let leaves = async {
                    tokio::select! {
                        exit = process.wait() => Some(exit),
                        () = tokio::time::sleep(patience) => None,
                        () = self.stopping.cancelled() => None,
                    }
                };
                match leaves.await {
                    Some(exit) => exit,
                    None => put_down(&mut process, group).await,
                }
            }
        };
        // What it started may have outlived it.
        signal(group, Signal::KILL);
        let (how, well) = match exit {
            Ok(status) => (status.to_string(), status.success()),
            Err(error) => (error.to_string(), false),
        };
        let _once = self.ended.set(Ended { how, well });
        self.closing.cancel();
        self.gone.cancel();
    }
}

async fn put_down(
    process: &mut tokio::process::Child,
    group: Option<Pid>,
) -> std::io::Result<std::process::ExitStatus> {
    signal(group, Signal::TERM);
    match tokio::time::timeout(GRACE_MAX, process.wait()).await {
        Ok(exit) => exit,
        Err(_elapsed) => {
            signal(group, Signal::KILL);
            process.wait().await
        }
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // A group that is gone needs no signal.
        let _gone = kill_process_group(group, signal);
    }
}

/// Takes a request out of the books, however it ends.
struct Waits<'a> {
    child: &'a Child,
    id: &'a RequestId,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.child.give_up(self.id);
    }
}

const LINES_WAITING_MAX: usize = 64;
const SERVER_LINE_BYTES_MAX: usize = 16 << 20;
const CHUNK_BYTES: usize = 65_536;
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);
const GRACE_MAX: Duration = Duration::from_secs(2);
