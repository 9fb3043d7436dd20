//! What the command line cannot do by itself: running a plane. The program that contains one hands it in.

use crate::{Exit, Failure, Global};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// A program that contains a plane.
pub trait Node {
    /// Runs a plane until it is told to stop.
    ///
    /// # Errors
    /// Why it does not start, or broke down.
    fn serve(&self, args: &ServeArgs, global: &Global) -> Result<Exit, Failure>;

    /// Tells the story of the demo, and keeps the plane running unless told otherwise.
    ///
    /// # Errors
    /// Why the story could not be told.
    fn demo(&self, args: &DemoArgs, global: &Global) -> Result<Exit, Failure>;

    /// Shows the configuration in force.
    ///
    /// # Errors
    /// Every fault in it.
    fn config_show(&self, args: &ConfigArgs, global: &Global) -> Result<Exit, Failure>;

    /// Puts a backup in the database's place.
    ///
    /// # Errors
    /// Why it was not done.
    fn restore(&self, args: &RestoreArgs, global: &Global) -> Result<Exit, Failure>;

    /// Accepts a database that contradicts the checkpoint file.
    ///
    /// # Errors
    /// Why it was not done.
    fn adopt(&self, args: &AdoptArgs, global: &Global) -> Result<Exit, Failure>;
}

/// What a plane is started with; each flag goes before the environment, and that before the file.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// The configuration file [default: provost.toml, if there is one]
    #[arg(long, env = "PROVOST_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:7070]
    #[arg(long, env = "PROVOST_LISTEN", hide_env_values = true, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// The address clients use, when it is another one [default: http://LISTEN]
    #[arg(long, env = "PROVOST_PUBLIC_URL", hide_env_values = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// The database: a SQLite file, or postgres://… [default: provost.db in the data folder]
    #[arg(long, env = "PROVOST_STORE", hide_env_values = true, value_name = "PATH|URL")]
    pub store: Option<String>,
}

/// `provost serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// What it is started with.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Accept a database of this many leaves although the checkpoint file contradicts it; leaves a record for ever
    #[arg(long, value_name = "LEAVES")]
    pub adopt_ledger: Option<u64>,
}

/// `provost demo`.
#[derive(Debug, Clone, Default, Args)]
pub struct DemoArgs {
    /// Exit after the story; 0 only if everything came as promised
    #[arg(long)]
    pub once: bool,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub port: u16,
    /// Wait so long before each call, to read along
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub pace: u64,
}

/// `provost config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Show the configuration in force, secrets as ***
    Show(ConfigArgs),
}

/// `provost restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup, as `provost backup` wrote it
    #[arg(value_name = "FILE")]
    pub backup: PathBuf,
    /// What the plane is started with, to find its database.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `provost ledger adopt`.
#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// Leaves of the tree in the database, as the refusal to start names them
    #[arg(value_name = "LEAVES")]
    pub size: u64,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// What the plane is started with.
    #[command(flatten)]
    pub config: ConfigArgs,
}
