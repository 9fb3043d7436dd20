//! A child process: started clean, read in bounds, ended for certain.

use bytes::Bytes;
use provost_mcp::RequestId;
use provost_mcp::lines::{LineSplitter, write_line};
use provost_mcp::message::Message;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::router::{Destination, Inbound, Inbox, Router};
use super::{Writing, Written};
use crate::call::{Call, ID_SHOWN_BYTES_MAX, clipped, nobody_listens, pong};
use crate::credential::FIXED_VARIABLES;
use crate::error::{Lie, NotSent, UpstreamError};
use crate::shared::Shared;

/// One caller's child.
pub(crate) struct StdioLink {
    pub(crate) shared: Arc<Shared>,
    router: Mutex<Router>,
    writer: mpsc::Sender<Writing>,
    /// How it ended, once it has.
    exit: OnceLock<String>,
    /// Cancelled when the process is gone and reaped.
    gone: CancellationToken,
    /// Set once it is known to be modern: then it may ask nothing.
    modern: AtomicBool,
}

impl StdioLink {
    /// Starts the program with a clean environment: PATH, HOME, what the system declares, and its credential.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        command: &[String],
        env: &BTreeMap<String, String>,
    ) -> Result<Arc<Self>, UpstreamError> {
        let mut child = spawn(shared, command, env)?;
        let (writer, lines) = mpsc::channel(WRITES_MAX);
        let link = Arc::new(Self {
            shared: Arc::clone(shared),
            router: Mutex::default(),
            writer,
            exit: OnceLock::new(),
            gone: CancellationToken::new(),
            modern: AtomicBool::new(false),
        });
        if let Some(stdin) = child.stdin.take() {
            tokio::spawn(write_lines(Arc::clone(&link), stdin, lines));
        }
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read_messages(Arc::clone(&link), stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read_log(Arc::clone(shared), stderr));
        }
        tokio::spawn(supervise(Arc::clone(&link), child));
        Ok(link)
    }

    /// Enters a call in the books, so that its answer finds it.
    pub(super) fn register(&self, call: &Call) -> Result<Inbox, UpstreamError> {
        if self.shared.closed.is_cancelled() {
            return Err(self.shared.not_sent(NotSent::ChildEnded));
        }
        let entered = self.router().enter(call);
        entered.ok_or_else(|| {
            self.shared.misuse(format!("a request with the id {} is in flight already", call.id))
        })
    }

    pub(super) fn unregister(&self, call: &Call, given_up: bool) {
        self.router().leave(&call.id, given_up);
    }

    /// Writes one message as a line; returns when the pipe has taken it whole.
    pub(crate) async fn write(&self, message: &[u8]) -> Result<(), UpstreamError> {
        let text = std::str::from_utf8(message).map_err(|error| self.shared.misuse(error.to_string()))?;
        let (done, written) = oneshot::channel();
        let gone = |_| self.shared.not_sent(NotSent::ChildEnded);
        self.writer.send((write_line(text), done)).await.map_err(gone)?;
        match written.await {
            Ok(Written::Whole) => Ok(()),
            Ok(Written::Partly) => {
                Err(self.shared.lost("its process closed the pipe in the middle of the request"))
            }
            Ok(Written::Nothing) | Err(_) => Err(self.shared.not_sent(NotSent::ChildEnded)),
        }
    }

    /// Writes a message that nobody waits for; dropped if the pipe is full.
    pub(super) fn send_aside(&self, message: &[u8]) {
        let (done, _) = oneshot::channel();
        if let Ok(text) = std::str::from_utf8(message) {
            // A child that is gone, or reads nothing, cannot be told.
            let _ = self.writer.try_send((write_line(text), done));
        }
    }

    pub(super) fn is_modern(&self) {
        self.modern.store(true, Ordering::Relaxed);
    }

    /// Returns when the process is gone. The connection must have been closed.
    pub(crate) async fn ended(&self) {
        self.gone.cancelled().await;
    }

    /// How it ended, for people.
    pub(super) fn epitaph(&self) -> String {
        match self.exit.get() {
            Some(how) => format!("its process ended ({how})"),
            None => "its process closed its output".to_owned(),
        }
    }

    fn router(&self) -> MutexGuard<'_, Router> {
        self.router.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all calls in flight alike, and the connection.
    fn fail_all(&self, error: impl Fn() -> UpstreamError) {
        let router = self.router();
        for id in router.in_flight() {
            router.deliver(&id, Inbound::Last(Err(error())), 0);
        }
    }

    /// Reads one line and hands it on.
    fn take_line(&self, line: Vec<u8>) {
        let message = Bytes::from(line);
        let limits = &self.shared.bounds.message;
        let read = match Message::parse(&message, limits) {
            Ok(read) => read,
            Err(error) => {
                let router = self.router();
                tracing::warn!(system = %self.shared.system, "a line of its output is no json-rpc message");
                // Text that is not even meant as JSON (a banner, a stray print) is not an answer to anything.
                if let Some(id) = router.of_unreadable(&error).filter(|_| message.starts_with(b"{")) {
                    let fault = self.shared.not_json_rpc(error.to_string());
                    router.deliver(&id, Inbound::Last(Err(fault)), usize::MAX);
                }
                return;
            }
        };
        let router = self.router();
        let destination = router.destination(&read);
        if let Message::Request(request) = &read {
            if request.method == "ping" {
                return self.send_aside(&pong(&request.id));
            }
            if self.modern.load(Ordering::Relaxed) {
                let lie = Lie::OutOfPlace("it asked something where this revision lets servers ask nothing");
                if let Destination::Along(id) = &destination {
                    router.deliver(id, Inbound::Last(Err(self.shared.lied(lie))), usize::MAX);
                }
                return;
            }
            if destination == Destination::Events && !self.shared.has_listeners() {
                return self.send_aside(&nobody_listens(&request.id));
            }
            let of = if let Destination::Along(id) = &destination { Some(id.clone()) } else { None };
            if !self.shared.asks(request.id.clone(), of) {
                tracing::warn!(system = %self.shared.system, "a request of its own was dropped: too many have no answer");
                return;
            }
        }
        let answered = read.id().map(RequestId::to_json).unwrap_or_default();
        self.hand_over(&router, destination, message, answered);
    }

    fn hand_over(&self, router: &Router, destination: Destination, message: Bytes, answered: String) {
        let backlog_bytes_max = self.shared.bounds.message_bytes_max.saturating_mul(2);
        match destination {
            Destination::Along(id) => {
                if !router.deliver(&id, Inbound::Along(message), backlog_bytes_max) {
                    router.deliver(&id, Inbound::Last(Err(self.shared.too_large())), usize::MAX);
                }
            }
            Destination::Response(id) => {
                router.deliver(&id, Inbound::Last(Ok(message)), usize::MAX);
            }
            Destination::WrongId(id) => {
                let lie = Lie::WrongId {
                    got: self.shared.excerpt(answered, ID_SHOWN_BYTES_MAX),
                    wanted: id.to_json(),
                };
                router.deliver(&id, Inbound::Last(Err(self.shared.lied(lie))), usize::MAX);
            }
            Destination::Events => self.shared.event(message),
            Destination::Nowhere => {
                tracing::debug!(system = %self.shared.system, "a message about no call in flight was dropped");
            }
        }
    }
}

