//! Recorded runs of language-model agents, replayed through the real decision path: the policies with guardrails and
//! charters, and the provenance of arguments. What it measures, and what that is worth, is in `docs/evaluation.md`.
//!
//! | file | what it does |
//! |---|---|
//! | `records` | the recorded runs as they are kept |
//! | `answer` | what a tool answered, as a gateway would see it |
//! | `world` | the organisation the runs happen in, from its checked-in files |
//! | `replay` | one run, call by call: traced, decided, remembered |
//! | `history` | what earlier runs of the same kind of task did |
//! | `score` | stopped, un-gated, approvals; areas and recalls |
//! | `report` | the tables |
//!
//! The records hold live injection text. It is data here: nothing in it is ever acted on.

mod answer;
mod history;
mod records;
mod replay;
mod report;
mod score;
mod world;

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Replays recorded runs of agents through the decision path.
#[derive(Debug, Parser)]
#[command(name = "provost-eval", version)]
struct Cli {
    /// The folder with runs, tasks, results and critical calls (`.jsonl` or `.jsonl.xz`)
    records: PathBuf,
    /// The organisation the runs happen in
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/organisation"))]
    organisation: PathBuf,
    /// Only runs of these models
    #[arg(long = "model")]
    models: Vec<String>,
    /// Judge without one mechanism, as if whoever labelled the tools had not known of it
    #[arg(long)]
    without: Option<world::Without>,
    /// Say which calls were held, and which attacks went through
    #[arg(long)]
    explain: bool,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<String> {
    let world = world::World::read(&cli.organisation, cli.without)?;
    let records = records::Records::read(&cli.records, &cli.models)?;
    let figures = report::measure(&world, &records, cli.explain);
    if cli.json { Ok(serde_json::to_string_pretty(&figures)? + "\n") } else { Ok(report::tables(&figures)) }
}
