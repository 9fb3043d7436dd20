//! `provost wrap`: a local MCP server stays where it is, and every governed request of its client is decided by the plane
//! before the server sees it. In the client's configuration one line changes: the command.
//!
//! | file | what it does |
//! |---|---|
//! | `plane` | the task and its token, the questions to the plane, the lease |
//! | `child` | the server's process: started, written to, read, ended |
//! | `relay` | one message after the other, either way; the life of a request; `upward`: what the server says |
//!
//! **Invariants.** Nothing reaches the server unless the plane was heard of within its lease, and no governed request
//! without a recorded decision; no result reaches the client before its outcome is on record. Whatever goes wrong on the
//! way is a refusal in words. The server never sees a token of the plane.

mod child;
mod plane;
mod relay;

pub use crate::made_of::MadeOf;
use crate::{Client, Exit, Failure, Global, out::clean};
use clap::Args;
use plane::Plane;
use provost_api::Span;
use provost_domain::Name;
use provost_mcp::{
    RpcError,
    lines::{LineSplitter, write_line},
};
use relay::Relay;
use std::{ffi::OsString, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// `provost wrap`.
#[derive(Debug, Clone, Args)]
pub struct WrapArgs {
    /// The agent that acts through this client
    #[arg(long)]
    pub agent: Name,
    /// The local system that COMMAND is [default: the only local one in the agent's charter]
    #[arg(long)]
    pub system: Option<Name>,
    /// What this run is for; a person later judges it by this
    #[arg(long)]
    pub purpose: Option<String>,
    /// How long it may last, such as 8h; the charter's longest, if not given
    #[arg(long, value_name = "SPAN")]
    pub duration: Option<Span>,
    /// What the agent is made of
    #[command(flatten)]
    pub made_of: MadeOf,
    /// Use the task token in this environment variable instead of starting a task; needs --system
    #[arg(long, value_name = "VARIABLE", requires = "system", conflicts_with_all = ["parts", "bill"])]
    pub task_token: Option<String>,
    /// The MCP server and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What a wrapper is made from.
#[derive(Clone)]
pub struct Settings {
    /// Where the plane is.
    pub url: String,
    /// Starts the task, renews its token, ends it; `None` when a token is handed in.
    pub starter: Option<Client>,
    /// A task's token that was handed in.
    pub token: Option<String>,
    /// Who acts.
    pub agent: Name,
    /// On which local system; the only one of the agent's charter, if absent.
    pub system: Option<Name>,
    /// What for.
    pub purpose: String,
    /// How long at most.
    pub duration: Option<Span>,
    /// What the agent is made of; the server's program is its part `server`.
    pub made_of: MadeOf,
    /// The server: program and arguments.
    pub command: Vec<OsString>,
    /// Environment variables the server must not see. Everything else it gets as the client gave it.
    pub hidden: Vec<String>,
}

/// Wraps standard input and output until the client closes them, or a signal comes.
///
/// # Errors
/// When the command line makes no sense. What goes wrong later is told over MCP, and by the exit code.
pub fn start(args: &WrapArgs, global: &Global) -> Result<Exit, Failure> {
    let settings = Settings::read(args, global)?;
    let failed = |error: std::io::Error| Failure::new("the program cannot start its runtime").because(error);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    let exit = runtime.block_on(async {
        let end = CancellationToken::new();
        tokio::spawn(await_signal(end.clone()));
        run(settings, tokio::io::stdin(), tokio::io::stdout(), end).await
    });
    // A thread may still wait in a read of standard input, which nothing interrupts.
    runtime.shutdown_background();
    Ok(exit)
}

/// Wraps one client: `input` and `output` are its MCP stdio streams. Returns when the client has closed `input`, the
/// server has ended, or `end` is cancelled; the server and the task are ended by then.
pub async fn run<R, W>(settings: Settings, input: R, output: W, end: CancellationToken) -> Exit
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (to_client, messages) = mpsc::channel(MESSAGES_WAITING_MAX);
    let writer = tokio::spawn(write_messages(output, messages, end.clone()));
    let command = settings.command.clone();
    let hidden = settings.hidden.clone();
    let relay = Relay::new(Arc::new(Plane::new(settings)), command, hidden, to_client);
    let watching = tokio::spawn(Arc::clone(&relay).watch());
    tokio::select! {
        () = read_messages(&relay, input) => relay.drain(DRAIN_MAX).await,
        () = relay.server_gone() => relay.drain(DRAIN_MAX).await,
        () = end.cancelled() => {}
    }
    let exit = relay.finish().await;
    watching.abort();
    drop(relay);
    // Only what a client does not read keeps this from ending.
    let _written = tokio::time::timeout(DRAIN_MAX, writer).await;
    exit
}

impl Settings {
    fn read(args: &WrapArgs, global: &Global) -> Result<Self, Failure> {
        let token = match &args.task_token {
            None => None,
            Some(variable) => Some(std::env::var(variable).ok().filter(|token| !token.trim().is_empty()).ok_or_else(
                || {
                    Failure::usage(format!("the environment variable {variable} holds no token"))
                        .cure("put a token from `provost task start … --system NAME --token` there, or leave --task-token out")
                },
            )?),
        };
        let starter = match token {
            Some(_) => None,
            None => Some(Client::find(global.url(), &global.data())?),
        };
        let program =
            args.command.first().map(|program| clean(&program.to_string_lossy())).unwrap_or_default();
        let hidden = args.task_token.iter().cloned().chain([TOKEN_VARIABLE.to_owned()]).collect();
        Ok(Self {
            url: global.url().to_owned(),
            starter,
            token: token.map(|token| token.trim().to_owned()),
            agent: args.agent.clone(),
            system: args.system.clone(),
            purpose: args
                .purpose
                .clone()
                .unwrap_or_else(|| format!("{program}, used through a local MCP client")),
            duration: args.duration,
            made_of: args.made_of.clone(),
            command: args.command.clone(),
            hidden,
        })
    }
}

/// Reads the client's messages until it has no more, or breaks the frame.
async fn read_messages<R: AsyncRead + Unpin>(relay: &Arc<Relay>, mut input: R) {
    let mut lines = LineSplitter::new(CLIENT_LINE_BYTES_MAX);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = input.read(&mut chunk).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        lines.push(chunk.get(..count).unwrap_or_default());
        loop {
            match lines.next_line() {
                Ok(Some(line)) => relay.from_client(line).await,
                Ok(None) => break,
                Err(error) => {
                    say(&format!("the client sent too much in one message: {error}"));
                    return relay.tell_client(RpcError::parse(error.to_string()).write(None)).await;
                }
            }
        }
    }
}

