//! `provost run`: an agent's own process under a lease. It runs while the plane says that its task may go on, and for no longer
//! than the lease without hearing so: then its whole process group is told to end, and after a moment is made to.
//!
//! ```text
//! task started ─▶ lease holds ─▶ COMMAND runs, with the task's token in its environment
//!                    │  ▲              │
//!      asked again   └──┘              ├ it ends by itself                         its own exit code
//!      within the lease                ├ contained, suspended, the task ended ───▶ SIGTERM, SIGKILL: 77
//!                                      ├ no word within the lease ───────────────▶ SIGTERM, SIGKILL: 75
//!                                      └ we are told to end (SIGTERM, SIGINT, SIGHUP) ─▶ the same for it: 128 + n
//! ```
//!
//! What the child is handed: `PROVOST_TASK_TOKEN` and, since a token is good for minutes, `PROVOST_TASK_TOKEN_FILE`, where the
//! present one always stands (mode 0600); `PROVOST_TASK`, `PROVOST_URL`, `PROVOST_MCP_URL`. Never the token of whoever started it.
//!
//! | file | what it does |
//! |---|---|
//! | `plane` | the task, its token, the lease |
//! | `child` | the process group: started, told to end, made to end |

mod child;
mod plane;

use crate::{Client, Exit, Failure, Global, made_of::MadeOf, out::clean};
use child::{Child, Ended};
use clap::Args;
use plane::{Plane, Stop};
use provost_api::{Span, task::TaskStart};
use provost_domain::Name;
use std::{ffi::OsString, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// `provost run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The agent that the program is
    #[arg(long, required_unless_present = "guarded")]
    pub agent: Option<Name>,
    /// What this run is for; a person later judges it by this
    #[arg(long)]
    pub purpose: Option<String>,
    /// How long it may last, such as 8h; the charter's longest, if not given
    #[arg(long, value_name = "SPAN")]
    pub duration: Option<Span>,
    /// What it is made of
    #[command(flatten)]
    pub made_of: MadeOf,
    /// How long the program has to end by itself once it is told to
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub grace: Span,
    /// Only for ourselves: become the program, and die with whoever supervises it
    #[arg(long, hide = true, value_name = "PID")]
    pub guarded: Option<u32>,
    /// The program and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Runs the program until it ends or may not go on.
///
/// # Errors
/// When the plane does not start a task, or the program cannot be started. Nothing runs then.
pub fn start(args: &RunArgs, global: &Global) -> Result<Exit, Failure> {
    if let Some(supervisor) = args.guarded {
        return Err(child::become_program(&args.command, supervisor));
    }
    let failed = |error: std::io::Error| Failure::new("the program cannot start its runtime").because(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(supervise(args, global))
}

async fn supervise(args: &RunArgs, global: &Global) -> Result<Exit, Failure> {
    let Some(agent) = args.agent.clone() else {
        return Err(Failure::usage("say which agent the program is").cure("name it with --agent"));
    };
    let starter = Client::find(global.url(), &global.data())?;
    let program = args.command.first().map(|program| clean(&program.to_string_lossy())).unwrap_or_default();
    let purpose = args.purpose.clone().unwrap_or_else(|| format!("{program}, run under a lease"));
    let mut told = Told::listen().map_err(|error| {
        Failure::new("signals cannot be listened for").because(error).means("nothing runs")
    })?;
    let bill = args.made_of.bill(&starter, &agent, ("program", &args.command)).await?;
    let task = TaskStart {
        agent,
        purpose,
        requester: None,
        inputs: Default::default(),
        duration: args.duration,
        scope: None,
        system: None,
        bill,
    };
    let plane = Plane::begin(starter, global.url(), &task).await?;
    let ended = run(&plane, &mut told, args).await;
    plane.end().await;
    let ended = ended?;
    if let Ended::Stopped(stop) = &ended {
        say(&format!("{program} was ended: {}", clean(stop.why())));
    }
    Ok(ended.exit())
}

async fn run(plane: &Plane, told: &mut Told, args: &RunArgs) -> Result<Ended, Failure> {
    let grace = args.grace.0.to_std();
    let mut child = Child::start(&args.command, plane)?;
    let ended = tokio::select! {
        biased;
        ended = child.ended() => return Ok(ended),
        stop = plane.lost() => Ended::Stopped(stop),
        number = told.number() => Ended::Stopped(Stop::Signal(number)),
    };
    child.end(grace).await;
    Ok(ended)
}

impl Ended {
    /// How we end: as the program did, or with a code that says why it was ended.
    fn exit(&self) -> Exit {
        match self {
            Self::Itself(code) => Exit::Child(*code),
            Self::Stopped(Stop::Contained(_)) => Exit::Stopped,
            Self::Stopped(Stop::CutOff(_)) => Exit::CutOff,
            Self::Stopped(Stop::Signal(number)) => Exit::Child(SIGNALLED.saturating_add(*number)),
        }
    }
}

/// Signals to us. Listened for before anything is started: one that came earlier would end us without a word, and what the
/// program had started would go on.
struct Told {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Told {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one; gives its number.
    async fn number(&mut self) -> u8 {
        tokio::select! {
            _heard = self.terminate.recv() => 15,
            _heard = self.interrupt.recv() => 2,
            _heard = self.hangup.recv() => 1,
        }
    }
}

/// A word to whoever reads our log.
fn say(text: &str) {
    eprintln!("provost run: {text}");
}

/// How shells tell that a signal ended a program.
const SIGNALLED: u8 = 128;
/// How often we ask within a lease, and how long a question may take.
const ASKS_PER_LEASE: u32 = 4;
const END_MAX: Duration = Duration::from_secs(3);
