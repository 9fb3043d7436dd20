//! Baselines: what is usual for an agent, and deciding about it.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    out::{clean, facts},
    when,
};
use clap::{Args, Subcommand};
use provost_api::baseline::{BaselineAgree, BaselineReset, BaselineView, CountsView, OftenView};
use provost_domain::Name;

/// `provost baseline`.
#[derive(Debug, Clone, Subcommand)]
pub enum BaselineCommand {
    /// Show what is usual for an agent, what was put aside, and what waits for a person
    Show {
        /// The agent
        agent: Name,
    },
    /// Agree that what was put aside is usual from now on
    Approve(Decide),
    /// Keep what was usual before, and forget what was put aside
    Keep(Decide),
    /// Forget what is usual, to learn it again
    Reset {
        /// Of what
        #[command(flatten)]
        decide: Decide,
        /// What is usual for all agents with its purpose, instead
        #[arg(long, conflicts_with = "kind")]
        peers: bool,
    },
}

/// About what, and why.
#[derive(Debug, Clone, Args)]
pub struct Decide {
    /// The agent
    pub agent: Name,
    /// Only for this kind of task
    #[arg(long)]
    pub kind: Option<String>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: BaselineCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    let rows: Vec<BaselineView> = match command {
        BaselineCommand::Show { agent } => client.get(&at(&agent, "")).await?,
        BaselineCommand::Approve(decide) => agree(decide, true, client).await?,
        BaselineCommand::Keep(decide) => agree(decide, false, client).await?,
        BaselineCommand::Reset { decide: Decide { agent, kind, reason }, peers } => {
            client.post(&at(&agent, "/reset"), &BaselineReset { kind, peers, reason }).await?
        }
    };
    out.show(&rows, |rows, style| render(rows, style));
    Ok(Exit::Ok)
}

async fn agree(decide: Decide, new: bool, client: &Client) -> Result<Vec<BaselineView>, Failure> {
    let Decide { agent, kind, reason } = decide;
    client.post(&at(&agent, "/agree"), &BaselineAgree { kind, new, reason }).await
}

fn at(agent: &Name, rest: &str) -> String {
    format!("agents/{}/baselines{rest}", part(agent.as_str()))
}

fn render(rows: &[BaselineView], style: Style) -> String {
    if rows.is_empty() {
        return "nothing was learned yet: what is usual is learned from tasks that ended".to_owned();
    }
    let rows: Vec<String> = rows.iter().map(|row| one(row, style)).collect();
    rows.join("\n")
}

fn one(row: &BaselineView, style: Style) -> String {
    let aside = match row.aside.runs {
        0 => "nothing".to_owned(),
        runs => format!("{runs} runs; new about them: {}", words(&row.aside)),
    };
    let decided = match (&row.agreed_by, &row.agreed_to, &row.agreed_why, row.agreed_at) {
        (Some(by), Some(to), Some(why), Some(at)) => {
            format!("{} by {}, {}: {}", clean(to), clean(by), when::short(at), clean(why))
        }
        _ => "by nobody yet".to_owned(),
    };
    facts(
        &[
            ("usual for", style.bold(&clean(&row.of))),
            ("waits", row.waits.as_deref().map_or("for nobody".to_owned(), |why| style.yellow(&clean(why)))),
            ("learned", format!("{} to {}", when::short(row.since), when::short(row.last))),
            ("from", format!("{} runs, {} recent", row.reference.runs, row.recent_runs)),
            ("moved by", format!("{} in 100", row.shift_percent)),
            ("does", words(&row.reference)),
            ("put aside", aside),
            ("decided", decided),
        ],
        style,
    )
}

fn words(counts: &CountsView) -> String {
    let often = |rows: &[OftenView], before: &str| -> Vec<String> {
        rows.iter().map(|row| format!("{before}{} ({})", clean(&row.what), row.runs)).collect()
    };
    let mut said = often(&counts.tools, "");
    said.extend(often(&counts.labels, "data "));
    said.push(format!("{} values", counts.values));
    said.join(", ")
}
