//! Drills: the kill switch, tried on a canary before it is needed.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::more,
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::Subcommand;
use provost_api::{
    Span, Took,
    drill::{DrillQuery, DrillRun, DrillView},
};
use provost_domain::Name;

/// `provost drill`.
#[derive(Debug, Clone, Subcommand)]
pub enum DrillCommand {
    /// Stop a canary with the reach of an agent, measure, prove, restore
    Run {
        /// The agent
        agent: Name,
        /// What each measured time should be at most
        #[arg(long, value_name = "SPAN", default_value = "1s")]
        target: Span,
    },
    /// List drills, newest first: the trend
    List {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one
    Show {
        /// The drill
        id: String,
    },
}

/// Does it. A drill that failed ends with the code of what does not hold.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: DrillCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    let drill: DrillView = match command {
        DrillCommand::Run { agent, target } => {
            client.post("drills", &DrillRun { agent, target: Some(target) }).await?
        }
        DrillCommand::Show { id } => client.get(&format!("drills/{}", part(&id))).await?,
        DrillCommand::List { agent, limit } => {
            let query = DrillQuery { agent, ..DrillQuery::default() };
            let page = client.list::<DrillView>("drills", &query, limit).await?;
            out.show(&page, |page, style| more(list(&page.items, style), page.next.is_some(), style));
            return Ok(Exit::Ok);
        }
    };
    out.show(&drill, render);
    Ok(if drill.result == "failed" { Exit::Unverified } else { Exit::Ok })
}

fn list(rows: &[DrillView], style: Style) -> String {
    let row = |row: &DrillView| {
        let took = |span: fn(&provost_api::drill::MeasuredView) -> Took| {
            row.measured.as_ref().map_or("-".to_owned(), |measured| span(measured).to_string())
        };
        vec![
            row.id.clone(),
            row.agent.to_string(),
            result(&row.result, style),
            took(|measured| measured.first_refused),
            took(|measured| measured.last_ended),
            row.target.to_string(),
            when::short(row.at),
            clean(&row.by),
        ]
    };
    let heads = ["drill", "agent", "result", "first refused", "last ended", "target", "when", "by"];
    table(&heads, rows.iter().map(row), style)
}

fn render(drill: &DrillView, style: Style) -> String {
    let measured = drill.measured.as_ref();
    let took = |span: Took| format!("{span} after the acknowledgement");
    let why: Vec<String> = drill.why.iter().map(|why| clean(why)).collect();
    facts(
        &[
            ("drill", style.bold(&drill.id)),
            ("agent", drill.agent.to_string()),
            ("result", result(&drill.result, style)),
            ("because", why.join("\n")),
            ("when", when::long(drill.at)),
            ("by", clean(&drill.by)),
            ("target", drill.target.to_string()),
            (
                "acknowledged",
                measured.map(|measured| format!("within {}", measured.acknowledged)).unwrap_or_default(),
            ),
            ("first refused", measured.map(|measured| took(measured.first_refused)).unwrap_or_default()),
            ("last ended", measured.map(|measured| took(measured.last_ended)).unwrap_or_default()),
            (
                "calls",
                measured
                    .map(|measured| {
                        format!("{}, {} of them let through too late", measured.calls, measured.late)
                    })
                    .unwrap_or_default(),
            ),
            ("proven", measured.map(|measured| clean(&measured.systems.join(", "))).unwrap_or_default()),
            ("order", measured.map(|measured| measured.order.clone()).unwrap_or_default()),
        ],
        style,
    )
}

fn result(word: &str, style: Style) -> String {
    match word {
        "passed" => style.green(word),
        "failed" => style.red(word),
        other => style.yellow(other),
    }
}