fn spawn(
    shared: &Shared,
    command: &[String],
    env: &BTreeMap<String, String>,
) -> Result<Child, UpstreamError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(shared.not_sent(NotSent::Address("its command is empty; name a program".into())));
    };
    let mut starting = Command::new(program);
    starting.args(arguments).env_clear().envs(env);
    for variable in FIXED_VARIABLES {
        if let (false, Some(value)) = (env.contains_key(variable), std::env::var_os(variable)) {
            starting.env(variable, value);
        }
    }
    if let Some(credential) = &shared.credential {
        for (variable, value) in credential.variables(&shared.system)? {
            starting.env(variable, value.as_str());
        }
    }
    starting.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: what it starts ends with it, and a signal to the plane does not reach it first.
    starting.process_group(0).kill_on_drop(true);
    starting.spawn().map_err(|error| {
        shared.not_sent(NotSent::Start { program: clipped(program, 128), why: error.to_string() })
    })
}

/// Writes lines until the connection is closed or the pipe breaks. Closing the pipe is the first request to end.
async fn write_lines(link: Arc<StdioLink>, mut stdin: ChildStdin, mut lines: mpsc::Receiver<Writing>) {
    let closed = link.shared.closed.clone();
    loop {
        let next = tokio::select! {
            biased;
            () = closed.cancelled() => None,
            next = lines.recv() => next,
        };
        let Some((line, done)) = next else { return };
        let written = tokio::select! {
            written = write_whole(&mut stdin, &line) => written,
            () = closed.cancelled() => Written::Partly,
        };
        let whole = matches!(written, Written::Whole);
        // Whoever waited may have been cancelled; the line is out all the same.
        let _ = done.send(written);
        if !whole {
            // The reader, which sees why, goes first.
            let _ = tokio::time::timeout(LAST_WORDS_MAX, closed.cancelled()).await;
            return link.shared.close_because("its process closed its input");
        }
    }
}

