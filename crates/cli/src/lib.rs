//! The command line: what a person types, asked of a plane over its HTTP API, and shown.
//!
//! `args.rs` lists the commands; each noun has a file with what can be typed about it, how it is asked, and how the
//! answer reads. Everything is asked of the API, except what needs no plane at all: `ledger verify` works from files.
//! Running a plane is handed in by the program that contains one ([`Node`]).
//!
//! **Invariant.** No command takes a secret as an argument, where every user of the machine could see it.

pub mod access_review;
pub mod activity;
pub mod agent;
pub mod approval;
mod approval_quality;
mod approval_together;
pub mod args;
pub mod baseline;
mod bill;
pub mod care;
pub mod channel;
pub mod client;
pub mod connector;
pub mod credential;
pub mod decision;
pub mod drill;
mod exit;
pub mod failure;
pub mod finding;
pub mod folder;
pub mod identity;
pub mod issuer;
pub mod key;
pub mod kill;
pub mod ledger;
mod made_of;
pub mod node;
mod openapi;
pub mod out;
pub mod passkey;
pub mod plan;
pub mod policy;
pub mod promotion;
pub mod proof;
pub mod proposal;
pub mod rule;
pub mod run;
pub mod search;
pub mod shell;
pub mod system;
pub mod task;
pub mod when;
pub mod wrap;

pub use args::{Cli, Command, Global};
pub use client::Client;
pub use exit::Exit;
pub use failure::Failure;
pub use node::Node;
pub use out::{Out, Style};

use clap::Parser as _;
use std::process::ExitCode;

/// Reads the command line, does what it says, and says how it went.
pub fn run(node: &dyn Node) -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    match dispatch(cli, node) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            report(&failure, json);
            failure.exit.into()
        }
    }
}

fn dispatch(cli: Cli, node: &dyn Node) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(args) => node.serve(&args, &global),
        Command::Demo(args) => node.demo(&args, &global),
        Command::Config(node::ConfigCommand::Show(args)) => node.config_show(&args, &global),
        Command::Restore(args) => node.restore(&args, &global),
        Command::Ledger(ledger::LedgerCommand::Adopt(args)) => node.adopt(&args, &global),
        Command::Ledger(ledger::LedgerCommand::Verify(args)) => ledger::verify(&args, Out::new(global.json)),
        Command::Completions(args) => shell::completions(&args),
        Command::Wrap(args) => wrap::start(&args, &global),
        Command::Run(args) => run::start(&args, &global),
        command => ask(command, &global),
    }
}

/// Commands that ask a plane.
fn ask(command: Command, global: &Global) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("the program cannot start its runtime").because(error))?;
    let client = Client::find(global.url(), &global.data())?;
    let out = Out::new(global.json);
    runtime.block_on(async {
        match command {
            Command::Plan(args) => plan::plan(&args, &client, out).await,
            Command::Apply(args) => plan::apply(&args, &client, out).await,
            Command::Agent(command) => agent::run(command, &client, out).await,
            Command::Task(command) => task::run(command, &client, out).await,
            Command::Approval(command) => approval::run(command, &client, out).await,
            Command::Finding(command) => finding::run(command, &client, out).await,
            Command::Baseline(command) => baseline::run(command, &client, out).await,
            Command::Proposal(command) => proposal::run(command, &client, out).await,
            Command::Kill(args) => kill::run(*args, &client, out).await,
            Command::Drill(command) => drill::run(command, &client, out).await,
            Command::Review(command) => access_review::run(command, &client, out).await,
            Command::Rule(command) => rule::run(command, &client, out).await,
            Command::System(command) => system::run(command, &client, out).await,
            Command::Tool(command) => system::run_tool(command, &client, out).await,
            Command::Person(command) => identity::run_person(command, &client, out).await,
            Command::Session(command) => passkey::run_session(command, &client, out).await,
            Command::Issuer(command) => issuer::run(command, &client, out).await,
            Command::Workload(command) => identity::run_workload(command, &client, out).await,
            Command::Connector(command) => connector::run(command, &client, out).await,
            Command::Credential(command) => credential::run(command, &client, out).await,
            Command::Channel(command) => channel::run(command, &client, out).await,
            Command::Delivery(command) => channel::run_delivery(command, &client, out).await,
            Command::Keys(command) => key::run_keys(command, &client, out).await,
            Command::Activity(args) => activity::run(args, &client, out).await,
            Command::Decision(command) => decision::run(command, &client, out).await,
            Command::Why(args) => decision::why(&args, &client, out).await,
            Command::Policy(command) => policy::run(command, &client, out).await,
            Command::Ledger(command) => ledger::run(command, &client, out).await,
            Command::Fsck => care::fsck(&client, out).await,
            Command::Backup(args) => care::backup(&args, &client, out).await,
            Command::Search(args) => search::run(&args, &client, out).await,
            Command::Status => care::status(&client, out).await,
            Command::Openapi => shell::openapi(&client, out).await,
            Command::Serve(_)
            | Command::Demo(_)
            | Command::Config(_)
            | Command::Restore(_)
            | Command::Completions(_)
            | Command::Wrap(_)
            | Command::Run(_) => Err(Failure::usage("this command is not asked of a plane")),
        }
    })
}

/// Tells a failure on standard error.
pub fn report(failure: &Failure, json: bool) {
    if json {
        // A failure is plain data; writing it as JSON cannot fail.
        let text = serde_json::to_string_pretty(failure).unwrap_or_else(|_| failure.error.clone());
        eprintln!("{text}");
    } else {
        eprint!("{}", failure.render(Style::of(&std::io::stderr())));
    }
}
