//! The kill switch: stop, see what is proven, start again.

mod show;

use crate::{Client, Exit, Failure, Out, agent::more, client::part, out::clean};
use clap::{Args, Subcommand};
use provost_api::containment::{
    ContainmentAnswer, ContainmentEvidence, ContainmentHits, ContainmentOrder, ContainmentQuery,
    ContainmentSettle, ContainmentSummary, ContainmentView,
};
use provost_domain::{DecisionId, Effect, Environment, Name, ToolName};
use show::{answered, list, ordered, progress, render, render_hits, unknown};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// `provost kill`: an order, or what there is about orders.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct KillArgs {
    /// The order, where none of the words below is said.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Something else than an order.
    #[command(subcommand)]
    pub command: Option<KillCommand>,
}

/// Whom and what to stop, how far, and why.
#[derive(Debug, Clone, Args)]
pub struct OrderArgs {
    /// This agent
    #[arg(long)]
    pub agent: Option<Name>,
    /// The agents of this owner, also those to come
    #[arg(long)]
    pub owner: Option<Name>,
    /// The agents whose owner is in this group, also those to come
    #[arg(long)]
    pub group: Option<Name>,
    /// Agents whose name fits a pattern, such as 'invoice-*', also those to come
    #[arg(long, value_name = "PATTERN")]
    pub like: Option<String>,
    /// Agents made with a model whose name fits a pattern
    #[arg(long, value_name = "PATTERN")]
    pub model: Option<String>,
    /// Agents of this environment: sandbox, staging, production
    #[arg(long, value_parser = environment)]
    pub environment: Option<Environment>,
    /// Calls of this system, by whomever
    #[arg(long)]
    pub system: Option<Name>,
    /// Calls of this tool, by whomever
    #[arg(long, value_name = "SYSTEM/TOOL", conflicts_with = "system", value_parser = tool)]
    pub tool: Option<(Name, ToolName)>,
    /// Everything
    #[arg(long)]
    pub everything: bool,
    /// What is left: observe, approvals-only, read-only, off; or without, with --effect
    #[arg(long)]
    pub level: Option<String>,
    /// An effect that is withheld, such as financial; may be given several times
    #[arg(long = "effect", value_name = "EFFECT")]
    pub effects: Vec<Effect>,
    /// Why, for the record and for whoever is refused
    #[arg(long, required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// The person who orders it
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Name>,
    /// Show what would be hit, and stop nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Tell how it goes until all is known
    #[arg(long)]
    pub watch: bool,
}

