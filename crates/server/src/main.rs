//! The `provost` binary: a plane, the command line around it, and the demo.
//!
//! | file | what it does |
//! |---|---|
//! | `config` | read whole, then meant |
//! | `data` | the data folder, its lock, the keys in it |
//! | `assemble` | store → replica → plane → gateway → web, on one listener |
//! | `serve`, `drain` | start, signals, drain |
//! | `askers` | who asks the decision point |
//! | `care` | what is done to a plane that does not run: restore, adopt |
//! | `demo` | the story |

mod askers;
mod assemble;
mod care;
mod config;
mod data;
mod demo;
mod drain;
mod log;
mod planter;
mod serve;

use provost_cli::{
    Exit, Failure, Global, Node, Out,
    node::{AdoptArgs, ConfigArgs, DemoArgs, RestoreArgs, ServeArgs},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    provost_cli::run(&ThisProgram)
}

/// Many short-lived values of a few sizes on a few threads, for as long as the plane runs: measured to take a tenth less
/// CPU time a call than the system's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The plane that is in this program.
struct ThisProgram;

impl Node for ThisProgram {
    fn serve(&self, args: &ServeArgs, global: &Global) -> Result<Exit, Failure> {
        let config = config::read(&args.config, global)?;
        runtime()?.block_on(serve::serve(config, args.adopt_ledger))
    }

    fn demo(&self, args: &DemoArgs, global: &Global) -> Result<Exit, Failure> {
        runtime()?.block_on(demo::run(args, global))
    }

    fn config_show(&self, args: &ConfigArgs, global: &Global) -> Result<Exit, Failure> {
        let config = config::read(args, global)?;
        Out::new(global.json).show(&config::show(&config), |value, _| config::lines(value));
        Ok(Exit::Ok)
    }

    fn restore(&self, args: &RestoreArgs, global: &Global) -> Result<Exit, Failure> {
        let config = config::read(&args.config, global)?;
        care::restore(&config, &args.backup, Out::new(global.json))
    }

    fn adopt(&self, args: &AdoptArgs, global: &Global) -> Result<Exit, Failure> {
        let config = config::read(&args.config, global)?;
        runtime()?.block_on(care::adopt(config, args.size, &args.reason, Out::new(global.json)))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("the program cannot start its runtime").because(error))
}
