//! Findings: what a person should know, and the answers.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    Span,
    finding::{FindingAnswer, FindingQuery, FindingSummary, FindingSuppress, FindingView},
};
use provost_domain::{Name, Severity, finding::About};
use std::fmt::Write as _;

/// `provost finding`.
#[derive(Debug, Clone, Subcommand)]
pub enum FindingCommand {
    /// List what people should know, the worst first: what is open or taken up
    List {
        /// Only in this state: open, acknowledged, suppressed, closed, all
        #[arg(long)]
        state: Option<String>,
        /// Only at least so bad: info, low, medium, high, critical
        #[arg(long)]
        severity: Option<Severity>,
        /// Only of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only about this agent
        #[arg(long)]
        agent: Option<Name>,
        /// Only about this person
        #[arg(long)]
        person: Option<Name>,
        /// Only about this system
        #[arg(long)]
        system: Option<Name>,
        /// Only what this person answers for
        #[arg(long)]
        owner: Option<Name>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Show one: what, since when, how often, what shows it, who did what about it
    Show {
        /// The finding
        id: String,
    },
    /// Say that you are at it
    Ack {
        /// The finding
        id: String,
        /// The person whose answer it is
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<Name>,
        /// Why, in that person's words
        #[arg(long, default_value = "taken up from the command line")]
        reason: String,
    },
    /// Say that it is dealt with; seen again, it opens again
    Close {
        /// The finding
        id: String,
        /// Who says it
        #[command(flatten)]
        who: Who,
    },
    /// Not to hear of it for a while, unless it gets worse
    Suppress {
        /// The finding
        id: String,
        /// For how long, such as 12h or 7d; at most 90d
        #[arg(long = "for", value_name = "SPAN")]
        lasts: Span,
        /// Who says it
        #[command(flatten)]
        who: Who,
    },
}

/// Whose answer it is, and why.
#[derive(Debug, Clone, Args)]
pub struct Who {
    /// The person whose answer it is
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Name>,
    /// Why, in that person's words
    #[arg(long)]
    pub reason: String,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: FindingCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        FindingCommand::List { state, severity, kind, agent, person, system, owner, limit } => {
            let query = FindingQuery {
                state,
                severity,
                kind,
                agent,
                person,
                system,
                owner,
                ..FindingQuery::default()
            };
            let page = client.list::<FindingSummary>("findings", &query, limit).await?;
            out.show(&page, |page, style| more(list(&page.items, style), page.next.is_some(), style));
        }
        FindingCommand::Show { id } => {
            let finding: FindingView = client.get(&at(&id, "")).await?;
            out.show(&finding, render);
        }
        FindingCommand::Ack { id, person, reason } => {
            answer(&id, "/acknowledge", Who { person, reason }, client, out).await?;
        }
        FindingCommand::Close { id, who } => answer(&id, "/close", who, client, out).await?,
        FindingCommand::Suppress { id, lasts, who } => {
            let wanted = FindingSuppress { person: who.person, reason: who.reason, lasts };
            let finding: FindingView = client.post(&at(&id, "/suppress"), &wanted).await?;
            out.show(&finding, answered);
        }
    }
    Ok(Exit::Ok)
}

async fn answer(id: &str, word: &str, who: Who, client: &Client, out: Out) -> Result<(), Failure> {
    let answer = FindingAnswer { person: who.person, reason: who.reason };
    let finding: FindingView = client.post(&at(id, word), &answer).await?;
    out.show(&finding, answered);
    Ok(())
}

fn at(id: &str, rest: &str) -> String {
    format!("findings/{}{rest}", part(id))
}

fn list(findings: &[FindingSummary], style: Style) -> String {
    if findings.is_empty() {
        return "nothing like this was found".to_owned();
    }
    let row = |row: &FindingSummary| {
        vec![
            row.id.clone(),
            severity(row.severity, style),
            style.state(&row.state),
            clean(&row.kind),
            about(&row.about),
            row.count.to_string(),
            when::short(row.last),
            clean(&row.what),
        ]
    };
    let heads = ["finding", "severity", "state", "kind", "about", "seen", "last", "what"];
    table(&heads, findings.iter().map(row), style)
}

fn render(view: &FindingView, style: Style) -> String {
    let row = &view.summary;
    let evidence: Vec<String> = view.evidence.iter().map(|text| clean(text)).collect();
    let owner = row.owner.as_ref().map_or("nobody yet".to_owned(), ToString::to_string);
    let by_another = if view.by_another { ", but never who it is about" } else { "" };
    let times = if row.count == 1 { "once".to_owned() } else { format!("{} times", row.count) };
    let mut text = facts(
        &[
            ("finding", style.bold(&row.id)),
            ("what", style.bold(&clean(&row.what))),
            ("severity", severity(row.severity, style)),
            ("state", style.state(&row.state)),
            ("kind", clean(&row.kind)),
            ("about", about(&row.about)),
            ("seen", format!("{times}, first {}, last {}", when::short(row.first), when::short(row.last))),
            ("response", row.response.as_str().to_owned()),
            ("answers", format!("{owner}{by_another}")),
            ("evidence", evidence.join("\n")),
        ],
        style,
    );
    if let Some(by) = &view.by {
        let until = view.until.map(|until| format!(" until {}", when::long(until))).unwrap_or_default();
        let why = view.why.as_deref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
        let _written = writeln!(text, "\n{} by {}{until}{why}", style.state(&row.state), clean(by));
    }
    text.push_str(&history(&view.history, style));
    text
}

fn answered(view: &FindingView, style: Style) -> String {
    let until = view.until.map(|until| format!(" until {}", when::long(until))).unwrap_or_default();
    format!("{} is {}{until}", view.summary.id, style.state(&view.summary.state))
}

fn severity(severity: Severity, style: Style) -> String {
    match severity {
        Severity::High | Severity::Critical => style.red(severity.as_str()),
        Severity::Medium => style.yellow(severity.as_str()),
        Severity::Info | Severity::Low => severity.as_str().to_owned(),
    }
}

fn about(about: &About) -> String {
    let named = [
        about.agent.as_ref().map(|name| format!("agent {name}")),
        about.person.as_ref().map(|name| format!("person {name}")),
        about.system.as_ref().map(|name| format!("system {name}")),
        about.tool.as_ref().map(|name| format!("tool {}", clean(name.as_str()))),
        about.task.as_ref().map(|id| id.to_string()),
    ];
    named.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