async fn write_whole(stdin: &mut ChildStdin, line: &[u8]) -> Written {
    let mut rest = line;
    while !rest.is_empty() {
        match stdin.write(rest).await {
            Ok(count) if count > 0 => rest = rest.get(count..).unwrap_or_default(),
            _ if rest.len() == line.len() => return Written::Nothing,
            _ => return Written::Partly,
        }
    }
    Written::Whole
}

/// Reads messages until the output ends, breaks its frame, or the process has been gone for a moment.
async fn read_messages(link: Arc<StdioLink>, mut stdout: ChildStdout) {
    let mut lines = LineSplitter::new(link.shared.bounds.message.line_bytes_max);
    let mut chunk = vec![0; CHUNK_BYTES];
    let gone = link.gone.clone();
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
            break;
        }
        lines.push(chunk.get(..count).unwrap_or_default());
        loop {
            match lines.next_line() {
                Ok(Some(line)) => link.take_line(line),
                Ok(None) => break,
                Err(_) => {
                    link.fail_all(|| link.shared.too_large());
                    return link
                        .shared
                        .close_because("its process sent a line longer than upstream_message_bytes_max");
                }
            }
        }
        // A child that never stops talking must not keep others from being read.
        tokio::task::yield_now().await;
    }
    // No answer will come any more. Wait for the exit status a moment: it tells people more.
    let closing = tokio::time::timeout(LAST_WORDS_MAX, link.gone.cancelled());
    let closed_by_us = link.shared.closed.is_cancelled();
    let _ = closing.await;
    if !closed_by_us {
        link.fail_all(|| link.shared.lost(link.epitaph()));
    }
    link.shared.close_because("its process closed its output");
}

/// Passes what it says about itself to the log, in bounds, without its credential.
async fn read_log(shared: Arc<Shared>, mut stderr: impl AsyncRead + Unpin) {
    let mut line = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let count = stderr.read(&mut chunk).await.unwrap_or(0);
        for byte in chunk.get(..count).unwrap_or_default() {
            match byte {
                b'\n' => log_line(&shared, &mut line),
                _ if line.len() < log_line_bytes_max(&shared) => line.push(*byte),
                // The rest of a long line is left out.
                _ => {}
            }
        }
        if count == 0 {
            return log_line(&shared, &mut line);
        }
    }
}

fn log_line(shared: &Shared, line: &mut Vec<u8>) {
    if !line.is_empty() {
        let text = shared.masked_text(String::from_utf8_lossy(line)).escape_debug().to_string();
        tracing::info!(target: "provost::child", system = %shared.system, "{}", clipped(&text, LOG_LINE_BYTES_MAX));
        line.clear();
    }
}

/// Long enough that a secret which begins in the part that is shown is read whole, and so found and masked.
fn log_line_bytes_max(shared: &Shared) -> usize {
    LOG_LINE_BYTES_MAX + shared.credential.as_ref().map_or(0, crate::credential::Credential::bytes)
}

/// Waits for the process to end by itself or ends it, and leaves nothing of it behind.
async fn supervise(link: Arc<StdioLink>, mut child: Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let by_itself = tokio::select! {
        exit = child.wait() => Some(exit),
        () = link.shared.closed.cancelled() => None,
    };
    let exit = match by_itself {
        Some(exit) => exit,
        None => {
            signal(group, Signal::TERM);
            match tokio::time::timeout(link.shared.bounds.grace_max.to_std(), child.wait()).await {
                Ok(exit) => exit,
                Err(_) => {
                    tracing::warn!(system = %link.shared.system, "its process ignored SIGTERM and is killed");
                    signal(group, Signal::KILL);
                    child.wait().await
                }
            }
        }
    };
    // What it started may have outlived it.
    signal(group, Signal::KILL);
    let how = exit.map_or_else(|error| error.to_string(), |status| status.to_string());
    tracing::debug!(system = %link.shared.system, "its process ended ({how})");
    let _ = link.exit.set(how);
    link.gone.cancel();
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // A group that is gone needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

/// Lines that wait to be written.
const WRITES_MAX: usize = 64;
const CHUNK_BYTES: usize = 65_536;
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);
const LOG_LINE_BYTES_MAX: usize = 1_024;
