//! What can be typed: the commands, and the flags every command has.

use crate::{
    access_review, activity, agent, approval, baseline, care, channel, connector, credential, decision,
    drill, finding, identity, issuer, key, kill, ledger, node, passkey, plan, policy, proposal, rule, run,
    search, shell, system, task, wrap,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Provost governs AI agents: every agent has an owner and a charter, and every action it takes is decided, recorded,
/// and only then done.
#[derive(Debug, Parser)]
#[command(name = "provost", version, propagate_version = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Where the plane is [default: http://127.0.0.1:7070]
    #[arg(long, global = true, env = "PROVOST_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,
    /// The plane's data folder, where the local token is found [default: ./provost-data]
    #[arg(long, global = true, env = "PROVOST_DATA", hide_env_values = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a plane
    Serve(node::ServeArgs),
    /// Watch agents at a small bank being governed: a whole plane in one process, nothing to set up
    Demo(node::DemoArgs),
    /// Show in words what applying the files of a folder would change; changes nothing
    Plan(plan::PlanArgs),
    /// Make the organisation what the files of a folder say
    Apply(plan::ApplyArgs),
    /// Agents: who they are, what they may do, and stopping them
    #[command(subcommand, visible_alias = "agents")]
    Agent(agent::AgentCommand),
    /// Tasks: bounded runs of agents, and the tokens for them
    #[command(subcommand, visible_alias = "tasks")]
    Task(task::TaskCommand),
    /// What waits for a person's yes, and the answers
    #[command(subcommand, visible_alias = "approvals")]
    Approval(approval::ApprovalCommand),
    /// What people should know, and what was done about it
    #[command(subcommand, visible_alias = "findings")]
    Finding(finding::FindingCommand),
    /// What is usual for an agent, and what waits for a person about it
    #[command(subcommand, visible_alias = "baselines")]
    Baseline(baseline::BaselineCommand),
    /// Changes that wait for people's yes, and the answers
    #[command(subcommand, visible_alias = "proposals")]
    Proposal(proposal::ProposalCommand),
    /// Stop agents, tools, systems or everything at once; see what is proven; start again
    Kill(Box<kill::KillArgs>),
    /// Try the kill switch before it is needed: stop a canary, measure, prove, restore
    #[command(subcommand, visible_alias = "drills")]
    Drill(drill::DrillCommand),
    /// What agents are granted beside what they did, and what their owners say of it
    #[command(subcommand, visible_alias = "reviews")]
    Review(access_review::ReviewCommand),
    /// What contains by itself, and what it would have done
    #[command(subcommand, visible_alias = "rules")]
    Rule(rule::RuleCommand),
    /// Systems agents act on: MCP servers
    #[command(subcommand, visible_alias = "systems")]
    System(system::SystemCommand),
    /// Tools of systems: what each can do, and its pin
    #[command(subcommand, visible_alias = "tools")]
    Tool(system::ToolCommand),
    /// People, their passkeys, and links to register one
    #[command(subcommand, visible_alias = "people")]
    Person(identity::PersonCommand),
    /// Who is signed in, in which browser; and ending it
    #[command(subcommand, visible_alias = "sessions")]
    Session(passkey::SessionCommand),
    /// Workloads: programs that ask the plane for decisions
    #[command(subcommand, visible_alias = "workloads")]
    Workload(identity::WorkloadCommand),
    /// Issuers the plane trusts: whose word it takes for who somebody is
    #[command(subcommand, visible_alias = "issuers")]
    Issuer(issuer::IssuerCommand),
    /// Connectors: identity providers that say who comes, who leaves and who is in which group (SCIM)
    #[command(subcommand, visible_alias = "connectors")]
    Connector(connector::ConnectorCommand),
    /// Sealed credentials of systems; agents never see them
    #[command(subcommand, visible_alias = "credentials")]
    Credential(credential::CredentialCommand),
    /// Channels: how people are told of what waits for them
    #[command(subcommand, visible_alias = "channels")]
    Channel(channel::ChannelCommand),
    /// What the plane owes somebody outside, and what became of it
    #[command(subcommand, visible_alias = "deliveries")]
    Delivery(channel::DeliveryCommand),
    /// The keys that sign task tokens
    #[command(subcommand)]
    Keys(key::KeysCommand),
    /// What agents do, as they do it: each call with its verdict and its reason
    Activity(activity::ActivityArgs),
    /// What was decided
    #[command(subcommand, visible_alias = "decisions")]
    Decision(decision::DecisionCommand),
    /// Explain a decision: who, what, by which rules; and decide it again from its record
    Why(decision::WhyArgs),
    /// Check and test policies, show their schema
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The tamper-evident record: prove, export, verify
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Put the plane in front of a local MCP server: one line changed in an MCP client's configuration
    Wrap(wrap::WrapArgs),
    /// Run an agent's program under a lease: it is ended when it may not go on, or when no plane answers
    Run(run::RunArgs),
    /// Check a plane's state against its records
    Fsck,
    /// Write a consistent copy of the database into the plane's data folder
    Backup(care::BackupArgs),
    /// Put a backup in place of the database of a plane that is not running
    Restore(node::RestoreArgs),
    /// Find agents, tasks, decisions, systems, people and the rest by letters of their names or by their ids
    Search(search::SearchArgs),
    /// How the plane is
    Status,
    /// The configuration of a plane
    #[command(subcommand)]
    Config(node::ConfigCommand),
    /// Print the OpenAPI document of the plane's HTTP interface
    Openapi,
    /// Print a completion script for a shell
    Completions(shell::CompletionsArgs),
}

impl Global {
    /// Where the plane is.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(URL_DEFAULT)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(DATA_DEFAULT))
    }
}

/// Where a plane listens unless told otherwise.
pub const URL_DEFAULT: &str = "http://127.0.0.1:7070";
/// Where a plane keeps its files unless told otherwise.
pub const DATA_DEFAULT: &str = "provost-data";
const AFTER_HELP: &str = "Start with `provost demo`. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, \
    3 verification failed, 4 waits for people to agree, 64 configuration, 69 no plane answers; \
    `run`: 75 cut off, 77 stopped, or the program's own.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    /// Golden files: `PROVOST_UPDATE_GOLDEN=1` writes them anew.
    #[test]
    fn every_help_page_is_the_committed_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("help");
        let mut pages = Vec::new();
        let mut root = Cli::command().term_width(100);
        root.build();
        collect(&root, "provost", &mut pages);
        let update = std::env::var_os("PROVOST_UPDATE_GOLDEN").is_some();
        let mut wrong = Vec::new();
        for (file, text) in &pages {
            let path = folder.join(file);
            if update {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, text).unwrap();
            } else if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
                wrong.push(file.clone());
            }
        }
        assert!(wrong.is_empty(), "changed or missing: {wrong:?}; look, then PROVOST_UPDATE_GOLDEN=1");
        let mut there: Vec<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        there.retain(|path| !pages.iter().any(|(file, _)| path.ends_with(file)));
        assert!(there.is_empty(), "pages of commands that are gone: {there:?}");
    }

    fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
        let text = command.clone().term_width(100).render_long_help().to_string();
        pages.push((format!("{}.txt", name.replace(' ', "-")), text));
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            collect(sub, &format!("{name} {}", sub.get_name()), pages);
        }
    }
}