/// Writes messages as they come, none held back.
async fn write_messages<W: AsyncWrite + Unpin>(
    mut output: W,
    mut messages: mpsc::Receiver<String>,
    end: CancellationToken,
) {
    while let Some(message) = messages.recv().await {
        let written = async {
            output.write_all(&write_line(&message)).await?;
            output.flush().await
        };
        if written.await.is_err() {
            // A client that no longer reads is gone.
            end.cancel();
            return;
        }
    }
}

async fn await_signal(end: CancellationToken) {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let Ok([mut terminate, mut interrupt, mut hangup]) =
        kinds.map(signal).into_iter().collect::<Result<Vec<_>, _>>().and_then(|signals| {
            <[_; 3]>::try_from(signals).map_err(|_| std::io::Error::other("three signals were asked for"))
        })
    else {
        return say("signals cannot be heard; this ends when the client closes its end");
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    end.cancel();
}

/// A word to whoever reads the client's log.
fn say(text: &str) {
    eprintln!("provost wrap: {}", clean(text));
}

/// The environment variable that may hold an administrator's token.
const TOKEN_VARIABLE: &str = "PROVOST_TOKEN";
const CLIENT_LINE_BYTES_MAX: usize = 4 << 20;
const CHUNK_BYTES: usize = 65_536;
const MESSAGES_WAITING_MAX: usize = 64;
/// How long requests that are under way may go on after the client has closed its end.
const DRAIN_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use crate::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn the_server_is_what_stands_behind_the_two_dashes() {
        let table: [(&[&str], Option<usize>); 5] = [
            (&["--agent", "clerk", "--", "npx", "-y", "server", "--agent", "x"], Some(5)),
            (&["--agent", "clerk", "--system", "files", "--task-token", "TASK", "--", "server"], Some(1)),
            (&["--agent", "clerk", "server"], None),
            (&["--agent", "clerk", "--task-token", "TASK", "--", "server"], None),
            (&["--agent", "clerk"], None),
        ];
        for (typed, words) in table {
            let read = Cli::try_parse_from(["provost", "wrap"].iter().chain(typed));
            let read = read.ok().map(|cli| match cli.command {
                Command::Wrap(args) => args.command.len(),
                _ => 0,
            });
            assert_eq!(read, words, "{typed:?}");
        }
    }
}