/// `provost kill …`.
#[derive(Debug, Clone, Subcommand)]
pub enum KillCommand {
    /// List the orders in force
    List {
        /// Only those about this agent
        #[arg(long)]
        agent: Option<Name>,
        /// in-force (as is usual), lifted, or all
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Those of decommissioned agents of which everything is known, too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Show one, lifted ones too: what it ended, what is proven system by system, which calls it cut half-way
    Show {
        /// The order
        id: String,
        /// Tell how it goes until all is known
        #[arg(long)]
        watch: bool,
    },
    /// Write the records that all of it rests on into a folder, each with its proof: verifies offline
    Evidence {
        /// The order
        id: String,
        /// The folder; made if it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Start again; from `off` this asks, and another person who says it too agrees
    Lift(AnswerArgs),
    /// Keep an order in force that somebody asked to be lifted
    Keep(AnswerArgs),
    /// Put on record what became of a call that was cut half-way
    Settle {
        /// The order
        id: String,
        /// The call, as `show` names it
        #[arg(long, value_name = "DECISION")]
        call: DecisionId,
        /// What you found: whether it happened
        #[arg(long)]
        found: String,
        /// The person who looked
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<Name>,
    },
}

/// Which order, who says so, and why.
#[derive(Debug, Clone, Args)]
pub struct AnswerArgs {
    /// The order
    pub id: String,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// The person who says it
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Name>,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(args: KillArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    match args.command {
        None => order(args.order, client, out).await,
        Some(KillCommand::List { agent, state, all, limit }) => {
            let query = ContainmentQuery { agent, state, all, ..ContainmentQuery::default() };
            let page = client.list::<ContainmentSummary>("containments", &query, limit).await?;
            out.show(&page, |page, style| more(list(&page.items, style), page.next.is_some(), style));
            Ok(Exit::Ok)
        }
        Some(KillCommand::Show { id, watch: false }) => {
            let view: ContainmentView = client.get(&at(&id, "")).await?;
            out.show(&view, render);
            Ok(Exit::Ok)
        }
        Some(KillCommand::Show { id, watch: true }) => watch(&id, client, out).await,
        Some(KillCommand::Evidence { id, dir }) => evidence(&id, &dir, client, out).await,
        Some(KillCommand::Lift(args)) => answer(args, "/lift", client, out).await,
        Some(KillCommand::Keep(args)) => answer(args, "/keep", client, out).await,
        Some(KillCommand::Settle { id, call, found, person }) => {
            let wanted = ContainmentSettle { person, decision: call, found };
            let view: ContainmentView = client.post(&at(&id, "/settle"), &wanted).await?;
            out.show(&view, |view, style| unknown(&view.unknown, style));
            Ok(Exit::Ok)
        }
    }
}

async fn order(args: OrderArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let (dry_run, watches) = (args.dry_run, args.watch);
    let wanted = wanted(args);
    if dry_run {
        let hits: ContainmentHits = client.post("containments/dry-run", &wanted).await?;
        out.show(&hits, |hits, style| {
            format!("{}\nNothing was stopped.", render_hits(hits, "would be hit", style))
        });
        return Ok(Exit::Ok);
    }
    let view: ContainmentView = client.post("containments", &wanted).await?;
    if watches {
        return watch(&view.summary.id, client, out).await;
    }
    out.show(&view, ordered);
    Ok(Exit::Ok)
}

fn wanted(args: OrderArgs) -> ContainmentOrder {
    let (system, tool) = match args.tool {
        Some((system, tool)) => (Some(system), Some(tool)),
        None => (args.system, None),
    };
    ContainmentOrder {
        agent: args.agent,
        owner: args.owner,
        group: args.group,
        like: args.like,
        model: args.model,
        environment: args.environment,
        system,
        tool,
        everything: args.everything,
        level: args.level,
        effects: args.effects,
        reason: args.reason.unwrap_or_default(),
        person: args.person,
    }
}

async fn answer(args: AnswerArgs, rest: &str, client: &Client, out: Out) -> Result<Exit, Failure> {
    let said = ContainmentAnswer { person: args.person, reason: args.reason, signed: None };
    let view: ContainmentView = client.post(&at(&args.id, rest), &said).await?;
    out.show(&view, answered);
    Ok(Exit::Ok)
}

/// Shows an order again and again, until everything is known or nobody lifts the pen any more.
async fn watch(id: &str, client: &Client, out: Out) -> Result<Exit, Failure> {
    let mut shown = String::new();
    for _look in 0..LOOKS_MAX {
        let view: ContainmentView = client.get(&at(id, "")).await?;
        let known = view.summary.status == "lifted"
            || view.summary.proof.as_deref().is_none_or(|proof| proof != "unknown");
        if out.json && !known {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        if out.json || known {
            out.show(&view, render);
            return Ok(Exit::Ok);
        }
        let now = progress(&view, out.style);
        if now != shown {
            out.say(&now);
            shown = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Failure::new("not everything is known yet")
        .cure(format!("go on with: provost kill show {id} --watch")))
}

/// Receipts as files, the order as JSON beside them.
async fn evidence(id: &str, dir: &Path, client: &Client, out: Out) -> Result<Exit, Failure> {
    let evidence: ContainmentEvidence = client.get(&at(id, "/evidence")).await?;
    let failed =
        |error: std::io::Error| Failure::new(format!("{} cannot be written", dir.display())).because(error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    if std::fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::new(format!("{} is not empty", dir.display())).cure("name a new folder"));
    }
    let order = serde_json::to_string_pretty(&evidence.order).map_err(|error| failed(error.into()))?;
    std::fs::write(dir.join("order.json"), order).map_err(failed)?;
    for (place, record) in evidence.records.iter().enumerate() {
        // Kinds and ids come from a plane that is not to be trusted with names of files.
        let name =
            format!("{place:04}-{}.tlog-proof", record.kind.replace(|c: char| !c.is_ascii_lowercase(), ""));
        std::fs::write(dir.join(name), &record.receipt).map_err(failed)?;
    }
    out.show(&evidence, |evidence, style| {
        let verify = format!("provost ledger verify {} --key '{}'", dir.display(), clean(&evidence.vkey));
        format!(
            "{} {} records in {}\nverify them anywhere, with the key from a place you trust: {}",
            style.green("written:"),
            evidence.records.len(),
            dir.display(),
            style.cyan(&verify)
        )
    });
    Ok(Exit::Ok)
}

fn at(id: &str, rest: &str) -> String {
    format!("containments/{}{rest}", part(id))
}

/// `bank/transfer`, or `bank.transfer` as `/mcp` names it.
fn tool(text: &str) -> Result<(Name, ToolName), String> {
    let (system, tool) = text.split_once(['/', '.']).ok_or("write SYSTEM/TOOL, such as bank/transfer")?;
    let system = system.parse().map_err(|error: provost_domain::NameError| error.to_string())?;
    let tool = tool.parse().map_err(|error: provost_domain::NameError| error.to_string())?;
    Ok((system, tool))
}

fn environment(text: &str) -> Result<Environment, String> {
    let known = [Environment::Sandbox, Environment::Staging, Environment::Production];
    let found = known.into_iter().find(|environment| environment.as_str() == text);
    found.ok_or_else(|| "use sandbox, staging or production".to_owned())
}

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An hour of looking.
const LOOKS_MAX: u32 = 7_200;
